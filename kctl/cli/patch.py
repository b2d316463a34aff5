"""kctl patch: strategic, merge or JSON patch of named objects."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from kctl.apimachinery import objects
from kctl.apimachinery.objects import Object
from kctl.apimachinery.status import ApiError
from kctl.cli import options
from kctl.cli.builder import Builder, Selection
from kctl.cli.command import Command
from kctl.cli.errors import CommandError
from kctl.cli.flags import flag
from kctl.cli.options import Manifests, ObjectOutput
from kctl.cli.results import Results
from kctl.cli.session import Session
from kctl.client.transport import JSON_PATCH, MERGE_PATCH, STRATEGIC_MERGE_PATCH, ApiRequest

_TYPES = {"json": JSON_PATCH, "merge": MERGE_PATCH, "strategic": STRATEGIC_MERGE_PATCH}


class Patch(ObjectOutput, Manifests, Command):
    """Update fields of a resource using strategic merge patch, a JSON merge patch, or a JSON patch.

    JSON and YAML formats are accepted.
    """

    name = "patch"
    usage = "(-f FILENAME | TYPE NAME) [-p PATCH|--patch-file FILE]"
    blocking = True

    patch: str = flag("-p", "--patch", help="The patch to be applied to the resource JSON file.")
    patch_file: str = flag("--patch-file", help="A file containing a patch to be applied to the resource.")
    patch_type: str = flag("--type", default="strategic", help="The type of patch being provided; one of [json merge strategic]")
    local: bool = flag("--local", kind="bool", help="If true, patch will operate on the content of the file, not the server-side resource.")
    subresource: str = flag("--subresource", help="If specified, patch will operate on the subresource of the requested object.")
    dry_run: str = options.dry_run()
    field_manager: str = options.field_manager("kubectl-patch")
    filename: Sequence[str] = options.filename("Filename, directory, or URL to files identifying the resource to update")

    async def run(self) -> None:
        if self.patch and self.patch_file:
            raise CommandError("cannot specify --patch and --patch-file together")
        if not self.patch and not self.patch_file:
            raise CommandError("must specify --patch or --patch-file containing the contents of the patch")
        if self.patch_type not in _TYPES:
            raise CommandError(f'--type must be one of [json merge strategic], not "{self.patch_type}"')
        strategy = options.dry_run_strategy(self.dry_run, self.session.error)
        if self.local and strategy == "server":
            raise CommandError("cannot specify --local and --dry-run=server - did you mean --dry-run=client?")
        document = _document(self.patch, self.patch_file)
        results = Results(self.session, self.output, self.template, self.show_managed_fields, self.allow_missing_template_keys)
        results.check()
        builder = Builder(self.session, self.filename, self.kustomize, self.recursive, validate=False)
        errors: list[Exception] = []
        for selection, manifest in await _targets(builder, self.arguments):
            try:
                old = manifest if self.local else await _get(self.session, selection, self.subresource)
                if strategy == "client" or self.local:
                    new = apply_locally(selection, old, document, self.patch_type)
                else:
                    new = await _send(
                        self.session, selection, self.subresource, document, self.patch_type, self.field_manager, strategy == "server"
                    )
                changed = _without_version(old) != _without_version(new)
                results.print(selection.resource, new, "patched" if changed else "patched (no change)")
            except ApiError as error:
                errors.append(error)
        builder.finish(errors)


def _document(patch: str, patch_file: str) -> Any:
    from kctl.apimachinery import yaml

    try:
        text = patch or Path(patch_file).read_text()
    except OSError as error:
        raise CommandError(f"unable to read patch file: open {patch_file}: {(error.strerror or '').lower()}") from None
    try:
        return yaml.load(text)
    except ValueError as error:
        if text.startswith("{"):  # meant as JSON: the server says what is wrong with it
            return text.encode()
        raise CommandError(f'unable to parse "{text}": {error}') from None


async def _targets(builder: Builder, arguments: tuple[str, ...]) -> list[tuple[Selection, Object]]:
    if builder.has_files:
        infos = await builder.objects()
        return [(Selection(info.resource, info.namespace, info.name), info.object) for info in infos]
    selections = await builder.selections(arguments, allow_collection=False)
    return [(selection, {}) for selection in selections]


async def _get(session: Session, selection: Selection, subresource: str) -> Object:
    client = await session.client()
    return await client.get(selection.resource, selection.name, selection.namespace, subresource=subresource)


async def _send(session: Session, selection: Selection, subresource: str, document: Any, kind: str, manager: str, dry: bool) -> Object:
    query = {"fieldManager": manager} | ({"dryRun": "All"} if dry else {})
    request = ApiRequest("patch", selection.resource, selection.namespace, selection.name, subresource, query, document, _TYPES[kind])
    return (await (await session.client()).call(request)).object


def apply_locally(selection: Selection, old: Object, document: Any, kind: str) -> Object:
    """--dry-run=client and --local."""
    if kind == "json":
        from kctl.apimachinery import json_patch

        return dict(json_patch.apply(old, document))
    if kind == "merge":
        from kctl.apimachinery import merge_patch

        return dict(merge_patch.apply(old, document))
    from kctl.apimachinery import strategic_merge
    from kctl.apimachinery.schema import schemas

    schema = schemas.load().for_kind(selection.resource.api_version, selection.resource.kind)
    if schema is None:
        raise CommandError(f"strategic merge patch is not supported for {selection.resource.kind}")
    return strategic_merge.apply(old, document, schema.patch_meta)


def _without_version(obj: Object) -> Object:
    return {**objects.with_metadata(obj, managedFields=None, resourceVersion=None)} if obj.get("metadata", {}).get("managedFields") else obj
