"""Pod affinity and topology spreading: what the counts that are kept up choose is what looking at every pod anew would choose."""

from __future__ import annotations

import os
import random
from typing import Any

import pytest

from controllers.kube_scheduler.assignment import Assigner, Refusal
from controllers.kube_scheduler.cache import Cache
from controllers.kube_scheduler.framework import CycleState
from controllers.kube_scheduler.plugins.node_affinity import NodeAffinity
from controllers.kube_scheduler.plugins.taint_toleration import TaintToleration
from controllers.kube_scheduler.pod_info import PodInfo, Shapes
from controllers.kube_scheduler.profile import default_profile
from controllers.kube_scheduler.relations import profile as relations
from controllers.kube_scheduler.relations.index import RelationIndex
from controllers.kube_scheduler.relations.terms import Subjects
from tests.controllers.kube_scheduler import reference

Object = dict[str, Any]
BASE = default_profile(None)  # type: ignore[arg-type]
NAMESPACES = {"d": {"team": "one"}, "e": {"team": "two"}}
SEEDS = int(os.environ.get("KCTL_RELATION_SEEDS", "16"))
"""More of them: KCTL_RELATION_SEEDS=300 has played some 20,000 pods."""
KEYS = ("zone", "rack", "kubernetes.io/hostname")


def _selector(randomness: random.Random) -> Object | None:
    return randomness.choice(
        [
            None,
            {},
            {"matchLabels": {"app": randomness.choice("ab")}},
            {"matchExpressions": [{"key": "app", "operator": "In", "values": ["a", "b"]}]},
            {"matchExpressions": [{"key": "app", "operator": "NotIn", "values": ["a"]}]},
        ]
    )


def _term(randomness: random.Random) -> Object:
    term: Object = {"topologyKey": randomness.choice(KEYS), "labelSelector": _selector(randomness)}
    if randomness.random() < 0.3:
        term["namespaces"] = [randomness.choice("de")]
    if randomness.random() < 0.3:
        term["namespaceSelector"] = randomness.choice([{}, {"matchLabels": {"team": "one"}}])
    return term


def _affinity(randomness: random.Random) -> Object:
    found: Object = {}
    for kind, chance in (("podAffinity", 0.35), ("podAntiAffinity", 0.35)):
        if randomness.random() < chance:
            found.setdefault(kind, {})[reference.REQUIRED] = [_term(randomness) for _ in range(randomness.choice([1, 1, 2]))]
        if randomness.random() < chance:
            weighed = [
                {"weight": randomness.randint(1, 100), "podAffinityTerm": _term(randomness)} for _ in range(randomness.randint(1, 2))
            ]
            found.setdefault(kind, {})[reference.PREFERRED] = weighed
    return found


def _constraint(randomness: random.Random) -> Object:
    made: Object = {
        "maxSkew": randomness.randint(1, 3),
        "topologyKey": randomness.choice(KEYS),
        "whenUnsatisfiable": randomness.choice(["DoNotSchedule", "ScheduleAnyway"]),
        "labelSelector": _selector(randomness),
    }
    if randomness.random() < 0.4:
        made["nodeAffinityPolicy"] = randomness.choice(["Honor", "Ignore"])
    if randomness.random() < 0.4:
        made["nodeTaintsPolicy"] = randomness.choice(["Honor", "Ignore"])
    if made["whenUnsatisfiable"] == "DoNotSchedule" and randomness.random() < 0.3:
        made["minDomains"] = randomness.randint(1, 4)
    return made


def _template(randomness: random.Random) -> Object:
    spec: Object = {"containers": [{"name": "c", "image": "i", "resources": {"requests": {"cpu": f"{randomness.randint(0, 5)}00m"}}}]}
    if affinity := _affinity(randomness):
        spec["affinity"] = affinity
    if randomness.random() < 0.4:
        spec["topologySpreadConstraints"] = [_constraint(randomness) for _ in range(randomness.randint(1, 2))]
    if randomness.random() < 0.3:
        spec["nodeSelector"] = {"zone": randomness.choice("ab")}
    if randomness.random() < 0.3:
        spec["tolerations"] = [{"operator": "Exists"}]
    return {
        "spec": spec,
        "labels": {"app": randomness.choice("abc")} if randomness.random() < 0.9 else {},
        "namespace": randomness.choice("dde"),
    }


def _node(randomness: random.Random, name: str) -> Object:
    labels = {"kubernetes.io/hostname": name, "zone": randomness.choice("abc"), "rack": randomness.choice("xyzw")}
    if randomness.random() < 0.15:
        del labels[randomness.choice(["zone", "rack"])]
    taints = [{"key": "k", "effect": randomness.choice(["NoSchedule", "PreferNoSchedule"])}] if randomness.random() < 0.3 else []
    allocatable = {"cpu": str(randomness.randint(1, 4)), "memory": "9Gi", "pods": "20"}
    return {"metadata": {"name": name, "labels": labels}, "spec": {"taints": taints}, "status": {"allocatable": allocatable}}


