"""Deployments and ReplicaSets on the real API server: what users and kubectl see, as a real cluster showed it."""

from __future__ import annotations

from collections import Counter
from typing import Any

from kctl.apimachinery import objects
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import DEPLOYMENTS, PODS, REPLICA_SETS, REPLICATION_CONTROLLERS
from tests.integration.control_plane import ControlPlane, control_plane, deployment, new_image

WORKLOADS = ("deployment-controller", "replicaset-controller", "replicationcontroller-controller")


def shown(condition: Object) -> tuple[str, str, str, str]:
    return condition["type"], condition["status"], condition["reason"], condition["message"]


def available(rs: str) -> list[tuple[str, str, str, str]]:
    return [
        ("Available", "True", "MinimumReplicasAvailable", "Deployment has minimum availability."),
        ("Progressing", "True", "NewReplicaSetAvailable", f'ReplicaSet "{rs}" has successfully progressed.'),
    ]


def counts(obj: Object) -> dict[str, Any]:
    return {key: value for key, value in objects.status(obj).items() if key != "conditions"}


async def scalings(plane: ControlPlane) -> Counter[str]:
    found: Counter[str] = Counter()
    for _, reason, message, count in await plane.events():
        if reason == "ScalingReplicaSet":
            words = message.split()
            found[f"{words[1]} {words[-3]}>{words[-1]}"] += count
    return found


async def test_create_and_scale() -> None:
    async with control_plane(*WORKLOADS) as plane:
        await plane.client.create(DEPLOYMENTS, deployment(), "default")
        await plane.settle(2)
        web = await plane.get(DEPLOYMENTS, "web")
        [rs] = await plane.items(REPLICA_SETS)
        assert counts(web) == {
            "observedGeneration": 1,
            "replicas": 3,
            "updatedReplicas": 3,
            "readyReplicas": 3,
            "availableReplicas": 3,
            "terminatingReplicas": 0,
        }
        assert [shown(entry) for entry in web["status"]["conditions"]] == available(objects.name(rs))
        assert objects.annotations(web) == {"deployment.kubernetes.io/revision": "1"}
        assert objects.annotations(rs) == {
            "deployment.kubernetes.io/desired-replicas": "3",
            "deployment.kubernetes.io/max-replicas": "4",
            "deployment.kubernetes.io/revision": "1",
        }
        digest = objects.labels(rs)["pod-template-hash"]
        assert objects.name(rs) == f"web-{digest}"
        assert rs["spec"]["selector"] == {"matchLabels": {"app": "web", "pod-template-hash": digest}}
        assert counts(rs) == {
            "replicas": 3,
            "fullyLabeledReplicas": 3,
            "readyReplicas": 3,
            "availableReplicas": 3,
            "terminatingReplicas": 0,
            "observedGeneration": 1,
        }
        pods = await plane.items(PODS)
        assert {objects.labels(pod)["pod-template-hash"] for pod in pods} == {digest}
        assert {objects.metadata(pod)["generateName"] for pod in pods} == {f"web-{digest}-"}
        events = await plane.events()
        assert [entry[:3] for entry in events if entry[0] == "ReplicaSet"] == sorted(
            ("ReplicaSet", "SuccessfulCreate", f"Created pod: {objects.name(pod)}") for pod in pods
        )
        await plane.merge(DEPLOYMENTS, "web", {"spec": {"replicas": 1}})
        await plane.settle(2)
        assert counts(await plane.get(DEPLOYMENTS, "web"))["availableReplicas"] == 1
        assert len(await plane.items(PODS)) == 1
        assert await scalings(plane) == {"up 0>3": 1, "down 3>1": 1}


async def test_rolling_update_and_back() -> None:
    async with control_plane(*WORKLOADS) as plane:
        await plane.client.create(DEPLOYMENTS, deployment(revisionHistoryLimit=2), "default")
        await plane.settle(2)
        await plane.merge(DEPLOYMENTS, "web", new_image("img:2"))
        await plane.settle(5)
        web = await plane.get(DEPLOYMENTS, "web")
        new, old = sorted(await plane.items(REPLICA_SETS), key=lambda rs: -rs["spec"]["replicas"])
        assert counts(web)["updatedReplicas"] == 3 and counts(web)["observedGeneration"] == 2
        assert [shown(entry) for entry in web["status"]["conditions"]] == available(objects.name(new))
        assert counts(old) == {"replicas": 0, "terminatingReplicas": 0, "observedGeneration": 4}
        assert objects.generation(old) == 4
        steps = {"up 0>3": 1, "up 0>1": 1, "down 3>2": 1, "up 1>2": 1, "down 2>1": 1, "up 2>3": 1, "down 1>0": 1}
        assert await scalings(plane) == steps
        # Rolling back is the old template again: its ReplicaSet gets a new number and keeps its history.
        await plane.merge(DEPLOYMENTS, "web", new_image("img:1"))
        await plane.settle(5)
        again = await plane.get(REPLICA_SETS, objects.name(old))
        assert objects.annotations(again)["deployment.kubernetes.io/revision"] == "3"
        assert objects.annotations(again)["deployment.kubernetes.io/revision-history"] == "1"
        assert objects.annotations(await plane.get(DEPLOYMENTS, "web"))["deployment.kubernetes.io/revision"] == "3"
        for number in (3, 4):
            await plane.merge(DEPLOYMENTS, "web", new_image(f"img:{number}"))
            await plane.settle(5)
        assert len(await plane.items(REPLICA_SETS)) == 3  # the new one and two of history
        images = {pod["spec"]["containers"][0]["image"] for pod in await plane.items(PODS)}
        assert images == {"img:4"}


