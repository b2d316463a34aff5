"""A control plane inside this process, as a test that wants a cluster of its own pays for it."""

from __future__ import annotations

import asyncio
import hashlib
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass

from bench.measures import Figures
from kctl.apimachinery import virtual_time
from kctl.apimachinery.clock import RealClock, VirtualClock
from kctl.apimachinery.resources import CRON_JOBS, JOBS
from kctl.daemon.config import ClusterConfig
from kctl.daemon.control_plane import ControlPlane
from kctl.daemon.nodes import simulated_nodes
from store.memory import MemoryStore
from store.types import Event


def ready(runs: int = 40, nodes: int = 3) -> Figures:
    """CPU milliseconds from nothing to every component ready and every node registered, and from there to all stopped. The first one of
    a process also imports everything; `least` is what a busy machine distorts least."""
    starts, stops = asyncio.run(_measure(runs, nodes))
    first, later = starts[0], starts[1:]
    return {
        "first_cpu_ms": first,
        "ready_cpu_ms_least": min(later),
        "ready_cpu_ms_median": statistics.median(later),
        "stopped_cpu_ms_median": statistics.median(stops),
    }


async def _measure(runs: int, nodes: int) -> tuple[list[float], list[float]]:
    starts, stops = [], []
    for _ in range(runs):
        began = time.process_time()
        plane = ControlPlane(MemoryStore(), RealClock(), seed=1, nodes=simulated_nodes(ClusterConfig("bench", nodes=nodes)))
        await plane.start()
        serving = time.process_time()
        await plane.stop()
        starts.append(1000 * (serving - began))
        stops.append(1000 * (time.process_time() - serving))
    return starts, stops


def cron_day(nodes: int = 3, seed: int = 7) -> Figures:
    """A day of a CronJob that runs every minute, in simulated time, with scheduler, kubelets and heartbeats: twice with one seed. `same` is
    1 where both days had the same history of writes."""
    began, cpu = time.perf_counter(), time.process_time()
    first = virtual_time.run(_day(nodes, seed))
    took, spent = time.perf_counter() - began, time.process_time() - cpu
    second = virtual_time.run(_day(nodes, seed))
    return {"wall_s": took, "cpu_s": spent, "writes": first.writes, "jobs": first.jobs, "same": float(first == second)}


@dataclass
class _Day:
    writes: int = 0
    jobs: int = 0
    digest: str = ""


async def _day(nodes: int, seed: int) -> _Day:
    day, history, store, clock = _Day(), hashlib.sha256(), MemoryStore(), VirtualClock()

    def listen(events: Sequence[Event]) -> None:
        for event in events:
            value = event.key_value
            day.writes += 1
            day.jobs += event.type == "PUT" and value.version == 1 and value.key.startswith("/registry/batch/jobs/")
            history.update(b"%d %s %s %s\n" % (value.mod_revision, event.type.encode(), value.key.encode(), value.value))

    store.listen("", listen)
    async with ControlPlane(store, clock, seed, simulated_nodes(ClusterConfig("day", nodes=nodes))) as plane:
        container = {"name": "c", "image": "busybox", "command": ["sleep", "5"]}
        pod = {"restartPolicy": "Never", "containers": [container]}
        spec = {"schedule": "* * * * *", "jobTemplate": {"spec": {"template": {"spec": pod}}}}
        body = {"apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": "tick"}, "spec": spec}
        await plane.client().create(CRON_JOBS, body, "default")
        await clock.sleep(86_400)
        kept = (await plane.client().list(JOBS, "default"))["items"]
        assert all(job["status"].get("succeeded") == 1 for job in kept[:-1])
    day.digest = history.hexdigest()
    return day
