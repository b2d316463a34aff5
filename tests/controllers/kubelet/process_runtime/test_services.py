"""Services and processes: by variables and names, across to simulated pods and back; what pods use; isolation is told."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from controllers.kubelet.process_runtime import service_names
from kctl.apimachinery import objects
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import ENDPOINT_SLICES, NODES, SERVICES
from kctl.apimachinery.status import Invalid
from kctl.apimachinery.user import service_account
from tests.controllers.kubelet.process_runtime.cluster import ProcessCluster, container, process_cluster

pytestmark = [pytest.mark.real_time, pytest.mark.process]
SERVER = "cd /tmp; hostname > index.html; exec python3 -m http.server 8080 --bind $IP"
IP = {"name": "IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}
READY = {"httpGet": {"path": "/", "port": 8080}, "periodSeconds": 1, "failureThreshold": 60}


async def service(cluster: ProcessCluster, address: str, name: str = "web", **spec: object) -> Object:
    """With that one endpoint, as its controller would write it."""
    made = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "namespace": "default"}}
    body = {"ports": [{"port": 18090, "targetPort": 8080}], **spec}
    found = await cluster.client.create(SERVICES, {**made, "spec": body})
    writer = cluster.plane.client(service_account("kube-system", "endpointslice-controller"))
    await writer.create(
        ENDPOINT_SLICES,
        {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": {"name": f"{name}-1", "namespace": "default", "labels": {"kubernetes.io/service-name": name}},
            "addressType": "IPv4",
            "endpoints": [{"addresses": [address], "conditions": {"ready": True}}],
            "ports": [{"name": "", "port": 8080, "protocol": "TCP"}],
        },
    )
    return found


async def test_a_service_of_processes(tmp_path: Path) -> None:
    async with process_cluster(tmp_path) as cluster:
        await cluster.create(container(SERVER, env=[IP], readinessProbe=READY), name="server", hostname="served")
        address = objects.status(await cluster.running("server"))["podIP"]
        made = await service(cluster, address)
        script = "for url in web web.default.svc.cluster.local $WEB_SERVICE_HOST; do curl -sS http://$url:$WEB_SERVICE_PORT/; done"
        await cluster.create(container(script), name="client")
        await cluster.ended("client")
        assert await cluster.logs(name="client") == "served\n" * 3
        cluster_ip = objects.spec(made)["clusterIP"]
        await cluster.create(container(f"wget -q -O - http://{cluster_ip}:18090/"), name="simulated", runtimeClassName="simulated")
        await cluster.ended("simulated")
        assert await cluster.logs(name="simulated") == "served\n"


async def test_a_service_of_simulated_pods(tmp_path: Path) -> None:
    async with process_cluster(tmp_path) as cluster:
        server = {"name": "c", "image": "registry.k8s.io/e2e-test-images/agnhost:2.53", "args": ["netexec", "--http-port=8080"]}
        await cluster.create(server, name="server", runtimeClassName="simulated")
        address = objects.status(await cluster.running("server"))["podIP"]
        await service(cluster, address)
        await cluster.create(container("curl -sS http://web:18090/hostname"), name="client")
        await cluster.ended("client")
        assert await cluster.logs(name="client") == "server"


async def test_services_that_come_later_are_found(tmp_path: Path) -> None:
    async with process_cluster(tmp_path) as cluster:
        await cluster.create(container(SERVER, env=[IP], readinessProbe=READY), name="server", hostname="served")
        await cluster.create(container("until curl -sf http://web:18090/; do sleep 0.1; done"), name="client")
        address = objects.status(await cluster.running("server"))["podIP"]
        await service(cluster, address)
        await cluster.ended("client")
        assert await cluster.logs(name="client") == "served\n"


async def test_only_controllers_write_endpoints_on_the_loopback(tmp_path: Path) -> None:
    async with process_cluster(tmp_path) as cluster:
        found = {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": {"name": "e", "namespace": "default"},
            "addressType": "IPv4",
            "endpoints": [{"addresses": ["127.5.5.5"]}],
        }
        with pytest.raises(Invalid, match="may not be in the loopback range"):
            await cluster.client.create(ENDPOINT_SLICES, found)
        writer = cluster.plane.client(service_account("kube-system", "endpointslice-controller"))
        with pytest.raises(Invalid, match="may not be in the loopback range"):
            await writer.create(ENDPOINT_SLICES, {**found, "endpoints": [{"addresses": ["127.0.0.1"]}]})


async def test_usage_is_measured(tmp_path: Path) -> None:
    async with process_cluster(tmp_path) as cluster:
        await cluster.create(container("echo ready; x=$(head -c 30000000 /dev/zero | tr '\\0' x); while :; do :; done"))
        await cluster.logged("ready")
        busy = 0
        for _ in range(200):
            found = cluster.kubelet.usage(await cluster.pod())
            busy = found.containers[0].cpu_nanocores if found is not None else 0
            if busy > 10_000_000 and found.containers[0].memory_bytes > 20_000_000:
                break
            await asyncio.sleep(0.1)
        assert busy > 10_000_000


async def test_the_node_says_what_isolation_there_is(tmp_path: Path) -> None:
    async with process_cluster(tmp_path, isolation="none") as cluster:
        await cluster.create(container("true"))
        await cluster.ended()
        for _ in range(200):
            labels = objects.labels(await cluster.client.get(NODES, "n1"))
            if "kctl.dev/process-isolation" in labels:
                break
            await asyncio.sleep(0.05)
        assert labels["kctl.dev/process-isolation"] == "none"


def test_names_of_services() -> None:
    def made(name: str, namespace: str, **spec: object) -> Object:
        return {"metadata": {"name": name, "namespace": namespace, "uid": name}, "spec": spec}

    services = [
        made("web", "shop", clusterIP="10.96.0.5", ports=[]),
        made("db", "data", clusterIP="None", ports=[]),
        made("far", "shop", type="ExternalName", externalName="example.com"),
    ]
    slices = [
        {
            "metadata": {"name": "db-1", "namespace": "data", "labels": {"kubernetes.io/service-name": "db"}},
            "endpoints": [
                {"addresses": ["127.1.2.3"], "hostname": "db-0", "conditions": {"ready": True}},
                {"addresses": ["127.1.2.4"], "hostname": "db-1", "conditions": {"ready": False}},
            ],
        }
    ]
    assert service_names.hosts_lines(services, slices, "shop", lambda service: "127.9.9.9").splitlines() == [
        "",
        "# Services of the cluster.",
        "127.1.2.3\tdb-0.db.data db-0.db.data.svc db-0.db.data.svc.cluster.local db.data db.data.svc db.data.svc.cluster.local",
        "127.9.9.9\tweb web.shop web.shop.svc web.shop.svc.cluster.local",
    ]
