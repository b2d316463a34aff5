"""What to do next about a StatefulSet's pods. Pure: the set, its pods and the moment in; steps out.

In order (OrderedReady) a step is taken only when every pod before it is running and available; in parallel all at once. Scaling
goes before updating, and updating goes from the highest ordinal down.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from controllers.kube_controller_manager.statefulset import identity
from controllers.runtime import pods
from kctl.apimachinery import int_or_percent, objects
from kctl.apimachinery.objects import Object


@dataclass(slots=True)
class Plan:
    """`wait`: seconds until the next pod has been ready for long enough."""

    create: list[tuple[int, str]] = field(default_factory=list)
    """(ordinal, revision)"""
    recreate: list[Object] = field(default_factory=list)
    """Pods that have ended."""
    delete: list[Object] = field(default_factory=list)
    claims: list[Object] = field(default_factory=list)
    """Pods that may wait for a claim somebody deleted."""
    mend: list[Object] = field(default_factory=list)
    """Pods whose identity is not what it should be."""
    wait: float | None = None


@dataclass(frozen=True, slots=True)
class Revisions:
    current: str
    update: str


class Planner:
    def __init__(self, stateful_set: Object, members: Sequence[Object], revisions: Revisions, now: datetime) -> None:
        self._set = stateful_set
        self._spec = objects.spec(stateful_set)
        self._revisions = revisions
        self._now = now
        self._ordered = not identity.is_parallel(stateful_set)
        self._min_ready = int(self._spec.get("minReadySeconds") or 0)
        first = identity.start(stateful_set)
        by_ordinal = {identity.ordinal_of(pod): pod for pod in members}
        self._ordinals = range(first, first + identity.replicas(stateful_set))
        self._replicas: dict[int, Object | None] = {ordinal: by_ordinal.get(ordinal) for ordinal in self._ordinals}
        self._condemned = sorted((pod for pod in members if identity.ordinal_of(pod) not in self._ordinals), key=identity.ordinal_of)
        self._plan = Plan()

    def plan(self) -> Plan:
        if objects.deletion_timestamp(self._set):
            return self._plan
        if self._fill() and self._scale_down():
            self._update()
        return self._plan

    @property
    def condemned(self) -> list[Object]:
        return self._condemned

    # ---- what pods are

    def _is_available(self, pod: Object) -> bool:
        if pods.is_terminal(pod) or objects.status(pod).get("phase") != "Running":
            return False
        left = pods.seconds_until_available(pod, self._min_ready, self._now)
        if left:
            self._plan.wait = left if self._plan.wait is None else min(left, self._plan.wait)
        return left == 0

    def _is_healthy(self, pod: Object | None) -> bool:
        return pod is not None and self._is_available(pod) and not objects.deletion_timestamp(pod)

    # ---- steps; each says whether the next may follow

    def _fill(self) -> bool:
        for ordinal, pod in self._replicas.items():
            settled = self._fill_one(ordinal, pod)
            if self._ordered and not settled:
                return False
        return True

    def _fill_one(self, ordinal: int, pod: Object | None) -> bool:
        if pod is None:
            self._plan.create.append((ordinal, self._revision_for(ordinal)))
            return False
        if pods.is_terminal(pod):
            if not objects.deletion_timestamp(pod):
                self._plan.recreate.append(pod)
            return False
        if objects.status(pod).get("phase") == "Pending":
            self._plan.claims.append(pod)
        if objects.deletion_timestamp(pod) or not self._is_available(pod):
            return False
        if not identity.matches(pod):
            self._plan.mend.append(pod)
        return True

    def _revision_for(self, ordinal: int) -> str:
        """Below the partition pods come back as they were."""
        strategy = self._spec.get("updateStrategy") or {}
        if strategy.get("type", "RollingUpdate") == "RollingUpdate" and ordinal < self._partition():
            return self._revisions.current
        return self._revisions.update

    def _partition(self) -> int:
        rolling = (self._spec.get("updateStrategy") or {}).get("rollingUpdate") or {}
        return int(rolling.get("partition") or 0)

    def _scale_down(self) -> bool:
        everybody: list[Object | None] = [*self._replicas.values(), *self._condemned]
        first_unhealthy = next((pod for pod in everybody if not self._is_healthy(pod)), None)
        for pod in reversed(self._condemned):
            if objects.deletion_timestamp(pod):
                if self._ordered:
                    return False
                continue
            if self._ordered and not self._is_available(pod) and pod is not first_unhealthy:
                return False
            self._plan.delete.append(pod)
            if self._ordered:
                return False
        return True

    def _update(self) -> None:
        strategy = self._spec.get("updateStrategy") or {}
        if strategy.get("type") == "OnDelete":
            return
        allowed = _max_unavailable(strategy.get("rollingUpdate") or {}, len(self._ordinals))
        targets = [pod for ordinal, pod in reversed(self._replicas.items()) if ordinal >= self._partition()]
        if allowed == 1:
            self._update_one_by_one(targets)
            return
        allowed -= sum(not self._is_healthy(pod) for pod in self._replicas.values())
        old = [pod for pod in targets if pod is not None and self._is_old(pod)]
        self._plan.delete += old[: max(allowed, 0)]

    def _update_one_by_one(self, targets: Sequence[Object | None]) -> None:
        for pod in targets:
            if pod is not None and self._is_old(pod):
                self._plan.delete.append(pod)
                return
            if not self._is_healthy(pod):
                return

    def _is_old(self, pod: Object) -> bool:
        return identity.revision_of(pod) != self._revisions.update and not objects.deletion_timestamp(pod)


def _max_unavailable(rolling: Any, count: int) -> int:
    return max(int_or_percent.scaled(rolling.get("maxUnavailable", 1), count, round_up=False), 1)


def status_of(
    stateful_set: Object, members: Sequence[Object], revisions: Revisions, collisions: int, now: datetime
) -> tuple[dict[str, Any], float | None]:
    """The whole status, and after how many seconds another pod becomes available. With every pod updated the update revision is
    the current one."""
    spec = objects.spec(stateful_set)
    running = [pod for pod in members if objects.status(pod).get("phase") == "Running" and pods.is_ready(pod)]
    available, following = pods.available(running, int(spec.get("minReadySeconds") or 0), now)
    alive = [identity.revision_of(pod) for pod in members if not objects.deletion_timestamp(pod)]
    updated, current = alive.count(revisions.update), alive.count(revisions.current)
    wished, current_name = identity.replicas(stateful_set), revisions.current
    rolling = (spec.get("updateStrategy") or {}).get("type", "RollingUpdate") == "RollingUpdate"
    if rolling and updated == wished == len(running) == len(members):
        current, current_name = updated, revisions.update
    counts = {"readyReplicas": len(running), "currentReplicas": current, "updatedReplicas": updated}
    status = {
        "observedGeneration": objects.generation(stateful_set),
        "replicas": len(members),
        **{name: count for name, count in counts.items() if count},
        "currentRevision": current_name,
        "updateRevision": revisions.update,
        "collisionCount": collisions,
        "availableReplicas": available,
    }
    if conditions := objects.status(stateful_set).get("conditions"):
        status["conditions"] = conditions
    return status, following
