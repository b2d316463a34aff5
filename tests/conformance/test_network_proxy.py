"""sig-network: pods/proxy and services/proxy (test/e2e/network/proxy.go), to programs in simulated pods."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any

import orjson
import pytest

from kctl.apimachinery import objects
from kctl.apimachinery.user import ADMIN
from kctl.client.transport import RawResponse
from tests.conformance.suite import CORE, PODS, Suite, suite

pytestmark = pytest.mark.virtual_time
AGNHOST = "registry.k8s.io/e2e-test-images/agnhost:2.55"
EVERY_VERB = ("DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT")


@pytest.fixture
async def e2e() -> AsyncIterator[Suite]:
    async with suite() as made:
        yield made


async def _ask(e2e: Suite, method: str, path: str) -> RawResponse:
    return await e2e.server.handle_raw(method, path, {}, None, {}, ADMIN)


async def _with_echo(e2e: Suite, service: str, labels: dict[str, str]) -> None:
    container = {
        "name": "agnhost",
        "image": AGNHOST,
        "command": ["/agnhost", "porter", "--json-response"],
        "env": [{"name": "SERVE_PORT_80", "value": "foo"}],
    }
    pod: Any = {"metadata": {"name": "agnhost", "labels": labels}, "spec": {"containers": [container], "restartPolicy": "Never"}}
    await e2e.create(PODS, pod)
    await e2e.until(f"{PODS}/agnhost", lambda pod: objects.status(pod).get("phase") == "Running")
    ports = [{"port": 80, "targetPort": 80, "protocol": "TCP"}]
    await e2e.create(f"{CORE}/services", {"metadata": {"name": service, "labels": labels}, "spec": {"ports": ports, "selector": labels}})
    await e2e.until(f"{CORE}/endpoints/{service}", lambda found: (found.get("subsets") or [{}])[0].get("addresses"))


async def _answers(e2e: Suite, root: str, path: str, verbs: Sequence[str]) -> None:
    """The echo says the method, whatever the path; HEAD says nothing."""
    for verb in verbs:
        answer = await _ask(e2e, verb, f"{root}/proxy{path}{verb}")
        assert answer.status == 200, answer
        if verb != "HEAD":
            assert orjson.loads(answer.body) == {"Method": verb, "Body": "foo"}


async def test_with_path(e2e: Suite) -> None:
    """[sig-network] Proxy version v1 A set of valid responses are returned for both pod and service ProxyWithPath [Conformance]"""
    await _with_echo(e2e, "test-service", {"test": "response"})
    await _answers(e2e, f"{PODS}/agnhost", "/some/path/with/", EVERY_VERB)
    await _answers(e2e, f"{CORE}/services/test-service", "/some/path/with/", EVERY_VERB)


async def test_without_path(e2e: Suite) -> None:
    """[sig-network] Proxy version v1 A set of valid responses are returned for both pod and service Proxy [Conformance]"""
    await _with_echo(e2e, "e2e-proxy-test-service", {"e2e-test": "proxy-endpoints"})
    for root in (f"{PODS}/agnhost", f"{CORE}/services/e2e-proxy-test-service"):
        await _answers(e2e, root, "?method=", ("DELETE", "OPTIONS", "PATCH", "POST", "PUT"))
        for verb in ("GET", "HEAD"):
            assert (await _ask(e2e, verb, f"{root}/proxy?method={verb}")).status == 301
