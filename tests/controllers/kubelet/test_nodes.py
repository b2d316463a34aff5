"""Registration, heartbeats and what happens to a Node object."""

from __future__ import annotations

import pytest

from controllers.kubelet.node_config import NodeConfig
from kctl.apimachinery import objects, times
from kctl.apimachinery.resources import LEASES, NODES, PODS
from tests.controllers.kubelet.cluster import Cluster, pod


async def test_node_reports_itself(cluster: Cluster) -> None:
    node = await cluster.node()
    status = objects.status(node)
    assert [(entry["type"], entry["status"], entry["reason"]) for entry in status["conditions"]] == [
        ("MemoryPressure", "False", "KubeletHasSufficientMemory"),
        ("DiskPressure", "False", "KubeletHasNoDiskPressure"),
        ("PIDPressure", "False", "KubeletHasSufficientPID"),
        ("Ready", "True", "KubeletReady"),
    ]
    assert status["capacity"] == {
        "cpu": "4",
        "memory": "16Gi",
        "pods": "110",
        "ephemeral-storage": "100Gi",
        "hugepages-1Gi": "0",
        "hugepages-2Mi": "0",
    }
    assert status["allocatable"]["memory"] == "16284Mi"
    assert status["nodeInfo"]["containerRuntimeVersion"].startswith("kctl-sim://")
    assert status["daemonEndpoints"] == {"kubeletEndpoint": {"Port": 10250}}
    assert objects.labels(node)["kubernetes.io/hostname"] == "n1"
    reasons = [reason for reason, _ in await cluster.events("n1")]
    assert reasons[0] == "Starting" and reasons[-1] == "NodeReady"


async def test_heartbeats(cluster: Cluster) -> None:
    first = await cluster.client.get(LEASES, "n1", "kube-node-lease")
    assert first["spec"]["holderIdentity"] == "n1" and first["spec"]["leaseDurationSeconds"] == 40
    assert objects.owner_references(first)[0]["kind"] == "Node"
    before = objects.resource_version(await cluster.node())
    await cluster.step(25)
    later = await cluster.client.get(LEASES, "n1", "kube-node-lease")
    passed = times.parse(later["spec"]["renewTime"]) - times.parse(first["spec"]["renewTime"])
    assert passed.total_seconds() == 20
    assert objects.resource_version(await cluster.node()) == before
    await cluster.step(300)
    ready = objects.condition(await cluster.node(), "Ready")
    assert ready is not None
    assert ready["lastHeartbeatTime"] == "2026-01-01T00:05:00Z" and ready["lastTransitionTime"] == "2026-01-01T00:00:00Z"


async def test_kubelet_says_ready_again_when_told_otherwise(cluster: Cluster) -> None:
    node = await cluster.node()
    entries = [{**entry, "status": "Unknown"} if entry["type"] == "Ready" else entry for entry in node["status"]["conditions"]]
    await cluster.client.update_status(NODES, objects.with_status(node, conditions=entries))
    await cluster.step(11)
    assert objects.is_condition_true(await cluster.node(), "Ready")


async def test_stopped_kubelet_does_nothing_until_it_is_back(cluster: Cluster) -> None:
    node = await cluster.node()
    await cluster.client.update(
        NODES, objects.with_metadata(node, annotations={**objects.annotations(node), "kctl.dev/kubelet": "stopped"})
    )
    await cluster.settle()
    await cluster.create(pod())
    await cluster.step(25)
    lease = await cluster.client.get(LEASES, "n1", "kube-node-lease")
    assert lease["spec"]["renewTime"].startswith("2026-01-01T00:00:00")
    assert objects.status(await cluster.pod()).get("phase") == "Pending"
    node = await cluster.node()
    kept = {key: value for key, value in objects.annotations(node).items() if key != "kctl.dev/kubelet"}
    await cluster.client.update(NODES, objects.with_metadata(node, annotations=kept))
    await cluster.settle()
    assert objects.status(await cluster.pod())["phase"] == "Running"


async def test_node_created_as_an_object_gets_a_kubelet(cluster: Cluster) -> None:
    meta = {"name": "extra", "annotations": {"kctl.dev/simulated": "true"}, "labels": {"a": "b"}}
    given = {"capacity": {"cpu": "8", "example.com/gpu": "2"}}
    await cluster.client.create(NODES, {"apiVersion": "v1", "kind": "Node", "metadata": meta, "status": given})
    await cluster.settle()
    node = await cluster.node("extra")
    assert objects.is_condition_true(node, "Ready")
    assert objects.labels(node)["a"] == "b" and objects.labels(node)["kubernetes.io/os"] == "linux"
    assert node["status"]["allocatable"]["cpu"] == "8" and node["status"]["allocatable"]["example.com/gpu"] == "2"
    await cluster.create(pod(nodeName="extra", hostNetwork=True))
    assert objects.status(await cluster.pod())["phase"] == "Running"


async def test_pod_waits_for_the_pod_cidr() -> None:
    cluster = Cluster()
    await cluster.start([NodeConfig("n1")])
    try:
        await cluster.create(pod())
        assert objects.status(await cluster.pod())["phase"] == "Pending"
        node = await cluster.node()
        await cluster.client.update(NODES, {**node, "spec": {"podCIDR": "10.1.2.0/24", "podCIDRs": ["10.1.2.0/24"]}})
        await cluster.settle()
        assert objects.status(await cluster.pod())["podIP"] == "10.1.2.2"
    finally:
        await cluster.stop()


@pytest.mark.parametrize("control_plane", [True, False])
async def test_roles_and_taints(control_plane: bool) -> None:
    cluster = Cluster()
    taint = {"key": "example.com/k", "value": "v", "effect": "NoSchedule"}
    await cluster.start([NodeConfig("n1", control_plane=control_plane, taints=[taint])])
    try:
        node = await cluster.node()
        assert ("node-role.kubernetes.io/control-plane" in objects.labels(node)) is control_plane
        assert taint in node["spec"]["taints"]
    finally:
        await cluster.stop()


async def test_addresses_are_unique_even_where_the_range_is_too_small() -> None:
    cluster = Cluster()
    await cluster.start([NodeConfig(f"n{number}", pod_cidr=f"10.244.{number}.0/29") for number in range(1, 4)])
    try:
        names = [f"p{number}" for number in range(30)]
        for number, name in enumerate(names):
            await cluster.client.create(PODS, pod(name, nodeName=f"n{number % 3 + 1}"))
        await cluster.settle()
        given = [objects.status(await cluster.pod(name))["podIP"] for name in names]
        assert len(set(given)) == 30
        assert sum(address.startswith("10.244.") for address in given) == 15
        await cluster.delete("p0")
        await cluster.step(1)
        await cluster.create(pod("again"))
        assert objects.status(await cluster.pod("again"))["podIP"] == given[0]
    finally:
        await cluster.stop()
