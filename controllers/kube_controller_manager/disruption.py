"""disruption-controller: how many of a PodDisruptionBudget's pods may be evicted just now.

Evictions take from status.disruptionsAllowed (the API server does); this fills it again. A pod whose eviction was granted counts as
gone for two minutes, whatever its status says.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from controllers.runtime import pods
from controllers.runtime.events import NORMAL, WARNING
from controllers.runtime.manager import ControllerContext, LoopController
from controllers.runtime.reconciler import Result
from controllers.runtime.sources import For, OwnStatus, Source, Watches
from kctl.apimachinery import int_or_percent, labels, objects, times
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import (
    DEPLOYMENTS,
    POD_DISRUPTION_BUDGETS,
    PODS,
    REPLICA_SETS,
    REPLICATION_CONTROLLERS,
    STATEFUL_SETS,
)
from kctl.apimachinery.status import ApiError, NotFound
from kctl.apimachinery.times import rfc3339
from kctl.client.discovery import NoKind, RESTMapper
from kctl.client.transport import STRATEGIC_MERGE_PATCH

_DELETION_TIMEOUT = timedelta(minutes=2)
_STALE = timedelta(minutes=2)
_POD = "pod:"
_SCALED = {resource.kind: resource for resource in (REPLICA_SETS, REPLICATION_CONTROLLERS, STATEFUL_SETS)}
_UNMANAGED = (
    "Pods selected by this PodDisruptionBudget (selector: {}) were found to be unmanaged. As a result, the status of the PDB cannot be "
    "calculated correctly, which may result in undefined behavior. To account for these pods please set "
    '".spec.minAvailable" field of the PDB to an integer value.'
)


class Expected(NamedTuple):
    """`pods`: how many there should be; `healthy`: how many must be."""

    pods: int
    healthy: int


class ScaleUnknown(Exception):
    """How many pods a controller should have cannot be found out."""


def selects(budget: Object, pod: Object) -> bool:
    """An empty selector selects all pods of the namespace, none at all none."""
    selector = objects.spec(budget).get("selector")
    return selector is not None and labels.from_label_selector(selector).matches(objects.labels(pod))


def disrupted(budget: Object, members: Sequence[Object], now: datetime) -> tuple[dict[str, str], list[Object]]:
    """Granted evictions that are still to be seen, and pods that were not deleted although it was granted."""
    by_name = {objects.name(pod): pod for pod in members}
    waiting, overdue = {}, []
    for name, stamp in (objects.status(budget).get("disruptedPods") or {}).items():
        pod = by_name.get(name)
        if pod is None or objects.deletion_timestamp(pod):
            continue
        if times.parse(stamp) + _DELETION_TIMEOUT > now:
            waiting[name] = stamp
        else:
            overdue.append(pod)
    return waiting, overdue


def status_of(budget: Object, expected: Expected, healthy: int, waiting: dict[str, str], now: datetime) -> dict[str, Any]:
    allowed = max(healthy - expected.healthy, 0) if expected.pods > 0 else 0
    status: dict[str, Any] = {
        "observedGeneration": objects.generation(budget),
        "disruptionsAllowed": allowed,
        "currentHealthy": healthy,
        "desiredHealthy": expected.healthy,
        "expectedPods": expected.pods,
    }
    if waiting:
        status["disruptedPods"] = waiting
    reason = "SufficientPods" if allowed else "InsufficientPods"
    status["conditions"] = _conditions(budget, "True" if allowed else "False", reason, "", now)
    return status


def _conditions(budget: Object, value: str, reason: str, message: str, now: datetime) -> list[Object]:
    condition = {
        "type": "DisruptionAllowed",
        "status": value,
        "observedGeneration": objects.generation(budget),
        "lastTransitionTime": rfc3339(now),
        "reason": reason,
        "message": message,
    }
    return objects.with_condition(objects.status(budget).get("conditions") or (), condition)


def _changes_health(old: Object | None, new: Object | None) -> bool:
    if old is None or new is None or pods.is_ready(old) != pods.is_ready(new):
        return True
    before, after = old["metadata"], new["metadata"]
    return any(before.get(field) != after.get(field) for field in ("labels", "deletionTimestamp", "ownerReferences"))


def _is_disruption_target(old: Object | None, new: Object | None) -> bool:
    return new is not None and stale_at(new) is not None


def stale_at(pod: Object) -> datetime | None:
    """When it is no longer believed that the pod is about to be deleted. What a kubelet says of itself stands."""
    condition = None
    for candidate in (pod.get("status") or {}).get("conditions") or ():
        if candidate["type"] == "DisruptionTarget":
            condition = candidate
    if condition is None or condition["status"] != "True" or condition.get("reason") == "TerminationByKubelet":
        return None
    if "deletionTimestamp" in pod["metadata"] or pods.is_terminal(pod):
        return None
    return times.parse(condition["lastTransitionTime"]) + _STALE


class DisruptionController(LoopController):
    """Keys are budgets, and `pod:namespace/name` for pods that are said to be disrupted."""

    name = "disruption-controller"
    pace_seconds = 0.1

    def __init__(self, context: ControllerContext) -> None:
        super().__init__(context)
        self._client = context.client
        informers = context.informers
        self._budgets = informers.informer(POD_DISRUPTION_BUDGETS)
        self._pods = informers.informer(PODS)
        self._deployments = informers.informer(DEPLOYMENTS)
        self._owners = {kind: informers.informer(resource) for kind, resource in _SCALED.items()}
        self._mapper = RESTMapper(context.client.transport)
        self._recorder = context.recorder("controllermanager")
        self._own_status = OwnStatus()

    def wakes(self) -> Sequence[Source]:
        return (
            For(POD_DISRUPTION_BUDGETS, when=self._own_status.not_mine),
            Watches(PODS, to=self._budgets_of, when=self._matters),
            Watches(PODS, to=lambda pod: (f"{_POD}{objects.key(pod)}",), when=_is_disruption_target),
        )

    def _matters(self, old: Object | None, new: Object | None) -> bool:
        return len(self._budgets) > 0 and _changes_health(old, new)

    def _budgets_of(self, pod: Object) -> list[str]:
        return [objects.key(budget) for budget in self._budgets.list(objects.namespace(pod)) if selects(budget, pod)]

    async def reconcile(self, key: str) -> Result | None:
        if key.startswith(_POD):
            return await self._look_at_pod(key.removeprefix(_POD))
        budget = self._budgets.get(key)
        if budget is None:
            return None
        now = self.context.clock.now()
        members = [pod for pod in self._pods.list(objects.namespace(budget)) if selects(budget, pod)]
        if not members:
            self._recorder.event(budget, NORMAL, "NoPods", "No matching pods found")
        try:
            expected = await self._expected(budget, members)
        except ScaleUnknown as error:
            await self._fail_safe(budget, str(error))
            raise
        waiting, overdue = disrupted(budget, members, now)
        for pod in overdue:
            text = f"Pod was expected by PDB {objects.key(budget)} to be deleted but it wasn't"
            self._recorder.event(pod, WARNING, "NotDeleted", text)
        healthy = sum(pods.is_ready(pod) and not objects.deletion_timestamp(pod) and objects.name(pod) not in waiting for pod in members)
        await self._write(budget, status_of(budget, expected, healthy, waiting, now))
        if not waiting:
            return None
        first = min(times.parse(stamp) for stamp in waiting.values())
        return Result(requeue_after=max((first + _DELETION_TIMEOUT - now).total_seconds(), 0.0) + 0.1)

    async def _fail_safe(self, budget: Object, message: str) -> None:
        """Nothing may be evicted while it is not known how much may."""
        self._recorder.event(
            budget, WARNING, "CalculateExpectedPodCountFailed", f"Failed to calculate the number of expected pods: {message}"
        )
        conditions = _conditions(budget, "False", "SyncFailed", message, self.context.clock.now())
        counts = {field: int(objects.status(budget).get(field) or 0) for field in ("currentHealthy", "desiredHealthy", "expectedPods")}
        await self._write(budget, {**objects.status(budget), **counts, "disruptionsAllowed": 0, "conditions": conditions})

    async def _write(self, budget: Object, status: dict[str, Any]) -> None:
        if status == objects.status(budget):
            return
        try:
            written = await self._client.update_status(POD_DISRUPTION_BUDGETS, self._own_status.in_place(budget, status))
        except NotFound:
            return
        self._budgets.observe([written])

    # ---- how many there should be

    async def _expected(self, budget: Object, members: Sequence[Object]) -> Expected:
        spec = objects.spec(budget)
        if spec.get("maxUnavailable") is not None:
            scale = await self._scale(budget, members)
            return Expected(scale, max(scale - int_or_percent.scaled(spec["maxUnavailable"], scale, round_up=True), 0))
        minimum = spec.get("minAvailable")
        if isinstance(minimum, str):
            scale = await self._scale(budget, members)
            return Expected(scale, int_or_percent.scaled(minimum, scale, round_up=True))
        return Expected(len(members), int(minimum if minimum is not None else 0))

    async def _scale(self, budget: Object, members: Sequence[Object]) -> int:
        """The sum of what the pods' controllers wish for."""
        owners = {owner["uid"]: (owner, objects.namespace(pod)) for pod in members if (owner := objects.controller_of(pod)) is not None}
        if any(objects.controller_of(pod) is None for pod in members):
            selector = labels.from_label_selector(objects.spec(budget).get("selector"))
            self._recorder.event(budget, WARNING, "UnmanagedPods", _UNMANAGED.format(selector))
        scales: dict[str, int] = {}
        for owner, namespace in owners.values():
            uid, count = await self._scale_of(owner, namespace)
            scales[uid] = count
        return sum(scales.values())

    async def _scale_of(self, owner: Object, namespace: str) -> tuple[str, int]:
        informer = self._owners.get(owner["kind"])
        present = informer.get(f"{namespace}/{owner['name']}") if informer is not None else None
        if informer is None:
            return await self._scale_of_other(owner, namespace)
        if present is None or objects.uid(present) != owner["uid"]:
            return owner["uid"], 0
        parent = objects.controller_of(present)
        if parent is not None and parent["kind"] == "Deployment":
            deployment = self._deployments.get(f"{namespace}/{parent['name']}")
            if deployment is not None and objects.uid(deployment) == parent["uid"]:
                return parent["uid"], _replicas(deployment)
        return owner["uid"], _replicas(present)

    async def _scale_of_other(self, owner: Object, namespace: str) -> tuple[str, int]:
        """By its scale subresource."""
        try:
            resource = await self._mapper.kind(owner["apiVersion"], owner["kind"])
            if resource.subresource("scale") is None:
                raise ScaleUnknown(f"{resource.group_resource} does not implement the scale subresource")
            scale = await self._client.get(resource, owner["name"], namespace, subresource="scale")
        except NotFound:
            return owner["uid"], 0
        except (ApiError, NoKind) as error:
            raise ScaleUnknown(str(error)) from None
        return owner["uid"], int(objects.spec(scale).get("replicas") or 0)

    # ---- pods that were to be disrupted and were not

    async def _look_at_pod(self, key: str) -> Result | None:
        pod = self._pods.get(key)
        stale = stale_at(pod) if pod is not None else None
        if pod is None or stale is None:
            return None
        left = (stale - self.context.clock.now()).total_seconds()
        if left > 0:
            return Result(requeue_after=left)
        condition = {"type": "DisruptionTarget", "status": "False", "lastTransitionTime": rfc3339(self.context.clock.now())}
        patch = {"metadata": {"uid": objects.uid(pod)}, "status": {"conditions": [condition]}}
        try:
            await self._client.patch(
                PODS, objects.name(pod), patch, objects.namespace(pod), patch_type=STRATEGIC_MERGE_PATCH, subresource="status"
            )
        except NotFound:
            return None
        return None


def _replicas(owner: Object) -> int:
    wished = objects.spec(owner).get("replicas")
    return 1 if wished is None else int(wished)
