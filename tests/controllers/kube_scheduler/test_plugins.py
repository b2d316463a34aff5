"""Each plugin's answers for one pod and one node, and what is said of pods that name their nodes."""

from __future__ import annotations

import random
from typing import Any

import pytest

from controllers.kube_scheduler.assignment import Assigner, Refusal
from controllers.kube_scheduler.cache import Cache, NodeInfo
from controllers.kube_scheduler.framework import Code, CycleState, ScorePlugin, normalize_by_maximum
from controllers.kube_scheduler.plugins.image_locality import ImageLocality
from controllers.kube_scheduler.plugins.node_affinity import NodeAffinity
from controllers.kube_scheduler.plugins.node_ports import NodePorts
from controllers.kube_scheduler.plugins.node_resources_balanced_allocation import NodeResourcesBalancedAllocation
from controllers.kube_scheduler.plugins.node_resources_fit import NodeResourcesFit
from controllers.kube_scheduler.plugins.node_unschedulable import NodeUnschedulable
from controllers.kube_scheduler.plugins.scheduling_gates import SchedulingGates
from controllers.kube_scheduler.plugins.taint_toleration import TaintToleration
from controllers.kube_scheduler.pod_info import DEFAULT_MEMORY, DEFAULT_MILLI_CPU, PodInfo, Shapes, shape_of
from controllers.kube_scheduler.profile import default_profile

Object = dict[str, Any]
PROFILE = default_profile(None)  # type: ignore[arg-type]
MIB = 1024 * 1024


def node(name: str = "n", *, labels: Object | None = None, images: list[Object] | None = None, **spec: Any) -> NodeInfo:
    allocatable = spec.pop("allocatable", {"cpu": "2", "memory": "1000Mi", "ephemeral-storage": "10Gi", "pods": "3"})
    info = NodeInfo(name)
    info.set_node(
        {
            "metadata": {"name": name, "labels": labels or {}},
            "spec": spec,
            "status": {"allocatable": allocatable, "images": images or []},
        }
    )
    return info


def pod(requests: Object | None = None, name: str = "p", **spec: Any) -> PodInfo:
    ports = spec.pop("ports", [])
    container = {"name": "c", "image": "i", "resources": {"requests": requests or {}}, "ports": ports}
    meta = {"name": name, "namespace": "d", "uid": name}
    return PodInfo.of({"metadata": meta, "spec": {"containers": [container], **spec}}, Shapes(PROFILE.reads))


def holding(info: NodeInfo, *pods: PodInfo) -> NodeInfo:
    for each in pods:
        info.add_pod(each)
    return info


STATE = CycleState()


@pytest.mark.parametrize(
    ("wanted", "there", "reasons", "code"),
    [
        ({"cpu": "2"}, [], (), None),
        ({"cpu": "2001m"}, [], ("Insufficient cpu",), Code.UNRESOLVABLE),
        ({"cpu": "1500m"}, [{"cpu": "1"}], ("Insufficient cpu",), Code.UNSCHEDULABLE),
        ({"memory": "600Mi"}, [{"memory": "500Mi"}], ("Insufficient memory",), Code.UNSCHEDULABLE),
        ({"ephemeral-storage": "11Gi"}, [], ("Insufficient ephemeral-storage",), Code.UNRESOLVABLE),
        ({"example.com/gpu": "1"}, [], ("Insufficient example.com/gpu",), Code.UNRESOLVABLE),
        ({"hugepages-2Mi": "4Mi"}, [], ("Insufficient hugepages-2Mi",), Code.UNRESOLVABLE),
        ({}, [{}, {}, {}], ("Too many pods",), Code.UNSCHEDULABLE),
        (
            {"cpu": "1", "memory": "2Gi"},
            [{"cpu": "1500m"}, {}, {}],
            ("Too many pods", "Insufficient cpu", "Insufficient memory"),
            Code.UNRESOLVABLE,
        ),
    ],
    ids=lambda value: str(value),
)
def test_node_resources_fit(wanted: Object, there: list[Object], reasons: tuple[str, ...], code: Code | None) -> None:
    full = holding(node(), *(pod(each, f"there-{number}") for number, each in enumerate(there)))
    status = NodeResourcesFit().filter(STATE, pod(wanted), full)
    assert (status.reasons if status else (), status.code if status else None) == (reasons, code)


def test_a_pod_without_requests_fits_a_node_that_has_nothing_left() -> None:
    full = holding(node(), pod({"cpu": "2", "memory": "1000Mi"}, "big"))
    assert NodeResourcesFit().filter(STATE, pod(), full) is None


def test_room_comes_back_when_pods_leave() -> None:
    full = holding(node(), pod({"cpu": "2", "example.com/gpu": "1"}, "big"))
    full.remove_pod("big")
    assert NodeResourcesFit().filter(STATE, pod({"cpu": "2"}), full) is None
    assert (full.requested.milli_cpu, full.non_zero_memory, full.requested.scalars["example.com/gpu"]) == (0, 0, 0)


