"""What the reused order chooses is what a whole scheduling cycle would choose, whatever happens in between."""

from __future__ import annotations

import random
from typing import Any

import pytest

from controllers.kube_scheduler.assignment import Assigner, Placement, Refusal, Run
from controllers.kube_scheduler.cache import Cache
from controllers.kube_scheduler.pod_info import PodInfo, Shapes
from controllers.kube_scheduler.profile import default_profile

Object = dict[str, Any]
PROFILE = default_profile(None)  # type: ignore[arg-type]


def _node(randomness: random.Random, name: str) -> Object:
    taints = [{"key": "k", "effect": randomness.choice(["NoSchedule", "PreferNoSchedule"])}]
    return {
        "metadata": {"name": name, "labels": {"zone": randomness.choice("abc")}},
        "spec": {"taints": taints if randomness.random() < 0.3 else []},
        "status": {
            "allocatable": {"cpu": str(randomness.randint(1, 4)), "memory": "4Gi", "pods": str(randomness.randint(3, 9))},
            "images": [{"names": ["i1:latest"], "sizeBytes": 700_000_000}] if randomness.random() < 0.3 else [],
        },
    }


def _spec(randomness: random.Random) -> Object:
    preferred = [
        {"weight": weight, "preference": {"matchExpressions": [{"key": "zone", "operator": "In", "values": [zone]}]}}
        for weight, zone in ((10, "a"), (3, "b"))
    ]
    spec: Object = {
        "containers": [
            {
                "name": "c",
                "image": f"i{randomness.randint(1, 2)}",
                "resources": {"requests": {"cpu": f"{randomness.randint(0, 8)}00m", "memory": "100Mi"}},
                "ports": [{"containerPort": 1, "hostPort": 80}] if randomness.random() < 0.2 else [],
            }
        ]
    }
    if randomness.random() < 0.5:
        spec["affinity"] = {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": preferred}}
    if randomness.random() < 0.3:
        spec["tolerations"] = [{"operator": "Exists"}]
    return spec


class Play:
    def __init__(self, seed: int) -> None:
        self.randomness = random.Random(seed)
        self.cache, self.shapes = Cache(), Shapes(PROFILE.reads)
        self.assigner = Assigner(PROFILE, self.cache, random.Random(seed))
        self.nodes = [f"n{number}" for number in range(8)]
        for name in self.nodes:
            self.cache.set_node(_node(self.randomness, name))
        self.specs = [_spec(self.randomness) for _ in range(4)]
        self.placed: list[str] = []
        self.count = 0
        self.refused = 0

    def _info(self) -> PodInfo:
        self.count += 1
        meta = {"name": f"p{self.count}", "namespace": "d", "uid": f"u{self.count}"}
        return PodInfo.of({"metadata": meta, "spec": self.randomness.choice(self.specs)}, self.shapes)

    def schedule(self) -> None:
        info = self._info()
        whole_cycle = Run(PROFILE, self.cache, info, random.Random(1))
        best, message = whole_cycle.ranking(), whole_cycle.take
        found = self.assigner.assign(info)
        if isinstance(found, Refusal):
            self.refused += 1
            assert not best
            assert found == message(info)
        else:
            assert best[found.node] == max(best.values())
            self.placed.append(info.uid)

    def someone_else_binds(self) -> None:
        info = self._info()
        self.cache.add_pod(info, self.randomness.choice(self.nodes))
        self.placed.append(info.uid)

    def a_pod_leaves(self) -> None:
        if self.placed:
            self.cache.remove_pod(self.placed.pop(self.randomness.randrange(len(self.placed))))

    def a_node_changes(self) -> None:
        name = self.randomness.choice(self.nodes)
        if self.randomness.random() < 0.3:
            self.cache.remove_node(name)
        else:
            self.cache.set_node(_node(self.randomness, name))


@pytest.mark.parametrize("seed", range(20))
def test_every_choice_is_a_whole_cycles_choice(seed: int) -> None:
    play = Play(seed)
    moves = [play.schedule] * 12 + [play.someone_else_binds] * 2 + [play.a_pod_leaves] * 6 + [play.a_node_changes]
    for _ in range(300):
        play.randomness.choice(moves)()
    assert play.count > play.refused


def test_an_order_left_behind_by_the_journal_catches_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("controllers.kube_scheduler.cache._JOURNAL", 3)
    play = Play(7)
    for turn in range(60):
        for _ in range(turn % 7):
            play.someone_else_binds()
            play.a_pod_leaves()
        play.schedule()


def _filters_counted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    calls: list[str] = []
    for plugin in PROFILE.filter:
        original = type(plugin).filter

        def counted(self: Any, state: Any, pod: Any, node: Any, original: Any = original) -> Any:
            calls.append(node.name)
            return original(self, state, pod, node)

        monkeypatch.setattr(type(plugin), "filter", counted)
    return calls


@pytest.mark.parametrize("shapes", [1, 3])
def test_the_work_for_a_pod_does_not_grow_with_the_nodes(monkeypatch: pytest.MonkeyPatch, shapes: int) -> None:
    cache, known = Cache(), Shapes(PROFILE.reads)
    assigner = Assigner(PROFILE, cache, random.Random(1))
    for number in range(200):
        name = f"n{number}"
        cache.set_node({"metadata": {"name": name}, "status": {"allocatable": {"cpu": "9", "memory": "9Gi", "pods": "99"}}})

    def schedule(number: int) -> None:
        requests = {"cpu": f"{number % shapes + 1}m"}
        spec = {"containers": [{"name": "c", "resources": {"requests": requests}}]}
        meta = {"name": f"p{number}", "namespace": "d", "uid": f"u{number}"}
        assert isinstance(assigner.assign(PodInfo.of({"metadata": meta, "spec": spec}, known)), Placement)

    for number in range(10):
        schedule(number)
    calls = _filters_counted(monkeypatch)
    for number in range(10, 110):
        schedule(number)
        cache.remove_pod(f"u{number - 10}")
    assert len(calls) < 100 * 2 * 2 * (shapes + 1)
