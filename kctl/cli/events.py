"""kctl events: the events of a namespace or about one object, the latest last."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kctl.apimachinery import objects, times
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import EVENTS
from kctl.apimachinery.status import from_status
from kctl.cli import options
from kctl.cli.command import Command
from kctl.cli.describe.events import interval
from kctl.cli.errors import CommandError, Exit
from kctl.cli.flags import flag
from kctl.cli.options import ObjectOutput
from kctl.cli.results import Results
from kctl.client.discovery import NoResource
from kctl.client.transport import ApiRequest
from kctl.printers.table import TableWriter

_HEADER = ["LAST SEEN", "TYPE", "REASON", "OBJECT", "MESSAGE"]


class Events(ObjectOutput, Command):
    """Display events.

    A table of what matters most about events: of a namespace, of all namespaces, or about one object.
    """

    name = "events"
    usage = "[(-o|--output=)json|yaml|kyaml|name|go-template|go-template-file|template|templatefile|jsonpath|jsonpath-as-json|jsonpath-file] [--for TYPE/NAME] [--watch] [--types=Normal,Warning]"
    examples = """
  # The events of the current namespace
  kctl events

  # Those of all namespaces
  kctl events --all-namespaces

  # Those about one pod, and those to come
  kctl events --for pod/web-pod-13je7 --watch

  # In YAML
  kctl events -oyaml

  # Only warnings
  kctl events --types=Warning
"""

    all_namespaces: bool = options.all_namespaces()
    chunk_size: int = flag(
        "--chunk-size", kind="int", default=500, help="Return large lists in chunks rather than all at once. Pass 0 to disable."
    )
    about: str = flag("--for", help="Filter events to only those pertaining to the specified resource.")
    no_headers: bool = flag("--no-headers", kind="bool", help="When using the default output format, don't print headers.")
    types: Sequence[str] = flag("--types", kind="slice", help="Output only events of given types.")
    watch: bool = flag("-w", "--watch", kind="bool", help="After listing the requested events, watch for more events.")

    def validate(self) -> None:
        if any(wanted.lower() not in ("normal", "warning") for wanted in self.types):
            raise CommandError("valid --types are Normal or Warning")

    async def run(self) -> None:
        results = Results.of(self, in_field_order=True)
        results.check()
        self._results = results
        self._rows_shown = False
        selector = await self._selector()
        namespace = "" if self.all_namespaces else self.session.namespace
        if self.watch:
            await self._watch(namespace, selector)
            return
        events = sorted((event for event in await self._list(namespace, selector) if self._wanted(event)), key=_moment)
        if not events:
            self.session.error("No events found." if self.all_namespaces else f"No events found in {namespace} namespace.")
        elif results.prints_objects:
            head = {"kind": "Event", "apiVersion": "v1"}
            results.print_object(
                {"kind": "EventList", "apiVersion": "v1", "metadata": {}, "items": [{**head, **event} for event in events]}
            )
        elif self.output != "name":  # kubectl's printer of names says nothing of a list of these
            self._print(events)

    async def _selector(self) -> str:
        """What --for asks of involvedObject."""
        if not self.about:
            return ""
        kind, slash, name = self.about.partition("/")
        if not slash:
            raise CommandError("--for must be in resource/name form")
        if "/" in name:
            raise CommandError("arguments in resource/name form may not have more than one slash")
        try:
            resource = await (await self.session.mapper()).resource(kind)
        except NoResource as error:
            self.session.error(str(error))
            raise Exit(1) from None
        if not name:
            return ""
        return f"involvedObject.kind={resource.kind},involvedObject.apiVersion={resource.api_version},involvedObject.name={name}"

    async def _list(self, namespace: str, selector: str) -> list[Object]:
        client = await self.session.client()
        events: list[Object] = []
        token = ""
        while True:
            listed = await client.list(EVENTS, namespace, field_selector=selector, limit=max(self.chunk_size, 0), continue_token=token)
            events += listed.get("items") or ()
            token = (listed.get("metadata") or {}).get("continue") or ""
            if not token:
                return events

    def _wanted(self, event: Object) -> bool:
        return not self.types or any(event.get("type", "").lower() == wanted.lower() for wanted in self.types)

    async def _watch(self, namespace: str, selector: str) -> None:
        query = {"fieldSelector": selector} if selector else {}
        request = ApiRequest("watch", EVENTS, namespace, query=query)
        response = await (await self.session.client()).call(request)
        assert response.events is not None
        async for batch in response.events:
            for change in batch:
                if change.type == "ERROR":
                    raise from_status(change.object)
                if change.type in ("DELETED", "BOOKMARK") or not self._wanted(change.object):
                    continue
                if self._results.prints_objects:
                    self._results.print_object({"kind": "Event", "apiVersion": "v1", **change.object})
                elif self.output == "name":
                    self.session.print(f"event/{objects.name(change.object)}")
                else:
                    self._print([change.object])
                self.session.streams.out.flush()

    def _print(self, events: Sequence[Object]) -> None:
        now = self.session.now()
        rows = [] if self.no_headers or self._rows_shown else [self._row(list(_HEADER), "NAMESPACE")]
        for event in events:
            about = event.get("involvedObject") or {}
            cells = [interval(event, now), event.get("type", ""), event.get("reason", "")]
            cells += [f"{about.get('kind', '')}/{about.get('name', '')}", (event.get("message") or "").strip()]
            rows.append(self._row(cells, objects.namespace(event)))
        self._rows_shown = True
        self.session.write(TableWriter().format(rows))

    def _row(self, cells: list[str], namespace: str) -> list[str]:
        return [namespace, *cells] if self.all_namespaces else cells


def _moment(event: Object) -> float:
    """When it was seen last."""
    text: Any = (event.get("series") or {}).get("lastObservedTime") or event.get("lastTimestamp") or event.get("eventTime")
    return times.parse(text).timestamp() if text else 0.0
