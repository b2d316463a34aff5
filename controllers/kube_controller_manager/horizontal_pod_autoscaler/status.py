"""The status of an autoscaler as a round leaves it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from kctl.apimachinery import objects
from kctl.apimachinery.objects import Object
from kctl.apimachinery.times import rfc3339


class StatusDraft:
    """Begins as the status is; `changed` tells whether there is anything to write."""

    def __init__(self, autoscaler: Object, now: datetime) -> None:
        self._before = objects.status(autoscaler)
        self._now = rfc3339(now)
        self.status: dict[str, Any] = dict(self._before)
        self.status.setdefault("desiredReplicas", 0)
        self.status.setdefault("currentMetrics", None)
        self._conditions = [dict(each) for each in self._before.get("conditions") or ()]

    @property
    def changed(self) -> bool:
        return self.status != self._before

    def condition(self, kind: str, holds: bool, reason: str, message: str) -> None:
        wanted = "True" if holds else "False"
        present = next((each for each in self._conditions if each["type"] == kind), None)
        if present is None:
            present = {"type": kind}
            self._conditions.append(present)
        if present.get("status") != wanted:
            present["lastTransitionTime"] = self._now
        present |= {"status": wanted, "reason": reason, "message": message}
        self.status["conditions"] = self._conditions

    def current(self, replicas: int, metrics: Sequence[Object] | None = None) -> None:
        """How many there are; what is wished stays."""
        self._count("currentReplicas", replicas)
        self.status["currentMetrics"] = list(metrics) if metrics is not None else self._before.get("currentMetrics")

    def replicas(self, current: int, desired: int, metrics: Sequence[Object] | None, *, scaled: bool) -> None:
        self._count("currentReplicas", current)
        self.status["desiredReplicas"] = desired
        self.status["currentMetrics"] = list(metrics) if metrics is not None else None
        if scaled:
            self.status["lastScaleTime"] = self._now

    def _count(self, field: str, value: int) -> None:
        if value:
            self.status[field] = value
        else:
            self.status.pop(field, None)
