"""Jobs on the real API server: counts, conditions and events as a real cluster showed them."""

from __future__ import annotations

from typing import Any

import pytest

from controllers.kube_controller_manager.job.controller import JobController
from kctl.apimachinery import objects
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import JOBS, PODS
from kctl.apimachinery.times import rfc3339
from tests.integration.control_plane import ControlPlane, control_plane

CONTROLLERS = ("job-controller", "ttl-after-finished-controller", "garbage-collector-controller")
INDEX = "batch.kubernetes.io/job-completion-index"


def job(name: str = "a", *, restart: str = "Never", **spec: Any) -> Object:
    template = {
        "metadata": {"labels": {"jb": name}},
        "spec": {"restartPolicy": restart, "containers": [{"name": "c", "image": "img:1"}]},
    }
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name}, "spec": {"template": template, **spec}}


async def create(plane: ControlPlane, **spec: Any) -> Object:
    made = await plane.client.create(JOBS, job(**spec), "default")
    await plane.settle(1)
    return made


async def live(plane: ControlPlane) -> list[Object]:
    return [pod for pod in await plane.items(PODS) if objects.status(pod).get("phase") not in ("Succeeded", "Failed")]


async def end(plane: ControlPlane, pod: Object, code: int = 0, **status: Any) -> None:
    """As a kubelet reports that a pod's container has ended."""
    now = rfc3339(plane.clock.now())
    reason = "Error" if code else "Completed"
    state = {"terminated": {"exitCode": code, "reason": reason, "startedAt": now, "finishedAt": now}}
    container = {"name": "c", "image": "img:1", "imageID": "", "ready": False, "restartCount": 0, "state": state}
    present = await plane.get(PODS, objects.name(pod))
    shown = objects.with_status(present, phase="Failed" if code else "Succeeded", containerStatuses=[container], **status)
    await plane.client.update_status(PODS, shown)
    await plane.settle(1)


async def status_of(plane: ControlPlane, name: str = "a") -> Object:
    return objects.status(await plane.get(JOBS, name))


def shown(status: Object) -> list[tuple[str, str, str, str]]:
    return [(entry["type"], entry["status"], entry["reason"], entry["message"]) for entry in status.get("conditions") or ()]


def counts(status: Object) -> dict[str, Any]:
    return {key: value for key, value in status.items() if key not in ("conditions", "startTime", "completionTime")}


async def job_events(plane: ControlPlane) -> dict[tuple[str, str], int]:
    found: dict[tuple[str, str], int] = {}
    for kind, reason, message, count in await plane.events():
        if kind == "Job":
            text = message.partition(": ")[0] if reason.startswith("Successful") else message
            found[reason, text] = found.get((reason, text), 0) + count
    return found


def both(interim: str, final: str, reason: str, message: str) -> list[tuple[str, str, str, str]]:
    return [(interim, "True", reason, message), (final, "True", reason, message)]


COMPLETE = both("SuccessCriteriaMet", "Complete", "CompletionsReached", "Reached expected number of succeeded pods")


async def test_parallelism_two_of_three_completions() -> None:
    async with control_plane(*CONTROLLERS) as plane:
        await create(plane, parallelism=2, completions=3)
        assert counts(await status_of(plane)) == {"active": 2, "ready": 2, "terminating": 0, "uncountedTerminatedPods": {}}
        for done in range(3):
            pods = await live(plane)
            assert len(pods) == min(2, 3 - done)
            await end(plane, pods[0])
        status = await status_of(plane)
        assert counts(status) == {"ready": 0, "succeeded": 3, "terminating": 0, "uncountedTerminatedPods": {}}
        assert shown(status) == COMPLETE
        assert status["completionTime"] and status["startTime"]
        pods = await plane.items(PODS)
        assert len(pods) == 3 and not any(objects.finalizers(pod) for pod in pods)
        assert pods[0]["metadata"]["generateName"] == "a-"
        assert await job_events(plane) == {("SuccessfulCreate", "Created pod"): 3, ("Completed", "Job completed"): 1}


async def test_every_index_ends_once_and_one_fails() -> None:
    async with control_plane(*CONTROLLERS) as plane:
        await create(plane, parallelism=3, completions=3, completionMode="Indexed", backoffLimitPerIndex=0)
        by_index = {objects.annotations(pod)[INDEX]: pod for pod in await live(plane)}
        assert sorted(by_index) == ["0", "1", "2"]
        pod = by_index["1"]
        assert pod["metadata"]["generateName"] == "a-1-" and objects.labels(pod)[INDEX] == "1"
        assert objects.annotations(pod)["batch.kubernetes.io/job-index-failure-count"] == "0"
        assert pod["spec"]["hostname"] == "a-1"
        assert pod["spec"]["containers"][0]["env"] == [
            {"name": "JOB_COMPLETION_INDEX", "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": f"metadata.labels['{INDEX}']"}}}
        ]
        await end(plane, by_index["1"], 1)
        assert (await status_of(plane))["failedIndexes"] == "1"
        await end(plane, by_index["0"])
        await end(plane, by_index["2"])
        status = await status_of(plane)
        assert shown(status) == both("FailureTarget", "Failed", "FailedIndexes", "Job has failed indexes")
        wanted = {"succeeded": 2, "failed": 1, "terminating": 0, "ready": 0, "completedIndexes": "0,2", "failedIndexes": "1"}
        assert counts(status) == {**wanted, "uncountedTerminatedPods": {}}
        assert ("FailedIndexes", "Job has failed indexes") in await job_events(plane)


