"""Keeping as many pods as wished: what ReplicaSet and ReplicationController have in common.

One reconcile adopts and releases pods, creates or deletes the difference (500 at most, then looks again), and writes
the status if it changed. Counts come from tallies kept up to date by the pod informer's changes.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from controllers.runtime import pods
from controllers.runtime.adoption import Claims
from controllers.runtime.controller import Controller
from controllers.runtime.informer import Change
from controllers.runtime.manager import ControllerContext
from controllers.runtime.pod_control import Outcome, PodControl, namespace_terminating
from controllers.runtime.pod_tally import OwnedPods, Tally
from controllers.runtime.reconciler import Result
from kctl.apimachinery import labels, objects
from kctl.apimachinery.labels import Selector
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import PODS, ResourceType
from kctl.apimachinery.status import NotFound
from kctl.apimachinery.times import rfc3339

_BURST = 500
_PACE_SECONDS = 0.02
_COUNTS = ("replicas", "fullyLabeledReplicas", "readyReplicas", "availableReplicas")


@dataclass(frozen=True, slots=True)
class ReplicaKind:
    """What differs between the two. `plain_selector`: spec.selector is a map, not a LabelSelector."""

    resource: ResourceType
    component: str
    plain_selector: bool
    counts_terminating: bool

    def selector(self, owner: Object) -> Selector:
        wanted = objects.spec(owner).get("selector")
        if self.plain_selector:
            return labels.from_map(wanted) if wanted else labels.NOTHING
        return labels.from_label_selector(wanted)


class Replicas:
    """The reconciler; `loop` runs it."""

    def __init__(self, context: ControllerContext, kind: ReplicaKind, name: str, *, workers: int = 5) -> None:
        self._context = context
        self._kind = kind
        self._owners = context.informers.informer(kind.resource)
        self._pods = context.informers.informer(PODS)
        self._owned = OwnedPods(self._pods, kind.resource.kind)
        self._claims = Claims(context.client, kind.resource, PODS)
        self._control = PodControl(context.client, self._pods, context.recorder(kind.component))
        self._owners.add_index(pods.CONTROLLER_INDEX, pods.by_controller)
        self.loop = Controller(name, self, context.clock, workers=workers, pace_seconds=_PACE_SECONDS)
        self._owners.add_handler(self._owners_changed)
        self._pods.add_handler(self._pods_changed)

    def _owners_changed(self, changes: Sequence[Change]) -> None:
        for old, new in changes:
            changed = new or old
            assert changed is not None
            # Our own status writes come back too; there is nothing to do about them.
            if old is None or new is None or old.get("spec") != new.get("spec") or _metadata_differs(old, new):
                self.loop.enqueue_object(changed)

    def _pods_changed(self, changes: Sequence[Change]) -> None:
        for key in self._owned.apply(changes):
            self.loop.enqueue(key)
        for _, pod in changes:
            if pod is not None and not pods.by_controller(pod) and pods.is_active(pod):
                for owner in self._owners.list(objects.namespace(pod)):
                    if self._kind.selector(owner).matches(objects.labels(pod)):
                        self.loop.enqueue_object(owner)

    async def reconcile(self, key: str) -> Result | None:
        owner = self._owners.get(key)
        if owner is None:
            return None
        await self._claim(owner)
        outcome = Outcome()
        difference = 0
        if not objects.deletion_timestamp(owner):
            difference = self._wished(owner) - self._owned.tally(objects.uid(owner)).active
            outcome = await self._manage(owner, difference)
        owner = self._owners.get(key)
        if owner is None:
            return None
        following = await self._write_status(owner, outcome, difference)
        if outcome.error is not None and not namespace_terminating(outcome.error):
            raise outcome.error
        if abs(difference) > _BURST:
            self.loop.enqueue(key)
        return Result(requeue_after=following) if following is not None else None

    @staticmethod
    def _wished(owner: Object) -> int:
        wished = objects.spec(owner).get("replicas")
        return 1 if wished is None else int(wished)

    async def _claim(self, owner: Object) -> None:
        selector = self._kind.selector(owner)
        uid = objects.uid(owner)
        orphans = self._owned.orphans(objects.namespace(owner))
        if orphans:
            active = [pod for pod in orphans if pods.is_active(pod)]
            self._pods.observe(await self._claims.adopt(owner, selector, active))
        if not self._owned.tally(uid).all_match(selector):
            strangers = [pod for pod in self._owned.owned(uid) if not selector.matches(objects.labels(pod))]
            self._pods.observe(await self._claims.release(owner, strangers))

    async def _manage(self, owner: Object, difference: int) -> Outcome:
        if difference > 0:
            return await self._control.create(owner, objects.spec(owner)["template"], min(difference, _BURST))
        if difference < 0:
            return await self._control.delete(owner, self._surplus(owner, min(-difference, _BURST)))
        return Outcome()

    def _surplus(self, owner: Object, count: int) -> Sequence[Object]:
        active = [pod for pod in self._owned.owned(objects.uid(owner)) if pods.is_active(pod)]
        if count >= len(active):
            return active
        return pods.deletion_order(active, self._related(owner), self._context.clock.now())[:count]

    def _related(self, owner: Object) -> Collection[Object]:
        """Pods of all ReplicaSets of the same Deployment."""
        controller = objects.controller_of(owner)
        if controller is None:
            return self._owned.owned(objects.uid(owner))
        siblings = self._owners.by_index(pods.CONTROLLER_INDEX, controller["uid"])
        return [pod for sibling in siblings for pod in self._owned.owned(objects.uid(sibling))]

    # ---- status

    async def _write_status(self, owner: Object, outcome: Outcome, difference: int) -> float | None:
        """Returns after how many seconds the next pod becomes available, if one will."""
        tally = self._owned.tally(objects.uid(owner))
        available, following = self._available(owner, tally)
        new = self._status(owner, tally, available)
        conditions = self._conditions(owner, outcome, difference)
        if conditions:
            new["conditions"] = conditions
        if new != objects.status(owner):
            try:
                written = await self._context.client.update_status(self._kind.resource, objects.replace(owner, status=new))
            except NotFound:
                return None
            self._owners.observe([written])
        return following

    def _available(self, owner: Object, tally: Tally) -> tuple[int, float | None]:
        min_ready_seconds = int(objects.spec(owner).get("minReadySeconds") or 0)
        if not min_ready_seconds:
            return tally.ready, None
        owned = self._owned.owned(objects.uid(owner))
        return pods.available(owned, min_ready_seconds, self._context.clock.now())

    def _status(self, owner: Object, tally: Tally, available: int) -> dict[str, Any]:
        wanted = ((objects.spec(owner).get("template") or {}).get("metadata") or {}).get("labels") or {}
        counts = (tally.active, tally.with_labels(wanted), tally.ready, available)
        new: dict[str, Any] = {"replicas": tally.active}
        new.update({name: count for name, count in zip(_COUNTS, counts, strict=True) if count})
        if self._kind.counts_terminating:
            new["terminatingReplicas"] = tally.terminating
        new["observedGeneration"] = objects.generation(owner)
        return new

    def _conditions(self, owner: Object, outcome: Outcome, difference: int) -> list[dict[str, Any]]:
        conditions = list(objects.status(owner).get("conditions") or ())
        failing = any(entry["type"] == "ReplicaFailure" for entry in conditions)
        if outcome.error is not None and not failing:
            conditions.append(
                {
                    "type": "ReplicaFailure",
                    "status": "True",
                    "lastTransitionTime": rfc3339(self._context.clock.now()),
                    "reason": "FailedCreate" if difference > 0 else "FailedDelete",
                    "message": outcome.error.message,
                }
            )
        elif outcome.error is None and failing:
            conditions = [entry for entry in conditions if entry["type"] != "ReplicaFailure"]
        return conditions


def _metadata_differs(old: Object, new: Object) -> bool:
    before, after = old["metadata"], new["metadata"]
    return any(before.get(field) != after.get(field) for field in ("labels", "deletionTimestamp", "generation"))
