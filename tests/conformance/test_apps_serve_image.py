"""[sig-apps] Replicas of a server: each of them answers for itself, through the API server's proxy."""

from __future__ import annotations

import pytest

from kctl.apimachinery import objects
from kctl.apimachinery.objects import Object
from kctl.apimachinery.user import ADMIN
from tests.conformance.suite import APPS, CORE, PODS, Suite, container, suite

pytestmark = pytest.mark.virtual_time
NAME = "my-hostname-basic"


async def each_says_its_name(e2e: Suite, path: str, selector: Object) -> None:
    served = container(NAME, args=["serve-hostname"], ports=[{"containerPort": 9376}])
    template = {"metadata": {"labels": {"name": NAME}}, "spec": {"containers": [served]}}
    spec = {"replicas": 1, "selector": selector, "template": template}
    await e2e.create(path, {"metadata": {"name": NAME}, "spec": spec})
    for pod in await e2e.running(f"name={NAME}", 1):
        name = objects.name(pod)
        answer = await e2e.server.handle_raw("GET", f"{PODS}/{name}/proxy/", {}, None, {}, ADMIN)
        assert (answer.status, answer.body.decode()) == (200, name)


async def test_a_replica_set() -> None:
    """[sig-apps] ReplicaSet should serve a basic image on each replica with a public image [Conformance]"""
    async with suite(1) as e2e:
        await each_says_its_name(e2e, f"{APPS}/replicasets", {"matchLabels": {"name": NAME}})


async def test_a_replication_controller() -> None:
    """[sig-apps] ReplicationController should serve a basic image on each replica with a public image [Conformance]"""
    async with suite(1) as e2e:
        await each_says_its_name(e2e, f"{CORE}/replicationcontrollers", {"name": NAME})
