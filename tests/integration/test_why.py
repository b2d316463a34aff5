"""`kctl why` and `kctl schedule --dry-run` over the port of a cluster with a scheduler."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from kctl.apimachinery.clock import FakeClock, RealClock
from kctl.apimachinery.resources import NODES, PODS, built_in
from kctl.apimachinery.user import SYSTEM_AUTHENTICATED, SYSTEM_MASTERS, User
from kctl.client.client import Client
from kctl.daemon.components import API_SERVER_ALONE, KubeSchedulerComponent
from kctl.daemon.control_plane import ControlPlane
from kctl.kube_apiserver.config import ApiServerConfig
from store.memory import MemoryStore
from tests.kctl.cli.console import Console, Outcome

Object = dict[str, Any]
_ADMIN = User("admin", (SYSTEM_MASTERS, SYSTEM_AUTHENTICATED), "admin")
_NOBODY = User("nobody", (SYSTEM_AUTHENTICATED,), "nobody")


class Cluster(NamedTuple):
    plane: ControlPlane
    console: Console
    client: Client

    async def kctl(self, *words: str, stdin: str = "") -> Outcome:
        return await asyncio.to_thread(lambda: self.console.kctl(*words, stdin=stdin))

    async def settled(self, name: str) -> Object:
        """The pod, as soon as the scheduler has said something of it."""
        async with asyncio.timeout(60):
            async for batch in await self.client.watch(PODS, "default", field_selector=f"metadata.name={name}"):
                for event in batch:
                    pod = event.object
                    if pod["spec"].get("nodeName") or pod["status"].get("conditions"):
                        return pod
        raise AssertionError("the watch ended")


@pytest.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[Cluster]:
    config = ApiServerConfig(tokens={"secret": _ADMIN, "other": _NOBODY})
    components = (*API_SERVER_ALONE, KubeSchedulerComponent)
    async with ControlPlane(MemoryStore(), RealClock(), seed=1, components=components, config=config) as plane:
        url = f"http://127.0.0.1:{await plane.server.serve('127.0.0.1', 0, None)}"
        client = plane.client()
        await client.create(built_in("v1", "ServiceAccount"), {"metadata": {"name": "default", "namespace": "default"}}, "default")
        for name, cpu in (("large", "4"), ("small", "1")):
            node = {
                "metadata": {"name": name, "labels": {"kubernetes.io/hostname": name}},
                "status": {"allocatable": {"cpu": cpu, "memory": "8Gi", "pods": "110"}},
            }
            created = await client.create(NODES, node)
            await client.update(NODES, {**created, "spec": {}})
        yield Cluster(plane, Console(tmp_path, url, FakeClock(), asyncio.get_running_loop()), client)


def pod(name: str, cpu: str, **spec: Any) -> Object:
    container = {"name": "c", "image": "i", "resources": {"requests": {"cpu": cpu}}}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": {"containers": [container], **spec}}


async def test_why_a_pod_is_where_it_is(cluster: Cluster) -> None:
    await cluster.client.create(PODS, pod("web", "2"), "default")
    await cluster.settled("web")
    told = await cluster.kctl("why", "pod/web")
    assert told.code == 0, told.err
    lines = told.out.splitlines()
    assert lines[0].startswith("Pod default/web was placed on large at ")
    assert lines[1] == "1 of 2 nodes could take it; this one had the most points."
    assert lines[3].split() == ["PLUGIN", "WEIGHT", "SCORE", "POINTS"]
    points = {line.split()[0]: line.split()[1:] for line in lines[4:]}
    assert points["NodeResourcesFit"] == ["1", "73", "73"]
    assert points["TaintToleration"] == ["3", "100", "300"]
    assert int(points["total"][0]) == sum(int(row[2]) for name, row in points.items() if name != "total")


async def test_why_a_pod_waits(cluster: Cluster) -> None:
    await cluster.client.create(PODS, pod("big", "8", nodeSelector={}), "default")
    await cluster.client.create(PODS, pod("gated", "1", schedulingGates=[{"name": "later"}]), "default")
    await cluster.client.create(PODS, pod("theirs", "1", schedulerName="theirs"), "default")
    await cluster.settled("big")
    shown = json.loads((await cluster.kctl("why", "big", "-o", "json")).out)
    assert shown["kind"] == "SchedulingDecision"
    assert shown["status"]["phase"] == "Unschedulable"
    assert shown["status"]["filtered"] == [
        {"plugin": "NodeResourcesFit", "reasons": ["Insufficient cpu"], "preemptionCouldHelp": False, "nodes": ["large", "small"]}
    ]
    told = await cluster.kctl("why", "pods", "big")
    assert told.out.splitlines()[-1].split(maxsplit=2) == ["NodeResourcesFit", "2", "Insufficient cpu   large,small"]
    assert "scheduling gates: later." in (await cluster.kctl("why", "gated")).out
    assert 'for the scheduler "theirs"' in (await cluster.kctl("why", "theirs")).out


async def test_what_cannot_be_asked(cluster: Cluster) -> None:
    assert (await cluster.kctl("why", "none")).err == 'Error from server (NotFound): pods "none" not found\n'
    assert (await cluster.kctl("why")).err == "error: exactly one pod is required, as NAME or pod/NAME\n"
    assert (await cluster.kctl("why", "node/large")).err == "error: exactly one pod is required, as NAME or pod/NAME\n"
    for words in (("why", "web"), ("get", "--raw", "/kctl.dev/scheduling/namespaces/default/pods/web")):
        refused = await cluster.kctl("--token", "other", *words)
        assert 'User "nobody" cannot get resource "pods" in API group "" in the namespace "default"' in refused.err
    for path in ("/kctl.dev", "/kctl.dev/x", "/kctl.dev/scheduling", "/kctl.dev/scheduling/pods/x/y"):
        assert "(NotFound)" in (await cluster.kctl("get", "--raw", path)).err


def deployment(replicas: int, cpu: str, **spec: Any) -> str:
    labels = {"app": "web"}
    template = {"metadata": {"labels": labels}, "spec": pod("x", cpu, **spec)["spec"]}
    wanted = {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template}
    return json.dumps({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": wanted})


async def test_what_would_fit(cluster: Cluster) -> None:
    done = await cluster.kctl("schedule", "--dry-run", "-f", "-", "--node-shape=cpu=2", stdin=deployment(9, "1"))
    assert (done.code, done.err) == (1, "")
    assert done.out.splitlines() == [
        "5 of 9 pods would be placed.",
        "",
        "NODE    PODS",
        "large   4",
        "small   1",
        "",
        "PODS   WHY NOT",
        "4      0/2 nodes are available: 2 Insufficient cpu.",
        "",
        "2 more nodes of that shape would be needed.",
    ]
    assert (await cluster.client.list(PODS, "default"))["items"] == []


async def test_on_other_nodes_and_apart(cluster: Cluster, tmp_path: Path) -> None:
    nodes = [
        {
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {"name": f"n{number}", "labels": {"kubernetes.io/hostname": f"n{number}"}},
            "status": {"allocatable": {"cpu": "8", "pods": "9"}},
        }
        for number in range(3)
    ]
    (tmp_path / "nodes.json").write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": nodes}))
    term = {"labelSelector": {"matchLabels": {"app": "web"}}, "topologyKey": "kubernetes.io/hostname"}
    apart = {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}
    words = ("schedule", "--dry-run", "-f", "-", "--nodes-from-file", str(tmp_path / "nodes.json"), "--node-shape=cpu=1", "-o", "json")
    done = await cluster.kctl(*words, stdin=deployment(5, "1", affinity=apart))
    status = json.loads(done.out)["status"]
    assert sorted(each["nodeName"] for each in status["placed"]) == ["n0", "n1", "n2"]
    assert status["needed"] == {"nodes": 2, "stillUnplaced": []}
    assert status["unplaced"][0]["message"] == "0/3 nodes are available: 3 node(s) didn't match pod anti-affinity rules."


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (("-f", "-"), "error: --dry-run is required: pods are placed by the scheduler when they are created\n"),
        (("--dry-run",), "error: must specify one of -f and -k\n"),
        (("--dry-run", "-f", "-", "--node-shape=4"), 'error: --node-shape must be as cpu=4,memory=16Gi, not "4"\n'),
        (
            ("--dry-run", "-f", "-", "-o", "wide"),
            'error: unable to match a printer suitable for the output format "wide", allowed formats are: json,yaml\n',
        ),
    ],
    ids=["no dry run", "no files", "no shape", "no format"],
)
async def test_wrong_words(cluster: Cluster, words: tuple[str, ...], error: str) -> None:
    assert (await cluster.kctl("schedule", *words, stdin=deployment(1, "1"))).err == error


async def test_pods_that_cannot_be_read(cluster: Cluster) -> None:
    for body in (b"", b"[]", b'{"pods": [1]}', b'{"pods": [{"metadata": {}, "spec": {"containers": 3}}]}', b'{"pods": [], "nodes": 3}'):
        answer = await cluster.client.transport.raw("POST", "/kctl.dev/scheduling/pods", body=body)
        assert answer.status == 400, answer.body
