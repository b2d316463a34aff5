"""One entry of `spec.metrics`, of any of its five types, to a number of replicas, a name for people, and its part of the status."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from typing import Any

from controllers.kube_controller_manager.horizontal_pod_autoscaler import replicas
from controllers.kube_controller_manager.horizontal_pod_autoscaler.metrics_client import MetricsClient
from controllers.kube_controller_manager.horizontal_pod_autoscaler.replicas import MetricFailure, Tolerances
from kctl.apimachinery import labels, quantity
from kctl.apimachinery.objects import Object

Spec = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Target:
    """What is scaled: its replicas as wished and as they are, its pods and how to select them."""

    namespace: str
    spec_replicas: int
    status_replicas: int
    selector: str
    pods: Collection[Object]
    tolerances: Tolerances
    now: datetime


@dataclass(frozen=True, slots=True)
class Proposal:
    """`name` as in `New size: 3; reason: cpu resource above target`."""

    replicas: int
    name: str
    status: Object


class Unusable(Exception):
    """`reason` of condition and event, with what is said there; the exception's own text is the one of the whole computation."""

    def __init__(self, reason: str, said: str, whole: str) -> None:
        super().__init__(whole)
        self.reason = reason
        self.said = said


def _quantity(value: int) -> str:
    return quantity.format_quantity(Fraction(value, 1000))


def _identifier(metric: Spec) -> Object:
    return {key: metric[key] for key in ("name", "selector") if metric.get(key) is not None}


def _selector(metric: Spec) -> str:
    return labels.format_selector(metric.get("selector")) if metric.get("selector") else ""


def go_selector(selector: Spec | None) -> str:
    """As Go prints a *LabelSelector in a message."""
    if selector is None:
        return "nil"
    pairs = "".join(f"{key}: {value}," for key, value in sorted((selector.get("matchLabels") or {}).items()))
    terms = "".join(
        f"LabelSelectorRequirement{{Key:{each.get('key')},Operator:{each.get('operator')},Values:[{' '.join(each.get('values') or ())}],}},"
        for each in selector.get("matchExpressions") or ()
    )
    return f"&LabelSelector{{MatchLabels:map[string]string{{{pairs}}},MatchExpressions:[]LabelSelectorRequirement{{{terms}}},}}"


