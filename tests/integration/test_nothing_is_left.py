"""Whatever is created and deleted in whatever order: in the end no claim, volume, pod or finalizer is left, and nobody holds a thing that
is gone. Random sequences, each from its own seed."""

from __future__ import annotations

import random

import pytest

from controllers.runtime import volumes
from kctl.apimachinery import objects
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import NAMESPACES, PODS, STATEFUL_SETS, ResourceType
from kctl.apimachinery.status import AlreadyExists, ApiError, Forbidden, NotFound
from tests.integration.storage import CLAIMS, CLASSES, VOLUMES, claim_spec
from tests.integration.whole_cluster import Cluster, claim_volume, whole_cluster

STEPS = 40
NAMES = [f"n{number}" for number in range(6)]


class Walk:
    """One random sequence of a user's deeds."""

    def __init__(self, cluster: Cluster, seed: int) -> None:
        self.cluster = cluster
        self.chance = random.Random(seed)
        self.deeds = (
            self.claim,
            self.claim,
            self.pod,
            self.pod,
            self.ephemeral_pod,
            self.volume,
            self.stateful_set,
            self.scale,
            self.delete,
            self.delete,
            self.delete,
            self.wait,
        )

    async def go(self) -> None:
        for _ in range(STEPS):
            try:
                await self.chance.choice(self.deeds)()
            except (AlreadyExists, NotFound, Forbidden):
                continue
            await self.consistent()

    def name(self) -> str:
        return self.chance.choice(NAMES)

    async def claim(self) -> None:
        name = self.chance.choice(["standard", "now", "manual", ""])
        modes = ("ReadWriteMany",) if self.chance.random() < 0.2 else ("ReadWriteOnce",)
        await self.cluster.create(CLAIMS, self.name(), "walk", spec=claim_spec(modes=modes, storageClassName=name))

    async def pod(self) -> None:
        await self._pod(claim_volume(self.name()))

    async def ephemeral_pod(self) -> None:
        await self._pod({"name": "scratch", "ephemeral": {"volumeClaimTemplate": {"spec": claim_spec()}}})

    async def _pod(self, volume: Object) -> None:
        policy = self.chance.choice(["Always", "Never"])
        spec = {"containers": [{"name": "c", "image": "i"}], "volumes": [volume], "restartPolicy": policy}
        await self.cluster.create(PODS, f"p-{self.name()}", "walk", spec=spec)

    async def volume(self) -> None:
        policy = self.chance.choice(["Delete", "Retain", "Recycle"])
        source = {"hostPath": {"path": "/tmp/x"}}
        spec = {"capacity": {"storage": "2Gi"}, "accessModes": ["ReadWriteOnce"], "storageClassName": "manual", **source}
        await self.cluster.create(VOLUMES, f"v-{self.name()}", spec={**spec, "persistentVolumeReclaimPolicy": policy})

    async def stateful_set(self) -> None:
        name = f"s-{self.name()}"
        template = {"metadata": {"labels": {"s": name}}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
        spec = {"replicas": 2, "selector": {"matchLabels": {"s": name}}, "template": template, "serviceName": name}
        claims = [{"metadata": {"name": "d"}, "spec": claim_spec()}]
        policy = {"whenDeleted": self.chance.choice(["Delete", "Retain"]), "whenScaled": self.chance.choice(["Delete", "Retain"])}
        more = {"volumeClaimTemplates": claims, "persistentVolumeClaimRetentionPolicy": policy}
        await self.cluster.create(STATEFUL_SETS, name, "walk", spec={**spec, **more})

    async def scale(self) -> None:
        await self.cluster.merge(STATEFUL_SETS, f"s-{self.name()}", {"spec": {"replicas": self.chance.randrange(4)}}, "walk")

    async def delete(self) -> None:
        kind: ResourceType = self.chance.choice([PODS, CLAIMS, CLAIMS, STATEFUL_SETS, VOLUMES])
        present = await self.cluster.items(kind, "walk")
        if present:
            await self.cluster.delete(kind, objects.name(self.chance.choice(present)), "walk")

    async def wait(self) -> None:
        await self.cluster.settle(self.chance.choice([0.0, 0.01, 0.3, 1.0, 20.0]))

    async def consistent(self) -> None:
        """At any moment: no volume serves two claims, and a bound claim's volume is bound to it."""
        have = {objects.name(each): each for each in await self.cluster.items(VOLUMES)}
        named: set[str] = set()
        for claim in await self.cluster.items(CLAIMS, "walk"):
            volume = objects.spec(claim).get("volumeName")
            if objects.status(claim).get("phase") != "Bound" or not volume:
                continue
            assert volume not in named, "two claims, one volume"
            named.add(volume)
            assert volume in have, "a bound claim lost its volume while it was protected"
            assert volumes.claim_key_of(have[volume]) == objects.key(claim)


async def everything_goes(cluster: Cluster) -> None:
    await cluster.delete(NAMESPACES, "walk")
    await cluster.settle(120)
    for volume in await cluster.items(VOLUMES):
        try:
            await cluster.delete(VOLUMES, objects.name(volume))
        except ApiError:
            continue
    await cluster.settle(60)
    assert not await cluster.exists(NAMESPACES, "walk")
    assert await cluster.items(VOLUMES) == []
    assert await cluster.items(PODS, "walk") == [] == await cluster.items(CLAIMS, "walk")


@pytest.mark.parametrize("seed", range(12))
async def test_nothing_is_left(seed: int) -> None:
    async with whole_cluster() as cluster:
        await cluster.create(NAMESPACES, "walk")
        await cluster.create(CLASSES, "now", provisioner="kctl.dev/host-path", volumeBindingMode="Immediate")
        await cluster.settle(1)
        await Walk(cluster, seed).go()
        await everything_goes(cluster)