async def test_an_index_is_tried_again_after_its_own_back_off() -> None:
    async with control_plane(*CONTROLLERS) as plane:
        await create(plane, parallelism=2, completions=2, completionMode="Indexed", backoffLimitPerIndex=2, maxFailedIndexes=0)
        first = next(pod for pod in await live(plane) if objects.annotations(pod)[INDEX] == "0")
        await end(plane, first, 1)
        assert len(await live(plane)) == 1
        await plane.settle(10)
        again = next(pod for pod in await live(plane) if objects.annotations(pod)[INDEX] == "0")
        assert objects.annotations(again)["batch.kubernetes.io/job-index-failure-count"] == "1"
        await end(plane, again, 1)
        await plane.settle(15)
        assert len(await live(plane)) == 1  # twenty seconds by now
        await plane.settle(6)
        last = next(pod for pod in await live(plane) if objects.annotations(pod)[INDEX] == "0")
        await end(plane, last, 1)
        message = "Job has exceeded the specified maximal number of failed indexes"
        assert shown(await status_of(plane))[-1] == ("Failed", "True", "MaxFailedIndexesExceeded", message)
        assert await live(plane) == []


async def test_failures_are_replaced_more_and_more_slowly_until_there_are_too_many() -> None:
    async with control_plane(*CONTROLLERS) as plane:
        await create(plane, backoffLimit=2)
        for wait in (10, 20):
            await end(plane, (await live(plane))[0], 1)
            await plane.settle(wait - 2)
            assert await live(plane) == []
            await plane.settle(2)
            assert len(await live(plane)) == 1
        await end(plane, (await live(plane))[0], 1)
        status = await status_of(plane)
        message = "Job has reached the specified backoff limit"
        assert shown(status) == both("FailureTarget", "Failed", "BackoffLimitExceeded", message)
        assert status["failed"] == 3
        assert (await job_events(plane))["BackoffLimitExceeded", message] == 1


async def test_restarts_in_place_count_against_the_limit() -> None:
    async with control_plane(*CONTROLLERS) as plane:
        await create(plane, restart="OnFailure", backoffLimit=1)
        (pod,) = await live(plane)
        entry = {"name": "c", "image": "i", "imageID": "", "ready": True, "restartCount": 1, "state": {"running": {}}}
        await plane.client.update_status(PODS, objects.with_status(pod, containerStatuses=[entry]))
        await plane.settle(1)
        assert shown(await status_of(plane))[-1][2] == "BackoffLimitExceeded"
        assert await plane.items(PODS) == []


async def test_the_deadline_ends_what_runs() -> None:
    async with control_plane(*CONTROLLERS) as plane:
        await create(plane, activeDeadlineSeconds=60, parallelism=2)
        await plane.settle(58)
        assert len(await live(plane)) == 2
        await plane.settle(3)
        status = await status_of(plane)
        assert shown(status)[-1] == ("Failed", "True", "DeadlineExceeded", "Job was active longer than specified deadline")
        assert status["failed"] == 2 and await plane.items(PODS) == []
        assert (await job_events(plane))["SuccessfulDelete", "Deleted pod"] == 2


async def test_suspend_and_resume() -> None:
    async with control_plane(*CONTROLLERS) as plane:
        await create(plane, suspend=True, parallelism=2)
        status = await status_of(plane)
        assert shown(status) == [("Suspended", "True", "JobSuspended", "Job suspended")]
        assert "startTime" not in status and await plane.items(PODS) == []
        await plane.merge(JOBS, "a", {"spec": {"suspend": False}})
        await plane.settle(1)
        status = await status_of(plane)
        assert shown(status) == [("Suspended", "False", "JobResumed", "Job resumed")]
        assert status["active"] == 2 and status["startTime"]
        await plane.merge(JOBS, "a", {"spec": {"suspend": True}})
        await plane.settle(1)
        assert await plane.items(PODS) == []
        status = await status_of(plane)
        assert shown(status) == [("Suspended", "True", "JobSuspended", "Job suspended")]
        assert counts(status) == {"ready": 0, "terminating": 0, "uncountedTerminatedPods": {}}
        events = await job_events(plane)
        assert events["Suspended", "Job suspended"] == 2 and events["Resumed", "Job resumed"] == 1
        assert events["SuccessfulDelete", "Deleted pod"] == 2


