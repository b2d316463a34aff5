"""The official conformance tests of PodDisruptionBudgets and evictions, step by step."""

from __future__ import annotations

from typing import Any

import pytest

from kctl.apimachinery import objects
from kctl.apimachinery.objects import Object
from kctl.apimachinery.times import rfc3339
from tests.conformance.suite import NAMESPACE, PODS, Suite, pod, selected, suite

pytestmark = pytest.mark.virtual_time
BUDGETS = f"/apis/policy/v1/namespaces/{NAMESPACE}/poddisruptionbudgets"
EVERYWHERE = "/apis/policy/v1/poddisruptionbudgets"


def budget(name: str = "foo", **spec: Any) -> Object:
    labels = {"app": "budgeted"}
    return {"metadata": {"name": name, "labels": labels}, "spec": {"selector": {"matchLabels": {"foo": "bar"}}, **spec}}


async def processed(e2e: Suite, name: str = "foo") -> Object:
    def holds(made: Object) -> bool:
        return bool(made.get("status", {}).get("observedGeneration", 0) >= made["metadata"]["generation"])

    made: Object = await e2e.until(f"{BUDGETS}/{name}", holds)
    return made


async def pods(e2e: Suite, count: int) -> list[Object]:
    for number in range(count):
        await e2e.create(PODS, pod(f"pod-{number}", {"foo": "bar"}))
    return await e2e.running("foo=bar", count)


async def evict(e2e: Suite, name: str) -> tuple[int, Any]:
    body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name, "namespace": NAMESPACE}}
    return await e2e.ask("POST", f"{PODS}/{name}/eviction", body)


async def test_create() -> None:
    """[sig-apps] DisruptionController should create a PodDisruptionBudget [Conformance]"""
    async with suite() as e2e:
        await e2e.create(BUDGETS, budget(minAvailable="1%"))
        assert (await processed(e2e))["spec"]["minAvailable"] == "1%"
        await e2e.update_until(f"{BUDGETS}/foo", lambda made: {**made, "spec": {**made["spec"], "minAvailable": "2%"}})
        assert (await processed(e2e))["spec"]["minAvailable"] == "2%"
        await e2e.patch(f"{BUDGETS}/foo", {"spec": {"minAvailable": "3%"}})
        assert (await processed(e2e))["spec"]["minAvailable"] == "3%"
        await e2e.delete(f"{BUDGETS}/foo")
        await e2e.gone(f"{BUDGETS}/foo")


async def test_collection() -> None:
    """[sig-apps] DisruptionController Listing PodDisruptionBudgets for all namespaces should list and delete a collection of PodDisruptionBudgets [Conformance]"""  # noqa: E501
    async with suite() as e2e:
        await e2e.create("/api/v1/namespaces", {"metadata": {"name": "other"}})
        there = BUDGETS.replace(NAMESPACE, "other")
        for name in ("foo", "foo2"):
            await e2e.create(BUDGETS, budget(name, minAvailable=1))
            await processed(e2e, name)
        await e2e.create(there, budget("foo3", maxUnavailable=1))
        assert await e2e.names(EVERYWHERE, "app=budgeted") == ["foo", "foo2", "foo3"]
        await e2e.delete(selected(BUDGETS, "app=budgeted"))
        await e2e.empty(BUDGETS, "app=budgeted")
        assert await e2e.names(EVERYWHERE, "app=budgeted") == ["foo3"]


async def test_status_is_observed() -> None:
    """[sig-apps] DisruptionController should observe PodDisruptionBudget status updated [Conformance]"""
    async with suite() as e2e:
        await e2e.create(BUDGETS, budget(minAvailable=1))
        await pods(e2e, 3)
        made = await e2e.until(f"{BUDGETS}/foo", lambda made: made["status"]["disruptionsAllowed"] > 0)
        status = made["status"]
        assert (status["currentHealthy"], status["desiredHealthy"], status["expectedPods"]) == (3, 1, 3)
        assert status["disruptionsAllowed"] == 2


async def test_status_is_changed() -> None:
    """[sig-apps] DisruptionController should update/patch PodDisruptionBudget status [Conformance]"""
    async with suite() as e2e:
        await e2e.create(BUDGETS, budget(minAvailable=1))
        (only,) = await pods(e2e, 1)
        await e2e.until(f"{BUDGETS}/foo", lambda made: made["status"].get("currentHealthy") == 1)
        name, now = objects.name(only), rfc3339(e2e.cluster.clock.now())
        updated = await e2e.update_until(f"{BUDGETS}/foo/status", lambda made: objects.with_status(made, disruptedPods={name: now}))
        assert list(updated["status"]["disruptedPods"]) == [name]
        await e2e.until(f"{BUDGETS}/foo", lambda made: name in made["status"].get("disruptedPods", {}))
        patched = await e2e.patch(f"{BUDGETS}/foo/status", {"status": {"disruptedPods": {name: None}}})
        assert not patched["status"].get("disruptedPods")


async def test_evictions_are_blocked() -> None:
    """[sig-apps] DisruptionController should block an eviction until the PDB is updated to allow it [Conformance]"""
    async with suite() as e2e:
        await e2e.create(BUDGETS, budget(minAvailable=3))
        first, second, _ = await pods(e2e, 3)
        await e2e.until(f"{BUDGETS}/foo", lambda made: made["status"]["currentHealthy"] == 3)
        code, answer = await evict(e2e, objects.name(first))
        assert (code, answer["reason"]) == (429, "TooManyRequests")
        (cause,) = answer["details"]["causes"]
        assert cause == {"reason": "DisruptionBudget", "message": "The disruption budget foo needs 3 healthy pods and has 3 currently"}
        await e2e.update_until(f"{BUDGETS}/foo", lambda made: {**made, "spec": {**made["spec"], "minAvailable": 2}})
        await e2e.until(f"{BUDGETS}/foo", lambda made: made["status"]["disruptionsAllowed"] == 1)
        assert (await evict(e2e, objects.name(first)))[0] == 201
        await e2e.gone(f"{PODS}/{objects.name(first)}")
        await e2e.create(PODS, pod("pod-3", {"foo": "bar"}))
        await e2e.running("foo=bar", 3)
        await e2e.patch(f"{BUDGETS}/foo", {"spec": {"minAvailable": 3}})
        await e2e.until(f"{BUDGETS}/foo", lambda made: made["status"]["desiredHealthy"] == 3 and made["status"]["currentHealthy"] == 3)
        assert (await evict(e2e, objects.name(second)))[0] == 429
        await e2e.delete(f"{BUDGETS}/foo")
        await e2e.gone(f"{BUDGETS}/foo")
        assert (await evict(e2e, objects.name(second)))[0] == 201
        await e2e.gone(f"{PODS}/{objects.name(second)}")
