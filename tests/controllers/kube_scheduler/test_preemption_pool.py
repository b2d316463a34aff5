"""Whom a pod evicts is what trying every node anew would choose, whatever has happened since the nodes were tried first."""

from __future__ import annotations

import random
from typing import Any

import pytest

from controllers.kube_scheduler.assignment import Assigner, Placement, Run
from controllers.kube_scheduler.cache import Cache
from controllers.kube_scheduler.framework import Nomination
from controllers.kube_scheduler.pod_info import PodInfo, Shapes
from controllers.kube_scheduler.preemption.choice import Candidate, rank
from controllers.kube_scheduler.preemption.evaluator import Evaluator
from controllers.kube_scheduler.preemption.profile import add
from controllers.kube_scheduler.profile import default_profile

Object = dict[str, Any]


class Play:
    def __init__(self, seed: int) -> None:
        self.randomness = random.Random(seed)
        self.cache = Cache()
        self.budgets: list[Object] = []
        profile = default_profile(None)  # type: ignore[arg-type]
        self.profile = add(profile, Evaluator(self.cache, lambda: self.budgets, random.Random(seed)))
        self.shapes = Shapes(self.profile.reads)
        self.assigner = Assigner(self.profile, self.cache, random.Random(seed))
        self.count = self.preemptions = 0
        self.there: list[PodInfo] = []
        for number in range(12):
            allocatable = {"cpu": str(self.randomness.randint(2, 4)), "memory": "8Gi", "pods": "9"}
            self.cache.set_node({"metadata": {"name": f"n{number}"}, "spec": {}, "status": {"allocatable": allocatable}})

    def pod(self, priority: int, cpu: int) -> PodInfo:
        self.count += 1
        container = {"name": "c", "image": "i", "resources": {"requests": {"cpu": f"{cpu}00m"}}}
        meta = {"name": f"p{self.count}", "namespace": "d", "uid": f"u{self.count}", "labels": {"app": self.randomness.choice("ab")}}
        started = {"startTime": f"2026-01-01T00:00:{self.randomness.randint(10, 59)}Z"}
        return PodInfo.of({"metadata": meta, "spec": {"containers": [container], "priority": priority}, "status": started}, self.shapes)

    def somebody_comes(self) -> None:
        info = self.pod(self.randomness.randint(0, 3), self.randomness.randint(1, 12))
        self.cache.add_pod(info, f"n{self.randomness.randrange(12)}")
        self.there.append(info)

    def somebody_leaves(self) -> None:
        if self.there:
            self.cache.remove_pod(self.there.pop(self.randomness.randrange(len(self.there))).uid)

    def a_budget_changes(self) -> None:
        self.count += 1
        status = {"disruptionsAllowed": self.randomness.randint(0, 2)}
        meta = {"name": "b", "namespace": "d", "resourceVersion": str(self.count)}
        self.budgets = [{"metadata": meta, "spec": {"selector": {"matchLabels": {"app": "a"}}}, "status": status}]

    def schedule(self) -> None:
        info = self.pod(self.randomness.choice((2, 4)), self.randomness.choice((5, 15)))
        expected = self.cheapest(info)
        found = self.assigner.assign(info)
        if isinstance(found, Placement):
            self.there.append(info)
            return
        if expected is None:
            assert found.nomination is None
            assert "preemption: 0/12 nodes are available" in found.message
            return
        assert isinstance(found.nomination, Nomination)
        evaluator = Evaluator(self.cache, lambda: self.budgets, random.Random(1))
        chosen = self.costs(info, evaluator)[found.nomination.node]
        assert rank(chosen) == rank(expected)
        assert tuple(chosen.victims) == found.nomination.victims
        self.preemptions += 1
        self.cache.nominate(info, found.nomination.node)
        for victim in found.nomination.victims:
            self.cache.remove_pod(victim.uid)
            self.there.remove(victim)

    def cheapest(self, info: PodInfo) -> Candidate | None:
        costs = self.costs(info, Evaluator(self.cache, lambda: self.budgets, random.Random(1)))
        return min(costs.values(), key=rank, default=None)

    def costs(self, info: PodInfo, evaluator: Evaluator) -> dict[str, Candidate]:
        """Of each node, tried out on the cache itself."""
        run = Run(self.profile, self.cache, info, random.Random(1))
        if run.ranking():
            return {}
        found = {}
        for name in run.refusals():
            node = self.cache.node(name)
            assert node is not None
            with self.cache.trial(node) as trial:
                tried = evaluator._try(trial, run.state, info, node, run._passes_all, self.budgets)
            if isinstance(tried, Candidate):
                found[name] = tried
        return found


@pytest.mark.parametrize("seed", range(12))
def test_the_cheapest_is_chosen(seed: int) -> None:
    play = Play(seed)
    for _ in range(40):
        play.somebody_comes()
    moves = [play.schedule] * 8 + [play.somebody_comes] * 3 + [play.somebody_leaves] * 2 + [play.a_budget_changes]
    for _ in range(150):
        play.randomness.choice(moves)()
    assert play.preemptions > 3
