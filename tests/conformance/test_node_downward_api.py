"""The official conformance tests of variables that the downward API fills."""

from __future__ import annotations

from typing import Any

import pytest

from kctl.apimachinery.objects import Object
from tests.conformance.running import busybox, matches, once
from tests.conformance.suite import NAMESPACE, suite

pytestmark = pytest.mark.virtual_time
RESOURCES = {"requests": {"cpu": "250m", "memory": "32Mi"}, "limits": {"cpu": "1250m", "memory": "64Mi"}}
ADDRESS = r"([0-9]{1,3}\.){3}[0-9]{1,3}"


def fields(**paths: str) -> list[Object]:
    return [{"name": name, "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": path}}} for name, path in paths.items()]


def amounts(**resources: str) -> list[Object]:
    return [{"name": name, "valueFrom": {"resourceFieldRef": {"resource": resource}}} for name, resource in resources.items()]


def dapi(env: list[Object], **more: Any) -> Object:
    return once("downward-api", busybox("dapi-container", "sh", "-c", "env", env=env, **more))


CASES: dict[str, tuple[list[Object], list[str]]] = {
    "name, namespace, address": (
        fields(POD_NAME="metadata.name", POD_NAMESPACE="metadata.namespace", POD_IP="status.podIP"),
        ["POD_NAME=downward-api", f"POD_NAMESPACE={NAMESPACE}", f"POD_IP={ADDRESS}"],
    ),
    "host": (fields(HOST_IP="status.hostIP"), [f"HOST_IP={ADDRESS}"]),
    "hosts": (fields(HOST_IPS="status.hostIPs"), [f"HOST_IPS={ADDRESS}"]),
    "uid": (fields(POD_UID="metadata.uid"), ["POD_UID=[a-z0-9]{8}-[a-z0-9]{4}-[a-z0-9]{4}-[a-z0-9]{4}-[a-z0-9]{12}"]),
    "limits and requests": (
        amounts(CPU_LIMIT="limits.cpu", MEMORY_LIMIT="limits.memory", CPU_REQUEST="requests.cpu", MEMORY_REQUEST="requests.memory"),
        ["CPU_LIMIT=2", "MEMORY_LIMIT=67108864", "CPU_REQUEST=1", "MEMORY_REQUEST=33554432"],
    ),
}


@pytest.mark.parametrize(("env", "patterns"), CASES.values(), ids=CASES)
async def test_what_a_pod_is_shows_in_variables(env: list[Object], patterns: list[str]) -> None:
    """[sig-node] Downward API should provide pod name, namespace and IP address as env vars [NodeConformance] [Conformance]
    [sig-node] Downward API should provide host IP as an env var [NodeConformance] [Conformance]
    [sig-node] Downward API should provide hostIPs as an env var [NodeConformance] [Conformance]
    [sig-node] Downward API should provide pod UID as env vars [NodeConformance] [Conformance]
    [sig-node] Downward API should provide container's limits.cpu/memory and requests.cpu/memory as env vars [NodeConformance] [Conformance]
    """
    async with suite(1) as e2e:
        await matches(e2e, dapi(env, resources=RESOURCES), *(f"(?m)^{pattern}$" for pattern in patterns))


async def test_limits_of_a_container_without_are_those_of_its_node() -> None:
    """[sig-node] Downward API should provide default limits.cpu/memory from node allocatable [NodeConformance] [Conformance]"""
    async with suite(1) as e2e:
        env = amounts(CPU_LIMIT="limits.cpu", MEMORY_LIMIT="limits.memory")
        await matches(e2e, dapi(env), "CPU_LIMIT=[1-9]", "MEMORY_LIMIT=[1-9]")
