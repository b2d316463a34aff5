"""StorageVersionMigrations: what is stored in an older version is written in the one that is stored now."""

from __future__ import annotations

from typing import Any

import orjson

from kctl.apimachinery import objects
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import ResourceType, built_in
from store.memory import MemoryStore
from tests.integration.whole_cluster import Cluster, whole_cluster

MIGRATIONS = built_in("storagemigration.k8s.io/v1", "StorageVersionMigration")
DEFINITIONS = built_in("apiextensions.k8s.io/v1", "CustomResourceDefinition")
OBJECTS = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
CONTROLLERS = ("storage-version-migrator-controller", "serviceaccount-controller")


def versions(stored: str) -> list[Object]:
    return [
        {"name": name, "served": True, "storage": name == stored, "schema": {"openAPIV3Schema": OBJECTS}} for name in ("v1", "v2", "v3")
    ]


async def define(cluster: Cluster) -> ResourceType:
    names = {"plural": "widgets", "singular": "widget", "kind": "Widget", "listKind": "WidgetList"}
    spec = {"group": "test.io", "scope": "Namespaced", "names": names, "versions": versions("v1")}
    await cluster.create(DEFINITIONS, "widgets.test.io", spec=spec)
    await cluster.settle(1)
    found = cluster.plane.server.table.by_plural("test.io", "v1", "widgets")
    assert found is not None
    return found


async def store_as(cluster: Cluster, version: str) -> None:
    await cluster.merge(DEFINITIONS, "widgets.test.io", {"spec": {"versions": versions(version)}})
    await cluster.settle(1)


async def migrate(cluster: Cluster, name: str, plural: str = "widgets", group: str = "test.io") -> None:
    await cluster.create(MIGRATIONS, name, spec={"resource": {"group": group, "resource": plural}})


async def conditions(cluster: Cluster, name: str) -> dict[str, tuple[str, str]]:
    status = objects.status(await cluster.get(MIGRATIONS, name))
    return {each["type"]: (each["status"], each["reason"]) for each in status.get("conditions") or ()}


async def stored_versions(store: MemoryStore) -> list[str]:
    found = await store.range("/registry/test.io/widgets/", "/registry/test.io/widgets0")
    return [orjson.loads(each.value)["apiVersion"] for each in found.key_values]


async def definition_status(cluster: Cluster) -> dict[str, Any]:
    return objects.status(await cluster.get(DEFINITIONS, "widgets.test.io"))


async def test_every_object_is_stored_in_the_version_that_is_stored_now() -> None:
    store = MemoryStore()
    async with whole_cluster(1, controllers=CONTROLLERS, store=store) as cluster:
        resource = await define(cluster)
        for number in range(3):
            await cluster.create(resource, f"w{number}", data=number)
        await store_as(cluster, "v2")
        assert await stored_versions(store) == ["test.io/v1"] * 3
        assert (await definition_status(cluster))["storedVersions"] == ["v1", "v2"]
        before = await cluster.items(resource)
        await migrate(cluster, "first")
        await cluster.settle(2)
        assert await conditions(cluster, "first") == {"Succeeded": ("True", "StorageVersionMigrationSucceeded")}
        assert await stored_versions(store) == ["test.io/v2"] * 3
        status = await definition_status(cluster)
        assert status["storedVersions"] == ["v2"]
        told = next(each for each in status["conditions"] if each["type"] == "StorageMigrating")
        assert (told["status"], told["reason"]) == ("False", "MigrationSucceeded")
        assert told["message"] == "The migration has succeeded and the stored versions have been updated"
        after = await cluster.items(resource)
        assert [objects.spec(each) for each in after] == [objects.spec(each) for each in before]
        assert [each["metadata"]["uid"] for each in after] == [each["metadata"]["uid"] for each in before]


async def test_one_at_a_time_for_each_resource_and_the_oldest_first() -> None:
    async with whole_cluster(1, controllers=CONTROLLERS) as cluster:
        await define(cluster)
        for name in ("b", "a"):
            await migrate(cluster, name)
            await cluster.settle(1)
        await cluster.settle(5)
        for name in ("a", "b"):
            assert await conditions(cluster, name) == {"Succeeded": ("True", "StorageVersionMigrationSucceeded")}


async def test_a_resource_that_does_not_come_is_a_failure_after_a_minute() -> None:
    async with whole_cluster(1, controllers=CONTROLLERS) as cluster:
        await migrate(cluster, "none", "gadgets")
        await cluster.settle(30)
        assert await conditions(cluster, "none") == {}
        await cluster.settle(45)
        assert await conditions(cluster, "none") == {"Failed": ("True", "StorageVersionMigrationFailed")}


async def test_built_in_resources_are_written_as_they_are() -> None:
    async with whole_cluster(1, controllers=CONTROLLERS) as cluster:
        await migrate(cluster, "maps", "configmaps", "")
        await cluster.settle(2)
        assert await conditions(cluster, "maps") == {"Succeeded": ("True", "StorageVersionMigrationSucceeded")}
