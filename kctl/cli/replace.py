"""kctl replace: the whole object by the manifest's; --force deletes and creates it again."""

from __future__ import annotations

from typing import Any

import click

from kctl.apimachinery import objects
from kctl.apimachinery.objects import Object
from kctl.apimachinery.status import ApiError, NotFound
from kctl.cli import options
from kctl.cli.builder import Builder, Info
from kctl.cli.command import KubectlCommand
from kctl.cli.deletion import Deleted, propagation, wait_gone
from kctl.cli.errors import CommandError, UsageError, with_source
from kctl.cli.flags import flag
from kctl.cli.results import Results
from kctl.cli.session import Session
from kctl.client.transport import ApiRequest


@click.command(
    "replace",
    cls=KubectlCommand,
    blocking=True,
    short_help="Replace a resource by file name or stdin",
    usage="-f FILENAME",
)
@flag(
    "--cascade",
    default="background",
    bare="background",
    help='Must be "background", "orphan", or "foreground". Selects the deletion cascading strategy for the dependents.',
)
@flag("--force", kind="bool", help="If true, immediately remove resources from API and bypass graceful deletion.")
@flag(
    "--grace-period",
    kind="int",
    default=-1,
    help="Period of time in seconds given to the resource to terminate gracefully. Ignored if negative.",
)
@flag("--raw", help="Raw URI to PUT to the server.  Uses the transport specified by the kubeconfig file.")
@flag("--save-config", kind="bool", help="If true, the configuration of current object will be saved in its annotation.")
@flag("--subresource", help="If specified, replace will operate on the subresource of the requested object.")
@flag(
    "--timeout",
    kind="duration",
    help="The length of time to wait before giving up on a delete, zero means determine a timeout from the size of the object",
)
@flag("--wait", kind="bool", help="If true, wait for resources to be gone before returning. This waits for finalizers.")
@options.output()
@options.dry_run()
@options.validate()
@options.field_manager("kubectl-replace")
@options.filename("The files, directories or URLs that contain the configurations to replace.")
async def command(
    session: Session,
    arguments: tuple[str, ...],
    cascade: str,
    force: bool,
    grace_period: int,
    raw: str,
    save_config: bool,
    subresource: str,
    timeout: float,
    wait: bool,
    output: str,
    template: str,
    show_managed_fields: bool,
    allow_missing_template_keys: bool,
    dry_run: str,
    validate: str,
    field_manager: str,
    filename: tuple[str, ...],
    kustomize: str,
    recursive: bool,
) -> None:
    """Replace a resource by file name or stdin.

    JSON and YAML formats are accepted. If replacing an existing resource, the complete resource spec must be provided.
    """
    if grace_period >= 0 and not force:
        raise CommandError("--grace-period must have --force specified")
    if timeout and not force:
        raise CommandError("--timeout must have --force specified")
    if not filename and not kustomize:
        raise UsageError("must specify --filename to replace")
    if arguments:
        raise UsageError(f"Unexpected args: [{' '.join(arguments)}]")
    if raw:
        from kctl.cli.manifests import sources
        from kctl.cli.raw import raw_request

        await raw_request(session, "PUT", raw, sources(filename, False)[0].read())
        return
    strategy = options.dry_run_strategy(dry_run, session.error)
    validation = options.field_validation(validate)
    results = Results(session, output, template, show_managed_fields, allow_missing_template_keys, strategy)
    results.check()
    builder = Builder(session, filename, kustomize, recursive, validate=validation != "Ignore")
    infos = await builder.objects()
    if save_config:
        from kctl.cli.apply.last_applied import annotated

        infos = [info._replace(object=annotated(info.object)) for info in infos]
    if force:
        await _force(
            session,
            builder,
            infos,
            results,
            propagation(cascade),
            max(grace_period, 0) if grace_period >= 0 else 0,
            timeout,
            validation,
            field_manager,
        )
        return
    errors: list[Exception] = []
    for info in infos:
        try:
            found = info.object
            if strategy != "client":
                found = await _update(session, info, subresource, strategy == "server", validation, field_manager)
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
