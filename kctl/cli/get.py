"""kctl get: tables of resources as the server makes them, or whole objects in a chosen format."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import ResourceType
from kctl.apimachinery.status import ApiError, NotFound
from kctl.cli import options
from kctl.cli.builder import Builder, Selection, unable_to_find
from kctl.cli.command import Command
from kctl.cli.errors import CommandError, UsageError, plain, raise_all
from kctl.cli.flags import flag
from kctl.cli.options import Manifests
from kctl.cli.session import Session
from kctl.client.transport import TABLE, ApiRequest
from kctl.printers.table import TableOptions, TablePrinter, TableWriter

EXAMPLES = """
  # List all pods in ps output format
  kctl get pods

  # List all pods in ps output format with more information (such as node name)
  kctl get pods -o wide

  # List deployments in JSON output format, in the "v1" version of the "apps" API group
  kctl get deployments.v1.apps -o json

  # List a pod identified by type and name specified in "pod.yaml" in JSON output format
  kctl get -f pod.yaml -o json

  # Return only the phase value of the specified pod
  kctl get -o template pod/web-pod-13je7 --template={{.status.phase}}

  # List resource information in custom columns
  kctl get pod test-pod -o custom-columns=CONTAINER:.spec.containers[0].name,IMAGE:.spec.containers[0].image

  # List all pods and services together in ps output format
  kctl get pods,services

  # List all pods existing in all namespaces
  kctl get pods --all-namespaces
