"""Services and processes: by variables and names, across to simulated pods and back; what pods use; isolation is told."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path
from typing import Any, cast

import pytest

from controllers.kubelet.commands.work import Turns
from controllers.kubelet.files.tree import Directory
from controllers.kubelet.process_runtime import service_names
from controllers.kubelet.process_runtime.listeners import listening
from controllers.kubelet.sandbox import PodSandbox
from kctl.apimachinery import objects
from kctl.apimachinery.clock import FakeClock
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import ENDPOINT_SLICES, NODES, SERVICES, built_in
from kctl.apimachinery.status import Forbidden, Invalid
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


async def test_a_port_that_is_taken(tmp_path: Path) -> None:
    with socket.create_server(("0.0.0.0", 0)) as taken:
        port = taken.getsockname()[1]
        async with process_cluster(tmp_path) as cluster:
            await cluster.create(container("true", ports=[{"containerPort": port}]))
            await cluster.ended()
            told = dict(await cluster.events())
    assert told["PortInUse"].startswith(f"Something listens at port {port} of this machine already")


async def test_host_ports(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    async with process_cluster(tmp_path) as cluster:
        ports = [{"containerPort": 8080, "hostPort": port}]
        await cluster.create(container(SERVER, env=[IP], readinessProbe=READY, ports=ports), name="server", hostname="served")
        await cluster.running("server")
        await cluster.create(container(f"until curl -sf http://127.0.0.1:{port}/; do sleep 0.1; done"), name="client")
        await cluster.ended("client")
        assert await cluster.logs(name="client") == "served\n"


def test_listeners_as_the_kernel_lists_them() -> None:
    lines = [
        "   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1 1 0 100 0 0 10 0",
        "   1: 00000000000000000000000000000000:0050 00000000000000000000000000000000:0000 0A 0:0 00:0 0 0 0 1",
        "   2: 0100007F:1F91 0100007F:0050 01 00000000:00000000 00:00000000 00000000     0        0 1 1 0 100 0 0 10 0",
    ]
    assert listening(lines) == {("127.0.0.1", 8080), ("0.0.0.0", 80)}


class TokenSources:
    """As much of a kubelet as tokens need: `asked` has the seconds of each that was asked for."""

    lookup = staticmethod(lambda kind, key: None)
    networks = None

    def __init__(self) -> None:
        self.asked: list[int] = []

    def client(self, node: str) -> TokenSources:
        return self

    async def create_subresource(self, resource: object, name: str, namespace: str, subresource: str, request: Object) -> Object:
        self.asked.append(request["spec"]["expirationSeconds"])
        return {"status": {"token": f"token {len(self.asked)}"}}

    def node_address(self, node: str) -> str:
        return "10.0.0.2"


class TokenPod:
    pod = {
        "metadata": {"name": "p", "namespace": "default", "uid": "u"},
        "spec": {
            "nodeName": "n1",
            "volumes": [{"name": "t", "projected": {"sources": [{"serviceAccountToken": {"path": "t", "expirationSeconds": 3600}}]}}],
        },
    }
    ip = "127.1.1.1"


async def test_tokens_are_renewed() -> None:
    sources, clock = TokenSources(), FakeClock()
    sandbox = PodSandbox(cast(Any, TokenPod()), cast(Any, sources), lambda name: Directory(), clock, Turns(clock))
    await sandbox.fetch_tokens()
    await sandbox.fetch_tokens()
    assert sources.asked == [3600] and not sandbox.tokens_are_old()
    clock.advance(3600 * 0.8)
    assert sandbox.tokens_are_old()
    await sandbox.fetch_tokens()
    assert sources.asked == [3600, 3600] and not sandbox.tokens_are_old()


def claims_of_names(folder: Path) -> str:
    """Where cluster DNS of that cluster answers."""
    return service_names.address_of(str(folder), {"metadata": {"uid": "kube-dns"}})


async def test_cluster_dns_as_pods_see_it(tmp_path: Path) -> None:
    script = """
        cat /etc/resolv.conf
        getent ahostsv4 db.default | awk '{print $1, $3}' | head -1
        getent hosts db-0.db.default.svc.cluster.local db-1.db | awk '{print $1}'
        getent hosts $WEB_SERVICE_HOST | awk '{print $2}'; grep -c web /etc/hosts"""
    async with process_cluster(tmp_path) as cluster:
        web = await service(cluster, "127.66.1.1")
        await service(cluster, "127.66.1.2", "db", clusterIP="None", ports=[{"port": 80}])
        writer = cluster.plane.client(service_account("kube-system", "endpointslice-controller"))
        found = await cluster.client.get(ENDPOINT_SLICES, "db-1", "default")
        await writer.update(ENDPOINT_SLICES, {**found, "endpoints": [{"addresses": ["127.66.1.2"], "hostname": "db-0"}]})
        config = {"searches": ["example.test"], "options": [{"name": "ndots", "value": "3"}]}
        await cluster.create(container(script), dnsConfig=config)
        await cluster.ended()
        lines = (await cluster.logs()).splitlines()
        dns = claims_of_names(tmp_path)
        named = await cluster.client.get(SERVICES, "kube-dns", "kube-system")
        slices = await cluster.client.get(ENDPOINT_SLICES, "kube-dns", "kube-system")
    assert lines[0].startswith("search default.svc.cluster.local svc.cluster.local cluster.local") and lines[0].endswith(" example.test")
    assert lines[1] == f"nameserver {dns}" and "ndots:3" in lines[2]
    assert lines[3:] == ["127.66.1.2 db.default.svc.cluster.local", "127.66.1.2", "web.default.svc.cluster.local", "0"]
    assert objects.spec(named)["clusterIP"] == "10.96.0.10" and objects.labels(named)["k8s-app"] == "kube-dns"
    assert slices["endpoints"][0]["addresses"] == [dns] and objects.uid(web)


async def test_without_a_port_for_cluster_dns(tmp_path: Path) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind((claims_of_names(tmp_path), 53))
        async with process_cluster(tmp_path) as cluster:
            await service(cluster, "127.66.1.1")
            await cluster.create(container("grep -c web.default /etc/hosts; cmp -s /etc/resolv.conf $KCTL_TEST/x; echo $?"))
            await cluster.ended()
            assert (await cluster.logs()).startswith("1\n")
            told = dict(await cluster.events("n1"))
    assert "address already in use" in told["MissingClusterDNS"]


async def test_policies_that_nothing_enforces_are_told(tmp_path: Path) -> None:
    async with process_cluster(tmp_path) as cluster:
        for name, labels in (("closed", {}), ("others", {"app": "other"})):
            spec = {"podSelector": {"matchLabels": labels}, "policyTypes": ["Ingress", "Egress"]}
            made = {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": name, "namespace": "default"}}
            await cluster.client.create(built_in("networking.k8s.io/v1", "NetworkPolicy"), {**made, "spec": spec})
        await cluster.create(container("true"))
        await cluster.ended()
        recorder = cluster.kubelet._processes.running._recorder
        await recorder.sink.flush()
        told = [text for reason, text in await cluster.events() if reason == "NetworkPolicyNotEnforced"]
    assert len(told) == 1 and told[0].startswith('NetworkPolicy "closed" selects this pod and is not enforced')
    assert "its ingress and egress is as open" in told[0]


async def test_a_cluster_without_processes(tmp_path: Path) -> None:
    async with process_cluster(tmp_path, default="simulated-only") as cluster:
        with pytest.raises(Forbidden, match='pod rejected: RuntimeClass "process" not found'):
            await cluster.create(container("true"), runtimeClassName="process")
        await cluster.create(container("true"), runtimeClassName="simulated")
        await cluster.ended()
        assert cluster.kubelet._processes is None
