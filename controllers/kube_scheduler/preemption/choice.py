"""Which of the nodes that could be freed costs least (pickOneNodeForPreemption). Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from controllers.kube_scheduler.pod_info import PodInfo

_OFFSET = 2**31
"""Makes every priority positive, so that of two nodes the one with fewer victims of negative priority is preferred."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """`victims` the most important first; `violations`: how many of them a PodDisruptionBudget would keep."""

    node: str
    victims: list[PodInfo]
    violations: int


def importance(pod: PodInfo) -> tuple[int, str]:
    """Sorts the most important first: by priority, then who has run longer."""
    return -pod.priority, start_of(pod)


def start_of(pod: PodInfo) -> str:
    """RFC 3339, which sorts as text; a pod that has not begun is newer than every other."""
    return str((pod.pod.get("status") or {}).get("startTime") or "~")


def best_candidate(candidates: Sequence[Candidate]) -> Candidate:
    """Fewest violations of budgets, then the lowest highest priority, the lowest sum of priorities, the fewest victims, and then
    the one whose most important victims began last; else the first."""
    return min(candidates, key=rank)


def rank(candidate: Candidate) -> tuple[object, ...]:
    """Sorts the best first."""
    priorities = [pod.priority for pod in candidate.victims]
    cost = candidate.violations, max(priorities), sum(priority + _OFFSET for priority in priorities), len(priorities)
    return *cost, _Latest(_earliest_start_of_the_highest(candidate))


class _Latest(str):
    """Sorts the other way round."""

    __slots__ = ()

    def __lt__(self, other: str) -> bool:
        return str.__gt__(self, other)


def _earliest_start_of_the_highest(candidate: Candidate) -> str:
    highest = max(pod.priority for pod in candidate.victims)
    return min(start_of(pod) for pod in candidate.victims if pod.priority == highest)
