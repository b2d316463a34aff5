"""The official conformance tests of ResourceQuota, as their text says, on the API server and the resource quota controller."""

from __future__ import annotations

from typing import Any

import pytest

from kctl.apimachinery import objects
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import CONFIG_MAPS, PODS, SERVICES, ResourceType, built_in
from kctl.apimachinery.status import ApiError, NotFound
from kctl.client.transport import STRATEGIC_MERGE_PATCH, ApiRequest
from tests.integration.control_plane import ControlPlane, control_plane

pytestmark = pytest.mark.virtual_time
QUOTAS, SECRETS = built_in("v1", "ResourceQuota"), built_in("v1", "Secret")
REPLICA_SETS, REPLICATION_CONTROLLERS = built_in("apps/v1", "ReplicaSet"), built_in("v1", "ReplicationController")
CONTROLLERS = ("resourcequota-controller", "garbage-collector-controller")
DONGLE = "example.com/dongle"
HARD = {
    "pods": "5",
    "services": "10",
    "services.nodeports": "1",
    "services.loadbalancers": "1",
    "replicationcontrollers": "10",
    "resourcequotas": "1",
    "cpu": "1",
    "memory": "500Mi",
    "configmaps": "10",
    "secrets": "10",
    "persistentvolumeclaims": "10",
    "requests.storage": "10Gi",
    "ephemeral-storage": "50Gi",
    "count/replicasets.apps": "5",
    f"requests.{DONGLE}": "3",
}
TEMPLATE = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
PORTS = [{"port": 80}]


async def quota(plane: ControlPlane, name: str = "test-quota", **spec: Any) -> None:
    """Created, and its status calculated promptly."""
    await plane.client.create(QUOTAS, {"metadata": {"name": name}, "spec": {"hard": HARD, **spec}}, "default")
    await counted(plane, name, resourcequotas="1" if "hard" not in spec else None)


async def counted(plane: ControlPlane, of: str = "test-quota", **used: str | None) -> None:
    """The status has what is allowed, and `used` of it (__ for a dot, _ for a hyphen)."""
    wanted = {name.replace("__", ".").replace("_", "-"): amount for name, amount in used.items() if amount is not None}

    async def holds() -> bool:
        found = await plane.get(QUOTAS, of)
        status = objects.status(found)
        told = status.get("used") or {}
        return status.get("hard") == objects.spec(found)["hard"] and wanted == {name: told.get(name) for name in wanted}

    await plane.until(holds)


def pod(name: str, requests: Object | None = None, limits: Object | None = None, **spec: Any) -> Object:
    resources = {part: amounts for part, amounts in (("requests", requests), ("limits", limits)) if amounts}
    return {"metadata": {"name": name}, "spec": {"containers": [{"name": "c", "image": "i", "resources": resources}], **spec}}


async def test_status_is_calculated_promptly() -> None:
    """[sig-api-machinery] ResourceQuota should create a ResourceQuota and ensure its status is promptly calculated. [Conformance]"""
    async with control_plane(*CONTROLLERS) as plane:
        await quota(plane)
        used = objects.status(await plane.get(QUOTAS, "test-quota"))["used"]
        assert used.keys() == HARD.keys()
        assert {name for name, amount in used.items() if amount != "0"} <= {"resourcequotas", "services", "configmaps", "secrets"}


LIVES = [
    (CONFIG_MAPS, "configmaps", {"data": {"a": "b"}}),
    (SECRETS, "secrets", {"data": {"a": "YQ=="}}),
    (SERVICES, "services", {"spec": {"type": "ClusterIP", "ports": PORTS}}),
    (REPLICATION_CONTROLLERS, "replicationcontrollers", {"spec": {"replicas": 0, "selector": {"a": "b"}, "template": TEMPLATE}}),
    (REPLICA_SETS, "count/replicasets.apps", {"spec": {"replicas": 0, "selector": {"matchLabels": {"a": "b"}}, "template": TEMPLATE}}),
]


@pytest.mark.parametrize(("resource", "counter", "parts"), LIVES, ids=[counter for _, counter, _ in LIVES])
async def test_the_life_of_an_object_is_captured(resource: ResourceType, counter: str, parts: Object) -> None:
    """[sig-api-machinery] ResourceQuota should create a ResourceQuota and capture the life of a configMap. [Conformance]
    [sig-api-machinery] ResourceQuota should create a ResourceQuota and capture the life of a secret. [Conformance]
    [sig-api-machinery] ResourceQuota should create a ResourceQuota and capture the life of a service. [Conformance]
    [sig-api-machinery] ResourceQuota should create a ResourceQuota and capture the life of a replication controller. [Conformance]
    [sig-api-machinery] ResourceQuota should create a ResourceQuota and capture the life of a replica set. [Conformance]"""
    async with control_plane(*CONTROLLERS) as plane:
        await quota(plane)
        before = int(objects.status(await plane.get(QUOTAS, "test-quota"))["used"][counter])
        await plane.client.create(resource, {"metadata": {"name": "test"}, **parts}, "default")
        await counted(plane, **{counter.replace(".", "__"): str(before + 1)})
        await plane.client.delete(resource, "test", "default")
        await counted(plane, **{counter.replace(".", "__"): str(before)})