async def test_an_update_never_breaks_availability() -> None:
    async with control_plane(*WORKLOADS) as plane:
        await plane.client.create(DEPLOYMENTS, deployment(replicas=4), "default")
        await plane.settle(2)
        plane.nodes.ready = lambda pod: False
        await plane.merge(DEPLOYMENTS, "web", new_image("broken"))
        await plane.settle(5)
        web = await plane.get(DEPLOYMENTS, "web")
        assert counts(web)["availableReplicas"] == 3 and counts(web)["replicas"] == 5
        assert counts(web)["updatedReplicas"] == 2 and counts(web)["unavailableReplicas"] == 2


async def test_recreate_waits_for_the_last_old_pod() -> None:
    async with control_plane(*WORKLOADS) as plane:
        await plane.client.create(DEPLOYMENTS, deployment(replicas=2, strategy={"type": "Recreate"}), "default")
        await plane.settle(2)
        plane.nodes.enabled = False
        await plane.merge(DEPLOYMENTS, "web", new_image("img:2"))
        await plane.settle(2)
        pods = await plane.items(PODS)
        assert len(pods) == 2 and all(objects.deletion_timestamp(pod) for pod in pods)
        plane.nodes.enabled = True
        for pod in pods:
            await plane.client.delete(PODS, objects.name(pod), "default", grace_period_seconds=0)
        await plane.settle(2)
        assert {pod["spec"]["containers"][0]["image"] for pod in await plane.items(PODS)} == {"img:2"}
        assert await scalings(plane) == {"up 0>2": 2, "down 2>0": 1}


async def test_progress_deadline() -> None:
    async with control_plane(*WORKLOADS) as plane:
        wished = deployment(replicas=2, progressDeadlineSeconds=3)
        wished["spec"]["template"]["spec"]["nodeSelector"] = {"no": "where"}
        await plane.client.create(DEPLOYMENTS, wished, "default")
        await plane.settle(5)
        web = await plane.get(DEPLOYMENTS, "web")
        [rs] = await plane.items(REPLICA_SETS)
        assert [shown(entry)[:3] for entry in web["status"]["conditions"]] == [
            ("Available", "False", "MinimumReplicasUnavailable"),
            ("Progressing", "False", "ProgressDeadlineExceeded"),
        ]
        text = f'ReplicaSet "{objects.name(rs)}" has timed out progressing.'
        assert web["status"]["conditions"][1]["message"] == text
        await plane.merge(DEPLOYMENTS, "web", {"spec": {"template": {"spec": {"nodeSelector": None}}}})
        await plane.settle(5)
        web = await plane.get(DEPLOYMENTS, "web")
        assert web["status"]["conditions"][1]["reason"] == "NewReplicaSetAvailable"
        assert counts(web)["availableReplicas"] == 2


async def test_pause_lets_only_sizes_follow() -> None:
    async with control_plane(*WORKLOADS) as plane:
        await plane.client.create(DEPLOYMENTS, deployment(replicas=2), "default")
        await plane.settle(2)
        await plane.merge(DEPLOYMENTS, "web", {"spec": {"paused": True}})
        await plane.merge(DEPLOYMENTS, "web", {"spec": {"replicas": 3, **new_image("img:2")["spec"]}})
        await plane.settle(2)
        web = await plane.get(DEPLOYMENTS, "web")
        assert [shown(entry)[:3] for entry in web["status"]["conditions"]] == [
            ("Progressing", "Unknown", "DeploymentPaused"),
            ("Available", "True", "MinimumReplicasAvailable"),
        ]
        assert "updatedReplicas" not in web["status"] and counts(web)["readyReplicas"] == 3
        assert len(await plane.items(REPLICA_SETS)) == 1
        await plane.merge(DEPLOYMENTS, "web", {"spec": {"paused": False}})
        await plane.settle(5)
        web = await plane.get(DEPLOYMENTS, "web")
        assert counts(web)["updatedReplicas"] == 3
        assert [shown(entry)[2] for entry in web["status"]["conditions"]] == [
            "MinimumReplicasAvailable",
            "NewReplicaSetAvailable",
        ]


