"""Conversion webhooks that fail, lie or are gone, and what goes on all the same."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from tests.conformance.api import Api, api
from tests.conformance.conversion import V1, V2, converter
from tests.conformance.custom_resources import DEFINITIONS, custom_object, define, definition, objects_path, undefine, version
from tests.kctl.kube_apiserver.admission.webhook_server import WebhookServer, webhook_server

KIND = "mygroup.example.com/v1, Kind=Foo"


@pytest.fixture
async def hook() -> AsyncIterator[WebhookServer]:
    async with webhook_server() as server:
        server.respond = converter
        yield server


async def foos(made: Api, hook: WebhookServer, *names: str) -> Any:
    """Stored as v1."""
    conversion = {"strategy": "Webhook", "webhook": {"clientConfig": hook.client_config, "conversionReviewVersions": ["v1"]}}
    obj = definition(version("v1", V1), version("v2", V2, storage=False), scope="Namespaced", conversion=conversion)
    await define(made, obj)
    for name in names:
        await made.create(objects_path(obj, "v1", "default"), custom_object(obj, name, "v1", hostPort="h:1"))
    return obj


def changed(change: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """The converter's answer after `change` of its response."""

    def respond(review: Any) -> Any:
        answer = converter(review)
        change(answer["response"])
        return answer

    return respond


def first(response: Any) -> Any:
    return response["convertedObjects"][0]


LIES = [
    (lambda response: response.update(convertedObjects=[]), "returned 0 objects, expected 1"),
    (lambda response: response.update(result={"status": "Failed", "message": "no way"}), "failed: no way"),
    (lambda response: response.update(result={}), "failed: response.result.status was '', not 'Success'"),
    (
        lambda response: first(response).update(apiVersion="mygroup.example.com/v3"),
        "returned invalid object at index 0: invalid groupVersion (expected mygroup.example.com/v2, received mygroup.example.com/v3)",
    ),
    (
        lambda response: first(response).update(kind="Bar"),
        "returned invalid object at index 0: invalid kind (expected Foo, received Bar)",
    ),
    (lambda response: first(response)["metadata"].update(name="other"), "returned invalid object: must have the same name: a != other"),
    (
        lambda response: first(response)["metadata"].update(labels={"a": 1}),
        "returned invalid metadata: metadata.labels[a] must be a string, but is int64 in converted object",
    ),
]


@pytest.mark.parametrize(("lie", "why"), LIES)
async def test_what_is_no_conversion_is_refused_in_upstreams_words(hook: WebhookServer, lie: Callable[[Any], Any], why: str) -> None:
    async with api() as made:
        obj = await foos(made, hook, "a")
        hook.respond = changed(lie)
        for path in (f"{objects_path(obj, 'v2', 'default')}/a", objects_path(obj, "v2", "default")):
            status, told = await made.ask("GET", path)
            assert (status, told["message"]) == (500, f"conversion webhook for {KIND} {why}")
        assert (await made.get(f"{objects_path(obj, 'v1', 'default')}/a"))["hostPort"] == "h:1"
        hook.respond = converter
        assert (await made.get(f"{objects_path(obj, 'v2', 'default')}/a"))["host"] == "h"


async def test_labels_may_be_converted_and_other_metadata_not(hook: WebhookServer) -> None:
    async with api() as made:
        obj = await foos(made, hook, "a")
        hook.respond = changed(lambda response: first(response)["metadata"].update(labels={"new": "x"}, generation=9, finalizers=["a/b"]))
        meta = (await made.get(f"{objects_path(obj, 'v2', 'default')}/a"))["metadata"]
        assert (meta["labels"], meta["generation"], "finalizers" in meta) == ({"new": "x"}, 1, False)


async def test_the_stored_version_needs_no_webhook(hook: WebhookServer) -> None:
    async with api() as made:
        obj = await foos(made, hook, "a", "b")
        assert hook.requests == []
        assert len((await made.get(objects_path(obj, "v1", "default")))["items"]) == 2
        hook.respond = changed(lambda response: response.update(result={}))
        await undefine(made, obj)  # its objects are deleted as they are stored


async def test_updates_in_another_version_and_their_conflicts(hook: WebhookServer) -> None:
    async with api() as made:
        obj = await foos(made, hook, "a")
        path = f"{objects_path(obj, 'v2', 'default')}/a"
        stale = await made.get(path)
        await made.patch(f"{objects_path(obj, 'v1', 'default')}/a", {"hostPort": "h:2"})
        assert (await made.patch(path, {"host": "g"}))["port"] == "2"
        assert (await made.ask("PUT", path, {**stale, "host": "x"}))[0] == 409
        assert (await made.get(f"{objects_path(obj, 'v1', 'default')}/a"))["hostPort"] == "g:2"


async def test_pages_of_the_past_are_converted(hook: WebhookServer) -> None:
    async with api() as made:
        obj = await foos(made, hook, "a", "b", "c")
        path = objects_path(obj, "v2", "default")
        page = await made.get(f"{path}?limit=1")
        await made.delete(f"{objects_path(obj, 'v1', 'default')}/c")
        rest = await made.get(f"{path}?limit=5&continue={page['metadata']['continue']}")
        assert [(item["metadata"]["name"], item["host"]) for item in rest["items"]] == [("b", "h"), ("c", "h")]


async def test_another_webhook_converts_from_now_on(hook: WebhookServer) -> None:
    async with api() as made:
        obj = await foos(made, hook, "a")
        path = f"{objects_path(obj, 'v2', 'default')}/a"
        assert (await made.get(path))["host"] == "h"
        await made.patch(f"{DEFINITIONS}/foos.mygroup.example.com", {"spec": {"conversion": {"strategy": "None", "webhook": None}}})
        assert "host" not in await made.get(path)
