"""Which pods of lower priority would have to go for a pod to get a node (pkg/scheduler/framework/preemption, DefaultPreemption's
SelectVictimsOnNode). Tried out on a copy of the node; where a filter looks at pods elsewhere, on the cache itself, and undone."""

from __future__ import annotations

import random
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Protocol

from controllers.kube_scheduler.cache import Cache, NodeInfo
from controllers.kube_scheduler.framework import Code, CycleState, Nomination, Passes, Status, unresolvable, unschedulable
from controllers.kube_scheduler.pod_info import PodInfo, PodShape
from controllers.kube_scheduler.preemption.budgets import divide_by_budgets
from controllers.kube_scheduler.preemption.choice import Candidate, best_candidate, importance
from controllers.kube_scheduler.preemption.pool import Pool, PoolKey
from kctl.apimachinery import objects
from kctl.apimachinery.objects import Object

NO_VICTIMS = "No preemption victims found for incoming pod"
NOT_HELPFUL = "Preemption is not helpful for scheduling"

_POOLS = 8
_NOT_HELPFUL = unresolvable("DefaultPreemption", NOT_HELPFUL)


class _Trial(Protocol):
    """Of a node without some of its pods."""

    def remove(self, pod: PodInfo) -> None: ...

    def put_back(self, pod: PodInfo) -> None: ...


class _Copy:
    """A node to try things out on."""

    def __init__(self, node: NodeInfo) -> None:
        self.node = node.copy()
        self.node.nominated = node.nominated

    def remove(self, pod: PodInfo) -> None:
        self.node.remove_pod(pod.uid)

    def put_back(self, pod: PodInfo) -> None:
        self.node.add_pod(pod)


def _nomination(candidate: Candidate) -> Nomination:
    return Nomination(candidate.node, tuple(candidate.victims), candidate.violations)


class Evaluator:
    """`budgets` gives every PodDisruptionBudget there is. Of so many nodes that could be freed the best is taken: `least_candidates`, or
    that share of all (DefaultPreemptionArgs)."""

    def __init__(
        self,
        cache: Cache,
        budgets: Callable[[], Sequence[Object]],
        randomness: random.Random,
        least_share_percent: int = 10,
        least_candidates: int = 100,
    ) -> None:
        self._least_share_percent = least_share_percent
        self._least_candidates = least_candidates
        self._cache = cache
        self._budgets = budgets
        self._randomness = randomness
        self._pools: OrderedDict[PodShape, Pool] = OrderedDict()

    def find(
        self, state: CycleState, pod: PodInfo, statuses: Mapping[str, Status], passes: Passes
    ) -> tuple[Nomination | None, Mapping[str, Status]]:
        """The node and its victims; without one why, for each node."""
        budgets = self._budgets()
        wanted = self._wanted(len(statuses))
        others: tuple[Nomination, ...] = ()
        if state.local and state.reusable:
            pool = self._pool(state, pod, budgets)
            attempt = partial(self._try_on_copy, state, pod, passes, budgets)
            chosen, why = pool.best(statuses, wanted, self._randomness.randrange, attempt), pool.why
        else:
            candidates, why = self._look(state, pod, statuses, passes, budgets)
            chosen = best_candidate(candidates) if candidates else None
            others = tuple(_nomination(each) for each in candidates if each is not chosen)
        if chosen is not None:
            return replace(_nomination(chosen), others=others), {}
        return None, {
            name: why.get(name, _NOT_HELPFUL) if status.code is Code.UNSCHEDULABLE else _NOT_HELPFUL for name, status in statuses.items()
        }

    def _wanted(self, nodes: int) -> int:
        return max(nodes * self._least_share_percent // 100, self._least_candidates)

    def _pool(self, state: CycleState, pod: PodInfo, budgets: Sequence[Object]) -> Pool:
        key = PoolKey(id(state), tuple(objects.resource_version(budget) for budget in budgets))
        pool = self._pools.pop(pod.shape, None)
        if pool is None or pool.key != key:
            pool = Pool(key, state, self._cache)
        self._pools[pod.shape] = pool
        if len(self._pools) > _POOLS:
            self._pools.popitem(last=False)
        return pool

    def _look(
        self, state: CycleState, pod: PodInfo, statuses: Mapping[str, Status], passes: Passes, budgets: Sequence[Object]
    ) -> tuple[list[Candidate], dict[str, Status]]:
        """Every time anew, for what pods elsewhere may matter."""
        why: dict[str, Status] = {}
        helpful = [
            node for name, status in statuses.items() if status.code is Code.UNSCHEDULABLE and (node := self._cache.node(name)) is not None
        ]
        if not helpful:
            return [], why
        wanted = self._wanted(len(helpful))
        start = self._randomness.randrange(len(helpful))
        candidates: list[Candidate] = []
        for node in (*helpful[start:], *helpful[:start]):
            with self._cache.trial(node) as trial:
                tried = self._try(trial, state, pod, node, passes, budgets)
            if isinstance(tried, Candidate):
                candidates.append(tried)
                if len(candidates) >= wanted:
                    break
            else:
                why[node.name] = tried
        return candidates, why

    def _try_on_copy(self, state: CycleState, pod: PodInfo, passes: Passes, budgets: Sequence[Object], name: str) -> Candidate | Status:
        node = self._cache.node(name)
        assert node is not None
        copy = _Copy(node)
        return self._try(copy, state, pod, copy.node, passes, budgets)

    def _try(
        self, trial: _Trial, state: CycleState, pod: PodInfo, node: NodeInfo, passes: Passes, budgets: Sequence[Object]
    ) -> Candidate | Status:
        lower = [other for other in node.pods.values() if other.priority < pod.priority]
        if not lower:
            return unresolvable("DefaultPreemption", NO_VICTIMS)
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
        self, trial: _Trial, state: CycleState, pod: PodInfo, node: NodeInfo, passes: Passes, candidates: Sequence[PodInfo]
    ) -> list[PodInfo]:
        """Those that cannot stay; the others are put back, the most important first."""
        victims = []
        for other in candidates:
            trial.put_back(other)
            if passes(state, pod, node) is not None:
                trial.remove(other)
                victims.append(other)
        return victims
