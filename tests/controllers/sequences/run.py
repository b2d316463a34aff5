"""One sequence in a cluster of its own, in simulated time: it is disturbed, made whole, looked at, emptied and looked at again."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from controllers.kubelet.node_config import NodeConfig
from kctl.apimachinery import virtual_time
from kctl.apimachinery.clock import VirtualClock
from kctl.apimachinery.resources import NAMESPACES, PODS, built_in
from kctl.apimachinery.status import NotFound
from kctl.client.client import Client
from kctl.daemon.components import API_SERVER_ALONE, KubeletComponent, KubeSchedulerComponent
from kctl.daemon.control_plane import ControlPlane
from store.memory import MemoryStore
from tests.controllers.sequences.deeds import SPACE, Deeds
from tests.controllers.sequences.faults import MortalManager
from tests.controllers.sequences.invariants import Witness
from tests.controllers.sequences.outcome import Outcome

NODES = ("n0", "n1", "n2", "n3")
_VOLUMES = built_in("v1", "PersistentVolume")
_ROUND_SECONDS = 30.0
_ROUNDS = 60
"""Half an hour: back-offs of Jobs, evictions after five minutes, watches that are tried again."""
_LONGEST_SECONDS = 3 * 86_400.0


@dataclass
class Report:
    seed: int
    broken: list[str] = field(default_factory=list)
    deeds: list[str] = field(default_factory=list)
    writes: int = 0

    def __str__(self) -> str:
        return "\n".join((f"seed {self.seed}:", *(f"  {each}" for each in self.deeds), *(f"  BROKEN {each}" for each in self.broken)))


def run(seed: int, deeds: int, *, wide: bool = False) -> Report:
    return virtual_time.run(_sequence(seed, deeds, wide), limit_seconds=_LONGEST_SECONDS)


async def _sequence(seed: int, count: int, wide: bool) -> Report:
    clock, store = VirtualClock(), MemoryStore()
    witness = Witness(clock)
    store.listen("", witness)
    components = (*API_SERVER_ALONE, MortalManager, KubeSchedulerComponent, KubeletComponent)
    report = Report(seed)
    async with ControlPlane(store, clock, seed, [NodeConfig(name) for name in NODES], components) as plane:
        client, manager = plane.client(), plane.component(MortalManager)
        await client.create(NAMESPACES, {"metadata": {"name": SPACE}})
        await clock.step(2)
        deeds = Deeds(client, clock, manager, witness, random.Random(f"{seed}/deeds"), wide=wide)
        await deeds.run(count)
        await deeds.restore(NODES)
        report.deeds = deeds.done
        report.broken += await _settled(clock, client)
        witness.disturbed(float("inf"))
        report.broken += await _emptied(clock, client, store)
    report.broken += witness.broken
    report.writes = witness.writes
    return report


async def _settled(clock: VirtualClock, client: Client) -> list[str]:
    """What is still not as it must be after half an hour."""
    missing: list[str] = []
    for _ in range(_ROUNDS):
        await clock.step(_ROUND_SECONDS)
        missing = await Outcome(client).missing()
        if not missing:
            break
    return missing


async def _emptied(clock: VirtualClock, client: Client, store: MemoryStore) -> list[str]:
    await client.delete(NAMESPACES, SPACE)
    for _ in range(_ROUNDS):
        await clock.step(_ROUND_SECONDS)
        try:
            await client.get(NAMESPACES, SPACE)
        except NotFound:
            break
    left = (await store.range("/registry/", "/registry0")).key_values
    found = [f"{each.key} is left" for each in left if f"/{SPACE}/" in each.key or each.key.endswith(f"/{SPACE}")]
    volumes = (await client.list(_VOLUMES))["items"]
    found += [f"PersistentVolume {volume['metadata']['name']} is left" for volume in volumes]
    pods = (await client.list(PODS, ""))["items"]
    return found + [f"Pod {pod['metadata']['name']} is left" for pod in pods if pod["metadata"]["namespace"] == SPACE]
