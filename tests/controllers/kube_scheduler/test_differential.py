"""Random clusters and pods of every kind: what the scheduler decides is what the plain rules say, whatever has happened before.

Each pod is one case: KCTL_SCHEDULING_CASES=20000 plays so many.
"""

from __future__ import annotations

import os
import random
from typing import Any

import pytest

from controllers.kube_scheduler.assignment import Refusal
from controllers.kube_scheduler.pod_info import PodInfo
from controllers.kube_scheduler.whole_cycle import PlainAssigner
from tests.controllers.kube_scheduler import reference, reference_nodes, test_relations

Object = dict[str, Any]
CASES = int(os.environ.get("KCTL_SCHEDULING_CASES", "320"))
PODS_PER_CLUSTER = 40
OPERATORS: list[Object] = [
    {"key": "zone", "operator": "In", "values": ["a", "b"]},
    {"key": "zone", "operator": "NotIn", "values": ["a"]},
    {"key": "rack", "operator": "Exists"},
    {"key": "rack", "operator": "DoesNotExist"},
    {"key": "cores", "operator": "Gt", "values": ["4"]},
    {"key": "cores", "operator": "Lt", "values": ["4"]},
]


def taint(randomness: random.Random) -> Object:
    effect = randomness.choice(["NoSchedule", "NoExecute", "PreferNoSchedule", "PreferNoSchedule"])
    return {"key": randomness.choice("kl"), "value": randomness.choice(["", "v"]), "effect": effect}


def toleration(randomness: random.Random) -> Object:
    made: Object = {"operator": randomness.choice(["Exists", "Equal"])}
    if made["operator"] == "Equal" or randomness.random() < 0.6:
        made["key"] = randomness.choice("kl")
    if made["operator"] == "Equal":
        made["value"] = randomness.choice(["", "v"])
    if randomness.random() < 0.5:
        made["effect"] = randomness.choice(["NoSchedule", "NoExecute", "PreferNoSchedule"])
    return made


def resources(randomness: random.Random) -> Object:
    found = {}
    for name, values in (("cpu", ["0", "100m", "700m", "1"]), ("memory", ["0", "100Mi", "1Gi"]), ("example.com/gpu", ["1"])):
        if randomness.random() < (0.15 if "/" in name else 0.7):
            found[name] = randomness.choice(values)
    return found


