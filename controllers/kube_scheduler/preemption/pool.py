"""Nodes that could be freed for pods of one shape, tried out once and kept in order of what it would cost.

What a node would cost depends on the node and the pods on it alone, as long as no filter looks at pods elsewhere; so pods of one shape
share it until something on the node changes. Upstream tries a random tenth of the nodes (at least 100) for each pod and takes the
cheapest; here as many are kept tried out, and a pod takes the cheapest of all that are known, which upstream's could have been.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable, Mapping
from typing import NamedTuple

from controllers.kube_scheduler.cache import Cache
from controllers.kube_scheduler.framework import Code, CycleState, Status
from controllers.kube_scheduler.preemption.choice import Candidate, rank

Try = Callable[[str], Candidate | Status]


class PoolKey(NamedTuple):
    """What the answers hold for beside the nodes: the filters' state, by identity, and the budgets there are."""

    state: int
    budgets: tuple[str, ...]


class Pool:
    """`state` is kept so that no other has its identity."""

    def __init__(self, key: PoolKey, state: CycleState, cache: Cache) -> None:
        self.key = key
        self._state = state
        self._cache = cache
        self._journal = -1
        self._untried: deque[str] = deque()
        self._is_untried: set[str] = set()
        self._live: dict[str, int] = {}
        """Candidates, with the number of their entry in the order."""
        self.why: dict[str, Status] = {}
        """Of those that cannot be freed."""
        self._order: list[tuple[tuple[object, ...], int, Candidate]] = []
        self._count = 0

    def best(self, statuses: Mapping[str, Status], wanted: int, start: Callable[[int], int], attempt: Try) -> Candidate | None:
        """The cheapest of at least `wanted` candidates, where there are so many; `start` draws where trying begins."""
        self._keep_up(statuses, start)
        while len(self._live) < wanted and self._untried:
            name = self._untried.popleft()
            self._is_untried.discard(name)
            status = statuses.get(name)
            if status is not None and status.code is Code.UNSCHEDULABLE:
                self._note(name, attempt(name))
        while self._order:
            _, number, candidate = self._order[0]
            if self._live.get(candidate.node) == number:
                return candidate
            heapq.heappop(self._order)
        return None

    def _note(self, name: str, tried: Candidate | Status) -> None:
        if isinstance(tried, Candidate):
            self._count += 1
            self._live[name] = self._count
            heapq.heappush(self._order, (rank(tried), self._count, tried))
        else:
            self.why[name] = tried

    def _keep_up(self, statuses: Mapping[str, Status], start: Callable[[int], int]) -> None:
        """Nodes whose pods have changed are to be tried again, as the last."""
        changed = self._cache.changed_since(self._journal) if self._journal >= 0 else None
        self._journal = self._cache.journal_length
        if changed is None:
            self._live, self.why, self._order = {}, {}, []
            self._untried = deque(name for name, status in statuses.items() if status.code is Code.UNSCHEDULABLE)
            self._is_untried = set(self._untried)
            if self._untried:
                self._untried.rotate(-start(len(self._untried)))
            return
        for name in dict.fromkeys(changed):
            self._live.pop(name, None)
            self.why.pop(name, None)
            if name not in self._is_untried:
                self._is_untried.add(name)
                self._untried.append(name)
