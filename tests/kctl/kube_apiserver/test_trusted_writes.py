"""What components of the daemon get for free: pods of one template share one spec, status writes share everything."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from typing import Any

import pytest

from kctl.apimachinery.clock import FakeClock
from kctl.apimachinery.resources import PODS, PRIORITY_CLASSES, SERVICE_ACCOUNTS
from kctl.apimachinery.status import Invalid, NotFound
from kctl.apimachinery.user import ADMIN
from kctl.client.client import Client
from kctl.client.transport import STRATEGIC_MERGE_PATCH
from kctl.kube_apiserver.server import ApiServer
from store.memory import MemoryStore


@pytest.fixture
async def server() -> AsyncIterator[ApiServer]:
    store = MemoryStore()
    await store.start()
    started = ApiServer(store, clock=FakeClock(), randomness=random.Random(7))
    await started.start()
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default"}}
    await Client(started.transport(ADMIN)).create(SERVICE_ACCOUNTS, account, "default")
    yield started
    await started.stop()


@pytest.fixture
def controller(server: ApiServer) -> Client:
    return Client(server.component_transport(ADMIN))


def pod(name: str, spec: dict[str, Any]) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": {"app": "a"}}, "spec": spec}


SPEC = {"containers": [{"name": "c", "image": "nginx"}]}


async def test_pods_of_one_template_share_the_admitted_spec(controller: Client) -> None:
    one = await controller.create(PODS, pod("one", SPEC), "default")
    two = await controller.create(PODS, pod("two", SPEC), "default")
    other = await controller.create(PODS, pod("three", {"containers": [{"name": "c", "image": "nginx"}]}), "default")
    assert one["spec"] is two["spec"]
    assert other["spec"] is not one["spec"]
    assert one["spec"]["serviceAccountName"] == "default"
    assert SPEC == {"containers": [{"name": "c", "image": "nginx"}]}
    assert one["metadata"]["uid"] != two["metadata"]["uid"]


async def test_a_changed_priority_class_is_noticed(controller: Client, server: ApiServer) -> None:
    one = await controller.create(PODS, pod("one", SPEC), "default")
    high = {
        "apiVersion": "scheduling.k8s.io/v1",
        "kind": "PriorityClass",
        "metadata": {"name": "high"},
        "value": 1000,
        "globalDefault": True,
    }
    await Client(server.transport(ADMIN)).create(PRIORITY_CLASSES, high)
    two = await controller.create(PODS, pod("two", SPEC), "default")
    assert (one["spec"]["priority"], two["spec"]["priority"]) == (0, 1000)


async def test_metadata_is_checked_for_each_pod(controller: Client) -> None:
    await controller.create(PODS, pod("one", SPEC), "default")
    with pytest.raises(Invalid, match=r"metadata\.name"):
        await controller.create(PODS, pod("NO", SPEC), "default")


async def test_status_writes_share_the_rest(controller: Client) -> None:
    made = await controller.create(PODS, pod("one", SPEC), "default")
    written = await controller.update_status(PODS, {**made, "status": {"phase": "Running"}})
    assert written["spec"] is made["spec"]
    assert made["status"]["phase"] == "Pending"
    again = await controller.update_status(PODS, {**written, "status": {"phase": "Running"}})
    assert again["metadata"]["resourceVersion"] == written["metadata"]["resourceVersion"]


async def test_watchers_get_the_stored_object_itself(controller: Client) -> None:
    stream = await controller.watch(PODS, "default", resource_version="0")
    made = await controller.create(PODS, pod("one", SPEC), "default")
    batch = await anext(stream)
    assert batch[0].object is made
    await stream.aclose()  # type: ignore[attr-defined]


async def test_changes_of_finalizers_alone_share_the_rest_and_are_checked(controller: Client, server: ApiServer) -> None:
    """As of thousands of pods of a Job; what comes of it is what a person's patch makes."""
    person = Client(server.transport(ADMIN))
    made = {name: await controller.create(PODS, pod(name, SPEC), "default") for name in ("one", "two")}
    patch = {"metadata": {"finalizers": ["example.com/a", "example.com/b"]}}
    drop = {"metadata": {"$deleteFromPrimitiveList/finalizers": ["example.com/a"]}}
    for step in (patch, drop):
        written = await controller.patch(PODS, "one", step, "default", patch_type=STRATEGIC_MERGE_PATCH, field_manager="m")
        assert written["spec"] is made["one"]["spec"]
        await person.patch(PODS, "two", step, "default", patch_type=STRATEGIC_MERGE_PATCH, field_manager="m")
    one, two = [await person.get(PODS, name, "default") for name in ("one", "two")]
    assert one["metadata"]["finalizers"] == ["example.com/b"]
    assert one["metadata"]["managedFields"] == two["metadata"]["managedFields"]
    assert one["spec"] == two["spec"] and one["status"] == two["status"]
    with pytest.raises(Invalid, match="name is neither a standard finalizer name nor is it fully qualified"):
        await controller.patch(PODS, "one", {"metadata": {"finalizers": ["unqualified"]}}, "default")
    await person.delete(PODS, "one", "default", grace_period_seconds=0)
    with pytest.raises(Invalid, match="no new finalizers can be added if the object is being deleted"):
        await controller.patch(PODS, "one", patch, "default")
    await controller.patch(PODS, "one", {"metadata": {"finalizers": None}}, "default")
    with pytest.raises(NotFound):
        await person.get(PODS, "one", "default")
