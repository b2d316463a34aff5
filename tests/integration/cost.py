"""What a control plane costs, in function calls: the same number on every machine, however busy. `python -m tests.integration.cost [PODS]`
prints one line of JSON, with `--profile` also which functions.

A whole cluster in memory, in simulated time: its start, and the life of a Deployment's pods from its creation until all are available.
Everything is done twice; what only the first time costs (imports, tables, what is remembered) is not counted.
"""

from __future__ import annotations

import cProfile
import gc
import json
import pstats
import sys

from kctl.apimachinery import objects, virtual_time
from kctl.apimachinery.clock import VirtualClock
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import DEPLOYMENTS
from kctl.daemon.config import ClusterConfig
from kctl.daemon.control_plane import ControlPlane
from kctl.daemon.nodes import simulated_nodes
from store.memory import MemoryStore

NODES, PODS = 3, 200


def deployment(pods: int) -> Object:
    container = {"name": "web", "image": "nginx:1.27", "ports": [{"containerPort": 80}], "resources": {"requests": {"cpu": "10m"}}}
    template = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [container]}}
    spec = {"replicas": pods, "selector": {"matchLabels": {"app": "web"}}, "template": template}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": spec}


_modules = 0
"""Of this project, with the whole cluster ready and nothing asked of it."""


def _note_modules() -> None:
    global _modules
    _modules = _modules or sum(name.partition(".")[0] in ("controllers", "kctl", "store") for name in sys.modules)


async def _once(pods: int, start: cProfile.Profile, life: cProfile.Profile) -> None:
    clock = VirtualClock()
    plane = ControlPlane(MemoryStore(), clock, 1, simulated_nodes(ClusterConfig("cost", nodes=NODES)))
    start.enable()
    await plane.start()
    start.disable()
    _note_modules()
    try:
        await clock.step(5)
        client = plane.client()
        life.enable()
        await client.create(DEPLOYMENTS, deployment(pods), "default")
        await clock.step(5)
        life.disable()
        made = await client.get(DEPLOYMENTS, "web", "default")
        assert objects.status(made).get("availableReplicas") == pods
    finally:
        await plane.stop()


async def _main(pods: int) -> tuple[pstats.Stats, pstats.Stats]:
    await _once(pods, cProfile.Profile(), cProfile.Profile())
    start, life = cProfile.Profile(), cProfile.Profile()
    await _once(pods, start, life)
    return pstats.Stats(start), pstats.Stats(life)


def _calls(stats: pstats.Stats) -> int:
    return int(stats.total_calls)  # type: ignore[attr-defined]


def main(arguments: list[str]) -> None:
    gc.disable()
    numbers = [int(word) for word in arguments if word.isdigit()]
    pods = numbers[0] if numbers else PODS
    start, life = virtual_time.run(_main(pods))
    print(json.dumps({"modules_of_a_start": _modules, "calls_of_a_start": _calls(start), "calls_per_pod": _calls(life) // pods}))
    if "--profile" in arguments:
        for stats in (start, life):
            stats.sort_stats("tottime").print_stats(60)


if __name__ == "__main__":
    main(sys.argv[1:])
