"""DaemonSets on the real API server: one pod on every node that fits, replaced as the strategy says."""

from __future__ import annotations

from typing import Any

import pytest

from kctl.apimachinery import objects
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import CONTROLLER_REVISIONS, DAEMON_SETS, NODES, PODS
from kctl.apimachinery.times import rfc3339
from tests.integration.control_plane import ControlPlane, control_plane, new_image

NAMES = ("node-0", "node-1", "node-2")


class Daemons:
    """Binds a daemon's pod where its affinity says, and makes it ready unless it is told not to."""

    def __init__(self, plane: ControlPlane) -> None:
        self.plane = plane
        self.ready = True
        plane.nodes.enabled = False

    async def run(self, rounds: int = 4) -> None:
        plane = self.plane
        for _ in range(rounds):
            await plane.settle(0.5)
            for pod in await plane.items(PODS):
                if objects.deletion_timestamp(pod):
                    await plane.client.delete(PODS, objects.name(pod), "default", grace_period_seconds=0)
                elif not objects.spec(pod).get("nodeName"):
                    await plane.client.bind("default", objects.name(pod), wanted_node(pod))
                elif self.ready and objects.status(pod).get("phase") == "Pending":
                    await make_ready(plane, pod)
        await plane.settle(0.5)


def wanted_node(pod: Object) -> str:
    required = pod["spec"]["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
    return str(required["nodeSelectorTerms"][0]["matchFields"][0]["values"][0])


async def make_ready(plane: ControlPlane, pod: Object) -> None:
    now = rfc3339(plane.clock.now())
    conditions = [{"type": kind, "status": "True", "lastTransitionTime": now} for kind in ("Ready", "PodScheduled")]
    await plane.client.update_status(PODS, objects.with_status(pod, phase="Running", conditions=conditions))


async def set_up(plane: ControlPlane) -> Daemons:
    for name in NAMES:
        await plane.client.create(NODES, {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "labels": {"name": name}}})
        await plane.merge(NODES, name, {"spec": {"taints": None}})
    return Daemons(plane)


async def create(plane: ControlPlane, **more: Any) -> Object:
    strategy = more.pop("updateStrategy", None)
    template = {"metadata": {"labels": {"app": "d"}}, "spec": {"containers": [{"name": "c", "image": "img:1"}], **more}}
    spec: Object = {"selector": {"matchLabels": {"app": "d"}}, "template": template}
    if strategy:
        spec["updateStrategy"] = strategy
    body = {"apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": {"name": "d"}, "spec": spec}
    return await plane.client.create(DAEMON_SETS, body, "default")


async def where(plane: ControlPlane) -> list[str]:
    return sorted(wanted_node(pod) for pod in await plane.items(PODS) if not objects.deletion_timestamp(pod))


async def uids(plane: ControlPlane) -> set[str]:
    return {objects.uid(pod) for pod in await plane.items(PODS)}


async def images(plane: ControlPlane) -> list[str]:
    return sorted(pod["spec"]["containers"][0]["image"] for pod in await plane.items(PODS))


async def status(plane: ControlPlane) -> Object:
    return objects.status(await plane.get(DAEMON_SETS, "d"))


async def taint(plane: ControlPlane, node: str, *taints: Object) -> None:
    await plane.merge(NODES, node, {"spec": {"taints": list(taints) or None}})


DEDICATED = {"key": "ded", "value": "x", "effect": "NoSchedule"}


async def test_every_node_that_is_not_tainted_as_recorded() -> None:
    async with control_plane("daemonset-controller") as plane:
        daemons = await set_up(plane)
        await taint(plane, "node-2", DEDICATED)
        await plane.merge(NODES, "node-1", {"spec": {"unschedulable": True}})
        await create(plane)
        await daemons.run()
        assert await where(plane) == ["node-0", "node-1"]  # a cordon does not keep daemons away
        pods = await plane.items(PODS)
        (revision,) = await plane.items(CONTROLLER_REVISIONS)
        digest = objects.labels(revision)["controller-revision-hash"]
        assert objects.name(revision) == f"d-{digest}" and revision["revision"] == 1
        assert objects.annotations(revision) == {"deprecated.daemonset.template.generation": "1"}
        assert objects.labels(pods[0]) == {"app": "d", "controller-revision-hash": digest, "pod-template-generation": "1"}
        assert pods[0]["metadata"]["generateName"] == "d-"
        assert await status(plane) == {
            "currentNumberScheduled": 2,
            "numberMisscheduled": 0,
            "desiredNumberScheduled": 2,
            "numberReady": 2,
            "observedGeneration": 1,
            "updatedNumberScheduled": 2,
            "numberAvailable": 2,
        }
        created = [entry for entry in await plane.events() if entry[0] == "DaemonSet"]
        assert [entry[1:3] for entry in created] == [
            ("SuccessfulCreate", f"Created pod: {name}") for name in sorted(objects.name(pod) for pod in pods)
        ]
        await taint(plane, "node-2")
        await daemons.run()
        assert await where(plane) == list(NAMES)


