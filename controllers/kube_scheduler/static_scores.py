"""Scores that depend on the node object alone, normalized over the nodes that are feasible at the moment.

A normalized score changes with the set of feasible nodes, but only where its maximum does (that is what plugins promise of
`normalize`); so it is enough to count how many feasible nodes have which score.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from controllers.kube_scheduler.cache import NodeInfo
from controllers.kube_scheduler.framework import CycleState, DependsOn, ScorePlugin
from controllers.kube_scheduler.pod_info import PodInfo
from controllers.kube_scheduler.profile import Profile


class _Scores:
    """One plugin's scores, by the node's index; only where they are not all alike."""

    def __init__(self, plugin: ScorePlugin, weight: int, raw: dict[int, int], feasible: Iterable[int]) -> None:
        self._plugin = plugin
        self._weight = weight
        self._raw = raw
        self._feasible = Counter(raw[index] for index in feasible)
        self._normalized: dict[int, int] = {}
        self._normalize()

    def _highest(self) -> int | None:
        return max(self._feasible, default=None)

    def set_feasible(self, index: int, feasible: bool) -> bool:
        """Whether the highest score is another one now."""
        before, known = self._highest(), len(self._feasible)
        score = self._raw[index]
        self._feasible[score] += 1 if feasible else -1
        if not self._feasible[score]:
            del self._feasible[score]
        if len(self._feasible) != known:
            self._normalize()
        return self._highest() != before

    def _normalize(self) -> None:
        names = {str(score): score for score in self._feasible}
        self._normalized = {int(name): score for name, score in self._plugin.normalize(names).items()}

    def of(self, index: int) -> int:
        return self._weight * self._normalized[self._raw[index]]


class StaticScores:
    def __init__(
        self,
        profile: Profile,
        state: CycleState,
        pod: PodInfo,
        nodes: Sequence[NodeInfo],
        candidates: Iterable[int],
        feasible: Iterable[int],
    ) -> None:
        self._feasible = set(feasible)
        self._scores: list[_Scores] = []
        self.plugins: tuple[tuple[str, int], ...] = ()
        """In the order of `points`."""
        alike: list[tuple[str, int]] = []
        self._alike: tuple[int, ...] = ()
        chosen = list(candidates)
        for plugin, weight in profile.score:
            if plugin.depends_on is DependsOn.STATIC:
                raw = {index: plugin.score(state, pod, nodes[index]) for index in chosen}
                values = set(raw.values())
                if len(values) > 1:
                    self._scores.append(_Scores(plugin, weight, raw, self._feasible))
                    self.plugins = (*self.plugins, (plugin.name, weight))
                elif values:  # it tells no node from another
                    alike.append((plugin.name, weight))
                    self._alike = (*self._alike, weight * plugin.normalize({"": values.pop()})[""])
        self.plugins = (*self.plugins, *alike)

    def set_feasible(self, index: int, feasible: bool) -> bool:
        """Whether the totals of the other nodes have changed by it."""
        if feasible is (index in self._feasible):
            return False
        if feasible:
            self._feasible.add(index)
        else:
            self._feasible.discard(index)
        changed = [scores for scores in self._scores if scores.set_feasible(index, feasible)]
        return bool(changed)

    def total(self, index: int) -> int:
        """Of a feasible node, without what all nodes have."""
        return sum(scores.of(index) for scores in self._scores)

    def points(self, index: int) -> tuple[int, ...]:
        """Of a feasible node, by plugin."""
        return tuple([scores.of(index) for scores in self._scores]) + self._alike if self._scores else self._alike
