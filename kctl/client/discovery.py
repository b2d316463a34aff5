"""Names and short names to resources: client-go's RESTMapper over the server's discovery.

Names of built-in kinds in stable versions come from the resource table at once, with no request; everything else (custom
resources, alpha and beta kinds, categories, names nobody knows) from the server's aggregated discovery, kept on disk for six
hours as kubectl does and read again when a name is missing.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, NamedTuple

from kctl.apimachinery.json_reading import read_json
from kctl.apimachinery.resources import BUILT_IN, ResourceType, Subresource
from kctl.apimachinery.status import ApiError, from_status
from kctl.client.transport import Transport

AGGREGATED: Final = (
    "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,"
    "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json"
)
CACHE_SECONDS: Final = 6 * 3600
_STABLE = re.compile(r"v\d+")


class NoResource(Exception):
    """`the server doesn't have a resource type "x"`"""

    def __init__(self, name: str) -> None:
        word, _, group = name.partition(".")
        where = f' in group "{group}"' if group else ""
        super().__init__(f'the server doesn\'t have a resource type "{word}"{where}')


class NoKind(Exception):
    """`no matches for kind "X" in version "v1"`"""

    def __init__(self, api_version: str, kind: str) -> None:
        super().__init__(f'no matches for kind "{kind}" in version "{api_version}"')


class RESTMapper:
    """`cache` is the folder of the server's cached discovery; None keeps it in memory only."""

    def __init__(self, transport: Transport, cache: Path | None = None) -> None:
        self._transport = transport
        self._cache = cache
        self._types: list[ResourceType] | None = None
        self._fresh = False

    async def resource(self, name: str) -> ResourceType:
        """A type by what a user types: pods, po, Pod, deployments.apps, deployments.v1.apps. Raises NoResource."""
        resource = find(_STABLE_BUILT_IN, name) or find(await self.types(), name)
        if resource is None and not self._fresh:
            resource = find(await self.refresh(), name)
        if resource is None:
            raise NoResource(name)
        return resource

    async def kind(self, api_version: str, kind: str) -> ResourceType:
        """A type by an object's apiVersion and kind. Raises NoKind."""
        resource = _by_kind(_STABLE_BUILT_IN, api_version, kind) or _by_kind(await self.types(), api_version, kind)
        if resource is None and not self._fresh:
            resource = _by_kind(await self.refresh(), api_version, kind)
        if resource is None:
            raise NoKind(api_version, kind)
        return resource

    async def category(self, name: str) -> list[ResourceType]:
        """The listable types of a category such as `all`, the preferred version of each; empty if it is none."""
        known = [resource for resource in preferred(await self.types()) if name in resource.categories and "list" in resource.verbs]
        if not known and not self._fresh and name not in _BUILT_IN_NAMES:
            return [resource for resource in preferred(await self.refresh()) if name in resource.categories and "list" in resource.verbs]
        return known

    def known_without_server(self, name: str) -> bool:
        """Whether `name` needs no discovery."""
        return find(_STABLE_BUILT_IN, name) is not None

    async def types(self) -> list[ResourceType]:
        """Everything the server serves, in discovery order; perhaps from the cache."""
        if self._types is None:
            self._types = self._cached()
        if self._types is None:
            return await self.refresh()
        return self._types

    async def refresh(self) -> list[ResourceType]:
        """Ask the server now."""
        self._types = await discover(self._transport)
        self._fresh = True
        if self._cache is not None:
            _store(self._cache / "resources.json", self._types)
        return self._types

    def _cached(self) -> list[ResourceType] | None:
        if self._cache is None:
            return None
        path = self._cache / "resources.json"
        try:
            if time.time() - path.stat().st_mtime > CACHE_SECONDS:
                return None
            return [_from_json(saved) for saved in read_json(path.read_bytes())]
        except (OSError, ValueError, TypeError, KeyError):
            return None


def find(types: Iterable[ResourceType], name: str) -> ResourceType | None:
    """The first type a user's word matches. With a group, a prefix of the group's name is enough (ingresses.networking)."""
    types = list(types)
    plain = [resource for resource in types if _is_called(resource, name)]
    if plain:
        return plain[0]
    word, _, rest = name.partition(".")
    if not rest:
        return None
    version, _, group = rest.partition(".")
    for resource in types:
        if _is_called(resource, word) and resource.version == version and resource.group == group:
            return resource
    for exact in (True, False):
        for resource in types:
            if _is_called(resource, word) and resource.group and (resource.group == rest if exact else resource.group.startswith(rest)):
                return resource
    return None


def _is_called(resource: ResourceType, word: str) -> bool:
    """Short names are matched as they are, everything else whatever its case."""
    lower = word.lower()
    return lower == resource.plural or lower == resource.singular or word in resource.short_names or lower == resource.kind.lower()


def _by_kind(types: Iterable[ResourceType], api_version: str, kind: str) -> ResourceType | None:
    """By the Kind, or all of it in lower case, as client-go's mapper knows both; the server then says what it thinks of it."""
    return next(
        (resource for resource in types if kind in (resource.kind, resource.kind.lower()) and resource.api_version == api_version), None
    )


def preferred(types: Iterable[ResourceType]) -> list[ResourceType]:
    """One version of each resource, the first listed."""
    chosen: dict[tuple[str, str], ResourceType] = {}
    for resource in types:
        chosen.setdefault((resource.group, resource.plural), resource)
    return list(chosen.values())


