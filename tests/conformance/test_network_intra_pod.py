"""[sig-network] Networking Granular Checks: every pod is reached from another pod, and from the network of a node."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

import pytest

from kctl.apimachinery import objects
from kctl.apimachinery.objects import Object
from tests.conformance.execution import execute
from tests.conformance.suite import PODS, Suite, container, suite
from tests.conformance.traffic import address_of, ready_pod

pytestmark = pytest.mark.virtual_time
HTTP_PORT, UDP_PORT, ASKING_PORT = 8083, 8081, 9080


@pytest.fixture
async def e2e() -> AsyncIterator[Suite]:
    async with suite(3) as made:
        yield made


async def servers(e2e: Suite) -> list[Object]:
    """One on each node, which says its name."""
    action = {"httpGet": {"path": "/healthz", "port": HTTP_PORT}}
    probe = {"initialDelaySeconds": 10, "timeoutSeconds": 30, "periodSeconds": 10, "successThreshold": 1, "failureThreshold": 3, **action}
    ports = [{"name": "http", "containerPort": HTTP_PORT}, {"name": "udp", "containerPort": UDP_PORT, "protocol": "UDP"}]
    args = ["netexec", f"--http-port={HTTP_PORT}", f"--udp-port={UDP_PORT}"]
    served = container("webserver", args=args, ports=ports, livenessProbe=probe, readinessProbe=probe)
    return [
        await ready_pod(e2e, f"netserver-{number}", served, nodeSelector={"kubernetes.io/hostname": objects.name(node)})
        for number, node in enumerate(await e2e.items("/api/v1/nodes"))
    ]


async def shell(e2e: Suite, pod: str, script: str) -> str:
    done = await execute(e2e, f"{PODS}/{pod}", ["/bin/sh", "-c", script])
    assert (done.code, done.error) == (0, ""), done
    return done.output


@pytest.mark.parametrize(("protocol", "port"), [("http", HTTP_PORT), ("udp", UDP_PORT)])
async def test_pods_from_a_pod(e2e: Suite, protocol: str, port: int) -> None:
    """[sig-network] Networking Granular Checks: Pods should function for intra-pod communication: http [NodeConformance] [Conformance]
    [sig-network] Networking Granular Checks: Pods should function for intra-pod communication: udp [NodeConformance] [Conformance]"""
    reached = await servers(e2e)
    asking = await ready_pod(e2e, "test-container-pod", container("webserver", args=["netexec", f"--http-port={ASKING_PORT}"]))
    for pod in reached:
        wanted = f"request=hostname&protocol={protocol}&host={address_of(pod)}&port={port}&tries=1"
        url = f"http://{address_of(asking)}:{ASKING_PORT}/dial?{wanted}"
        answer = json.loads(await shell(e2e, "test-container-pod", f"curl -g -q -s '{url}'"))
        assert answer == {"responses": [objects.name(pod)]}


@pytest.mark.parametrize("protocol", ["http", "udp"])
async def test_pods_from_a_node(e2e: Suite, protocol: str) -> None:
    """[sig-network] Networking Granular Checks: Pods should function for node-pod communication: http [LinuxOnly] [NodeConformance] [Conformance]
    [sig-network] Networking Granular Checks: Pods should function for node-pod communication: udp [LinuxOnly] [NodeConformance] [Conformance]
    """  # noqa: E501
    reached = await servers(e2e)
    await ready_pod(e2e, "host-test-container-pod", container("agnhost-container", args=["pause"]), hostNetwork=True)
    for pod in reached:
        command = f"curl -g -q -s --max-time 15 --connect-timeout 1 http://{address_of(pod)}:{HTTP_PORT}/hostName"
        if protocol == "udp":
            command = f"echo hostName | nc -w 1 -u {address_of(pod)} {UDP_PORT}"
        answer = await shell(e2e, "host-test-container-pod", rf"{command} | grep -v '^\s*$'")
        assert answer.strip() == objects.name(pod)