@pytest.mark.parametrize(
    ("plugin", "wanted", "there", "score"),
    [
        (NodeResourcesFit(), {"cpu": "1", "memory": "500Mi"}, [], 50),
        (NodeResourcesFit(), {"cpu": "500m", "memory": "250Mi"}, [{"cpu": "500m", "memory": "250Mi"}], 50),
        (NodeResourcesFit(), {"cpu": "2", "memory": "1000Mi"}, [], 0),
        (NodeResourcesFit(), {}, [], (95 + 80) // 2),
        (NodeResourcesFit(), {"cpu": "0", "memory": "0"}, [], 100),
        (NodeResourcesBalancedAllocation(), {}, [], 0),
        (NodeResourcesBalancedAllocation(), {"cpu": "1", "memory": "500Mi"}, [], 50),
        (NodeResourcesBalancedAllocation(), {"cpu": "1"}, [], 37),
        (NodeResourcesBalancedAllocation(), {"cpu": "1"}, [{"memory": "500Mi"}], 62),
    ],
    ids=lambda value: type(value).__name__ if hasattr(value, "score") else str(value),
)
def test_scores_of_resources(plugin: ScorePlugin, wanted: Object, there: list[Object], score: int) -> None:
    holder = holding(node(), *(pod(each, f"there-{number}") for number, each in enumerate(there)))
    assert plugin.score(STATE, pod(wanted), holder) == score


@pytest.mark.parametrize(
    ("used", "wanted", "free"),
    [
        ({"hostPort": 80}, {"hostPort": 80}, False),
        ({"hostPort": 80}, {"hostPort": 81}, True),
        ({"hostPort": 80}, {"hostPort": 80, "protocol": "UDP"}, True),
        ({"hostPort": 80, "hostIP": "127.0.0.1"}, {"hostPort": 80, "hostIP": "10.0.0.1"}, True),
        ({"hostPort": 80, "hostIP": "127.0.0.1"}, {"hostPort": 80, "hostIP": "0.0.0.0"}, False),
        ({"hostPort": 80}, {"hostPort": 80, "hostIP": "10.0.0.1"}, False),
        ({"hostPort": 80}, {}, True),
    ],
    ids=str,
)
def test_node_ports(used: Object, wanted: Object, free: bool) -> None:
    there = pod(name="there", ports=[{"containerPort": 1, **used}])
    status = NodePorts().filter(STATE, pod(ports=[{"containerPort": 1, **wanted}]), holding(node(), there))
    assert (status is None) is free


def test_ports_of_sidecars_count_and_those_of_init_containers_do_not() -> None:
    ports = [{"containerPort": 1, "hostPort": 80}]
    sidecar, init = {"name": "s", "ports": ports, "restartPolicy": "Always"}, {"name": "i", "ports": ports}
    assert len(shape_of({"containers": [], "initContainers": [sidecar]}).host_ports) == 1
    assert shape_of({"containers": [], "initContainers": [init]}).host_ports == ()


@pytest.mark.parametrize(
    ("tolerations", "fits"),
    [([], False), ([{"key": "node.kubernetes.io/unschedulable", "operator": "Exists"}], True)],
    ids=["none", "tolerated"],
)
def test_node_unschedulable(tolerations: list[Object], fits: bool) -> None:
    status = NodeUnschedulable().filter(STATE, pod(tolerations=tolerations), node(unschedulable=True))
    assert (status is None) is fits


@pytest.mark.parametrize(
    ("taint", "toleration", "fits"),
    [
        ({"key": "k", "effect": "NoExecute"}, None, False),
        ({"key": "k", "effect": "PreferNoSchedule"}, None, True),
        ({"key": "k", "value": "v", "effect": "NoSchedule"}, {"key": "k", "operator": "Equal", "value": "v"}, True),
        ({"key": "k", "value": "v", "effect": "NoSchedule"}, {"key": "k", "operator": "Equal"}, False),
        ({"key": "k", "effect": "NoSchedule"}, {"key": "other", "operator": "Exists"}, False),
    ],
    ids=str,
)
def test_taint_toleration(taint: Object, toleration: Object | None, fits: bool) -> None:
    status = TaintToleration().filter(STATE, pod(tolerations=[toleration] if toleration else []), node(taints=[taint]))
    assert (status is None) is fits


def test_fewer_soft_taints_are_better() -> None:
    plugin, soft = TaintToleration(), [{"key": key, "effect": "PreferNoSchedule"} for key in "abc"]
    scores = {str(count): plugin.score(STATE, pod(), node(taints=soft[:count])) for count in range(4)}
    assert scores == {"0": 0, "1": 1, "2": 2, "3": 3}
    assert plugin.normalize(scores) == {"0": 100, "1": 67, "2": 34, "3": 0}


def test_larger_images_there_are_better() -> None:
    there = [{"names": ["i:latest"], "sizeBytes": 500 * MIB}]
    small = [{"names": ["i:latest"], "sizeBytes": 5 * MIB}]
    scores = [ImageLocality().score(STATE, pod(), node(images=images)) for images in ([], small, there)]
    assert scores[0] == scores[1] == 0 < scores[2] < 100


@pytest.mark.parametrize(
    ("scores", "reverse", "normalized"),
    [({"a": 0, "b": 0}, False, [0, 0]), ({"a": 0, "b": 0}, True, [100, 100]), ({"a": 1, "b": 3}, False, [33, 100])],
    ids=str,
)
def test_normalizing(scores: dict[str, int], reverse: bool, normalized: list[int]) -> None:
    assert list(normalize_by_maximum(scores, reverse=reverse).values()) == normalized


def _affinity(*terms: Object) -> Object:
    return {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": list(terms)}}}


def _on(*names: str, operator: str = "In") -> Object:
    return {"matchFields": [{"key": "metadata.name", "operator": operator, "values": list(names)}]}


ZONE = {"matchExpressions": [{"key": "zone", "operator": "In", "values": ["a"]}]}


@pytest.mark.parametrize(
    ("terms", "names"),
    [
        ([_on("a")], {"a"}),
        ([_on("a", "b"), _on("c")], {"a", "b", "c"}),
        ([_on("a"), ZONE], None),
        ([_on("a", operator="NotIn")], None),
        ([{**_on("a"), **ZONE}], {"a"}),
        ([ZONE], None),
    ],
    ids=["one", "alternatives", "or another", "all but", "and more", "labels"],
)
def test_affinity_to_nodes_by_name_restricts_the_nodes(terms: list[Object], names: set[str] | None) -> None:
    assert NodeAffinity().pre_filter(STATE, pod(affinity=_affinity(*terms)), Cache()) == names


@pytest.mark.parametrize(
    ("term", "fits"),
    [({}, False), (_on("n"), True), (_on("n", operator="NotIn"), False), (ZONE, True), ({**ZONE, **_on("m")}, False)],
    ids=str,
)
def test_node_affinity_terms(term: Object, fits: bool) -> None:
    status = NodeAffinity().filter(STATE, pod(affinity=_affinity(term)), node(labels={"zone": "a"}))
    assert (status is None) is fits


def _message(nodes: list[NodeInfo], wanting: PodInfo) -> str:
    cache = Cache()
    for each in nodes:
        assert each.node is not None
        cache.set_node(each.node)
    found = Assigner(default_profile(None), cache, random.Random(1)).assign(wanting)  # type: ignore[arg-type]
    assert isinstance(found, Refusal)
    return found.message


def test_what_is_said_of_a_daemon_pod_whose_node_is_full() -> None:
    small = node("b", allocatable={"cpu": "1", "memory": "1Gi", "pods": "0"})
    assert _message([node("a"), small, node("c")], pod(affinity=_affinity(_on("b")))) == (
        "0/3 nodes are available: 1 Too many pods, 2 node(s) didn't satisfy plugin(s) [NodeAffinity]. no new claims to "
        "deallocate, preemption: 0/3 nodes are available: 1 No preemption victims found for incoming pod, 2 Preemption is "
        "not helpful for scheduling."
    )


def test_what_is_said_of_a_pod_for_a_node_that_does_not_exist() -> None:
    assert _message([node("a"), node("b")], pod(affinity=_affinity(_on("gone")))) == (
        "0/2 nodes are available: 2 node(s) didn't satisfy plugin(s) [NodeAffinity]. no new claims to deallocate, "
        "preemption: 0/2 nodes are available: 2 Preemption is not helpful for scheduling."
    )


def test_what_is_said_of_affinities_that_exclude_each_other() -> None:
    both = {"matchFields": [*_on("a")["matchFields"], *_on("b")["matchFields"]]}
    assert _message([node("a"), node("b")], pod(affinity=_affinity(both))).startswith(
        "0/2 nodes are available: pod affinity terms conflict. "
    )


def test_scheduling_gates() -> None:
    status = SchedulingGates().pre_enqueue(pod(schedulingGates=[{"name": "a.b/c"}, {"name": "d"}]))
    assert status is not None and status.reasons == ("waiting for scheduling gates: [a.b/c d]",)
    assert SchedulingGates().pre_enqueue(pod()) is None


def test_pods_that_ask_for_the_same_share_a_shape_whatever_else_they_say() -> None:
    first, second = pod({"cpu": "1"}), pod({"cpu": "1"})
    shapes = Shapes(PROFILE.reads)
    specs = [{**each.pod["spec"], "volumes": [{"name": f"token-{number}"}]} for number, each in enumerate((first, second))]
    one, same, other, meek = (
        shapes.of({"metadata": {}, "spec": spec})
        for spec in (*specs, {**specs[0], "nodeSelector": {"a": "b"}}, {**specs[0], "preemptionPolicy": "Never"})
    )
    assert one is same and len({id(one), id(other), id(meek)}) == 3


def test_missing_requests_count_in_scores_and_zero_requests_do_not() -> None:
    missing, zero = pod().shape, pod({"cpu": "0", "memory": "0"}).shape
    assert (missing.non_zero_milli_cpu, missing.non_zero_memory) == (DEFAULT_MILLI_CPU, DEFAULT_MEMORY)
    assert (zero.non_zero_milli_cpu, zero.non_zero_memory) == (0, 0)
