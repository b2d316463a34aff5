"""Which pods of lower priority would have to go for a pod to get a node, tried out on the cache and undone (pkg/scheduler/framework/
preemption, DefaultPreemption's SelectVictimsOnNode)."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence

from controllers.kube_scheduler.cache import Cache, NodeInfo, Trial
from controllers.kube_scheduler.framework import Code, CycleState, Nomination, Passes, Status, unresolvable, unschedulable
from controllers.kube_scheduler.pod_info import PodInfo
from controllers.kube_scheduler.preemption.budgets import divide_by_budgets
from controllers.kube_scheduler.preemption.choice import Candidate, best_candidate, importance
from kctl.apimachinery.objects import Object

NO_VICTIMS = "No preemption victims found for incoming pod"
NOT_HELPFUL = "Preemption is not helpful for scheduling"

_LEAST_SHARE_PERCENT = 10
_LEAST_CANDIDATES = 100
"""So many nodes are tried out, or that share of all (DefaultPreemptionArgs)."""


class Evaluator:
    """`budgets` gives every PodDisruptionBudget there is."""

    def __init__(self, cache: Cache, budgets: Callable[[], Sequence[Object]], randomness: random.Random) -> None:
        self._cache = cache
        self._budgets = budgets
        self._randomness = randomness

    def find(
        self, state: CycleState, pod: PodInfo, statuses: Mapping[str, Status], passes: Passes
    ) -> tuple[Nomination | None, dict[str, Status]]:
        """The node and its victims; without one why, for each node."""
        why = {name: unresolvable("DefaultPreemption", NOT_HELPFUL) for name in statuses}
        helpful = [
            node for name, status in statuses.items() if status.code is Code.UNSCHEDULABLE and (node := self._cache.node(name)) is not None
        ]
        if not helpful:
            return None, why
        budgets = self._budgets()
        wanted = max(len(helpful) * _LEAST_SHARE_PERCENT // 100, _LEAST_CANDIDATES)
        start = self._randomness.randrange(len(helpful))
        candidates: list[Candidate] = []
        for node in (*helpful[start:], *helpful[:start]):
            tried = self._try(state, pod, node, passes, budgets)
            if isinstance(tried, Candidate):
                candidates.append(tried)
                if len(candidates) >= wanted:
                    break
            else:
                why[node.name] = tried
        if not candidates:
            return None, why
        chosen = best_candidate(candidates)
        return Nomination(chosen.node, tuple(chosen.victims)), why

    def _try(self, state: CycleState, pod: PodInfo, node: NodeInfo, passes: Passes, budgets: Sequence[Object]) -> Candidate | Status:
        lower = [other for other in node.pods.values() if other.priority < pod.priority]
        if not lower:
            return unresolvable("DefaultPreemption", NO_VICTIMS)
        with self._cache.trial(node) as trial:
            for other in lower:
                trial.remove(other)
            status = passes(state, pod, node)
            if status is not None:
                return status
            violating, others = divide_by_budgets(sorted(lower, key=importance), budgets)
            victims = self._spare(trial, state, pod, node, passes, violating)
            violations = len(victims)
            victims += self._spare(trial, state, pod, node, passes, others)
        if not victims:
            return unschedulable("DefaultPreemption", f'expected at least one victim pod on node "{node.name}"')
        return Candidate(node.name, sorted(victims, key=importance), violations)

    def _spare(
        self, trial: Trial, state: CycleState, pod: PodInfo, node: NodeInfo, passes: Passes, candidates: Sequence[PodInfo]
    ) -> list[PodInfo]:
        """Those that cannot stay; the others are put back, the most important first."""
        victims = []
        for other in candidates:
            trial.put_back(other)
            if passes(state, pod, node) is not None:
                trial.remove(other)
                victims.append(other)
        return victims
