"""kube-scheduler with a configuration file, in a whole control plane: profiles by schedulerName, args, back-offs."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from controllers.kube_scheduler.config.load import parse
from kctl.apimachinery import objects
from kctl.apimachinery.clock import VirtualClock
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import EVENTS, NODES, PODS, SERVICE_ACCOUNTS, built_in
from kctl.client.client import Client
from kctl.daemon.components import API_SERVER_ALONE, KubeSchedulerComponent
from kctl.daemon.control_plane import ControlPlane
from store.memory import MemoryStore

HEAD = "apiVersion: kubescheduler.config.k8s.io/v1\nkind: KubeSchedulerConfiguration\n"


@asynccontextmanager
async def scheduling(configuration: str, nodes: int = 3, **labels: str) -> AsyncIterator[tuple[ControlPlane, VirtualClock]]:
    """API server and scheduler, with nodes n0, n1, ... of 4 cpu each; the first has `labels`."""
    clock = VirtualClock()
    components = (*API_SERVER_ALONE, KubeSchedulerComponent)
    plane = ControlPlane(MemoryStore(), clock, 1, components=components, scheduler=parse(HEAD + configuration))
    async with plane:
        client = plane.client()
        await client.create(SERVICE_ACCOUNTS, {"metadata": {"name": "default", "namespace": "default"}}, "default")
        for number in range(nodes):
            await add_node(client, f"n{number}", **(labels if number == 0 else {}))
        await clock.step()
        yield plane, clock


async def add_node(client: Client, name: str, **labels: str) -> None:
    allocatable = {"cpu": "4", "memory": "8Gi", "pods": "10", "example.com/gpu": "2"}
    meta = {"name": name, "labels": {"kubernetes.io/hostname": name, **labels}}
    made = await client.create(NODES, {"metadata": meta, "status": {"allocatable": allocatable, "capacity": allocatable}})
    await client.update(NODES, {**made, "spec": {}})


async def create(client: Client, name: str, scheduler: str = "default-scheduler", cpu: str = "1", **spec: Any) -> None:
    container = {"name": "c", "image": "i", "resources": {"requests": {"cpu": cpu}}}
    await client.create(
        PODS, {"metadata": {"name": name}, "spec": {"schedulerName": scheduler, "containers": [container], **spec}}, "default"
    )


async def where(client: Client, *names: str) -> list[str]:
    return [str((await client.get(PODS, name, "default"))["spec"].get("nodeName") or "") for name in names]


async def message(client: Client, name: str) -> str:
    found: Object = objects.condition(await client.get(PODS, name, "default"), "PodScheduled") or {}
    return str(found.get("message") or "")


async def test_each_profile_places_the_pods_that_name_it() -> None:
    configuration = """
profiles:
- schedulerName: default-scheduler
- schedulerName: packer
  pluginConfig:
  - {name: NodeResourcesFit, args: {scoringStrategy: {type: MostAllocated}}}
- schedulerName: fenced
  pluginConfig:
  - name: NodeAffinity
    args: {addedAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: [
      {matchExpressions: [{key: pool, operator: In, values: [x]}]}]}}}
"""
    async with scheduling(configuration, pool="x") as (plane, clock):
        client = plane.client()
        for number in range(3):
            await create(client, f"spread-{number}")
            await clock.step()
            await create(client, f"pack-{number}", "packer")
            await create(client, f"fence-{number}", "fenced", cpu="100m")
            await clock.step()
        await create(client, "stranger", "nobody")
        await create(client, "too-large", "fenced", cpu="9")
        await clock.step(1)
        assert len(set(await where(client, "spread-0", "spread-1", "spread-2"))) == 3
        assert len(set(await where(client, "pack-0", "pack-1", "pack-2"))) == 1
        assert set(await where(client, "fence-0", "fence-1", "fence-2")) == {"n0"}
        assert await where(client, "stranger") == [""]
        assert (await message(client, "too-large")).startswith(
            "0/3 nodes are available: 1 Insufficient cpu, 2 node(s) didn't match scheduler-enforced node affinity."
        )
        await clock.step(5)
        events = (await client.list(EVENTS, "default"))["items"]
        by_pod = {event["involvedObject"]["name"]: event["reportingComponent"] for event in events}
        assert (by_pod["spread-0"], by_pod["pack-0"], by_pod["fence-0"]) == ("default-scheduler", "packer", "fenced")


async def test_plugins_that_come_with_the_pods_stand_where_the_file_has_them() -> None:
    """Volumes, priorities and relations are loaded when the first pod needs them, for every profile, unless it has disabled them."""
    configuration = """
