"""Finding nodes for pods of one shape: filter and score every node once, then keep the nodes in order of score.

Upstream runs the whole cycle for each pod. Pods of one shape get the same answers, except on nodes whose pods have changed since;
so only those are filtered and scored again (the cache keeps a journal of them), and a pod costs O(log nodes). What is chosen
is what the whole cycle would choose. Where a plugin depends on pods of the whole cluster, nodes are put into groups (grouped_run.py).

An example: a Deployment makes 1,000 equal pods for nodes a, b and c. The first pod makes a `Run`: every node passes the filters and is
scored, and the heap holds a (90), b (90), c (80). The pod is assumed on a, and the cache notes a in its journal. The second pod finds the
`Run` by its shape, reads from the journal that only a has changed, filters and scores a again (now 85) and pushes it; what the heap
still holds of a carries an older generation and is passed over when it surfaces. So the second pod goes to b, and the third,
after b has been scored again at 85 too, to a, which has waited longer. A node that comes, goes or changes ends the `Run`.
"""

from __future__ import annotations

import heapq
import itertools
import random
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from typing import NamedTuple

from controllers.kube_scheduler.cache import Cache, NodeInfo
from controllers.kube_scheduler.explain import explain
from controllers.kube_scheduler.framework import CycleState, DependsOn, Nomination, ScorePlugin, Status, unresolvable
from controllers.kube_scheduler.pod_info import PodInfo, PodShape
from controllers.kube_scheduler.profile import Profile
from controllers.kube_scheduler.static_scores import StaticScores

_RUNS_KEPT = 32
_STALE_ENTRIES = 4
"""So many times as many entries as nodes may be in an order before the stale ones are thrown out."""


@dataclass(slots=True, eq=False)
class Detail:
    """Why not, for each node. Forgotten when there is too much of it; then `statuses` is empty."""

    statuses: Mapping[str, Status]
    is_noted: bool = False


@dataclass(frozen=True, slots=True)
class Refusal:
    """No node, and why: the text for condition and event, and the plugins whose minds an event may change. With a nomination there
    will be one, once its victims are gone."""

    message: str
    plugins: frozenset[str]
    nomination: Nomination | None = None
    detail: Detail = field(default_factory=lambda: Detail({}), compare=False)


class Merits(NamedTuple):
    """Why the chosen node is the best: `points` (score times weight) of each of `plugins`, which are names with weights; of how many nodes
    that were looked at how many would have done."""

    plugins: tuple[tuple[str, int], ...]
    points: tuple[int, ...]
    evaluated: int
    feasible: int


class Placement(NamedTuple):
    """The node a pod is assumed on, and what its plugins remember of the cycle."""

    node: str
    state: CycleState
    merits: Merits


_Entry = tuple[int, int, int, int, tuple[int, ...]]
"""Score (negative), turn, index and generation of a node, and the points that make its score."""


