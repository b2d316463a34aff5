"""The conformance tests of sig-storage that are about the API and its controllers, each under its name. (Those that look into a running
container's files have no counterpart on simulated nodes: EmptyDir, Projected, Subpath, HostPath, ConfigMap and Secret volumes.)

Of the neighbours: "[sig-network] EndpointSliceMirroring should mirror a custom Endpoints resource through create update and delete"
is test_endpoint_slice_mirroring.py, "[sig-auth] Certificates API should support CSR API operations" is test_certificates.py, and
sig-autoscaling has no conformance test; its own are about what test_autoscaling.py shows.
"""

from __future__ import annotations

from typing import Any

import pytest

from kctl.apimachinery import objects
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import ResourceType, built_in
from tests.integration.storage import CLAIMS, CLASSES, VOLUMES, bound, claim_spec
from tests.integration.whole_cluster import Cluster, whole_cluster

STORAGE = "storage.k8s.io/v1"
ATTACHMENTS = built_in(STORAGE, "VolumeAttachment")
PROVISIONER = {"provisioner": "e2e-fake-provisioner"}
ATTACHMENT = {"spec": {"attacher": "e2e-fake", "nodeName": "node-9", "source": {"persistentVolumeName": "pv"}}}
LIFECYCLES: dict[str, tuple[ResourceType, Object]] = {
    "StorageClasses CSI Conformance should run through the lifecycle of a StorageClass": (CLASSES, PROVISIONER),
    "CSINodes CSI Conformance should run through the lifecycle of a csinode": (built_in(STORAGE, "CSINode"), {"spec": {"drivers": []}}),
    "VolumeAttachment Conformance should run through the lifecycle of a VolumeAttachment": (ATTACHMENTS, ATTACHMENT),
    "VolumeAttributesClass should run through the lifecycle of a VolumeAttributesClass": (
        built_in(STORAGE, "VolumeAttributesClass"),
        {"driverName": "e2e-fake-csi-driver", "parameters": {"iops": "100"}},
    ),
    "CSIInlineVolumes should run through the lifecycle of a CSIDriver": (built_in(STORAGE, "CSIDriver"), {"spec": {}}),
    "CSIInlineVolumes should support ephemeral VolumeLifecycleMode in CSIDriver API": (
        built_in(STORAGE, "CSIDriver"),
        {"spec": {"volumeLifecycleModes": ["Ephemeral"]}},
    ),
    "CSIStorageCapacity should support CSIStorageCapacities API operations": (
        built_in(STORAGE, "CSIStorageCapacity"),
        {"storageClassName": "e2e-fast", "capacity": "1Gi"},
    ),
}


@pytest.mark.parametrize("name", LIFECYCLES)
async def test_lifecycle(name: str) -> None:
    resource, body = LIFECYCLES[name]
    async with whole_cluster(1) as cluster:
        await lifecycle(cluster, resource, body)


async def lifecycle(cluster: Cluster, resource: ResourceType, body: Object) -> None:
    """Create, read, list, patch, update, delete, delete by label."""
    client, space = cluster.client, "default" if resource.namespaced else ""
    made = await cluster.create(resource, "e2e-one", meta={"labels": {"e2e": "first"}}, **body)
    assert await cluster.get(resource, "e2e-one") == made
    listed = await client.list(resource, space, label_selector="e2e=first")
    assert [objects.name(each) for each in listed["items"]] == ["e2e-one"]
    patched = await cluster.merge(resource, "e2e-one", {"metadata": {"labels": {"e2e": "patched"}}})
    assert objects.labels(patched) == {"e2e": "patched"}
    updated = await client.update(resource, objects.with_metadata(patched, labels={"e2e": "updated"}))
    assert int(objects.resource_version(updated)) > int(objects.resource_version(patched))
    await cluster.delete(resource, "e2e-one")
    await cluster.settle(1)
    assert not await cluster.exists(resource, "e2e-one")
    for number in range(2):
        await cluster.create(resource, f"e2e-{number}", meta={"labels": {"e2e": "several"}}, **body)
    await client.delete_collection(resource, space, label_selector="e2e=several")
    await cluster.settle(1)
    assert not (await client.list(resource, space, label_selector="e2e=several"))["items"]


