"""What a cluster stores without acting on it is said in a Warning header when it is created; who only reads is not bothered."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from kctl.apimachinery.clock import RealClock
from kctl.apimachinery.resources import PODS, ResourceTable
from kctl.apimachinery.status import Invalid
from kctl.apimachinery.user import ADMIN, service_account
from kctl.client.https_transport import HttpsTransport
from kctl.client.transport import ApiRequest, Transport
from kctl.daemon.api_server_config import api_server_config
from kctl.daemon.not_acted_on import NOT_ACTED_ON
from kctl.kube_apiserver.server import ApiServer
from store.memory import MemoryStore

TOKEN = "secret"
CONTAINERS = [{"name": "c", "image": "i"}]
SPREAD = [{"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule", "labelSelector": {"matchLabels": {"a": "b"}}}]
ANTI_AFFINITY = {
    "podAntiAffinity": {
        "requiredDuringSchedulingIgnoredDuringExecution": [{"topologyKey": "host", "labelSelector": {"matchLabels": {"a": "b"}}}]
    }
}


@pytest.fixture
async def server() -> AsyncIterator[ApiServer]:
    store = MemoryStore()
    await store.start()
    config = replace(api_server_config(None, "127.0.0.1"), tokens={TOKEN: ADMIN})
    started = ApiServer(store, clock=RealClock(), randomness=random.Random(7), config=config)
    await started.start()
    yield started
    await started.stop()
    await store.close()


def pod(**spec: Any) -> dict[str, Any]:
    return {"kind": "Pod", "apiVersion": "v1", "metadata": {"name": "p"}, "spec": {"containers": CONTAINERS, **spec}}


async def create(transport: Transport, body: dict[str, Any], resource: Any = PODS, namespace: str = "default") -> list[str]:
    answer = await transport.request(ApiRequest("create", resource, namespace, body=body))
    assert answer.status == 201
    return list(answer.warnings)


async def ready(server: ApiServer) -> Transport:
    account = {"kind": "ServiceAccount", "apiVersion": "v1", "metadata": {"name": "default"}}
    transport = server.transport(ADMIN)
    await transport.request(ApiRequest("create", server.table.by_plural("", "v1", "serviceaccounts"), "default", body=account))
    return transport


def test_every_entry_names_resources_that_exist() -> None:
    table = ResourceTable()
    for known in NOT_ACTED_ON:
        for name in known.resources:
            plural, _, group = name.partition(".")
            assert name == "*" or table.preferred(group, plural) is not None, name


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ({"topologySpreadConstraints": SPREAD}, "topologySpreadConstraints"),
        ({"affinity": ANTI_AFFINITY}, "pod affinity"),
        ({"volumes": [{"name": "v", "persistentVolumeClaim": {"claimName": "x"}}]}, "persistent volume claims"),
    ],
    ids=["spreading", "anti-affinity", "claim"],
)
async def test_fields_of_a_pod_that_nobody_reads(server: ApiServer, spec: dict[str, Any], words: str) -> None:
    transport = await ready(server)
    warnings = await create(transport, pod(**spec))
    expected = [known.text for known in NOT_ACTED_ON if words in known.text]
    assert warnings == expected
    if expected:
        template = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": CONTAINERS, **spec}}
        deployment = {"kind": "Deployment", "apiVersion": "apps/v1", "metadata": {"name": "d"}}
        deployment["spec"] = {"selector": {"matchLabels": {"a": "b"}}, "template": template}  # type: ignore[assignment]
        assert await create(transport, deployment, server.table.by_plural("apps", "v1", "deployments")) == expected


async def test_a_plain_pod_is_created_without_a_word(server: ApiServer) -> None:
    assert await create(await ready(server), pod()) == []


async def test_components_are_not_warned(server: ApiServer) -> None:
    await ready(server)
    assert (
        await create(
            server.component_transport(service_account("kube-system", "replicaset-controller")), pod(topologySpreadConstraints=SPREAD)
        )
        == []
    )


@pytest.mark.parametrize(
    ("group", "plural", "namespace", "rest"),
    [
        ("flowcontrol.apiserver.k8s.io", "flowschemas", "", {"spec": {"priorityLevelConfiguration": {"name": "workload-low"}}}),
    ],
    ids=["flowschemas"],
)
async def test_whole_kinds_over_http(server: ApiServer, group: str, plural: str, namespace: str, rest: dict[str, Any]) -> None:
    """A read is no reason to warn."""
    port = await server.serve("127.0.0.1", 0, None)
    transport = HttpsTransport(f"http://127.0.0.1:{port}", None, TOKEN)
    resource = server.table.by_plural(group, "v1", plural)
    assert resource is not None
    body = {"kind": resource.kind, "apiVersion": resource.api_version, "metadata": {"name": "x"}, **rest}
    try:
        warnings = await create(transport, body, resource, namespace)
        assert warnings == [known.text for known in NOT_ACTED_ON if any(name.partition(".")[0] == plural for name in known.resources)]
        assert len(warnings) == 1
        with pytest.raises(Invalid):
            await transport.request(ApiRequest("create", resource, namespace, body={**body, "metadata": {"name": "a/b"}}))
        assert not (await transport.request(ApiRequest("get", resource, namespace, "x"))).warnings
    finally:
        await transport.close()
