"""Keeping as many pods as wished: what ReplicaSet and ReplicationController have in common.

One reconcile adopts and releases pods, creates or deletes the difference (500 at most, then looks again), and writes
the status if it changed. Counts come from tallies kept up to date by the pod informer's changes.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from controllers.runtime import pods
from controllers.runtime.adoption import Claims, claimants
from controllers.runtime.indexer import OWNERS
from controllers.runtime.manager import ControllerContext, LoopController
from controllers.runtime.pod_control import Outcome, PodControl, namespace_terminating, pod_from_template
from controllers.runtime.pod_tally import OwnedPods, Tally
from controllers.runtime.reconciler import Result
from controllers.runtime.sources import Follows, For, OwnStatus, Source, Watches
from kctl.apimachinery import labels, objects
from kctl.apimachinery.labels import Selector
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import PODS, ResourceType
from kctl.apimachinery.status import NotFound
from kctl.apimachinery.times import rfc3339

_BURST = 500
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


class ReplicasController(LoopController):
    """A subclass gives `name` and `kind`."""

    pace_seconds = 0.02
    kind: ReplicaKind

    def __init__(self, context: ControllerContext) -> None:
        super().__init__(context)
        kind = self.kind
        self._owners = context.informers.informer(kind.resource)
        self._pods = context.informers.informer(PODS)
        self._owned = OwnedPods(self._pods, kind.resource.kind)
        self._own_status = OwnStatus()
        self._claims = Claims(context.client, kind.resource, PODS)
        self._control = PodControl(context.client, self._pods, context.recorder(kind.component))
        self._owners.add_index(pods.CONTROLLER_INDEX, pods.by_controller, OWNERS)

    def wakes(self) -> Sequence[Source]:
        return (
            For(self.kind.resource, when=self._own_status.not_mine),
            Follows(PODS, self._owned.apply),
            Watches(PODS, to=claimants(self._owners, self.kind.selector), when=pods.is_active_orphan),
        )

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
        selector = self.kind.selector(owner)
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
            pod = pod_from_template(objects.spec(owner)["template"], owner)
            return await self._control.create(owner, [pod] * min(difference, _BURST))
        if difference < 0:
            return await self._control.delete(owner, self._surplus(owner, min(-difference, _BURST)))
        return Outcome()

    def _surplus(self, owner: Object, count: int) -> Sequence[Object]:
        active = [pod for pod in self._owned.owned(objects.uid(owner)) if pods.is_active(pod)]
        if count >= len(active):
            return active
        return pods.deletion_order(active, self._related(owner), self.context.clock.now())[:count]

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
                written = await self.context.client.update_status(self.kind.resource, self._own_status.in_place(owner, new))
            except NotFound:
                return None
            self._owners.observe([written])
        return following

    def _available(self, owner: Object, tally: Tally) -> tuple[int, float | None]:
        min_ready_seconds = int(objects.spec(owner).get("minReadySeconds") or 0)
        if not min_ready_seconds:
            return tally.ready, None
        owned = self._owned.owned(objects.uid(owner))
        return pods.available(owned, min_ready_seconds, self.context.clock.now())

    def _status(self, owner: Object, tally: Tally, available: int) -> dict[str, Any]:
        wanted = ((objects.spec(owner).get("template") or {}).get("metadata") or {}).get("labels") or {}
        counts = (tally.active, tally.with_labels(wanted), tally.ready, available)
        new: dict[str, Any] = {"replicas": tally.active}
        new.update({name: count for name, count in zip(_COUNTS, counts, strict=True) if count})
        if self.kind.counts_terminating:
            new["terminatingReplicas"] = tally.terminating
        new["observedGeneration"] = objects.generation(owner)
        return new

    def _conditions(self, owner: Object, outcome: Outcome, difference: int) -> list[dict[str, Any]]:
        conditions = list(objects.status(owner).get("conditions") or ())
        failing = objects.find_condition(conditions, "ReplicaFailure") is not None
        if outcome.error is not None and not failing:
            conditions.append(
                {
                    "type": "ReplicaFailure",
                    "status": "True",
                    "lastTransitionTime": rfc3339(self.context.clock.now()),
                    "reason": "FailedCreate" if difference > 0 else "FailedDelete",
                    "message": outcome.error.message,
                }
            )
        elif outcome.error is None and failing:
            conditions = objects.without_condition(conditions, "ReplicaFailure")
        return conditions