async def test_services_of_each_type_are_counted() -> None:
    """A part of: [sig-api-machinery] ResourceQuota should create a ResourceQuota and capture the life of a service. [Conformance]"""
    async with control_plane(*CONTROLLERS) as plane:
        await quota(plane)
        await plane.client.create(SERVICES, {"metadata": {"name": "node"}, "spec": {"type": "NodePort", "ports": PORTS}}, "default")
        await counted(plane, services__nodeports="1", services__loadbalancers="0")
        with pytest.raises(ApiError, match="exceeded quota: test-quota") as error:
            await plane.client.create(SERVICES, {"metadata": {"name": "lb"}, "spec": {"type": "LoadBalancer", "ports": PORTS}}, "default")
        assert error.value.http_status == 403
        await plane.client.delete(SERVICES, "node", "default")
        await counted(plane, services__nodeports="0")


async def test_the_life_of_a_pod_is_captured() -> None:
    """[sig-api-machinery] ResourceQuota should create a ResourceQuota and capture the life of a pod. [Conformance]"""
    async with control_plane(*CONTROLLERS) as plane:
        await quota(plane)
        requests = {"cpu": "500m", "memory": "252Mi", "ephemeral-storage": "30Gi", DONGLE: "2"}
        await plane.client.create(PODS, pod("test-pod", requests, {DONGLE: "2"}), "default")
        taken = {"pods": "1", "cpu": "500m", "memory": "252Mi", "ephemeral-storage": "30Gi", f"requests.{DONGLE}": "2"}
        await counted(plane, **{name.replace(".", "__"): amount for name, amount in taken.items()})
        for name, more in (("fail-pod", {"cpu": "600m", "memory": "100Mi"}), ("fail-dongle", {"cpu": "1m", "memory": "1Mi", DONGLE: "2"})):
            limits = {DONGLE: more[DONGLE]} if DONGLE in more else None
            with pytest.raises(ApiError, match="exceeded quota: test-quota") as error:
                await plane.client.create(PODS, pod(name, {"ephemeral-storage": "1Gi", **more}, limits), "default")
            assert error.value.http_status == 403
        wider = {"spec": {"containers": [{"name": "c", "resources": {"requests": {"cpu": "100m", "memory": "100Mi"}}}]}}
        with pytest.raises(ApiError) as error:
            await plane.client.patch(PODS, "test-pod", wider, "default", patch_type=STRATEGIC_MERGE_PATCH)
        assert error.value.http_status == 422
        await counted(plane, **{name.replace(".", "__"): amount for name, amount in taken.items()})
        await plane.client.delete(PODS, "test-pod", "default", grace_period_seconds=0)
        await counted(plane, **{name.replace(".", "__"): "0" for name in taken})


async def test_update_and_delete() -> None:
    """[sig-api-machinery] ResourceQuota should be able to update and delete ResourceQuota. [Conformance]"""
    async with control_plane(*CONTROLLERS) as plane:
        made = await plane.client.create(QUOTAS, {"metadata": {"name": "q"}, "spec": {"hard": {"cpu": "1", "memory": "500Mi"}}}, "default")
        assert (await plane.get(QUOTAS, "q"))["spec"]["hard"] == {"cpu": "1", "memory": "500Mi"}
        updated = await plane.client.update(QUOTAS, {**made, "spec": {"hard": {"cpu": "2", "memory": "1Gi"}}})
        assert updated["spec"]["hard"] == {"cpu": "2", "memory": "1Gi"}
        assert (await plane.get(QUOTAS, "q"))["spec"]["hard"] == {"cpu": "2", "memory": "1Gi"}
        await plane.client.delete(QUOTAS, "q", "default")
        with pytest.raises(NotFound):
            await plane.get(QUOTAS, "q")