class Run:
    """The nodes for one shape, best first. Valid while no node comes, goes or changes; pods may. `only`: the one node to look at."""

    def __init__(self, profile: Profile, cache: Cache, pod: PodInfo, randomness: random.Random, only: str = "") -> None:
        self._profile = profile
        self._cache = cache
        self._pod = pod
        self.state = CycleState()
        self._statuses: dict[str, Status] = {}
        self._absent: Status | None = None
        self._pre_filter_refused = False
        self._refusal: Refusal | None = None
        self._nodes_generation, self._journal = cache.nodes_generation, cache.journal_length
        self._filters = [plugin for plugin in profile.filter if plugin.depends_on is DependsOn.NODE]
        self._scores = [(plugin, weight) for plugin, weight in profile.score if plugin.depends_on is DependsOn.NODE]
        # Of equal nodes the one that has waited longest is next; a random one would be drawn again and again.
        self._turn = itertools.count(1)
        self._heap: list[_Entry] = []
        self._nodes = self._pre_filter(pod, only)
        self.reusable = self.state.reusable
        self._candidates: dict[str, int] = {}
        """Nodes that no static filter refuses, by name: only these can ever do."""
        feasible = [index for index, node in enumerate(self._nodes) if self._consider(pod, index, node)]
        self._arrange(pod, feasible, randomness)

    def _arrange(self, pod: PodInfo, feasible: Sequence[int], randomness: random.Random) -> None:
        self._static = StaticScores(self._profile, self.state, pod, self._nodes, self._candidates.values(), feasible)
        self._scored_by = (*_with_weights(self._scores), *self._static.plugins)
        for index in randomness.sample(feasible, len(feasible)):
            self._push(pod, index)

    @property
    def valid(self) -> bool:
        return self._nodes_generation == self._cache.nodes_generation

    # ---- one node

    def _pre_filter(self, pod: PodInfo, only: str) -> Sequence[NodeInfo]:
        """The nodes worth looking at."""
        names: frozenset[str] | None = None
        restricting: list[str] = []
        for plugin in self._profile.pre_filter:
            found = plugin.pre_filter(self.state, pod, self._cache)
            if isinstance(found, Status):
                self._absent, self._pre_filter_refused = found, True
                return ()
            if found is not None:
                names = found if names is None else names & found
                restricting.append(plugin.name)
        if names is None:
            named = self._cache.node(only) if only else None
            return [] if only and named is None else [named] if named is not None else list(self._cache.nodes())
        reason = f"node(s) didn't satisfy plugin(s) [{' '.join(sorted(restricting))}]"
        self._absent = unresolvable(restricting[0], reason)
        return [node for name in sorted(names) if only in ("", name) and (node := self._cache.node(name)) is not None]

    def _consider(self, pod: PodInfo, index: int, node: NodeInfo) -> bool:
        """The filters of one node in order. Whether it is feasible; it is a candidate unless a static filter refuses it."""
        refusal: Status | None = None
        for plugin in self._profile.filter:
            if plugin.depends_on is not DependsOn.STATIC and (refusal is not None or plugin.depends_on is DependsOn.CLUSTER):
                continue
            status = plugin.filter(self.state, pod, node)
            if status is not None:
                if refusal is None:
                    self._statuses[node.name] = refusal = status
                if plugin.depends_on is DependsOn.STATIC:
                    return False
        self._candidates[node.name] = index
        if refusal is None and node.nominated:
            return self._passes(pod, node)
        return refusal is None

    def _passes(self, pod: PodInfo, node: NodeInfo) -> bool:
        """The filters that look at the pods of a candidate, again."""
        status = self._fits(pod, node)
        if status is not None:
            self._statuses[node.name] = status
            return False
        self._statuses.pop(node.name, None)
        return True

    def _fits(self, pod: PodInfo, node: NodeInfo) -> Status | None:
        """As the node is, and as it will be with the pods that it was promised to and that come before this one."""
        awaited = promised_before(pod, node) if node.nominated else ()
        for view in (node.with_pods(awaited), node) if awaited else (node,):
            for plugin in self._filters:
                status = plugin.filter(self.state, pod, view)
                if status is not None:
                    return status
        return None

    def _passes_all(self, state: CycleState, pod: PodInfo, node: NodeInfo) -> Status | None:
        """For PostFilter: what a static filter says does not change with the pods on the node."""
        return self._fits(pod, node) if node.name in self._candidates else self._statuses.get(node.name)

    def _push(self, pod: PodInfo, index: int) -> None:
        node = self._nodes[index]
        points = tuple([weight * plugin.score(self.state, pod, node) for plugin, weight in self._scores])
        score = self._static.total(index) + sum(points)
        heapq.heappush(self._heap, (-score, next(self._turn), index, node.generation, points))

    # ---- keeping the order true

    def _refresh(self, pod: PodInfo) -> None:
        """Look again at the candidates whose pods have changed since the last time."""
        length = self._cache.journal_length
        if self._journal == length:
            return
        changed = self._cache.changed_since(self._journal)
        self._journal = length
        self._note_changes(changed)
        names: Sequence[str] = list(self._candidates) if changed is None else list(dict.fromkeys(changed))
        restored = False
        for name in names:
            index = self._candidates.get(name)
            if index is None:
                continue
            self._refusal = None
            feasible = self._passes(pod, self._nodes[index])
            restored |= self._set_feasible(index, feasible)
            if feasible:
                self._push(pod, index)
        self._tidy(pod, rescore=restored)

    def _note_changes(self, names: Sequence[str] | None) -> None:
        """Of nodes whose pods have changed; None for who knows which."""

    def _set_feasible(self, index: int, feasible: bool) -> bool:
        """Whether the scores of other nodes have changed by it."""
        return self._static.set_feasible(index, feasible)

    def _tidy(self, pod: PodInfo, *, rescore: bool) -> None:
        if rescore or len(self._heap) > _STALE_ENTRIES * len(self._candidates) + 64:
            self._rebuild(pod, rescore=rescore)

    def _rebuild(self, pod: PodInfo, *, rescore: bool) -> None:
        """Without stale entries; all scored again where the normalized static scores have changed."""
        live = [entry for entry in self._heap if self._nodes[entry[2]].generation == entry[3]]
        if not rescore:
            heapq.heapify(live)
            self._heap = live
            return
        self._heap = []
        for _, _, index, _, _ in sorted(live, key=lambda entry: entry[1]):
            self._push(pod, index)

    def ranking(self) -> dict[str, int]:
        """The score of every feasible node."""
        live = (entry for entry in self._heap if self._nodes[entry[2]].generation == entry[3])
        return {self._nodes[index].name: -score for score, _, index, _, _ in live}

    def refusals(self) -> dict[str, Status]:
        """Why not, for each node that would not do now."""
        self.ranking()
        statuses = self._every_status()
        if self._absent is not None:
            looked_at = {node.name for node in self._nodes}
            statuses |= {node.name: self._absent for node in self._cache.nodes() if node.name not in looked_at}
        return statuses

    # ---- choosing

    def take(self, pod: PodInfo) -> Placement | Refusal:
        """The best node, on which the pod is then assumed; or why there is none."""
        self._refresh(pod)
        while self._heap:
            _, _, index, generation, points = heapq.heappop(self._heap)
            node = self._nodes[index]
            if node.generation == generation:
                nodes, refused = len(self._nodes), len(self._statuses)
                merits = Merits(self._scored_by, points + self._static.points(index), nodes, nodes - refused)
                self._cache.assume(pod, node.name)
                return Placement(node.name, self.state.clone(), merits)
        return self._refuse(pod)

    def _refuse(self, pod: PodInfo) -> Refusal:
        if self._refusal is None:
            statuses, count = self._every_status(), self._cache.node_count
            if self._absent is not None:
                statuses |= {node.name: self._absent for node in self._cache.nodes() if node.name not in statuses}
            plugins = frozenset(map(attrgetter("plugin"), statuses.values()))
            reason = self._absent.reasons[0] if self._absent and self._pre_filter_refused else ""
            words = []
            for plugin in self._profile.post_filter:
                outcome = plugin.post_filter(self.state, pod, statuses, count, self._cache, self._passes_all)
                if isinstance(outcome, Nomination):  # for this pod alone
                    return Refusal(explain(statuses, count, [], reason), plugins, outcome, Detail(statuses))
                words.append(outcome)
            self._refusal = Refusal(explain(statuses, count, words, reason), plugins, detail=Detail(statuses))
        return self._refusal

    def _every_status(self) -> dict[str, Status]:
        return dict(self._statuses)