class Play(test_relations.Play):
    """Placed pods stay where they are until they leave; nodes change, come and go."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        for name in self.nodes:
            self.cache.set_node(self.node(name))
        self.templates = [self.template() for _ in range(6)]
        self.plain = PlainAssigner(self.profile, self.cache, random.Random(seed))

    def node(self, name: str) -> Object:
        draw = self.randomness
        made = test_relations._node(draw, name)
        made["metadata"]["labels"]["cores"] = draw.choice(["2", "4", "8", "many"])
        made["spec"] = {"taints": [taint(draw) for _ in range(draw.choice([0, 0, 1, 2]))], "unschedulable": draw.random() < 0.1}
        allocatable = {"cpu": f"{draw.randint(10, 40)}00m", "memory": f"{draw.randint(1, 6)}Gi", "pods": str(draw.randint(2, 8))}
        allocatable |= {"example.com/gpu": "2"} if draw.random() < 0.4 else {}
        images = [{"names": [f"i{number}:latest"], "sizeBytes": draw.choice([10, 400, 900]) * 2**20} for number in range(3)]
        made["status"] = {"allocatable": allocatable, "images": [image for image in images if draw.random() < 0.4]}
        return made

    def template(self) -> Object:
        draw = self.randomness
        template = test_relations._template(draw)
        spec = template["spec"]
        if draw.random() < 0.5:  # or nothing is feasible
            spec.pop("topologySpreadConstraints", None)
            (spec.get("affinity") or {}).pop("podAffinity", None)
        spec["containers"] = [self.container(number) for number in range(draw.choice([1, 1, 2]))]
        spec["initContainers"] = [
            self.container(9 + number) | ({"restartPolicy": "Always"} if draw.random() < 0.5 else {})
            for number in range(draw.choice([0, 0, 2]))
        ]
        spec["tolerations"] = [toleration(draw) for _ in range(draw.choice([0, 1, 2]))]
        if draw.random() < 0.2:
            spec["overhead"] = {"cpu": "100m", "memory": "50Mi"}
        if draw.random() < 0.2:
            spec["resources"] = {"requests": {draw.choice(["cpu", "memory"]): "1"}}
        if draw.random() < 0.3:
            spec["containers"][0]["ports"] = [
                {"containerPort": 1, "hostPort": draw.choice([80, 81]), "hostIP": draw.choice(["", "10.0.0.1"])}
            ]
        if draw.random() < 0.3:
            terms = [{"matchExpressions": draw.sample(OPERATORS, draw.choice([0, 1, 2]))} for _ in range(2)]
            spec.setdefault("affinity", {}).setdefault("nodeAffinity", {})[reference.REQUIRED] = {"nodeSelectorTerms": terms}
        if draw.random() < 0.4:
            liked = [{"weight": draw.randint(1, 100), "preference": {"matchExpressions": [draw.choice(OPERATORS)]}} for _ in range(2)]
            spec.setdefault("affinity", {}).setdefault("nodeAffinity", {})[reference.PREFERRED] = liked
        return template

    def container(self, number: int) -> Object:
        image = f"i{self.randomness.randrange(3)}"
        return {"name": f"c{number}", "image": image, "resources": {"requests": resources(self.randomness)}}

    def a_node_changes(self) -> None:
        name = self.randomness.choice(self.nodes)
        if self.randomness.random() < 0.3:
            self.cache.remove_node(name)
        else:
            self.cache.set_node(self.node(name))

    def expected(self, pod: Object) -> tuple[dict[str, int], dict[str, list[str]]]:
        """Total scores of the feasible nodes, and why not the others."""
        found = {there.name: there for there in self.cache.nodes()}
        placed = {name: [other.pod for other in there.pods.values()] for name, there in found.items()}
        bodies: dict[str, Object] = {name: there.node for name, there in found.items() if there.node is not None}
        nodes = [
            reference.Node(
                name, body["metadata"]["labels"], placed[name], reference_nodes.usable(pod, body), reference_nodes.wanted(pod, body)
            )
            for name, body in bodies.items()
        ]
        why: dict[str, list[str]] = {}
        for node in nodes:
            reasons = reference_nodes.refusal(pod, bodies[node.name], placed[node.name])
            if not reasons:
                words = reference.spread_refusal(pod, node, nodes)
                words = words or reference.affinity_refusal(pod, node, nodes, test_relations.NAMESPACES)
                reasons = [words] if words else []
            if reasons:
                why[node.name] = reasons
        feasible = [node for node in nodes if node.name not in why]
        if not feasible:
            return {}, why
        totals = reference_nodes.totals(pod, [bodies[node.name] for node in feasible], list(bodies.values()), placed)
        for scores in (
            reference.affinity_scores(pod, feasible, nodes, test_relations.NAMESPACES),
            reference.spread_scores(pod, feasible, nodes),
        ):
            for name, score in scores.items():
                totals[name] += 2 * score
        return totals, why

    def schedule(self) -> None:
        info: PodInfo = self._info()
        totals, why = self.expected(info.pod)
        assert {name: sorted(status.reasons) for name, status in self.plain.refusals(info).items()} == {
            name: sorted(reasons) for name, reasons in why.items()
        }
        found = self.assigner.assign(info)
        if isinstance(found, Refusal):
            self.refused += 1
            counts: dict[str, int] = {}
            for reason in (reason for reasons in why.values() for reason in reasons):
                counts[reason] = counts.get(reason, 0) + 1
            assert not totals
            expected = ", ".join(sorted(f"{count} {reason}" for reason, count in counts.items()))
            assert found.message.startswith(f"0/{len(why)} nodes are available: {expected}.")
        else:
            assert totals[found.node] == max(totals.values()), (found.node, totals)
            self.placed.append(info.uid)


@pytest.mark.parametrize("seed", range(CASES // PODS_PER_CLUSTER))
def test_every_decision_is_what_the_plain_rules_say(seed: int) -> None:
    play = Play(seed)
    moves = [play.someone_else_binds] + [play.a_pod_leaves] * 4 + [play.a_node_changes, play.a_pod_changes]
    for _ in range(PODS_PER_CLUSTER):
        play.schedule()
        while play.randomness.random() < 0.4:
            play.randomness.choice(moves)()
    assert play.refused < PODS_PER_CLUSTER
