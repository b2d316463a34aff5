"""POST pods/eviction: delete a pod unless a PodDisruptionBudget forbids it."""

from __future__ import annotations

from typing import Any

from kctl.apimachinery import labels, objects, times
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import POD_DISRUPTION_BUDGETS
from kctl.apimachinery.status import ApiError, BadRequest, TooManyRequests
from kctl.apimachinery.user import APISERVER
from kctl.kube_apiserver.caller import CANONICAL, Caller
from kctl.kube_apiserver.handlers import body, off_loop
from kctl.kube_apiserver.handlers.options import plain_delete_options
from kctl.kube_apiserver.registry.endpoint import Endpoint
from kctl.kube_apiserver.registry.registry import Registry
from kctl.kube_apiserver.request import ResourceRequest
from kctl.kube_apiserver.response import ObjectAnswer, Response

_VIOLATED = "Cannot evict pod as it would violate the pod's disruption budget."
_SUCCESS = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201}


async def handle(registry: Registry, request: ResourceRequest) -> Response:
    endpoint = request.endpoint
    eviction: Object = await off_loop.run(request, body.decode, request, endpoint, "eviction")
    if objects.name(eviction) not in ("", request.name):
        raise BadRequest("name in URL does not match name in Eviction object")
    caller = request.caller()
    given = eviction.get("deleteOptions") or {}
    caller.dry_run = caller.dry_run or given.get("dryRun") == ["All"]
    eviction = await endpoint.admit_subresource(request.namespace, request.name, "eviction", eviction, caller)
    pod = endpoint.get(request.namespace, request.name).object
    if not _exempt(pod):
        await _take_from_budget(registry, pod, caller)
    if ((given.get("preconditions") or {}).get("uid") or objects.uid(pod)) == objects.uid(pod):
        await _note(registry, endpoint, pod, caller)
    await endpoint.delete(request.namespace, request.name, plain_delete_options(given), caller)
    return ObjectAnswer(dict(_SUCCESS), 201)


def _exempt(pod: Object) -> bool:
    """Finished, unscheduled and already deleted pods disturb nobody."""
    phase = objects.status(pod).get("phase")
    return phase in ("Succeeded", "Failed", "Pending") or bool(objects.deletion_timestamp(pod))


async def _take_from_budget(registry: Registry, pod: Object, caller: Caller) -> None:
    """Raises TooManyRequests where the budget is spent."""
    space = objects.namespace(pod)
    budgets = [
        budget
        for budget in registry.list_cached(POD_DISRUPTION_BUDGETS, space)
        if labels.from_label_selector(objects.spec(budget).get("selector")).matches(objects.labels(pod))
    ]
    if len(budgets) > 1:
        why = "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support."
        raise ApiError(why, code=500)
    if not budgets:
        return
    if not _counts(pod, budgets[0]):
        return
    endpoint = registry.endpoint(POD_DISRUPTION_BUDGETS)
    name, now = objects.name(budgets[0]), times.rfc3339(registry.clock.now())
    server = Caller(APISERVER, "kube-apiserver", CANONICAL, caller.dry_run)
    await endpoint.update(space, name, lambda budget: _spent(budget, objects.name(pod), now), server, subresource="status")


def _counts(pod: Object, budget: Object) -> bool:
    """Whether evicting the pod takes anything from the budget: unhealthy pods may go, by the policy."""
    if objects.is_condition_true(pod, "Ready"):
        return True
    if objects.spec(budget).get("unhealthyPodEvictionPolicy") == "AlwaysAllow":
        return False
    status = objects.status(budget)
    healthy = (status.get("currentHealthy") or 0) >= (status.get("desiredHealthy") or 0)
    return not (healthy and (status.get("desiredHealthy") or 0) > 0)


def _refused(why: str, seconds: int = 0) -> TooManyRequests:
    details: dict[str, Any] = {"causes": [{"reason": "DisruptionBudget", "message": why}]}
    if seconds:
        details["retryAfterSeconds"] = seconds
    return TooManyRequests(_VIOLATED, details=details)


def _spent(budget: Object, pod: str, now: str) -> Object:
    status, name = objects.status(budget), objects.name(budget)
    if (status.get("observedGeneration") or 0) < objects.generation(budget):
        raise _refused(f"The disruption budget {name} is still being processed by the server.", 10)
    allowed = status.get("disruptionsAllowed") or 0
    if allowed <= 0:
        needed, have = status.get("desiredHealthy") or 0, status.get("currentHealthy") or 0
        if have <= needed:
            why = f"The disruption budget {name} needs {needed} healthy pods and has {have} currently"
        else:
            why = f"The disruption budget {name} does not allow evicting pods currently"
            for condition in status.get("conditions") or ():
                if condition.get("type") == "DisruptionAllowed" and condition.get("reason") == "SyncFailed":
                    why += f" because it failed sync: {condition.get('message') or ''}"
        raise _refused(why)
    disrupted = {**(status.get("disruptedPods") or {}), pod: now}
    if allowed > 1:
        return objects.with_status(budget, disruptionsAllowed=allowed - 1, disruptedPods=disrupted)
    conditions = _exhausted(budget, now)
    return objects.with_status(budget, disruptionsAllowed=0, disruptedPods=disrupted, conditions=conditions)


def _exhausted(budget: Object, now: str) -> list[dict[str, Any]]:
    """The conditions of a budget whose last disruption was just taken."""
    condition = {
        "type": "DisruptionAllowed",
        "status": "False",
        "observedGeneration": objects.generation(budget),
        "lastTransitionTime": now,
        "reason": "InsufficientPods",
        "message": "",
    }
    return objects.with_condition(objects.status(budget).get("conditions") or (), condition)


async def _note(registry: Registry, endpoint: Endpoint, pod: Object, caller: Caller) -> None:
    """The condition that tells why the pod goes."""
    if not objects.spec(pod).get("nodeName") or caller.dry_run:
        return
    condition = {
        "type": "DisruptionTarget",
        "status": "True",
        "reason": "EvictionByEvictionAPI",
        "message": "Eviction API: evicting",
        "lastProbeTime": None,
        "lastTransitionTime": times.rfc3339(registry.clock.now()),
    }

    def noted(old: Object) -> Object:
        kept = objects.without_condition(objects.status(old).get("conditions") or (), "DisruptionTarget")
        return objects.with_status(old, conditions=[*kept, condition])

    await endpoint.write_directly(objects.namespace(pod), objects.name(pod), noted, caller)
