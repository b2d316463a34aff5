"""kctl rollout status: follow a rollout until it is done."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from kctl.apimachinery import objects
from kctl.apimachinery.objects import Object
from kctl.apimachinery.status import ApiError, from_status
from kctl.cli import options
from kctl.cli.builder import Builder
from kctl.cli.command import Command
from kctl.cli.errors import CommandError, UsageError
from kctl.cli.flags import flag
from kctl.cli.options import Manifests
from kctl.cli.rollout.progress import VIEWERS, Viewer
from kctl.cli.session import Session
from kctl.cli.targets import Target, live
from kctl.cli.terminal import Progress, bar, ticking
from kctl.client.client import Client
from kctl.client.transport import WatchEvent

EXAMPLES = """
  # Watch the rollout status of a deployment
  kctl rollout status deployment/nginx
"""


class RolloutStatus(Manifests, Command):
    """Show the status of the rollout.

    By default the command watches the latest rollout until it is done; use --watch=false to look once.
    """

    name = "status"
    usage = "(TYPE NAME | TYPE/NAME)"
    examples = EXAMPLES

    watch: bool = flag("-w", "--watch", kind="bool", default=True, help="Watch the status of the rollout until it's done.")
    revision: int = flag("--revision", kind="int", help="Pin to a specific revision for showing its status. Defaults to 0 (last revision).")
    timeout: float = flag("--timeout", kind="duration", help="The length of time to wait before ending watch, zero means never.")
    selector: str = options.selector()
    filename: Sequence[str] = options.filename("identifying the resource to get from a server.")

    async def run(self) -> None:
        if self.revision < 0:
            raise CommandError(f"revision must be a positive integer: {self.revision}")
        builder = Builder(self.session, self.filename, self.kustomize, self.recursive, self.selector, validate=False)
        if not self.arguments and not builder.has_files:
            raise UsageError("required resource not specified")
        targets = await live(builder, self.arguments)
        if not targets and not builder.errors:
            self.session.error(f"No resources found in {self.session.namespace} namespace.")
        for target in targets:
            try:
                work = _follow(self.session, target, self.revision, self.watch)
                await (asyncio.wait_for(work, self.timeout) if self.timeout else work)
            except TimeoutError:
                builder.errors.append(CommandError("timed out waiting for the condition"))
            except (ApiError, CommandError) as error:
                builder.errors.append(error)
        builder.finish()


def _counted(obj: Object) -> tuple[int, int]:
    """How many are as they shall be, of how many."""
    status = objects.status(obj)
    wanted = objects.spec(obj).get("replicas", status.get("desiredNumberScheduled", 1))
    updated = status.get("updatedReplicas", status.get("updatedNumberScheduled")) or 0
    available = status.get("availableReplicas", status.get("numberAvailable", status.get("readyReplicas"))) or 0
    return min(updated, available, wanted), wanted


async def _draw(client: Client, target: Target, viewer: Viewer, revision: int, progress: Progress, write: Callable[[str], object]) -> None:
    """On a terminal: a bar in place of the lines of waiting, and then the last line."""
    line = ""
    try:
        while True:
            events = await client.watch(
                target.resource, target.namespace, field_selector=f"metadata.name={target.name}", send_initial_events=True
            )
            async for batch in events:
                for event in batch:
                    obj = _rolling(event)
                    if obj is None:
                        continue
                    line, done = viewer(obj, revision)
                    progress.show(f"{bar(*_counted(obj))} {line.strip()}")
                    if done:
                        return
    finally:
        progress.end()
        write(line)


def _rolling(event: WatchEvent) -> Object | None:
    """The object of a watch's event; None where it tells nothing of it. Raises ApiError, CommandError."""
    if event.type == "ERROR":
        raise from_status(event.object)
    if event.type == "DELETED":
        raise CommandError("object has been deleted")
    return None if event.type == "BOOKMARK" or not objects.name(event.object) else event.object


async def _follow(session: Session, target: Target, revision: int, watch: bool) -> None:
    viewer = VIEWERS.get(target.resource.group_resource)
    if viewer is None:
        raise CommandError(f'no status viewer has been implemented for "{target.resource.kind}"')
    progress = Progress(session.streams.out, "Rolling out")
    line, done = viewer(target.object, revision)
    if done or not watch or not progress.on_terminal:
        session.write(line)
        session.streams.out.flush()
    if done or not watch:
        return
    client = await session.client()
    if progress.on_terminal:
        await ticking(progress, _draw(client, target, viewer, revision, progress, session.write))
        return
    while True:
        events = await client.watch(
            target.resource, target.namespace, field_selector=f"metadata.name={target.name}", send_initial_events=True
        )
        before = line
        async for batch in events:
            for event in batch:
                obj = _rolling(event)
                if obj is None:
                    continue
                line, done = viewer(obj, revision)
                if line != before:
                    session.write(line)
                    session.streams.out.flush()
                    before = line
                if done:
                    return
