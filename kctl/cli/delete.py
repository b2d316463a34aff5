"""kctl delete: by name, by manifest, by selector; then wait until the objects are gone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from kctl.apimachinery import objects
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import ResourceType
from kctl.apimachinery.status import ApiError, NotFound
from kctl.cli import options
from kctl.cli.builder import MISSING, Builder, Selection, qualified_name, unable_to_find
from kctl.cli.command import Command
from kctl.cli.deletion import Deleted, propagation, wait_gone
from kctl.cli.errors import CommandError, with_source
from kctl.cli.flags import flag
from kctl.cli.options import DryRun, Manifests
from kctl.cli.session import Session

_IMMEDIATE = (
    "Immediate deletion does not wait for confirmation that the running resource has been terminated. The resource may "
    "continue to run on the cluster indefinitely."
)
EXAMPLES = """
  # Delete a pod using the type and name specified in pod.json
  kctl delete -f ./pod.json

  # Delete pods and services with same names "baz" and "foo"
  kctl delete pod,service baz foo

  # Delete pods and services with label name=myLabel
  kctl delete pods,services -l name=myLabel

  # Force delete a pod on a dead node
  kctl delete pod foo --force

  # Delete all pods
  kctl delete pods --all
"""


class _Doomed(NamedTuple):
    """`item` where the server has shown it."""

    resource: ResourceType
    namespace: str
    name: str
    source: str
    item: Object | None


class Delete(Manifests, Command):
    """Delete resources by file names, stdin, resources and names, or by resources and label selector.

    JSON and YAML formats are accepted. Only one type of argument may be specified: file names, resources and names, or
    resources and label selector. The command waits until the objects are gone, finalizers and graceful termination
    included, unless --wait=false.
    """

    name = "delete"
    usage = "([-f FILENAME] | [-k DIRECTORY] | TYPE [(NAME | -l label | --all)])"
    examples = EXAMPLES
    blocking = True

    all: bool = flag("--all", kind="bool", help="Delete all resources, in the namespace of the specified resource types.")
    cascade: str = flag(
        "--cascade",
        default="background",
        bare="background",
        help='Must be "background", "orphan", or "foreground". Selects the deletion cascading strategy for the dependents (e.g. Pods created by a ReplicationController). Defaults to background.',
    )
    force: bool = flag(
        "--force",
        kind="bool",
        help="If true, immediately remove resources from API and bypass graceful deletion. Note that immediate deletion of some resources may result in inconsistency or data loss and requires confirmation.",
    )
    grace_period: int = flag(
        "--grace-period",
        kind="int",
        default=-1,
        help="Period of time in seconds given to the resource to terminate gracefully. Ignored if negative. Set to 1 for immediate shutdown. Can only be set to 0 when --force is true (force deletion).",
    )
    ignore_not_found: bool = flag(
        "--ignore-not-found",
        kind="bool",
        help='Treat "resource not found" as a successful delete. Defaults to "true" when --all is specified.',
    )
    interactive: bool = flag("-i", "--interactive", kind="bool", help="If true, delete resource only when user confirms.")
    now: bool = flag("--now", kind="bool", help="If true, resources are signaled for immediate shutdown (same as --grace-period=1).")
    output: str = flag("-o", "--output", help='Output mode. Use "-o name" for shorter output (resource/name).')
    raw: str = flag("--raw", help="Raw URI to DELETE to the server.  Uses the transport specified by the kubeconfig file.")
    timeout: float = flag(
        "--timeout",
        kind="duration",
        help="The length of time to wait before giving up on a delete, zero means determine a timeout from the size of the object",
    )
    wait: bool = flag(
        "--wait",
        kind="bool",
        default=True,
        help="If true, wait for resources to be gone before returning. This waits for finalizers.",
    )
    selector: str = options.selector()
    field_selector: str = options.field_selector()
    all_namespaces: bool = options.all_namespaces()
    dry_run: str = options.dry_run()
    filename: Sequence[str] = options.filename("containing the resource to delete.")

    def __init__(self, session: Session, arguments: Sequence[str] = (), **values: Any) -> None:
        super().__init__(session, arguments, **values)
        self.strategy: DryRun = "none"
        self.errors: list[Exception] = []
        self.deleted: list[Deleted] = []

    def complete(self) -> None:
        self.strategy = options.dry_run_strategy(self.dry_run, self.session.error)
        if self.all and "ignore_not_found" not in self.session.changed:
            self.ignore_not_found = True
        if self.now:
            if self.grace_period != -1:
                raise CommandError("--now and --grace-period cannot be specified together")
            self.grace_period = 1
        if self.grace_period == 0 and not self.force:
            self.grace_period = 1
        if self.force and self.grace_period < 0:
            self.grace_period = 0

    def validate(self) -> None:
        if self.interactive and self.raw:
            raise CommandError("--interactive can not be used with --raw")
        if self.output not in ("", "name"):
            raise CommandError(f"unexpected -o output mode: {self.output}. We only support '-o name'")
        if self.all and self.selector:
            raise CommandError("setting 'all' parameter but found a non empty selector. ")
        if self.all and self.field_selector:
            raise CommandError("cannot set --all and --field-selector at the same time")
        if self.all_namespaces and len(self.arguments) > 1:
            raise CommandError("a resource cannot be retrieved by name across all namespaces")
        if self.grace_period == 0 and self.force:
            self.session.warn(_IMMEDIATE)
        elif self.grace_period > 0 and self.force:
            raise CommandError("--force and --grace-period greater than 0 cannot be specified together")
        propagation(self.cascade)

    async def run(self) -> None:
        if self.raw:
            from kctl.cli.raw import raw_request

            await raw_request(self.session, "DELETE", self.raw)
            return
        builder = Builder(
            self.session,
            self.filename,
            self.kustomize,
            self.recursive,
            self.selector,
            self.field_selector,
            self.all_namespaces,
            self.all,
            validate=False,
        )
        found = [one for selection, source in await self._selections(builder) for one in await self._found(selection, source)]
        if self.interactive and found and not self._confirmed(found):
            self.session.print("deletion is cancelled")
            return
        for one in found:
            await self._delete(one)
        count = len(found)
        builder.finish(self.errors) if not self.deleted else None
        if not count and not self.errors and not builder.errors:
            self.session.print("No resources found")
            return
        if self.wait and self.strategy == "none" and self.deleted:
            await wait_gone(self.session, self.deleted, self.timeout)
        builder.finish(self.errors)

    async def _selections(self, builder: Builder) -> list[tuple[Selection, str]]:
        if builder.has_files:
            if self.arguments:
                raise CommandError("when paths, URLs, or stdin is provided as input, you may not specify resource arguments as well")
            infos = await builder.objects()
            return [(Selection(info.resource, info.namespace, info.name), info.source) for info in infos]
        if not self.arguments:
            raise CommandError(MISSING)
        return [(selection, "") for selection in await builder.selections(self.arguments, allow_collection=False)]

    async def _found(self, selection: Selection, source: str) -> list[_Doomed]:
        """The objects it stands for."""
        resource = selection.resource
        if not resource.namespaced and self.session.namespace_is_explicit:
            self.session.warn("deleting cluster-scoped resources, not scoped to the provided namespace")
        if selection.name:
            return [_Doomed(resource, selection.namespace, selection.name, source, None)]
        client = await self.session.client()
        try:
            selected = await client.list(resource, selection.namespace, label_selector=self.selector, field_selector=self.field_selector)
        except ApiError as error:
            self.errors.append(unable_to_find(error, resource, self.selector, self.field_selector))
            return []
        items = selected.get("items") or ()
        return [_Doomed(resource, objects.namespace(item), objects.name(item), source, item) for item in items]

    def _confirmed(self, found: Sequence[_Doomed]) -> bool:
        """Whether the user says y to what is shown."""
        write = self.session.write
        write(f"You are about to delete the following {len(found)} resource(s):\n")
        for one in found:
            write(f"{qualified_name(one.resource, one.name)}\n")
        write("Do you want to continue? (y/N): ")
        self.session.streams.out.flush()
        return self.session.streams.input.readline().strip().lower() == "y"

    async def _delete(self, one: _Doomed) -> None:
        client = await self.session.client()
        answer: Object = {}
        try:
            if self.strategy == "client":
                if one.item is None:
                    await client.get(one.resource, one.name, one.namespace)
            else:
                answer = await client.delete(
                    one.resource,
                    one.name,
                    one.namespace,
                    grace_period_seconds=self.grace_period if self.grace_period >= 0 else None,
                    propagation_policy=propagation(self.cascade),
                    dry_run=self.strategy == "server",
                )
        except NotFound as error:
            if not self.ignore_not_found:
                self.errors.append(with_source(error, "deleting", one.source))
            return
        except ApiError as error:
            self.errors.append(with_source(error, "deleting", one.source))
            return
        self.deleted.append(Deleted(one.resource, one.namespace, one.name, _uid(answer)))
        self._say(one.resource, one.namespace, one.name)

    def _say(self, resource: ResourceType, namespace: str, name: str) -> None:
        if self.output == "name":
            self.session.print(qualified_name(resource, name))
            return
        kind = resource.kind.lower() + (f".{resource.group}" if resource.group else "")
        operation = "force deleted" if self.grace_period == 0 else "deleted"
        where = f" from {namespace} namespace" if namespace else ""
        mark = {"none": "", "client": " (dry run)", "server": " (server dry run)"}[self.strategy]
        self.session.print(f'{kind} "{name}" {operation}{where}{mark}')


def _uid(answer: Object) -> str:
    """The uid in the object or in the Status a delete answers with."""
    if answer.get("kind") == "Status":
        return str((answer.get("details") or {}).get("uid") or "")
    return objects.uid(answer)
