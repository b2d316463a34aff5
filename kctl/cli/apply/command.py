"""kctl apply -f: create what is missing, patch what differs, and say which it was."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson

from kctl.apimachinery import objects
from kctl.apimachinery.objects import Object
from kctl.apimachinery.status import ApiError, Conflict, NotFound
from kctl.cli import options
from kctl.cli.apply.errors import conflict_text, describe
from kctl.cli.apply.last_applied import ANNOTATION, annotated, last_applied
from kctl.cli.builder import Builder, Info
from kctl.cli.command import Group
from kctl.cli.errors import CommandError, UsageError, with_source
from kctl.cli.flags import flag
from kctl.cli.lazy import Lazy
from kctl.cli.options import DryRun, Manifests, ObjectOutput
from kctl.cli.results import Results
from kctl.cli.session import Session
from kctl.client.transport import APPLY_PATCH, ApiRequest

_MISSING_ANNOTATION = (
    "resource {name} is missing the {annotation} annotation which is required by {program} apply. {program} apply should only be "
    "used on resources created declaratively by either {program} create --save-config or {program} apply. The missing "
    "annotation will be patched automatically."
)
_CONFLICT_RETRIES = 5
EXAMPLES = """
  # Apply the configuration in pod.json to a pod
  kctl apply -f ./pod.json

  # Apply the JSON passed into stdin to a pod
  cat pod.json | kctl apply -f -

  # Apply every manifest of a directory and the directories below it
  kctl apply -R -f manifests/
