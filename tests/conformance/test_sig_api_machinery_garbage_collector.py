"""The official conformance tests of the garbage collector: what becomes of what a deleted object owns."""

from __future__ import annotations

from typing import Any

import pytest

from kctl.apimachinery import objects
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import DEPLOYMENTS, PODS, REPLICA_SETS, ResourceType, built_in
from tests.integration.control_plane import ControlPlane, control_plane, deployment

pytestmark = pytest.mark.virtual_time
CONTROLLERS = built_in("v1", "ReplicationController")
MANY = 20
"""The official tests take as many pods as fit, from 10 to 100."""


async def controller(plane: ControlPlane, name: str, replicas: int, **labels: str) -> Object:
    """A ReplicationController, when it has its pods."""
    wanted = labels or {"gctest": name}
    template = {"metadata": {"labels": wanted}, "spec": {"containers": [{"name": "nginx", "image": "i"}]}}
    spec = {"replicas": replicas, "selector": wanted, "template": template}
    made = await plane.client.create(CONTROLLERS, {"metadata": {"name": name}, "spec": spec}, "default")

    async def complete() -> bool:
        return objects.status(await plane.get(CONTROLLERS, name)).get("replicas", 0) == replicas

    await plane.until(complete)
    return made


async def deploy(plane: ControlPlane) -> Object:
    """A Deployment, when it has its ReplicaSet."""
    made = await plane.client.create(DEPLOYMENTS, deployment("simpletest.deployment", 2), "default")

    async def complete() -> bool:
        return len(await plane.items(REPLICA_SETS)) == 1 and len(await plane.items(PODS)) == 2

    await plane.until(complete)
    return made


async def delete(plane: ControlPlane, resource: ResourceType, obj: Object, policy: str) -> None:
    await plane.client.delete(resource, objects.name(obj), "default", propagation_policy=policy, uid=objects.uid(obj))


async def until_gone(plane: ControlPlane, resource: ResourceType, selector: str = "") -> None:
    async def gone() -> bool:
        return await plane.items(resource, selector=selector) == []

    await plane.until(gone, 60)


def owners(obj: Object) -> list[Any]:
    return [reference["name"] for reference in objects.owner_references(obj)]


async def test_pods_go_with_their_controller() -> None:
    """[sig-api-machinery] Garbage collector should delete pods created by rc when not orphaning [Conformance]"""
    async with control_plane() as plane:
        made = await controller(plane, "simpletest.rc", 2)
        assert len(await plane.items(PODS)) == 2
        await delete(plane, CONTROLLERS, made, "Background")
        assert not await plane.exists(CONTROLLERS, "simpletest.rc")
        await until_gone(plane, PODS)


async def test_pods_are_orphaned() -> None:
    """[sig-api-machinery] Garbage collector should orphan pods created by rc if delete options say so [Serial] [Conformance]"""
    async with control_plane() as plane:
        made = await controller(plane, "simpletest.rc", MANY)
        await delete(plane, CONTROLLERS, made, "Orphan")
        await until_gone(plane, CONTROLLERS)
        await plane.settle(30)
        left = await plane.items(PODS)
        assert len(left) == MANY and not any(owners(pod) or objects.deletion_timestamp(pod) for pod in left)


async def test_replica_sets_go_with_their_deployment() -> None:
    """[sig-api-machinery] Garbage collector should delete RS created by deployment when not orphaning [Conformance]"""
    async with control_plane() as plane:
        await delete(plane, DEPLOYMENTS, await deploy(plane), "Background")
        for resource in (DEPLOYMENTS, REPLICA_SETS, PODS):
            await until_gone(plane, resource)


async def test_replica_sets_are_orphaned() -> None:
    """[sig-api-machinery] Garbage collector should orphan RS created by deployment when deleteOptions.PropagationPolicy is Orphan
    [Conformance]"""
    async with control_plane() as plane:
        await delete(plane, DEPLOYMENTS, await deploy(plane), "Orphan")
        await until_gone(plane, DEPLOYMENTS)
        await plane.settle(30)
        (left,) = await plane.items(REPLICA_SETS)
        assert owners(left) == [] and not objects.deletion_timestamp(left)
        assert [owners(pod) for pod in await plane.items(PODS)] == [[objects.name(left)]] * 2


async def test_a_controller_waits_for_its_pods() -> None:
    """[sig-api-machinery] Garbage collector should keep the rc around until all its pods are deleted if the deleteOptions says so
    [Serial] [Conformance]"""
    async with control_plane() as plane:
        made = await controller(plane, "simpletest.rc", MANY)
        plane.nodes.enabled = False  # so that the pods' own end can be seen
        await delete(plane, CONTROLLERS, made, "Foreground")
        await plane.settle(30)
        assert objects.deletion_timestamp(await plane.get(CONTROLLERS, "simpletest.rc"))
        pods = await plane.items(PODS)
        assert len(pods) == MANY and all(objects.deletion_timestamp(pod) for pod in pods)
        for pod in pods:
            assert await plane.exists(CONTROLLERS, "simpletest.rc")
            await plane.client.delete(PODS, objects.name(pod), "default", grace_period_seconds=0)
        await until_gone(plane, CONTROLLERS)
        assert await plane.items(PODS) == []


async def test_another_owner_keeps_what_it_owns() -> None:
    """[sig-api-machinery] Garbage collector should not delete dependents that have both valid owner and owner that's waiting for
    dependents to be deleted [Serial] [Conformance]"""
    async with control_plane() as plane:
        goes = await controller(plane, "simpletest-rc-to-be-deleted", MANY)
        stays = await controller(plane, "simpletest-rc-to-stay", 0, another="key")
        reference = {"apiVersion": "v1", "kind": "ReplicationController", "name": objects.name(stays), "uid": objects.uid(stays)}
        half = [objects.name(pod) for pod in await plane.items(PODS)][: MANY // 2]
        for name in half:
            pod = await plane.get(PODS, name)
            references = [*objects.owner_references(pod), reference]
            await plane.merge(PODS, name, {"metadata": {"ownerReferences": references}})
        await delete(plane, CONTROLLERS, goes, "Foreground")

        async def gone() -> bool:
            return not await plane.exists(CONTROLLERS, objects.name(goes))

        await plane.until(gone, 90)
        await plane.settle(30)
        left = await plane.items(PODS)
        assert sorted(objects.name(pod) for pod in left) == sorted(half)
        assert all(owners(pod) == [objects.name(stays)] and not objects.deletion_timestamp(pod) for pod in left)


async def test_a_circle_blocks_nothing() -> None:
    """[sig-api-machinery] Garbage collector should not be blocked by dependency circle [Conformance]"""
    async with control_plane() as plane:
        pods = {}
        for name in ("pod1", "pod2", "pod3"):
            body = {"metadata": {"name": name}, "spec": {"containers": [{"name": "nginx", "image": "i"}]}}
            pods[name] = await plane.client.create(PODS, body, "default")
        for name, owner in (("pod1", "pod3"), ("pod2", "pod1"), ("pod3", "pod2")):
            reference = {"apiVersion": "v1", "kind": "Pod", "name": owner, "uid": objects.uid(pods[owner])}
            reference |= {"controller": True, "blockOwnerDeletion": True}
            await plane.merge(PODS, name, {"metadata": {"ownerReferences": [reference]}})
        await delete(plane, PODS, pods["pod1"], "Foreground")
        await until_gone(plane, PODS)
