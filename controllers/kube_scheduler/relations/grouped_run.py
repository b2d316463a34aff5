"""Finding nodes for pods that are related to others: by groups of nodes that are the same to everything but what is on them.

Nodes of one group have the same values of the labels that the pods' relations go by, and the same static scores. So affinity, spreading and
everything normalized over all feasible nodes is worked out per group, from counts that are kept up; within a group a heap has the node
with the most left first, as in `Run`. A pod costs as much as there are groups: zones are few, host names as many as nodes.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Sequence

from controllers.kube_scheduler.assignment import Placement, Refusal, Run
from controllers.kube_scheduler.cache import NodeInfo
from controllers.kube_scheduler.framework import NODE_ITSELF, CycleState, DependsOn, FeasibleGroup, Status
from controllers.kube_scheduler.pod_info import PodInfo

_Entry = tuple[int, int, int, int]


class _Group:
    """`raw`: the scores of the static plugins, before they are normalized."""

    __slots__ = ("feasible", "heap", "members", "node", "raw", "status")

    def __init__(self, node: NodeInfo, raw: tuple[int, ...]) -> None:
        self.node = node
        self.raw = raw
        self.members: list[int] = []
        self.feasible: set[int] = set()
        self.heap: list[_Entry] = []
        self.status: Status | None = None


class GroupedRun(Run):
    def _arrange(self, pod: PodInfo, feasible: Sequence[int], randomness: random.Random) -> None:
        profile = self._profile
        self._related = profile.related
        self._related_scores = [(plugin, weight) for plugin, weight in profile.score if plugin.depends_on is DependsOn.CLUSTER]
        self._static_plugins = [(plugin, weight) for plugin, weight in profile.score if plugin.depends_on is DependsOn.STATIC]
        keys = sorted({key for plugin in self._related for key in plugin.topology_keys(pod)})
        self._groups: dict[object, _Group] = {}
        self._group_of: dict[int, _Group] = {}
        for index in self._candidates.values():
            node = self._nodes[index]
            raw = tuple(plugin.score(self.state, pod, node) for plugin, _ in self._static_plugins)
            domain = tuple(node.name if key == NODE_ITSELF else node.labels.get(key) for key in keys)
            group = self._groups.get((domain, raw))
            if group is None:
                group = self._groups[domain, raw] = _Group(node, raw)
            group.members.append(index)
            self._group_of[index] = group
        for index in randomness.sample(feasible, len(feasible)):
            self._group_of[index].feasible.add(index)
            self._push(pod, index)

    # ---- one node

    def _push(self, pod: PodInfo, index: int) -> None:
        node = self._nodes[index]
        score = sum(weight * plugin.score(self.state, pod, node) for plugin, weight in self._scores)
        heapq.heappush(self._group_of[index].heap, (-score, next(self._turn), index, node.generation))

    def _set_feasible(self, index: int, feasible: bool) -> bool:
        members = self._group_of[index].feasible
        if feasible:
            members.add(index)
        else:
            members.discard(index)
        return False

    def _tidy(self, pod: PodInfo, *, rescore: bool) -> None:
        """Stale entries are thrown out where they surface; a group with far more of them than nodes is cleared."""
        for group in self._groups.values():
            if len(group.heap) > 4 * len(group.members) + 16:
                group.heap = [entry for entry in group.heap if self._nodes[entry[2]].generation == entry[3]]
                heapq.heapify(group.heap)

    def _passes_all(self, state: CycleState, pod: PodInfo, node: NodeInfo) -> Status | None:
        status = super()._passes_all(state, pod, node)
        if status is None:
            for plugin in self._related:
                plugin.begin(state)
                status = status or plugin.filter(state, pod, node)
        return status

    # ---- groups

    def _top(self, group: _Group) -> _Entry | None:
        heap = group.heap
        while heap:
            entry = heap[0]
            if self._nodes[entry[2]].generation == entry[3]:
                return entry
            heapq.heappop(heap)
        return None

    def _feasible_groups(self, pod: PodInfo) -> list[_Group]:
        for plugin in self._related:
            plugin.begin(self.state)
        chosen = []
        for group in self._groups.values():
            if not group.feasible:
                continue
            group.status = None
            for plugin in self._related:
                status = plugin.filter(self.state, pod, group.node)
                if status is not None:
                    group.status = status
                    break
            else:
                chosen.append(group)
        return chosen

    def _totals(self, pod: PodInfo) -> list[tuple[_Group, int]]:
        """Of each feasible group, what its nodes have in common."""
        groups = self._feasible_groups(pod)
        if len(groups) <= 1:
            return [(group, 0) for group in groups]
        totals = [0] * len(groups)
        for number, (plugin, weight) in enumerate(self._static_plugins):
            scores = {str(index): group.raw[number] for index, group in enumerate(groups)}
            _add_normalized(totals, plugin.normalize(scores), weight)
        shown = [FeasibleGroup(group.node, len(group.feasible)) for group in groups]
        for plugin in self._related:
            plugin.pre_score(self.state, shown)
        for plugin, weight in self._related_scores:
            scores = {str(index): plugin.score(self.state, pod, group.node) for index, group in enumerate(groups)}
            _add_normalized(totals, plugin.normalize(scores), weight)
        return list(zip(groups, totals, strict=True))

    def ranking(self) -> dict[str, int]:
        """The score of every feasible node."""
        found = {}
        for group, total in self._totals(self._pod):
            for score, _, index, generation in group.heap:
                if self._nodes[index].generation == generation:
                    found[self._nodes[index].name] = total - score
        return found

    def take(self, pod: PodInfo) -> Placement | Refusal:
        self._refresh(pod)
        best: tuple[int, int, int] | None = None
        for group, total in self._totals(pod):
            top = self._top(group)
            if top is not None and (best is None or (total - top[0], -top[1]) > best[:2]):
                best = total - top[0], -top[1], top[2]
        if best is None:
            self._refusal = None  # what other pods do elsewhere counts too
            return self._refuse(pod)
        node = self._nodes[best[2]]
        self._cache.assume(pod, node.name)
        return Placement(node.name, self.state.clone())

    def _every_status(self) -> dict[str, Status]:
        statuses = dict(self._statuses)
        for group in self._groups.values():
            if group.status is not None:
                for index in group.feasible:
                    statuses[self._nodes[index].name] = group.status
        return statuses


def _add_normalized(totals: list[int], scores: dict[str, int], weight: int) -> None:
    for index, score in scores.items():
        totals[int(index)] += weight * score