"""

_SUBCOMMANDS = {
    "edit-last-applied": Lazy(
        "kctl.cli.apply.edit_last_applied", "EditLastApplied", "Edit latest last-applied-configuration annotations of a resource/object"
    ),
    "set-last-applied": Lazy(
        "kctl.cli.apply.set_last_applied",
        "SetLastApplied",
        "Set the last-applied-configuration annotation on a live object to match the contents of a file",
    ),
    "view-last-applied": Lazy(
        "kctl.cli.apply.view_last_applied",
        "ApplyViewLastApplied",
        "View the latest last-applied-configuration annotations of a resource/object",
    ),
}


class Apply(ObjectOutput, Manifests, Group):
    """Apply a configuration to a resource by file name or stdin. The resource name must be specified. This resource will be created if it doesn't exist yet. To use 'apply', always create the resource initially with either 'apply' or 'create --save-config'.

    JSON and YAML formats are accepted.
    """

    name = "apply"
    usage = "(-f FILENAME | -k DIRECTORY)"
    examples = EXAMPLES
    blocking = True
    members = _SUBCOMMANDS
    without_effect = frozenset({"openapi_patch"})

    all: bool = flag("--all", kind="bool", help="Select all resources in the namespace of the specified resource types.")
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
    force_conflicts: bool = flag(
        "--force-conflicts", kind="bool", help="If true, server-side apply will force the changes against conflicts."
    )
    grace_period: int = flag(
        "--grace-period",
        kind="int",
        default=-1,
        help="Period of time in seconds given to the resource to terminate gracefully. Ignored if negative.",
    )
    openapi_patch: bool = flag(
        "--openapi-patch",
        kind="bool",
        default=True,
        help="If true, use openapi to calculate diff, otherwise baked-in types. Both are the same here and give the same patch.",
    )
    overwrite: bool = flag(
        "--overwrite",
        kind="bool",
        default=True,
        help="Automatically resolve conflicts between the modified and live configuration by using values from the modified configuration",
    )
    prune: bool = flag(
        "--prune",
        kind="bool",
        help="Automatically delete resource objects, that do not appear in the configs and are created by either apply or create --save-config. Should be used with either -l or --all.",
    )
    prune_allowlist: Sequence[str] = flag(
        "--prune-allowlist", kind="slice", help="Overwrite the default allowlist with <group/version/kind> for --prune"
    )
    server_side: bool = flag("--server-side", kind="bool", help="If true, apply runs in the server instead of the client.")
    subresource: str = flag(
        "--subresource",
        help="If specified, apply will operate on the subresource of the requested object.  Only allowed when using --server-side.",
    )
    timeout: float = flag(
        "--timeout",
        kind="duration",
        help="The length of time to wait before giving up on a delete, zero means determine a timeout from the size of the object",
    )
    wait: bool = flag(
        "--wait", kind="bool", help="If true, wait for pruned resources to be gone before returning. This waits for finalizers."
    )
    selector: str = options.selector()
    dry_run: str = options.dry_run()
    schema_check: str = options.validate()
    field_manager: str = options.field_manager("kubectl-client-side-apply")
    filename: Sequence[str] = options.filename("The files, directories or URLs that contain the configurations to apply.")

    def __init__(self, session: Session, arguments: Sequence[str] = (), **values: Any) -> None:
        super().__init__(session, arguments, **values)
        self.strategy: DryRun = "none"
        self.validation = "Strict"
        self.printed: list[Object] = []

    def complete(self) -> None:
        if self.arguments:
            raise UsageError(f"Unexpected args: [{' '.join(self.arguments)}]")
        if not self.filename and not self.kustomize:
            raise CommandError("must specify one of -f and -k")
        self.strategy = options.dry_run_strategy(self.dry_run, self.session.error)
        self.validation = options.field_validation(self.schema_check)
        if self.server_side and "field_manager" not in self.session.changed:
            self.field_manager = "kubectl"

    def validate(self) -> None:
        if not self.overwrite:
            raise CommandError("--overwrite=false is not supported: values of the modified configuration win")
        if self.force_conflicts and not self.server_side:
            raise CommandError("--force-conflicts only works with --server-side")
        if self.strategy == "client" and self.server_side:
            raise CommandError("--dry-run=client doesn't work with --server-side (did you mean --dry-run=server instead?)")
        if self.force and self.server_side:
            raise CommandError("--force cannot be used with --server-side")
        if self.subresource and not self.server_side:
            raise CommandError("--subresource can only be specified for --server-side")
        if self.prune and not self.all and not self.selector:
            raise CommandError(
                "all resources selected for prune without explicitly passing --all. To prune all resources, pass the --all flag. If you did not mean to prune all resources, specify a label selector"
            )
        if self.prune and self.all and self.selector:
            raise CommandError("cannot set --all and --selector at the same time")

    @property
    def results(self) -> Results:
        return Results.of(self, self.strategy)

    async def run(self) -> None:
        results = self.results
        results.check()
        builder = Builder(
            self.session,
            self.filename,
            self.kustomize,
            self.recursive,
            self.selector,
            validate=self.validation != "Ignore",
        )
        infos = await builder.objects()
        if not infos and not builder.errors:
            raise CommandError("no objects passed to apply")
        errors: list[Exception] = []
        for info in infos:
            try:
                await self._one(info, results)
            except (ApiError, CommandError) as error:
                errors.append(error)
        if results.prints_objects:
            results.print_all(self.printed)
        if self.prune and not errors and not builder.errors:
            await self._prune(infos)
        builder.finish(errors)

    async def _prune(self, infos: Sequence[Info]) -> None:
        from kctl.cli.apply.prune import Pruning, prune

        pruning = Pruning(
            self.prune_allowlist, self.selector, self.strategy, self.grace_period, self.cascade, wait=self.wait, timeout=self.timeout
        )
        await prune(self.session, infos, pruning)

    async def _one(self, info: Info, results: Results) -> None:
        if not info.name:
            generated = (info.object.get("metadata") or {}).get("generateName")
            if generated:
                raise CommandError(f"from {generated}: cannot use generate name with apply")
            raise self._nameless(info)
        if self.server_side:
            applied, operation = await self._server_side(info), "serverside-applied"
        else:
            applied, operation = await self._client_side(info)
        if results.prints_objects:
            self.printed.append(applied)
        else:
            results.print(info.resource, applied, operation)

    def _nameless(self, info: Info) -> Exception:
        error = CommandError("resource name may not be empty")
        return with_source(error, f"retrieving current configuration of:\n{describe(info)}\nfrom server for:", info.source)

    async def _server_side(self, info: Info) -> Object:
        query = {"fieldManager": self.field_manager, "fieldValidation": self.validation}
        query["force"] = "true" if self.force_conflicts else "false"
        if self.strategy == "server":
            query["dryRun"] = "All"
        request = ApiRequest("patch", info.resource, info.namespace, info.name, self.subresource, query, info.object, APPLY_PATCH)
        try:
            return (await (await self.session.client()).call(request)).object
        except Conflict as error:
            raise CommandError(conflict_text(error)) from None

    async def _client_side(self, info: Info) -> tuple[Object, str]:
        """The object as it is afterwards, and created, configured or unchanged."""
        client = await self.session.client()
        modified = annotated(info.object)
        try:
            current = await client.get(info.resource, info.name, info.namespace)
        except NotFound:
            return await self._create(info, modified), "created"
        except ApiError as error:
            raise with_source(error, f"retrieving current configuration of:\n{describe(info)}\nfrom server for:", info.source) from None
        if last_applied(current) is None:
            name = f"{info.resource.plural}/{info.name}"
            self.session.warn(_MISSING_ANNOTATION.format(name=name, annotation=ANNOTATION, program="kubectl"))
        if objects.deletion_timestamp(current):
            self.session.warn(f"Detected changes to resource {info.name} which is currently being deleted.")
        return await self._patch(info, modified, current)

    async def _create(self, info: Info, modified: Object) -> Object:
        if self.strategy == "client":
            return modified
        try:
            return await (await self.session.client()).create(
                info.resource,
                modified,
                info.namespace,
                dry_run=self.strategy == "server",
                field_manager=self.field_manager,
                field_validation=self.validation,
            )
        except ApiError as error:
            raise with_source(error, "creating", info.source) from None

    async def _patch(self, info: Info, modified: Object, current: Object) -> tuple[Object, str]:
        from kctl.cli.apply import three_way

        client = await self.session.client()
        for attempt in range(_CONFLICT_RETRIES + 1):
            patch = three_way.make_patch(info, modified, current)
            if self.strategy == "client":
                operation = "unchanged" if patch.empty else "configured"
                return three_way.apply_locally(info, current, patch), operation
            if patch.empty:
                return current, "unchanged"
            query = {"fieldManager": self.field_manager, "fieldValidation": self.validation}
            if self.strategy == "server":
                query["dryRun"] = "All"
            request = ApiRequest("patch", info.resource, info.namespace, info.name, "", query, patch.document, patch.content_type)
            try:
                return (await client.call(request)).object, "configured"
            except Conflict as error:
                if attempt == _CONFLICT_RETRIES:
                    raise self._patch_error(info, patch.document, error) from None
                current = await client.get(info.resource, info.name, info.namespace)
            except ApiError as error:
                if self.force and error.http_status in (409, 422):
                    return await self._recreate(info, modified, current), "configured"
                raise self._patch_error(info, patch.document, error) from None
        raise AssertionError

    def _patch_error(self, info: Info, document: dict[str, Any], error: ApiError) -> Exception:
        text = orjson.dumps(document, option=orjson.OPT_SORT_KEYS).decode()
        return with_source(error, f"applying patch:\n{text}\nto:\n{describe(info)}\nfor:", info.source)

    async def _recreate(self, info: Info, modified: Object, current: Object) -> Object:
        """--force: what cannot be patched is deleted and made again."""
        from kctl.cli.deletion import Deleted, propagation, wait_gone

        client = await self.session.client()
        grace = self.grace_period if self.grace_period >= 0 else None
        await client.delete(
            info.resource,
            info.name,
            info.namespace,
            grace_period_seconds=grace,
            propagation_policy=propagation(self.cascade),
        )
        await wait_gone(self.session, [Deleted(info.resource, info.namespace, info.name, objects.uid(current))], self.timeout)
        return await self._create(info, modified)
