"""Owners and owned: every object of a namespace by its uid, and who names whom in ownerReferences.

All kinds that the server lists are asked for their metadata; what turns out to belong to the tree is then fetched whole, for its health.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from kctl.apimachinery import objects
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import ResourceType
from kctl.apimachinery.status import ApiError
from kctl.cli.session import Session
from kctl.client.client import Client
from kctl.client.discovery import preferred
from kctl.client.transport import ApiRequest

_UNRELATED: Final = frozenset(
    {"events", "events.events.k8s.io", "componentstatuses", "endpoints", "pods.metrics.k8s.io", "nodes.metrics.k8s.io"}
)
"""Kinds that tell of other objects, or (endpoints) another kind's content in an older form."""

_METADATA: Final = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io,application/json"
MAX_OBJECTS: Final = 5_000
"""Of one tree that is printed."""


class Member(NamedTuple):
    resource: ResourceType
    object: Object

    @property
    def uid(self) -> str:
        return objects.uid(self.object)


class Relations:
    """Members by uid, and the uids that each owns in the order of kind and name."""

    def __init__(self, members: Iterable[Member]) -> None:
        self.members = {member.uid: member for member in members}
        self._owned: dict[str, list[str]] = {}
        for uid, member in self.members.items():
            for reference in objects.owner_references(member.object):
                self._owned.setdefault(str(reference.get("uid") or ""), []).append(uid)

    def owned(self, uid: str) -> list[Member]:
        found = [self.members[one] for one in self._owned.get(uid, ())]
        return sorted(found, key=lambda member: (member.resource.kind, objects.name(member.object)))

    def owners(self, member: Member) -> list[Member]:
        """From the outermost down, along the first owner (the controller, where there is one)."""
        chain: list[Member] = []
        seen = {member.uid}
        while True:
            reference = objects.controller_of(member.object) or next(iter(objects.owner_references(member.object)), None)
            owner = self.members.get(str((reference or {}).get("uid") or ""))
            if owner is None or owner.uid in seen:
                return chain[::-1]
            seen.add(owner.uid)
            chain.append(owner)
            member = owner

    def below(self, uid: str) -> Iterator[Member]:
        """All that an object owns, and what that owns; each once."""
        seen, waiting = {uid}, [uid]
        while waiting and len(seen) <= MAX_OBJECTS:
            for member in self.owned(waiting.pop(0)):
                if member.uid not in seen:
                    seen.add(member.uid)
                    waiting.append(member.uid)
                    yield member


async def listable(session: Session, *, namespaced_only: bool) -> list[ResourceType]:
    """One version of every kind that can be listed and is no report of others."""
    types = preferred(await (await session.mapper()).types())
    return [
        one for one in types if "list" in one.verbs and one.group_resource not in _UNRELATED and (one.namespaced or not namespaced_only)
    ]


async def relations_in(session: Session, namespace: str, types: Iterable[ResourceType]) -> Relations:
    """What may not be listed is left out, as if it were not there."""
    client = await session.client()
    members: list[Member] = []
    for resource in types:
        members += await _metadata(client, resource, namespace if resource.namespaced else "")
    return Relations(members)


async def _metadata(client: Client, resource: ResourceType, namespace: str) -> list[Member]:
    members: list[Member] = []
    query = {"limit": "500"}
    while True:
        try:
            page = (await client.call(ApiRequest("list", resource, namespace, query=query, accept=_METADATA))).object
        except ApiError:
            return members
        head = {"apiVersion": resource.api_version, "kind": resource.kind}
        members += [Member(resource, {**item, **head}) for item in page.get("items") or ()]
        token = (page.get("metadata") or {}).get("continue")
        if not token:
            return members
        query = {"limit": "500", "continue": str(token)}


async def whole(session: Session, members: Iterable[Member]) -> dict[str, Object]:
    """The objects themselves, by uid; those that are gone meanwhile are not there."""
    client = await session.client()
    found: dict[str, Object] = {}
    for member in members:
        meta = objects.metadata(member.object)
        try:
            obj = await client.get(member.resource, str(meta.get("name")), str(meta.get("namespace") or ""))
        except ApiError:
            continue
        found[member.uid] = {"apiVersion": member.resource.api_version, "kind": member.resource.kind, **obj}
    return found
