"""Mirror pods show the state of the components that run in the daemon."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime

from controllers.kubelet.node_config import NodeConfig, StaticPod, StaticPodState
from kctl.apimachinery import objects
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import PODS
from tests.controllers.kubelet.cluster import Cluster

MANIFEST: Object = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "kube-scheduler", "namespace": "kube-system", "labels": {"component": "kube-scheduler"}},
    "spec": {"containers": [{"name": "kube-scheduler", "image": "registry.k8s.io/kube-scheduler:v1.37.1"}]},
}
SINCE = datetime(2025, 12, 31, 23, 59, tzinfo=UTC)


class Component:
    def __init__(self) -> None:
        self.state = StaticPodState(True, SINCE)

    async def logs(self, options: Mapping[str, str]) -> AsyncIterator[bytes]:
        yield b"I0101 scheduling\n"

    def pod(self) -> StaticPod:
        return StaticPod(MANIFEST, lambda: self.state, self.logs)


async def mirror(cluster: Cluster) -> Object:
    return await cluster.client.get(PODS, "kube-scheduler-n1", "kube-system")


async def test_mirror_pod() -> None:
    cluster, component = Cluster(), Component()
    await cluster.start([NodeConfig("n1", control_plane=True, static_pods=[component.pod()])])
    try:
        pod = await mirror(cluster)
        node = await cluster.node()
        notes = objects.annotations(pod)
        assert notes["kubernetes.io/config.source"] == "file"
        assert notes["kubernetes.io/config.mirror"] == notes["kubernetes.io/config.hash"]
        assert objects.owner_references(pod)[0]["uid"] == objects.uid(node)
        assert pod["spec"]["priorityClassName"] == "system-node-critical" and pod["spec"]["hostNetwork"] is True
        status = objects.status(pod)
        assert status["phase"] == "Running" and objects.is_condition_true(pod, "Ready")
        assert status["podIP"] == node["status"]["addresses"][0]["address"]
        assert status["containerStatuses"][0]["state"] == {"running": {"startedAt": "2025-12-31T23:59:00Z"}}
        assert cluster.fleet is not None
        stream = await cluster.fleet.logs("n1", "kube-system", "kube-scheduler-n1", "kube-scheduler", {})
        assert [chunk async for chunk in stream] == [b"I0101 scheduling\n"]

        component.state = StaticPodState(False, SINCE, 2, "CrashLoopBackOff", "back-off")
        await cluster.step(11)
        pod = await mirror(cluster)
        only = objects.status(pod)["containerStatuses"][0]
        assert only["restartCount"] == 2 and only["state"]["waiting"]["reason"] == "CrashLoopBackOff"
        assert not objects.is_condition_true(pod, "Ready")
    finally:
        await cluster.stop()


async def test_deleted_mirror_comes_back() -> None:
    cluster = Cluster()
    await cluster.start([NodeConfig("n1", static_pods=[Component().pod()])])
    try:
        first = await mirror(cluster)
        await cluster.client.delete(PODS, "kube-scheduler-n1", "kube-system")
        await cluster.settle()
        second = await mirror(cluster)
        assert objects.uid(second) != objects.uid(first)
        assert objects.status(second)["phase"] == "Running"
    finally:
        await cluster.stop()
