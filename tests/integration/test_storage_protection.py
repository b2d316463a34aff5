"""Claims and volumes are deleted when nobody uses them, and not before."""

from __future__ import annotations

from typing import Any

from kctl.apimachinery import objects
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import NAMESPACES, PODS, built_in
from tests.integration.control_plane import ControlPlane, control_plane

CLAIMS = built_in("v1", "PersistentVolumeClaim")
VOLUMES = built_in("v1", "PersistentVolume")
MODES = {"accessModes": ["ReadWriteOnce"]}
CONTROLLERS = ("persistentvolumeclaim-protection-controller", "persistentvolume-protection-controller")


async def claim(plane: ControlPlane, name: str, namespace: str = "default", **meta: Any) -> Object:
    spec = {**MODES, "storageClassName": "", "resources": {"requests": {"storage": "1Gi"}}}
    body = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": name, **meta}, "spec": spec}
    return await plane.client.create(CLAIMS, body, namespace)


async def pod_with(plane: ControlPlane, name: str, volume: Object, **spec: Any) -> Object:
    containers = [{"name": "c", "image": "i"}]
    body = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": {"containers": containers, "volumes": [volume], **spec}}
    return await plane.client.create(PODS, body, "default")


async def test_a_claim_in_use_waits_for_its_pod() -> None:
    async with control_plane(*CONTROLLERS) as plane:
        made = await claim(plane, "data")
        assert objects.finalizers(made) == ["kubernetes.io/pvc-protection"]
        await pod_with(plane, "p", {"name": "v", "persistentVolumeClaim": {"claimName": "data"}})
        await plane.settle(1)
        await plane.client.delete(CLAIMS, "data", "default")
        await plane.settle(1)
        assert objects.deletion_timestamp(await plane.get(CLAIMS, "data"))
        await plane.client.delete(PODS, "p", "default")
        await plane.settle(1)
        assert not await plane.exists(CLAIMS, "data")


async def test_a_pod_without_a_node_does_not_keep_its_claim() -> None:
    async with control_plane(*CONTROLLERS) as plane:
        await claim(plane, "data")
        await pod_with(plane, "p", {"name": "v", "persistentVolumeClaim": {"claimName": "data"}}, nodeSelector={"no": "where"})
        await plane.settle(1)
        await plane.client.delete(CLAIMS, "data", "default")
        await plane.settle(1)
        assert not await plane.exists(CLAIMS, "data")


async def test_a_namespace_with_claims_goes() -> None:
    async with control_plane("*") as plane:
        await plane.client.create(NAMESPACES, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "n"}})
        await claim(plane, "data", "n")
        await plane.settle(1)
        await plane.client.delete(NAMESPACES, "n")
        await plane.settle(5)
        assert not await plane.exists(NAMESPACES, "n")


async def test_an_ephemeral_claim_goes_when_the_kubelet_is_done_with_its_pod() -> None:
    async with control_plane(*CONTROLLERS) as plane:
        template = {"spec": {**MODES, "storageClassName": "", "resources": {"requests": {"storage": "1Gi"}}}}
        pod = await pod_with(plane, "p", {"name": "v", "ephemeral": {"volumeClaimTemplate": template}})
        owner = {"apiVersion": "v1", "kind": "Pod", "name": "p", "uid": objects.uid(pod), "controller": True}
        await claim(plane, "p-v", ownerReferences=[owner])
        await plane.settle(1)
        await plane.merge(PODS, "p", {"metadata": {"finalizers": ["x.io/waits-for-the-claim"]}})
        await plane.client.delete(CLAIMS, "p-v", "default")
        await plane.settle(1)
        assert await plane.exists(CLAIMS, "p-v")
        await plane.client.delete(PODS, "p", "default", grace_period_seconds=0)
        await plane.settle(1)
        assert await plane.exists(PODS, "p") and not await plane.exists(CLAIMS, "p-v")


async def test_a_bound_volume_waits_until_it_is_released() -> None:
    async with control_plane(*CONTROLLERS) as plane:
        spec = {**MODES, "capacity": {"storage": "1Gi"}, "hostPath": {"path": "/x"}, "storageClassName": ""}
        made = await plane.client.create(VOLUMES, {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": "v"}, "spec": spec})
        assert objects.finalizers(made) == ["kubernetes.io/pv-protection"]
        await plane.client.update_status(VOLUMES, objects.with_status(made, phase="Bound"))
        await plane.client.delete(VOLUMES, "v")
        await plane.settle(1)
        held = await plane.get(VOLUMES, "v")
        assert objects.deletion_timestamp(held)
        await plane.client.update_status(VOLUMES, objects.with_status(held, phase="Released"))
        await plane.settle(1)
        assert not await plane.exists(VOLUMES, "v")


async def test_protection_is_given_to_what_lacks_it() -> None:
    async with control_plane(*CONTROLLERS) as plane:
        await claim(plane, "data")
        await plane.merge(CLAIMS, "data", {"metadata": {"finalizers": None}})
        await plane.settle(1)
        assert objects.finalizers(await plane.get(CLAIMS, "data")) == ["kubernetes.io/pvc-protection"]
