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
from kctl.cli.options import DryRun, Manifests, ObjectOutput
from kctl.cli.results import Results
from kctl.cli.session import Session
from kctl.client.transport import ApiRequest

_GONE_SECONDS = 300.0


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

    def __init__(self, session: Session, arguments: Sequence[str] = (), **values: Any) -> None:
        super().__init__(session, arguments, **values)
        self.strategy: DryRun = "none"
        self.validation = "Strict"

    def complete(self) -> None:
        self.strategy = options.dry_run_strategy(self.dry_run, self.session.error)
        self.validation = options.field_validation(self.schema_check)

    def validate(self) -> None:
        if self.force and self.strategy != "none":
            raise CommandError("--dry-run can not be used when --force is set")
        if self.grace_period >= 0 and not self.force:
            raise CommandError("--grace-period must have --force specified")
        if self.timeout and not self.force:
            raise CommandError("--timeout must have --force specified")
        if not self.filename and not self.kustomize:
            raise UsageError("must specify --filename to replace")
        if self.arguments:
            raise UsageError(f"Unexpected args: [{' '.join(self.arguments)}]")
        propagation(self.cascade)
        Results.of(self).check()

    async def run(self) -> None:
        if self.raw:
            from kctl.cli.manifests import sources
            from kctl.cli.raw import raw_request

            await raw_request(self.session, "PUT", self.raw, sources(self.filename, False, self.session.streams.input)[0].read())
            return
        builder = Builder(self.session, self.filename, self.kustomize, self.recursive, validate=self.validation != "Ignore")
        infos = await builder.objects()
        if self.save_config:
            from kctl.cli.apply.last_applied import annotated

            infos = [info._replace(object=annotated(info.object)) for info in infos]
        if self.force:
            await self._delete(infos)
        errors: list[Exception] = []
        for info in infos:
            try:
                replaced = await (self._create(info) if self.force else self._update(info))
                Results.of(self, self.strategy).print(info.resource, replaced, "replaced")
            except ApiError as error:
                errors.append(with_source(error, "replacing", info.source))
        builder.finish(errors)
        if not infos:
            raise CommandError("no objects passed to replace")

    async def _update(self, info: Info) -> Object:
        """PUT; without a resourceVersion in the manifest whatever is there is replaced."""
        if self.strategy == "client":
            return info.object
        if not info.name:
            raise with_source(CommandError("resource name may not be empty"), "replacing", info.source)
        query = {"fieldManager": self.field_manager, "fieldValidation": self.validation}
        if self.strategy == "server":
            query["dryRun"] = "All"
        request = ApiRequest("update", info.resource, info.namespace, info.name, self.subresource, query, info.object)
        return (await (await self.session.client()).call(request)).object

    async def _create(self, info: Info) -> Object:
        """--force, what was there being gone."""
        obj = objects.with_metadata(info.object, resourceVersion=None)
        return await (await self.session.client()).create(
            info.resource, obj, info.namespace, field_manager=self.field_manager, field_validation=self.validation
        )

    async def _delete(self, infos: Sequence[Info]) -> None:
        """With a grace period of 0 or --wait until it is gone, however long; else for five minutes."""
        client = await self.session.client()
        deleted: list[Deleted] = []
        for info in infos:
            try:
                answer: dict[str, Any] = await client.delete(
                    info.resource,
                    info.name,
                    info.namespace,
                    grace_period_seconds=max(self.grace_period, 1) if self.grace_period >= 0 else None,
                    propagation_policy=propagation(self.cascade),
                )
            except NotFound:
                continue
            kind = info.resource.kind.lower() + (f".{info.resource.group}" if info.resource.group else "")
            where = f" from {info.namespace} namespace" if info.namespace else ""
            self.session.print(f'{kind} "{info.name}" deleted{where}')
            deleted.append(Deleted(info.resource, info.namespace, info.name, objects.uid(answer)))
        patient = self.wait or self.grace_period == 0
        await wait_gone(self.session, deleted, self.timeout or (0.0 if patient else _GONE_SECONDS))
