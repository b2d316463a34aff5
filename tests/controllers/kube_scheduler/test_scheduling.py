"""Filters, scores, the queue and whole scheduling cycles, without an API server."""

from __future__ import annotations

import random
from typing import Any

import pytest

from controllers.kube_scheduler.assignment import Assigner, Placement, Refusal, Run
from controllers.kube_scheduler.cache import Cache
from controllers.kube_scheduler.pod_info import PodInfo, QueuedPod, Shapes, pod_requests
from controllers.kube_scheduler.profile import default_profile
from controllers.kube_scheduler.queue import SchedulingQueue, backoff_seconds
from kctl.apimachinery.clock import FakeClock, VirtualClock

Object = dict[str, Any]


def node(name: str, cpu: str = "4", memory: str = "8Gi", pods: str = "110", **spec: Any) -> Object:
    labels = spec.pop("labels", {})
    return {
        "metadata": {"name": name, "labels": {"kubernetes.io/hostname": name, **labels}},
        "spec": spec,
        "status": {"allocatable": {"cpu": cpu, "memory": memory, "pods": pods}},
    }


def pod(name: str = "p", cpu: str = "", **spec: Any) -> Object:
    container: Object = {"name": "c", "image": "i", "resources": {"requests": {"cpu": cpu}} if cpu else {}}
    if "ports" in spec:
        container["ports"] = spec.pop("ports")
    return {
        "metadata": {"name": name, "namespace": "default", "uid": f"uid-{name}"},
        "spec": {"containers": [container], **spec},
    }


PROFILE = default_profile(None)  # type: ignore[arg-type]


class Scene:
    def __init__(self, *nodes: Object) -> None:
        self.cache = Cache()
        self.shapes = Shapes(PROFILE.reads)
        for entry in nodes:
            self.cache.set_node(entry)
        self.assigner = Assigner(default_profile(None), self.cache, random.Random(1))  # type: ignore[arg-type]

    def assign(self, obj: Object) -> str | Refusal:
        return node_of(self.assigner.assign(PodInfo.of(obj, self.shapes)))


def node_of(found: Placement | Refusal) -> str | Refusal:
    return found if isinstance(found, Refusal) else found.node


def message(found: str | Refusal) -> str:
    assert isinstance(found, Refusal)
    return found.message


PREEMPTION = "no new claims to deallocate, preemption: 0/1 nodes are available: 1 {}."
NOT_HELPFUL = PREEMPTION.format("Preemption is not helpful for scheduling")
NO_VICTIMS = PREEMPTION.format("No preemption victims found for incoming pod")
TAINT = {"key": "k", "value": "v", "effect": "NoSchedule"}


