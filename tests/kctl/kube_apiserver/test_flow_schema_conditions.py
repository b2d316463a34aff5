"""FlowSchemas tell whether their priority level exists."""

from __future__ import annotations

import asyncio
import random

from kctl.apimachinery import objects
from kctl.apimachinery.clock import FakeClock
from kctl.apimachinery.objects import Object
from kctl.apimachinery.user import ADMIN
from kctl.kube_apiserver.caller import Caller
from kctl.kube_apiserver.flow_schema_conditions import DELAY_SECONDS, FLOW_SCHEMAS
from kctl.kube_apiserver.server import ApiServer
from kctl.kube_apiserver.storage import memory_store


def schema(name: str, level: str) -> Object:
    spec = {"matchingPrecedence": 20, "priorityLevelConfiguration": {"name": level}}
    return {"apiVersion": FLOW_SCHEMAS.api_version, "kind": "FlowSchema", "metadata": {"name": name}, "spec": spec}


async def dangling(server: ApiServer, name: str) -> tuple[str, str]:
    for _ in range(200):
        found = objects.condition(server.registry.get_cached(FLOW_SCHEMAS, "", name) or {}, "Dangling")
        if found is not None:
            return found["status"], found["reason"]
        await asyncio.sleep(0)
    raise AssertionError("no condition")


async def test_dangling() -> None:
    clock = FakeClock()
    server = ApiServer(memory_store(), clock=clock, randomness=random.Random(1))
    await server.start()
    try:
        endpoint = server.registry.endpoint(FLOW_SCHEMAS)
        for name, level in (("good", "workload-low"), ("bad", "nowhere")):
            await endpoint.create("", schema(name, level), Caller(ADMIN))
        await asyncio.sleep(0)
        clock.advance(DELAY_SECONDS)
        assert await dangling(server, "good") == ("False", "Found")
        assert await dangling(server, "bad") == ("True", "NotFound")
        assert await dangling(server, "catch-all") == ("False", "Found")
    finally:
        await server.stop()
