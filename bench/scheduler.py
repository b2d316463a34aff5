"""How many pods kube-scheduler places a second: `python -m bench scheduler [--nodes N] [--pods N] [WORKLOAD ...]`.

Store (SQLite, every write durable), API server and scheduler are in this process and nothing else: no kubelet, no controller, as
in upstream's scheduler_perf. A workload is measured twice. `backlog`: all pods are there, then the scheduler starts; counted is from
the moment it knows them to the last binding, with everything a binding costs the API server. `stream`: pods are created while it runs,
500 at a time; counted is from the first creation to the last binding, creating them included. CPU is that of all threads of the process:
on a machine of its own, pods a second cannot be more than 1,000 divided by it, and are little less.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import resource
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from bench.measures import Figures
from bench.scheduler_workloads import WORKLOADS, Object, Template, Workload, node, pod
from controllers.kube_scheduler.main import KubeScheduler
from controllers.runtime.informer import Change, InformerFactory
from kctl.apimachinery import user
from kctl.apimachinery.clock import RealClock
from kctl.apimachinery.resources import NODES, PODS, built_in
from kctl.client.client import Client
from kctl.daemon.component import ComponentContext
from kctl.daemon.components import EtcdComponent, KubeApiserverComponent
from kctl.daemon.control_plane import ControlPlane
from store.sqlite import SqliteStore

_AT_A_TIME = 500
_PATIENCE_SECONDS = 900.0
_CHURN_SECONDS = 1.0
_NAMESPACE = "default"


class _Clients:
    """A component that runs nothing: it lets the scene have clients and caches of its own in the control plane."""

    name = "bench"
    dependencies: tuple[str, ...] = ("kube-apiserver",)

    def __init__(self, context: ComponentContext) -> None:
        self.context = context

    async def run(self, ready: Any, stop: asyncio.Event) -> None:
        ready()
        await stop.wait()


class _Bound:
    """Counts pods that have a node, from what the scheduler's own cache is told."""

    def __init__(self) -> None:
        self._names: set[str] = set()
        self._prefix = ""
        self._wanted = 0
        self._done = asyncio.Event()

    def expect(self, prefix: str, count: int) -> None:
        self._prefix, self._wanted = prefix, count
        self._done.clear()
        self._names.clear()

    def handle(self, changes: Sequence[Change]) -> None:
        for _, new in changes:
            if new is not None and new["spec"].get("nodeName") and new["metadata"]["name"].startswith(self._prefix):
                self._names.add(new["metadata"]["name"])
        if self._wanted and len(self._names) >= self._wanted:
            self._done.set()

    async def wait(self) -> None:
        async with asyncio.timeout(_PATIENCE_SECONDS):
            await self._done.wait()


class _Scene:
    def __init__(self, plane: ControlPlane, workload: Workload, nodes: int) -> None:
        self._context = plane.component(_Clients).context
        self._client = plane.client()
        self._workload = workload
        self._nodes = nodes
        self._bound = _Bound()

    async def prepare(self) -> None:
        await self._client.create(_PRIORITY_CLASSES, {"metadata": {"name": "bench-high"}, "value": 1000})
        accounts = built_in("v1", "ServiceAccount")
        await self._client.create(accounts, {"metadata": {"name": "default", "namespace": _NAMESPACE}})
        made = [node(number, self._workload.zones) for number in range(self._nodes)]
        await _in_turns(made, lambda each: _create_node(self._client, each))
        async with self._scheduling():
            await self.create("before", self._workload.first, self._workload.before(self._nodes), wait=True)
        await self.create("waiting", lambda number: pod(requests={"cpu": "9"}), self._workload.waiting)

    async def create(self, prefix: str, template: Template, count: int, *, wait: bool = False) -> None:
        self._bound.expect(prefix, count)
        pods = (_named(template(number), f"{prefix}-{number:06}") for number in range(count))
        await _in_turns(list(pods), lambda each: self._client.create(PODS, each, _NAMESPACE))
        if wait and count:
            await self._bound.wait()

    @asynccontextmanager
    async def _scheduling(self) -> AsyncIterator[None]:
        identity, stop, ready = user.component("kube-scheduler"), asyncio.Event(), asyncio.Event()
        async with self._context.informers(identity) as informers:
            scheduler = KubeScheduler(
                self._context.client_for(identity), informers, self._context.clock, self._context.randomness("kube-scheduler")
            )
            running = asyncio.create_task(scheduler.run(lambda: self._listen(informers, ready), stop))
            try:
                await asyncio.wait({running, asyncio.ensure_future(ready.wait())}, return_when=asyncio.FIRST_COMPLETED)
                yield
            finally:
                stop.set()
                await running

    def _listen(self, informers: InformerFactory, ready: asyncio.Event) -> None:
        informers.informer(PODS).add_handler(self._bound.handle)
        ready.set()

    async def backlog(self, pods: int) -> Figures:
        await self.create("backlog", self._workload.measured, pods)
        _forget_garbage()
        async with self._scheduling(), self._churn():
            began = _Moment()
            await self._bound.wait()
            return began.figures("backlog", pods)

    async def stream(self, pods: int) -> Figures:
        async with self._scheduling(), self._churn():
            _forget_garbage()
            began = _Moment()
            await self.create("stream", self._workload.measured, pods, wait=True)
            return began.figures("stream", pods)

    @asynccontextmanager
    async def _churn(self) -> AsyncIterator[None]:
        churning = asyncio.create_task(self._come_and_go()) if self._workload.churn else None
        try:
            yield
        finally:
            if churning is not None:
                churning.cancel()
                await asyncio.gather(churning, return_exceptions=True)

    async def _come_and_go(self) -> None:
        """A node, a pod that no node can take and a Service each second, as upstream's churn makes them."""
        services, client, number = built_in("v1", "Service"), self._client, 0
        while True:
            number += 1
            name = f"churn-{time.monotonic_ns()}"
            too_large = pod(requests={"cpu": "9"}, priorityClassName="bench-high")
            service = {"metadata": {"name": name}, "spec": {"selector": {"app": "churn"}, "ports": [{"port": 80}]}}
            await _create_node(client, {**node(number), "metadata": {"name": name}})
            await client.create(PODS, _named(too_large, name), _NAMESPACE)
            await client.create(services, service, _NAMESPACE)
            await asyncio.sleep(_CHURN_SECONDS)