profiles:
- plugins: {multiPoint: {disabled: [{name: DefaultPreemption}]}}
- {schedulerName: default-scheduler, plugins: {filter: {disabled: [{name: InterPodAffinity}]}}}
""".replace("- plugins", "- schedulerName: kind\n  plugins")
    apart = {
        "podAntiAffinity": {
            "requiredDuringSchedulingIgnoredDuringExecution": [{"topologyKey": "kubernetes.io/hostname", "labelSelector": {}}]
        }
    }
    async with scheduling(configuration, nodes=1) as (plane, clock):
        client = plane.client()
        await create(client, "first", affinity=apart)
        await create(client, "second", affinity=apart)
        await clock.step()
        assert await where(client, "first", "second") == ["n0", "n0"]
        await create(client, "third", "kind", affinity=apart, priorityClassName="system-cluster-critical")
        await clock.step()
        assert (await message(client, "third")).startswith("0/1 nodes are available: 1 node(s) didn't match pod anti-affinity rules.")
        assert "preemption" not in await message(client, "third")
        await create(client, "important", cpu="4", priorityClassName="system-cluster-critical")
        await clock.step(1)
        assert objects.status(await client.get(PODS, "important", "default")).get("nominatedNodeName") == "n0"


async def test_pods_of_one_owner_spread_by_default() -> None:
    """On a node where no other of its kind is, although fuller ones score higher. Pods without an owner do not."""
    configuration = """
profiles:
- plugins: {score: {disabled: [{name: '*'}], enabled: [{name: NodeResourcesFit}, {name: PodTopologySpread, weight: 2}]}}
  pluginConfig: [{name: NodeResourcesFit, args: {scoringStrategy: {type: MostAllocated}}}]
- schedulerName: listed
  plugins: {score: {disabled: [{name: '*'}], enabled: [{name: NodeResourcesFit}]}}
  pluginConfig:
  - name: PodTopologySpread
    args: {defaultingType: List, defaultConstraints: [{maxSkew: 1, topologyKey: kubernetes.io/hostname, whenUnsatisfiable: DoNotSchedule}]}
""".replace("- plugins", "- schedulerName: default-scheduler\n  plugins")
    selector = {"matchLabels": {"app": "web"}}
    template = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
    async with scheduling(configuration) as (plane, clock):
        client = plane.client()
        owner = await client.create(
            built_in("apps/v1", "ReplicaSet"),
            {"metadata": {"name": "web"}, "spec": {"selector": selector, "template": template}},
            "default",
        )
        await client.create(
            built_in("v1", "Service"), {"metadata": {"name": "db"}, "spec": {"selector": {"app": "db"}, "ports": [{"port": 1}]}}, "default"
        )
        reference = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web", "uid": objects.uid(owner), "controller": True}
        container = {"name": "c", "image": "i", "resources": {"requests": {"cpu": "100m"}}}

        async def place(name: str, app: str, scheduler: str, *, owned: bool = False) -> str:
            meta = {"name": name, "labels": {"app": app}, "ownerReferences": [reference] if owned else []}
            await client.create(PODS, {"metadata": meta, "spec": {"schedulerName": scheduler, "containers": [container]}}, "default")
            await clock.step()
            return (await where(client, name))[0]

        assert len({await place(f"web-{number}", "web", "default-scheduler", owned=True) for number in range(3)}) == 3
        assert len({await place(f"db-{number}", "db", "default-scheduler") for number in range(3)}) == 3
        assert len({await place(f"none-{number}", "none", "default-scheduler") for number in range(3)}) == 1
        assert len({await place(f"list-{number}", "web", "listed", owned=True) for number in range(3)}) == 3


async def test_only_a_share_of_the_nodes_is_looked_at() -> None:
    async with scheduling("percentageOfNodesToScore: 50\n", nodes=220) as (plane, clock):
        client = plane.client()
        await create(client, "p")
        await clock.step()
        scheduler = plane.component(KubeSchedulerComponent).scheduler.scheduler
        decision = scheduler.decisions.get(objects.uid(await client.get(PODS, "p", "default")))
        assert decision is not None and (decision.merits.evaluated, decision.merits.feasible) == (110, 110)  # type: ignore[union-attr]


async def test_the_first_back_off_is_the_files() -> None:
    async with scheduling("podInitialBackoffSeconds: 30\npodMaxBackoffSeconds: 30\n", nodes=0) as (plane, clock):
        client = plane.client()
        await create(client, "p")
        await clock.step(1)
        await add_node(client, "n0")
        await clock.step(28)
        assert await where(client, "p") == [""]
        await clock.step(2)
        assert await where(client, "p") == ["n0"]
