"""What a Client may rely on, whichever transport it holds: the same suite in-process and over HTTP."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from kctl.apimachinery.clock import RealClock
from kctl.apimachinery.resources import CONFIG_MAPS, DEPLOYMENTS, NAMESPACES, NODES, PODS, SERVICE_ACCOUNTS
from kctl.apimachinery.status import (
    AlreadyExists,
    BadRequest,
    Conflict,
    Expired,
    Invalid,
    MethodNotSupported,
    NotFound,
    from_status,
)
from kctl.apimachinery.user import ADMIN
from kctl.client.client import Client
from kctl.client.https_transport import HttpsTransport
from kctl.client.transport import JSON_PATCH, PARTIAL_METADATA, STRATEGIC_MERGE_PATCH, TABLE, ApiRequest
from kctl.kube_apiserver.config import ApiServerConfig
from kctl.kube_apiserver.server import ApiServer
from store.memory import MemoryStore


@pytest.fixture
async def server() -> AsyncIterator[ApiServer]:
    store = MemoryStore()
    await store.start()
    config = ApiServerConfig(tokens={"secret": ADMIN})
    started = ApiServer(store, clock=RealClock(), randomness=random.Random(7), config=config)
    await started.start()
    yield started
    await started.stop()
    await store.close()


@pytest.fixture(params=["in-process", "http"])
async def client(request: pytest.FixtureRequest, server: ApiServer) -> AsyncIterator[Client]:
    if request.param == "in-process":
        made = Client(server.transport(ADMIN), field_manager="test")
    else:
        port = await server.serve("127.0.0.1", 0, None)
        made = Client(HttpsTransport(f"http://127.0.0.1:{port}", None, "secret"), field_manager="test")
    yield made
    await made.close()


def config_map(name: str = "a", **data: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "labels": {"app": name}}, "data": data}


def deployment(name: str = "d") -> dict[str, Any]:
    template = {"metadata": {"labels": {"app": name}}, "spec": {"containers": [{"name": "c", "image": "nginx:1"}]}}
    spec = {"selector": {"matchLabels": {"app": name}}, "template": template}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": spec}


async def test_create_fills_metadata_and_defaults(client: Client) -> None:
    made = await client.create(DEPLOYMENTS, deployment(), "default")
    assert made["metadata"]["namespace"] == "default"
    assert made["metadata"]["generation"] == 1
    assert made["metadata"]["uid"] and made["metadata"]["creationTimestamp"] and made["metadata"]["resourceVersion"]
    assert made["spec"]["replicas"] == 1
    assert made["spec"]["template"]["spec"]["dnsPolicy"] == "ClusterFirst"
    assert await client.get(DEPLOYMENTS, "d", "default") == made


async def test_create_twice_and_read_what_is_not_there(client: Client) -> None:
    await client.create(CONFIG_MAPS, config_map(), "default")
    with pytest.raises(AlreadyExists, match='configmaps "a" already exists'):
        await client.create(CONFIG_MAPS, config_map(), "default")
    with pytest.raises(NotFound, match='configmaps "b" not found'):
        await client.get(CONFIG_MAPS, "b", "default")
    with pytest.raises(NotFound, match='namespaces "nowhere" not found'):
        await client.create(CONFIG_MAPS, config_map(), "nowhere")


async def test_generated_names_differ(client: Client) -> None:
    obj = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"generateName": "gen-"}}
    names = [(await client.create(CONFIG_MAPS, obj, "default"))["metadata"]["name"] for _ in range(5)]
    assert len(set(names)) == 5
    assert all(name.startswith("gen-") and len(name) == 9 for name in names)


async def test_invalid_objects_are_refused_with_causes(client: Client) -> None:
    with pytest.raises(Invalid) as caught:
        await client.create(CONFIG_MAPS, config_map("UPPER"), "default")
    assert caught.value.details["causes"][0]["field"] == "metadata.name"
    assert caught.value.message.startswith('ConfigMap "UPPER" is invalid: metadata.name: Invalid value: "UPPER"')
    with pytest.raises(BadRequest, match='strict decoding error: unknown field "bogus"'):
        await client.create(CONFIG_MAPS, {**config_map(), "bogus": 1}, "default", field_validation="Strict")


async def test_update_needs_the_present_revision(client: Client) -> None:
    first = await client.create(CONFIG_MAPS, config_map(x="1"), "default")
    second = await client.update(CONFIG_MAPS, {**first, "data": {"x": "2"}})
    assert int(second["metadata"]["resourceVersion"]) > int(first["metadata"]["resourceVersion"])
    with pytest.raises(Conflict, match="the object has been modified"):
        await client.update(CONFIG_MAPS, {**first, "data": {"x": "3"}})
    unchanged = await client.update(CONFIG_MAPS, second)
    assert unchanged["metadata"]["resourceVersion"] == second["metadata"]["resourceVersion"]


@pytest.mark.parametrize(
    ("patch_type", "patch"),
    [
        ("application/merge-patch+json", {"data": {"x": None, "y": "2"}}),
        (JSON_PATCH, [{"op": "remove", "path": "/data/x"}, {"op": "add", "path": "/data/y", "value": "2"}]),
        (STRATEGIC_MERGE_PATCH, {"data": {"x": None, "y": "2"}}),
    ],
    ids=["merge", "json", "strategic"],
)
async def test_patches(client: Client, patch_type: str, patch: Any) -> None:
    await client.create(CONFIG_MAPS, config_map(x="1"), "default")
    patched = await client.patch(CONFIG_MAPS, "a", patch, "default", patch_type=patch_type)
    assert patched["data"] == {"y": "2"}


async def test_generation_counts_changes_of_the_spec_only(client: Client) -> None:
    made = await client.create(DEPLOYMENTS, deployment(), "default")
    labelled = await client.patch(DEPLOYMENTS, "d", {"metadata": {"labels": {"x": "y"}}}, "default")
    assert labelled["metadata"]["generation"] == 1
    scaled = await client.patch(DEPLOYMENTS, "d", {"spec": {"replicas": 3}}, "default")
    assert scaled["metadata"]["generation"] == 2
    status = await client.update_status(DEPLOYMENTS, {**scaled, "spec": made["spec"], "status": {"replicas": 3}})
    assert (status["metadata"]["generation"], status["spec"]["replicas"], status["status"]) == (2, 3, {"replicas": 3})
    ignored = await client.patch(DEPLOYMENTS, "d", {"status": {"replicas": 9}}, "default")
    assert ignored["status"] == {"replicas": 3}


async def test_dry_run_stores_nothing(client: Client) -> None:
    await client.create(CONFIG_MAPS, config_map(), "default", dry_run=True)
    with pytest.raises(NotFound):
        await client.get(CONFIG_MAPS, "a", "default")


async def test_finalizers_hold_a_deleted_object(client: Client) -> None:
    obj = config_map()
    obj["metadata"]["finalizers"] = ["example.com/hold"]
    await client.create(CONFIG_MAPS, obj, "default")
    marked = await client.delete(CONFIG_MAPS, "a", "default")
    assert marked["metadata"]["deletionTimestamp"]
    await client.patch(CONFIG_MAPS, "a", {"metadata": {"finalizers": None}}, "default")
    with pytest.raises(NotFound):
        await client.get(CONFIG_MAPS, "a", "default")


async def test_scheduled_pods_go_gracefully(client: Client) -> None:
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default"}}
    await client.create(SERVICE_ACCOUNTS, account, "default")
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "p"},
        "spec": {"containers": [{"name": "c", "image": "i"}]},
    }
    await client.create(PODS, pod, "default")
    await client.bind("default", "p", "n1")
    bound = await client.get(PODS, "p", "default")
    assert bound["spec"]["nodeName"] == "n1"
    with pytest.raises(Conflict, match='already assigned to node "n1"'):
        await client.bind("default", "p", "n2")
    marked = await client.delete(PODS, "p", "default")
    assert marked["metadata"]["deletionGracePeriodSeconds"] == 30
    await client.delete(PODS, "p", "default", grace_period_seconds=0)
    with pytest.raises(NotFound):
        await client.get(PODS, "p", "default")


async def test_selectors_and_pages(client: Client) -> None:
    for name in "abcde":
        await client.create(CONFIG_MAPS, config_map(name), "default")
    chosen = await client.list(CONFIG_MAPS, "default", label_selector="app in (b,d)")
    assert [item["metadata"]["name"] for item in chosen["items"]] == ["b", "d"]
    chosen = await client.list(CONFIG_MAPS, field_selector="metadata.name=c")
    assert [item["metadata"]["name"] for item in chosen["items"]] == ["c"]
    first = await client.list(CONFIG_MAPS, "default", limit=2)
    assert first["metadata"]["remainingItemCount"] == 3
    await client.delete(CONFIG_MAPS, "d", "default")
    rest = await client.list(CONFIG_MAPS, "default", continue_token=first["metadata"]["continue"])
    assert [item["metadata"]["name"] for item in rest["items"]] == ["c", "d", "e"]


async def test_tables_and_metadata(client: Client) -> None:
    await client.create(CONFIG_MAPS, config_map(), "default")
    shown = (await client.call(ApiRequest("list", CONFIG_MAPS, "default", accept=TABLE))).object
    assert shown["kind"] == "Table"
    assert shown["rows"][0]["cells"][:2] == ["a", 0]
    shown = (await client.call(ApiRequest("get", CONFIG_MAPS, "default", "a", accept=PARTIAL_METADATA))).object
    assert shown["kind"] == "PartialObjectMetadata"
    assert "data" not in shown


async def collect(client: Client, enough: Callable[[list[tuple[str, str]]], bool], **watch: Any) -> list[tuple[str, str]]:
    stream = await client.watch(CONFIG_MAPS, "default", **watch)
    seen: list[tuple[str, str]] = []
    async with asyncio.timeout(10):
        async for batch in stream:
            seen += [(event.type, event.object["metadata"].get("name", "")) for event in batch]
            if enough(seen):
                break
    await stream.aclose()  # type: ignore[attr-defined]
    return seen


async def test_watch_tells_history_in_order(client: Client) -> None:
    first = await client.create(CONFIG_MAPS, config_map(), "default")
    await client.patch(CONFIG_MAPS, "a", {"data": {"x": "1"}}, "default")
    await client.create(CONFIG_MAPS, config_map("b"), "default")
    await client.delete(CONFIG_MAPS, "a", "default")
    seen = await collect(client, lambda s: len(s) == 3, resource_version=first["metadata"]["resourceVersion"])
    assert seen == [("MODIFIED", "a"), ("ADDED", "b"), ("DELETED", "a")]


async def test_watch_turns_selector_transitions_into_added_and_deleted(client: Client) -> None:
    first = await client.create(CONFIG_MAPS, config_map(), "default")
    for value in ("other", "a"):
        await client.patch(CONFIG_MAPS, "a", {"metadata": {"labels": {"app": value}}}, "default")
    seen = await collect(client, lambda s: len(s) == 2, label_selector="app=a", resource_version=first["metadata"]["resourceVersion"])
    assert seen == [("DELETED", "a"), ("ADDED", "a")]


async def test_initial_events_end_with_a_bookmark(client: Client) -> None:
    await client.create(CONFIG_MAPS, config_map(), "default")
    seen = await collect(client, lambda s: s[-1][0] == "BOOKMARK", send_initial_events=True)
    assert seen == [("ADDED", "a"), ("BOOKMARK", "")]


async def test_watch_from_a_compacted_revision_expires(client: Client, server: ApiServer) -> None:
    await client.create(CONFIG_MAPS, config_map(), "default")
    await server.storage._store.compact(server.storage.revision)
    stream = await client.watch(CONFIG_MAPS, "default", resource_version="1")
    async with asyncio.timeout(10):
        events = [event async for batch in stream for event in batch]
    assert [event.type for event in events] == ["ERROR"]
    error = from_status(events[0].object)
    assert isinstance(error, Expired)
    assert "too old resource version: 1" in error.message


async def test_namespaces_and_refusals(client: Client) -> None:
    listed = await client.list(NAMESPACES)
    assert {"default", "kube-system", "kube-public", "kube-node-lease"} <= {item["metadata"]["name"] for item in listed["items"]}
    with pytest.raises(Exception, match="this namespace may not be deleted"):
        await client.delete(NAMESPACES, "default")
    with pytest.raises(NotFound, match='nodes "n" not found'):
        await client.get(NODES, "n")


async def test_raw_paths(client: Client) -> None:
    assert (await client.transport.raw("GET", "/healthz")).body == b"ok"
    assert (await client.transport.raw("GET", "/nothing")).status == 404
    refused = await client.transport.raw("PUT", "/api/v1/namespaces/default/configmaps", body=b"{}")
    assert refused.status == MethodNotSupported.code
