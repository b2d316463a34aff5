"""Deleting objects and waiting until they are gone: shared by delete, replace --force and apply --prune."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import NamedTuple

from kctl.apimachinery import objects
from kctl.apimachinery.resources import ResourceType
from kctl.apimachinery.status import ApiError, NotFound
from kctl.cli.errors import CommandError
from kctl.cli.session import Session
from kctl.client.client import Client

CASCADES = {"background": "Background", "foreground": "Foreground", "orphan": "Orphan"}


class Deleted(NamedTuple):
    """What to wait for: the object under this name, as long as it has this uid ('' if the server did not say)."""

    resource: ResourceType
    namespace: str
    name: str
    uid: str


def propagation(cascade: str) -> str:
    """The propagationPolicy of a --cascade value. Raises CommandError."""
    if cascade in CASCADES:
        return CASCADES[cascade]
    if cascade in ("true", "false"):
        return "Background" if cascade == "true" else "Orphan"
    raise CommandError(f'invalid cascade value ({cascade}). Must be "background", "foreground", or "orphan"')


async def wait_gone(session: Session, deleted: Sequence[Deleted], timeout_seconds: float) -> None:
    """Until none of the objects is left; 0 waits for ever. Raises CommandError on a timeout."""
    client = await session.client()
    errors: list[CommandError] = []
    for one in deleted:
        try:
            async with asyncio.timeout(timeout_seconds or None):
                await _wait_one(client, one)
        except TimeoutError:
            errors.append(CommandError(f"timed out waiting for the condition on {one.resource.plural}/{one.name}"))
    if errors:
        from kctl.cli.errors import raise_all

        raise_all(errors)


async def _wait_one(client: Client, one: Deleted) -> None:
    while True:
        try:
            found = await client.get(one.resource, one.name, one.namespace)
        except NotFound:
            return
        except ApiError as error:
            if error.http_status in (403, 405):
                return
            raise
        if one.uid and objects.uid(found) != one.uid:
            return
        if await _watch_until_gone(client, one, objects.resource_version(found)):
            return


async def _watch_until_gone(client: Client, one: Deleted, version: str) -> bool:
    """False when the watch ended first; then the object is looked at again."""
    try:
        events = await client.watch(
            one.resource, one.namespace, name=one.name, resource_version=version, allow_bookmarks=False
        )
        async for batch in events:
            for event in batch:
                if event.type == "DELETED" or event.type == "ERROR":
                    return event.type == "DELETED"
                if one.uid and objects.uid(event.object) not in ("", one.uid):
                    return True
    except ApiError:
        await asyncio.sleep(0.1)
    return False