async def test_min_ready_seconds_delays_availability() -> None:
    async with control_plane(*WORKLOADS) as plane:
        await plane.client.create(DEPLOYMENTS, deployment(replicas=2, minReadySeconds=10), "default")
        await plane.settle(5)
        assert counts(await plane.get(DEPLOYMENTS, "web"))["readyReplicas"] == 2
        assert "availableReplicas" not in counts(await plane.get(DEPLOYMENTS, "web"))
        await plane.settle(10)
        assert counts(await plane.get(DEPLOYMENTS, "web"))["availableReplicas"] == 2


async def test_a_lost_pod_is_replaced_and_a_relabelled_one_let_go() -> None:
    async with control_plane(*WORKLOADS) as plane:
        await plane.client.create(DEPLOYMENTS, deployment(), "default")
        await plane.settle(2)
        first, second, _ = await plane.items(PODS)
        await plane.client.delete(PODS, objects.name(first), "default")
        await plane.merge(PODS, objects.name(second), {"metadata": {"labels": {"app": "other"}}})
        await plane.settle(2)
        released = await plane.get(PODS, objects.name(second))
        assert not objects.owner_references(released)
        assert len(await plane.items(PODS, selector="app=web")) == 3
        # Labelled back, it is adopted, and one too many goes.
        await plane.merge(PODS, objects.name(second), {"metadata": {"labels": {"app": "web"}}})
        await plane.settle(2)
        assert len(await plane.items(PODS)) == 3


async def test_a_replica_set_without_owner_is_adopted() -> None:
    async with control_plane(*WORKLOADS) as plane:
        await plane.client.create(DEPLOYMENTS, deployment(), "default")
        await plane.settle(2)
        [rs] = await plane.items(REPLICA_SETS)
        before = {objects.uid(pod) for pod in await plane.items(PODS)}
        await plane.client.delete(DEPLOYMENTS, "web", "default", propagation_policy="Background")
        await plane.merge(REPLICA_SETS, objects.name(rs), {"metadata": {"ownerReferences": None}})
        created = await plane.client.create(DEPLOYMENTS, deployment(), "default")
        await plane.settle(2)
        [adopted] = await plane.items(REPLICA_SETS)
        assert objects.uid(adopted) == objects.uid(rs)
        assert [entry["uid"] for entry in objects.owner_references(adopted)] == [objects.uid(created)]
        assert {objects.uid(pod) for pod in await plane.items(PODS)} == before


async def test_pods_that_cannot_be_created_are_a_condition_and_an_event() -> None:
    async with control_plane(*WORKLOADS) as plane:
        wished = deployment(replicas=2)
        wished["spec"]["template"]["spec"]["serviceAccountName"] = "missing"
        rs = {**wished, "kind": "ReplicaSet"}
        await plane.client.create(REPLICA_SETS, rs, "default")
        await plane.settle(1)
        status = objects.status(await plane.get(REPLICA_SETS, "web"))
        if "conditions" not in status:  # this server admits pods of unknown accounts
            return
        [condition] = status["conditions"]
        assert (condition["type"], condition["reason"]) == ("ReplicaFailure", "FailedCreate")
        assert any(entry[1] == "FailedCreate" for entry in await plane.events())


async def test_replication_controller() -> None:
    async with control_plane(*WORKLOADS) as plane:
        template = deployment("rc")["spec"]["template"]
        spec = {"replicas": 2, "selector": {"app": "rc"}, "template": template}
        rc = {"apiVersion": "v1", "kind": "ReplicationController", "metadata": {"name": "rc"}, "spec": spec}
        await plane.client.create(REPLICATION_CONTROLLERS, rc, "default")
        await plane.settle(2)
        assert counts(await plane.get(REPLICATION_CONTROLLERS, "rc")) == {
            "replicas": 2,
            "fullyLabeledReplicas": 2,
            "readyReplicas": 2,
            "availableReplicas": 2,
            "observedGeneration": 1,
        }


async def test_a_thousand_pods_are_created_in_bursts_and_their_events_are_few() -> None:
    async with control_plane(*WORKLOADS) as plane:
        await plane.client.create(DEPLOYMENTS, deployment(replicas=700), "default")
        await plane.settle(2)
        assert counts(await plane.get(DEPLOYMENTS, "web"))["availableReplicas"] == 700
        events = [entry for entry in await plane.events() if entry[0] == "ReplicaSet"]
        assert len(events) == 10 and any(entry[2].startswith("(combined from similar events): ") for entry in events)
        await plane.merge(DEPLOYMENTS, "web", {"spec": {"replicas": 0}})
        await plane.settle(2)
        assert await plane.items(PODS) == []
