"""What the `create KIND NAME` commands share: their flags, the one NAME, sending or only showing the object."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import built_in
from kctl.apimachinery.status import ApiError
from kctl.cli import options
from kctl.cli.command import Command
from kctl.cli.errors import CommandError, UsageError, plain
from kctl.cli.options import ObjectOutput
from kctl.cli.results import Results
from kctl.cli.session import Session
from kctl.client.errors import ConnectionFailed


class Generator(ObjectOutput, Command):
    """A command that makes one object from its flags; `create` sends or only shows it. `required` are flags that must be given, by
    parameter name; `takes_command` says that words after `--` are a container's command."""

    blocking = True
    dry_run: str = options.dry_run()
    schema_check: str = options.validate()
    field_manager: str = options.field_manager("kubectl-create")
    save_config: bool = options.save_config()

    required: ClassVar[tuple[str, ...]] = ()
    takes_command: ClassVar[bool] = False
    object_name: str
    words: list[str]
    _results: Results | None = None
    """One for all objects that the command makes, so that they are printed as one stream."""

    def complete(self) -> None:
        """NAME, and for some kinds what comes after `--`."""
        require_flags(self.session, *self.required)
        if self.takes_command:
            self.object_name, self.words = name_and_command(self.session, self.arguments)
        else:
            self.object_name = exactly_one_name(self.session, self.arguments)

    async def create(self, obj: Object, *, failure: str = "") -> None:
        """`failure` introduces an error, e.g. `failed to create deployment: `."""
        results = self._results = self._results or Results.of(
            self, options.dry_run_strategy(self.dry_run, self.session.error), in_field_order=True
        )
        results.check()
        dry_run = results.dry_run
        validation = options.field_validation(self.schema_check)
        resource = built_in(obj["apiVersion"], obj["kind"])
        if resource.namespaced and self.session.namespace_is_explicit:
            obj = with_namespace(obj, self.session.namespace)
        if self.save_config:
            from kctl.cli.apply.last_applied import annotated

            obj = annotated(obj, in_field_order=True)
        if dry_run != "client":
            client = await self.session.client()
            namespace = self.session.namespace if resource.namespaced else ""
            try:
                obj = await client.create(
                    resource,
                    obj,
                    namespace,
                    dry_run=dry_run == "server",
                    field_manager=self.field_manager,
                    field_validation=validation,
                )
            except (ApiError, ConnectionFailed) as error:
                if failure:
                    raise CommandError(f"{failure}{plain(error)}") from None
                raise
        results.print(resource, obj, "created")


def with_namespace(obj: Object, namespace: str) -> Object:
    meta = obj["metadata"]
    ordered = {"name": meta["name"], "namespace": namespace, **meta}
    return {**obj, "metadata": ordered}


def exactly_one_name(session: Session, arguments: Sequence[str]) -> str:
    """What comes after `--` is no name."""
    count = len(arguments) if session.dash < 0 else session.dash
    if count != 1:
        raise UsageError(f"exactly one NAME is required, got {count}")
    return arguments[0]


def name_and_command(session: Session, arguments: Sequence[str]) -> tuple[str, list[str]]:
    """NAME, and what came after `--`."""
    if session.dash < 0:
        return exactly_one_name(session, arguments), []
    if session.dash != 1:
        raise UsageError(f"exactly one NAME is required, got {session.dash}")
    return arguments[0], list(arguments[1:])


def require_flags(session: Session, *names: str) -> None:
    """cobra's required flags, by parameter name."""
    missing = [name.replace("_", "-") for name in names if name not in session.changed]
    if missing:
        shown = '", "'.join(sorted(missing))
        raise CommandError(f'required flag(s) "{shown}" not set')


def container_name(image: str) -> str:
    """The last part of an image without tag or digest, as create deployment names containers."""
    return image.rsplit("/", 1)[-1].split(":", 1)[0].split("@", 1)[0]
