"""Adding and removing one finalizer, as controllers that protect objects in use do (protectionutil)."""

from __future__ import annotations

from kctl.apimachinery import objects
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import ResourceType
from kctl.apimachinery.status import NotFound
from kctl.client.client import Client


def awaits(obj: Object, finalizer: str) -> bool:
    """Being deleted, and held back by the finalizer."""
    return bool(objects.deletion_timestamp(obj)) and finalizer in objects.finalizers(obj)


def lacks(obj: Object, finalizer: str) -> bool:
    """Not being deleted, and not protected."""
    return not objects.deletion_timestamp(obj) and finalizer not in objects.finalizers(obj)


async def add(client: Client, resource: ResourceType, obj: Object, finalizer: str) -> Object | None:
    return await _set(client, resource, obj, [*objects.finalizers(obj), finalizer])


async def remove(client: Client, resource: ResourceType, obj: Object, finalizer: str) -> Object | None:
    return await _set(client, resource, obj, [name for name in objects.finalizers(obj) if name != finalizer])


async def _set(client: Client, resource: ResourceType, obj: Object, finalizers: list[str]) -> Object | None:
    """None where the object is gone. Raises Conflict where it moved on: what was decided may not hold any more."""
    try:
        return await client.update(resource, objects.with_metadata(obj, finalizers=finalizers or None))
    except NotFound:
        return None
