"""The official conformance tests of Services that send traffic: every connection is made by a program in a pod."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.conformance.suite import NAMESPACE, PODS, Suite, container, suite
from tests.conformance.traffic import (
    SERVICES,
    address_of,
    asking_pod,
    create_service,
    has_endpoints,
    reaches,
    ready_pod,
    replicas,
    serves,
    service_pods,
    shell,
)

pytestmark = pytest.mark.virtual_time
HTTP = {"name": "http", "port": 80, "targetPort": 9376, "protocol": "TCP"}
SLICES = f"/apis/discovery.k8s.io/v1/namespaces/{NAMESPACE}/endpointslices"


@pytest.fixture
async def e2e() -> AsyncIterator[Suite]:
    async with suite(2) as made:
        yield made


def netexec(port: int, *ports: dict[str, Any]) -> dict[str, Any]:
    return container("agnhost-container", args=["netexec", f"--http-port={port}"], ports=list(ports) or [{"containerPort": port}])


async def test_a_basic_endpoint(e2e: Suite) -> None:
    """[sig-network] Services should serve a basic endpoint from pods [Conformance]"""
    name, labels = "endpoint-test2", {"testid": "endpoint-test2"}
    await create_service(e2e, name, labels, [{"port": 80, "targetPort": 80}])
    await has_endpoints(e2e, name, {})
    await ready_pod(e2e, "pod1", netexec(80), labels=labels)
    await has_endpoints(e2e, name, {"pod1": [80]})
    asking = await asking_pod(e2e)
    await serves(e2e, name, asking)
    await ready_pod(e2e, "pod2", netexec(80), labels=labels)
    await has_endpoints(e2e, name, {"pod1": [80], "pod2": [80]})
    await serves(e2e, name, asking)
    await e2e.delete(f"{PODS}/pod1")
    await has_endpoints(e2e, name, {"pod2": [80]})
    await serves(e2e, name, asking)
    await e2e.delete(f"{PODS}/pod2")
    await has_endpoints(e2e, name, {})


async def test_several_ports(e2e: Suite) -> None:
    """[sig-network] Services should serve multiport endpoints from pods [Conformance]"""
    name, labels = "multi-endpoint-test", {"testid": "multi-endpoint-test"}
    ports = [{"name": "portname1", "port": 80, "targetPort": "svc1"}, {"name": "portname2", "port": 81, "targetPort": "svc2"}]
    await create_service(e2e, name, labels, ports)
    await has_endpoints(e2e, name, {})
    await ready_pod(e2e, "pod1", netexec(100, {"name": "svc1", "containerPort": 100}), labels=labels)
    await has_endpoints(e2e, name, {"pod1": [100]})
    await ready_pod(e2e, "pod2", netexec(101, {"name": "svc2", "containerPort": 101}), labels=labels)
    await has_endpoints(e2e, name, {"pod1": [100], "pod2": [101]})
    await serves(e2e, name, await asking_pod(e2e))
    await e2e.delete(f"{PODS}/pod1")
    await has_endpoints(e2e, name, {"pod2": [101]})
    await e2e.delete(f"{PODS}/pod2")
    await has_endpoints(e2e, name, {})


async def test_one_port_and_two_protocols(e2e: Suite) -> None:
    """[sig-network] Services should serve endpoints on same port and different protocols [Conformance]"""
    name, labels = "multiprotocol-test", {"testid": "multiprotocol-test"}
    tcp, udp = ({"name": each.lower(), "port": 80, "targetPort": 80, "protocol": each} for each in ("TCP", "UDP"))
    service = await create_service(e2e, name, labels, [tcp, udp])
    await has_endpoints(e2e, name, {})
    both = container("agnhost-container", args=["netexec", "--http-port=80", "--udp-port=80"])
    await ready_pod(e2e, "pod1", both, labels=labels)
    await has_endpoints(e2e, name, {"pod1": [80]})
    address, asking = service["spec"]["clusterIP"], await asking_pod(e2e)

    async def answers() -> tuple[bool, bool]:
        return await reaches(e2e, asking, address, 80, "TCP", 3), await reaches(e2e, asking, address, 80, "UDP", 3)

    assert await answers() == (True, True)
    await e2e.update_until(f"{SERVICES}/{name}", lambda obj: {**obj, "spec": {**obj["spec"], "ports": [tcp]}})
    assert await answers() == (True, False)
    await e2e.update_until(f"{SERVICES}/{name}", lambda obj: {**obj, "spec": {**obj["spec"], "ports": [udp]}})
    assert await answers() == (False, True)
    await e2e.delete(f"{PODS}/pod1")
    await has_endpoints(e2e, name, {})


async def test_a_node_port(e2e: Suite) -> None:
    """[sig-network] Services should be able to create a functioning NodePort service [Conformance]"""
    await create_service(e2e, "nodeport-test", {"testid": "nodeport-test"}, [HTTP], type="NodePort")
    await service_pods(e2e, "nodeport-test")
    await serves(e2e, "nodeport-test", await asking_pod(e2e))


@pytest.mark.parametrize("kind", ["ClusterIP", "NodePort"])
async def test_from_an_external_name(e2e: Suite, kind: str) -> None:
    """[sig-network] Services should be able to change the type from ExternalName to ClusterIP [Conformance]
    [sig-network] Services should be able to change the type from ExternalName to NodePort [Conformance]"""
    name = "externalname-service"
    spec = {"type": "ExternalName", "externalName": "foo.example.com", "selector": {"testid": name}}
    made = await e2e.create(SERVICES, {"metadata": {"name": name}, "spec": spec})
    assert not made["spec"].get("clusterIP")

    def changed(obj: dict[str, Any]) -> dict[str, Any]:
        rest = {key: value for key, value in obj["spec"].items() if key != "externalName"}
        return {**obj, "spec": {**rest, "type": kind, "ports": [HTTP]}}

    changed_service = await e2e.update_until(f"{SERVICES}/{name}", changed)
    assert changed_service["spec"]["clusterIP"]
    assert bool(changed_service["spec"]["ports"][0].get("nodePort")) is (kind == "NodePort")
    await service_pods(e2e, name)
    await serves(e2e, name, await asking_pod(e2e))


@pytest.mark.parametrize("kind", ["ClusterIP", "NodePort"])
async def test_to_an_external_name(e2e: Suite, kind: str) -> None:
    """[sig-network] Services should be able to change the type from ClusterIP to ExternalName [Conformance]
    [sig-network] Services should be able to change the type from NodePort to ExternalName [Conformance]"""
    name = "service-to-change"
    await create_service(e2e, name, {"testid": name}, [HTTP], type=kind)
    await create_service(e2e, "externalsvc", {"testid": "externalsvc"}, [HTTP])
    await service_pods(e2e, "externalsvc")
    target = f"externalsvc.{NAMESPACE}.svc.cluster.local"

    def changed(obj: dict[str, Any]) -> dict[str, Any]:
        return {**obj, "spec": {**obj["spec"], "type": "ExternalName", "externalName": target}}

    service = await e2e.update_until(f"{SERVICES}/{name}", changed)
    assert not service["spec"].get("clusterIP")
    assert not any(port.get("nodePort") for port in service["spec"].get("ports") or ())
    await serves(e2e, name, await asking_pod(e2e))


async def answering(e2e: Suite, asking: str, host: str, port: int) -> set[str]:
    """The host names that answer 16 requests."""
    script = f"for i in $(seq 0 15); do echo; curl -q -s --connect-timeout 2 http://{host}:{port}/ ; done"
    done = await shell(e2e, asking, script)
    assert done.code == 0, done
    names = done.output.split()
    assert len(names) == 16, done
    return set(names)


async def sticky_service(e2e: Suite, kind: str) -> tuple[str, str, str, int]:
    """With three pods that tell their names: (its name, the asking pod, where to ask it: host, port)"""
    name = "affinity-nodeport" if kind == "NodePort" else "affinity-clusterip"
    port = {"port": 80, "targetPort": 9376, "protocol": "TCP"}
    service = await create_service(e2e, name, {"name": name}, [port], type=kind, sessionAffinity="ClientIP")
    await replicas(e2e, name, 3, ["/agnhost", "serve-hostname"], {"name": name})
    asking = await asking_pod(e2e, "execpod-affinity")
    await serves(e2e, name, asking)
    if kind == "ClusterIP":
        return name, asking, service["spec"]["clusterIP"], 80
    node = (await e2e.items("/api/v1/nodes"))[0]
    address = next(each["address"] for each in node["status"]["addresses"] if each["type"] == "InternalIP")
    return name, asking, address, service["spec"]["ports"][0]["nodePort"]


@pytest.mark.parametrize("kind", ["ClusterIP", "NodePort"])
async def test_session_affinity(e2e: Suite, kind: str) -> None:
    """[sig-network] Services should have session affinity work for service with type clusterIP [LinuxOnly] [Conformance]
    [sig-network] Services should have session affinity work for NodePort service [LinuxOnly] [Conformance]"""
    _, asking, host, port = await sticky_service(e2e, kind)
    assert len(await answering(e2e, asking, host, port)) == 1


@pytest.mark.parametrize("kind", ["ClusterIP", "NodePort"])
async def test_session_affinity_is_switched(e2e: Suite, kind: str) -> None:
    """[sig-network] Services should be able to switch session affinity for service with type clusterIP [LinuxOnly] [Conformance]
    [sig-network] Services should be able to switch session affinity for NodePort service [LinuxOnly] [Conformance]"""
    name, asking, host, port = await sticky_service(e2e, kind)
    await e2e.patch(f"{SERVICES}/{name}", {"spec": {"sessionAffinity": "None"}})
    assert len(await answering(e2e, asking, host, port)) > 1
    await e2e.patch(f"{SERVICES}/{name}", {"spec": {"sessionAffinity": "ClientIP"}})
    assert len(await answering(e2e, asking, host, port)) == 1


async def custom_slice(e2e: Suite, address: str, name: str, port: int) -> None:
    """Of the service example-custom-endpoints, by hand."""
    labels = {"kubernetes.io/service-name": "example-custom-endpoints", "endpointslice.kubernetes.io/managed-by": f"e2e-test{NAMESPACE}"}
    endpoints = [{"addresses": [address], "conditions": {"ready": True}}]
    body = {"addressType": "IPv4", "endpoints": endpoints, "ports": [{"name": name, "port": port, "protocol": "TCP"}]}
    await e2e.create(SLICES, {"metadata": {"generateName": "e2e-custom-slice", "labels": labels}, **body})


async def custom_service(e2e: Suite) -> str:
    """Without a selector; its address."""
    ports = [{"name": f"port{port}", "port": port, "protocol": "TCP"} for port in (80, 81)]
    return str((await create_service(e2e, "example-custom-endpoints", None, ports))["spec"]["clusterIP"])


async def host_name_at(e2e: Suite, asking: str, host: str, port: int) -> str:
    done = await shell(e2e, asking, f"curl -q -s --connect-timeout 2 {host}:{port}/hostname")
    assert done.code == 0, done
    return done.output


def http_only(port: int) -> dict[str, Any]:
    words = ["netexec", "--http-port", str(port), "--udp-port", "-1"]
    return container(f"container-handle-{port}-request", args=words, ports=[{"containerPort": port}])


async def test_ports_of_several_slices(e2e: Suite) -> None:
    """[sig-network] EndpointSlice should support a Service with multiple ports specified in multiple EndpointSlices [Conformance]"""
    address = await custom_service(e2e)
    server = await ready_pod(e2e, "pod-handle-http-request", http_only(8090), http_only(9090))
    await custom_slice(e2e, address_of(server), "port80", 8090)
    await custom_slice(e2e, address_of(server), "port81", 9090)
    asking = await asking_pod(e2e, "pause-pod-0")
    for port in (80, 81):
        assert await host_name_at(e2e, asking, address, port) == "pod-handle-http-request"


async def test_addresses_of_several_slices(e2e: Suite) -> None:
    """[sig-network] EndpointSlice should support a Service with multiple endpoint IPs specified in multiple EndpointSlices [Conformance]"""
    address = await custom_service(e2e)
    servers = [await ready_pod(e2e, f"pod{number}-handle-http-request", http_only(8090)) for number in (1, 2)]
    for server, name in zip(servers, ("port80", "port81"), strict=True):
        await custom_slice(e2e, address_of(server), name, 8090)
    asking = await asking_pod(e2e, "pause-pod-0")
    for number, port in ((1, 80), (2, 81)):
        assert await host_name_at(e2e, asking, address, port) == f"pod{number}-handle-http-request"
