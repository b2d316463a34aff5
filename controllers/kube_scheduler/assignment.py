"""Finding nodes for pods of one shape: filter and score every node once, then keep the nodes in order of score.

Upstream runs the whole cycle for each pod. Pods that share a spec get the same answers, except on the node the last of
them went to; so that node alone is filtered and scored again, and a pod costs O(log nodes). Where a plugin depends on pods
of the whole cluster, the order is made anew for each pod (`reusable` is False).
"""

from __future__ import annotations

import heapq
import itertools
import random
from dataclasses import dataclass

from controllers.kube_scheduler.cache import Cache, NodeInfo
from controllers.kube_scheduler.explain import explain
from controllers.kube_scheduler.framework import CycleState, DependsOn, Status
from controllers.kube_scheduler.pod_info import PodInfo
from controllers.kube_scheduler.profile import Profile


@dataclass(frozen=True, slots=True)
class Refusal:
    """No node, and why: the text for condition and event, and the plugins whose minds an event may change."""

    message: str
    plugins: frozenset[str]


class Run:
    """The nodes for one shape, best first. Valid while no node changes and no pod leaves (`Cache` tells)."""

    def __init__(self, profile: Profile, cache: Cache, pod: PodInfo, randomness: random.Random) -> None:
        self._profile = profile
        self._cache = cache
        self.shape = pod.shape
        self.state = CycleState()
        self._nodes = list(cache.nodes())
        self._statuses: dict[str, Status] = {}
        self._refusal: Refusal | None = None
        self._versions = (cache.nodes_generation, cache.removals)
        reach = [plugin.depends_on for plugin in profile.filter]
        reach += [plugin.depends_on for plugin, _ in profile.score]
        self.reusable = DependsOn.CLUSTER not in reach
        self._static_scores: dict[str, int] = {}
        # Of equal nodes the one that has waited longest is next; a random one would be drawn again and again.
        self._turn = itertools.count(1)
        self._heap: list[tuple[int, int, int, int]] = []
        if not self._pre_filter(pod):
            return
        feasible = [index for index, node in enumerate(self._nodes) if self._passes(pod, node)]
        self._score_statically(pod, feasible)
        for index in randomness.sample(feasible, len(feasible)):
            self._push(pod, index)

    @property
    def valid(self) -> bool:
        return self._versions == (self._cache.nodes_generation, self._cache.removals)

    def _pre_filter(self, pod: PodInfo) -> bool:
        for plugin in self._profile.pre_filter:
            status = plugin.pre_filter(self.state, pod, self._nodes)
            if status is not None:
                self._statuses = {node.name: status for node in self._nodes}
                return False
        return True

    def _passes(self, pod: PodInfo, node: NodeInfo, *, after_a_pod: bool = False) -> bool:
        """All filters; `after_a_pod`: only those that look at the pods of a node."""
        for plugin in self._profile.filter:
            if after_a_pod and plugin.depends_on is DependsOn.STATIC:
                continue
            status = plugin.filter(self.state, pod, node)
            if status is not None:
                self._statuses[node.name] = status
                return False
        return True

    def _score_statically(self, pod: PodInfo, feasible: list[int]) -> None:
        totals = {self._nodes[index].name: 0 for index in feasible}
        for plugin, weight in self._profile.score:
            if plugin.depends_on is DependsOn.STATIC:
                scores = dict.fromkeys(totals, 0)
                for index in feasible:
                    node = self._nodes[index]
                    scores[node.name] = plugin.score(self.state, pod, node)
                for name, score in plugin.normalize(scores).items():
                    totals[name] += weight * score
        self._static_scores = totals

    def _push(self, pod: PodInfo, index: int) -> None:
        node = self._nodes[index]
        score = self._static_scores[node.name]
        for plugin, weight in self._profile.score:
            if plugin.depends_on is not DependsOn.STATIC:
                score += weight * plugin.score(self.state, pod, node)
        heapq.heappush(self._heap, (-score, next(self._turn), index, node.generation))

    def ranking(self) -> dict[str, int]:
        """The score of every feasible node."""
        return {self._nodes[index].name: -score for score, _, index, _ in self._heap}

    def take(self, pod: PodInfo) -> str | Refusal:
        """The best node, on which the pod is then assumed; or why there is none."""
        while self._heap:
            _, _, index, generation = heapq.heappop(self._heap)
            node = self._nodes[index]
            if node.generation != generation:
                if self._passes(pod, node, after_a_pod=True):
                    self._push(pod, index)
                continue
            self._cache.assume(pod, node.name)
            if self._passes(pod, node, after_a_pod=True):
                self._push(pod, index)
            return node.name
        return self._refuse(pod)

    def _refuse(self, pod: PodInfo) -> Refusal:
        if self._refusal is None:
            count = len(self._nodes)
            words = [plugin.post_filter(self.state, pod, self._statuses, count) for plugin in self._profile.post_filter]
            message = explain(self._statuses, count, words)
            self._refusal = Refusal(message, frozenset(status.plugin for status in self._statuses.values()))
        return self._refusal


class Assigner:
    """Chooses nodes for pods one after the other, reusing the last shapes' orders while they are true."""

    def __init__(self, profile: Profile, cache: Cache, randomness: random.Random) -> None:
        self._profile = profile
        self._cache = cache
        self._randomness = randomness
        self._run: Run | None = None

    def assign(self, pod: PodInfo) -> str | Refusal:
        run = self._run
        if run is None or run.shape is not pod.shape or not run.reusable or not run.valid:
            run = self._run = Run(self._profile, self._cache, pod, self._randomness)
        return run.take(pod)
