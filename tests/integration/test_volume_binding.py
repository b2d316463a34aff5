"""Which volume a claim gets, and what becomes of the volume afterwards: static binding and the reclaim policies."""

from __future__ import annotations

import pytest

from kctl.apimachinery import objects
from kctl.apimachinery.objects import Object
from tests.integration.storage import CLAIMS, CLASSES, VOLUMES, bound, claim, claim_spec, storage_class, volume
from tests.integration.whole_cluster import claim_volume, whole_cluster

# ---- static binding


async def test_the_smallest_volume_that_suits() -> None:
    async with whole_cluster() as cluster:
        await volume(cluster, "large", "10Gi")
        await volume(cluster, "small", "2Gi")
        await volume(cluster, "tiny", "100Mi")
        await volume(cluster, "other-class", "1Gi", storageClassName="other")
        await volume(cluster, "block", "1Gi", volumeMode="Block")
        await volume(cluster, "labelled", "1Gi", labels={"disk": "ssd"}, accessModes=["ReadWriteOnce", "ReadOnlyMany"])
        await cluster.settle(1)
        await claim(cluster, "ssd", storageClassName="manual", selector={"matchLabels": {"disk": "ssd"}})
        await claim(cluster, "first", storageClassName="manual")
        await claim(cluster, "many", storageClassName="manual", modes=("ReadWriteMany",))
        await cluster.settle(2)
        assert (await bound(cluster, "ssd"), await bound(cluster, "first")) == ("labelled", "small")
        assert await cluster.phase(CLAIMS, "many") == "Pending"
        assert await cluster.phase(VOLUMES, "block") == "Available"
        missing = ("Warning", "ProvisioningFailed", 'storageclass.storage.k8s.io "manual" not found')
        assert await cluster.events("many") == [missing]


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"capacity": {"storage": "500Mi"}}, "requested PV is too small"),
        ({"storageClassName": "other"}, "storageClassName does not match"),
        ({"volumeMode": "Block"}, "incompatible volumeMode"),
        ({"accessModes": ["ReadOnlyMany"]}, "incompatible accessMode"),
    ],
    ids=("size", "class", "mode", "access"),
)
async def test_a_volume_asked_for_by_name_must_suit(change: Object, why: str) -> None:
    async with whole_cluster() as cluster:
        await volume(cluster, "v", **change)
        await claim(cluster, "data", storageClassName="manual", volumeName="v")
        await cluster.settle(1)
        assert await cluster.phase(CLAIMS, "data") == "Pending"
        assert set(await cluster.events("data")) == {("Warning", "VolumeMismatch", f'Cannot bind to requested volume "v": {why}')}


async def test_a_volume_has_one_claim() -> None:
    async with whole_cluster() as cluster:
        await volume(cluster, "v")
        await claim(cluster, "first", storageClassName="manual", volumeName="v")
        await cluster.settle(1)
        await claim(cluster, "second", storageClassName="manual", volumeName="v")
        await cluster.settle(1)
        assert (await bound(cluster, "first"), await cluster.phase(CLAIMS, "second")) == ("v", "Pending")
        assert set(await cluster.events("second")) == {("Warning", "FailedBinding", 'volume "v" already bound to a different claim.')}
        assert "pv.kubernetes.io/bound-by-controller" not in objects.annotations(await cluster.get(CLAIMS, "first"))


async def test_a_reserved_volume_is_kept_for_its_claim() -> None:
    async with whole_cluster() as cluster:
        await volume(cluster, "v", claimRef={"namespace": "default", "name": "mine"})
        await claim(cluster, "other", storageClassName="manual")
        await cluster.settle(1)
        assert (await cluster.phase(VOLUMES, "v"), await cluster.phase(CLAIMS, "other")) == ("Available", "Pending")
        await claim(cluster, "mine", storageClassName="manual")
        await cluster.settle(1)
        assert await bound(cluster, "mine") == "v"
        assert "pv.kubernetes.io/bound-by-controller" not in objects.annotations(await cluster.get(VOLUMES, "v"))


async def test_a_claim_whose_volume_is_gone_is_lost() -> None:
    async with whole_cluster() as cluster:
        await volume(cluster, "v")
        await claim(cluster, "data", storageClassName="manual")
        await cluster.settle(1)
        await cluster.delete(VOLUMES, "v")
        await cluster.settle(1)
        assert objects.deletion_timestamp(await cluster.get(VOLUMES, "v"))  # protected while it is bound
        await cluster.merge(VOLUMES, "v", {"metadata": {"finalizers": None}})
        await cluster.settle(1)
        assert objects.status(await cluster.get(CLAIMS, "data")) == {"phase": "Lost"}
        lost = "Bound claim has lost its PersistentVolume. Data on the volume is lost!"
        assert ("Warning", "ClaimLost", lost) in await cluster.events("data")
        await cluster.pod("p", claim_volume("data"))
        await cluster.settle(1)
        assert 'persistentvolumeclaim "data" bound to non-existent persistentvolume "v".' in await cluster.condition("p")


