"""The official conformance tests of CustomResourceDefinitions as objects, and of defaults of custom resources."""

from __future__ import annotations

from typing import Any

import pytest

from kctl.apimachinery.user import ADMIN
from tests.conformance.api import api
from tests.conformance.custom_resources import DEFINITIONS, custom_object, define, definition, objects_path, undefine, until, version

pytestmark = pytest.mark.virtual_time
TEXT = {"type": "string"}


async def test_a_definition_is_created_and_deleted() -> None:
    """[sig-api-machinery] CustomResourceDefinition resources [Privileged:ClusterAdmin] Simple CustomResourceDefinition creating/deleting
    custom resource definition objects works [Conformance]"""
    async with api() as made:
        obj = definition()
        await define(made, obj)
        assert (await made.get(objects_path(obj)))["items"] == []
        await undefine(made, obj)

        async def gone() -> bool:
            return (await made.server.handle_raw("GET", objects_path(obj), {}, None, {}, ADMIN)).status == 404

        await until(gone)


async def test_definitions_are_listed() -> None:
    """[sig-api-machinery] CustomResourceDefinition resources [Privileged:ClusterAdmin] Simple CustomResourceDefinition listing custom
    resource definition objects works [Conformance]"""
    chosen = f"{DEFINITIONS}?labelSelector=e2e-list-test-uuid%3Dx"
    async with api() as made:
        created = {}
        for number in range(10):
            obj = definition(plural=f"noxu{number}s", metadata={"labels": {"e2e-list-test-uuid": "x"}})
            created[obj["metadata"]["name"]] = (await define(made, obj))["spec"]
        other = definition(plural="others")
        await define(made, other)
        listed = (await made.get(chosen))["items"]
        assert {item["metadata"]["name"]: item["spec"] for item in listed} == created
        await made.delete(chosen)
        left = (await made.get(chosen))["items"]
        while left:  # each goes when its objects are gone
            assert all(item["metadata"]["deletionTimestamp"] for item in left)
            left = (await made.get(chosen))["items"]
        assert (await made.get(f"{DEFINITIONS}/others.mygroup.example.com"))["spec"]["names"]["kind"] == "Other"


async def test_the_status_of_a_definition() -> None:
    """[sig-api-machinery] CustomResourceDefinition resources [Privileged:ClusterAdmin] Simple CustomResourceDefinition
    getting/updating/patching custom resource definition status sub-resource works [Conformance]"""

    def messages(obj: Any) -> list[str]:
        return [condition.get("message") for condition in obj["status"]["conditions"]]

    async with api() as made:
        obj = definition()
        created = await define(made, obj)
        path = f"{DEFINITIONS}/{obj['metadata']['name']}/status"
        present = await made.get(path)
        assert present["spec"] == created["spec"]
        present["status"]["conditions"].append({"type": "", "status": "", "message": "updated"})
        updated = await made.update(path, present)
        assert "updated" in messages(updated)
        assert "updated" in messages(await made.get(path))
        operation = {"op": "add", "path": "/status/conditions", "value": [{"message": "patched"}]}
        patched = await made.json_patch(path, operation)
        assert messages(patched) == ["patched"]


async def test_definitions_objects_are_watched() -> None:
    """[sig-api-machinery] CustomResourceDefinition Watch [Privileged:ClusterAdmin] CustomResourceDefinition Watch watch on custom
    resource definition objects [Conformance]"""
    async with api() as made:
        obj = definition(version("v1beta1"), plural="noxus")
        await define(made, obj)
        path = objects_path(obj)
        before = await made.get(path)
        for name in ("name1", "name2"):
            await made.create(path, custom_object(obj, name))
        for name in ("name1", "name2"):
            await made.patch(f"{path}/{name}", {"metadata": {"labels": {"changed": "yes"}}})
        for name in ("name1", "name2"):
            await made.delete(f"{path}/{name}")
        events = [(kind, seen["metadata"]["name"]) for kind, seen in await made.watched(path, before)]
        assert events == [(kind, name) for kind in ("ADDED", "MODIFIED", "DELETED") for name in ("name1", "name2")]


async def test_defaults_of_requests_and_of_what_is_stored() -> None:
    """[sig-api-machinery] CustomResourceDefinition resources [Privileged:ClusterAdmin] custom resource defaulting for requests and from
    storage works [Conformance]"""
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True, "properties": {"a": TEXT, "b": TEXT}}
    properties = "/spec/versions/0/schema/openAPIV3Schema/properties"
    async with api() as made:
        obj = definition(version("v1beta1", schema))
        await define(made, obj)
        path = objects_path(obj)
        assert "a" not in await made.create(path, custom_object(obj, "cr-1"))
        name = f"{DEFINITIONS}/{obj['metadata']['name']}"
        await made.json_patch(name, {"op": "add", "path": f"{properties}/a/default", "value": "A"})
        read = await made.get(f"{path}/cr-1")
        while "a" not in read:
            read = await made.get(f"{path}/cr-1")
        assert read["a"] == "A"
        assert (await made.create(path, custom_object(obj, "cr-2")))["a"] == "A"
        await made.json_patch(
            name,
            {"op": "remove", "path": f"{properties}/a/default"},
            {"op": "add", "path": f"{properties}/b/default", "value": "B"},
        )
        read = await made.get(f"{path}/cr-2")
        while "b" not in read:
            assert read["a"] == "A"
            read = await made.get(f"{path}/cr-2")
        assert (read["a"], read["b"]) == ("A", "B")
        read = await made.get(f"{path}/cr-1")
        assert "a" not in read and read["b"] == "B"  # what was read with a default was never stored
