"""horizontal-pod-autoscaler-controller: every 15 seconds each autoscaler's metrics are turned into a number of replicas for its target.

A number is proposed by each metric and the largest counts; `behavior` says how fast it may be followed. Scaling down needs every metric,
scaling up one. What was recommended and done lately is remembered in this process alone, as upstream's is: after a restart
stabilization windows begin anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from controllers.kube_controller_manager.horizontal_pod_autoscaler.behavior import History, limit
from controllers.kube_controller_manager.horizontal_pod_autoscaler.metrics_client import MetricsClient
from controllers.kube_controller_manager.horizontal_pod_autoscaler.replicas import DEFAULT_TOLERANCE, Tolerances
from controllers.kube_controller_manager.horizontal_pod_autoscaler.sources import Proposal, Sources, Target, Unusable
from controllers.kube_controller_manager.horizontal_pod_autoscaler.status import StatusDraft
from controllers.runtime.events import NORMAL, WARNING
from controllers.runtime.informer import Change
from controllers.runtime.manager import ControllerContext, LoopController
from controllers.runtime.reconciler import Result
from controllers.runtime.sources import Follows, Source
from kctl.apimachinery import labels, objects, quantity
from kctl.apimachinery.labels import Selector
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import PODS, ResourceTable, ResourceType, built_in
from kctl.apimachinery.status import ApiError, BadRequest, NotFound
from kctl.client.discovery import discover

HORIZONTAL_POD_AUTOSCALERS = built_in("autoscaling/v2", "HorizontalPodAutoscaler")
SYNC_SECONDS = 15.0

_ABLE, _ACTIVE, _LIMITED = "AbleToScale", "ScalingActive", "ScalingLimited"


class _NotNow(Exception):
    """This round ends here; conditions and events say why."""


class HorizontalPodAutoscalerController(LoopController):
    name = "horizontal-pod-autoscaler-controller"

    def __init__(self, context: ControllerContext) -> None:
        super().__init__(context)
        self._client = context.client
        self._autoscalers = context.informers.informer(HORIZONTAL_POD_AUTOSCALERS)
        self._pods = context.informers.informer(PODS)
        self._recorder = context.recorder("horizontal-pod-autoscaler")
        self._sources = Sources(MetricsClient(context.client))
        self._histories: dict[str, History] = {}
        self._selectors: dict[str, Selector] = {}
        self._table = ResourceTable()

    def wakes(self) -> Sequence[Source]:
        return (Follows(HORIZONTAL_POD_AUTOSCALERS, self._changed),)

    def _changed(self, changes: Sequence[Change]) -> list[str]:
        """A new one has its first turn after a period, as all its others; one that is gone is forgotten."""
        gone = []
        for old, new in changes:
            if new is None and old is not None:
                gone.append(objects.key(old))
            elif old is None and new is not None:
                self.loop.enqueue_after(objects.key(new), SYNC_SECONDS)
        return gone

    async def reconcile(self, key: str) -> Result | None:
        autoscaler = self._autoscalers.get(key)
        if autoscaler is None:
            self._histories.pop(key, None)
            self._selectors.pop(key, None)
            return None
        draft = StatusDraft(autoscaler, self.context.clock.now())
        try:
            await self._scale(autoscaler, draft)
        except _NotNow:
            pass
        finally:
            await self._write(autoscaler, draft)
        return Result(requeue_after=SYNC_SECONDS)

    async def _write(self, autoscaler: Object, draft: StatusDraft) -> None:
        if not draft.changed:
            return
        try:
            written = await self._client.update_status(HORIZONTAL_POD_AUTOSCALERS, objects.replace(autoscaler, status=draft.status))
        except NotFound:
            return
        except ApiError as error:
            self._recorder.event(autoscaler, WARNING, "FailedUpdateStatus", str(error))
            return
        self._autoscalers.observe((written,))

    # ---- one round

    async def _scale(self, autoscaler: Object, draft: StatusDraft) -> None:
        key, spec = objects.key(autoscaler), objects.spec(autoscaler)
        resource, scale = await self._target(autoscaler, draft)
        draft.condition(_ABLE, True, "SucceededGetScale", "the HPA controller was able to get the target's current scale")
        current = int(objects.spec(scale).get("replicas") or 0)
        minimum, maximum = int(spec.get("minReplicas", 1)), int(spec["maxReplicas"])
        now = self.context.clock.monotonic()
        history = self._histories.setdefault(key, History())
        history.begin(current, now)
        desired, reason, metrics = current, "", None
        if current == 0 and minimum != 0:
            message = "scaling is disabled since the replica count of the target is zero"
            draft.condition(_ACTIVE, False, "ScalingDisabled", message)
        elif current > maximum:
            desired, reason = maximum, "Current number of replicas above Spec.MaxReplicas"
        elif current < minimum:
            desired, reason = minimum, "Current number of replicas below Spec.MinReplicas"
        else:
            proposed, name, metrics = await self._propose(autoscaler, scale, draft)
            if proposed > current:
                reason = f"{name} above target"
            elif proposed < current:
                reason = "All metrics below target"
            found = limit(history, _behavior(spec), current, proposed, minimum, maximum, now)
            draft.condition(_ABLE, True, *found.stabilized)
            draft.condition(_LIMITED, *found.limited)
            desired = found.replicas
        if desired != current:
            await self._resize(autoscaler, resource, scale, current, desired, reason, draft)
            history.scaled(current, desired, _behavior(spec), now)
        draft.replicas(current, desired, metrics, scaled=desired != current)

    async def _target(self, autoscaler: Object, draft: StatusDraft) -> tuple[ResourceType, Object]:
        reference = objects.spec(autoscaler)["scaleTargetRef"]
        try:
            resource = await self._resource(str(reference.get("apiVersion") or ""), str(reference.get("kind") or ""))
            return resource, await self._client.get(resource, reference["name"], objects.namespace(autoscaler), subresource="scale")
        except ApiError as error:
            self._recorder.event(autoscaler, WARNING, "FailedGetScale", str(error))
            message = f"the HPA controller was unable to get the target's current scale: {error}"
            draft.condition(_ABLE, False, "FailedGetScale", message)
            raise _NotNow from error

    async def _resource(self, api_version: str, kind: str) -> ResourceType:
        """Of a built-in kind, or of one that the server has learnt. Raises ApiError."""
        found = self._table.by_kind(api_version, kind)
        if found is not None:
            return found
        group = api_version.rpartition("/")[0]
        served = [each for each in await discover(self._client.transport) if each.group == group and each.kind == kind]
        if not served:
            raise NotFound(f'no matches for kind "{kind}" in group "{group}"')
        return next((each for each in served if each.api_version == api_version), served[0])

    async def _resize(
        self, autoscaler: Object, resource: ResourceType, scale: Object, current: int, desired: int, reason: str, draft: StatusDraft
    ) -> None:
        wanted = objects.replace(scale, spec={**objects.spec(scale), "replicas": desired})
        try:
            await self._client.update(resource, wanted, subresource="scale")
        except ApiError as error:
            self._recorder.event(autoscaler, WARNING, "FailedRescale", f"New size: {desired}; reason: {reason}; error: {error}")
            draft.condition(_ABLE, False, "FailedUpdateScale", f"the HPA controller was unable to update the target scale: {error}")
            draft.current(current)
            raise _NotNow from error
        draft.condition(_ABLE, True, "SucceededRescale", f"the HPA controller was able to update the target scale to {desired}")
        self._recorder.event(autoscaler, NORMAL, "SuccessfulRescale", f"New size: {desired}; reason: {reason}")

    # ---- what the metrics say

    async def _propose(self, autoscaler: Object, scale: Object, draft: StatusDraft) -> tuple[int, str, list[Object]]:
        target = self._selected(autoscaler, scale, draft)
        best: Proposal | None = None
        statuses: list[Object] = []
        failures: list[Unusable] = []
        metrics = objects.spec(autoscaler).get("metrics") or ()
        for metric in metrics:
            try:
                proposal = await self._sources.propose(metric, target)
            except Unusable as failure:
                self._recorder.event(autoscaler, WARNING, failure.reason, failure.said)
                failures.append(failure)
                statuses.append({"type": ""})
                continue
            statuses.append(proposal.status)
            if best is None or best.replicas == 0 or proposal.replicas > best.replicas:
                best = proposal
        if best is None or (failures and best.replicas < target.spec_replicas):
            self._give_up(autoscaler, target, failures, len(metrics), statuses, draft)
            raise _NotNow
        message = f"the HPA was able to successfully calculate a replica count from {best.name}"
        draft.condition(_ACTIVE, True, "ValidMetricFound", message)
        return best.replicas, best.name, statuses

    def _give_up(
        self,
        autoscaler: Object,
        target: Target,
        failures: Sequence[Unusable],
        count: int,
        statuses: list[Object],
        draft: StatusDraft,
    ) -> None:
        message = f"the HPA was unable to compute the replica count: {failures[0].said}" if failures else "no metrics"
        draft.condition(_ACTIVE, False, failures[0].reason if failures else "InvalidMetricSourceType", message)
        draft.current(target.spec_replicas, statuses)
        first = f"invalid metrics ({len(failures)} invalid out of {count}), first error is: {failures[0] if failures else 'none'}"
        self._recorder.event(autoscaler, WARNING, "FailedComputeMetricsReplicas", first)

    def _selected(self, autoscaler: Object, scale: Object, draft: StatusDraft) -> Target:
        """The target with its pods. Raises _NotNow where they cannot be told from others."""
        key, space = objects.key(autoscaler), objects.namespace(autoscaler)
        text = str(objects.status(scale).get("selector") or "")
        current = int(objects.spec(scale).get("replicas") or 0)
        if not text:
            self._refuse(
                autoscaler, draft, current, "SelectorRequired", "selector is required", "the HPA target's scale is missing a selector"
            )
        try:
            selector = labels.parse(text)
        except BadRequest as error:
            message = f"couldn't convert selector into a corresponding internal selector object: {error}"
            self._refuse(autoscaler, draft, current, "InvalidSelector", message, message)
        self._selectors[key] = selector
        pods = [pod for pod in self._pods.list(space) if selector.matches(objects.labels(pod))]
        rivals = [
            other
            for other, theirs in self._selectors.items()
            if other != key and objects.split_key(other)[0] == space and any(theirs.matches(objects.labels(pod)) for pod in pods)
        ]
        if rivals:
            names = " ".join(sorted([key, *rivals]))
            message = f"pods by selector {text} are controlled by multiple HPAs: [{names}]"
            self._refuse(autoscaler, draft, current, "AmbiguousSelector", message, message)
        replicas = int(objects.status(scale).get("replicas") or 0)
        tolerances = _tolerances(_behavior(objects.spec(autoscaler)))
        return Target(space, current, replicas, text, pods, tolerances, self.context.clock.now())

    def _refuse(self, autoscaler: Object, draft: StatusDraft, current: int, reason: str, message: str, shown: str) -> None:
        self._recorder.event(autoscaler, WARNING, reason, message)
        draft.condition(_ACTIVE, False, "InvalidSelector" if reason == "SelectorRequired" else reason, shown)
        draft.current(current)
        self._recorder.event(autoscaler, WARNING, "FailedComputeMetricsReplicas", message)
        raise _NotNow


def _behavior(spec: dict[str, Any]) -> dict[str, Any] | None:
    found: dict[str, Any] | None = spec.get("behavior")
    return found


def _tolerances(behavior: dict[str, Any] | None) -> Tolerances:
    down, up = ((behavior or {}).get(name, {}).get("tolerance") for name in ("scaleDown", "scaleUp"))
    return Tolerances(
        DEFAULT_TOLERANCE if down is None else float(quantity.parse(down)), DEFAULT_TOLERANCE if up is None else float(quantity.parse(up))
    )
