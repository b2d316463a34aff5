"""PodDisruptionBudgets on the real API server: how many evictions they allow, and what evictions make of it."""

from __future__ import annotations

from typing import Any

import pytest

from kctl.apimachinery import objects
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import DEPLOYMENTS, POD_DISRUPTION_BUDGETS, PODS
from kctl.apimachinery.status import TooManyRequests
from kctl.apimachinery.times import rfc3339
from tests.integration.control_plane import ControlPlane, control_plane, deployment

CONTROLLERS = ("deployment-controller", "replicaset-controller", "disruption-controller")


async def budget(plane: ControlPlane, **spec: Any) -> None:
    wanted = {"selector": {"matchLabels": {"app": "web"}}, **spec}
    body = {"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": "b"}, "spec": wanted}
    await plane.client.create(POD_DISRUPTION_BUDGETS, body, "default")
    await plane.settle(1)


async def status(plane: ControlPlane) -> Object:
    return objects.status(await plane.get(POD_DISRUPTION_BUDGETS, "b"))


async def counts(plane: ControlPlane) -> tuple[int, int, int, int]:
    shown = await status(plane)
    return shown["disruptionsAllowed"], shown["currentHealthy"], shown["desiredHealthy"], shown["expectedPods"]


async def evict(plane: ControlPlane, name: str) -> None:
    body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name, "namespace": "default"}}
    await plane.client.create_subresource(PODS, name, "default", "eviction", body)


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"minAvailable": 3}, (1, 4, 3, 4)),
        ({"minAvailable": "60%"}, (1, 4, 3, 4)),
        ({"maxUnavailable": 2}, (2, 4, 2, 4)),
        ({"maxUnavailable": "50%"}, (2, 4, 2, 4)),
        ({"minAvailable": 9}, (0, 4, 9, 4)),
        ({"maxUnavailable": 9}, (4, 4, 0, 4)),
    ],
    ids=str,
)
async def test_what_budgets_allow(spec: Object, expected: tuple[int, int, int, int]) -> None:
    async with control_plane(*CONTROLLERS) as plane:
        await plane.client.create(DEPLOYMENTS, deployment(replicas=4), "default")
        await plane.settle(2)
        await budget(plane, **spec)
        assert await counts(plane) == expected
        (condition,) = (await status(plane))["conditions"]
        fine = expected[0] > 0
        assert (condition["type"], condition["status"]) == ("DisruptionAllowed", str(fine))
        assert condition["reason"] == ("SufficientPods" if fine else "InsufficientPods")


async def test_evictions_use_up_the_budget_and_it_recovers() -> None:
    async with control_plane(*CONTROLLERS) as plane:
        await plane.client.create(DEPLOYMENTS, deployment(replicas=3), "default")
        await plane.settle(2)
        await budget(plane, maxUnavailable=1)
        plane.nodes.ready = lambda pod: False
        first, second, _ = [objects.name(pod) for pod in await plane.items(PODS)]
        await evict(plane, first)
        with pytest.raises(TooManyRequests):
            await evict(plane, second)
        await plane.settle(1)
        assert await counts(plane) == (0, 2, 2, 3)
        plane.nodes.ready = lambda pod: True
        for pod in await plane.items(PODS):
            await plane.client.patch(PODS, objects.name(pod), {"metadata": {"annotations": {"look": "again"}}}, "default")
        await plane.settle(2)
        assert await counts(plane) == (1, 3, 2, 3)
        assert "disruptedPods" not in await status(plane)


async def test_a_granted_eviction_that_did_not_happen_is_forgotten_after_two_minutes() -> None:
    async with control_plane(*CONTROLLERS) as plane:
        await plane.client.create(DEPLOYMENTS, deployment(replicas=2), "default")
        await plane.settle(2)
        await budget(plane, maxUnavailable=1)
        pod = objects.name((await plane.items(PODS))[0])
        present = await plane.get(POD_DISRUPTION_BUDGETS, "b")
        stamp = rfc3339(plane.clock.now())
        await plane.client.update_status(POD_DISRUPTION_BUDGETS, objects.with_status(present, disruptedPods={pod: stamp}))
        await plane.settle(1)
        assert await counts(plane) == (0, 1, 1, 2)
        await plane.settle(121)
        assert await counts(plane) == (1, 2, 1, 2)
        assert ("Pod", "NotDeleted", "Pod was expected by PDB default/b to be deleted but it wasn't", 1) in await plane.events()


async def test_pods_of_nobody_count_for_a_number_and_nobody_else() -> None:
    async with control_plane(*CONTROLLERS) as plane:
        for name in "ab":
            spec = {"containers": [{"name": "c", "image": "i"}]}
            body = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": {"app": "web"}}, "spec": spec}
            await plane.client.create(PODS, body, "default")
        await plane.settle(1)
        await budget(plane, minAvailable=1)
        assert await counts(plane) == (1, 2, 1, 2)
        await plane.merge(POD_DISRUPTION_BUDGETS, "b", {"spec": {"minAvailable": None, "maxUnavailable": 1}})
        await plane.settle(1)
        assert await counts(plane) == (0, 2, 0, 0)
        assert "UnmanagedPods" in {reason for _, reason, _, _ in await plane.events()}


async def test_a_pod_that_was_to_be_disrupted_and_was_not() -> None:
    async with control_plane(*CONTROLLERS) as plane:
        await plane.client.create(DEPLOYMENTS, deployment(replicas=1), "default")
        await plane.settle(2)
        (pod,) = await plane.items(PODS)
        target = {"type": "DisruptionTarget", "status": "True", "reason": "EvictionByEvictionAPI"}
        target["lastTransitionTime"] = rfc3339(plane.clock.now())
        conditions = [*objects.status(pod)["conditions"], target]
        await plane.client.update_status(PODS, objects.with_status(pod, conditions=conditions))
        await plane.settle(110)
        assert objects.is_condition_true(await plane.get(PODS, objects.name(pod)), "DisruptionTarget")
        await plane.settle(15)
        assert not objects.is_condition_true(await plane.get(PODS, objects.name(pod)), "DisruptionTarget")
