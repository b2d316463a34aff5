"""persistentvolume-attach-detach-controller, with the simulated kubelets that wait for it."""

from __future__ import annotations

import hashlib
from typing import Any

from controllers.runtime.attachments import CSI_DRIVERS, VOLUME_ATTACHMENTS
from kctl.apimachinery import objects
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import NODES, PODS
from tests.integration.storage import CLAIMS, VOLUMES, claim, volume
from tests.integration.whole_cluster import Cluster, claim_volume, whole_cluster

DRIVER = "disk.example.com"


async def _disk(cluster: Cluster, name: str, modes: tuple[str, ...] = ("ReadWriteOnce",)) -> None:
    """A volume of the driver and a claim that has it, both of that name."""
    source = {"driver": DRIVER, "volumeHandle": f"handle-{name}"}
    await cluster.create(
        VOLUMES,
        name,
        spec={"capacity": {"storage": "1Gi"}, "accessModes": list(modes), "storageClassName": "", "csi": source},
    )
    await claim(cluster, name, modes=modes, storageClassName="", volumeName=name)
    await cluster.settle(2)
    assert await cluster.phase(CLAIMS, name) == "Bound"


async def _driver(cluster: Cluster, *, simulated: bool = True, **spec: Any) -> None:
    annotations = {"kctl.dev/simulated": "true"} if simulated else {}
    await cluster.create(CSI_DRIVERS, DRIVER, meta={"annotations": annotations}, spec=spec)


async def _attachments(cluster: Cluster) -> list[Object]:
    return await cluster.items(VOLUME_ATTACHMENTS)


async def test_a_volume_is_attached_while_a_pod_of_the_node_uses_it() -> None:
    async with whole_cluster() as cluster:
        await _driver(cluster)
        await _disk(cluster, "data")
        await cluster.pod("p", claim_volume("data"), nodeName="node-1")
        await cluster.settle(2)
        assert await cluster.phase(PODS, "p") == "Running"
        (attachment,) = await _attachments(cluster)
        assert objects.spec(attachment) == {"attacher": DRIVER, "nodeName": "node-1", "source": {"persistentVolumeName": "data"}}
        digest = hashlib.sha256(b"handle-data" + DRIVER.encode() + b"node-1").hexdigest()
        assert objects.name(attachment) == f"csi-{digest}"
        assert objects.status(attachment) == {"attached": True}
        attached = [{"name": f"kubernetes.io/csi/{DRIVER}^handle-data", "devicePath": ""}]
        assert objects.status(await cluster.get(NODES, "node-1"))["volumesAttached"] == attached
        said = ("Normal", "SuccessfulAttachVolume", 'AttachVolume.Attach succeeded for volume "data"')
        assert (await cluster.events("p")).count(said) == 1

        await cluster.pod("second", claim_volume("data"), nodeName="node-1")
        await cluster.settle(2)
        await cluster.delete(PODS, "p")
        await cluster.settle(40)
        assert len(await _attachments(cluster)) == 1
        await cluster.delete(PODS, "second")
        await cluster.settle(40)
        assert await _attachments(cluster) == []
        assert "volumesAttached" not in objects.status(await cluster.get(NODES, "node-1"))


async def test_an_attacher_from_outside_is_waited_for() -> None:
    async with whole_cluster() as cluster:
        await _driver(cluster, simulated=False)
        await _disk(cluster, "data")
        await cluster.pod("p", claim_volume("data"), nodeName="node-1")
        await cluster.settle(100)
        (attachment,) = await _attachments(cluster)
        assert await cluster.phase(PODS, "p") == "Pending"
        assert not [event for event in await cluster.events("p") if event[0] == "Warning"]
        await cluster.settle(30)
        start = 'AttachVolume.Attach failed for volume "data" : '
        late = f"{start}timed out waiting for external-attacher of {DRIVER} CSI driver to attach volume handle-data"
        assert ("Warning", "FailedAttachVolume", late) in await cluster.events("p")

        error = {"status": {"attached": False, "attachError": {"message": "rpc error: no such disk"}}}
        await cluster.merge(VOLUME_ATTACHMENTS, objects.name(attachment), error, subresource="status")
        await cluster.settle(2)
        assert ("Warning", "FailedAttachVolume", f"{start}rpc error: no such disk") in await cluster.events("p")

        done = {"status": {"attached": True, "attachError": None}}
        await cluster.merge(VOLUME_ATTACHMENTS, objects.name(attachment), done, subresource="status")
        await cluster.settle(2)
        assert await cluster.phase(PODS, "p") == "Running"


async def test_a_volume_of_one_node_moves_when_its_pods_have_left() -> None:
    async with whole_cluster() as cluster:
        await _driver(cluster)
        await _disk(cluster, "data")
        await _disk(cluster, "shared", ("ReadWriteMany",))
        for node in ("node-0", "node-1"):
            await cluster.pod(f"on-{node}", claim_volume("data"), nodeName=node)
            await cluster.pod(f"shares-{node}", claim_volume("shared"), nodeName=node)
            await cluster.settle(2)
        assert [await cluster.phase(PODS, name) for name in ("shares-node-0", "shares-node-1", "on-node-0")] == ["Running"] * 3
        assert await cluster.phase(PODS, "on-node-1") == "Pending"
        refused = ("Warning", "FailedAttachVolume", 'Multi-Attach error for volume "data" Volume is already used by pod(s) on-node-0')
        assert (await cluster.events("on-node-1")).count(refused) == 1
        await cluster.delete(PODS, "on-node-0")
        await cluster.settle(40)
        assert await cluster.phase(PODS, "on-node-1") == "Running"


async def test_drivers_that_attach_nothing() -> None:
    async with whole_cluster() as cluster:
        await _driver(cluster, attachRequired=False)
        await _disk(cluster, "data")
        await volume(cluster, "on-the-host", storageClassName="")
        await claim(cluster, "host", storageClassName="", volumeName="on-the-host")
        await cluster.pod("p", claim_volume("data"), claim_volume("host", "w"), nodeName="node-1")
        await cluster.settle(2)
        assert await cluster.phase(PODS, "p") == "Running"
        assert await _attachments(cluster) == []


async def test_attachments_of_others_are_left_alone() -> None:
    async with whole_cluster() as cluster:
        await _driver(cluster)
        await _disk(cluster, "data")
        spec = {"attacher": DRIVER, "nodeName": "node-1", "source": {"persistentVolumeName": "data"}}
        await cluster.create(VOLUME_ATTACHMENTS, "by-hand", spec=spec)
        await cluster.pod("p", claim_volume("data"), nodeName="node-1")
        await cluster.settle(2)
        await cluster.delete(PODS, "p")
        await cluster.settle(40)
        assert [objects.name(each) for each in await _attachments(cluster)] == ["by-hand"]
