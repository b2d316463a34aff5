"""Claiming what a selector matches and letting go what it no longer does (client-go's ControllerRefManager)."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable
from typing import Any

from controllers.runtime.informer import Informer
from kctl.apimachinery import objects
from kctl.apimachinery.labels import Selector
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import ResourceType
from kctl.apimachinery.status import Invalid, NotFound
from kctl.client.client import Client
from kctl.client.transport import STRATEGIC_MERGE_PATCH


def controller_reference(owner: Object) -> dict[str, Any]:
    """The owner reference a controller puts on what it creates."""
    return {
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": objects.name(owner),
        "uid": objects.uid(owner),
        "controller": True,
        "blockOwnerDeletion": True,
    }


def claimants(owners: Informer, selector_of: Callable[[Object], Selector]) -> Callable[[Object], list[str]]:
    """A mapping for `Owns(orphans=...)`: the owners in its namespace whose selector matches an object."""

    def matching(obj: Object) -> list[str]:
        candidates = owners.list(objects.namespace(obj))
        return [objects.key(owner) for owner in candidates if selector_of(owner).matches(objects.labels(obj))]

    return matching


class Claims:
    """Adopts and releases objects of one resource type for one owner. `finalizer` comes and goes with the ownership."""

    def __init__(self, client: Client, owner_resource: ResourceType, resource: ResourceType, *, finalizer: str = "") -> None:
        self._client = client
        self._owner_resource = owner_resource
        self._resource = resource
        self._adopted: Object = {"finalizers": [finalizer]} if finalizer else {}
        self._released: Object = {"$deleteFromPrimitiveList/finalizers": [finalizer]} if finalizer else {}

    async def adopt(self, owner: Object, selector: Selector, orphans: Iterable[Object]) -> list[Object]:
        """Takes over what matches; returns the new states."""
        wanted = [obj for obj in orphans if not objects.deletion_timestamp(obj) and selector.matches(objects.labels(obj))]
        if not wanted or objects.deletion_timestamp(owner) or not await self._still_there(owner):
            return []
        adopted = []
        for obj in wanted:
            patch = {"metadata": {"uid": objects.uid(obj), "ownerReferences": [controller_reference(owner)], **self._adopted}}
            with contextlib.suppress(NotFound):
                adopted.append(await self._patch(obj, patch))
        return adopted

    async def release(self, owner: Object, owned: Iterable[Object]) -> list[Object]:
        """Removes the owner's reference; returns the new states."""
        released = []
        for obj in owned:
            reference = {"$patch": "delete", "uid": objects.uid(owner)}
            patch = {"metadata": {"uid": objects.uid(obj), "ownerReferences": [reference], **self._released}}
            # Invalid: it was replaced by another object of that name, which is none of ours.
            with contextlib.suppress(NotFound, Invalid):
                released.append(await self._patch(obj, patch))
        return released

    async def _still_there(self, owner: Object) -> bool:
        """Asks the server, not the cache: adopting for an owner that is going away would orphan or delete the adopted."""
        with contextlib.suppress(NotFound):
            fresh = await self._client.get(self._owner_resource, objects.name(owner), objects.namespace(owner))
            return objects.uid(fresh) == objects.uid(owner) and not objects.deletion_timestamp(fresh)
        return False

    async def _patch(self, obj: Object, patch: Object) -> Object:
        return await self._client.patch(self._resource, objects.name(obj), patch, objects.namespace(obj), patch_type=STRATEGIC_MERGE_PATCH)
