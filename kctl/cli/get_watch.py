"""get -w and --watch-only: the list, then what changes, in one table or stream of objects."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from typing import TYPE_CHECKING, Any

from kctl.apimachinery.objects import Object
from kctl.apimachinery.status import from_status
from kctl.cli.answer import Answer
from kctl.cli.errors import CommandError
from kctl.cli.getting import Getting
from kctl.client.transport import ApiRequest, WatchEvent
from kctl.printers.table import TableWriter

if TYPE_CHECKING:
    from kctl.cli.builder import Selection


async def watch(get: Getting, selections: Sequence[Selection]) -> None:
    """Until the server ends the watch or the user interrupts."""
    if not selections:
        raise CommandError("watch is only supported on individual resources and resource collections - no resources were found")
    if len(selections) > 1:
        raise CommandError("watch is only supported on individual resources and resource collections - more than 1 resource was found")
    selection = selections[0]
    answers = await get.fetch(selections)
    if get.errors:
        raise get.errors[0]
    if get.drawn:
        await _draw(get, selection, answers)
        return
    show = _shower(get, selection)
    if not get.watch_only:
        for answer in answers:
            for obj in _parts(answer.object):
                show(WatchEvent("ADDED", obj))
    async for batch in _batches(get, selection, answers):
        for event in batch:
            show(event)


async def _draw(get: Getting, selection: Selection, answers: Sequence[Answer]) -> None:
    """On a terminal."""
    import asyncio

    from kctl.cli.live_table import LiveTable

    table = LiveTable(get, selection)
    if not get.watch_only:
        for answer in answers:
            table.tell(WatchEvent("ADDED", answer.object))
    table.draw()
    ageing = asyncio.ensure_future(table.age())
    try:
        async for batch in _batches(get, selection, answers):
            for event in batch:
                table.tell(event)
            table.draw()
    finally:
        ageing.cancel()


async def _batches(get: Getting, selection: Selection, answers: Sequence[Answer]) -> AsyncIterator[list[WatchEvent]]:
    """What happens after `answers`. Raises ApiError."""
    version = _version(answers[-1].object) if answers and not selection.name else "0"
    skip_first = bool(selection.name)
    query = get.query() | get.selectors() | {"resourceVersion": version}
    request = ApiRequest("watch", selection.resource, selection.namespace, selection.name, query=query, accept=get.accept)
    response = await (await get.session.client()).call(request)
    assert response.events is not None
    async for batch in response.events:
        told: list[WatchEvent] = []
        for event in batch:
            if event.type == "ERROR":
                if told:
                    yield told
                raise from_status(event.object)
            if event.type == "BOOKMARK":
                continue
            if skip_first and not get.watch_only:
                skip_first = False
                continue
            told.append(event)
        if told:
            yield told


def _version(obj: Object) -> str:
    return str((obj.get("metadata") or {}).get("resourceVersion") or "0")


def _parts(obj: Object) -> list[Object]:
    """A Table stays whole; a list is shown item by item."""
    if obj.get("kind") == "Table" or "items" not in obj:
        return [obj]
    kind, version = str(obj.get("kind") or "").removesuffix("List"), obj.get("apiVersion")
    return [{"apiVersion": version, "kind": kind, **item} for item in obj["items"]]


def _shower(get: Getting, selection: Selection) -> Callable[[WatchEvent], None]:
    out = get.session.streams.out
    if not get.human:
        printer = get.object_printer()

        def show_object(event: WatchEvent) -> None:
            obj: Any = {"type": event.type, "object": event.object} if get.output_watch_events else event.object
            out.write(printer(obj))
            out.flush()

        return show_object
    table_printer, writer = get.table_printer(selection.resource, False), TableWriter()
    first = True

    def show_table(event: WatchEvent) -> None:
        nonlocal first
        rows = table_printer.rows(get.as_table(Answer(selection.resource, event.object, True)))
        if get.output_watch_events:
            header = first and not get.no_headers and bool(rows)
            rows = [["EVENT" if header and index == 0 else event.type, *row] for index, row in enumerate(rows)]
        first = first and not rows
        out.write(writer.format(rows))
        out.flush()

    return show_table
