"""Claims, volumes and classes as tests of storage make them."""

from __future__ import annotations

from typing import Any

from controllers.runtime.volumes import PERSISTENT_VOLUME_CLAIMS as CLAIMS
from controllers.runtime.volumes import PERSISTENT_VOLUMES as VOLUMES
from controllers.runtime.volumes import STORAGE_CLASSES as CLASSES
from kctl.apimachinery import objects
from kctl.apimachinery.objects import Object
from tests.integration.whole_cluster import Cluster

__all__ = ["CLAIMS", "CLASSES", "VOLUMES", "bound", "claim", "claim_spec", "storage_class", "volume"]


def claim_spec(size: str = "1Gi", modes: tuple[str, ...] = ("ReadWriteOnce",), **more: Any) -> Object:
    return {"accessModes": list(modes), "resources": {"requests": {"storage": size}}, **more}


async def claim(cluster: Cluster, name: str, size: str = "1Gi", modes: tuple[str, ...] = ("ReadWriteOnce",), **more: Any) -> Object:
    return await cluster.create(CLAIMS, name, spec=claim_spec(size, modes, **more))


async def volume(cluster: Cluster, name: str, size: str = "1Gi", labels: Object | None = None, **more: Any) -> Object:
    spec: Object = {"capacity": {"storage": size}, "accessModes": ["ReadWriteOnce"], "hostPath": {"path": f"/data/{name}"}}
    spec |= {"storageClassName": "manual", **more}
    return await cluster.create(VOLUMES, name, meta={"labels": labels or {}}, spec=spec)


async def storage_class(cluster: Cluster, name: str, provisioner: str = "kctl.dev/host-path", **more: Any) -> Object:
    return await cluster.create(CLASSES, name, provisioner=provisioner, **more)


async def bound(cluster: Cluster, name: str) -> str:
    """The name of the claim's volume, once both say that they are bound."""
    found = await cluster.get(CLAIMS, name)
    if objects.status(found).get("phase") != "Bound":
        return ""
    have = str(objects.spec(found)["volumeName"])
    assert await cluster.phase(VOLUMES, have) == "Bound"
    return have
