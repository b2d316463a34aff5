"""The official conformance tests of Jobs, step by step. What the programs of their pods do by themselves, the simulated containers are
told by annotations; where that depends on a pod's index or number, its pods are made with a scheduling gate and told before they go."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from kctl.apimachinery import objects
from kctl.apimachinery.objects import Object
from kctl.apimachinery.times import rfc3339
from tests.conformance.suite import BATCH, PODS, STRATEGIC, Holds, Suite, selected, suite, template

pytestmark = pytest.mark.virtual_time
JOBS = f"{BATCH}/jobs"
SUCCEED, FAIL = {"kctl.dev/run-duration": "1s"}, {"kctl.dev/run-duration": "1s", "kctl.dev/exit-code": "1"}
FOREVER = {"kctl.dev/run-duration": "forever"}
GATE = [{"name": "e2e.example.com/told"}]
INDEX = "batch.kubernetes.io/job-completion-index"
Tell = Callable[[Object], Object]


def job(name: str, annotations: Object, restart: str = "Never", pod: Object | None = None, **spec: Any) -> Object:
    made = template({"job": name}, "busybox:1", annotations, restartPolicy=restart, **(pod or {}))
    defaults = {"parallelism": 2, "completions": 4, "backoffLimit": 6}
    return {"metadata": {"name": name}, "spec": {**defaults, "template": made, **spec}}


def indexed(name: str, **spec: Any) -> Object:
    """Its pods wait to be told what they do."""
    return job(name, {}, pod={"schedulingGates": GATE}, completionMode="Indexed", **spec)


async def until_told(e2e: Suite, name: str, tell: Tell, holds: Holds) -> Object:
    """Each pod that waits is told by its index; until the Job holds."""
    for _ in range(1200):
        made: Object = await e2e.get(f"{JOBS}/{name}")
        if holds(made):
            return made
        for pod in await e2e.items(PODS, f"job={name}"):
            if pod["spec"].get("schedulingGates") and not objects.deletion_timestamp(pod):
                change = {"metadata": {"annotations": tell(pod)}, "spec": {"schedulingGates": None}}
                await e2e.patch(f"{PODS}/{objects.name(pod)}", change)
        await e2e.settle(0.5)
    raise AssertionError(made["status"])


def index_of(pod: Object) -> int:
    return int(objects.annotations(pod)[INDEX])


def has(kind: str, reason: str = "") -> Holds:
    def holds(made: Object) -> bool:
        conditions = made["status"].get("conditions", ())
        return any(each["type"] == kind and each["status"] == "True" and reason in ("", each["reason"]) for each in conditions)

    return holds


async def complete(e2e: Suite, name: str, completions: int, reason: str = "") -> Object:
    made: Object = await e2e.until(f"{JOBS}/{name}", has("Complete", reason))
    assert has("SuccessCriteriaMet", reason)(made) and made["status"]["succeeded"] == completions
    return made


async def test_indexes() -> None:
    """[sig-apps] Job should create pods for an Indexed job with completion indexes and specified hostname [Conformance]"""
    async with suite() as e2e:
        await e2e.create(JOBS, job("indexed-job", SUCCEED, completionMode="Indexed"))
        await complete(e2e, "indexed-job", 4)
        pods = await e2e.items(PODS, "job=indexed-job")
        assert sorted(index_of(pod) for pod in pods) == [0, 1, 2, 3]
        for pod in pods:
            assert pod["status"]["phase"] == "Succeeded" and pod["spec"]["hostname"] == f"indexed-job-{index_of(pod)}"
            assert objects.labels(pod)[INDEX] == str(index_of(pod))
            (variable,) = pod["spec"]["containers"][0]["env"]
            assert variable["name"] == "JOB_COMPLETION_INDEX"
            assert variable["valueFrom"]["fieldRef"]["fieldPath"] == f"metadata.labels['{INDEX}']"


async def test_local_restarts() -> None:
    """[sig-apps] Job should run a job to completion when tasks sometimes fail and are locally restarted [Conformance]"""
    async with suite() as e2e:
        await e2e.create(JOBS, job("fail-once-local", {**SUCCEED, "kctl.dev/exit-code": "1,0"}, restart="OnFailure"))
        await complete(e2e, "fail-once-local", 4)
        restarts = [pod["status"]["containerStatuses"][0]["restartCount"] for pod in await e2e.items(PODS)]
        assert restarts == [1, 1, 1, 1]


async def test_delete() -> None:
    """[sig-apps] Job should delete a job [Conformance]"""
    async with suite() as e2e:
        await e2e.create(JOBS, job("foo", FOREVER))
        await e2e.running("job=foo", 2)
        await e2e.delete(f"{JOBS}/foo", propagationPolicy="Background")
        await e2e.gone(f"{JOBS}/foo")
        await e2e.empty(PODS)


async def test_adoption_and_release() -> None:
    """[sig-apps] Job should adopt matching orphans and release non-matching pods [Conformance]"""
    async with suite() as e2e:
        made = await e2e.create(JOBS, job("adopt-release", FOREVER))
        first, _ = await e2e.running("job=adopt-release", 2)
        path = f"{PODS}/{objects.name(first)}"
        await e2e.update_until(path, lambda pod: objects.with_metadata(pod, ownerReferences=None))
        adopted = await e2e.until(path, lambda pod: objects.controller_of(pod) is not None)
        owner = objects.controller_of(adopted) or {}
        assert (owner["kind"], owner["name"], owner["uid"]) == ("Job", "adopt-release", objects.uid(made))
        await e2e.update_until(path, lambda pod: objects.with_metadata(pod, labels=None))
        released = await e2e.until(path, lambda pod: objects.controller_of(pod) is None)
        assert not objects.finalizers(released)


async def test_status() -> None:
    """[sig-apps] Job should apply changes to a job status [Conformance]"""
    async with suite() as e2e:
        made = await e2e.create(JOBS, job("suspend-false-to-true", FOREVER))
        await e2e.running("job=suspend-false-to-true", 2)
        path = f"{JOBS}/suspend-false-to-true"

        def stamped(shown: Object) -> str:
            (condition,) = [each for each in shown["status"]["conditions"] if each["type"] == "CustomConditionType"]
            return str(condition["lastTransitionTime"])

        first = rfc3339(e2e.cluster.clock.now())
        condition = {"type": "CustomConditionType", "status": "True", "lastTransitionTime": first}
        change = {"metadata": {"annotations": {"patchedstatus": "true"}}, "status": {"conditions": [condition]}}
        patched = await e2e.patch(f"{path}/status", change)
        assert stamped(patched) == first and objects.annotations(patched)["patchedstatus"] == "true"
        await e2e.settle(2)
        second = rfc3339(e2e.cluster.clock.now())

        def changed(shown: Object) -> Object:
            assert stamped(shown) == first
            return objects.with_status(shown, conditions=[{**condition, "lastTransitionTime": second}])

        assert stamped(await e2e.update_until(f"{path}/status", changed)) == second
        assert objects.uid(await e2e.get(f"{path}/status")) == objects.uid(made)


async def test_lifecycle() -> None:
    """[sig-apps] Job should manage the lifecycle of a job [Conformance]"""
    async with suite() as e2e:
        watched = selected(JOBS, "e2e-job-label=e2e-job")
        since = await e2e.get(watched)
        body = job("e2e-job", SUCCEED, suspend=True)
        body["metadata"]["labels"] = {"e2e-job-label": "e2e-job"}
        await e2e.create(JOBS, body)
        patched = await e2e.patch(f"{JOBS}/e2e-job", {"metadata": {"labels": {"e2e-job": "patched"}}}, STRATEGIC)
        assert objects.labels(patched)["e2e-job"] == "patched"
        await e2e.seen(watched, since, "MODIFIED", lambda made: objects.labels(made).get("e2e-job") == "patched")
        await e2e.until(f"{JOBS}/e2e-job", has("Suspended"))
        assert await e2e.items(PODS) == []

        def resumed(made: Object) -> Object:
            changed = objects.with_metadata(made, annotations={**objects.annotations(made), "updated": "true"})
            return {**changed, "spec": {**made["spec"], "suspend": False}}

        updated = await e2e.update_until(f"{JOBS}/e2e-job", resumed)
        assert objects.annotations(updated)["updated"] == "true"
        await e2e.seen(watched, patched, "MODIFIED", lambda made: objects.annotations(made).get("updated") == "true")
        assert await e2e.names("/apis/batch/v1/jobs", "e2e-job-label=e2e-job") == ["e2e-job"]
        await complete(e2e, "e2e-job", 4)
        await e2e.delete(watched, propagationPolicy="Background")
        await e2e.seen(watched, updated, "DELETED", lambda made: objects.labels(made)["e2e-job-label"] == "e2e-job")
        assert await e2e.names("/apis/batch/v1/jobs", "e2e-job-label=e2e-job") == []


def failure_policy(action: str, **pattern: Any) -> Object:
    return {"rules": [{"action": action, **pattern}]}


ON_EXIT_CODE = {"onExitCodes": {"operator": "In", "values": [1]}}


async def test_failing_early() -> None:
    """[sig-apps] Job should allow to use the pod failure policy on exit code to fail the job early [Conformance]"""
    async with suite() as e2e:
        policy = failure_policy("FailJob", **ON_EXIT_CODE)
        await e2e.create(JOBS, job("pod-failure-failjob", {}, pod={"schedulingGates": GATE}, podFailurePolicy=policy))
        told: list[str] = []

        def tell(pod: Object) -> Object:
            told.append(objects.name(pod))
            return FAIL if len(told) == 1 else SUCCEED

        made = await until_told(e2e, "pod-failure-failjob", tell, has("FailureTarget", "PodFailurePolicy"))
        made = await until_told(e2e, "pod-failure-failjob", tell, has("Failed", "PodFailurePolicy"))
        assert made["status"]["failed"] >= 1 and made["status"].get("succeeded", 0) < 4


async def test_evictions_are_ignored() -> None:
    """[sig-apps] Job should allow to use a pod failure policy to ignore failure matching on DisruptionTarget condition [Conformance]"""
    async with suite() as e2e:
        policy = failure_policy("Ignore", onPodConditions=[{"type": "DisruptionTarget", "status": "True"}])
        await e2e.create(JOBS, indexed("pod-disruption", completions=2, backoffLimit=0, podFailurePolicy=policy))
        evicted: set[str] = set()

        def tell(pod: Object) -> Object:
            return SUCCEED if evicted else FOREVER

        await until_told(e2e, "pod-disruption", tell, lambda made: made["status"].get("ready") == 2)
        for pod in await e2e.running("job=pod-disruption", 2):
            path = f"{PODS}/{objects.name(pod)}"
            eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": objects.name(pod), "namespace": "e2e"}}
            await e2e.create(f"{path}/eviction", eviction)
            evicted.add(path)
        for path in evicted:
            await e2e.gone(path)
        await until_told(e2e, "pod-disruption", tell, has("SuccessCriteriaMet"))
        made = await complete(e2e, "pod-disruption", 2)
        assert not made["status"].get("failed")


async def test_every_index_is_executed() -> None:
    """[sig-apps] Job should execute all indexes despite some failing when using backoffLimitPerIndex [Conformance]"""
    async with suite() as e2e:
        await e2e.create(JOBS, indexed("per-index", backoffLimit=None, backoffLimitPerIndex=1))

        def odd_ones_fail(pod: Object) -> Object:
            return FAIL if index_of(pod) % 2 else SUCCEED

        await until_told(e2e, "per-index", odd_ones_fail, has("FailureTarget", "FailedIndexes"))
        status = (await until_told(e2e, "per-index", odd_ones_fail, has("Failed", "FailedIndexes")))["status"]
        assert (status["failedIndexes"], status["completedIndexes"], status["failed"], status["succeeded"]) == ("1,3", "0,2", 4, 2)


async def test_indexes_are_failed_by_the_policy() -> None:
    """[sig-apps] Job should mark indexes as failed when the FailIndex action is matched in podFailurePolicy [Conformance]"""
    async with suite() as e2e:
        policy = failure_policy("FailIndex", **ON_EXIT_CODE)
        body = indexed("fail-index", completions=2, backoffLimit=None, backoffLimitPerIndex=1, podFailurePolicy=policy)
        await e2e.create(JOBS, body)

        def odd_ones_fail(pod: Object) -> Object:
            return FAIL if index_of(pod) % 2 else SUCCEED

        await until_told(e2e, "fail-index", odd_ones_fail, has("FailureTarget", "FailedIndexes"))
        status = (await until_told(e2e, "fail-index", odd_ones_fail, has("Failed", "FailedIndexes")))["status"]
        assert (status["failedIndexes"], status["completedIndexes"], status["failed"], status["succeeded"]) == ("1", "0", 1, 1)


async def test_too_many_indexes_fail() -> None:
    """[sig-apps] Job should terminate job execution when the number of failed indexes exceeds maxFailedIndexes [Conformance]"""
    async with suite() as e2e:
        spec = {"parallelism": 1, "backoffLimit": None, "backoffLimitPerIndex": 0, "maxFailedIndexes": 0, "completionMode": "Indexed"}
        await e2e.create(JOBS, job("with-max-failed-indexes", FAIL, **spec))
        await e2e.until(f"{JOBS}/with-max-failed-indexes", has("FailureTarget", "MaxFailedIndexesExceeded"))
        made = await e2e.until(f"{JOBS}/with-max-failed-indexes", has("Failed", "MaxFailedIndexesExceeded"))
        assert (made["status"]["failedIndexes"], made["status"]["failed"]) == ("0", 1)


async def test_success_of_all() -> None:
    """[sig-apps] Job with successPolicy should succeeded when all indexes succeeded [Conformance]"""
    async with suite() as e2e:
        policy = {"rules": [{"succeededCount": 4, "succeededIndexes": "0-3"}]}
        await e2e.create(JOBS, job("all", SUCCEED, completionMode="Indexed", successPolicy=policy))
        await e2e.until(f"{JOBS}/all", has("SuccessCriteriaMet", "SuccessPolicy"))
        made = await complete(e2e, "all", 4, "SuccessPolicy")
        assert made["status"]["completedIndexes"] == "0-3"


async def test_success_of_certain_indexes() -> None:
    """[sig-apps] Job with successPolicy succeededIndexes rule should succeeded even when some indexes remain pending [Conformance]"""
    async with suite() as e2e:
        policy = {"rules": [{"succeededIndexes": "0"}]}
        await e2e.create(JOBS, indexed("some", completions=2, successPolicy=policy))

        def first_succeeds(pod: Object) -> Object:
            return SUCCEED if index_of(pod) == 0 else FOREVER

        await until_told(e2e, "some", first_succeeds, has("SuccessCriteriaMet", "SuccessPolicy"))
        made = await complete(e2e, "some", 1, "SuccessPolicy")
        assert made["status"]["completedIndexes"] == "0"
        (left,) = await e2e.items(PODS, fields="status.phase=Succeeded")
        assert index_of(left) == 0


async def test_success_of_a_number() -> None:
    """[sig-apps] Job with successPolicy succeededCount rule should succeeded even when some indexes remain pending [Conformance]"""
    async with suite() as e2e:
        policy = {"rules": [{"succeededCount": 1}]}
        await e2e.create(JOBS, indexed("count", completions=2, successPolicy=policy))

        def second_succeeds(pod: Object) -> Object:
            return SUCCEED if index_of(pod) == 1 else FOREVER

        await until_told(e2e, "count", second_succeeds, has("SuccessCriteriaMet", "SuccessPolicy"))
        made = await complete(e2e, "count", 1, "SuccessPolicy")
        assert made["status"]["completedIndexes"] == "1"