async def test_the_lifecycle_of_a_quota() -> None:
    """[sig-api-machinery] ResourceQuota should manage the lifecycle of a ResourceQuota [Conformance]"""
    async with control_plane(*CONTROLLERS) as plane:
        labels = {"e2e-label": "e2e-1"}
        spec = {"hard": {"cpu": "1", "memory": "500Mi"}}
        await plane.client.create(QUOTAS, {"metadata": {"name": "q", "labels": labels}, "spec": spec}, "default")
        listed = await plane.client.list(QUOTAS, "", label_selector="e2e-label=e2e-1")
        assert [objects.name(each) for each in listed["items"]] == ["q"]
        patched = await plane.client.patch(
            QUOTAS, "q", {"metadata": {"labels": {"q": "patched"}}, "spec": {"hard": {"memory": "750Mi"}}}, "default"
        )
        assert (patched["metadata"]["labels"]["q"], patched["spec"]["hard"]) == ("patched", {"cpu": "1", "memory": "750Mi"})
        await plane.client.delete_collection(QUOTAS, "default", label_selector="q=patched")
        assert not (await plane.client.list(QUOTAS, "", label_selector="q=patched"))["items"]


async def test_changes_to_the_status() -> None:
    """[sig-api-machinery] ResourceQuota should apply changes to a resourcequota status [Conformance]"""
    async with control_plane(*CONTROLLERS) as plane:
        await plane.client.create(QUOTAS, {"metadata": {"name": "q"}, "spec": {"hard": {"cpu": "500m", "memory": "500Mi"}}}, "default")
        await counted(plane, "q", cpu="0", memory="0")
        hard = {"cpu": "500m", "memory": "500Mi"}
        present = await plane.get(QUOTAS, "q")
        updated = await plane.client.update_status(QUOTAS, objects.with_status(present, hard=hard))
        assert updated["status"]["hard"] == updated["spec"]["hard"] == hard
        hard = {"cpu": "1", "memory": "1Gi"}
        patched = await plane.client.patch(QUOTAS, "q", {"spec": {"hard": hard}}, "default")
        assert patched["spec"]["hard"] == hard
        await counted(plane, "q")
        other = {"cpu": "2", "memory": "2Gi"}
        patched = await plane.client.patch(QUOTAS, "q", {"status": {"hard": other}}, "default", subresource="status")
        assert (patched["status"]["hard"], patched["spec"]["hard"]) == (other, hard)
        read = await plane.client.call(ApiRequest("get", QUOTAS, "default", "q", subresource="status"))
        assert (read.object["status"]["hard"], read.object["spec"]["hard"]) == (other, hard)
        again = {"spec": {"hard": other}, "status": {"hard": hard}}
        patched = await plane.client.patch(QUOTAS, "q", again, "default", subresource="status")
        assert (patched["status"]["hard"], patched["spec"]["hard"]) == (hard, hard)


async def scoped(plane: ControlPlane, scope: str, hard: Object) -> None:
    await quota(plane, f"quota-{scope.lower()}", hard=hard, scopes=[scope])


async def test_best_effort_scope() -> None:
    """[sig-api-machinery] ResourceQuota should verify ResourceQuota with best effort scope. [Conformance]"""
    async with control_plane(*CONTROLLERS) as plane:
        for scope in ("BestEffort", "NotBestEffort"):
            await scoped(plane, scope, {"pods": "5"})
        besteffort, other = "quota-besteffort", "quota-notbesteffort"
        requests, limits = {"cpu": "500m", "memory": "200Mi"}, {"cpu": "1", "memory": "500Mi"}
        for made, here, there in ((pod("test"), besteffort, other), (pod("test", requests, limits), other, besteffort)):
            await plane.client.create(PODS, made, "default")
            await counted(plane, here, pods="1")
            await counted(plane, there, pods="0")
            await plane.client.delete(PODS, "test", "default", grace_period_seconds=0)
            await counted(plane, here, pods="0")


async def test_terminating_scopes() -> None:
    """[sig-api-machinery] ResourceQuota should verify ResourceQuota with terminating scopes. [Conformance]"""
    async with control_plane(*CONTROLLERS) as plane:
        hard = {"pods": "5", "requests.cpu": "1", "requests.memory": "500Mi", "limits.cpu": "2", "limits.memory": "1Gi"}
        for scope in ("Terminating", "NotTerminating"):
            await scoped(plane, scope, hard)
        requests, limits = {"cpu": "500m", "memory": "200Mi"}, {"cpu": "1", "memory": "400Mi"}
        taken = {"pods": "1", "requests__cpu": "500m", "requests__memory": "200Mi", "limits__cpu": "1", "limits__memory": "400Mi"}
        nothing = dict.fromkeys(taken, "0")
        ending, lasting = "quota-terminating", "quota-notterminating"
        for more, here, there in (({}, lasting, ending), ({"activeDeadlineSeconds": 3600}, ending, lasting)):
            await plane.client.create(PODS, pod("test", requests, limits, **more), "default")
            await counted(plane, here, **taken)
            await counted(plane, there, **nothing)
            await plane.client.delete(PODS, "test", "default", grace_period_seconds=0)
            await counted(plane, here, **nothing)
