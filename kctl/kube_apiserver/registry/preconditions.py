"""What a write says the stored object must be, and the conflict where it is another."""

from __future__ import annotations

from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import ResourceType
from kctl.apimachinery.status import ApiError, conflict

_STORED_NAMES = {
    "services": "services/specs",
    "endpoints": "services/endpoints",
    "nodes": "minions",
    "ingresses": "ingress",
    "replicationcontrollers": "controllers",
}


def wrong_uid(resource: ResourceType, present: Object, uid: str) -> ApiError:
    """The conflict of a request that names another uid, with the storage key as upstream lays keys out."""
    meta = present["metadata"]
    path = [_STORED_NAMES.get(resource.plural, resource.plural), meta.get("namespace") or "", meta["name"]]
    why = (
        f"StorageError: invalid object, Code: 4, Key: /registry/{'/'.join(filter(None, path))}, ResourceVersion: 0, "
        f"AdditionalErrorMsg: Precondition failed: UID in precondition: {uid}, UID in object meta: {meta.get('uid')}"
    )
    return conflict(resource.group, resource.plural, meta["name"], why)
