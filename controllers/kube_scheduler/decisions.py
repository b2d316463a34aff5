"""What was decided of which pod, so that people may ask later. Bounded: of the latest pods, and of the latest refusals node by node."""

from __future__ import annotations

from collections import OrderedDict, deque
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

from kctl.apimachinery.clock import Clock

if TYPE_CHECKING:
    from controllers.kube_scheduler.assignment import Detail, Merits, Refusal

MOST_PODS = 50_000
MOST_STATUSES = 50_000
"""Of nodes, over all refusals that are remembered node by node."""


class Placed(NamedTuple):
    at: datetime
    node: str
    merits: Merits


class Refused(NamedTuple):
    at: datetime
    refusal: Refusal


class Decisions:
    """By uid. A pod that is gone is forgotten."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._of: OrderedDict[str, Placed | Refused] = OrderedDict()
        self._details: deque[Detail] = deque()
        self._statuses = 0

    def get(self, uid: str) -> Placed | Refused | None:
        return self._of.get(uid)

    def placed(self, uid: str, node: str, merits: Merits) -> None:
        self._of[uid] = Placed(self._clock.now(), node, merits)  # as _put does: once for every pod there is
        if len(self._of) > MOST_PODS:
            self._of.popitem(last=False)

    def refused(self, uid: str, refusal: Refusal) -> None:
        """Pods of one shape share their refusal, which counts once."""
        self._put(uid, Refused(self._clock.now(), refusal))
        detail = refusal.detail
        if not detail.is_noted:
            detail.is_noted = True
            self._details.append(detail)
            self._statuses += len(detail.statuses)
        while self._statuses > MOST_STATUSES and len(self._details) > 1:
            oldest = self._details.popleft()
            self._statuses -= len(oldest.statuses)
            oldest.statuses = {}

    def _put(self, uid: str, decision: Placed | Refused) -> None:
        self._of[uid] = decision
        if len(self._of) > MOST_PODS:
            self._of.popitem(last=False)

    def forget(self, uid: str) -> None:
        self._of.pop(uid, None)
