"""The official conformance tests of conversion webhooks, and of selecting by fields of custom resources that one converts."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import pytest

from kctl.apimachinery.resources import ResourceType
from kctl.apimachinery.user import ADMIN
from kctl.client.client import Client
from tests.conformance.api import Api, api
from tests.conformance.conversion import V1, V2, converter
from tests.conformance.custom_resources import DEFINITIONS, custom_object, define, definition, objects_path, version
from tests.kctl.kube_apiserver.admission.webhook_server import WebhookServer, webhook_server

GROUP = "stable.example.com"


@pytest.fixture
async def hook() -> AsyncIterator[WebhookServer]:
    async with webhook_server() as server:
        server.respond = converter
        yield server


@pytest.fixture
async def made() -> AsyncIterator[Api]:
    async with api() as running:
        yield running


async def defined(made: Api, hook: WebhookServer) -> Any:
    """v1 has a hostPort, v2 a host and a port; v1 is stored. The webhook is known to work."""
    conversion = {"strategy": "Webhook", "webhook": {"clientConfig": hook.client_config, "conversionReviewVersions": ["v1", "v1beta1"]}}
    v1 = version("v1", V1, selectableFields=[{"jsonPath": ".hostPort"}])
    v2 = version("v2", V2, storage=False, selectableFields=[{"jsonPath": ".host"}, {"jsonPath": ".port"}])
    obj = definition(v1, v2, plural="e2e-tests", group=GROUP, scope="Namespaced", conversion=conversion)
    await define(made, obj)
    await made.create(objects_path(obj, "v2", "default"), custom_object(obj, "probe", "v2"))
    await made.delete(f"{objects_path(obj, 'v2', 'default')}/probe")
    return obj


def of_v1(obj: Any) -> tuple[Any, ...]:
    assert not {"host", "port"} & obj.keys()
    return obj["apiVersion"], obj["metadata"]["name"], obj["hostPort"]


def of_v2(obj: Any) -> tuple[Any, ...]:
    assert "hostPort" not in obj
    return obj["apiVersion"], obj["metadata"]["name"], obj["host"], obj["port"]


async def test_an_object_is_converted(made: Api, hook: WebhookServer) -> None:
    """[sig-api-machinery] CustomResourceConversionWebhook [Privileged:ClusterAdmin] should be able to convert from CR v1 to CR v2
    [Conformance]"""
    obj = await defined(made, hook)
    await made.create(objects_path(obj, "v1", "default"), custom_object(obj, "cr-instance-1", "v1", hostPort="localhost:8080"))
    read = await made.get(f"{objects_path(obj, 'v2', 'default')}/cr-instance-1")
    assert of_v2(read) == (f"{GROUP}/v2", "cr-instance-1", "localhost", "8080")


async def test_a_list_of_both_versions_is_converted(made: Api, hook: WebhookServer) -> None:
    """[sig-api-machinery] CustomResourceConversionWebhook [Privileged:ClusterAdmin] should be able to convert a non homogeneous list of
    CRs [Conformance]"""
    obj = await defined(made, hook)
    await made.create(objects_path(obj, "v1", "default"), custom_object(obj, "cr-instance-1", "v1", hostPort="localhost:8080"))
    versions = [{**each, "storage": each["name"] == "v2"} for each in obj["spec"]["versions"]]
    changed = await made.patch(f"{DEFINITIONS}/e2e-tests.{GROUP}", {"spec": {"versions": versions}})
    assert changed["status"]["storedVersions"] == ["v1", "v2"]
    await made.create(objects_path(obj, "v1", "default"), custom_object(obj, "cr-instance-2", "v1", hostPort="localhost:8080"))
    names = ("cr-instance-1", "cr-instance-2")
    listed = await made.get(objects_path(obj, "v1", "default"))
    assert [of_v1(item) for item in listed["items"]] == [(f"{GROUP}/v1", name, "localhost:8080") for name in names]
    listed = await made.get(objects_path(obj, "v2", "default"))
    assert [of_v2(item) for item in listed["items"]] == [(f"{GROUP}/v2", name, "localhost", "8080") for name in names]


async def test_fields_are_selected_in_both_versions(made: Api, hook: WebhookServer) -> None:
    """[sig-api-machinery] CustomResourceFieldSelectors [Privileged:ClusterAdmin] CustomResourceFieldSelectors MUST list and watch custom
    resources matching the field selector [Conformance]"""
    obj = await defined(made, hook)
    client = Client(made.server.transport(ADMIN))
    paths = {name: objects_path(obj, name, "default") for name in ("v1", "v2")}

    async def names(version_name: str, selector: str) -> set[str]:
        listed = await made.get(f"{paths[version_name]}?fieldSelector={selector}")
        return {item["metadata"]["name"] for item in listed["items"]}

    watched = (("v2", "host=host1"), ("v2", "host=host1,port=80"), ("v1", "hostPort=host1:80"))
    async with AsyncExitStack() as stack:
        watches = []
        for version_name, selector in watched:
            resource = ResourceType(GROUP, version_name, "E2ETest", "e2e-tests", True, "e2e-test")
            batches = await client.watch(resource, "default", field_selector=selector)
            stack.push_async_callback(batches.aclose)  # type: ignore[attr-defined]
            watches.append(batches)

        async def events(number: int, count: int) -> list[tuple[str, str]]:
            """The next ones of a watch."""
            seen: list[tuple[str, str]] = []
            while len(seen) < count:
                seen += [(event.type, event.object["metadata"]["name"]) for event in await anext(watches[number])]
            return seen

        for name, fields in (
            ("cr0", {"host": "host1", "port": "80"}),
            ("cr1", {"host": "host1", "port": "8080"}),
            ("cr2", {"host": "host2"}),
        ):
            await made.create(paths["v2"], custom_object(obj, name, "v2", **fields))
        assert await names("v2", "host=host1") == {"cr0", "cr1"}
        assert await names("v2", "host=host1,port=80") == {"cr0"}
        assert await names("v1", "hostPort=host1:80") == {"cr0"}
        assert await names("v1", "hostPort=host1:8080") == {"cr1"}
        assert await events(0, 2) == [("ADDED", "cr0"), ("ADDED", "cr1")]
        assert await events(1, 1) == [("ADDED", "cr0")]
        assert await events(2, 1) == [("ADDED", "cr0")]

        await made.delete(f"{paths['v2']}?fieldSelector=host=host1,port=80")
        present = await made.get(f"{paths['v2']}/cr1")
        await made.update(f"{paths['v2']}/cr1", {**present, "host": "host2"})
        assert await names("v2", "host=host1") == set()
        assert await names("v2", "host=host1,port=80") == set()
        assert await events(0, 2) == [("DELETED", "cr0"), ("DELETED", "cr1")]
        assert await events(1, 1) == [("DELETED", "cr0")]
        assert await events(2, 1) == [("DELETED", "cr0")]
