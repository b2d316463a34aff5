"""The official conformance tests of ReplicaSets and ReplicationControllers, step by step. (Those that dial the pods are not here.)"""

from __future__ import annotations

from typing import Any

import pytest

from kctl.apimachinery import objects
from kctl.apimachinery.objects import Object
from tests.conformance.suite import APPS, CORE, PODS, STRATEGIC, Suite, pod, selected, suite, template

pytestmark = pytest.mark.virtual_time
REPLICA_SETS, CONTROLLERS = f"{APPS}/replicasets", f"{CORE}/replicationcontrollers"
EVERYWHERE = "/apis/apps/v1/replicasets"


def replica_set(name: str, labels: Object, replicas: int = 1) -> Object:
    spec = {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template(labels, "httpd:2")}
    return {"metadata": {"name": name, "labels": {**labels}}, "spec": spec}


def controller(name: str, replicas: int = 1, labels: Object | None = None, **spec: Any) -> Object:
    """Its selector is the template's labels by default."""
    made = template(labels or {"name": name}, "httpd:2", terminationGracePeriodSeconds=0)
    return {"metadata": {"name": name}, "spec": {"replicas": replicas, "template": made, **spec}}


def adopted_by(owner: Object) -> Any:
    return lambda each: (objects.controller_of(each) or {}).get("uid") == objects.uid(owner)


def failing(made: Object) -> bool:
    return any(each["type"] == "ReplicaFailure" for each in made["status"].get("conditions", ()))


async def adopts(e2e: Suite, collection: str, body: Object) -> Object:
    """A pod without an owner, then the owner."""
    await e2e.create(PODS, pod("pod-adoption", {"name": "pod-adoption"}))
    await e2e.running("name=pod-adoption", 1)
    owner: Object = await e2e.create(collection, body)
    await e2e.until(f"{PODS}/pod-adoption", adopted_by(owner))
    assert len(await e2e.items(PODS)) == 1
    return owner


async def releases(e2e: Suite, owner: Object) -> None:
    """A pod whose label does not match any more; another takes its place."""
    (mine,) = await e2e.until(PODS, lambda pods: len(pods["items"]) == 1) and await e2e.items(PODS)
    path = f"{PODS}/{objects.name(mine)}"
    await e2e.update_until(path, lambda each: objects.with_metadata(each, labels={"name": "not-matching-name"}))
    released = await e2e.until(path, lambda each: not objects.owner_references(each))
    assert not adopted_by(owner)(released)
    await e2e.until(PODS, lambda pods: len(pods["items"]) == 2)


async def test_replica_set_adopts_and_releases() -> None:
    """[sig-apps] ReplicaSet should adopt matching pods on creation and release no longer matching pods [Conformance]"""
    async with suite() as e2e:
        await releases(e2e, await adopts(e2e, REPLICA_SETS, replica_set("rs", {"name": "pod-adoption"})))


async def test_controller_adopts() -> None:
    """[sig-apps] ReplicationController should adopt matching pods on creation [Conformance]"""
    async with suite() as e2e:
        await adopts(e2e, CONTROLLERS, controller("rc", labels={"name": "pod-adoption"}, selector={"name": "pod-adoption"}))


async def test_controller_releases() -> None:
    """[sig-apps] ReplicationController should release no longer matching pods [Conformance]"""
    async with suite() as e2e:
        await releases(e2e, await e2e.create(CONTROLLERS, controller("pod-release", selector={"name": "pod-release"})))


async def test_replica_set_scale() -> None:
    """[sig-apps] ReplicaSet Replicaset should have a working scale subresource [Conformance]"""
    async with suite() as e2e:
        await e2e.create(REPLICA_SETS, replica_set("test-rs", {"name": "sample-pod", "pod": "httpd"}))
        await e2e.running("name=sample-pod", 1)
        scale = await e2e.until(f"{REPLICA_SETS}/test-rs/scale", lambda scale: scale["status"]["replicas"] == 1)
        assert scale["spec"]["replicas"] == 1
        scale["metadata"]["resourceVersion"] = ""  # unconditional
        scale["spec"]["replicas"] = 2
        assert (await e2e.update(f"{REPLICA_SETS}/test-rs/scale", scale))["spec"]["replicas"] == 2
        assert (await e2e.get(f"{REPLICA_SETS}/test-rs"))["spec"]["replicas"] == 2
        await e2e.patch(f"{REPLICA_SETS}/test-rs/scale", {"metadata": {}, "spec": {"replicas": 4}, "status": {"replicas": 0}}, STRATEGIC)
        assert (await e2e.get(f"{REPLICA_SETS}/test-rs"))["spec"]["replicas"] == 4
        await e2e.running("name=sample-pod", 4)


