"""Finding nodes for pods that are related to others: by groups of nodes that are the same to everything but what is on them.

Nodes of one group have the same values of the labels that the pods' relations go by, and the same static scores. So affinity, spreading and
everything normalized over all feasible nodes is worked out per group, from counts that are kept up; within a group a heap has the node
with the most left first, as in `Run`, and over the groups there is another.

A group is looked at again when a pod came or went in one of its domains, or when a plugin says that all may have changed. Where domains are
zones, all groups are few; where they are host names, each node is a group, and few change with a pod.
"""

from __future__ import annotations

import heapq
import random
from collections import Counter
from collections.abc import Iterable, Sequence

from controllers.kube_scheduler.assignment import Merits, Placement, Refusal, Run
from controllers.kube_scheduler.cache import NodeInfo
from controllers.kube_scheduler.framework import NODE_ITSELF, CycleState, DependsOn, FeasibleGroup, ScorePlugin, Status
from controllers.kube_scheduler.pod_info import PodInfo


class _Group:
    """`node` stands for all of them. `scores`: of each plugin, before they are normalized; None while no node is feasible."""

    __slots__ = ("feasible", "heap", "members", "node", "number", "passes", "scores", "size", "status", "version")

    def __init__(self, number: int, node: NodeInfo) -> None:
        self.number = number
        self.node = node
        self.members: list[int] = []
        self.feasible: set[int] = set()
        self.heap: list[tuple[int, int, int, int, tuple[int, ...]]] = []
        self.status: Status | None = None
        self.passes = False
        self.size = 0
        self.scores: tuple[int, ...] | None = None
        self.version = 0


class _Normalized:
    """One plugin's scores over all feasible groups. Normalizing goes by the values alone, so each value is looked at once."""

    def __init__(self, plugin: ScorePlugin, weight: int) -> None:
        self._plugin = plugin
        self._weight = weight
        self._values: Counter[int] = Counter()
        self._changed = False
        self.points: dict[int, int] = {}

    def count(self, score: int, amount: int) -> None:
        before = self._values[score]
        if before + amount:
            self._values[score] = before + amount
        else:
            del self._values[score]
        self._changed |= not before or not before + amount

    def settle(self) -> bool:
        """Whether a value that was there before is worth something else now."""
        if not self._changed:
            return False
        self._changed = False
        before = self.points
        found = self._plugin.normalize({str(score): score for score in self._values})
        self.points = {int(score): self._weight * points for score, points in found.items()}
        return any(before.get(score, points) != points for score, points in self.points.items())


