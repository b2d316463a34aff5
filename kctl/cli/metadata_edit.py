"""What `kctl label` and `kctl annotate` share: reading KEY=VALUE and KEY- arguments, and patching metadata."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from kctl.apimachinery import labels, objects
from kctl.apimachinery.objects import Object
from kctl.apimachinery.status import ApiError
from kctl.cli import options
from kctl.cli.builder import Builder
from kctl.cli.command import Command
from kctl.cli.errors import CommandError, UsageError
from kctl.cli.flags import flag
from kctl.cli.options import Manifests, ObjectOutput
from kctl.cli.results import Results
from kctl.cli.targets import Target, live
from kctl.client.transport import MERGE_PATCH, ApiRequest


def is_change(word: str) -> bool:
    """KEY=VALUE sets, KEY- removes."""
    return ("=" in word and not word.startswith("=")) or (word.endswith("-") and "=" not in word and len(word) > 1)


def split(arguments: Sequence[str], what: str) -> tuple[list[str], list[str]]:
    """Resources first, changes after (GetResourcesAndPairs)."""
    resources: list[str] = []
    changes: list[str] = []
    for word in arguments:
        if is_change(word):
            changes.append(word)
        elif changes:
            raise CommandError(f"all resources must be specified before {what} changes: {word}")
        else:
            resources.append(word)
    return resources, changes


def parse(changes: Sequence[str], what: str) -> tuple[dict[str, str], list[str]]:
    """New pairs and keys to remove."""
    pairs: dict[str, str] = {}
    removed: list[str] = []
    for word in changes:
        if word.endswith("-") and "=" not in word:
            removed.append(word[:-1])
            continue
        key, _, value = word.partition("=")
        if what == "label" and (problems := labels.validate_value(value)):
            raise CommandError(f'invalid label value: "{word}": {";".join(problems)}')
        pairs[key] = value
    both = [key for key in removed if key in pairs]
    if both:
        raise CommandError(f"cannot modify and remove the same {what}(s) in the same command")
    return pairs, removed


class MetadataEdit(ObjectOutput, Manifests, Command):
    """`what` is label or annotation, `field_name` where it stands in metadata, `done` the word for a change."""

    what: ClassVar[str]
    field_name: ClassVar[str]
    done: ClassVar[str]

    all: bool = flag("--all", kind="bool", help="Select all resources, in the namespace of the specified resource types")
    list_only: bool = flag("--list", kind="bool", help="If true, display what a given resource has.")
    local: bool = flag("--local", kind="bool", help="If true, the command will NOT contact api-server but run locally.")
    overwrite: bool = flag(
        "--overwrite", kind="bool", help="If true, allow values to be overwritten, otherwise reject updates that overwrite existing ones."
    )
    resource_version: str = flag(
        "--resource-version", help="If non-empty, the update will only succeed if this is the current resource-version for the object."
    )
    all_namespaces: bool = options.all_namespaces()
    selector: str = options.selector()
    field_selector: str = options.field_selector()
    dry_run: str = options.dry_run()
    filename: Sequence[str] = options.filename("Filename, directory, or URL to files identifying the resource to update")
    field_manager: str
    results: Results
    resources: list[str]
    pairs: dict[str, str]
    removed: list[str]

    @property
    def builder(self) -> Builder:
        return Builder(
            self.session,
            self.filename,
            self.kustomize,
            self.recursive,
            self.selector,
            self.field_selector,
            self.all_namespaces,
            select_all=self.all,
            validate=False,
        )

    def complete(self) -> None:
        self.results = Results.of(self, options.dry_run_strategy(self.dry_run, self.session.error))
        self.resources, changes = split(self.arguments, self.what)
        self.pairs, self.removed = parse(changes, self.what)

    def validate(self) -> None:
        self.results.check()
        if not self.resources and not self.builder.has_files:
            raise UsageError("one or more resources must be specified as <resource> <name> or <resource>/<name>")
        if not (self.pairs or self.removed) and not self.list_only:
            raise CommandError(f"at least one {self.what} update is required")
        if self.resource_version and (self.selector or self.all):
            raise CommandError("--resource-version may only be used with a single resource")

    async def run(self) -> None:
        builder = self.builder
        for target in await self._targets(builder):
            try:
                await self._edit(target)
            except (ApiError, CommandError) as error:
                builder.errors.append(error)
        builder.finish()

    async def _targets(self, builder: Builder) -> Sequence[Target]:
        if self.local:
            return [Target(info.resource, info.object) for info in await builder.objects()]
        return await live(builder, self.resources, allow_collection=False)

    async def _edit(self, target: Target) -> None:
        pairs, removed = self.pairs, self.removed
        old: Mapping[str, str] = objects.metadata(target.object).get(self.field_name) or {}
        if self.list_only:
            for key in sorted(old):
                self.session.print(f"{key}={old[key]}")
            return
        self._check_overwrites(old, pairs)
        for key in removed:
            if key not in old and self.what == "label":
                self.session.print(f'label "{key}" not found.')
        new = {key: value for key, value in {**old, **pairs}.items() if key not in removed}
        changed = objects.with_metadata(target.object, **{self.field_name: new or None})
        message = self._message(target.object, changed)
        if not self.local and self.results.dry_run != "client":
            changed = await self._patch(target, pairs, [key for key in removed if key in old]) or changed
        self.results.print(target.resource, changed, message)

    def _check_overwrites(self, old: Mapping[str, str], pairs: Mapping[str, str]) -> None:
        if self.overwrite:
            return
        clashes = [f"'{key}' already has a value ({old[key]})" for key in pairs if key in old]
        if not clashes:
            return
        if self.what == "label":
            texts = [f"{clash}, and --overwrite is false" for clash in clashes]
            raise CommandError(texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]")
        raise CommandError(f"--overwrite is false but found the following declared annotation(s): {'; '.join(clashes)}")

    def _message(self, old: Object, new: Object) -> str:
        if self.what != "label":
            return self.done
        if old == new:
            return "not labeled"
        shorter = len(str(objects.labels(new))) < len(str(objects.labels(old)))
        return "unlabeled" if shorter and not self.overwrite else self.done

    async def _patch(self, target: Target, pairs: Mapping[str, str], removed: Sequence[str]) -> Object | None:
        values = {**pairs, **dict.fromkeys(removed)}
        if not values:
            return None
        meta: Object = {self.field_name: values}
        if self.resource_version:
            meta["resourceVersion"] = self.resource_version
        query = {"fieldManager": self.field_manager} | ({"dryRun": "All"} if self.results.dry_run == "server" else {})
        request = ApiRequest("patch", target.resource, target.namespace, target.name, "", query, {"metadata": meta}, MERGE_PATCH)
        return (await (await self.session.client()).call(request)).object
