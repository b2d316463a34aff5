"""kctl get: tables of resources as the server makes them, or whole objects in a chosen format."""

from __future__ import annotations

from collections.abc import Sequence

from kctl.apimachinery.objects import Object
from kctl.cli.answer import Answer
from kctl.cli.builder import Builder, Selection
from kctl.cli.errors import AggregateError, CommandError, UsageError, plain, raise_all
from kctl.cli.getting import Getting
from kctl.printers.table import TableWriter

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

  # Tell why pods are not running
  kctl get pods --why

  # A deployment as one would have written it, and really everything in a namespace
  kctl get deployment web -o yaml --clean
  kctl get all --really-all

  # List the pods that there were ten minutes ago, and a deployment as it was at a revision
  kctl get pods --at "10m ago"
  kctl get deployment web -o yaml --at 4711
"""


class Get(Getting):
    """Display one or many resources.

    Prints a table of the most important information about the specified resources. You can filter the list using a label
    selector and the --selector flag.
    """

    name = "get"
    usage = "[(-o|--output=)json|yaml|kyaml|name|go-template|go-template-file|template|templatefile|jsonpath|jsonpath-as-json|jsonpath-file|custom-columns|custom-columns-file|wide] (TYPE[.VERSION][.GROUP] [NAME | -l label] | TYPE[.VERSION][.GROUP]/NAME ...) [flags]"
    examples = EXAMPLES
    blocking = True

    def complete(self) -> None:
        if self.drawn:
            self.blocking = False  # type: ignore[misc]  # ages go on while nothing happens
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
        if self.at and (self.raw or self.watch or self.watch_only or self.subresource):
            raise CommandError("--at may not be specified with --raw, --watch, --watch-only or --subresource")
        if self.clean and self.output not in ("yaml", "json", "kyaml"):
            raise CommandError("--clean can only be used with -o yaml, json or kyaml")
        if self.why and not (self.human and self.server_print):
            raise CommandError("--why can only be used with tables that the server makes")
        if self.really_all and self.arguments != ("all",):
            raise CommandError("--really-all can only be used with the type 'all'")
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
        if self.really_all:
            from kctl.cli.tree.relations import listable

            types = await listable(self.session, namespaced_only=not self.all_namespaces)
            namespace = "" if self.all_namespaces else self.session.namespace
            return [Selection(one, namespace if one.namespaced else "") for one in types]
        if not builder.has_files:
            selections = await builder.selections(self.arguments)
            if self.why and any(one.resource.group_resource != "pods" for one in selections):
                raise CommandError("--why can only be used with pods")
            return selections
        if self.arguments:
            raise CommandError("when paths, URLs, or stdin is provided as input, you may not specify resource arguments as well")
        try:
            infos = await builder.objects()
        except CommandError as error:
            if self.kustomize and not self.filename:  # met on the way, where errors are gathered: printed as it is
                raise AggregateError([error]) from None
            raise
        return [Selection(info.resource, info.namespace, info.name) for info in infos]

    def print_tables(self, answers: Sequence[Answer], errors: Sequence[Exception]) -> None:
        tables = [self.as_table(answer) for answer in answers]
        if self.sort_by:
            from kctl.cli.sorting import sort_tables

            tables = sort_tables(tables, self.sort_by)
        several = len({(answer.resource.group, answer.resource.version, answer.resource.kind) for answer in answers}) > 1
        parts: list[str] = []
        index = 0
        while index < len(tables):
            resource = answers[index].resource
            printer, rows = self.table_printer(resource, several), []
            while index < len(tables) and answers[index].resource == resource:
                rows += printer.rows(tables[index])
                index += 1
            text = self._aligned(rows)
            if text and any(parts) and not self.no_headers:
                parts.append("\n")
            parts.append(text)
        text = "".join(parts)
        self.session.write(text)
        if not text and not self.ignore_not_found and not errors:
            namespaced = not self.all_namespaces and all(answer.resource.namespaced for answer in answers)
            where = f" in {self.session.namespace} namespace." if namespaced else ""
            self.session.error(f"No resources found{where}")

    def _aligned(self, rows: list[list[str]]) -> str:
        """With colours on a terminal."""
        writer = TableWriter()
        text = writer.format(rows)
        if self.no_headers or not self.session.streams.out.isatty():
            return text
        from kctl.cli.terminal import takes_colour

        if not rows or not takes_colour(self.session.streams.out):
            return text
        from kctl.cli.status_colours import painted_rows

        return "".join(f"{line}\n" for line in painted_rows(rows[0], rows[1:], writer.remembered))

    def print_objects(self, answers: Sequence[Answer], errors: list[Exception]) -> None:
        """A single named object as itself, everything else as one v1 List (printGeneric)."""
        from kctl.printers.printer import OutputError

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
    return [item if "kind" in item else {"apiVersion": version, "kind": kind, **item} for item in obj.get("items") or ()]
