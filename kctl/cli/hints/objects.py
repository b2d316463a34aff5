"""Types, kinds and objects of the server that are close to what was named."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from kctl.apimachinery import objects
from kctl.apimachinery.resources import ResourceType
from kctl.apimachinery.status import ApiError
from kctl.cli.hints.close import MOST, close, question
from kctl.cli.session import Session
from kctl.client.discovery import preferred

_MOST_OBJECTS: Final = 5000
"""So many names of a collection are looked at."""


async def close_types(session: Session, word: str, group: str) -> str:
    """For `the server doesn't have a resource type "word"`."""
    types = preferred(await (await session.mapper()).types())
    found = [one for one in types if word in (one.plural, one.singular, one.kind.lower(), *one.short_names)] if group else []
    if found:
        return question(_qualified(one) for one in found[:MOST])
    plurals = {spelling.lower(): one for one in types for spelling in (*one.short_names, one.kind, one.singular, one.plural)}
    spellings = close(word, plurals, beginnings=len(word) > 2)
    return question(list(dict.fromkeys(_named(plurals[one], types) for one in spellings)))


def _qualified(resource: ResourceType) -> str:
    return f"{resource.plural}.{resource.group}" if resource.group else resource.plural


def _named(resource: ResourceType, types: Iterable[ResourceType]) -> str:
    """With the group where another one has such a type too."""
    same = [one for one in types if one.plural == resource.plural]
    return resource.plural if len(same) == 1 else _qualified(resource)


async def close_kinds(session: Session, kind: str, api_version: str) -> str:
    """For `no matches for kind "kind" in version "api_version"`: the kind in another version, else one that is close."""
    types = await (await session.mapper()).types()
    elsewhere = list(dict.fromkeys(one.api_version for one in types if one.kind == kind))
    if elsewhere:
        return f"{kind} is in version {' and '.join(elsewhere[:MOST])} here."
    found = close(kind, (one.kind for one in types), beginnings=len(kind) > 2)
    versions = {one.kind: one.api_version for one in reversed(types)}
    return question(f"{one}, apiVersion: {versions[one]}" for one in found).replace('"', "")


async def close_names(session: Session, plural: str, name: str) -> str:
    """For `plural "name" not found`: objects of the namespace that are called nearly so, else where there is one of that name."""
    resource = await (await session.mapper()).resource(plural)
    if "list" not in resource.verbs:
        return ""
    client = await session.client()
    namespace = session.namespace if resource.namespaced else ""
    listed = await client.list(resource, namespace, limit=_MOST_OBJECTS)
    found = close(name, (objects.name(item) for item in listed.get("items") or ()))
    if found or not resource.namespaced:
        return question(found)
    try:
        same = (await client.list(resource, "", field_selector=f"metadata.name={name}", limit=MOST)).get("items") or ()
    except ApiError:
        return ""
    spaces = [objects.namespace(item) for item in same]
    if not spaces:
        return ""
    return f'There is {resource.singular or resource.kind.lower()} "{name}" in namespace {" and ".join(spaces)}: use -n {spaces[0]}'
