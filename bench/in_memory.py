"""A control plane inside this process, as a test that wants a cluster of its own pays for it."""

from __future__ import annotations

import asyncio
import statistics
import time

from bench.measures import Figures
from kctl.apimachinery.clock import RealClock
from kctl.daemon.config import ClusterConfig
from kctl.daemon.control_plane import ControlPlane
from kctl.daemon.nodes import simulated_nodes
from store.memory import MemoryStore


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
