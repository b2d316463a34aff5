"""The live objects a command is about: what its arguments, selectors or manifests name, fetched."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from kctl.apimachinery import objects
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import ResourceType
from kctl.apimachinery.status import ApiError
from kctl.cli.builder import Builder, Selection, qualified_name


class Target(NamedTuple):
    resource: ResourceType
    object: Object

    @property
    def name(self) -> str:
        return objects.name(self.object)

    @property
    def namespace(self) -> str:
        return objects.namespace(self.object)

    @property
    def full_name(self) -> str:
        """deployment.apps/web"""
        return qualified_name(self.resource, self.name)


async def live(builder: Builder, arguments: Sequence[str], *, allow_collection: bool = True, subresource: str = "") -> list[Target]:
    """In the order kubectl visits them. What cannot be fetched goes to `builder.errors`, the rest goes on."""
    if builder.has_files and not arguments:
        selections = [Selection(info.resource, info.namespace, info.name) for info in await builder.objects()]
    else:
        selections = await builder.selections(arguments, allow_collection=allow_collection)
    targets: list[Target] = []
    for selection in selections:
        try:
            targets += await fetch(builder, selection, subresource)
        except ApiError as error:
            builder.errors.append(error)
    return targets


async def described(builder: Builder, arguments: Sequence[str]) -> list[Target]:
    """The objects that manifests describe, as they stand in the files; those that arguments name, as they are in the cluster."""
    if builder.has_files and not arguments:
        return [Target(info.resource, info.object) for info in await builder.objects()]
    return await live(builder, arguments, allow_collection=False)


async def fetch(builder: Builder, selection: Selection, subresource: str = "") -> list[Target]:
    """One object, or the items of a collection, asked for in pieces of `builder.chunk_size`."""
    client = await builder.session.client()
    resource = selection.resource
    if selection.name:
        return [Target(resource, await client.get(resource, selection.name, selection.namespace, subresource=subresource))]
    head = {"apiVersion": resource.api_version, "kind": resource.kind}
    targets: list[Target] = []
    token = ""
    while True:
        listed = await client.list(
            resource,
            selection.namespace,
            label_selector=builder.selector,
            field_selector=builder.field_selector,
            limit=builder.chunk_size,
            continue_token=token,
        )
        targets += [Target(resource, {**head, **item}) for item in listed.get("items") or ()]
        token = (listed.get("metadata") or {}).get("continue") or ""
        if not token:
            return targets