class Sources:
    def __init__(self, metrics: MetricsClient) -> None:
        self._metrics = metrics
        self._by_type: dict[str, Callable[[Spec, Target], Awaitable[Proposal]]] = {
            "Resource": self._resource,
            "ContainerResource": self._container_resource,
            "Pods": self._pods,
            "Object": self._object,
            "External": self._external,
        }

    async def propose(self, metric: Spec, target: Target) -> Proposal:
        """Raises Unusable."""
        kind = str(metric.get("type") or "")
        compute = self._by_type.get(kind)
        if compute is None:
            why = f'unknown metric source type "{kind}"'
            raise Unusable("InvalidMetricSourceType", why, why)
        try:
            return await compute(metric, target)
        except MetricFailure as failure:
            reason, prefix = _WORDS[kind]
            resource = (metric.get("resource") or metric.get("containerResource") or metric.get("external") or {}).get("name")
            named = resource or ((metric.get("external") or {}).get("metric") or {}).get("name") or ""
            raise Unusable(reason, str(failure), f"{prefix.format(named)}: {failure}") from failure

    # ---- resources

    async def _resource(self, metric: Spec, target: Target) -> Proposal:
        source = metric["resource"]
        count, current, name = await self._usage(source, target, "")
        return Proposal(count, name, {"type": "Resource", "resource": {"name": source["name"], "current": current}})

    async def _container_resource(self, metric: Spec, target: Target) -> Proposal:
        source = metric["containerResource"]
        count, current, name = await self._usage(source, target, str(source["container"]))
        status = {"name": source["name"], "container": source["container"], "current": current}
        return Proposal(count, name, {"type": "ContainerResource", "containerResource": status})

    async def _usage(self, source: Spec, target: Target, container: str) -> tuple[int, Object, str]:
        resource, goal = str(source["name"]), source["target"]
        if goal.get("averageValue") is not None:
            verdict = await self._of_resource(resource, container, quantity.milli(goal["averageValue"]), target, "usage", shares=False)
            return verdict.replicas, {"averageValue": _quantity(verdict.usage.average)}, f"{resource} resource"
        if goal.get("averageUtilization") is None:
            raise MetricFailure(
                "invalid resource metric source: neither an average utilization target nor an average value (usage) target was set"
            )
        verdict = await self._of_resource(resource, container, int(goal["averageUtilization"]), target, "utilization", shares=True)
        what = "container resource" if container else "resource"
        current = {"averageUtilization": verdict.usage.utilization, "averageValue": _quantity(verdict.usage.average)}
        return verdict.replicas, current, f"{resource} {what} utilization (percentage of request)"

    async def _of_resource(self, resource: str, container: str, goal: int, target: Target, word: str, *, shares: bool) -> replicas.Verdict:
        try:
            try:
                samples = await self._metrics.resource(resource, target.namespace, target.selector, container)
            except MetricFailure as failure:
                raise MetricFailure(f"unable to get metrics for resource {resource}: {failure}") from failure
            requests = replicas.requests_of(target.pods, resource, container) if shares and target.pods else None
            return replicas.for_pods(
                target.spec_replicas,
                goal,
                target.pods,
                samples,
                target.tolerances,
                target.now,
                resource=resource,
                requests=requests,
            )
        except MetricFailure as failure:
            raise MetricFailure(f"failed to get {resource} {word}: {failure}") from failure

    # ---- custom and external metrics

    async def _pods(self, metric: Spec, target: Target) -> Proposal:
        source = metric["pods"]["metric"]
        name, goal = str(source["name"]), quantity.milli(metric["pods"]["target"]["averageValue"])
        try:
            samples = await self._metrics.of_pods(name, target.namespace, target.selector, _selector(source))
        except MetricFailure as failure:
            raise MetricFailure(f"unable to get metric {name}: {failure}") from failure
        verdict = replicas.for_pods(target.spec_replicas, goal, target.pods, samples, target.tolerances, target.now)
        status = {"metric": _identifier(source), "current": {"averageValue": _quantity(verdict.usage.average)}}
        return Proposal(verdict.replicas, f"pods metric {name}", {"type": "Pods", "pods": status})

    async def _object(self, metric: Spec, target: Target) -> Proposal:
        spec, source, described = metric["object"], metric["object"]["metric"], metric["object"]["describedObject"]
        name, goal = str(source["name"]), spec["target"]
        try:
            value = await self._metrics.of_object(name, target.namespace, described, _selector(source))
        except MetricFailure as failure:
            raise MetricFailure(
                f"unable to get metric {name}: {described['kind']} on {target.namespace} {described['name']}/{failure}"
            ) from failure
        status: Object = {"metric": _identifier(source), "describedObject": described}
        if goal.get("type") == "Value" and goal.get("value") is not None:
            count = replicas.for_value(target.spec_replicas, value, quantity.milli(goal["value"]), target.pods, target.tolerances)
            status["current"] = {"value": _quantity(value)}
            shown = f"{described['kind']} metric {name}"
        elif goal.get("averageValue") is not None:
            count, each = replicas.for_average(target.status_replicas, value, quantity.milli(goal["averageValue"]), target.tolerances)
            status["current"] = {"averageValue": _quantity(each)}
            shown = f"external metric {name}({go_selector(source.get('selector'))})"
        else:
            raise MetricFailure("invalid object metric source: neither a value target nor an average value target was set")
        return Proposal(count, shown, {"type": "Object", "object": status})

    async def _external(self, metric: Spec, target: Target) -> Proposal:
        source, goal = metric["external"]["metric"], metric["external"]["target"]
        name, shown = str(source["name"]), go_selector(source.get("selector"))
        if goal.get("averageValue") is None and goal.get("value") is None:
            raise MetricFailure("invalid external metric source: neither a value target nor an average value target was set")
        try:
            value = sum(await self._metrics.external(name, target.namespace, _selector(source)))
        except MetricFailure as failure:
            raise MetricFailure(f"unable to get external metric {target.namespace}/{name}/{shown}: {failure}") from failure
        if goal.get("averageValue") is not None:
            count, each = replicas.for_average(target.status_replicas, value, quantity.milli(goal["averageValue"]), target.tolerances)
            current = {"averageValue": _quantity(each)}
        else:
            count = replicas.for_value(target.spec_replicas, value, quantity.milli(goal["value"]), target.pods, target.tolerances)
            current = {"value": _quantity(value)}
        status = {"type": "External", "external": {"metric": _identifier(source), "current": current}}
        return Proposal(count, f"external metric {name}({shown})", status)


_WORDS = {
    "Resource": ("FailedGetResourceMetric", "failed to get {} resource metric value"),
    "ContainerResource": ("FailedGetContainerResourceMetric", "failed to get {} container metric value"),
    "Pods": ("FailedGetPodsMetric", "failed to get pods metric value"),
    "Object": ("FailedGetObjectMetric", "failed to get object metric value"),
    "External": ("FailedGetExternalMetric", "failed to get {} external metric value"),
}
