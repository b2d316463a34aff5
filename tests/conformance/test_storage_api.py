"""The official conformance tests of sig-storage that are about the API and its controllers alone, step by step."""

from __future__ import annotations

from typing import Any

import pytest

from kctl.apimachinery import objects
from kctl.apimachinery.objects import Object
from tests.conformance.operations import condition, operations
from tests.conformance.suite import CORE, PODS, STRATEGIC, Suite, pod, selected, suite

pytestmark = pytest.mark.virtual_time
STORAGE = "/apis/storage.k8s.io/v1"
ATTACHMENTS = f"{STORAGE}/volumeattachments"
VOLUMES, CLAIMS = "/api/v1/persistentvolumes", f"{CORE}/persistentvolumeclaims"
DRIVERS = f"{STORAGE}/csidrivers"


async def lifecycle(e2e: Suite, collection: str, body: Object) -> None:
    """Create, read, patch, list, delete, replace, update, delete by label."""
    await e2e.create(collection, {"metadata": {"name": "e2e-first"}, **body})
    path = f"{collection}/e2e-first"
    assert objects.name(await e2e.get(path)) == "e2e-first"
    patched = await e2e.patch(path, {"metadata": {"labels": {"e2e-first": "patched"}}}, STRATEGIC)
    assert objects.labels(patched) == {"e2e-first": "patched"}
    assert await e2e.names(collection, "e2e-first=patched") == ["e2e-first"]
    await e2e.delete(path)
    await e2e.gone(path)
    assert await e2e.names(collection, "e2e-first=patched") == []
    for name in ("e2e-second", "e2e-third"):
        await e2e.create(collection, {"metadata": {"name": name}, **body})
        updated = await e2e.update_until(f"{collection}/{name}", lambda each: objects.with_metadata(each, labels={"e2e": "updated"}))
        assert objects.labels(updated) == {"e2e": "updated"}
    assert await e2e.names(collection, "e2e=updated") == ["e2e-second", "e2e-third"]
    await e2e.delete(selected(collection, "e2e=updated"))
    await e2e.empty(collection, "e2e=updated")


async def test_storage_class() -> None:
    """[sig-storage] StorageClasses CSI Conformance should run through the lifecycle of a StorageClass [Conformance]"""
    body = {"provisioner": "e2e-fake-provisioner", "reclaimPolicy": "Delete", "volumeBindingMode": "Immediate"}
    async with suite() as e2e:
        await lifecycle(e2e, f"{STORAGE}/storageclasses", body)


async def test_csi_node() -> None:
    """[sig-storage] CSINodes CSI Conformance should run through the lifecycle of a csinode [Conformance]"""
    drivers = [{"name": "e2e-driver", "nodeID": "e2e-node", "allocatable": {"count": 9}, "topologyKeys": ["topology.kubernetes.io/zone"]}]
    async with suite() as e2e:
        await lifecycle(e2e, f"{STORAGE}/csinodes", {"spec": {"drivers": drivers}})


async def test_csi_driver() -> None:
    """[sig-storage] CSIInlineVolumes should run through the lifecycle of a CSIDriver [Conformance]"""
    async with suite() as e2e:
        await lifecycle(e2e, DRIVERS, {"spec": {"volumeLifecycleModes": ["Ephemeral"], "fsGroupPolicy": "None"}})


async def test_attributes_class() -> None:
    """[sig-storage] VolumeAttributesClass [FeatureGate:VolumeAttributesClass] should run through the lifecycle of a VolumeAttributesClass [Conformance]"""  # noqa: E501
    body = {"driverName": "e2e-fake-csi-driver", "parameters": {"iops": "100"}}
    async with suite() as e2e:
        await lifecycle(e2e, f"{STORAGE}/volumeattributesclasses", body)


def attachment(name: str) -> Object:
    source = {"persistentVolumeName": f"pv-{name}"}
    return {"metadata": {"name": name}, "spec": {"attacher": "e2e-driver", "nodeName": "e2e-node", "source": source}}


async def test_attachment() -> None:
    """[sig-storage] VolumeAttachment Conformance should run through the lifecycle of a VolumeAttachment [Conformance]"""
    async with suite() as e2e:
        body = attachment("a")
        await lifecycle(e2e, ATTACHMENTS, {"spec": body["spec"]})


async def test_attachment_status() -> None:
    """[sig-storage] VolumeAttachment Conformance should apply changes to a volumeattachment status [Conformance]"""
    async with suite() as e2e:
        await e2e.create(ATTACHMENTS, attachment("va"))
        path = f"{ATTACHMENTS}/va"
        patched = await e2e.patch(path, {"metadata": {"labels": {"va-e2e": "patched"}}})
        assert objects.labels(patched) == {"va-e2e": "patched"}
        assert (await e2e.get(f"{path}/status"))["status"]["attached"] is False
        patched = await e2e.patch(f"{path}/status", {"metadata": {"annotations": {"a": "b"}}, "status": {"attached": True}})
        assert patched["status"]["attached"] is True
        updated = await e2e.update_until(f"{path}/status", lambda each: objects.with_status(each, attached=False))
        assert updated["status"]["attached"] is False
        await e2e.delete(path)
        await e2e.gone(path)


async def test_capacity() -> None:
    """[sig-storage] CSIStorageCapacity should support CSIStorageCapacities API operations [Conformance]"""
    body = {"storageClassName": "e2e-fast", "capacity": "5Gi", "nodeTopology": {"matchLabels": {"zone": "a"}}}
    async with suite() as e2e:
        await operations(e2e, "storage.k8s.io/v1", "CSIStorageCapacity", body)