async def test_ended_jobs_are_deleted_after_their_time_to_live() -> None:
    async with control_plane(*CONTROLLERS) as plane:
        await create(plane, ttlSecondsAfterFinished=30)
        await end(plane, (await live(plane))[0])
        await plane.settle(25)
        assert await plane.exists(JOBS, "a")
        await plane.settle(10)
        assert not await plane.exists(JOBS, "a") and await plane.items(PODS) == []


POLICY = {
    "rules": [
        {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]},
        {"action": "FailJob", "onExitCodes": {"containerName": "c", "operator": "In", "values": [42]}},
        {"action": "Count", "onExitCodes": {"operator": "NotIn", "values": [1]}},
    ]
}


async def test_pod_failure_policy() -> None:
    async with control_plane(*CONTROLLERS) as plane:
        await create(plane, backoffLimit=0, podFailurePolicy=POLICY, parallelism=2, completions=2)
        first, second = await live(plane)
        target = {"type": "DisruptionTarget", "status": "True", "lastTransitionTime": rfc3339(plane.clock.now())}
        await end(plane, first, 1, conditions=[target])
        status = await status_of(plane)
        assert shown(status) == [] and "failed" not in status
        await end(plane, second, 42)
        message = f"Container c for pod default/{objects.name(second)} failed with exit code 42 matching FailJob rule at index 1"
        assert shown(await status_of(plane)) == both("FailureTarget", "Failed", "PodFailurePolicy", message)


async def test_success_policy_ends_the_others() -> None:
    async with control_plane(*CONTROLLERS) as plane:
        policy = {"rules": [{"succeededIndexes": "0", "succeededCount": 1}]}
        await create(plane, parallelism=3, completions=3, completionMode="Indexed", successPolicy=policy)
        leader = next(pod for pod in await live(plane) if objects.annotations(pod)[INDEX] == "0")
        await end(plane, leader)
        status = await status_of(plane)
        assert shown(status) == both("SuccessCriteriaMet", "Complete", "SuccessPolicy", "Matched rules at index 0")
        assert status["succeeded"] == 1 and await live(plane) == []


async def test_without_completions_any_success_is_enough() -> None:
    async with control_plane(*CONTROLLERS) as plane:
        await create(plane, parallelism=2)
        first, second = await live(plane)
        await end(plane, first)
        assert len(await live(plane)) == 1
        await end(plane, second)
        assert shown(await status_of(plane)) == COMPLETE


async def test_parallelism_follows_and_indexes_can_grow() -> None:
    async with control_plane(*CONTROLLERS) as plane:
        await create(plane, parallelism=2, completions=2, completionMode="Indexed")
        await plane.merge(JOBS, "a", {"spec": {"parallelism": 4, "completions": 4}})
        await plane.settle(1)
        assert sorted(objects.annotations(pod)[INDEX] for pod in await live(plane)) == ["0", "1", "2", "3"]
        await plane.merge(JOBS, "a", {"spec": {"parallelism": 1, "completions": 1}})
        await plane.settle(1)
        assert [objects.annotations(pod)[INDEX] for pod in await live(plane)] == ["0"]


@pytest.mark.parametrize(("policy", "replaced"), [("TerminatingOrFailed", True), ("Failed", False)])
async def test_when_terminating_pods_are_replaced(policy: str, replaced: bool) -> None:
    async with control_plane(*CONTROLLERS) as plane:
        await create(plane, podReplacementPolicy=policy)
        plane.nodes.enabled = False
        (pod,) = await live(plane)
        await plane.client.delete(PODS, objects.name(pod), "default")
        await plane.settle(12)
        status = await status_of(plane)
        assert status["terminating"] == 1 and status.get("active", 0) == replaced


async def test_nothing_is_counted_twice_when_the_controller_starts_again() -> None:
    async with control_plane(*CONTROLLERS) as plane:
        await create(plane, parallelism=4, completions=8)
        for pod in (await live(plane))[:2]:
            await end(plane, pod)
        await plane.manager.running["job-controller"].stop()
        for pod in (await live(plane))[:2]:
            await end(plane, pod)
        again = JobController(plane.manager.context_of("job-controller"))
        plane.manager.running["job-controller"] = again
        await again.start()
        await plane.settle(2)
        assert (await status_of(plane))["succeeded"] == 4
        while pods := await live(plane):
            await end(plane, pods[0])
        assert (await status_of(plane))["succeeded"] == 8 and shown(await status_of(plane)) == COMPLETE


async def test_pods_of_a_deleted_job_lose_their_finalizer() -> None:
    async with control_plane(*CONTROLLERS) as plane:
        await create(plane, parallelism=2)
        await plane.client.delete(JOBS, "a", "default", propagation_policy="Orphan")
        await plane.settle(2)
        pods = await plane.items(PODS)
        assert len(pods) == 2 and not any(objects.finalizers(pod) for pod in pods)
        await create(plane, name="b", parallelism=2)
        await plane.client.delete(JOBS, "b", "default", propagation_policy="Background")
        await plane.settle(2)
        assert len(await plane.items(PODS)) == 2