"""


class Answer(NamedTuple):
    """What the server said about one selection: a Table, an object or a list."""

    resource: ResourceType
    object: Object
    named: bool
    source: str = ""

    @property
    def is_table(self) -> bool:
        return self.object.get("kind") == "Table"


class Get(Manifests, Command):
    """Display one or many resources.

    Prints a table of the most important information about the specified resources. You can filter the list using a label
    selector and the --selector flag.
    """

    name = "get"
    usage = "[(-o|--output=)json|yaml|kyaml|name|go-template|go-template-file|template|templatefile|jsonpath|jsonpath-as-json|jsonpath-file|custom-columns|custom-columns-file|wide] (TYPE[.VERSION][.GROUP] [NAME | -l label] | TYPE[.VERSION][.GROUP]/NAME ...) [flags]"
    examples = EXAMPLES
    blocking = True

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

    def complete(self) -> None:
        if self.raw or self.watch or self.watch_only:
            if self.sort_by and not self.raw:
                self.session.error("warning: --watch or --watch-only requested, --sort-by will be ignored")
            return
        if not self.arguments and not self.filename and not self.kustomize:
            self.session.error(
                'You must specify the type of resource to get. Use "kctl api-resources" for a complete list of supported resources.\n'
            )
            raise UsageError(
                'Required resource not specified.\nUse "kctl explain <resource>" for a detailed description of that resource '
                "(e.g. kctl explain pods)."
            )

    def validate(self) -> None:
        if self.raw:
            if self.watch or self.watch_only or self.selector:
                raise CommandError("--raw may not be specified with other flags that filter the server request or alter the output")
            if self.output:
                raise UsageError("--raw and --output are mutually exclusive")
            if self.arguments:
                raise CommandError("arguments may not be passed when --raw is specified")
        if self.show_labels and self.output not in ("", "wide"):
            raise CommandError(f"--show-labels option cannot be used with {self.output} printer")
        if self.output_watch_events and not (self.watch or self.watch_only):
            raise CommandError("--output-watch-events option can only be used with --watch or --watch-only")
        if not self.human or self.template:
            self.object_printer()

    async def run(self) -> None:
        if self.raw:
            from kctl.cli.raw import raw_request

            await raw_request(self.session, "GET", self.raw)
            return
        builder = Builder(
            self.session,
            self.filename,
            self.kustomize,
            self.recursive,
            self.selector,
            self.field_selector,
            self.all_namespaces,
            validate=False,
        )
        selections = await self._selections(builder)
        if self.watch or self.watch_only:
            from kctl.cli.get_watch import watch

            await watch(self, selections)
            return
        answers = await self.fetch(selections)
        errors = [*builder.errors, *self.errors]
        if self.human:
            self.print_tables(answers, errors)
        else:
            self.print_objects(answers, errors)
        raise_all(errors)

    async def _selections(self, builder: Builder) -> list[Selection]:
        if not builder.has_files:
            return await builder.selections(self.arguments)
        if self.arguments:
            raise CommandError("when paths, URLs, or stdin is provided as input, you may not specify resource arguments as well")
        infos = await builder.objects()
        return [Selection(info.resource, info.namespace, info.name) for info in infos]

    async def fetch(self, selections: Sequence[Selection]) -> list[Answer]:
        """Every selection in turn; failures go to `errors`. Collections come in chunks, as kubectl asks for them."""
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
        if self.sort_by:
            return {"includeObject": "Object"}
        needs_metadata = self.all_namespaces or self.show_labels or self.label_columns
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
                found = (await client.call(request)).object
            except ApiError as error:
                raise unable_to_find(error, selection.resource, self.selector, self.field_selector) from None
            answers.append(Answer(selection.resource, found, False))
            token = (found.get("metadata") or {}).get("continue")
            if not token:
                return answers
            query = {**query, "continue": token}

    def selectors(self) -> dict[str, str]:
        query = {"labelSelector": self.selector, "fieldSelector": self.field_selector}
        return {key: value for key, value in query.items() if value}

    def print_tables(self, answers: Sequence[Answer], errors: Sequence[Exception]) -> None:
        tables = [self.as_table(answer) for answer in answers]
        if self.sort_by:
            from kctl.cli.sorting import sort_tables

            tables = sort_tables(tables, self.sort_by)
        several = len({(one.resource.group, one.resource.version, one.resource.kind) for one in answers}) > 1
        parts: list[str] = []
        index = 0
        while index < len(tables):
            resource = answers[index].resource
            printer, rows = self.table_printer(resource, several), []
            while index < len(tables) and answers[index].resource == resource:
                rows += printer.rows(tables[index])
                index += 1
            text = TableWriter().format(rows)
            if text and any(parts) and not self.no_headers:
                parts.append("\n")
            parts.append(text)
        text = "".join(parts)
        self.session.write(text)
        if not text and not self.ignore_not_found and not errors:
            namespaced = not self.all_namespaces and all(answer.resource.namespaced for answer in answers)
            where = f" in {self.session.namespace} namespace." if namespaced else ""
            self.session.error(f"No resources found{where}")

    def as_table(self, answer: Answer) -> dict[str, Any]:
        """The Table, or one made here from objects (--server-print=false and servers that cannot)."""
        if answer.is_table:
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
        from kctl.printers.output import GET_FORMATS, OutputError, printer_for

        try:
            return printer_for(
                self.output,
                self.template,
                allow_missing_keys=self.allow_missing_template_keys,
                show_managed_fields=self.show_managed_fields,
                formats=GET_FORMATS,
                no_headers=self.no_headers,
            )
        except OutputError as error:
            raise CommandError(str(error)) from None

    def print_objects(self, answers: Sequence[Answer], errors: list[Exception]) -> None:
        """A single named object as itself, everything else as one v1 List (printGeneric)."""
        from kctl.printers.output import OutputError

        single = len(answers) == 1 and answers[0].named and not errors and self._single_implied()
        if not single and not answers and (errors or self.ignore_not_found) and self._single_implied():
            return
        if single:
            shown = answers[0].object
        else:
            items = [item for answer in answers for item in _items(answer)]
            if self.sort_by:
                from kctl.cli.sorting import sort_objects

                items = sort_objects(items, self.sort_by)
            shown = {"apiVersion": "v1", "items": items, "kind": "List", "metadata": {"resourceVersion": ""}}
        if not single and not shown["items"] and self.ignore_not_found:
            return
        try:
            self.session.write(self.object_printer()(shown))
        except OutputError as error:
            errors.append(CommandError(plain(error)))

    def _single_implied(self) -> bool:
        """One name was asked for, so the answer is an object and not a list."""
        if self.filename:
            return len(self.filename) == 1
        words = self.arguments
        if any("/" in word for word in words):
            return len(words) == 1
        return len(words) == 2 and "," not in words[0]


def _items(answer: Answer) -> list[Object]:
    obj = answer.object
    if answer.named or "items" not in obj:
        return [obj]
    kind = str(obj.get("kind") or "").removesuffix("List")
    version = obj.get("apiVersion")
    return [one if "kind" in one else {"apiVersion": version, "kind": kind, **one} for one in obj.get("items") or ()]
