"""Cascading deletion and namespaces on the real API server, as recorded from a real cluster."""

from __future__ import annotations

from typing import Any

import orjson

from controllers.kube_controller_manager.garbage_collector.controller import GarbageCollector
from kctl.apimachinery import objects, status
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import CONFIG_MAPS, DEPLOYMENTS, NAMESPACES, PODS, REPLICA_SETS, SECRETS
from kctl.client.transport import ApiRequest, ApiResponse, RawResponse, Transport
from tests.integration.control_plane import ControlPlane, control_plane, deployment

CASCADE = ("garbage-collector-controller", "deployment-controller", "replicaset-controller")


async def config_map(plane: ControlPlane, name: str, *owners: Object, namespace: str = "default", **meta: Any) -> Object:
    references = [
        {"apiVersion": "v1", "kind": "ConfigMap", "name": objects.name(owner), "uid": objects.uid(owner), "blockOwnerDeletion": True}
        for owner in owners
    ]
    wanted = {"name": name, **({"ownerReferences": references} if references else {}), **meta}
    return await plane.client.create(CONFIG_MAPS, {"apiVersion": "v1", "kind": "ConfigMap", "metadata": wanted}, namespace)


async def delete(plane: ControlPlane, name: str, policy: str = "") -> None:
    await plane.client.delete(CONFIG_MAPS, name, "default", propagation_policy=policy)


async def names(plane: ControlPlane) -> set[str]:
    return {objects.name(item) for item in await plane.items(CONFIG_MAPS)} - {"kube-root-ca.crt"}


async def test_background() -> None:
    async with control_plane(*CASCADE) as plane:
        owner = await config_map(plane, "owner")
        child = await config_map(plane, "child", owner)
        await config_map(plane, "grandchild", child)
        await config_map(plane, "other")
        await delete(plane, "owner", "Background")
        await plane.settle(1)
        assert await names(plane) == {"other"}


async def test_foreground_waits_for_what_blocks() -> None:
    async with control_plane(*CASCADE) as plane:
        owner = await config_map(plane, "owner")
        held = await config_map(plane, "held", owner, finalizers=["x.io/hold"])
        await config_map(plane, "free", owner)
        await config_map(plane, "grandchild", held)
        await delete(plane, "owner", "Foreground")
        await plane.settle(1)
        assert await names(plane) == {"owner", "held"}
        waiting = await plane.get(CONFIG_MAPS, "owner")
        assert objects.finalizers(waiting) == ["foregroundDeletion"]
        assert objects.deletion_timestamp(await plane.get(CONFIG_MAPS, "held"))
        await plane.merge(CONFIG_MAPS, "held", {"metadata": {"finalizers": None}})
        await plane.settle(1)
        assert await names(plane) == set()


async def test_orphan() -> None:
    async with control_plane(*CASCADE) as plane:
        owner = await config_map(plane, "owner")
        await config_map(plane, "child", owner)
        await delete(plane, "owner", "Orphan")
        await plane.settle(1)
        assert await names(plane) == {"child"}
        assert "ownerReferences" not in objects.metadata(await plane.get(CONFIG_MAPS, "child"))


async def test_one_of_two_owners_goes() -> None:
    async with control_plane(*CASCADE) as plane:
        first, second = await config_map(plane, "first"), await config_map(plane, "second")
        await config_map(plane, "child", first, second)
        await delete(plane, "first")
        await plane.settle(1)
        [left] = objects.owner_references(await plane.get(CONFIG_MAPS, "child"))
        assert left["name"] == "second"
        await delete(plane, "second")
        await plane.settle(1)
        assert await names(plane) == set()


async def test_an_owner_that_never_existed() -> None:
    async with control_plane(*CASCADE) as plane:
        ghost: Object = {"metadata": {"name": "ghost", "uid": "99999999-9999-9999-9999-999999999999"}}
        await config_map(plane, "stray", ghost)
        await plane.settle(1)
        assert await names(plane) == set()


async def test_what_was_deleted_while_nobody_watched_is_found_at_start() -> None:
    async with control_plane("deployment-controller") as plane:
        owner = await config_map(plane, "owner")
        await config_map(plane, "child", owner)
        await delete(plane, "owner")
        await plane.settle(1)
        assert await names(plane) == {"child"}
        await plane.manager.running["deployment-controller"].stop()
        collector = GarbageCollector(plane.manager.context_of("garbage-collector-controller"))
        plane.manager.running["garbage-collector-controller"] = collector
        await collector.start()
        await plane.settle(1)
        assert await names(plane) == set()


async def test_a_deployment_goes_with_all_its_pods() -> None:
    async with control_plane(*CASCADE) as plane:
        for policy in ("Background", "Foreground"):
            await plane.client.create(DEPLOYMENTS, deployment(replicas=300), "default")
            await plane.settle(2)
            assert len(await plane.items(PODS)) == 300
            await plane.client.delete(DEPLOYMENTS, "web", "default", propagation_policy=policy)
            await plane.settle(2)
            assert await plane.items(DEPLOYMENTS) == await plane.items(REPLICA_SETS) == await plane.items(PODS) == []
        failed = [entry for entry in await plane.events() if entry[1] in ("FailedCreate", "FailedDelete")]
        assert failed == []