@pytest.mark.parametrize(
    ("the_node", "the_pod", "reason", "tail"),
    [
        (node("n", cpu="1"), pod(cpu="2"), "Insufficient cpu", NOT_HELPFUL),
        (node("n", pods="0"), pod(), "Too many pods", NO_VICTIMS),
        (node("n"), pod(nodeName="other"), "node(s) didn't match the requested node name", NOT_HELPFUL),
        (node("n", unschedulable=True), pod(), "node(s) were unschedulable", NOT_HELPFUL),
        (node("n", taints=[TAINT]), pod(), "node(s) had untolerated taint(s)", NOT_HELPFUL),
        (node("n"), pod(nodeSelector={"a": "b"}), "node(s) didn't match Pod's node affinity/selector", NOT_HELPFUL),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_one_node_that_does_not_fit(the_node: Object, the_pod: Object, reason: str, tail: str) -> None:
    assert message(Scene(the_node).assign(the_pod)) == f"0/1 nodes are available: 1 {reason}. {tail}"


def test_no_nodes() -> None:
    assert message(Scene().assign(pod())) == "no nodes available to schedule pods"


def test_reasons_are_counted_and_sorted() -> None:
    scene = Scene(node("a", cpu="1"), node("b", cpu="1"), node("c", taints=[TAINT]))
    text = message(scene.assign(pod(cpu="2")))
    assert text.startswith("0/3 nodes are available: 1 node(s) had untolerated taint(s), 2 Insufficient cpu. ")


def test_preemption_policy_never() -> None:
    text = message(Scene(node("n", pods="0")).assign(pod(preemptionPolicy="Never")))
    assert text.endswith("preemption: not eligible due to preemptionPolicy=Never.")


@pytest.mark.parametrize(
    ("toleration", "fits"),
    [
        ({"operator": "Exists"}, True),
        ({"key": "k", "operator": "Exists", "effect": "NoSchedule"}, True),
        ({"key": "k", "value": "v"}, True),
        ({"key": "k", "value": "other"}, False),
        ({"key": "k", "operator": "Exists", "effect": "NoExecute"}, False),
    ],
    ids=str,
)
def test_tolerations(toleration: Object, fits: bool) -> None:
    found = Scene(node("n", taints=[TAINT])).assign(pod(tolerations=[toleration]))
    assert isinstance(found, str) is fits


@pytest.mark.parametrize(
    ("expression", "chosen"),
    [
        ({"key": "zone", "operator": "In", "values": ["a"]}, "a"),
        ({"key": "zone", "operator": "NotIn", "values": ["a"]}, "b"),
        ({"key": "disk", "operator": "Exists"}, "b"),
        ({"key": "disk", "operator": "DoesNotExist"}, "a"),
        ({"key": "disk", "operator": "Gt", "values": ["3"]}, "b"),
    ],
    ids=lambda value: value if isinstance(value, str) else value["operator"],
)
@pytest.mark.parametrize("kind", ["required", "preferred"])
def test_node_affinity(expression: Object, chosen: str, kind: str) -> None:
    term = {"matchExpressions": [expression]}
    if kind == "required":
        affinity = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [term]}}
    else:
        affinity = {"preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 1, "preference": term}]}  # type: ignore[dict-item]
    scene = Scene(node("a", labels={"zone": "a"}), node("b", labels={"zone": "b", "disk": "5"}))
    assert scene.assign(pod(affinity={"nodeAffinity": affinity})) == chosen


def test_host_ports_clash_only_on_one_node() -> None:
    scene = Scene(node("a"), node("b"))
    ports = [{"containerPort": 80, "hostPort": 8080}]
    assert {scene.assign(pod("1", ports=ports)), scene.assign(pod("2", ports=ports))} == {"a", "b"}
    text = message(scene.assign(pod("3", ports=ports)))
    assert text.startswith("0/2 nodes are available: 2 node(s) didn't have free ports for the requested pod ports.")


def test_pods_of_one_shape_spread_and_fill_up_and_make_room_again() -> None:
    scene = Scene(node("a", cpu="2"), node("b", cpu="2"))
    spec = pod(cpu="1")["spec"]
    pods = [{"metadata": {"name": f"p{n}", "namespace": "d", "uid": f"u{n}"}, "spec": spec} for n in range(5)]
    chosen = [scene.assign(entry) for entry in pods[:4]]
    assert sorted(map(str, chosen)) == ["a", "a", "b", "b"]
    assert {chosen[0], chosen[1]} == {"a", "b"}
    assert isinstance(scene.assign(pods[4]), Refusal)
    scene.cache.remove_pod("u0")
    assert scene.assign(pods[4]) == chosen[0]


def test_small_pods_on_large_nodes_are_spread_evenly() -> None:
    """Scores are whole numbers, so all nodes stay equal for long: none may be left out."""
    scene = Scene(*(node(f"n{n}", cpu="1000", memory="4000Gi", pods="1000") for n in range(10)))
    spec = pod(cpu="1m")["spec"]
    for number in range(200):
        scene.assign({"metadata": {"name": f"p{number}", "namespace": "d", "uid": f"u{number}"}, "spec": spec})
    assert {len(entry.pods) for entry in scene.cache.nodes()} == {20}


def test_a_reused_order_always_gives_a_node_a_whole_cycle_would_call_best() -> None:
    scene = Scene(*(node(f"n{n}", cpu=str(2 + n % 3), taints=[TAINT] if n == 4 else []) for n in range(6)))
    profile = default_profile(None)  # type: ignore[arg-type]
    spec = pod(cpu="300m")["spec"]
    for number in range(60):
        info = PodInfo.of({"metadata": {"name": f"p{number}", "namespace": "d", "uid": f"u{number}"}, "spec": spec}, scene.shapes)
        whole_cycle = Run(profile, scene.cache, info, random.Random(number)).ranking()
        found = node_of(scene.assigner.assign(info))
        if isinstance(found, Refusal):
            assert not whole_cycle
        else:
            assert whole_cycle[found] == max(whole_cycle.values())
    assert sum(len(entry.pods) for entry in scene.cache.nodes()) == 48


@pytest.mark.parametrize(
    ("spec", "milli_cpu"),
    [
        ({"containers": [{"name": "a", "resources": {"requests": {"cpu": "100m"}}}]}, 100),
        (
            {
                "containers": [{"name": "a", "resources": {"requests": {"cpu": "100m"}}}],
                "initContainers": [{"name": "i", "resources": {"requests": {"cpu": "1"}}}],
            },
            1000,
        ),
        (
            {
                "containers": [{"name": "a", "resources": {"requests": {"cpu": "1"}}}],
                "initContainers": [{"name": "s", "restartPolicy": "Always", "resources": {"requests": {"cpu": "500m"}}}],
                "overhead": {"cpu": "10m"},
            },
            1510,
        ),
    ],
    ids=["container", "greedy init container", "sidecar and overhead"],
)
def test_requests_of_a_pod(spec: Object, milli_cpu: int) -> None:
    assert pod_requests(spec).milli_cpu == milli_cpu


def test_backoff_doubles_to_ten_seconds() -> None:
    assert [backoff_seconds(n) for n in range(7)] == [0.0, 1.0, 2.0, 4.0, 8.0, 10.0, 10.0]


async def test_a_refused_pod_waits_for_an_event_and_its_backoff() -> None:
    clock, woken = VirtualClock(), []
    queue = SchedulingQueue(clock, lambda queued: (queued.added_at,), lambda: woken.append(1))
    queue.add(PodInfo.of(pod(), Shapes(PROFILE.reads)))
    (queued,) = queue.pop_all()
    queue.refused(queued, ["NodeResourcesFit"])
    assert not queue.has_active
    queue.move(lambda entry: "NodePorts" in entry.unschedulable_plugins)
    await clock.step(5)
    assert not queue.has_active and queue.waiting() == 1
    queue.move(lambda entry: "NodeResourcesFit" in entry.unschedulable_plugins)
    assert queue.has_active


async def test_a_move_during_backoff_waits_for_its_end() -> None:
    clock = VirtualClock()
    queue = SchedulingQueue(clock, lambda queued: (queued.added_at,), lambda: None)
    queue.add(PodInfo.of(pod(), Shapes(PROFILE.reads)))
    queue.refused(queue.pop_all()[0], [])
    queue.move(lambda entry: True)
    assert not queue.has_active
    await clock.step(1)
    assert queue.has_active


async def test_whoever_waited_five_minutes_is_tried_anyway() -> None:
    clock = VirtualClock()
    queue = SchedulingQueue(clock, lambda queued: (queued.added_at,), lambda: None)
    queue.add(PodInfo.of(pod(), Shapes(PROFILE.reads)))
    queue.refused(queue.pop_all()[0], ["NodeAffinity"])
    await clock.step(299)
    assert not queue.has_active
    await clock.step(1)
    assert queue.has_active


def test_priority_decides_the_order() -> None:
    queue = SchedulingQueue(FakeClock(), default_profile(None).queue_sort.key, lambda: None)  # type: ignore[arg-type]
    for name, priority in (("low", 0), ("high", 10), ("low2", 0)):
        queue.add(PodInfo.of(pod(name, priority=priority), Shapes(PROFILE.reads)))
    taken: list[QueuedPod] = queue.pop_all()
    assert [queued.info.pod["metadata"]["name"] for queued in taken] == ["high", "low", "low2"]