async def test_two_claims_that_name_one_volume_as_theirs() -> None:
    async with whole_cluster() as cluster:
        await volume(cluster, "v")
        await claim(cluster, "first", storageClassName="manual")
        await cluster.settle(1)
        await cluster.create(
            CLAIMS,
            "second",
            meta={"annotations": {"pv.kubernetes.io/bind-completed": "yes"}},
            spec=claim_spec(storageClassName="manual", volumeName="v"),
        )
        await cluster.settle(1)
        assert (await bound(cluster, "first"), await cluster.phase(CLAIMS, "second")) == ("v", "Lost")
        why = "Two claims are bound to the same volume, this one is bound incorrectly"
        assert await cluster.events("second") == [("Warning", "ClaimMisbound", why)]


async def test_a_class_that_becomes_the_default_is_given_to_claims_without_one() -> None:
    async with whole_cluster(controllers=("*", "-host-path-provisioner-controller")) as cluster:
        await claim(cluster, "data")
        await cluster.settle(1)
        assert "storageClassName" not in objects.spec(await cluster.get(CLAIMS, "data"))
        marked = {"metadata": {"annotations": {"storageclass.kubernetes.io/is-default-class": "true"}}}
        for name in ("b", "a"):
            await storage_class(cluster, name, "example.com/nobody")
            await cluster.merge(CLASSES, name, marked)
        await cluster.settle(1)
        assert objects.spec(await cluster.get(CLAIMS, "data"))["storageClassName"] in ("a", "b")


async def test_a_volume_of_an_outside_provisioner_is_bound() -> None:
    async with whole_cluster() as cluster:
        await storage_class(cluster, "csi", "csi.example.com", volumeBindingMode="Immediate")
        made = await claim(cluster, "data", storageClassName="csi")
        await cluster.settle(1)
        asked = objects.annotations(await cluster.get(CLAIMS, "data"))
        assert asked["volume.kubernetes.io/storage-provisioner"] == "csi.example.com"
        reference = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "namespace": "default", "name": "data", "uid": objects.uid(made)}
        source = {"driver": "csi.example.com", "volumeHandle": "1"}
        await volume(cluster, "made", storageClassName="csi", claimRef=reference, hostPath=None, csi=source)
        await cluster.settle(1)
        assert await bound(cluster, "data") == "made"


# ---- release


@pytest.mark.parametrize(
    ("change", "phase", "told"),
    [
        ({"persistentVolumeReclaimPolicy": "Retain"}, "Released", None),
        ({"persistentVolumeReclaimPolicy": "Recycle"}, "Available", ("Normal", "VolumeRecycled", "Volume recycled")),
        (
            {"persistentVolumeReclaimPolicy": "Recycle", "hostPath": None, "csi": {"driver": "d.example.com", "volumeHandle": "1"}},
            "Failed",
            ("Warning", "VolumeFailedRecycle", "No recycler plugin found for the volume!"),
        ),
        (
            {"persistentVolumeReclaimPolicy": "Delete"},
            "Failed",
            ("Warning", "VolumeFailedDelete", "host_path deleter only supports /tmp/.+ but received provided /data/v"),
        ),
        (
            {"persistentVolumeReclaimPolicy": "Delete", "hostPath": None, "nfs": {"server": "s", "path": "/"}},
            "Failed",
            (
                "Warning",
                "VolumeFailedDelete",
                'error getting deleter volume plugin for volume "v": no deletable volume plugin matched',
            ),
        ),
        ({"persistentVolumeReclaimPolicy": "Delete", "hostPath": {"path": "/tmp/v"}}, "", None),
    ],
    ids=("retain", "recycle", "recycle-csi", "delete-path", "delete-nfs", "delete-tmp"),
)
async def test_reclaim_policies(change: Object, phase: str, told: tuple[str, str, str] | None) -> None:
    async with whole_cluster() as cluster:
        await volume(cluster, "v", **change)
        await claim(cluster, "data", storageClassName="manual")
        await cluster.settle(1)
        assert await bound(cluster, "data") == "v"
        await cluster.delete(CLAIMS, "data")
        await cluster.settle(1)
        assert not await cluster.exists(CLAIMS, "data")
        if not phase:
            assert not await cluster.exists(VOLUMES, "v")
            return
        have = await cluster.get(VOLUMES, "v")
        assert objects.status(have)["phase"] == phase
        assert ("claimRef" in objects.spec(have)) == (phase != "Available")
        assert await cluster.events("v") == ([told] if told else [])
        if phase == "Failed":
            assert told is not None and objects.status(have)["message"] == told[2]


async def test_a_released_volume_can_be_had_again_when_somebody_takes_the_claim_off_it() -> None:
    async with whole_cluster() as cluster:
        await volume(cluster, "v")
        await claim(cluster, "data", storageClassName="manual")
        await cluster.settle(1)
        await cluster.delete(CLAIMS, "data")
        await cluster.settle(1)
        await claim(cluster, "data", storageClassName="manual")
        await cluster.settle(1)
        assert (await cluster.phase(VOLUMES, "v"), await cluster.phase(CLAIMS, "data")) == ("Released", "Pending")
        await cluster.merge(VOLUMES, "v", {"spec": {"claimRef": None}})
        await cluster.settle(1)
        assert await bound(cluster, "data") == "v"
