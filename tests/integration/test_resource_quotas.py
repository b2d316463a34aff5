"""ResourceQuotas on the real API server: what is used follows what is there, as recorded."""

from __future__ import annotations

from typing import Any

import pytest

from kctl.apimachinery import objects, quota_usage
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import CONFIG_MAPS, DEPLOYMENTS, PODS, SERVICES, built_in
from tests.integration.control_plane import ControlPlane, control_plane, deployment

QUOTAS = built_in("v1", "ResourceQuota")
CONTROLLERS = ("deployment-controller", "replicaset-controller", "resourcequota-controller", "garbage-collector-controller")
HARD = {
    "pods": "10",
    "requests.cpu": "2",
    "requests.memory": "1Gi",
    "limits.cpu": "5",
    "services": "5",
    "services.nodeports": "1",
    "configmaps": "9",
    "count/deployments.apps": "4",
    "persistentvolumeclaims": "1",
    "requests.storage": "1Gi",
}


async def quota(plane: ControlPlane, name: str, **spec: Any) -> None:
    body = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": name}, "spec": spec}
    await plane.client.create(QUOTAS, body, "default")
    await plane.settle(1)


async def used(plane: ControlPlane, name: str = "q") -> Object:
    status = objects.status(await plane.get(QUOTAS, name))
    assert status["hard"] == objects.spec(await plane.get(QUOTAS, name))["hard"]
    return dict(status["used"])


async def test_usage_is_added_up_and_follows() -> None:
    async with control_plane(*CONTROLLERS) as plane:
        web = deployment(replicas=2)
        resources = {"requests": {"cpu": "50m", "memory": "5Mi"}, "limits": {"cpu": "500m"}}
        web["spec"]["template"]["spec"]["containers"][0]["resources"] = resources
        await plane.client.create(DEPLOYMENTS, web, "default")
        await plane.client.create(PODS, pod("be"), "default")
        await plane.settle(2)
        await quota(plane, "q", hard=HARD)
        await quota(plane, "be", hard={"pods": "3"}, scopes=["BestEffort"])
        service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "n"}, "spec": {"type": "NodePort", "ports": [{"port": 80}]}}
        await plane.client.create(SERVICES, service, "default")
        await plane.client.create(CONFIG_MAPS, {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}}, "default")
        await plane.settle(1)
        found = await used(plane)
        assert found == {
            "configmaps": "1",
            "count/deployments.apps": "1",
            "limits.cpu": "1",
            "persistentvolumeclaims": "0",
            "pods": "3",
            "requests.cpu": "100m",
            "requests.memory": "10Mi",
            "requests.storage": "0",
            "services": str(len(await plane.items(SERVICES))),
            "services.nodeports": "1",
        }
        assert await used(plane, "be") == {"pods": "1"}
        await plane.client.delete(DEPLOYMENTS, "web", "default", propagation_policy="Background")
        await plane.settle(2)
        found = await used(plane)
        assert (found["pods"], found["requests.cpu"], found["limits.cpu"], found["count/deployments.apps"]) == ("1", "0", "0", "0")
        ended = await plane.get(PODS, "be")
        await plane.client.update_status(PODS, objects.with_status(ended, phase="Succeeded"))
        await plane.settle(1)
        assert (await used(plane))["pods"] == "0"
        await plane.merge(QUOTAS, "q", {"spec": {"hard": {"count/pods": "5"}}})
        await plane.settle(1)
        assert (await used(plane))["count/pods"] == "1"


def pod(name: str = "p", **spec: Any) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"containers": [{"name": "c", "image": "i"}], **spec},
    }


def container(name: str, cpu: str, **more: Any) -> Object:
    return {"name": name, "image": "i", "resources": {"requests": {"cpu": cpu}}, **more}