async def test_inline_volumes() -> None:
    """[sig-storage] CSIInlineVolumes should support CSIVolumeSource in Pod API [Conformance]"""
    source = {"driver": "e2e.example.com", "readOnly": True, "fsType": "ext4", "volumeAttributes": {"a": "b"}}
    async with suite() as e2e:
        await e2e.create(DRIVERS, {"metadata": {"name": "e2e.example.com"}, "spec": {"volumeLifecycleModes": ["Ephemeral"]}})
        body = pod("csi-inline", {"e2e": "csi"}, volumes=[{"name": "v", "csi": source}], nodeSelector={"no": "node"})
        await e2e.create(PODS, body)
        assert (await e2e.get(f"{PODS}/csi-inline"))["spec"]["volumes"][0] == {"name": "v", "csi": source}
        assert await e2e.names(PODS, "e2e=csi") == ["csi-inline"]
        patched = await e2e.patch(f"{PODS}/csi-inline", {"metadata": {"labels": {"csi-inline": "patched"}}}, STRATEGIC)
        assert objects.labels(patched)["csi-inline"] == "patched"
        await e2e.delete(f"{PODS}/csi-inline")
        await e2e.gone(f"{PODS}/csi-inline")


async def volume_and_claim(e2e: Suite, name: str) -> None:
    spec: Object = {"capacity": {"storage": "2Gi"}, "accessModes": ["ReadWriteOnce"], "storageClassName": name}
    spec |= {"csi": {"driver": "e2e-driver", "volumeHandle": "e2e-handle"}, "persistentVolumeReclaimPolicy": "Retain"}
    await e2e.create(VOLUMES, {"metadata": {"name": name, "labels": {"e2e-pv": name}}, "spec": spec})
    wanted = {"accessModes": ["ReadWriteOnce"], "storageClassName": name, "resources": {"requests": {"storage": "1Gi"}}}
    await e2e.create(CLAIMS, {"metadata": {"name": name, "labels": {"e2e-pvc": name}}, "spec": wanted})


async def test_volumes_and_claims() -> None:
    """[sig-storage] PersistentVolumes CSI Conformance should run through the lifecycle of a PV and a PVC [Conformance]"""
    async with suite() as e2e:
        await volume_and_claim(e2e, "first")
        assert await e2e.names(VOLUMES, "e2e-pv=first") == ["first"] == await e2e.names(CLAIMS)
        for path in (f"{VOLUMES}/first", f"{CLAIMS}/first"):
            patched = await e2e.patch(path, {"metadata": {"labels": {"e2e": "patched"}}}, STRATEGIC)
            assert objects.labels(patched)["e2e"] == "patched"
            assert objects.uid(await e2e.get(path)) == objects.uid(patched)
        await e2e.until(f"{CLAIMS}/first", lambda claim: claim["status"]["phase"] == "Bound")
        for path in (f"{CLAIMS}/first", f"{VOLUMES}/first"):
            await e2e.delete(path)
            await e2e.gone(path)
        await volume_and_claim(e2e, "second")
        for path in (f"{VOLUMES}/second", f"{CLAIMS}/second"):
            updated = await e2e.update_until(path, lambda each: objects.with_metadata(each, labels={"e2e": "updated"}))
            assert objects.labels(updated) == {"e2e": "updated"}
        for collection in (CLAIMS, VOLUMES):
            await e2e.delete(selected(collection, "e2e=updated"))
            await e2e.empty(collection, "e2e=updated")


async def test_status_of_volumes_and_claims() -> None:
    """[sig-storage] PersistentVolumes CSI Conformance should apply changes to a pv/pvc status [Conformance]"""
    async with suite() as e2e:
        await volume_and_claim(e2e, "v")
        assert await e2e.names(VOLUMES, "e2e-pv=v") == ["v"] == await e2e.names(CLAIMS, "e2e-pvc=v")
        await e2e.until(f"{CLAIMS}/v/status", lambda claim: claim["status"]["phase"] == "Bound")
        await e2e.until(f"{VOLUMES}/v/status", lambda volume: volume["status"]["phase"] == "Bound")

        def kinds(claim: Object) -> list[str]:
            return [each["type"] for each in claim["status"]["conditions"]]

        change: Any = {"metadata": {"annotations": {"e2e": "patched"}}, "status": {"conditions": [condition("StatusPatched")]}}
        patched = await e2e.patch(f"{CLAIMS}/v/status", change)
        assert kinds(patched) == ["StatusPatched"] and objects.annotations(patched)["e2e"] == "patched"
        change = {"metadata": {"annotations": {"e2e": "patched"}}, "status": {"message": "StatusPatched", "reason": "E2E patchStatus"}}
        patched = await e2e.patch(f"{VOLUMES}/v/status", change)
        assert (patched["status"]["message"], patched["status"]["reason"]) == ("StatusPatched", "E2E patchStatus")

        def conditions(claim: Object) -> Object:
            return objects.with_status(claim, conditions=[*claim["status"]["conditions"], condition("StatusUpdated")])

        assert kinds(await e2e.update_until(f"{CLAIMS}/v/status", conditions)) == ["StatusPatched", "StatusUpdated"]
        updated = await e2e.update_until(
            f"{VOLUMES}/v/status", lambda each: objects.with_status(each, message="StatusUpdated", reason="E2E updateStatus")
        )
        assert (updated["status"]["message"], updated["status"]["reason"]) == ("StatusUpdated", "E2E updateStatus")
        await e2e.settle(5)
        assert (await e2e.get(f"{VOLUMES}/v"))["status"]["phase"] == "Bound"
        assert kinds(await e2e.get(f"{CLAIMS}/v")) == ["StatusPatched", "StatusUpdated"]
