"""kctl story: how an object came to be, as a timeline of who did what, for it and all that it owns."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

from kctl.apimachinery import objects
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import EVENTS, ResourceType
from kctl.apimachinery.status import ApiError, from_status
from kctl.cli.builder import Builder, Selection, qualified_name
from kctl.cli.command import Command
from kctl.cli.errors import CommandError, UsageError
from kctl.cli.flags import flag
from kctl.cli.past.revisions import Revision, changes, history
from kctl.cli.session import Session
from kctl.cli.story.timeline import Line, family, of_event, of_revision
from kctl.cli.tree.relations import listable, relations_in

_ALWAYS: Final = frozenset({"pods", "replicasets.apps", "jobs.batch", "controllerrevisions.apps"})
"""What workloads own and may have owned: asked for its past although none of it is there any more."""


class Story(Command):
    """Tell how an object came to be: who did what, when, for it and all that it owns.

    The lines come from the history the API server keeps, from field managers and from Events. It is the picture of how Kubernetes works:
    every component does one thing, and they meet only in the API server.
    """

    name = "story"
    usage = "(TYPE NAME | TYPE/NAME) [flags]"
    examples = """
  # From the deployment that was written to containers that run
  kctl story deployment/web

  # Go on telling while it happens
  kctl story deployment/web --watch

  # Without Events
  kctl story pod/web-0 --events=false
"""
    blocking = True
    watch: bool = flag("-w", "--watch", kind="bool", help="Go on telling what happens.")
    events: bool = flag("--events", kind="bool", default=True, help="Tell what components said in Events, too.")

    def complete(self) -> None:
        self.blocking = not self.watch  # type: ignore[misc]  # several watches at once need an event loop

    def validate(self) -> None:
        if not self.arguments:
            raise UsageError("required resource not specified")

    async def run(self) -> None:
        selections = await Builder(self.session, validate=False).selections(self.arguments, allow_collection=False)
        if len(selections) != 1:
            raise CommandError("kctl story tells of one object at a time")
        teller = await _Teller.of(self, selections[0])
        teller.tell(await teller.past())
        if self.watch:
            await teller.follow()


_NARROWEST_WHO, _WIDEST_WHO = 14, 40
"""Columns of who did it; longer names stand out of their column, and what follows them too."""


class _Teller:
    def __init__(self, session: Session, selection: Selection, types: Sequence[ResourceType], root: str, *, with_events: bool) -> None:
        self._session = session
        self._selection = selection
        self._types = types
        self._root = root
        self._with_events = with_events
        self._width = _NARROWEST_WHO
        self._revisions: list[Revision] = []
        self._uids = {root}

    @classmethod
    async def of(cls, command: Story, selection: Selection) -> _Teller:
        """Raises CommandError where nothing is known of the object."""
        client = await command.session.client()
        known = await history(client, selection.resource, selection.namespace, selection.name)
        if not known:
            name = qualified_name(selection.resource, selection.name)
            raise CommandError(f"nothing is known of {name}: it does not exist, and was not deleted lately")
        root = objects.uid(known[-1].object)
        namespaced = await listable(command.session, namespaced_only=True) if selection.namespace else []
        relations = await relations_in(command.session, selection.namespace, namespaced)
        owned = {member.resource.group_resource for member in relations.below(root)}
        types = [one for one in namespaced if one.group_resource in owned | _ALWAYS and one != selection.resource]
        return cls(command.session, selection, [selection.resource, *types], root, with_events=command.events)

    async def past(self) -> list[Line]:
        client = await self._session.client()
        for resource in self._types:
            try:
                told = await history(client, resource, self._selection.namespace)
            except (ApiError, CommandError):
                continue  # of what the user may not see, nothing is told
            self._revisions += [_with_kind(one, resource) for one in told]
        self._uids = family(self._root, self._revisions)
        lines = [line for one in self._revisions if objects.uid(one.object) in self._uids for line in of_revision(one)]
        if self._with_events:
            listed = await client.list(EVENTS, self._selection.namespace)
            lines += self._of_events(listed.get("items") or ())
        return sorted(lines, key=lambda line: line.order)

    def _of_events(self, events: Iterable[Object]) -> list[Line]:
        lines = [of_event(event) for event in events if str((event.get("involvedObject") or {}).get("uid") or "") in self._uids]
        return [line for line in lines if line is not None]

    def tell(self, lines: Iterable[Line]) -> None:
        told = list(lines)
        self._width = min(max([self._width, *(len(line.who) for line in told)]), _WIDEST_WHO)
        for line in told:
            clock = line.time.strftime("%H:%M:%S") if line.time is not None else "--:--:--"
            self._session.print(f"{clock}  {line.who.ljust(self._width)}  {line.what}")
        self._session.streams.out.flush()

    async def follow(self) -> None:
        """Until the user interrupts or the server ends the watches."""
        import asyncio

        client = await self._session.client()
        start = str((await client.list(self._selection.resource, self._selection.namespace, limit=1))["metadata"]["resourceVersion"])

        async def of_kind(resource: ResourceType) -> None:
            known: dict[Any, Object] = {}
            for one in self._revisions:
                if one.object.get("kind") == resource.kind and one.type != "DELETED":
                    known[objects.namespace(one.object), objects.name(one.object)] = one.object
            async for one in changes(client, resource, self._selection.namespace, "", start, known, seconds=0):
                told = _with_kind(one, resource)
                owners = {str(reference.get("uid") or "") for reference in objects.owner_references(one.object)}
                if owners & self._uids:
                    self._uids.add(objects.uid(one.object))
                if objects.uid(one.object) in self._uids:
                    self.tell(of_revision(told))

        async def of_events() -> None:
            async for batch in await client.watch(EVENTS, self._selection.namespace, resource_version=start, allow_bookmarks=False):
                for event in batch:
                    if event.type == "ERROR":
                        raise from_status(event.object)
                    if event.type != "DELETED":
                        self.tell(self._of_events([event.object]))

        async with asyncio.TaskGroup() as group:
            for resource in self._types:
                group.create_task(of_kind(resource))
            if self._with_events:
                group.create_task(of_events())


def _with_kind(one: Revision, resource: ResourceType) -> Revision:
    """List items carry no kind."""
    head = {"apiVersion": resource.api_version, "kind": resource.kind}
    previous = {**one.previous, **head} if one.previous is not None else None
    return one._replace(object={**one.object, **head}, previous=previous)
