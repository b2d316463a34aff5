"""kctl replace: the whole object by the manifest's; --force deletes and creates it again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kctl.apimachinery import objects
from kctl.apimachinery.objects import Object
from kctl.apimachinery.status import ApiError, NotFound
from kctl.cli import options
from kctl.cli.builder import Builder, Info
from kctl.cli.command import Command
from kctl.cli.deletion import Deleted, propagation, wait_gone
from kctl.cli.errors import CommandError, UsageError, with_source
from kctl.cli.flags import flag
from kctl.cli.options import Manifests, ObjectOutput
from kctl.cli.results import Results
from kctl.cli.session import Session
from kctl.client.transport import ApiRequest


class Replace(ObjectOutput, Manifests, Command):
    """Replace a resource by file name or stdin.

    JSON and YAML formats are accepted. If replacing an existing resource, the complete resource spec must be provided.
    """

    name = "replace"
    usage = "-f FILENAME"
    blocking = True

    cascade: str = flag(
        "--cascade",
        default="background",
        bare="background",
        help='Must be "background", "orphan", or "foreground". Selects the deletion cascading strategy for the dependents.',
    )
    force: bool = flag("--force", kind="bool", help="If true, immediately remove resources from API and bypass graceful deletion.")
    grace_period: int = flag(
        "--grace-period",
        kind="int",
        default=-1,
        help="Period of time in seconds given to the resource to terminate gracefully. Ignored if negative.",
    )
    raw: str = flag("--raw", help="Raw URI to PUT to the server.  Uses the transport specified by the kubeconfig file.")
    save_config: bool = flag(
        "--save-config", kind="bool", help="If true, the configuration of current object will be saved in its annotation."
    )
    subresource: str = flag("--subresource", help="If specified, replace will operate on the subresource of the requested object.")
    timeout: float = flag(
        "--timeout",
        kind="duration",
        help="The length of time to wait before giving up on a delete, zero means determine a timeout from the size of the object",
    )
    wait: bool = flag("--wait", kind="bool", help="If true, wait for resources to be gone before returning. This waits for finalizers.")
    dry_run: str = options.dry_run()
    schema_check: str = options.validate()
    field_manager: str = options.field_manager("kubectl-replace")
    filename: Sequence[str] = options.filename("The files, directories or URLs that contain the configurations to replace.")

    async def run(self) -> None:
        if self.grace_period >= 0 and not self.force:
            raise CommandError("--grace-period must have --force specified")
        if self.timeout and not self.force:
            raise CommandError("--timeout must have --force specified")
        if not self.filename and not self.kustomize:
            raise UsageError("must specify --filename to replace")
        if self.arguments:
            raise UsageError(f"Unexpected args: [{' '.join(self.arguments)}]")
        if self.raw:
            from kctl.cli.manifests import sources
            from kctl.cli.raw import raw_request

            await raw_request(self.session, "PUT", self.raw, sources(self.filename, False, self.session.streams.input)[0].read())
            return
        strategy = options.dry_run_strategy(self.dry_run, self.session.error)
        validation = options.field_validation(self.schema_check)
        results = Results(self.session, self.output, self.template, self.show_managed_fields, self.allow_missing_template_keys, strategy)
        results.check()
        builder = Builder(self.session, self.filename, self.kustomize, self.recursive, validate=validation != "Ignore")
        infos = await builder.objects()
        if self.save_config:
            from kctl.cli.apply.last_applied import annotated

            infos = [info._replace(object=annotated(info.object)) for info in infos]
        if self.force:
            await _force(
                self.session,
                builder,
                infos,
                results,
                propagation(self.cascade),
                max(self.grace_period, 0) if self.grace_period >= 0 else 0,
                self.timeout,
                validation,
                self.field_manager,
            )
            return
        errors: list[Exception] = []
        for info in infos:
            try:
                found = info.object
                if strategy != "client":
                    found = await _update(self.session, info, self.subresource, strategy == "server", validation, self.field_manager)
                results.print(info.resource, found, "replaced")
            except ApiError as error:
                errors.append(with_source(error, "replacing", info.source))
        builder.finish(errors)
        if not infos:
            raise CommandError("no objects passed to replace")


async def _update(session: Session, info: Info, subresource: str, dry: bool, validation: str, manager: str) -> Object:
    """PUT; without a resourceVersion in the manifest whatever is there is replaced."""
    if not info.name:
        raise with_source(CommandError("resource name may not be empty"), "replacing", info.source)
    query = {"fieldManager": manager, "fieldValidation": validation} | ({"dryRun": "All"} if dry else {})
    request = ApiRequest("update", info.resource, info.namespace, info.name, subresource, query, info.object)
    return (await (await session.client()).call(request)).object


async def _force(
    session: Session,
    builder: Builder,
    infos: list[Info],
    results: Results,
    policy: str,
    grace: int,
    timeout: float,
    validation: str,
    manager: str,
) -> None:
    client = await session.client()
    deleted: list[Deleted] = []
    for info in infos:
        try:
            answer: dict[str, Any] = await client.delete(
                info.resource, info.name, info.namespace, grace_period_seconds=grace, propagation_policy=policy
            )
        except NotFound:
            continue
        kind = info.resource.kind.lower() + (f".{info.resource.group}" if info.resource.group else "")
        where = f" from {info.namespace} namespace" if info.namespace else ""
        operation = "force deleted" if grace == 0 else "deleted"
        session.print(f'{kind} "{info.name}" {operation}{where}')
        deleted.append(Deleted(info.resource, info.namespace, info.name, objects.uid(answer)))
    await wait_gone(session, deleted, timeout)
    errors: list[Exception] = []
    for info in infos:
        try:
            obj = objects.with_metadata(info.object, resourceVersion="")
            obj = objects.with_metadata(obj, resourceVersion=None)
            found = await client.create(info.resource, obj, info.namespace, field_manager=manager, field_validation=validation)
            results.print(info.resource, found, "replaced")
        except ApiError as error:
            errors.append(with_source(error, "replacing", info.source))
    builder.finish(errors)
