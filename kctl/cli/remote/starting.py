"""What `kctl run -i` and `kctl debug -i` do once there is a pod: wait until it runs, attach to it, and read its log where that is too late."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from kctl.apimachinery import objects
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import PODS
from kctl.apimachinery.status import from_status
from kctl.cli.errors import CommandError, plain
from kctl.cli.remote.attach import DETACH_KEYS, attach, container_to_attach
from kctl.cli.remote.command import COMPLETED
from kctl.cli.session import Session


async def pod_when(session: Session, namespace: str, name: str, holds: Callable[[Object], bool], timeout_seconds: float) -> Object:
    """The pod once it `holds`; 0 waits for ever. Raises CommandError on a timeout, and ApiError where the pod is deleted."""
    try:
        async with asyncio.timeout(timeout_seconds or None):
            while True:
                found = await _watched(session, namespace, name, holds)
                if found is not None:
                    return found
    except TimeoutError:
        raise CommandError("timed out waiting for the condition") from None


async def _watched(session: Session, namespace: str, name: str, holds: Callable[[Object], bool]) -> Object | None:
    """None where the watch ended first."""
    client = await session.client()
    pod = await client.get(PODS, name, namespace)
    if holds(pod):
        return pod
    events = await client.watch(PODS, namespace, name=name, resource_version=objects.resource_version(pod), allow_bookmarks=False)
    async for batch in events:
        for event in batch:
            if event.type == "ERROR":
                if event.object.get("code") == 410:
                    return None
                raise from_status(event.object)
            if event.type == "DELETED":
                message, details = f'pods "{name}" not found', {"name": name, "kind": "pods"}
                raise from_status({"kind": "Status", "reason": "NotFound", "code": 404, "message": message, "details": details})
            if holds(event.object):
                return event.object
    return None


def is_completed(pod: Object) -> bool:
    return objects.status(pod).get("phase") in COMPLETED


def runs_or_is_completed(pod: Object) -> bool:
    return is_completed(pod) or (objects.status(pod).get("phase") == "Running" and objects.is_condition_true(pod, "Ready"))


async def attach_or_log(
    session: Session,
    pod: Object,
    container: str,
    *,
    stdin: bool,
    tty: bool,
    quiet: bool,
    ended: bool,
    keys: str = DETACH_KEYS,
    program: str = "kctl attach",
) -> None:
    """With `ended` there is nothing to attach to: what the container wrote is shown."""
    if ended:
        await show_log(session, pod, container, quiet=quiet)
        return
    try:
        await attach(session, pod, container, stdin=stdin, tty=tty, quiet=quiet, keys=keys, program=program)
    except CommandError as error:
        name = objects.name(pod)
        session.error(f"warning: couldn't attach to pod/{name}, falling back to streaming logs: {plain(error)}")
        await show_log(session, pod, container, quiet=quiet)


async def show_log(session: Session, pod: Object, container: str, *, quiet: bool) -> None:
    chosen = container_to_attach(session, pod, container, quiet=quiet)["name"]
    out = session.streams.out
    async for part in await (await session.client()).logs(objects.name(pod), objects.namespace(pod), container=chosen):
        out.write(part.decode(errors="replace"))
        out.flush()