async def test_replica_set_is_replaced_and_patched() -> None:
    """[sig-apps] ReplicaSet Replace and Patch tests [Conformance]"""
    async with suite() as e2e:
        since = await e2e.get(selected(EVERYWHERE, "test-rs=patched"))
        await e2e.create(REPLICA_SETS, replica_set("test-rs", {"name": "sample-pod", "pod": "httpd"}))
        await e2e.running("name=sample-pod", 1)
        await e2e.update_until(f"{REPLICA_SETS}/test-rs", lambda made: {**made, "spec": {**made["spec"], "replicas": 2}})
        await e2e.running("name=sample-pod", 2)
        pod_spec = {"terminationGracePeriodSeconds": 0, "containers": [{"name": "test-rs", "image": "pause:1"}]}
        change = {"metadata": {"labels": {"test-rs": "patched"}}, "spec": {"replicas": 3, "template": {"spec": pod_spec}}}
        await e2e.patch(f"{REPLICA_SETS}/test-rs", change, STRATEGIC)

        def holds(made: Object) -> bool:
            spec, status = made["spec"]["template"]["spec"], made["status"]
            counted = status.get("readyReplicas"), status.get("availableReplicas")
            return counted == (3, 3) and spec["containers"][0]["image"] == "pause:1" and spec["terminationGracePeriodSeconds"] == 0

        await e2e.seen(selected(REPLICA_SETS, "test-rs=patched"), since, "MODIFIED", holds)
        (first, second) = (await e2e.get(f"{REPLICA_SETS}/test-rs"))["spec"]["template"]["spec"]["containers"]
        assert (first["name"], second["name"]) == ("test-rs", "c")


async def test_collection_of_replica_sets() -> None:
    """[sig-apps] ReplicaSet should list and delete a collection of ReplicaSets [Conformance]"""
    labels = {"name": "sample-pod", "e2e": "some"}
    async with suite() as e2e:
        await e2e.create(REPLICA_SETS, replica_set("test-rs", labels, 3))
        await e2e.running("name=sample-pod", 3)
        assert await e2e.names(EVERYWHERE, "e2e=some") == ["test-rs"]
        await e2e.delete(selected(REPLICA_SETS, "e2e=some"), gracePeriodSeconds=1)
        assert await e2e.names(REPLICA_SETS, "e2e=some") == []
        await e2e.empty(PODS)


async def test_replica_set_status() -> None:
    """[sig-apps] ReplicaSet should validate Replicaset Status endpoints [Conformance]"""
    labels = {"name": "sample-pod", "pod": "httpd"}
    async with suite() as e2e:
        since, watched = await e2e.get(selected(EVERYWHERE, "name=sample-pod")), selected(REPLICA_SETS, "name=sample-pod")
        await e2e.create(REPLICA_SETS, replica_set("test-rs", labels))
        await e2e.running("name=sample-pod", 1)
        assert (await e2e.get(f"{REPLICA_SETS}/test-rs/status"))["status"]["replicas"] == 1
        condition = {"type": "StatusUpdate", "status": "True", "reason": "E2E", "message": "Set from e2e test"}

        def changed(made: Object) -> Object:
            return {**made, "status": {**made["status"], "conditions": [*made["status"].get("conditions", ()), condition]}}

        def has(kind: str) -> Any:
            return lambda made: any(each["type"] == kind for each in made["status"].get("conditions", ()))

        updated = await e2e.update_until(f"{REPLICA_SETS}/test-rs/status", changed)
        assert {key: updated["status"]["conditions"][-1].get(key) for key in condition} == condition
        await e2e.seen(watched, since, "MODIFIED", has("StatusUpdate"))
        change = {"status": {"conditions": [{"type": "StatusPatched", "status": "True"}]}}
        patched = await e2e.patch(f"{REPLICA_SETS}/test-rs/status", change)
        assert [each["type"] for each in patched["status"]["conditions"]] == ["StatusPatched"]
        await e2e.seen(watched, since, "MODIFIED", has("StatusPatched"))
        assert has("StatusPatched")(await e2e.get(f"{REPLICA_SETS}/test-rs"))


