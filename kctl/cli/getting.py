"""What `get` and `get --watch` share: the flags that say what to ask for and how to show it, the requests, and the printers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kctl.apimachinery.resources import ResourceType
from kctl.apimachinery.status import ApiError, NotFound
from kctl.cli import options
from kctl.cli.answer import Answer
from kctl.cli.builder import Selection, unable_to_find
from kctl.cli.command import Command
from kctl.cli.errors import CommandError
from kctl.cli.flags import flag
from kctl.cli.options import Manifests
from kctl.cli.session import Session
from kctl.client.transport import TABLE, ApiRequest
from kctl.printers.table import TableOptions, TablePrinter


class Getting(Manifests, Command):
    """A command that asks the server for objects and shows what comes."""

    output: str = flag(
        "-o",
        "--output",
        help="Output format. One of: (json, yaml, kyaml, name, go-template, go-template-file, template, templatefile, jsonpath, jsonpath-as-json, jsonpath-file, custom-columns, custom-columns-file, wide).",
    )
    template: str = flag("--template", help="Template string or path to template file to use when -o=go-template, -o=go-template-file.")
    watch: bool = flag("-w", "--watch", kind="bool", help="After listing/getting the requested object, watch for changes.")
    watch_only: bool = flag(
        "--watch-only", kind="bool", help="Watch for changes to the requested object(s), without listing/getting first."
    )
    output_watch_events: bool = flag(
        "--output-watch-events",
        kind="bool",
        help="Output watch event objects when --watch or --watch-only is used. Existing objects are output as initial ADDED events.",
    )
    chunk_size: int = flag(
        "--chunk-size",
        kind="int",
        default=500,
        help="Return large lists in chunks rather than all at once. Pass 0 to disable.",
    )
    ignore_not_found: bool = flag(
        "--ignore-not-found",
        kind="bool",
        help="If set to true, suppresses NotFound error for specific objects that do not exist.",
    )
    raw: str = flag("--raw", help="Raw URI to request from the server.  Uses the transport specified by the kubeconfig file.")
    sort_by: str = flag(
        "--sort-by",
        help="If non-empty, sort list types using this field specification.  The field specification is expressed as a JSONPath expression (e.g. '{.metadata.name}').",
    )
    no_headers: bool = flag(
        "--no-headers",
        kind="bool",
        help="When using the default or custom-column output format, don't print headers (default print headers).",
    )
    show_labels: bool = flag(
        "--show-labels", kind="bool", help="When printing, show all labels as the last column (default hide labels column)"
    )
    show_kind: bool = flag("--show-kind", kind="bool", help="If present, list the resource type for the requested object(s).")
    label_columns: Sequence[str] = flag(
        "-L",
        "--label-columns",
        kind="slice",
        help="Accepts a comma separated list of labels that are going to be presented as columns.",
    )
    show_managed_fields: bool = flag(
        "--show-managed-fields",
        kind="bool",
        help="If true, keep the managedFields when printing objects in JSON or YAML format.",
    )
    allow_missing_template_keys: bool = flag(
        "--allow-missing-template-keys",
        kind="bool",
        default=True,
        help="If true, ignore any errors in templates when a field or map key is missing in the template.",
    )
    server_print: bool = flag(
        "--server-print",
        kind="bool",
        default=True,
        help="If true, have the server return the appropriate table output. Supports extension APIs and CRDs.",
    )
    subresource: str = flag("--subresource", help="If specified, gets the subresource of the requested object.")
    at: str = flag(
        "--at",
        help='Show the cluster as it was: at a revision that `kctl history` shows, or at a moment ("10m ago", 2026-11-28T07:00:00Z, 07:00), as far back as the server keeps its history.',
    )
    clean: bool = flag(
        "--clean",
        kind="bool",
        help="With -o yaml or json: show objects as one would write them, without status, server-side metadata and well-known defaults.",
    )
    why: bool = flag("--why", kind="bool", help="Of pods: show in one line why each is not running.")
    really_all: bool = flag(
        "--really-all",
        kind="bool",
        help="With the type 'all': every kind that the server can list, custom resources, config maps and secrets too (but events).",
    )
    selector: str = options.selector()
    field_selector: str = options.field_selector()
    all_namespaces: bool = options.all_namespaces()
    filename: Sequence[str] = options.filename("Filename, directory, or URL to files identifying the resource to get from a server.")

    def __init__(self, session: Session, arguments: Sequence[str] = (), **values: Any) -> None:
        super().__init__(session, arguments, **values)
        self.errors: list[Exception] = []

    @property
    def human(self) -> bool:
        """Whether a table is printed rather than objects."""
        return (not self.output and not self.template) or self.output == "wide"

    @property
    def drawn(self) -> bool:
        """Whether the table of a watch is drawn over itself: on a terminal, where kubectl adds line after line."""
        if not (self.watch or self.watch_only) or not self.human or self.output_watch_events:
            return False
        from kctl.cli.terminal import takes_drawing

        return takes_drawing(self.session.streams.out)

    async def fetch(self, selections: Sequence[Selection]) -> list[Answer]:
        """Every selection in turn; failures go to `errors`. Collections come in chunks, as kubectl asks for them."""
        if self.at:
            from kctl.cli.past.getting_past import fetch_past

            return await fetch_past(self, selections)
        answers: list[Answer] = []
        for selection in selections:
            try:
                if selection.name:
                    answers.append(await self.one(selection))
                else:
                    answers += await self._collection(selection)
            except NotFound as error:
                if not self.ignore_not_found:
                    self.errors.append(error)
            except (ApiError, CommandError) as error:
                self.errors.append(error)
        return answers

    def query(self) -> dict[str, str]:
        if not self.human or not self.server_print:
            return {}
        if self.sort_by or self.why:
            return {"includeObject": "Object"}
        needs_metadata = self.all_namespaces or self.show_labels or self.label_columns or self.drawn
        return {} if needs_metadata else {"includeObject": "None"}

    @property
    def accept(self) -> str:
        return TABLE if self.human and self.server_print else ""

    async def one(self, selection: Selection) -> Answer:
        request = ApiRequest(
            "get",
            selection.resource,
            selection.namespace,
            selection.name,
            self.subresource,
            self.query(),
            accept=self.accept,
        )
        response = await (await self.session.client()).call(request)
        return Answer(selection.resource, response.object, True)

    async def _collection(self, selection: Selection) -> list[Answer]:
        client = await self.session.client()
        query = self.query() | self.selectors()
        limit = 0 if self.sort_by else self.chunk_size
        if limit > 0:
            query["limit"] = str(limit)
        answers: list[Answer] = []
        while True:
            request = ApiRequest("list", selection.resource, selection.namespace, query=query, accept=self.accept)
            try:
                page = (await client.call(request)).object
            except ApiError as error:
                raise unable_to_find(error, selection.resource, self.selector, self.field_selector) from None
            answers.append(Answer(selection.resource, page, False))
            token = (page.get("metadata") or {}).get("continue")
            if not token:
                return answers
            query = {**query, "continue": token}

    def selectors(self) -> dict[str, str]:
        query = {"labelSelector": self.selector, "fieldSelector": self.field_selector}
        return {key: value for key, value in query.items() if value}

    def as_table(self, answer: Answer) -> dict[str, Any]:
        """The Table, or one made here from objects (--server-print=false and servers that cannot)."""
        if answer.is_table:
            if self.why:
                from kctl.cli.tree.columns import with_reasons

                return with_reasons(answer.object)
            return answer.object
        from kctl.cli.local_table import table_of

        return table_of(answer.object, self.session.now())

    def table_printer(self, resource: ResourceType, with_kind: bool) -> TablePrinter:
        kind = resource.kind.lower() + (f".{resource.group}" if resource.group else "")
        return TablePrinter(
            TableOptions(
                wide=self.output == "wide",
                no_headers=self.no_headers,
                with_namespace=self.all_namespaces and resource.namespaced,
                kind=kind if with_kind or self.show_kind else "",
                show_labels=self.show_labels,
                label_columns=self.label_columns,
            )
        )

    def object_printer(self) -> Any:
        from kctl.printers.output import GET_FORMATS, printer_for
        from kctl.printers.printer import OutputError

        try:
            made = printer_for(
                self.output,
                self.template,
                allow_missing_keys=self.allow_missing_template_keys,
                show_managed_fields=self.show_managed_fields,
                formats=GET_FORMATS,
                no_headers=self.no_headers,
            )
        except OutputError as error:
            raise CommandError(str(error)) from None
        if self.clean:
            from kctl.cli.tree.clean import clean

            return lambda obj: made(clean(obj))
        return made
