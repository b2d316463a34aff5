"""How fast nodes that are not ready lose their pods: zones, their states, and a cluster nobody can see."""

from __future__ import annotations

import math

import pytest

from controllers.runtime.disruption_zones import FULL, NORMAL, PARTIAL, EvictionPace, _Zone
from kctl.apimachinery import objects
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import NODES
from tests.integration.control_plane import ControlPlane, control_plane


@pytest.mark.parametrize(
    ("nodes", "bad", "state", "interval"),
    [
        (10, 0, NORMAL, 10.0),
        (10, 5, NORMAL, 10.0),
        (3, 2, NORMAL, 10.0),  # more than two
        (10, 6, PARTIAL, math.inf),
        (100, 55, PARTIAL, 100.0),
        (5, 5, FULL, 10.0),
        (1, 1, FULL, 10.0),
    ],
)
def test_states_of_a_zone(nodes: int, bad: int, state: str, interval: float) -> None:
    zone = _Zone(nodes, dict.fromkeys(map(str, range(bad))))
    assert (zone.state, zone.interval) == (state, interval)


def node(name: str, ready: bool = True, zone: str = "") -> Object:
    labels = {"topology.kubernetes.io/zone": zone} if zone else {}
    conditions = [{"type": "Ready", "status": "True" if ready else "False"}]
    return {"metadata": {"name": name, "labels": labels}, "status": {"conditions": conditions}}


def test_each_zone_has_its_own_pace() -> None:
    pace = EvictionPace()
    for zone in "ab":
        for number in range(4):
            pace.observe(node(f"{zone}{number}", number > 1, zone))
    assert [pace.wait_seconds(name, 0.0) for name in ("a0", "a1", "b0")] == [0.0, 10.0, 0.0]
    assert pace.wait_seconds("a1", 10.0) == 0.0
    assert sorted(pace.not_ready()) == ["a0", "a1", "b0", "b1"]


def test_a_zone_that_is_lost_is_evicted_and_a_cluster_that_is_lost_is_not() -> None:
    pace = EvictionPace()
    for zone in "ab":
        pace.observe(node(zone, True, zone))
    assert pace.observe(node("a", False, "a"))
    assert pace.wait_seconds("a", 0.0) == 0.0
    assert pace.observe(node("b", False, "b")) and pace.suspended
    assert pace.wait_seconds("b", 0.0) == math.inf
    assert not pace.observe(node("b", False, "b"))
    assert pace.forget("b") and pace.suspended
    assert pace.observe(node("c", True, "b")) and not pace.suspended
    pace.forget("c")
    pace.forget("a")
    assert not pace.suspended and pace.wait_seconds("a", 0.0) == 0.0


async def evicting(plane: ControlPlane) -> list[str]:
    found = []
    for entry in await plane.items(NODES):
        if any(taint["effect"] == "NoExecute" for taint in objects.spec(entry).get("taints") or ()):
            found.append(objects.name(entry))
    return found


async def test_one_node_every_ten_seconds() -> None:
    async with control_plane("node-lifecycle-controller") as plane:
        for number in range(7):
            await plane.add_node(f"n{number}")
        await plane.settle(1)
        for number in range(3):
            await plane.report_node(f"n{number}", "False")
        await plane.settle(1)
        assert await evicting(plane) == ["n0"]
        await plane.settle(10)
        assert await evicting(plane) == ["n0", "n1"]
        await plane.report_node("n2", "True")
        await plane.settle(10)
        assert await evicting(plane) == ["n0", "n1"]


async def test_when_every_node_is_gone_nobody_is_evicted_until_one_is_back() -> None:
    async with control_plane("node-lifecycle-controller") as plane:
        for name in ("a", "b"):
            await plane.add_node(name)
        await plane.settle(1)
        await plane.report_node("a", "False")
        await plane.settle(1)
        assert await evicting(plane) == ["a"]
        await plane.report_node("b", "False")
        await plane.settle(1)
        assert await evicting(plane) == []
        effects = [taint["effect"] for taint in objects.spec(await plane.get(NODES, "a"))["taints"]]
        assert effects == ["NoSchedule"]
        await plane.report_node("b", "True")
        await plane.settle(12)
        assert await evicting(plane) == ["a"]
