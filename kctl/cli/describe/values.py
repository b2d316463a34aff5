"""Values as kubectl's describe words them: times, quantities, selectors, booleans, owners."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from kctl.apimachinery import objects, quantity, times
from kctl.apimachinery.objects import Object


def long_time(timestamp: str | None) -> str:
    """RFC 1123 with a numeric zone, in local time: Mon, 02 Jan 2006 15:04:05 -0700."""
    if not timestamp:
        return "Mon, 01 Jan 0001 00:00:00 +0000"
    return times.parse(timestamp).astimezone().strftime("%a, %d %b %Y %H:%M:%S %z")


def since(timestamp: str | None, now: datetime) -> str:
    if not timestamp:
        return "<unknown>"
    return times.human_duration(now.astimezone(UTC) - times.parse(timestamp))


def boolean(value: Any) -> str:
    """True / False as a condition's status."""
    return "True" if value else "False"


def go_bool(value: Any) -> str:
    return "true" if value else "false"


def or_none(text: Any) -> str:
    return str(text) if text not in (None, "") else "<none>"


def or_unset(value: Any) -> str:
    return "<unset>" if value is None else str(value)


def controlled_by(obj: Object) -> str:
    """Kind/name of the controlling owner, '' where there is none."""
    owner = objects.controller_of(obj)
    return f"{owner['kind']}/{owner['name']}" if owner else ""


def sorted_resources(resources: Mapping[str, Any] | None) -> list[tuple[str, str]]:
    return [(name, str(value)) for name, value in sorted((resources or {}).items())]


def quantity_sum(values: list[Any]) -> str:
    return quantity.add(*values) if values else "0"


def joined_pairs(pairs: Mapping[str, str] | None) -> str:
    """a=b,c=d in the order of the keys."""
    return ",".join(f"{key}={value}" for key, value in sorted((pairs or {}).items())) or "<none>"