async def test_controller_says_what_failed() -> None:
    """[sig-apps] ReplicationController should surface a failure condition on a common issue like exceeded quota [Conformance]"""
    async with suite() as e2e:
        await e2e.create(f"{CORE}/resourcequotas", {"metadata": {"name": "condition-test"}, "spec": {"hard": {"pods": "2"}}})
        await e2e.until(f"{CORE}/resourcequotas/condition-test", lambda quota: quota["status"].get("hard") == {"pods": "2"})
        await e2e.create(CONTROLLERS, controller("condition-test", 3))
        made = await e2e.until(f"{CONTROLLERS}/condition-test", failing)
        (condition,) = made["status"]["conditions"]
        assert (condition["status"], condition["reason"]) == ("True", "FailedCreate")
        assert "exceeded quota: condition-test, requested: pods=1, used: pods=2, limited: pods=2" in condition["message"]
        assert made["status"]["observedGeneration"] == made["metadata"]["generation"]
        changed = await e2e.update_until(f"{CONTROLLERS}/condition-test", lambda made: {**made, "spec": {**made["spec"], "replicas": 2}})
        generation = changed["metadata"]["generation"]
        await e2e.until(
            f"{CONTROLLERS}/condition-test", lambda made: made["status"]["observedGeneration"] >= generation and not failing(made)
        )


async def test_controller_lifecycle() -> None:
    """[sig-apps] ReplicationController should test the lifecycle of a ReplicationController [Conformance]"""
    label, path = "test-rc-static=true", f"{CONTROLLERS}/rc-test"
    async with suite() as e2e:
        start, watched = await e2e.get(selected(CONTROLLERS, label)), selected(CONTROLLERS, label)
        body = controller("rc-test", labels={"test-rc-static": "true"}, selector={"test-rc-static": "true"})
        body["metadata"]["labels"] = {"test-rc-static": "true"}
        await e2e.create(CONTROLLERS, body)
        await e2e.seen(watched, start, "ADDED")

        def counted(replicas: int) -> Any:
            return lambda made: (made["status"]["replicas"], made["status"].get("readyReplicas")) == (replicas, replicas)

        await e2e.seen(watched, start, "MODIFIED", counted(1))
        patched = await e2e.patch(path, {"metadata": {"labels": {"test-rc": "patched"}}}, STRATEGIC)
        assert patched["metadata"]["labels"]["test-rc"] == "patched"
        await e2e.seen(watched, start, "MODIFIED", lambda made: made["metadata"]["labels"].get("test-rc") == "patched")
        patched = await e2e.patch(f"{path}/status", {"status": {"readyReplicas": 0, "availableReplicas": 0}}, STRATEGIC)
        assert not patched["status"].get("readyReplicas")
        await e2e.seen(watched, patched, "MODIFIED", counted(1))  # the controller's own count
        assert (await e2e.get(f"{path}/status"))["status"]["replicas"] == 1
        patched = await e2e.patch(f"{path}/scale", {"spec": {"replicas": 2}, "status": {"replicas": 0}}, STRATEGIC)
        assert patched["kind"] == "Scale"
        await e2e.seen(watched, patched, "MODIFIED", counted(2))
        read = await e2e.get(path)
        assert read["metadata"]["labels"]["test-rc"] == "patched"
        read["status"] |= {"availableReplicas": 1, "readyReplicas": 1}
        await e2e.update(f"{path}/status", read)
        await e2e.seen(watched, read, "MODIFIED", lambda made: made["status"]["readyReplicas"] == 1)
        (listed,) = await e2e.items("/api/v1/replicationcontrollers", label)
        assert objects.labels(listed) == {"test-rc-static": "true", "test-rc": "patched"}
        await e2e.delete(selected(CONTROLLERS, label))
        await e2e.seen(watched, start, "DELETED")
        (left, other) = await e2e.items(PODS)  # a ReplicationController leaves its pods behind unless told otherwise
        assert objects.owner_references(left) == [] == objects.owner_references(other)


async def test_controller_scale() -> None:
    """[sig-apps] ReplicationController should get and update a ReplicationController scale [Conformance]"""
    async with suite() as e2e:
        await e2e.create(CONTROLLERS, controller("e2e-rc"))
        await e2e.until(f"{CONTROLLERS}/e2e-rc", lambda made: made["status"]["replicas"] == 1)
        scale = await e2e.get(f"{CONTROLLERS}/e2e-rc/scale")
        assert scale["status"] == {"replicas": 1, "selector": "name=e2e-rc"}
        scale["metadata"]["resourceVersion"] = ""
        scale["spec"]["replicas"] = 2
        await e2e.update(f"{CONTROLLERS}/e2e-rc/scale", scale)
        await e2e.until(f"{CONTROLLERS}/e2e-rc", lambda made: made["status"]["replicas"] == 2)