def _with_weights(scores: Sequence[tuple[ScorePlugin, int]]) -> tuple[tuple[str, int], ...]:
    return tuple((plugin.name, weight) for plugin, weight in scores)


def promised_before(pod: PodInfo, node: NodeInfo) -> list[PodInfo]:
    """Of the pods that wait for the node those that the pod must leave room for: of its own priority or higher."""
    return [other for other in node.nominated.values() if other.priority >= pod.priority and other.uid != pod.uid]


class Assigner:
    """Chooses nodes for pods one after the other, keeping the orders of the shapes it met last."""

    def __init__(self, profile: Profile, cache: Cache, randomness: random.Random) -> None:
        self._profile = profile
        self._cache = cache
        self._randomness = randomness
        self._runs: OrderedDict[PodShape, Run] = OrderedDict()
        self._related = profile.related
        self._version = 0

    def assign(self, pod: PodInfo) -> Placement | Refusal:
        if self._related:
            self._look_at_relations()
        promised = self._cache.nomination_of(pod.uid)
        if promised:
            return self._assign_promised(pod, promised)
        run = self._runs.get(pod.shape)
        if run is None or not run.reusable or not run.valid:
            run = self._run(pod)
            self._keep(pod.shape, run)
        return run.take(pod)

    def assign_on(self, pod: PodInfo, node: str) -> Placement | Refusal:
        """Looking at that one node."""
        if self._related:
            self._look_at_relations()
        return self._run(pod, only=node).take(pod)

    def refusals(self, pod: PodInfo) -> Mapping[str, Status]:
        """Why not, for each node that would not do for it now; nothing is taken."""
        return self._run(pod).refusals()

    def _look_at_relations(self) -> None:
        """Terms of pods that have been placed since may concern shapes that nothing concerned before."""
        version = sum(plugin.version for plugin in self._related)
        if version != self._version:
            self._version = version
            self._runs.clear()

    def _run(self, pod: PodInfo, only: str = "") -> Run:
        make: Callable[..., Run] = Run
        if any(plugin.topology_keys(pod) for plugin in self._related):
            assert self._profile.grouped_run is not None
            make = self._profile.grouped_run
        return make(self._profile, self._cache, pod, self._randomness, only)

    def _assign_promised(self, pod: PodInfo, node: str) -> Placement | Refusal:
        """The node it was promised first. Others of its shape must leave that node to it, so that it shares no order with them."""
        if self._cache.node(node) is not None:
            there = self._run(pod, only=node)
            if there.ranking():
                return there.take(pod)
        return self._run(pod).take(pod)

    def _keep(self, shape: PodShape, run: Run) -> None:
        self._runs.pop(shape, None)
        self._runs[shape] = run
        if len(self._runs) > _RUNS_KEPT:
            self._runs.popitem(last=False)