_STABLE_BUILT_IN: Final = tuple(resource for resource in BUILT_IN if _STABLE.fullmatch(resource.version))
_BUILT_IN_NAMES: Final = frozenset(name for resource in BUILT_IN for name in (resource.plural, resource.singular, *resource.short_names))


class Discovered(NamedTuple):
    types: list[ResourceType]
    stale: tuple[str, ...]
    """Group versions of extension API servers that do not answer just now: of these there may be other resources than `types` says."""


async def discover(transport: Transport) -> list[ResourceType]:
    """Aggregated discovery, or group by group from a server without it."""
    return (await discover_all(transport)).types


async def discover_all(transport: Transport) -> Discovered:
    """As `discover`, for those who must know whether that is all."""
    types: list[ResourceType] = []
    stale: tuple[str, ...] = ()
    for path in ("/api", "/apis"):
        body = await _body(transport, path)
        known = _aggregated(body)
        types += known[0] if known is not None else await _legacy(transport, path, _read(body))
        stale += known[1] if known is not None else ()
    return Discovered(types, stale)


async def _body(transport: Transport, path: str) -> bytes:
    response = await transport.raw("GET", path, headers={"Accept": AGGREGATED})
    if response.status >= 400:
        raise _failure(response.status, response.body)
    return response.body


def _read(body: bytes) -> dict[str, Any]:
    loaded = read_json(body)
    return loaded if isinstance(loaded, dict) else {}


def _failure(status: int, body: bytes) -> ApiError:
    try:
        return from_status(read_json(body), status)
    except (ValueError, AttributeError):
        return from_status({"kind": "Status", "message": body.decode(errors="replace").strip()}, status)


@lru_cache(maxsize=4)
def _aggregated(body: bytes) -> tuple[tuple[ResourceType, ...], tuple[str, ...]] | None:
    """Types and stale group versions; None where it is another kind of document. Controllers ask every half minute, and are told the
    same."""
    document = _read(body)
    if document.get("kind") != "APIGroupDiscoveryList":
        return None
    stale = [
        f"{group['metadata']['name']}/{version['version']}"
        for group in document.get("items") or ()
        for version in group.get("versions") or ()
        if version.get("freshness") == "Stale"
    ]
    return tuple(_discovered_in(document)), tuple(stale)


def _discovered_in(document: dict[str, Any]) -> Iterable[ResourceType]:
    for group in document.get("items") or ():
        group_name = (group.get("metadata") or {}).get("name") or ""
        for version in group.get("versions") or ():
            for described in version.get("resources") or ():
                yield _discovered(group_name, version["version"], described)


def _discovered(group: str, version: str, described: dict[str, Any]) -> ResourceType:
    kind = described.get("responseKind") or {}
    subresources = tuple(
        Subresource(
            sub["subresource"],
            sub["responseKind"]["kind"],
            sub["responseKind"].get("group") or "",
            sub["responseKind"].get("version") or "",
            tuple(sub.get("verbs") or ()),
        )
        for sub in described.get("subresources") or ()
        if sub.get("responseKind")
    )
    return ResourceType(
        group,
        version,
        kind.get("kind") or "",
        described["resource"],
        described.get("scope") == "Namespaced",
        described.get("singularResource") or str(kind.get("kind") or "").lower(),
        tuple(described.get("verbs") or ()),
        tuple(described.get("shortNames") or ()),
        tuple(described.get("categories") or ()),
        subresources,
    )


async def _legacy(transport: Transport, path: str, document: dict[str, Any]) -> list[ResourceType]:
    versions: Sequence[str] = document.get("versions") or [
        version["groupVersion"] for group in document.get("groups") or () for version in group.get("versions") or ()
    ]
    types: list[ResourceType] = []
    for version in versions:
        resources = _read(await _body(transport, f"{path}/{version}")).get("resources") or ()
        group, _, name = version.rpartition("/")
        for described in resources:
            if "/" not in described["name"]:
                types.append(
                    ResourceType(
                        group,
                        name,
                        described["kind"],
                        described["name"],
                        bool(described.get("namespaced")),
                        described.get("singularName") or described["kind"].lower(),
                        tuple(described.get("verbs") or ()),
                        tuple(described.get("shortNames") or ()),
                        tuple(described.get("categories") or ()),
                    )
                )
    return types


def _to_json(resource: ResourceType) -> list[Any]:
    subresources = [[s.name, s.kind, s.group, s.version, s.verbs] for s in resource.subresources]
    return [
        resource.group,
        resource.version,
        resource.kind,
        resource.plural,
        resource.namespaced,
        resource.singular,
        resource.verbs,
        resource.short_names,
        resource.categories,
        subresources,
    ]


def _from_json(saved: list[Any]) -> ResourceType:
    group, version, kind, plural, namespaced, singular, verbs, short_names, categories, subresources = saved
    return ResourceType(
        group,
        version,
        kind,
        plural,
        namespaced,
        singular,
        tuple(verbs),
        tuple(short_names),
        tuple(categories),
        tuple(Subresource(name, kind, group, version, tuple(v)) for name, kind, group, version, v in subresources),
    )


def _store(path: Path, types: Iterable[ResourceType]) -> None:
    """Best effort: a read-only home must not fail a command."""
    import orjson

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_suffix(".tmp")
        temporary.write_bytes(orjson.dumps([_to_json(resource) for resource in types]))
        temporary.replace(path)
    except OSError:
        return
