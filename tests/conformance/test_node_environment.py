"""The official conformance tests of variables from ConfigMaps, Secrets and Services, and of what an image runs of itself."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from kctl.apimachinery.objects import Object
from tests.conformance.running import agnhost, busybox, log, once, phase_is, writes
from tests.conformance.suite import CORE, PODS, Suite, container, is_ready, pod, suite

pytestmark = pytest.mark.virtual_time
DATA = {f"data-{number}": f"value-{number}" for number in (1, 2, 3)}
EVERY = [f"{key}={value}" for key, value in DATA.items()]


async def config_map(e2e: Suite) -> Object:
    """What envFrom says of it."""
    await e2e.create(f"{CORE}/configmaps", {"metadata": {"name": "configmap-test"}, "data": DATA})
    return {"configMapRef": {"name": "configmap-test"}}


async def secret(e2e: Suite) -> Object:
    data = {key: base64.b64encode(f"{value}\n".encode()).decode() for key, value in DATA.items()}
    await e2e.create(f"{CORE}/secrets", {"metadata": {"name": "secret-test"}, "data": data})
    return {"secretRef": {"name": "secret-test"}}


def env_of(**sources: Any) -> Object:
    return once("p", busybox("env-test", "sh", "-c", "env", **sources))


@pytest.mark.parametrize(("make", "kind"), [(config_map, "configMap"), (secret, "secret")], ids=["config-map", "secret"])
async def test_a_variable_has_a_value_of_a_key(make: Any, kind: str) -> None:
    """[sig-node] ConfigMap should be consumable via environment variable [NodeConformance] [Conformance]
    [sig-node] Secrets should be consumable from pods in env vars [NodeConformance] [Conformance]
    """
    async with suite(1) as e2e:
        reference = {**(await make(e2e))[f"{kind}Ref"], "key": "data-1"}
        made = env_of(env=[{"name": "CONFIG_DATA_1", "valueFrom": {f"{kind}KeyRef": reference}}])
        await writes(e2e, made, "CONFIG_DATA_1=value-1")


@pytest.mark.parametrize("make", [config_map, secret], ids=["config-map", "secret"])
async def test_all_keys_are_variables(make: Any) -> None:
    """[sig-node] ConfigMap should be consumable via the environment [NodeConformance] [Conformance]
    [sig-node] Secrets should be consumable via the environment [NodeConformance] [Conformance]
    """
    async with suite(1) as e2e:
        source = await make(e2e)
        made = env_of(envFrom=[source, {"prefix": "p-", **source}])
        await writes(e2e, made, *EVERY, *(f"p-{each}" for each in EVERY))


PREFIXES = ["p-", "1-", "$_", "#", "a b!", "{.:"]
"""Digits, letters and signs of every sort, but no `=`."""


@pytest.mark.parametrize("make", [config_map, secret], ids=["config-map", "secret"])
async def test_names_of_variables_have_any_prefix(make: Any) -> None:
    """[sig-node] ConfigMap should be consumable as environment variable names with various prefixes [Conformance]
    [sig-node] Secrets should be consumable as environment variable names variable names with various prefixes [Conformance]
    """
    async with suite(1) as e2e:
        source = await make(e2e)
        made = env_of(envFrom=[{"prefix": prefix, **source} for prefix in PREFIXES])
        await writes(e2e, made, *(f"{prefix}{each}" for prefix in PREFIXES for each in EVERY))
        made["spec"]["containers"][0]["envFrom"] = [{"prefix": "a=", **source}]
        await e2e.refused("POST", PODS, made, status=422)


async def test_services_have_variables() -> None:
    """[sig-node] Pods should contain environment variables for services [NodeConformance] [Conformance]"""
    async with suite(1) as e2e:
        server = container("srv", "registry.k8s.io/e2e-test-images/agnhost:2.59", args=["serve-hostname"], ports=[{"containerPort": 9376}])
        await e2e.create(PODS, pod("server-envvars", {"name": "server-envvars"}, containers=[server]))
        await e2e.until(f"{PODS}/server-envvars", is_ready)
        spec = {"ports": [{"port": 8765, "targetPort": 8080}], "selector": {"name": "server-envvars"}}
        await e2e.create(f"{CORE}/services", {"metadata": {"name": "fooservice", "labels": {"name": "fooservice"}}, "spec": spec})
        await e2e.settle(1)
        expected = ["SERVICE_HOST=", "SERVICE_PORT=", "PORT=", "PORT_8765_TCP_PORT=", "PORT_8765_TCP_PROTO=", "PORT_8765_TCP="]
        expected += ["PORT_8765_TCP_ADDR="]
        made = once("client-envvars", busybox("env3cont", "sh", "-c", "env"))
        await writes(e2e, made, *(f"FOOSERVICE_{each}" for each in expected))


async def test_an_image_runs_its_own_entry_point() -> None:
    """[sig-node] Containers should use the image defaults if command and args are blank [NodeConformance] [Conformance]"""
    async with suite(1) as e2e:
        await e2e.create(PODS, once("client-containers", agnhost(), terminationGracePeriodSeconds=1))
        await e2e.until(f"{PODS}/client-containers", phase_is("Running"))
        assert "Paused" in await log(e2e, "client-containers", "agnhost-container")


OVERRIDDEN = {
    "arguments": ((), ("override", "arguments"), "[/agnhost entrypoint-tester override arguments]"),
    "command": (("/agnhost-2",), (), "[/agnhost-2 entrypoint-tester]"),
    "both": (("/agnhost-2",), ("override", "arguments"), "[/agnhost-2 entrypoint-tester override arguments]"),
}


@pytest.mark.parametrize(("command", "arguments", "written"), OVERRIDDEN.values(), ids=OVERRIDDEN)
async def test_what_an_image_runs_is_overridden(command: tuple[str, ...], arguments: tuple[str, ...], written: str) -> None:
    """[sig-node] Containers should be able to override the image's default arguments (container cmd) [NodeConformance] [Conformance]
    [sig-node] Containers should be able to override the image's default command (container entrypoint) [NodeConformance] [Conformance]
    [sig-node] Containers should be able to override the image's default command and arguments [NodeConformance] [Conformance]
    """
    given = {"command": list(command)} if command else {}
    async with suite(1) as e2e:
        made = agnhost("agnhost-container", "entrypoint-tester", *arguments, **given)
        await writes(e2e, once("client-containers", made, terminationGracePeriodSeconds=1), written)