class Play:
    def __init__(self, seed: int) -> None:
        self.randomness = random.Random(seed)
        self.cache = Cache()
        self.index = RelationIndex(self.cache, Subjects(), lambda name: NAMESPACES[name])
        self.profile = relations.add(BASE, self.index)
        self.shapes = Shapes(self.profile.reads)
        self.assigner = Assigner(self.profile, self.cache, random.Random(seed))
        self.nodes = [f"n{number}" for number in range(9)]
        for name in self.nodes:
            self.cache.set_node(_node(self.randomness, name))
        self.templates = [_template(self.randomness) for _ in range(5)]
        self.placed: list[str] = []
        self.count = self.refused = 0

    def _info(self) -> PodInfo:
        self.count += 1
        template = self.randomness.choice(self.templates)
        meta = {"name": f"p{self.count}", "uid": f"u{self.count}", "namespace": template["namespace"], "labels": template["labels"]}
        return PodInfo.of({"metadata": meta, "spec": template["spec"]}, self.shapes)

    def _expected(self, info: PodInfo) -> tuple[dict[str, int], dict[str, str]]:
        """Scores of the feasible nodes, and why not the others."""
        pod, state = info.pod, CycleState()
        nodes, why = [], {}
        for there in self.cache.nodes():
            usable = TaintToleration().filter(state, info, there) is None
            wanted = NodeAffinity().filter(state, info, there) is None
            nodes.append(reference.Node(there.name, there.labels, [other.pod for other in there.pods.values()], usable, wanted))
        for node in nodes:
            there = self.cache.node(node.name)
            assert there is not None
            refusals = (plugin.filter(state, info, there) for plugin in BASE.filter)
            plain = next((refusal.reasons[0] for refusal in refusals if refusal is not None), "")
            reason = plain or reference.spread_refusal(pod, node, nodes) or reference.affinity_refusal(pod, node, nodes, NAMESPACES)
            if reason:
                why[node.name] = reason
        feasible = [node for node in nodes if node.name not in why]
        if not feasible:
            return {}, why
        totals = dict.fromkeys((node.name for node in feasible), 0)
        for plugin, weight in BASE.score:
            raw = {node.name: plugin.score(state, info, self.cache.node(node.name)) for node in feasible}  # type: ignore[arg-type]
            for name, score in plugin.normalize(raw).items():
                totals[name] += weight * score
        for name, score in reference.affinity_scores(pod, feasible, nodes, NAMESPACES).items():
            totals[name] += 2 * score
        for name, score in reference.spread_scores(pod, feasible, nodes).items():
            totals[name] += 2 * score
        return totals, why

    def schedule(self) -> None:
        info = self._info()
        totals, why = self._expected(info)
        found = self.assigner.assign(info)
        if isinstance(found, Refusal):
            self.refused += 1
            counts: dict[str, int] = {}
            for reason in why.values():
                counts[reason] = counts.get(reason, 0) + 1
            assert not totals
            expected = ", ".join(sorted(f"{count} {reason}" for reason, count in counts.items()))
            assert found.message.startswith(f"0/{len(why)} nodes are available: {expected}.")
        else:
            assert totals[found.node] == max(totals.values()), (found.node, totals)
            self.placed.append(info.uid)

    def someone_else_binds(self) -> None:
        info = self._info()
        self.cache.add_pod(info, self.randomness.choice(self.nodes))
        self.placed.append(info.uid)

    def a_pod_leaves(self) -> None:
        if self.placed:
            self.cache.remove_pod(self.placed.pop(self.randomness.randrange(len(self.placed))))

    def a_pod_changes(self) -> None:
        if self.placed:
            info = self.cache.pod(self.randomness.choice(self.placed))
            assert info is not None
            meta = {**info.pod["metadata"], "labels": {"app": self.randomness.choice("abc")}}
            if self.randomness.random() < 0.5:
                meta["deletionTimestamp"] = "2026-01-01T00:00:00Z"
            self.cache.replace_pod(PodInfo.of({**info.pod, "metadata": meta}, self.shapes))

    def a_node_changes(self) -> None:
        name = self.randomness.choice(self.nodes)
        if self.randomness.random() < 0.3:
            self.cache.remove_node(name)
        else:
            self.cache.set_node(_node(self.randomness, name))


@pytest.mark.parametrize("seed", range(SEEDS))
def test_every_choice_is_what_the_plain_rules_say(seed: int) -> None:
    play = Play(seed)
    moves = [play.schedule] * 12 + [play.someone_else_binds] * 2 + [play.a_pod_leaves] * 6 + [play.a_node_changes, play.a_pod_changes]
    for _ in range(120):
        play.randomness.choice(moves)()
    assert play.count > 20
