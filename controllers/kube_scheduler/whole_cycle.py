"""One scheduling cycle for one pod: every plugin asked about every node, nothing kept for the next pod. For profiles with plugins from
outside, of which nothing is known; for pods that an extender has a say in; and where not all nodes are to be looked at."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import Any

from controllers.kube_scheduler.assignment import Detail, Merits, Placement, Refusal, promised_before
from controllers.kube_scheduler.cache import Cache, NodeInfo
from controllers.kube_scheduler.explain import explain
from controllers.kube_scheduler.framework import (
    MAX_NODE_SCORE,
    Code,
    CycleState,
    FeasibleGroup,
    Nomination,
    PluginError,
    Status,
    unresolvable,
)
from controllers.kube_scheduler.pod_info import PodInfo
from controllers.kube_scheduler.profile import Profile

_FEWEST_NODES = 100
"""So many feasible nodes are looked for at least, whatever share of all it is."""


class WholeCycle:
    """`start`: the node to begin with, where not all are looked at; `looked_at`: how many were."""

    def __init__(self, profile: Profile, cache: Cache, pod: PodInfo, start: int = 0) -> None:
        self._profile = profile
        self._cache = cache
        self._pod = pod
        self._start = start
        self.state = CycleState(reusable=False, local=False)
        self._skipped: set[str] = set()
        self._absent: Status | None = None
        self._refused = False
        self.statuses: dict[str, Status] = {}
        self.looked_at = 0
        self._found: list[NodeInfo] = []

    # ---- filters

    def feasible(self, only: str = "") -> list[NodeInfo]:
        """The nodes that will do."""
        nodes = self._pre_filter(only)
        if self._refused:
            return []
        for plugin in self._profile.related:
            plugin.begin(self.state)
        wanted, found = self._wanted(len(nodes)), []
        for number in range(len(nodes)):
            node = nodes[(self._start + number) % len(nodes)]
            self.looked_at += 1
            status = self.passes(self.state, self._pod, node)
            if status is not None:
                self.statuses[node.name] = status
                continue
            found.append(node)
            if len(found) == wanted:
                break
        self._found = found
        return found

    def _wanted(self, nodes: int) -> int:
        share = self._profile.percentage
        if nodes < _FEWEST_NODES or not 0 < share < 100:
            return nodes
        return max(nodes * share // 100, _FEWEST_NODES)

    def _pre_filter(self, only: str) -> list[NodeInfo]:
        names: frozenset[str] | None = None
        restricting: list[str] = []
        for plugin in self._profile.pre_filter:
            found = _asked(f'running PreFilter plugin "{plugin.name}"', plugin.pre_filter, self.state, self._pod, self._cache)
            if isinstance(found, Status):
                if found.code is Code.SKIP:
                    self._skipped.add(plugin.name)
                    continue
                _check(f'running PreFilter plugin "{plugin.name}"', found)
                self._absent, self._refused = _by(plugin.name, found), True
                return []
            if found is not None:
                names = found if names is None else names & found
                restricting.append(plugin.name)
        if names is not None:
            self._absent = unresolvable(restricting[0], f"node(s) didn't satisfy plugin(s) [{' '.join(sorted(restricting))}]")
        nodes = [node for node in self._cache.nodes() if names is None or node.name in names]
        return [node for node in nodes if only in ("", node.name)]

    def passes(self, state: CycleState, pod: PodInfo, node: NodeInfo) -> Status | None:
        """As the node is, and as it will be with the pods it was promised to and that come before this one."""
        awaited = promised_before(pod, node) if node.nominated else ()
        for view in (node.with_pods(awaited), node) if awaited else (node,):
            for plugin in self._profile.filter:
                if plugin.name in self._skipped:
                    continue
                where = f'running "{plugin.name}" filter plugin'
                status = _asked(where, plugin.filter, state, pod, view)
                if status is not None:
                    _check(where, status)
                    return _by(plugin.name, status)
        return None

    def _passes_anew(self, state: CycleState, pod: PodInfo, node: NodeInfo) -> Status | None:
        """For PostFilter, which takes pods away in between."""
        for plugin in self._profile.related:
            plugin.begin(state)
        return self.passes(state, pod, node)

    # ---- scores

    def place(self, nodes: Sequence[NodeInfo], randomness: random.Random, more: Mapping[str, int] | None = None) -> Placement:
        """The best of the nodes, of which there are some; the pod is assumed on it. `more`: points of others, by node."""
        scores = self._scores(nodes)
        totals = {node.name: sum(points[node.name] for points in scores.values()) for node in nodes}
        for name, points in (more or {}).items():
            if name in totals:
                totals[name] += points
        highest = max(totals.values())
        chosen = randomness.choice([name for name, total in totals.items() if total == highest])
        scored_by = [(plugin.name, weight) for plugin, weight in self._profile.score if plugin.name in scores]
        points_of = [scores[name][chosen] for name, _ in scored_by]
        if more is not None:
            scored_by.append(("extenders", 1))
            points_of.append(more.get(chosen, 0))
        self._cache.assume(self._pod, chosen)
        return Placement(chosen, self.state, Merits(tuple(scored_by), tuple(points_of), self.looked_at, len(nodes)))

    def _scores(self, nodes: Sequence[NodeInfo]) -> dict[str, dict[str, int]]:
        """Points (score times weight) by plugin and node."""
        skipped = self._pre_score(nodes)
        found: dict[str, dict[str, int]] = {}
        for plugin, weight in self._profile.score:
            if plugin.name in skipped:
                continue
            where = f'running Score plugins: plugin "{plugin.name}" failed with'
            raw = {node.name: _asked(where, plugin.score, self.state, self._pod, node) for node in nodes}
            for name, score in self._normalized(plugin, where, raw).items():
                if type(score) is not int or not 0 <= score <= MAX_NODE_SCORE:
                    why = f"returns an invalid score {score}, it should in the range of [0, {MAX_NODE_SCORE}] after normalizing"
                    raise PluginError(f'running Score plugins: plugin "{plugin.name}" {why}')
                found.setdefault(plugin.name, {})[name] = score * weight
        return found

    def _normalized(self, plugin: Any, where: str, raw: dict[str, int]) -> dict[str, int]:
        if hasattr(plugin, "normalize_score"):
            normalized: dict[str, int] = _asked(where, plugin.normalize_score, self.state, self._pod, raw)
            return normalized
        return dict(_asked(where, plugin.normalize, raw)) if hasattr(plugin, "normalize") else raw

    def _pre_score(self, nodes: Sequence[NodeInfo]) -> set[str]:
        """The plugins that are not to score."""
        for related in self._profile.related:
            related.pre_score(self.state, lambda: [FeasibleGroup(node, 1) for node in nodes])
        skipped = set()
        for plugin in self._profile.pre_score:
            where = f'running PreScore plugin "{plugin.name}"'
            status = _asked(where, plugin.pre_score, self.state, self._pod, nodes)
            if status is not None and status.code is Code.SKIP:
                skipped.add(plugin.name)
            elif status is not None:
                raise PluginError(f"{where}: {', '.join(status.reasons)}")
        return skipped

    # ---- no node

    def every_status(self) -> dict[str, Status]:
        absent = self._absent
        if absent is None:
            return dict(self.statuses)
        feasible = {node.name for node in self._found}
        return {node.name: self.statuses.get(node.name, absent) for node in self._cache.nodes() if node.name not in feasible}

    def refuse(self) -> Refusal:
        """Why, and what PostFilter knows to help."""
        statuses, count = self.every_status(), self._cache.node_count
        plugins = frozenset(status.plugin for status in statuses.values())
        reason = self._absent.reasons[0] if self._absent is not None and self._refused else ""
        words: list[str] = []
        for plugin in self._profile.post_filter:
            where = f'running PostFilter plugin "{plugin.name}"'
            outcome = _asked(where, plugin.post_filter, self.state, self._pod, statuses, count, self._cache, self._passes_anew)
            if isinstance(outcome, Nomination):
                return Refusal(explain(statuses, count, [], reason), plugins, outcome, Detail(statuses))
            words.append(outcome)
        return Refusal(explain(statuses, count, words, reason), plugins, detail=Detail(statuses))


class PlainAssigner:
    """Chooses nodes as Assigner does, by whole cycles."""

    def __init__(self, profile: Profile, cache: Cache, randomness: random.Random) -> None:
        self._profile = profile
        self._cache = cache
        self._randomness = randomness
        self._start = 0
        """The node to look at first, by its number, where not all are looked at."""

    def assign(self, pod: PodInfo) -> Placement | Refusal:
        cycle, nodes = self.feasible(pod)
        return self.place(cycle, nodes) if nodes else cycle.refuse()

    def assign_on(self, pod: PodInfo, node: str) -> Placement | Refusal:
        """Looking at that one node."""
        cycle = WholeCycle(self._profile, self._cache, pod)
        nodes = cycle.feasible(node)
        return self.place(cycle, nodes) if nodes else cycle.refuse()

    def refusals(self, pod: PodInfo) -> Mapping[str, Status]:
        """Why not, for each node that would not do for it now."""
        cycle = WholeCycle(self._profile, self._cache, pod)
        cycle.feasible()
        return cycle.every_status()

    def feasible(self, pod: PodInfo) -> tuple[WholeCycle, list[NodeInfo]]:
        """The node it was promised, where that will do; else all that will."""
        promised = self._cache.nomination_of(pod.uid)
        if promised:
            cycle = WholeCycle(self._profile, self._cache, pod)
            there = cycle.feasible(promised)
            if there:
                return cycle, there
        cycle = WholeCycle(self._profile, self._cache, pod, self._start)
        nodes = cycle.feasible()
        self._start = (self._start + cycle.looked_at) % max(self._cache.node_count, 1)
        return cycle, nodes

    def place(self, cycle: WholeCycle, nodes: Sequence[NodeInfo], more: Mapping[str, int] | None = None) -> Placement:
        return cycle.place(nodes, self._randomness, more)


def _asked(where: str, method: Any, *arguments: Any) -> Any:
    try:
        return method(*arguments)
    except Exception as error:
        raise PluginError(f"{where}: {type(error).__name__}: {error}") from error


def _check(where: str, status: Status) -> None:
    if status.code is Code.ERROR:
        raise PluginError(f"{where}: {', '.join(status.reasons)}")


def _by(name: str, status: Status) -> Status:
    """Plugins from outside need not sign."""
    return status if status.plugin else Status(status.code, status.reasons, name)