_PRIORITY_CLASSES = built_in("scheduling.k8s.io/v1", "PriorityClass")


class _Moment:
    def __init__(self) -> None:
        self._wall, self._cpu = time.perf_counter(), time.process_time()

    def figures(self, name: str, pods: int) -> Figures:
        wall, cpu = time.perf_counter() - self._wall, time.process_time() - self._cpu
        return {
            f"{name}_pods_per_second": pods / wall,
            f"{name}_cpu_ms_per_pod": 1000 * cpu / pods,
        }


def _forget_garbage() -> None:
    """As the daemon does: no collections while requests are served."""
    gc.collect()
    gc.freeze()
    gc.disable()


def _named(made: Object, name: str) -> Object:
    return {**made, "metadata": {**made["metadata"], "name": name, "namespace": _NAMESPACE}}


async def _create_node(client: Client, made: Object) -> None:
    """Ready at once: the taint of a new node goes, as node-lifecycle-controller would take it away."""
    created = await client.create(NODES, made)
    await client.update(NODES, {**created, "spec": {}})


async def _in_turns(objects: Sequence[Object], write: Any) -> None:
    for start in range(0, len(objects), _AT_A_TIME):
        await asyncio.gather(*(write(each) for each in objects[start : start + _AT_A_TIME]))


async def _measure(workload: Workload, nodes: int, pods: int, runs: Sequence[str]) -> Figures:
    """Each run on a control plane of its own."""
    pods = min(pods, workload.at_most(nodes))
    found: Figures = {"nodes": nodes, "pods": pods}
    for name in runs:
        with tempfile.TemporaryDirectory(prefix="kctl-bench-") as directory:
            clock = RealClock()
            components = (EtcdComponent, KubeApiserverComponent, _Clients)
            plane = ControlPlane(SqliteStore(Path(directory) / "state.db", clock), clock, seed=1, components=components)
            async with plane:
                scene = _Scene(plane, workload, nodes)
                await scene.prepare()
                found |= await (scene.backlog(pods) if name == "backlog" else scene.stream(pods))
    found["memory_mb_highest"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6
    found["upstream_threshold"] = workload.threshold
    return found


def measure(arguments: Sequence[str]) -> dict[str, Figures]:
    """By workload. Ends the process with a message on unknown arguments."""
    parser = argparse.ArgumentParser(prog="python -m bench scheduler", description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--nodes", type=int, default=5000)
    parser.add_argument("--pods", type=int, default=10000, help="measured pods; as many as can be placed at most")
    parser.add_argument("--run", choices=["backlog", "stream"], action="append", help="only this one")
    parser.add_argument("workload", nargs="*", help=", ".join(workload.name for workload in WORKLOADS))
    asked = parser.parse_args(arguments)
    known = {workload.name: workload for workload in WORKLOADS}
    for name in asked.workload:
        if name not in known:
            parser.error(f"unknown workload {name}; there are: {', '.join(known)}")
    results: dict[str, Figures] = {}
    for name in asked.workload or known:
        results[name] = asyncio.run(_measure(known[name], asked.nodes, asked.pods, asked.run or ["backlog", "stream"]))
        print(f"scheduler {name}")
        for figure, value in results[name].items():
            print(f"  {figure:30} {value:10.3f}", flush=True)
    return results
