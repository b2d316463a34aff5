"""Deleting objects and waiting until they are gone: shared by delete, replace --force and apply --prune."""

from __future__ import annotations

import math
from collections.abc import Sequence
from time import monotonic
from typing import NamedTuple

from kctl.apimachinery import objects
from kctl.apimachinery.resources import ResourceType
from kctl.apimachinery.status import ApiError, NotFound
from kctl.cli.errors import CommandError, raise_all
from kctl.cli.session import Session
from kctl.cli.terminal import Steps
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
    if not deleted:
        return
    client = await session.client()
    if session.embedded:
        return await _say_what_stays(session, client, deleted)
    errors: list[CommandError] = []
    with Steps(session, "Waiting until they are gone", len(deleted)) as steps:
        for target in deleted:
            steps.at(f"{target.resource.plural}/{target.name}")
            deadline = monotonic() + timeout_seconds if timeout_seconds else None
            if not await _wait_one(client, target, deadline):
                errors.append(CommandError(f"timed out waiting for the condition on {target.resource.plural}/{target.name}"))
            steps.done()
    raise_all(errors)


async def wait_one_gone(session: Session, target: Deleted) -> None:
    """However long it takes, and saying nothing: one of many that are waited for at the same time."""
    client = await session.client()
    if session.embedded:
        return await _say_what_stays(session, client, [target])
    await _wait_one(client, target, None)


async def _say_what_stays(session: Session, client: Client, deleted: Sequence[Deleted]) -> None:
    """With nothing running no kubelet and no controller finishes a deletion, and waiting would never end."""
    for target in deleted:
        try:
            present = await client.get(target.resource, target.name, target.namespace)
        except ApiError:
            continue
        if objects.uid(present) == target.uid:
            session.error(f"Note: {target.resource.plural}/{target.name} is marked for deletion and goes when the cluster runs")


async def _wait_one(client: Client, target: Deleted, deadline: float | None) -> bool:
    """False when time ran out. The server ends each watch in time, so that no timer is needed here."""
    while True:
        try:
            present = await client.get(target.resource, target.name, target.namespace)
        except NotFound:
            return True
        except ApiError as error:
            if error.http_status in (403, 405):
                return True
            raise
        if target.uid and objects.uid(present) != target.uid:
            return True
        left = math.ceil(deadline - monotonic()) if deadline is not None else 0
        if deadline is not None and left <= 0:
            return False
        if await _watch_until_gone(client, target, objects.resource_version(present), left):
            return True


async def _watch_until_gone(client: Client, target: Deleted, version: str, seconds: int) -> bool:
    """False when the watch ended first; then the object is looked at again."""
    events = await client.watch(
        target.resource,
        target.namespace,
        name=target.name,
        resource_version=version,
        allow_bookmarks=False,
        timeout_seconds=seconds,
    )
    async for batch in events:
        for event in batch:
            if event.type in ("DELETED", "ERROR"):
                return event.type == "DELETED"
            if target.uid and objects.uid(event.object) not in ("", target.uid):
                return True
    return False
