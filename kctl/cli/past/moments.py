"""--at: a revision, or a moment that is turned into one.

API servers do not tell when a revision was; objects do, by their managers' times. So the revision of a moment is, for each collection,
the one before its first change after that moment: exact to the second.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Final

from kctl.apimachinery import times
from kctl.apimachinery.resources import ResourceType
from kctl.cli.errors import CommandError
from kctl.cli.past.revisions import at_revision, changes, oldest, written
from kctl.client.client import Client

_SPAN: Final = re.compile(r"(?P<span>(?:\d+(?:\.\d+)?(?:ms|s|m|h|d))+)(?:\s+ago)?")
_DAYS: Final = re.compile(r"(\d+(?:\.\d+)?)d")


def parse(text: str, now: datetime) -> int | datetime:
    """4711 (a revision), 10m ago, 10m, 2026-11-28T07:00:00Z, 07:00 (of today or yesterday, UTC). Raises CommandError."""
    text = text.strip()
    if text.isascii() and text.isdigit() and len(text) < 20:
        return int(text)
    span = _SPAN.fullmatch(text)
    try:
        if span is not None:
            hours = _DAYS.sub(lambda found: f"{float(found[1]) * 24}h", span["span"])
            return now - timedelta(seconds=times.parse_duration(hours))
        if re.fullmatch(r"\d{1,2}:\d{2}(:\d{2})?", text):
            hour, minute, second = (int(part) for part in f"{text}:00".split(":")[:3])
            moment = now.astimezone(UTC).replace(hour=hour, minute=minute, second=second, microsecond=0)
            return moment if moment <= now else moment - timedelta(days=1)
        return times.parse(text)
    except (ValueError, OverflowError):
        raise CommandError(
            f'invalid value "{text}" for --at: give a revision (4711), a span ("10m ago") or a time (2026-11-28T07:00:00Z)'
        ) from None


async def revision_of(client: Client, resource: ResourceType, namespace: str, moment: datetime) -> str:
    """The resourceVersion at which the collection was as it was at that moment; '' is now. Raises CommandError where the server does not
    know so far back."""
    start = await oldest(client, resource, namespace)
    if start != "1":
        first = await at_revision(client, resource, namespace, "", start)
        earliest = max((time for obj in first if (time := written(obj)) is not None), default=None)
        if earliest is not None and moment < earliest:
            raise CommandError(f"the server's history of {resource.plural} begins at {times.rfc3339(earliest)} (revision {start})")
    newest = None
    async for revision in changes(client, resource, namespace, "", start, {}):
        newest = max((time for time in (newest, revision.time) if time is not None), default=None)
        if newest is not None and newest > moment:
            return str(revision.number - 1)
    return ""