@pytest.mark.parametrize(
    ("spec", "cpu"),
    [
        ({"containers": [container("a", "100m"), container("b", "1")]}, "1100m"),
        ({"containers": [container("a", "100m")], "initContainers": [container("i", "2")]}, "2"),
        ({"containers": [container("a", "1")], "initContainers": [container("s", "500m", restartPolicy="Always")]}, "1500m"),
        ({"containers": [container("a", "1")], "overhead": {"cpu": "10m"}}, "1010m"),
        ({"containers": [container("a", "1")], "resources": {"requests": {"cpu": "3"}}}, "3"),
    ],
    ids=["sum", "greedy-init", "sidecar", "overhead", "pod-level"],
)
def test_what_a_pod_requests(spec: Object, cpu: str) -> None:
    assert quota_usage.totals(spec, "requests") == {"cpu": cpu}


@pytest.mark.parametrize(
    ("scope", "spec", "inside"),
    [
        ({"scopes": ["Terminating"]}, {"activeDeadlineSeconds": 5}, True),
        ({"scopes": ["NotTerminating"]}, {"activeDeadlineSeconds": 5}, False),
        ({"scopes": ["BestEffort"]}, {}, True),
        ({"scopes": ["NotBestEffort"]}, {}, False),
        ({"scopeSelector": {"matchExpressions": [{"scopeName": "PriorityClass", "operator": "In", "values": ["a"]}]}}, {}, False),
        (
            {"scopeSelector": {"matchExpressions": [{"scopeName": "PriorityClass", "operator": "In", "values": ["a"]}]}},
            {"priorityClassName": "a"},
            True,
        ),
        ({"scopeSelector": {"matchExpressions": [{"scopeName": "PriorityClass", "operator": "Exists"}]}}, {"priorityClassName": "b"}, True),
    ],
)
def test_scopes(scope: Object, spec: Object, inside: bool) -> None:
    assert quota_usage.in_scope({"spec": scope}, "pods", pod(**spec)) is inside


@pytest.mark.parametrize(
    ("name", "resource"),
    [
        ("cpu", "pods"),
        ("requests.nvidia.com/gpu", "pods"),
        ("hugepages-2Mi", "pods"),
        ("gold.storageclass.storage.k8s.io/requests.storage", "persistentvolumeclaims"),
        ("count/widgets.example.com", "widgets.example.com"),
        ("services.loadbalancers", "services"),
        ("nothing", ""),
    ],
)
def test_what_a_name_counts(name: str, resource: str) -> None:
    assert quota_usage.resource_of(name) == resource


async def test_a_workload_that_does_not_fit_gets_what_there_is_and_goes_on_when_there_is_more() -> None:
    async with control_plane(*CONTROLLERS) as plane:
        await quota(plane, "q", hard={"pods": "3"})
        await plane.client.create(DEPLOYMENTS, deployment(replicas=5), "default")
        await plane.settle(2)
        assert len(await plane.items(PODS)) == 3
        assert await used(plane) == {"pods": "3"}
        conditions = {entry["type"]: entry for entry in objects.status(await plane.get(DEPLOYMENTS, "web"))["conditions"]}
        failure = conditions["ReplicaFailure"]
        assert (failure["status"], failure["reason"]) == ("True", "FailedCreate")
        assert failure["message"].endswith("is forbidden: exceeded quota: q, requested: pods=1, used: pods=3, limited: pods=3")
        await plane.merge(QUOTAS, "q", {"spec": {"hard": {"pods": "5"}}})
        await plane.settle(60)
        assert len(await plane.items(PODS)) == 5
        assert await used(plane) == {"pods": "5"}
        await plane.client.delete(DEPLOYMENTS, "web", "default", propagation_policy="Background")
        await plane.settle(2)
        assert await used(plane) == {"pods": "0"}


async def test_many_pods_at_once_never_get_more_than_the_quota() -> None:
    async with control_plane(*CONTROLLERS) as plane:
        await quota(plane, "q", hard={"pods": "60", "requests.cpu": "100"})
        for name in "abc":
            made = deployment(name, replicas=40)
            made["spec"]["template"]["spec"]["containers"][0]["resources"] = {"requests": {"cpu": "10m"}}
            await plane.client.create(DEPLOYMENTS, made, "default")
        for _ in range(20):
            await plane.settle(1)
            assert len(await plane.items(PODS)) <= 60
        assert len(await plane.items(PODS)) == 60
        assert await used(plane) == {"pods": "60", "requests.cpu": "600m"}
