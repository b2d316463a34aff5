"""[sig-network] HostPort: pods that share a port of their node and differ in its address or protocol, each reached."""

from __future__ import annotations

import pytest

from kctl.apimachinery import objects
from tests.conformance.execution import execute
from tests.conformance.suite import PODS, Suite, container, suite
from tests.conformance.traffic import ready_pod

pytestmark = pytest.mark.virtual_time
PORT = 54323


async def mapped(e2e: Suite, name: str, node: str, host: str, protocol: str) -> None:
    ports = [{"hostPort": PORT, "containerPort": 8080, "protocol": protocol, "hostIP": host}]
    probe = {"httpGet": {"path": "/hostname", "port": 8080, "scheme": "HTTP"}}
    served = container("agnhost", args=["netexec", "--http-port=8080", "--udp-port=8080"], ports=ports, readinessProbe=probe)
    await ready_pod(e2e, name, served, nodeName=node)


async def test_one_port_of_a_node() -> None:
    """[sig-network] HostPort validates that there is no conflict between pods with same hostPort but different hostIP and protocol
    [LinuxOnly] [Conformance]"""
    async with suite(1) as e2e:
        (node,) = await e2e.items("/api/v1/nodes")
        name = objects.name(node)
        host = next(each["address"] for each in node["status"]["addresses"] if each["type"] == "InternalIP")
        await mapped(e2e, "pod1", name, "127.0.0.1", "TCP")
        await mapped(e2e, "pod2", name, host, "TCP")
        await mapped(e2e, "pod3", name, host, "UDP")
        await ready_pod(e2e, "e2e-host-exec", container("e2e-host-exec"), hostNetwork=True, nodeName=name)
        scripts = [
            f"curl -g --connect-timeout 5 --interface {host} http://127.0.0.1:{PORT}/hostname",
            f"curl -g --connect-timeout 5 http://{host}:{PORT}/hostname",
            f"nc -vuz -w 5 {host} {PORT}",
        ]
        done = [await execute(e2e, f"{PODS}/e2e-host-exec", ["/bin/sh", "-c", script], "e2e-host-exec") for script in scripts]
        assert [each.code for each in done] == [0, 0, 0], done
        assert [each.output for each in done[:2]] == ["pod1", "pod2"]
