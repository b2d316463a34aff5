"""What plugins declare is what they do: the fields they read, the changes that help, the state that goes with a pod."""

from __future__ import annotations

import asyncio
import itertools
import random
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from controllers.kube_scheduler.cache import Cache, NodeInfo
from controllers.kube_scheduler.events_to_wake import ClusterChange, WakeTable
from controllers.kube_scheduler.framework import ClusterEvent, CycleState, Status, Wake, unschedulable
from controllers.kube_scheduler.pod_info import PodInfo, PodShape, QueuedPod, Reads, Shapes, all_reads, shape_of
from controllers.kube_scheduler.profile import default_profile
from controllers.kube_scheduler.scheduler import Scheduler
from controllers.runtime.events import EventRecorder
from controllers.runtime.informer import InformerFactory
from kctl.apimachinery.clock import FakeClock
from kctl.apimachinery.resources import PODS
from kctl.client.client import Client

from ..fake_api import FakeApi

Object = dict[str, Any]
PROFILE = default_profile(None)  # type: ignore[arg-type]

ON_A = {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [{"matchFields": []}]}}}
ZONE_B = [{"weight": 5, "preference": {"matchExpressions": [{"key": "zone", "operator": "In", "values": ["b"]}]}}]
PREFERS_B = {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": ZONE_B}}
SPEC_VALUES: dict[str, list[Any]] = {
    "affinity": [None, ON_A, PREFERS_B],
    "hostNetwork": [None, True],
    "nodeName": [None, "a", "gone"],
    "nodeSelector": [None, {"zone": "a"}, {"zone": "c"}],
    "overhead": [None, {"cpu": "700m"}],
    "preemptionPolicy": [None, "Never"],
    "priority": [None, 100],
    "resourceClaims": [None, [{"name": "x"}]],
    "resources": [None, {"requests": {"cpu": "3"}}],
    "schedulingGates": [None, [{"name": "g"}]],
    "tolerations": [None, [{"operator": "Exists"}]],
}
CONTAINER_VALUES: dict[str, list[Any]] = {
    "image": ["i1", "i2"],
    "ports": [[], [{"containerPort": 80}], [{"containerPort": 80, "hostPort": 80}]],
    "resources": [{}, {"requests": {"cpu": "1", "memory": "3Gi"}}],
}


def pod(spec: Object, name: str = "p") -> PodInfo:
    body = {"metadata": {"name": name, "namespace": "d", "uid": name}, "spec": spec}
    return PodInfo.of(body, Shapes(PROFILE.reads))


def random_spec(randomness: random.Random) -> Object:
    spec = {name: value for name, values in SPEC_VALUES.items() if (value := randomness.choice(values)) is not None}
    return {**spec, "containers": [{"name": "c", **{name: randomness.choice(values) for name, values in CONTAINER_VALUES.items()}}]}


def alike_for(reads: Reads, spec: Object, other: Object) -> Object:
    """`other` with the fields of `reads` as in `spec`."""
    made = {name: value for name, value in other.items() if name not in reads.spec}
    made |= {name: spec[name] for name in reads.spec if name in spec}
    ((container,), (theirs,)) = spec["containers"], other["containers"]
    made["containers"] = [{**theirs, **{name: container[name] for name in reads.containers if name in container}}]
    return made


def nodes() -> Cache:
    cache = Cache()
    for name, zone, taints in (("a", "a", []), ("b", "b", [{"key": "k", "effect": "NoSchedule"}]), ("c", "c", [])):
        spec = {"taints": taints, "unschedulable": name == "c"}
        images = [{"names": ["i1:latest"], "sizeBytes": 900_000_000}] if name == "a" else []
        allocatable = {"cpu": "4", "memory": "4Gi", "pods": "9"}
        cache.set_node(
            {"metadata": {"name": name, "labels": {"zone": zone}}, "spec": spec, "status": {"allocatable": allocatable, "images": images}}
        )
    holder = {"containers": [{"name": "c", "resources": {}, "ports": [{"containerPort": 80, "hostPort": 80}]}]}
    cache.add_pod(pod(holder, "there"), "a")
    return cache


def answers(plugin: Any, info: PodInfo, cache: Cache) -> list[Any]:
    """Everything a plugin says of a pod."""
    state, found = CycleState(), []
    if hasattr(plugin, "pre_enqueue"):
        found.append(plugin.pre_enqueue(info))
    if hasattr(plugin, "pre_filter"):
        found.append(plugin.pre_filter(state, info, cache))
    for node in cache.nodes():
        found += [getattr(plugin, point)(state, info, node) for point in ("filter", "score") if hasattr(plugin, point)]
    if hasattr(plugin, "post_filter"):
        found.append(plugin.post_filter(state, info, {"a": unschedulable("X", "why")}, 1, cache, lambda state, pod, node: None))
    if hasattr(plugin, "key"):
        found.append(plugin.key(QueuedPod(info, int(info.pod["spec"].get("priority") or 0), 1.0)))
    return found


def every_plugin() -> list[Any]:
    points = [[PROFILE.queue_sort], PROFILE.pre_enqueue, PROFILE.pre_filter, PROFILE.filter, PROFILE.post_filter]
    points.append([plugin for plugin, _ in PROFILE.score])
    return list({plugin.name: plugin for plugin in itertools.chain.from_iterable(points)}.values())


@pytest.mark.parametrize("plugin", every_plugin(), ids=lambda plugin: plugin.name)
def test_a_plugin_cannot_tell_pods_apart_that_agree_in_what_it_reads(plugin: Any) -> None:
    randomness, cache, differences = random.Random(1), nodes(), 0
    for _ in range(200):
        spec, other = random_spec(randomness), random_spec(randomness)
        theirs = answers(plugin, pod(spec), cache)
        assert answers(plugin, pod(alike_for(plugin.reads, spec, other)), cache) == theirs
        differences += answers(plugin, pod(other), cache) != theirs
    assert differences  # the pods do differ in what it reads


def test_pods_of_one_shape_agree_in_what_is_counted_of_them() -> None:
    randomness, shapes = random.Random(2), Shapes(PROFILE.reads)
    for number in range(200):
        spec = random_spec(randomness)
        shape = shapes.of({"metadata": {}, "spec": spec})
        assert shape is shapes.of({"metadata": {"name": "x"}, "spec": {**spec, "volumes": [{"name": f"v{number}"}]}})
        fresh = shape_of(spec)
        assert all(getattr(shape, field) == getattr(fresh, field) for field in PodShape.__slots__)


def test_metadata_that_a_plugin_reads_tells_shapes_apart() -> None:
    spec: Object = {"containers": []}
    blind, seeing = Shapes(Reads()), Shapes(Reads(metadata=("labels",)))
    one, other = ({"metadata": {"labels": {"app": name}}, "spec": spec} for name in "ab")
    assert blind.of(one) is blind.of(other)
    assert seeing.of(one) is not seeing.of(other)
    assert seeing.of(one) is seeing.of({"metadata": {"labels": {"app": "a"}, "name": "x"}, "spec": dict(spec)})


def test_reads_of_all_plugins_are_put_together() -> None:
    assert all_reads([Reads(spec=("b", "a")), Reads(spec=("b",), containers=("image",))]) == Reads(("a", "b"), ("image",))


# ---- what wakes


def node_info(**spec: Any) -> NodeInfo:
    info = NodeInfo("n")
    labels = spec.pop("labels", {})
    allocatable = spec.pop("allocatable", {"cpu": "4", "memory": "4Gi", "pods": "9"})
    info.set_node({"metadata": {"name": "n", "labels": labels}, "spec": spec, "status": {"allocatable": allocatable}})
    return info


def refused(by: Sequence[str], **spec: Any) -> QueuedPod:
    requests = spec.pop("requests", {})
    info = pod({"containers": [{"name": "c", "resources": {"requests": requests}}], **spec})
    return replace(QueuedPod(info, 0, 0.0), unschedulable_plugins=frozenset(by))


E = ClusterEvent
TAINT = [{"key": "k", "effect": "NoSchedule"}]


@pytest.mark.parametrize(
    ("queued", "event", "node", "helped"),
    [
        pytest.param(refused(["NodeResourcesFit"]), E.ASSIGNED_POD_DELETE, None, True, id="room"),
        pytest.param(refused(["NodeResourcesFit"], requests={"cpu": "3"}), E.NODE_ADD, node_info(), True, id="large-enough-node"),
        pytest.param(refused(["NodeResourcesFit"], requests={"cpu": "5"}), E.NODE_ADD, node_info(), False, id="too-small-node"),
        pytest.param(refused(["NodeResourcesFit"]), E.NODE_LABEL, node_info(), False, id="labels-are-no-resources"),
        pytest.param(refused(["NodeAffinity"], nodeSelector={"a": "b"}), E.NODE_LABEL, node_info(labels={"a": "b"}), True, id="label"),
        pytest.param(refused(["NodeAffinity"], nodeSelector={"a": "b"}), E.NODE_LABEL, node_info(labels={"a": "c"}), False, id="other"),
        pytest.param(refused(["NodeAffinity"]), E.ASSIGNED_POD_DELETE, None, False, id="room-is-no-label"),
        pytest.param(refused(["TaintToleration"]), E.NODE_TAINT, node_info(), True, id="taint-gone"),
        pytest.param(refused(["TaintToleration"]), E.NODE_TAINT, node_info(taints=TAINT), False, id="still-tainted"),
        pytest.param(refused(["NodeUnschedulable"]), E.NODE_TAINT, node_info(), True, id="uncordoned"),
        pytest.param(refused(["NodeUnschedulable"]), E.NODE_TAINT, node_info(unschedulable=True), False, id="cordoned"),
        pytest.param(refused(["NodeName"], nodeName="n"), E.NODE_ADD, node_info(), True, id="its-node"),
        pytest.param(refused(["NodeName"], nodeName="m"), E.NODE_ADD, node_info(), False, id="another-node"),
        pytest.param(refused(["NodePorts"]), E.ASSIGNED_POD_DELETE, None, True, id="port"),
        pytest.param(refused(["DynamicResources"]), E.NODE_ADD, node_info(), False, id="nothing-helps"),
        pytest.param(refused([]), E.NODE_LABEL, node_info(), True, id="refused-by-nobody"),
        pytest.param(refused(["Unheard"]), E.NODE_LABEL, node_info(), True, id="refused-by-a-stranger"),
        pytest.param(refused(["NodeAffinity", "NodePorts"]), E.ASSIGNED_POD_DELETE, None, True, id="one-of-two"),
    ],
)
def test_which_changes_help_whom(queued: QueuedPod, event: ClusterEvent, node: NodeInfo | None, helped: bool) -> None:
    assert WakeTable(PROFILE.refusing).helped_by([ClusterChange(event, node)])(queued) is helped


def test_one_group_of_pods_is_asked_about_once() -> None:
    asked = []

    def hint(pod: PodInfo, node: NodeInfo | None) -> bool:
        asked.append(pod)
        return False

    class Picky:
        name, reads = "Picky", Reads()
        wakes = (Wake(ClusterEvent.NODE_ADD, hint),)

    shapes = Shapes(Reads())
    infos = [PodInfo.of({"metadata": {"name": f"p{n}", "uid": f"u{n}"}, "spec": {"containers": []}}, shapes) for n in range(100)]
    helps = WakeTable([Picky()]).helped_by([ClusterChange(ClusterEvent.NODE_ADD, node_info())])
    assert not any(helps(replace(QueuedPod(info, 0, 0.0), unschedulable_plugins=frozenset(["Picky"]))) for info in infos)
    assert len(asked) == 1


# ---- the state of a cycle


class Volumes:
    """As a volume plugin: PreFilter finds a claim, Reserve takes it in memory, PreBind writes it."""

    name = "Volumes"
    reads = Reads(metadata=("name",))
    wakes: tuple[Wake, ...] = ()

    def __init__(self) -> None:
        self.log: list[str] = []
        self.free = 1

    def pre_filter(self, state: CycleState, pod: PodInfo, cache: Cache) -> None:
        state.data[self.name] = f"claim of {pod.key}"

    def reserve(self, state: CycleState, pod: PodInfo, node: str) -> Status | None:
        self.log.append(f"reserve {state.data[self.name]}")
        if not self.free:
            return unschedulable(self.name, "no volume left")
        self.free -= 1
        state.data["taken"] = pod.key
        return None

    def unreserve(self, state: CycleState, pod: PodInfo, node: str) -> None:
        self.log.append(f"unreserve {state.data.get('taken')}")

    async def pre_bind(self, state: CycleState, pod: PodInfo, node: str) -> Status | None:
        self.log.append(f"pre-bind {state.data['taken']}")
        return None


async def test_what_pre_filter_found_reaches_reserve_and_pre_bind() -> None:
    api, clock, volumes = FakeApi(), FakeClock(), Volumes()
    client = Client(api)
    bound: list[str] = []

    async def bind(namespace: str, name: str, node: str, *, uid: str = "") -> None:
        bound.append(name)

    client.bind = bind  # type: ignore[method-assign]
    plain = default_profile(client)
    profile = replace(plain, pre_filter=[*plain.pre_filter, volumes], reserve=[volumes], pre_bind=[volumes])
    informers = InformerFactory(client, clock)
    pods = informers.informer(PODS)
    scheduler = Scheduler(profile, client, pods, EventRecorder(client, clock, "s"), clock, random.Random(1))
    node = {"metadata": {"name": "n"}, "spec": {}, "status": {"allocatable": {"cpu": "4", "memory": "4Gi", "pods": "9"}}}
    scheduler.cache.set_node(node)
    spec = {"containers": [{"name": "c"}]}
    made = [{"metadata": {"name": name, "namespace": "d", "uid": name, "resourceVersion": "1"}, "spec": spec} for name in "xy"]
    pods.observe(made)
    for body in made:
        scheduler.queue.add(PodInfo.of(body, Shapes(profile.reads)))
    for queued in scheduler.queue.pop_all():
        scheduler.schedule_one(queued)
    # Both were reserved for at once, before anything waited; the second found nothing left and gave its node back.
    assert volumes.log == ["reserve claim of d/x", "reserve claim of d/y", "unreserve None"]
    assert scheduler.queue.waiting() == 1 and not scheduler.cache.is_assumed("y")
    for _ in range(5):
        await asyncio.sleep(0)
    assert volumes.log[3:] == ["pre-bind d/x"] and bound == ["x"]