async def test_nodes_that_change_move_pods() -> None:
    async with control_plane("daemonset-controller") as plane:
        daemons = await set_up(plane)
        await create(plane, nodeSelector={"name": "node-1"})
        await daemons.run()
        assert await where(plane) == ["node-1"]
        await plane.merge(NODES, "node-0", {"metadata": {"labels": {"name": "node-1"}}})
        await plane.merge(NODES, "node-1", {"metadata": {"labels": {"name": "gone"}}})
        await daemons.run()
        assert await where(plane) == ["node-0"]


@pytest.mark.parametrize(("effect", "stays", "misscheduled"), [("NoSchedule", True, 1), ("NoExecute", False, 0)])
async def test_what_a_new_taint_does(effect: str, stays: bool, misscheduled: int) -> None:
    async with control_plane("daemonset-controller") as plane:
        daemons = await set_up(plane)
        await create(plane)
        await daemons.run()
        await taint(plane, "node-0", {**DEDICATED, "effect": effect})
        await daemons.run()
        assert ("node-0" in await where(plane)) is stays
        shown = await status(plane)
        assert (shown["desiredNumberScheduled"], shown["numberMisscheduled"]) == (2, misscheduled)


async def test_one_node_after_the_other_is_updated() -> None:
    async with control_plane("daemonset-controller") as plane:
        daemons = await set_up(plane)
        await create(plane)
        await daemons.run()
        daemons.ready = False
        await plane.merge(DAEMON_SETS, "d", new_image("img:2"))
        await daemons.run(6)
        assert await images(plane) == ["img:1", "img:1", "img:2"]
        shown = await status(plane)
        assert (shown["numberUnavailable"], shown["updatedNumberScheduled"]) == (1, 1)
        daemons.ready = True
        await daemons.run(12)
        assert await images(plane) == ["img:2"] * 3
        assert (await status(plane))["updatedNumberScheduled"] == 3
        assert sorted(entry["revision"] for entry in await plane.items(CONTROLLER_REVISIONS)) == [1, 2]


async def test_with_surge_the_new_one_comes_first() -> None:
    async with control_plane("daemonset-controller") as plane:
        daemons = await set_up(plane)
        await create(plane, updateStrategy={"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}})
        await daemons.run()
        daemons.ready = False
        await plane.merge(DAEMON_SETS, "d", new_image("img:2"))
        await daemons.run()
        assert await images(plane) == ["img:1"] * 3 + ["img:2"]
        daemons.ready = True
        await daemons.run(14)
        assert await images(plane) == ["img:2"] * 3


async def test_on_delete() -> None:
    async with control_plane("daemonset-controller") as plane:
        daemons = await set_up(plane)
        await create(plane, updateStrategy={"type": "OnDelete"})
        await daemons.run()
        await plane.merge(DAEMON_SETS, "d", new_image("img:2"))
        await daemons.run()
        assert await images(plane) == ["img:1"] * 3
        await plane.client.delete(PODS, objects.name((await plane.items(PODS))[0]), "default")
        await daemons.run()
        assert await images(plane) == ["img:1", "img:1", "img:2"]


async def test_failed_pods_are_replaced_more_and_more_slowly() -> None:
    async with control_plane("daemonset-controller") as plane:
        daemons = await set_up(plane)
        await create(plane, nodeSelector={"name": "node-0"})
        await daemons.run()
        for early, late in ((0.0, 0.3), (0.5, 0.8), (1.2, 1.2)):
            (pod,) = await plane.items(PODS)
            await plane.client.update_status(PODS, objects.with_status(pod, phase="Failed"))
            await plane.settle(early)
            assert early == 0 or await uids(plane) == {objects.uid(pod)}
            await plane.settle(late)
            assert objects.uid(pod) not in await uids(plane)
        failed = [entry for entry in await plane.events() if entry[1] == "FailedDaemonPod"]
        assert failed and failed[0][2].startswith("Found failed daemon pod default/d-")


async def test_a_pod_for_a_node_that_is_gone_and_was_never_bound_is_deleted() -> None:
    async with control_plane("daemonset-controller") as plane:
        await set_up(plane)
        await create(plane)
        await plane.settle(1)
        await plane.client.delete(NODES, "node-2")
        await plane.settle(1)
        assert await where(plane) == ["node-0", "node-1"]
