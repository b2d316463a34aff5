"""The official conformance tests of probes: what they ask in and of containers that run, and what a kubelet makes of the answers."""

from __future__ import annotations

from typing import Any

import pytest

from kctl.apimachinery import objects, times
from kctl.apimachinery.objects import Object
from tests.conformance.running import AGNHOST, agnhost, busybox
from tests.conformance.suite import PODS, Suite, container, is_ready, pod, suite

pytestmark = pytest.mark.virtual_time
OBSERVED_SECONDS = 240.0


def restarts(made: Object) -> int:
    return sum(each["restartCount"] for each in made["status"].get("containerStatuses") or ())


async def observe(e2e: Suite, made: Object, expected: int, seconds: float = OBSERVED_SECONDS) -> None:
    """It is restarted so often in that time; the count never falls."""
    path = f"{PODS}/{objects.name(made)}"
    await e2e.create(PODS, made)
    await e2e.until(
        path, lambda each: "waiting" not in (each["status"].get("containerStatuses") or [{"state": {"waiting": 1}}])[0]["state"]
    )
    last = first = restarts(await e2e.get(path))
    for _ in range(int(seconds / 2)):
        await e2e.settle(2)
        now = restarts(await e2e.get(path))
        assert now >= last
        last = now
        if expected and last - first >= expected:
            break
    assert last - first == expected, await e2e.get(path)


def web_server(**probes: Any) -> Object:
    return pod("test-webserver", containers=[agnhost("test-webserver", "test-webserver", ports=[{"containerPort": 80}], **probes)])


async def test_ready_after_the_initial_delay() -> None:
    """[sig-node] Probing container with readiness probe should not be ready before initial delay and never restart [NodeConformance] [Conformance]"""  # noqa: E501
    async with suite(1) as e2e:
        await e2e.create(PODS, web_server(readinessProbe={"httpGet": {"path": "/", "port": 80}, "initialDelaySeconds": 15}))
        made = await e2e.until(f"{PODS}/test-webserver", is_ready)
        ready = (objects.condition(made, "Ready") or {})["lastTransitionTime"]
        started = made["status"]["containerStatuses"][0]["state"]["running"]["startedAt"]
        assert (times.parse(ready) - times.parse(started)).total_seconds() >= 15
        assert restarts(made) == 0


async def test_a_readiness_probe_that_fails() -> None:
    """[sig-node] Probing container with readiness probe that fails should never be ready and never restart [NodeConformance] [Conformance]"""  # noqa: E501
    async with suite(1) as e2e:
        await e2e.create(PODS, web_server(readinessProbe={"httpGet": {"path": "/", "port": 81}}))
        for _ in range(60):
            await e2e.settle(1)
            made = await e2e.get(f"{PODS}/test-webserver")
            assert not is_ready(made)
        assert made["status"]["phase"] == "Running" and restarts(made) == 0


HEALTH = {"exec": {"command": ["cat", "/tmp/health"]}, "initialDelaySeconds": 15, "timeoutSeconds": 5, "failureThreshold": 1}
LIVENESS = {"initialDelaySeconds": 15, "failureThreshold": 1}


def shell(script: str) -> Object:
    return busybox("busybox", "/bin/sh", "-c", script, livenessProbe=HEALTH)


def liveness(**probe: Any) -> Object:
    return agnhost("agnhost-container", "liveness", livenessProbe={**LIVENESS, **probe})


def grpc(port: int, **settings: Any) -> Object:
    probe = {"grpc": {"port": port}, "timeoutSeconds": 5, "failureThreshold": 1, **settings}
    ports = [{"containerPort": 5000}, {"containerPort": 8080}]
    return container("agnhost", AGNHOST, command=["/agnhost", "grpc-health-checking"], ports=ports, livenessProbe=probe)


HEALTHZ = {"httpGet": {"path": "/healthz", "port": 8080}}
LENIENT = {"httpGet": {"path": "/", "port": 80}, "initialDelaySeconds": 15, "timeoutSeconds": 5, "failureThreshold": 5}
CASES: dict[str, tuple[Object, int]] = {
    "exec fails": (shell("echo ok >/tmp/health; sleep 10; rm -rf /tmp/health; sleep 600"), 1),
    "exec": (shell("echo ok >/tmp/health; sleep 600"), 0),
    "http fails": (liveness(**HEALTHZ), 1),
    "tcp": (liveness(tcpSocket={"port": 8080}), 0),
    "http": (agnhost("test-webserver", "test-webserver", ports=[{"containerPort": 80}], livenessProbe=LENIENT), 0),
    "grpc": (grpc(5000, initialDelaySeconds=15), 0),
    "grpc fails": (grpc(2333, initialDelaySeconds=60), 1),
}


@pytest.mark.parametrize(("made", "expected"), CASES.values(), ids=CASES)
async def test_liveness_probes(made: Object, expected: int) -> None:
    """[sig-node] Probing container should be restarted with a exec "cat /tmp/health" liveness probe [NodeConformance] [Conformance]
    [sig-node] Probing container should *not* be restarted with a exec "cat /tmp/health" liveness probe [NodeConformance] [Conformance]
    [sig-node] Probing container should be restarted with a /healthz http liveness probe [NodeConformance] [Conformance]
    [sig-node] Probing container should *not* be restarted with a tcp:8080 liveness probe [NodeConformance] [Conformance]
    [sig-node] Probing container should *not* be restarted with a /healthz http liveness probe [NodeConformance] [Conformance]
    [sig-node] Probing container should *not* be restarted with a GRPC liveness probe [NodeConformance] [Conformance]
    [sig-node] Probing container should be restarted with a GRPC liveness probe [NodeConformance] [Conformance]
    """
    async with suite(1) as e2e:
        await observe(e2e, pod("liveness", {"test": "liveness"}, containers=[made]), expected)


async def test_restarts_are_counted() -> None:
    """[sig-node] Probing container should have monotonically increasing restart count [NodeConformance] [Conformance]"""
    async with suite(1) as e2e:
        made = liveness(**HEALTHZ, initialDelaySeconds=5)
        await observe(e2e, pod("liveness", {"test": "liveness"}, containers=[made]), 5, 120 + OBSERVED_SECONDS + 480)
