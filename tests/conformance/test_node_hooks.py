"""The official conformance tests of hooks: a server in another pod sees what postStart and preStop ask for."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import quote

import pytest

from kctl.apimachinery.objects import Object
from kctl.apimachinery.user import ADMIN
from tests.conformance.running import AGNHOST, agnhost, busybox, log, phase_is
from tests.conformance.suite import PODS, Suite, container, is_ready, pod, suite

pytestmark = pytest.mark.virtual_time
PAUSE = "registry.k8s.io/pause:3.10"
HANDLER = "pod-handle-http-request"


async def handler(e2e: Suite) -> tuple[str, str]:
    """Address and node of the pod that handles the hooks' requests."""
    await e2e.create(PODS, pod(HANDLER, containers=[agnhost("container-handle-http-request", "netexec")]))
    made = await e2e.until(f"{PODS}/{HANDLER}", is_ready)
    return made["status"]["podIP"], made["spec"]["nodeName"]


async def was_asked(e2e: Suite, hook: str, seconds: int) -> bool:
    for _ in range(seconds):
        if re.search(rf"GET /echo\?msg={hook}", await log(e2e, HANDLER)):
            return True
        await e2e.settle(1)
    return False


async def run(e2e: Suite, made: Object, node: str) -> None:
    """With a sidecar that passes on what comes to the pod's own address."""
    startup = {"httpGet": {"scheme": "HTTP", "path": "/echo?msg=startup", "port": 8080}}
    sidecar = agnhost("container-redirect", "netexec", "--udp-port", "-1", restartPolicy="Always", startupProbe=startup)
    term = {"matchFields": [{"key": "metadata.name", "operator": "In", "values": [node]}]}
    affinity = {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [term]}}}
    await e2e.create(PODS, pod("pod-with-hook", initContainers=[sidecar], containers=[made], affinity=affinity))
    await e2e.until(f"{PODS}/pod-with-hook", is_ready)
    if "postStart" in made["lifecycle"]:
        assert await was_asked(e2e, "poststart", 120)
    await e2e.delete(f"{PODS}/pod-with-hook", gracePeriodSeconds=15)
    await e2e.gone(f"{PODS}/pod-with-hook")
    if "preStop" in made["lifecycle"]:
        assert await was_asked(e2e, "prestop", 30)


@pytest.mark.parametrize("hook", ["postStart", "preStop"])
async def test_hooks_that_run_a_command(hook: str) -> None:
    """[sig-node] Container Lifecycle Hook when create a pod with lifecycle hook should execute poststart exec hook properly [NodeConformance] [Conformance]
    [sig-node] Container Lifecycle Hook when create a pod with lifecycle hook should execute prestop exec hook properly [NodeConformance] [Conformance]
    """  # noqa: E501
    async with suite(2) as e2e:
        address, node = await handler(e2e)
        command = ["sh", "-c", f"curl http://{address}:8080/echo?msg={hook.lower()}"]
        await run(e2e, container("c", AGNHOST, lifecycle={hook: {"exec": {"command": command}}}), node)


@pytest.mark.parametrize("hook", ["postStart", "preStop"])
async def test_hooks_that_ask_over_http(hook: str) -> None:
    """[sig-node] Container Lifecycle Hook when create a pod with lifecycle hook should execute poststart http hook properly [NodeConformance] [Conformance]
    [sig-node] Container Lifecycle Hook when create a pod with lifecycle hook should execute prestop http hook properly [NodeConformance] [Conformance]
    """  # noqa: E501
    async with suite(2) as e2e:
        address, node = await handler(e2e)
        asked: Any = {"path": f"/dial?host={address}&port=8080&request={quote(f'echo?msg={hook.lower()}')}", "port": 8080}
        await run(e2e, container("c", PAUSE, lifecycle={hook: {"httpGet": asked}}), node)


async def test_a_server_is_told_of_the_end() -> None:
    """[sig-node] PreStop should call prestop when killing a pod [Conformance]"""
    async with suite(2) as e2e:
        await e2e.create(PODS, pod("server", containers=[agnhost("agnhost-container", "nettest", ports=[{"containerPort": 8080}])]))
        made = await e2e.until(f"{PODS}/server", phase_is("Running"))
        url = f"http://{made['status']['podIP']}:8080/write"
        command = ["wget", "-O-", '--post-data={"Source": "prestop"}', url]
        tester = busybox("tester", "sleep", "600", lifecycle={"preStop": {"exec": {"command": command}}})
        await e2e.create(PODS, pod("tester", containers=[tester]))
        await e2e.until(f"{PODS}/tester", phase_is("Running"))
        await e2e.delete(f"{PODS}/tester")

        async def received() -> int:
            answer = await e2e.server.handle_raw("GET", f"{PODS}/server/proxy/read", {}, None, {}, ADMIN)
            found = re.search(rb'"prestop": *(\d+)', answer.body)
            return int(found.group(1)) if answer.status == 200 and found else 0

        for _ in range(60):
            if await received():
                break
            await e2e.settle(1)
        assert await received()