class GroupedRun(Run):
    def _arrange(self, pod: PodInfo, feasible: Sequence[int], randomness: random.Random) -> None:
        self.state.local = False
        scores = self._profile.score
        self._related = self._profile.related
        self._related_filters = self._profile.related_filters
        self._static_plugins = [(plugin, weight) for plugin, weight in scores if plugin.depends_on is DependsOn.STATIC]
        self._related_scores = [(plugin, weight) for plugin, weight in scores if plugin.depends_on is DependsOn.CLUSTER]
        self._normalized = [_Normalized(plugin, weight) for plugin, weight in (*self._static_plugins, *self._related_scores)]
        scored_by = (*self._scores, *self._static_plugins, *self._related_scores)
        self._scored_by = tuple((plugin.name, weight) for plugin, weight in scored_by)
        self._room = 0
        """How many nodes would do."""
        self._keys = sorted({key for plugin in self._related for key in plugin.topology_keys(pod)})
        self._order: list[tuple[int, int, int, int]] = []
        self._changes: list[str] | None = None
        self._make_groups(pod)
        for index in randomness.sample(feasible, len(feasible)):
            self._group_of[index].feasible.add(index)
            self._push(pod, index)

    def _make_groups(self, pod: PodInfo) -> None:
        known: dict[object, _Group] = {}
        self._groups: list[_Group] = []
        self._group_of: dict[int, _Group] = {}
        self._static_scores: list[tuple[int, ...]] = []
        self._in_domain: dict[tuple[str, str | None], list[_Group]] = {}
        for index in self._candidates.values():
            node = self._nodes[index]
            static = tuple(plugin.score(self.state, pod, node) for plugin, _ in self._static_plugins)
            domains = tuple(_value(node, key) for key in self._keys)
            group = known.get((domains, static))
            if group is None:
                group = known[domains, static] = _Group(len(self._groups), node)
                self._groups.append(group)
                self._static_scores.append(static)
                for key, value in zip(self._keys, domains, strict=True):
                    self._in_domain.setdefault((key, value), []).append(group)
            group.members.append(index)
            self._group_of[index] = group

    # ---- one node

    def _push(self, pod: PodInfo, index: int) -> None:
        node = self._nodes[index]
        points = tuple([weight * plugin.score(self.state, pod, node) for plugin, weight in self._scores])
        heapq.heappush(self._group_of[index].heap, (-sum(points), next(self._turn), index, node.generation, points))

    def _set_feasible(self, index: int, feasible: bool) -> bool:
        members = self._group_of[index].feasible
        if feasible:
            members.add(index)
        else:
            members.discard(index)
        return False

    def _note_changes(self, names: Sequence[str] | None) -> None:
        self._changes = None if names is None or self._changes is None else [*self._changes, *names]

    def _tidy(self, pod: PodInfo, *, rescore: bool) -> None:
        """Stale entries go where they surface."""

    def _passes_all(self, state: CycleState, pod: PodInfo, node: NodeInfo) -> Status | None:
        status = super()._passes_all(state, pod, node)
        for plugin in self._related_filters:
            plugin.begin(state)
            status = status or plugin.filter(state, pod, node)
        return status

    # ---- groups

    def _top(self, group: _Group) -> tuple[int, int, int, int, tuple[int, ...]]:
        """Its best node; the group has one."""
        heap = group.heap
        if len(heap) > 4 * len(group.members) + 16:
            heap[:] = [entry for entry in heap if self._nodes[entry[2]].generation == entry[3]]
            heapq.heapify(heap)
        while self._nodes[heap[0][2]].generation != heap[0][3]:
            heapq.heappop(heap)
        return heap[0]

    def _to_look_at(self) -> Sequence[_Group]:
        changes, self._changes = self._changes, []
        others = [plugin.begin(self.state) for plugin in self._related]  # every one of them is to begin
        if any(others) or changes is None:
            return self._groups
        touched: dict[int, _Group] = {}
        for name in dict.fromkeys(changes):
            node = self._cache.node(name)
            if node is None:
                continue
            for key in self._keys:
                for group in self._in_domain.get((key, _value(node, key)), ()):
                    touched[group.number] = group
        return list(touched.values())

    def _settle(self, pod: PodInfo) -> None:
        """Makes the order of the groups true again."""
        groups = self._to_look_at()
        resized = False
        for group in groups:
            passes = self._group_passes(pod, group)
            size = len(group.feasible) if passes else 0
            if size != group.size:
                resized = True
                self._room += size - group.size
            group.passes, group.size = passes, size
        if resized:
            others = [plugin.pre_score(self.state, self._shown) for plugin in self._related]
            groups = self._groups if any(others) else groups
        for group in groups:
            self._score(pod, group)
        worth_others = [normalized.settle() for normalized in self._normalized]
        if any(worth_others):
            self._order = []
            groups = self._groups
        elif len(self._order) > 4 * len(self._groups) + 64:
            self._order = [entry for entry in self._order if self._groups[entry[2]].version == entry[3]]
            heapq.heapify(self._order)
        self._put_in_order(groups)

    def _group_passes(self, pod: PodInfo, group: _Group) -> bool:
        group.status = None
        if not group.feasible:
            return False
        for plugin in self._related_filters:
            group.status = plugin.filter(self.state, pod, group.node)
            if group.status is not None:
                return False
        return True

    def _shown(self) -> list[FeasibleGroup]:
        return [FeasibleGroup(group.node, group.size) for group in self._groups if group.passes]

    def _score(self, pod: PodInfo, group: _Group) -> None:
        before, now = group.scores, None
        if group.passes:
            related = tuple(plugin.score(self.state, pod, group.node) for plugin, _ in self._related_scores)
            now = self._static_scores[group.number] + related
        if before == now:
            return
        group.scores = now
        for scores, amount in ((now, 1), (before, -1)):
            if scores is not None:
                for normalized, score in zip(self._normalized, scores, strict=True):
                    normalized.count(score, amount)

    def _put_in_order(self, groups: Iterable[_Group]) -> None:
        for group in groups:
            group.version += 1
            if group.passes:
                best, turn, *_ = self._top(group)
                heapq.heappush(self._order, (best - self._points(group), turn, group.number, group.version))

    def _points(self, group: _Group) -> int:
        """What its nodes have in common."""
        return sum(self._points_by_plugin(group))

    def _points_by_plugin(self, group: _Group) -> tuple[int, ...]:
        assert group.scores is not None
        return tuple([normalized.points[score] for normalized, score in zip(self._normalized, group.scores, strict=True)])

    # ---- choosing

    def ranking(self) -> dict[str, int]:
        self._refresh(self._pod)
        self._settle(self._pod)
        found = {}
        for group in self._groups:
            for score, _, index, generation, _ in group.heap if group.passes else ():
                if self._nodes[index].generation == generation:
                    found[self._nodes[index].name] = self._points(group) - score
        return found

    def take(self, pod: PodInfo) -> Placement | Refusal:
        self._refresh(pod)
        self._settle(pod)
        while self._order:
            _, _, number, version = self._order[0]
            group = self._groups[number]
            if group.version == version:
                _, _, index, _, points = self._top(group)
                node = self._nodes[index]
                merits = Merits(self._scored_by, points + self._points_by_plugin(group), len(self._nodes), self._room)
                self._cache.assume(pod, node.name)
                return Placement(node.name, self.state.clone(), merits)
            heapq.heappop(self._order)
        self._refusal = None  # what other pods do elsewhere counts too
        return self._refuse(pod)

    def _every_status(self) -> dict[str, Status]:
        statuses = dict(self._statuses)
        for group in self._groups:
            if group.status is not None:
                for index in group.feasible:
                    statuses[self._nodes[index].name] = group.status
        return statuses


def _value(node: NodeInfo, key: str) -> str | None:
    return node.name if key == NODE_ITSELF else node.labels.get(key)
