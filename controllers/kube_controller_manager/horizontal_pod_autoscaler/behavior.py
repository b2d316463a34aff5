"""How fast a number of replicas may change: stabilization windows and policies of `spec.behavior`, and upstream's rules without it.

A `History` remembers, for one autoscaler, what was recommended and what was done, for as long as anything still asks for it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

DOWNSCALE_STABILIZATION_SECONDS = 300.0
_DISABLED, _MIN = "Disabled", "Min"
_MOST = 2**31 - 1

_LOWER = "recent recommendations were lower than current one, applying the lowest recent recommendation"
_HIGHER = "recent recommendations were higher than current one, applying the highest recent recommendation"


class Limited(NamedTuple):
    """`stabilized`: reason and message for AbleToScale; `limited`: whether, reason and message for ScalingLimited."""

    replicas: int
    stabilized: tuple[str, str]
    limited: tuple[bool, str, str]


@dataclass(slots=True)
class History:
    """Times are of a monotonic clock, in seconds."""

    recommendations: list[tuple[float, int]] = field(default_factory=list)
    ups: list[tuple[float, int]] = field(default_factory=list)
    downs: list[tuple[float, int]] = field(default_factory=list)

    def begin(self, replicas: int, now: float) -> None:
        if not self.recommendations:
            self.recommendations.append((now, replicas))

    def scaled(self, before: int, after: int, behavior: dict[str, Any] | None, now: float) -> None:
        """Only what policies will ask for is kept."""
        if behavior is None:
            return
        events, rules = (self.ups, behavior["scaleUp"]) if after > before else (self.downs, behavior["scaleDown"])
        longest = max((policy["periodSeconds"] for policy in rules.get("policies") or ()), default=0)
        events[:] = [event for event in events if event[0] >= now - longest]
        events.append((now, abs(after - before)))

    def _recommend(self, replicas: int, now: float, keep_seconds: float) -> None:
        self.recommendations = [each for each in self.recommendations if each[0] >= now - keep_seconds]
        self.recommendations.append((now, replicas))


_READY = ("ReadyForNewScale", "recommended size matches current size")
_WITHIN = (False, "DesiredWithinRange", "the desired count is within the acceptable range")
_TOO_MANY = ("TooManyReplicas", "the desired replica count is more than the maximum replica count")
_TOO_FEW = ("TooFewReplicas", "the desired replica count is less than the minimum replica count")
_UP_LIMIT = ("ScaleUpLimit", "the desired replica count is increasing faster than the maximum scale rate")
_DOWN_LIMIT = ("ScaleDownLimit", "the desired replica count is decreasing faster than the maximum scale rate")


def limit(history: History, behavior: dict[str, Any] | None, current: int, desired: int, minimum: int, maximum: int, now: float) -> Limited:
    if behavior is None:
        return _by_default(history, current, desired, minimum, maximum, now)
    return _by_rules(history, behavior, current, desired, minimum, maximum, now)


def _by_default(history: History, current: int, desired: int, minimum: int, maximum: int, now: float) -> Limited:
    recent = [count for at, count in history.recommendations if at >= now - DOWNSCALE_STABILIZATION_SECONDS]
    stable = max([desired, *recent])
    history._recommend(desired, now, DOWNSCALE_STABILIZATION_SECONDS)
    stabilized = ("ScaleDownStabilized", _HIGHER) if stable != desired else _READY
    most, why = maximum, _TOO_MANY
    fastest = max(2 * current, 4)
    if maximum > fastest:
        most, why = fastest, _UP_LIMIT
    if stable < minimum:
        return Limited(minimum, stabilized, (True, *_TOO_FEW))
    if stable > most:
        return Limited(most, stabilized, (True, *why))
    return Limited(stable, stabilized, _WITHIN)


def _by_rules(history: History, behavior: dict[str, Any], current: int, desired: int, minimum: int, maximum: int, now: float) -> Limited:
    up, down = behavior["scaleUp"], behavior["scaleDown"]
    stable, stabilized = _stabilize(history, _window(up, 0.0), _window(down, DOWNSCALE_STABILIZATION_SECONDS), current, desired, now)
    if stable > current:
        fastest = max(_up_limit(current, history, up, now), current)
        most, why = (fastest, _UP_LIMIT) if maximum > fastest else (maximum, _TOO_MANY)
        if stable > most:
            return Limited(most, stabilized, (True, *why))
    elif stable < current:
        fastest = min(_down_limit(current, history, down, now), current)
        least, why = (fastest, _DOWN_LIMIT) if minimum < fastest else (minimum, _TOO_FEW)
        if stable < least:
            return Limited(least, stabilized, (True, *why))
    return Limited(stable, stabilized, _WITHIN)


def _window(rules: dict[str, Any], default: float) -> float:
    seconds = rules.get("stabilizationWindowSeconds")
    return default if seconds is None else float(seconds)


def _stabilize(
    history: History, up_seconds: float, down_seconds: float, current: int, desired: int, now: float
) -> tuple[int, tuple[str, str]]:
    """Up to the lowest, down to the highest recommendation of the window."""
    better: Callable[[int, int], int]
    if desired >= current:
        seconds, better, told = up_seconds, min, ("ScaleUpStabilized", _LOWER)
    else:
        seconds, better, told = down_seconds, max, ("ScaleDownStabilized", _HIGHER)
    stable = desired
    for at, count in history.recommendations:
        if at > now - seconds:
            stable = better(count, stable)
    history._recommend(desired, now, max(up_seconds, down_seconds))
    return stable, told if stable != desired else _READY


def _changed(events: Sequence[tuple[float, int]], seconds: float, now: float) -> int:
    return sum(count for at, count in events if at > now - seconds)


def _up_limit(current: int, history: History, rules: dict[str, Any], now: float) -> int:
    selection = rules.get("selectPolicy")
    if selection == _DISABLED:
        return current
    proposals = []
    for policy in rules.get("policies") or ():
        began = current - _changed(history.ups, policy["periodSeconds"], now)
        value = policy["value"]
        proposals.append(began + value if policy["type"] == "Pods" else math.ceil(began * (100 + value) / 100))
    return min(proposals, default=_MOST) if selection == _MIN else max(proposals, default=0)


def _down_limit(current: int, history: History, rules: dict[str, Any], now: float) -> int:
    selection = rules.get("selectPolicy")
    if selection == _DISABLED:
        return current
    proposals = []
    for policy in rules.get("policies") or ():
        began = current + _changed(history.downs, policy["periodSeconds"], now)
        value = policy["value"]
        proposals.append(began - value if policy["type"] == "Pods" else began * (100 - value) // 100)
    return max(proposals, default=0) if selection == _MIN else min(proposals, default=_MOST)