async def volume_and_claim(cluster: Cluster) -> None:
    spec: Object = {"capacity": {"storage": "2Gi"}, "accessModes": ["ReadWriteOnce"], "storageClassName": "e2e"}
    spec |= {"csi": {"driver": "e2e-driver", "volumeHandle": "e2e-const-handle"}, "persistentVolumeReclaimPolicy": "Retain"}
    await cluster.create(VOLUMES, "e2e", meta={"labels": {"e2e": "pv"}}, spec=spec)
    await cluster.create(CLAIMS, "e2e", meta={"labels": {"e2e": "pvc"}}, spec=claim_spec(storageClassName="e2e"))
    await cluster.settle(1)


async def test_persistent_volumes_csi_conformance_should_run_through_the_lifecycle_of_a_pv_and_a_pvc() -> None:
    async with whole_cluster(1) as cluster:
        await volume_and_claim(cluster)
        assert await bound(cluster, "e2e") == "e2e"
        for resource in (VOLUMES, CLAIMS):
            patched = await cluster.merge(resource, "e2e", {"metadata": {"labels": {"patched": "yes"}}})
            assert objects.labels(patched)["patched"] == "yes"
            updated = await cluster.client.update(resource, objects.with_metadata(patched, labels={"updated": "yes"}))
            assert objects.labels(updated) == {"updated": "yes"}
        await cluster.delete(CLAIMS, "e2e")
        await cluster.settle(1)
        assert not await cluster.exists(CLAIMS, "e2e") and await cluster.phase(VOLUMES, "e2e") == "Released"
        await cluster.delete(VOLUMES, "e2e")
        await cluster.settle(1)
        assert not await cluster.exists(VOLUMES, "e2e")
        await volume_and_claim(cluster)
        await cluster.client.delete_collection(CLAIMS, "default", label_selector="e2e=pvc")
        await cluster.client.delete_collection(VOLUMES, label_selector="e2e=pv")
        await cluster.settle(2)
        assert await cluster.items(CLAIMS) == [] == await cluster.items(VOLUMES)


async def test_persistent_volumes_csi_conformance_should_apply_changes_to_a_pv_pvc_status() -> None:
    async with whole_cluster(1) as cluster:
        await volume_and_claim(cluster)
        condition: dict[str, Any] = {"type": "StatusPatched", "status": "True", "reason": "E2E patch", "message": "Set from e2e test"}
        patched = await cluster.merge(CLAIMS, "e2e", {"status": {"conditions": [condition]}}, subresource="status")
        assert [each["type"] for each in objects.status(patched)["conditions"]] == ["StatusPatched"]
        conditions = [*objects.status(patched)["conditions"], {**condition, "type": "StatusUpdated"}]
        updated = await cluster.client.update_status(CLAIMS, objects.with_status(patched, conditions=conditions))
        assert [each["type"] for each in objects.status(updated)["conditions"]] == ["StatusPatched", "StatusUpdated"]
        patched = await cluster.merge(VOLUMES, "e2e", {"status": {"message": "StatusPatched"}}, subresource="status")
        assert objects.status(patched)["message"] == "StatusPatched"
        updated = await cluster.client.update_status(VOLUMES, objects.with_status(patched, message="StatusUpdated"))
        assert objects.status(updated)["message"] == "StatusUpdated"
        await cluster.settle(1)
        assert objects.status(await cluster.get(CLAIMS, "e2e"))["conditions"][1]["type"] == "StatusUpdated"


async def test_volume_attachment_conformance_should_apply_changes_to_a_volumeattachment_status() -> None:
    async with whole_cluster(1) as cluster:
        await cluster.create(ATTACHMENTS, "e2e", **ATTACHMENT)
        patched = await cluster.merge(ATTACHMENTS, "e2e", {"status": {"attached": True}}, subresource="status")
        assert objects.status(patched)["attached"] is True
        updated = await cluster.client.update_status(ATTACHMENTS, objects.with_status(patched, attached=False))
        assert objects.status(updated)["attached"] is False