async def test_namespace_with_content_and_a_finalizer() -> None:
    async with control_plane("*") as plane:
        space = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "n"}}
        await plane.client.create(NAMESPACES, space)
        held = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "finalizers": ["x.io/block"]}}
        await plane.client.create(CONFIG_MAPS, held, "n")
        await plane.client.create(DEPLOYMENTS, deployment(replicas=2), "n")
        await plane.client.create(SECRETS, {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}}, "n")
        await plane.settle(2)
        assert len(await plane.items(PODS, "n")) == 2
        await plane.client.delete(NAMESPACES, "n")
        await plane.settle(3)
        status = objects.status(await plane.get(NAMESPACES, "n"))
        assert status["phase"] == "Terminating"
        assert [(entry["type"], entry["status"], entry["reason"], entry["message"]) for entry in status["conditions"]] == [
            ("NamespaceDeletionDiscoveryFailure", "False", "ResourcesDiscovered", "All resources successfully discovered"),
            (
                "NamespaceDeletionGroupVersionParsingFailure",
                "False",
                "ParsedGroupVersions",
                "All legacy kube types successfully parsed",
            ),
            (
                "NamespaceDeletionContentFailure",
                "False",
                "ContentDeleted",
                "All content successfully deleted, may be waiting on finalization",
            ),
            (
                "NamespaceContentRemaining",
                "True",
                "SomeResourcesRemain",
                "Some resources are remaining: configmaps. has 1 resource instances",
            ),
            (
                "NamespaceFinalizersRemaining",
                "True",
                "SomeFinalizersRemain",
                "Some content in the namespace has finalizers remaining: x.io/block in 1 resource instances",
            ),
        ]
        assert await plane.items(PODS, "n") == []
        assert [objects.name(item) for item in await plane.items(CONFIG_MAPS, "n")] == ["a"]
        await plane.merge(CONFIG_MAPS, "a", {"metadata": {"finalizers": None}}, "n")
        await plane.settle(3)
        assert not await plane.exists(NAMESPACES, "n")


async def test_a_namespace_loses_its_pods_before_anything_else() -> None:
    async with control_plane("*") as plane:
        await plane.client.create(NAMESPACES, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "n"}})
        await config_map(plane, "needed", namespace="n")
        await plane.settle(1)
        held = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "finalizers": ["x.io/block"]}}
        await plane.client.create(PODS, {**held, "spec": {"containers": [{"name": "c", "image": "i"}]}}, "n")
        await plane.settle(1)
        await plane.client.delete(NAMESPACES, "n")
        await plane.settle(3)
        assert objects.deletion_timestamp(await plane.get(PODS, "p", "n"))
        assert not objects.deletion_timestamp(await plane.get(CONFIG_MAPS, "needed", "n"))
        said = objects.condition(await plane.get(NAMESPACES, "n"), "NamespaceContentRemaining") or {}
        assert (said["status"], said["message"]) == ("True", "Some resources are remaining: pods. has 1 resource instances")
        await plane.merge(PODS, "p", {"metadata": {"finalizers": None}}, "n")
        await plane.settle(5)
        assert not await plane.exists(NAMESPACES, "n")


class HiddenKind:
    """A server whose discovery does not list ConfigMaps until told to."""

    def __init__(self, inner: Transport) -> None:
        self._inner = inner
        self.hidden = True
        self.broken = False

    async def request(self, request: ApiRequest) -> ApiResponse:
        return await self._inner.request(request)

    async def raw(self, method: str, path: str, **more: Any) -> RawResponse:
        if self.broken:
            raise status.InternalError("discovery is out of order")
        answer = await self._inner.raw(method, path, **more)
        return answer._replace(body=_without_config_maps(answer.body)) if self.hidden else answer

    async def close(self) -> None: ...


def _without_config_maps(body: bytes) -> bytes:
    document = orjson.loads(body)
    for group in document["items"]:
        for version in group["versions"]:
            version["resources"] = [entry for entry in version["resources"] if entry["resource"] != "configmaps"]
    return orjson.dumps(document)


async def test_kinds_that_appear_later_are_collected_and_emptied() -> None:
    async with control_plane("*", "-garbage-collector-controller", "-root-ca-certificate-publisher-controller") as plane:
        await plane.client.create(NAMESPACES, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "n"}})
        context = plane.manager.context_of("garbage-collector-controller")
        transport = HiddenKind(context.client.transport)
        context.client.transport = transport
        emptier = plane.manager.running["namespace-controller"].context.client
        emptied = HiddenKind(emptier.transport)
        emptier.transport, emptied.hidden = emptied, False
        ghost: Object = {"metadata": {"name": "ghost", "uid": "99999999-9999-9999-9999-999999999999"}}
        await config_map(plane, "stray", ghost)
        collector = GarbageCollector(context)
        plane.manager.running["garbage-collector-controller"] = collector
        await collector.start()
        await plane.settle(40)
        assert "stray" in await names(plane)
        transport.hidden = False
        await plane.settle(40)
        assert "stray" not in await names(plane)
        await config_map(plane, "later", namespace="n")
        emptied.broken = True
        await plane.client.delete(NAMESPACES, "n")
        await plane.settle(3)
        said = objects.condition(await plane.get(NAMESPACES, "n"), "NamespaceDeletionDiscoveryFailure") or {}
        assert (said["status"], said["reason"]) == ("True", "DiscoveryFailed")
        emptied.broken = False
        await plane.settle(5)
        assert not await plane.exists(NAMESPACES, "n")
