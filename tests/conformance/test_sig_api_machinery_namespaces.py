"""The official conformance tests of Namespaces: their status, finalizers, and what is deleted with them, in which order."""

from __future__ import annotations

from typing import Any

import pytest

from kctl.apimachinery import objects
from kctl.apimachinery.resources import CONFIG_MAPS, NAMESPACES, PODS, SERVICES, ResourceType
from tests.conformance.api import api
from tests.integration.control_plane import ControlPlane, control_plane

pytestmark = pytest.mark.virtual_time
SPACE = "nsdeletetest"
POD = {"metadata": {"name": "test-pod"}, "spec": {"containers": [{"name": "nginx", "image": "pause"}]}}
SERVICE = {"metadata": {"name": "test-service"}, "spec": {"selector": {"foo": "bar", "baz": "blah"}, "ports": [{"port": 80}]}}
FINALIZER = "e2e.example.com/finalizer"


async def test_a_namespace_is_patched() -> None:
    """[sig-api-machinery] Namespaces [Serial] should patch a Namespace [Conformance]"""
    async with api() as made:
        created = await made.create("/api/v1/namespaces", {"metadata": {"name": "nspatchtest"}})
        patch = {"metadata": {"labels": {"testLabel": "testValue"}}}
        status, patched = await made.ask("PATCH", "/api/v1/namespaces/nspatchtest", patch, kind="application/strategic-merge-patch+json")
        assert status == 200 and int(patched["metadata"]["resourceVersion"]) > int(created["metadata"]["resourceVersion"])
        assert (await made.get("/api/v1/namespaces/nspatchtest"))["metadata"]["labels"]["testLabel"] == "testValue"


async def test_the_status_of_a_namespace() -> None:
    """[sig-api-machinery] Namespaces [Serial] should apply changes to a namespace status [Conformance]"""
    async with api() as made:
        await made.create("/api/v1/namespaces", {"metadata": {"name": "namespaces-12"}})
        path = "/api/v1/namespaces/namespaces-12/status"
        assert (await made.get(path))["status"]["phase"] == "Active"
        condition = {"type": "StatusPatch", "status": "True", "lastTransitionTime": None, "reason": "E2E", "message": "Patched"}
        body = {"metadata": {"annotations": {"e2e-patched-ns-status": "namespaces-12"}}, "status": {"conditions": [condition]}}
        patched = await made.patch(path, body)
        assert patched["metadata"]["annotations"]["e2e-patched-ns-status"] == "namespaces-12"
        last = patched["status"]["conditions"][-1]
        assert (last["reason"], last["message"]) == ("E2E", "Patched")
        present = await made.get(path)
        present["status"]["conditions"].append({**condition, "type": "StatusUpdate", "message": "Updated"})
        updated = await made.update(path, present)
        assert [each["type"] for each in updated["status"]["conditions"]] == ["StatusPatch", "StatusUpdate"]
        assert updated["status"]["conditions"][-1]["message"] == "Updated"


async def test_a_namespace_is_updated() -> None:
    """[sig-api-machinery] Namespaces [Serial] should apply an update to a Namespace [Conformance]"""
    async with api() as made:
        created = await made.create("/api/v1/namespaces", {"metadata": {"name": "namespaces-12"}})
        created["metadata"]["labels"]["namespaces-12"] = "updated"
        updated = await made.update("/api/v1/namespaces/namespaces-12", created)
        assert updated["metadata"]["labels"] == {"kubernetes.io/metadata.name": "namespaces-12", "namespaces-12": "updated"}


async def test_finalizers_of_a_namespace() -> None:
    """[sig-api-machinery] Namespaces [Serial] should apply a finalizer to a Namespace [Conformance]"""
    fake = "e2e.example.com/fakeFinalizer"
    async with api() as made:
        await made.create("/api/v1/namespaces", {"metadata": {"name": "e2e-ns"}})
        for finalizers in (["kubernetes", fake], ["kubernetes"]):
            present = await made.get("/api/v1/namespaces/e2e-ns")
            present["spec"]["finalizers"] = finalizers
            assert (await made.update("/api/v1/namespaces/e2e-ns/finalize", present))["spec"]["finalizers"] == finalizers
            assert (await made.get("/api/v1/namespaces/e2e-ns"))["spec"]["finalizers"] == finalizers


async def space(plane: ControlPlane) -> None:
    await plane.client.create(NAMESPACES, {"metadata": {"name": SPACE}})
    await plane.settle(1)


async def runs(plane: ControlPlane) -> None:
    async def running() -> bool:
        return objects.status(await plane.get(PODS, "test-pod", SPACE)).get("phase") == "Running"

    await plane.until(running)


async def is_gone(plane: ControlPlane) -> None:
    async def gone() -> bool:
        return not await plane.exists(NAMESPACES, SPACE)

    await plane.until(gone, 90)


@pytest.mark.parametrize(("resource", "body"), [(PODS, POD), (SERVICES, SERVICE)])
async def test_what_is_in_a_namespace_goes_with_it(resource: ResourceType, body: Any) -> None:
    """[sig-api-machinery] Namespaces [Serial] should ensure that all pods are removed when a namespace is deleted [Conformance]
    [sig-api-machinery] Namespaces [Serial] should ensure that all services are removed when a namespace is deleted [Conformance]"""
    async with control_plane() as plane:
        await space(plane)
        await plane.client.create(resource, body, SPACE)
        if resource is PODS:
            await runs(plane)
        await plane.client.delete(NAMESPACES, SPACE)
        await is_gone(plane)
        await space(plane)
        assert await plane.items(resource, SPACE) == []


async def test_pods_go_first() -> None:
    """[sig-api-machinery] OrderedNamespaceDeletion namespace deletion should delete pod first [Conformance]"""
    async with control_plane() as plane:
        await space(plane)
        await plane.client.create(PODS, {**POD, "metadata": {"name": "test-pod", "finalizers": [FINALIZER]}}, SPACE)
        await runs(plane)
        await plane.client.create(CONFIG_MAPS, {"metadata": {"name": "test-configmap"}, "data": {"key": "value"}}, SPACE)
        await plane.client.delete(NAMESPACES, SPACE)

        async def looked_at() -> bool:
            namespace = await plane.get(NAMESPACES, SPACE)
            assert objects.status(namespace)["phase"] == "Terminating"
            return objects.condition(namespace, "NamespaceDeletionContentFailure") is not None

        await plane.until(looked_at)
        await plane.settle(60)
        assert not objects.deletion_timestamp(await plane.get(CONFIG_MAPS, "test-configmap", SPACE))
        assert objects.deletion_timestamp(await plane.get(PODS, "test-pod", SPACE))
        await plane.merge(PODS, "test-pod", {"metadata": {"finalizers": []}}, SPACE)
        await is_gone(plane)
