"""The official conformance tests of what a container writes: read as a log, over HTTP and over WebSockets."""

from __future__ import annotations

from datetime import timedelta

import pytest

from kctl.apimachinery import times
from tests.conformance.running import agnhost, busybox, log, messages, once, output, phase_is
from tests.conformance.suite import PODS, is_ready, pod, suite

pytestmark = pytest.mark.virtual_time


async def test_output_is_logged() -> None:
    """[sig-node] Kubelet when scheduling a busybox command in a pod should print the output to logs [NodeConformance] [Conformance]"""
    async with suite(1) as e2e:
        await e2e.create(PODS, once("busybox-scheduling", busybox("c", "sh", "-c", "echo 'Hello World' ; sleep 240")))
        await e2e.until(f"{PODS}/busybox-scheduling", phase_is("Running"))
        hour_ago = times.rfc3339(e2e.cluster.clock.now() - timedelta(hours=1))
        assert await log(e2e, "busybox-scheduling", sinceTime=hour_ago) == "Hello World\n"


async def test_a_root_that_is_read_only() -> None:
    """[sig-node] Kubelet when scheduling a read only busybox container should not write to root filesystem [LinuxOnly] [NodeConformance] [Conformance]"""  # noqa: E501
    async with suite(1) as e2e:
        made = busybox("c", "/bin/sh", "-c", "echo test > /file; sleep 240", securityContext={"readOnlyRootFilesystem": True})
        await e2e.create(PODS, once("busybox-readonly-fs", made))
        await e2e.until(f"{PODS}/busybox-readonly-fs", phase_is("Running"))
        assert await log(e2e, "busybox-readonly-fs") == "/bin/sh: can't create /file: Read-only file system\n"


async def test_host_aliases() -> None:
    """[sig-node] Kubelet when scheduling an agnhost Pod with hostAliases should write entries to /etc/hosts [NodeConformance] [Conformance]"""  # noqa: E501
    async with suite(1) as e2e:
        aliases = [{"ip": "123.45.67.89", "hostnames": ["foo", "bar"]}]
        written = await output(e2e, once("agnhost-host-aliases", agnhost("c", "etc-hosts"), hostAliases=aliases))
        assert "123.45.67.89\tfoo\tbar" in written


@pytest.mark.parametrize("protocol", ["binary.k8s.io", "base64.binary.k8s.io"])
async def test_a_log_comes_over_websockets(protocol: str) -> None:
    """[sig-node] Pods should support retrieving logs from the container over websockets [NodeConformance] [Conformance]"""
    async with suite(1) as e2e:
        script = "echo container is alive; sleep 10000"
        await e2e.create(PODS, pod("pod-logs-websocket", containers=[busybox("main", "/bin/sh", "-c", script)]))
        await e2e.until(f"{PODS}/pod-logs-websocket", is_ready)
        await e2e.settle(1)
        sent = await messages(e2e, f"{PODS}/pod-logs-websocket/log?container=main", protocol)
        shown = b"".join(each for each in sent if each.strip())
        assert shown == (b"container is alive\n" if protocol == "binary.k8s.io" else b"Y29udGFpbmVyIGlzIGFsaXZlCg==")
