"""What the `set` commands share: the objects meant, one change of each, sent as the patch that makes it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from kctl.apimachinery.objects import Object
from kctl.apimachinery.status import ApiError
from kctl.cli import options
from kctl.cli.builder import MISSING, Builder
from kctl.cli.command import Command
from kctl.cli.errors import CommandError, plain
from kctl.cli.flags import flag
from kctl.cli.options import Manifests, ObjectOutput
from kctl.cli.results import Results
from kctl.cli.targets import Target, live
from kctl.client.transport import MERGE_PATCH, STRATEGIC_MERGE_PATCH, ApiRequest


class Changing(ObjectOutput, Manifests, Command):
    """`changed_object` makes the new object; `done` is what is said of it; `failure` introduces the server's refusal."""

    blocking = True
    done: ClassVar[str]
    failure: ClassVar[str] = ""
    says_unchanged: ClassVar[bool] = False
    """Whether an object that is already so is told of too."""
    each_by_itself: ClassVar[bool] = False
    """Whether those that are there are changed where others that are named are not."""
    selector: str = ""
    """Its flag, of the commands that have it."""
    resources: Sequence[str]

    all: bool = flag("--all", kind="bool", help="Select all resources, in the namespace of the specified resource types")
    dry_run: str = options.dry_run()
    field_manager: str = options.field_manager("kubectl-set")
    filename: Sequence[str] = options.filename("Filename, directory, or URL to files identifying the resource to get from a server.")
    local: bool = flag("--local", kind="bool", help="If true, the command will NOT contact api-server but run locally.")

    def changed_object(self, target: Target) -> Object:
        """The object as it is to be. Raises CommandError for one that cannot be changed so."""
        raise NotImplementedError

    def require_resources(self) -> None:
        if not self.resources and not self.filename and not self.kustomize:
            raise CommandError(MISSING)

    async def prepare(self) -> None:
        """What has to be asked of the server before the first change."""

    async def look_first(self) -> None:
        """What has to be asked of the server before it is asked for the objects."""

    async def run(self) -> None:
        strategy = options.dry_run_strategy(self.dry_run, self.session.error)
        results = Results.of(self, strategy)
        results.check()
        builder = Builder(self.session, self.filename, self.kustomize, self.recursive, self.selector, validate=False)
        await self.look_first()
        if self.local:
            targets = [Target(info.resource, info.object) for info in await builder.objects()]
        else:
            targets = await live(builder, self.resources, allow_collection=self.all)
        if not self.each_by_itself:
            builder.finish()
        await self.prepare()
        for target in targets:
            try:
                await self.change(target, results)
            except (ApiError, CommandError) as error:
                builder.errors.append(error)
        builder.finish()

    async def change(self, target: Target, results: Results) -> None:
        new = self.changed_object(target)
        if self.local or results.dry_run == "client":
            if new != target.object or self.local or self.says_unchanged:
                results.print(target.resource, new, self.done)
            return
        patch, patch_type = _patch(target, new)
        if not patch and not self.says_unchanged:
            return
        query = {"fieldManager": self.field_manager} | ({"dryRun": "All"} if results.dry_run == "server" else {})
        request = ApiRequest("patch", target.resource, target.namespace, target.name, "", query, patch, patch_type)
        try:
            answer = await (await self.session.client()).call(request)
        except ApiError as error:
            if not self.failure:
                raise
            raise CommandError(f"{self.failure} {plain(error).removeprefix('error: ')}") from None
        results.print(target.resource, answer.object, self.done)


def _patch(target: Target, new: Object) -> tuple[dict[str, Any], str]:
    from kctl.apimachinery.schema import schemas

    schema = schemas.load().for_kind(target.resource.api_version, target.resource.kind)
    if schema is None:
        from kctl.apimachinery import merge_patch

        return merge_patch.diff(target.object, new), MERGE_PATCH
    from kctl.apimachinery import strategic_diff

    return strategic_diff.two_way(target.object, new, schema.patch_meta), STRATEGIC_MERGE_PATCH


def wildcard(pattern: str, name: str) -> bool:
    """kubectl's patterns of container names: `*` stands for any text."""
    import re

    return re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), name) is not None
