"""What an API server still knows of the past, asked for with nothing but its ordinary API: a watch from the oldest revision tells every
change since, and a list at an exact revision the state before.

Any Kubernetes API server answers these; how far back depends on it (kube-apiserver forgets what is older than five to ten minutes).
The oldest revision is what a watch from revision 1 is refused with: `too old resource version: 1 (4711)`.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any, Final, NamedTuple

from kctl.apimachinery import objects, times
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import ResourceType
from kctl.apimachinery.status import ApiError, Expired, from_status
from kctl.cli.errors import CommandError
from kctl.cli.past.writers import Writer, writers_of
from kctl.client.client import Client

_OLDEST: Final = re.compile(r"\((\d+)\)")
_SECONDS: Final = 1
"""How long a watch of another server than kctl's waits for more, which has no way to say that all has been told."""

MAX_REVISIONS: Final = 100_000
"""Of one answer; a watch that tells more is not read further."""


class Revision(NamedTuple):
    """An object as it became. `type`: ADDED, MODIFIED, DELETED, or START: as it was at the oldest revision that is kept. `time` is when
    it was written, as far as the object and those before it tell (None where they do not); `writers` who wrote it."""

    number: int
    type: str
    object: Object
    previous: Object | None
    time: datetime | None
    writers: tuple[Writer, ...]


async def oldest(client: Client, resource: ResourceType, namespace: str) -> str:
    """The resourceVersion from which on changes can be told. Raises CommandError where the server does not say."""
    try:
        await client.list(resource, namespace, limit=1, resource_version="1", resource_version_match="Exact")
        return "1"
    except Expired:
        pass
    events = await client.watch(resource, namespace, resource_version="1", allow_bookmarks=False, timeout_seconds=_SECONDS, until_now=True)
    try:
        async for batch in events:
            for event in batch:
                return _from_refusal(from_status(event.object)) if event.type == "ERROR" else "1"
    except ApiError as error:
        return _from_refusal(error)
    finally:
        await _close(events)
    return "1"


def _from_refusal(error: ApiError) -> str:
    found = _OLDEST.search(error.message)
    if not isinstance(error, Expired) or found is None:
        raise CommandError(f"the server tells no history: {error.message}")
    return found[1]


async def _close(events: Any) -> None:
    close = getattr(events, "aclose", None)
    if close is not None:
        await close()


async def at_revision(client: Client, resource: ResourceType, namespace: str, name: str, revision: str) -> list[Object]:
    """The collection (or the one object) at an exact revision. Raises ApiError where that is too old."""
    selector = f"metadata.name={name}" if name else ""
    listed = await client.list(resource, namespace, field_selector=selector, resource_version=revision, resource_version_match="Exact")
    head = {"apiVersion": resource.api_version, "kind": resource.kind}
    return [{**head, **item} for item in listed.get("items") or ()]


async def history(client: Client, resource: ResourceType, namespace: str, name: str = "") -> list[Revision]:
    """Everything that is known of an object (or a collection), the oldest first. Raises ApiError, CommandError."""
    start = await oldest(client, resource, namespace)
    selector = f"metadata.name={name}" if name else ""
    now = await client.list(resource, namespace, field_selector=selector)
    present = {objects.name(item): _number(item) for item in now.get("items") or ()}
    last = max(present.values(), default=0) if name and present else None
    found: list[Revision] = []
    known: dict[tuple[str, str], Object] = {}
    if start != "1":
        for obj in await _first(client, resource, namespace, name, start):
            known[objects.namespace(obj), objects.name(obj)] = obj
            found.append(Revision(_number(obj), "START", obj, None, written(obj), writers_of(obj, None)))
    if last is not None and last <= int(start):
        return found
    async for revision in changes(client, resource, namespace, selector, start, known):
        found.append(revision)
        if (last is not None and revision.number >= last) or len(found) >= MAX_REVISIONS:
            break
    return found


async def _first(client: Client, resource: ResourceType, namespace: str, name: str, start: str) -> list[Object]:
    try:
        return await at_revision(client, resource, namespace, name, start)
    except Expired:  # compacted between the two requests: the changes that follow tell what they can
        return []


async def changes(
    client: Client,
    resource: ResourceType,
    namespace: str,
    selector: str,
    start: str,
    known: dict[tuple[str, str], Object],
    *,
    seconds: int = _SECONDS,
) -> AsyncIterator[Revision]:
    """Every change after `start`; `known` holds what the objects were, and is kept up to date. Ends when all
    that has happened is told, or after `seconds` (0: never)."""
    events = await client.watch(
        resource,
        namespace,
        field_selector=selector,
        resource_version=start,
        allow_bookmarks=False,
        timeout_seconds=seconds,
        until_now=seconds > 0,
    )
    latest = max((time for obj in known.values() if (time := written(obj)) is not None), default=None)
    try:
        async for batch in events:
            for event in batch:
                if event.type == "ERROR":
                    raise from_status(event.object)
                obj = event.object
                key = objects.namespace(obj), objects.name(obj)
                previous = known.pop(key, None)
                if event.type != "DELETED":
                    known[key] = obj
                latest = max((time for time in (latest, written(obj)) if time is not None), default=None)
                yield Revision(_number(obj), event.type, obj, previous, latest, writers_of(obj, previous))
    finally:
        await _close(events)


def _number(obj: Object) -> int:
    try:
        return int(objects.resource_version(obj))
    except ValueError:
        raise CommandError(f"the server's resourceVersions are no numbers: {objects.resource_version(obj)}") from None


def written(obj: Object) -> datetime | None:
    """When the object was last written, by what it says itself: the times of its managers, else its creation or deletion."""
    meta = objects.metadata(obj)
    texts = [entry.get("time") for entry in meta.get("managedFields") or () if isinstance(entry, dict)]
    texts += [meta.get("creationTimestamp")]
    newest = max((text for text in texts if isinstance(text, str) and text), default="")
    try:
        return times.parse(newest) if newest else None
    except ValueError:
        return None
