"""Cron schedules: five fields, names, descriptors and @every, read with the messages of the parser upstream uses, and when they
fire next in a time zone.

Pure. As with that parser a time that a change to summer time leaves out is skipped, and one that occurs twice fires twice; where both
day of month and day of week are restricted, either is enough.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

from kctl.apimachinery import go_numbers, times

_USUAL_LENGTH = 120
_MONTHS = {
    name: number for number, name in enumerate(("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"), 1)
}
_DAYS = {name: number for number, name in enumerate(("sun", "mon", "tue", "wed", "thu", "fri", "sat"))}
_DESCRIPTORS = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_YEARS_AHEAD = 5


class _Bounds(NamedTuple):
    low: int
    high: int
    names: dict[str, int]


_FIELDS = (
    _Bounds(0, 59, {}),
    _Bounds(0, 23, {}),
    _Bounds(1, 31, {}),
    _Bounds(1, 12, _MONTHS),
    _Bounds(0, 6, _DAYS),
)


class ScheduleError(ValueError):
    """The message is the parser's."""


class Schedule(NamedTuple):
    """`next` gives the first time after a moment, or None where there is none in five years."""

    next: Callable[[datetime, tzinfo], datetime | None]


def parse(text: str) -> Schedule:
    """Raises ScheduleError."""
    return _known(text) if len(text) <= _USUAL_LENGTH else _parse(text)


@lru_cache(maxsize=1024)
def _known(text: str) -> Schedule:
    """A controller reads the same schedule again and again."""
    return _parse(text)


def _parse(text: str) -> Schedule:
    if not text:
        raise ScheduleError("empty spec string")
    own_zone: tzinfo | None = None
    if text.startswith(("TZ=", "CRON_TZ=")):
        zone, _, text = text.partition(" ")
        text = text.strip()
        own_zone = _zone(zone.partition("=")[2])
    return _descriptor(text, own_zone) if text.startswith("@") else _fields(text, own_zone)


def _zone(name: str) -> tzinfo:
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # a zone that is not found is a KeyError
        raise ScheduleError(f"provided bad location {name}: unknown time zone {name}") from None


def _descriptor(text: str, zone: tzinfo | None) -> Schedule:
    if text in _DESCRIPTORS:
        return _fields(_DESCRIPTORS[text], zone)
    if text.startswith("@every "):
        try:
            seconds = max(int(times.parse_duration(text.removeprefix("@every "))), 1)
        except ValueError as error:
            raise ScheduleError(f"failed to parse duration {text}: {error}") from None
        return Schedule(lambda after, zone: after.replace(microsecond=0) + timedelta(seconds=seconds))
    raise ScheduleError(f"unrecognized descriptor: {text}")


def _fields(text: str, zone: tzinfo | None) -> Schedule:
    fields = text.split()
    if len(fields) != len(_FIELDS):
        raise ScheduleError(f"expected exactly 5 fields, found {len(fields)}: [{' '.join(fields)}]")
    sets = [_set(part, bounds) for part, bounds in zip(fields, _FIELDS, strict=True)]
    days = _Days(sets[2], sets[4], _is_star(fields[2]), _is_star(fields[4]))
    calendar = _Calendar(sets[0], sets[1], sets[3], days)
    return Schedule(lambda after, wanted: calendar.next(after, zone or wanted))


def _is_star(field: str) -> bool:
    return any(part.split("/")[0] in ("*", "?") for part in field.split(","))


def _set(field: str, bounds: _Bounds) -> frozenset[int]:
    return frozenset(number for expression in dict.fromkeys(field.split(",")) if expression for number in _range(expression, bounds))


@dataclass(frozen=True, slots=True)
class _Days:
    of_month: frozenset[int]
    of_week: frozenset[int]
    any_of_month: bool
    any_of_week: bool

    def match(self, moment: datetime) -> bool:
        month = moment.day in self.of_month
        week = moment.isoweekday() % 7 in self.of_week
        return (month and week) if self.any_of_month or self.any_of_week else (month or week)


@dataclass(frozen=True, slots=True)
class _Calendar:
    minutes: frozenset[int]
    hours: frozenset[int]
    months: frozenset[int]
    days: _Days

    def next(self, after: datetime, zone: tzinfo) -> datetime | None:
        """Goes forward in absolute time and looks at the local clock: by days, then hours, then minutes."""
        moment = after.astimezone(UTC).replace(second=0, microsecond=0) + timedelta(minutes=1)
        last = moment.year + _YEARS_AHEAD
        while (local := moment.astimezone(zone)).year <= last:
            if local.month not in self.months or not self.days.match(local):
                moment = _next_day(local, zone)
            elif local.hour not in self.hours:
                moment += timedelta(minutes=60 - local.minute)
            elif local.minute not in self.minutes:
                moment += timedelta(minutes=1)
            else:
                return moment
        return None


def _next_day(local: datetime, zone: tzinfo) -> datetime:
    midnight = datetime(local.year, local.month, local.day, tzinfo=zone) + timedelta(days=1)
    return midnight.astimezone(UTC)


def _range(expression: str, bounds: _Bounds) -> range:
    span, *steps = expression.split("/")
    low, *high = span.split("-")
    if low in ("*", "?"):
        start, end = bounds.low, bounds.high
    else:
        start = _number(low, bounds)
        if len(high) > 1:
            raise ScheduleError(f"too many hyphens: {expression}")
        end = _number(high[0], bounds) if high else start
    step = 1
    if len(steps) > 1:
        raise ScheduleError(f"too many slashes: {expression}")
    if steps:
        step = _integer(steps[0])
        if not high and low not in ("*", "?"):
            end = bounds.high
    if start < bounds.low:
        raise ScheduleError(f"beginning of range ({start}) below minimum ({bounds.low}): {expression}")
    if end > bounds.high:
        raise ScheduleError(f"end of range ({end}) above maximum ({bounds.high}): {expression}")
    if start > end:
        raise ScheduleError(f"beginning of range ({start}) beyond end of range ({end}): {expression}")
    if step == 0:
        raise ScheduleError(f"step of range should be a positive number: {expression}")
    return range(start, end + 1, step)


def _number(text: str, bounds: _Bounds) -> int:
    named = bounds.names.get(text.lower())
    return _integer(text) if named is None else named


def _integer(text: str) -> int:
    try:
        number = go_numbers.parse_int(text, "Atoi")
    except go_numbers.GoNumberError as error:
        raise ScheduleError(f"failed to parse int from {text}: {error}") from None
    if number < 0:
        raise ScheduleError(f"negative number ({number}) not allowed: {text}")
    return number
