"""Times and durations as the API writes them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

SLOWEST_SPEED, FASTEST_SPEED = 0.001, 100_000.0
"""How many seconds of a cluster may pass in one of the machine."""


def rfc3339(moment: datetime) -> str:
    """metav1.Time: whole seconds, UTC, e.g. 2026-01-01T00:00:00Z."""
    return f"{_utc(moment).isoformat()[:19]}Z"


def rfc3339_micro(moment: datetime) -> str:
    """metav1.MicroTime: six digits, UTC."""
    return f"{_utc(moment).isoformat(timespec='microseconds')[:26]}Z"


def http_date(moment: datetime) -> str:
    """As in an HTTP header (RFC 9110, IMF-fixdate): Thu, 01 Jan 2026 00:00:00 GMT."""
    utc = _utc(moment)
    return f"{_DAYS[utc.weekday()]}, {utc.day:02} {_MONTHS[utc.month - 1]} {utc.year:04} {utc.hour:02}:{utc.minute:02}:{utc.second:02} GMT"


def parse_http_date(text: str) -> datetime:
    """Raises ValueError."""
    found = _HTTP_DATE.fullmatch(text)
    if found is None or found[2] not in _MONTHS:
        raise ValueError(f"invalid HTTP date {text!r}")
    day, _, year, hour, minute, second = found.groups()
    return datetime(int(year), _MONTHS.index(found[2]) + 1, int(day), int(hour), int(minute), int(second), tzinfo=UTC)


_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_HTTP_DATE = re.compile(r"[A-Z][a-z]{2}, ([0-9]{2}) ([A-Z][a-z]{2}) ([0-9]{4}) ([0-9]{2}):([0-9]{2}):([0-9]{2}) GMT")


def _utc(moment: datetime) -> datetime:
    return moment if moment.tzinfo is UTC else moment.astimezone(UTC)


def parse(text: str) -> datetime:
    """RFC 3339 with any fraction and offset. Raises ValueError."""
    return datetime.fromisoformat(re.sub(r"(\.\d{6})\d+", r"\1", text))


def human_duration(span: timedelta) -> str:
    """An age as kubectl prints it: 5s, 3m20s, 5h, 2d3h, 3y40d (k8s.io/apimachinery util/duration.HumanDuration)."""
    seconds = int(span.total_seconds())
    if seconds < -1:
        return "<invalid>"
    if seconds < 0:
        return "0s"
    if seconds < 120:
        return f"{seconds}s"
    minutes = seconds // 60
    if minutes < 10:
        return f"{minutes}m{seconds % 60}s" if seconds % 60 else f"{minutes}m"
    if minutes < 180:
        return f"{minutes}m"
    hours = seconds // 3600
    if hours < 8:
        rest = minutes % 60
        return f"{hours}h{rest}m" if rest else f"{hours}h"
    if hours < 48:
        return f"{hours}h"
    days = hours // 24
    if hours < 192:
        return f"{days}d{hours % 24}h" if hours % 24 else f"{days}d"
    if hours < 24 * 365 * 2:
        return f"{days}d"
    years = hours // (24 * 365)
    if hours < 24 * 365 * 8:
        rest = days % 365
        return f"{years}y{rest}d" if rest else f"{years}y"
    return f"{years}y"


_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_PART = r"([0-9]++(?:\.[0-9]*+)?|\.[0-9]++)(ns|us|µs|μs|ms|s|m|h)"
_DURATION = re.compile(f"[-+]?(?:0|(?:{_PART})+)")
_LONGEST = 2**63 / 1e9
"""Seconds: a Go duration is an int64 of nanoseconds."""


def parse_duration(text: str) -> float:
    """Seconds of a Go duration: 1h30m, 500ms, 0. Raises ValueError with Go's wording."""
    if _DURATION.fullmatch(text) is None:
        raise ValueError(f'time: invalid duration "{text}"')
    total = sum(float(number) * _UNITS[unit] for number, unit in re.findall(_PART, text))
    if total > _LONGEST:
        raise ValueError(f'time: invalid duration "{text}"')
    return -total if text.startswith("-") else total


def go_duration(seconds: float) -> str:
    """Seconds as Go's Duration prints itself: 1h0m0s, 1m30s, 1.5s, 500ms, 0s."""
    nanoseconds = round(abs(seconds) * 1e9)
    sign = "-" if seconds < 0 else ""
    if nanoseconds < 1_000_000_000:
        for unit, size in (("ms", 1_000_000), ("µs", 1_000), ("ns", 1)):
            if nanoseconds >= size:
                return f"{sign}{_decimal(nanoseconds, size)}{unit}"
        return "0s"
    minutes, rest = divmod(nanoseconds, 60_000_000_000)
    text = f"{_decimal(rest, 1_000_000_000)}s"
    if not minutes:
        return sign + text
    hours, minutes = divmod(minutes, 60)
    return f"{sign}{hours}h{minutes}m{text}" if hours else f"{sign}{minutes}m{text}"


def _decimal(value: int, unit: int) -> str:
    whole, rest = divmod(value, unit)
    if not rest:
        return str(whole)
    return f"{whole}.{str(rest).zfill(len(str(unit)) - 1).rstrip('0')}"
