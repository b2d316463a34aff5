"""StatefulSets on the real API server: order, names, storage, revisions."""

from __future__ import annotations

from typing import Any

from kctl.apimachinery import objects
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import CONTROLLER_REVISIONS, PODS, STATEFUL_SETS, built_in
from kctl.apimachinery.times import rfc3339
from tests.integration.control_plane import ControlPlane, control_plane, new_image

CONTROLLERS = ("statefulset-controller", "garbage-collector-controller", "persistentvolumeclaim-protection-controller")
CLAIMS = built_in("v1", "PersistentVolumeClaim")
CLAIM = {
    "metadata": {"name": "data"},
    "spec": {"accessModes": ["ReadWriteOnce"], "storageClassName": "", "resources": {"requests": {"storage": "1Gi"}}},
}


async def create(plane: ControlPlane, replicas: int = 3, **spec: Any) -> Object:
    template = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "c", "image": "img:1"}]}}
    wanted = {"replicas": replicas, "serviceName": "svc", "selector": {"matchLabels": {"app": "web"}}, "template": template, **spec}
    body = {"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "web"}, "spec": wanted}
    made = await plane.client.create(STATEFUL_SETS, body, "default")
    await plane.settle(2)
    return made


async def names(plane: ControlPlane) -> list[str]:
    return sorted(objects.name(pod) for pod in await plane.items(PODS))


async def images(plane: ControlPlane) -> dict[str, str]:
    return {objects.name(pod): pod["spec"]["containers"][0]["image"] for pod in await plane.items(PODS)}


async def status(plane: ControlPlane) -> Object:
    return objects.status(await plane.get(STATEFUL_SETS, "web"))


async def make_ready(plane: ControlPlane, name: str) -> None:
    pod = await plane.get(PODS, name)
    now = rfc3339(plane.clock.now())
    conditions = [{"type": kind, "status": "True", "lastTransitionTime": now} for kind in ("Ready", "PodScheduled")]
    await plane.client.update_status(PODS, objects.with_status(pod, phase="Running", conditions=conditions))
    await plane.settle(1)


async def scale(plane: ControlPlane, replicas: int, seconds: float = 2) -> None:
    await plane.merge(STATEFUL_SETS, "web", {"spec": {"replicas": replicas}})
    await plane.settle(seconds)


async def test_pods_have_names_places_and_storage() -> None:
    async with control_plane(*CONTROLLERS) as plane:
        await create(plane, 2, volumeClaimTemplates=[CLAIM])
        assert await names(plane) == ["web-0", "web-1"]
        pod = await plane.get(PODS, "web-1")
        shown = await status(plane)
        assert objects.labels(pod) == {
            "app": "web",
            "apps.kubernetes.io/pod-index": "1",
            "controller-revision-hash": shown["currentRevision"],
            "statefulset.kubernetes.io/pod-name": "web-1",
        }
        assert (pod["spec"]["hostname"], pod["spec"]["subdomain"]) == ("web-1", "svc")
        assert pod["spec"]["volumes"][0] == {"name": "data", "persistentVolumeClaim": {"claimName": "data-web-1"}}
        claim = await plane.get(CLAIMS, "data-web-1")
        assert objects.labels(claim) == {"app": "web"} and not objects.owner_references(claim)
        counts = {key: value for key, value in shown.items() if key not in ("currentRevision", "updateRevision")}
        assert counts == {
            "observedGeneration": 1,
            "replicas": 2,
            "readyReplicas": 2,
            "currentReplicas": 2,
            "updatedReplicas": 2,
            "availableReplicas": 2,
            "collisionCount": 0,
        }
        assert [entry for entry in await plane.events() if entry[0] == "StatefulSet"] == [
            ("StatefulSet", "SuccessfulCreate", "create Claim data-web-0 Pod web-0 in StatefulSet web success", 1),
            ("StatefulSet", "SuccessfulCreate", "create Claim data-web-1 Pod web-1 in StatefulSet web success", 1),
            ("StatefulSet", "SuccessfulCreate", "create Pod web-0 in StatefulSet web successful", 1),
            ("StatefulSet", "SuccessfulCreate", "create Pod web-1 in StatefulSet web successful", 1),
        ]


async def test_one_after_the_other_and_back_again() -> None:
    async with control_plane(*CONTROLLERS) as plane:
        plane.nodes.ready = lambda pod: False
        await create(plane)
        assert await names(plane) == ["web-0"]
        await make_ready(plane, "web-0")
        assert await names(plane) == ["web-0", "web-1"]
        await make_ready(plane, "web-1")
        await make_ready(plane, "web-2")
        plane.nodes.enabled = False
        await scale(plane, 1)
        going = [objects.name(pod) for pod in await plane.items(PODS) if objects.deletion_timestamp(pod)]
        assert going == ["web-2"]
        await plane.client.delete(PODS, "web-2", "default", grace_period_seconds=0)
        await plane.settle(1)
        assert [objects.name(pod) for pod in await plane.items(PODS) if objects.deletion_timestamp(pod)] == ["web-1"]


async def test_in_parallel_nobody_waits() -> None:
    async with control_plane(*CONTROLLERS) as plane:
        plane.nodes.ready = lambda pod: False
        await create(plane, 5, podManagementPolicy="Parallel", ordinals={"start": 3})
        assert await names(plane) == [f"web-{ordinal}" for ordinal in range(3, 8)]
        await scale(plane, 2)
        assert await names(plane) == ["web-3", "web-4"]


async def test_an_unhealthy_pod_does_not_keep_itself_from_being_scaled_away() -> None:
    async with control_plane(*CONTROLLERS) as plane:
        await create(plane, 2)
        plane.nodes.ready = lambda pod: False
        await scale(plane, 3)
        assert await names(plane) == ["web-0", "web-1", "web-2"]
        await scale(plane, 2)
        assert await names(plane) == ["web-0", "web-1"]


async def test_rolling_update_from_above_down_to_the_partition() -> None:
    async with control_plane(*CONTROLLERS) as plane:
        await create(plane, updateStrategy={"type": "RollingUpdate", "rollingUpdate": {"partition": 1}})
        before = (await status(plane))["currentRevision"]
        plane.nodes.ready = lambda pod: False
        await plane.merge(STATEFUL_SETS, "web", new_image("img:2"))
        await plane.settle(2)
        assert await images(plane) == {"web-0": "img:1", "web-1": "img:1", "web-2": "img:2"}
        await make_ready(plane, "web-2")
        await make_ready(plane, "web-1")
        await plane.settle(1)
        assert await images(plane) == {"web-0": "img:1", "web-1": "img:2", "web-2": "img:2"}
        shown = await status(plane)
        assert (shown["currentReplicas"], shown["updatedReplicas"], shown["currentRevision"]) == (1, 2, before)
        plane.nodes.ready = lambda pod: True
        await plane.client.delete(PODS, "web-0", "default")
        await plane.settle(2)
        assert (await images(plane))["web-0"] == "img:1"  # below the partition it comes back as it was
        await plane.merge(STATEFUL_SETS, "web", {"spec": {"updateStrategy": {"rollingUpdate": {"partition": 0}}}})
        await plane.settle(2)
        shown = await status(plane)
        assert set((await images(plane)).values()) == {"img:2"}
        assert shown["currentRevision"] == shown["updateRevision"] != before and shown["currentReplicas"] == 3


async def test_several_at_a_time_may_be_unavailable() -> None:
    async with control_plane(*CONTROLLERS) as plane:
        await create(plane, 4, updateStrategy={"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 2}})
        plane.nodes.ready = lambda pod: False
        await plane.merge(STATEFUL_SETS, "web", new_image("img:2"))
        await plane.settle(3)
        assert await images(plane) == {"web-0": "img:1", "web-1": "img:1", "web-2": "img:2"}


async def test_on_delete_updates_what_somebody_deletes() -> None:
    async with control_plane(*CONTROLLERS) as plane:
        await create(plane, 2, updateStrategy={"type": "OnDelete"})
        await plane.merge(STATEFUL_SETS, "web", new_image("img:2"))
        await plane.settle(2)
        assert set((await images(plane)).values()) == {"img:1"}
        await plane.client.delete(PODS, "web-0", "default")
        await plane.settle(2)
        assert await images(plane) == {"web-0": "img:2", "web-1": "img:1"}


async def test_going_back_makes_the_old_revision_the_newest_and_history_is_kept_short() -> None:
    async with control_plane(*CONTROLLERS) as plane:
        await create(plane, 1, revisionHistoryLimit=1)
        first = (await status(plane))["currentRevision"]
        for image in ("img:2", "img:1", "img:3", "img:4"):
            await plane.merge(STATEFUL_SETS, "web", new_image(image))
            await plane.settle(2)
            if image == "img:1":
                assert (await status(plane))["currentRevision"] == first
        revisions = sorted(int(entry["revision"]) for entry in await plane.items(CONTROLLER_REVISIONS))
        assert revisions == [4, 5]
        newest = max(await plane.items(CONTROLLER_REVISIONS), key=lambda entry: int(entry["revision"]))
        assert newest["data"]["spec"]["template"]["$patch"] == "replace"
        assert "controller.kubernetes.io/hash" in objects.labels(newest)


async def test_a_negative_limit_keeps_all_history() -> None:
    async with control_plane(*CONTROLLERS) as plane:
        await create(plane, 1, revisionHistoryLimit=-1)
        for image in ("img:2", "img:3", "img:4"):
            await plane.merge(STATEFUL_SETS, "web", new_image(image))
            await plane.settle(2)
            await make_ready(plane, "web-0")
            await plane.settle(2)
        assert sorted(revision["revision"] for revision in await plane.items(CONTROLLER_REVISIONS)) == [1, 2, 3, 4]


async def test_a_pod_that_has_ended_is_made_again() -> None:
    async with control_plane(*CONTROLLERS) as plane:
        await create(plane, 1)
        pod = await plane.get(PODS, "web-0")
        await plane.client.update_status(PODS, objects.with_status(pod, phase="Failed"))
        await plane.settle(2)
        again = await plane.get(PODS, "web-0")
        assert objects.uid(again) != objects.uid(pod) and objects.status(again)["phase"] == "Running"
        told = ("StatefulSet", "RecreatingFailedPod", "StatefulSet default/web is recreating failed Pod web-0", 1)
        assert told in await plane.events()


async def test_claims_go_when_the_policy_says_so() -> None:
    async with control_plane(*CONTROLLERS) as plane:
        policy = {"whenDeleted": "Delete", "whenScaled": "Delete"}
        await create(plane, 2, volumeClaimTemplates=[CLAIM], persistentVolumeClaimRetentionPolicy=policy)
        (owner,) = objects.owner_references(await plane.get(CLAIMS, "data-web-1"))
        assert owner["kind"] == "StatefulSet"
        await scale(plane, 1, 3)
        assert [objects.name(claim) for claim in await plane.items(CLAIMS)] == ["data-web-0"]
        await plane.client.delete(STATEFUL_SETS, "web", "default", propagation_policy="Background")
        await plane.settle(3)
        assert await plane.items(CLAIMS) == [] == await plane.items(PODS)


async def test_a_pod_counts_as_available_after_its_time() -> None:
    async with control_plane(*CONTROLLERS) as plane:
        await create(plane, 2, minReadySeconds=10)
        assert await names(plane) == ["web-0"] and (await status(plane))["availableReplicas"] == 0
        await plane.settle(10)
        assert await names(plane) == ["web-0", "web-1"] and (await status(plane))["availableReplicas"] == 1


async def test_orphans_with_the_right_name_are_adopted_and_others_are_let_alone() -> None:
    async with control_plane(*CONTROLLERS) as plane:
        spec = {"containers": [{"name": "c", "image": "img:0"}]}
        for name in ("web-0", "other"):
            body = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": {"app": "web"}}, "spec": spec}
            await plane.client.create(PODS, body, "default")
        await plane.settle(1)
        await create(plane, 1, updateStrategy={"type": "OnDelete"})
        adopted = await plane.get(PODS, "web-0")
        assert objects.owner_references(adopted)[0]["kind"] == "StatefulSet"
        assert objects.labels(adopted)["apps.kubernetes.io/pod-index"] == "0"
        assert not objects.owner_references(await plane.get(PODS, "other"))
