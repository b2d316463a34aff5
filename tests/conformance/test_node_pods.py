"""The official conformance tests of pods that look at what the API shows of them, step by step."""

from __future__ import annotations

from typing import Any

import pytest

from kctl.apimachinery import objects
from kctl.apimachinery.objects import Object
from tests.conformance.suite import PODS, STRATEGIC, Suite, container, is_ready, pod, selected, suite

pytestmark = pytest.mark.virtual_time


async def test_host_address() -> None:
    """[sig-node] Pods should get a host IP [NodeConformance] [Conformance]"""
    async with suite() as e2e:
        await e2e.create(PODS, pod("pod-hostip"))
        made = await e2e.until(f"{PODS}/pod-hostip", is_ready)
        node = await e2e.get(f"/api/v1/nodes/{made['spec']['nodeName']}")
        address = next(each["address"] for each in node["status"]["addresses"] if each["type"] == "InternalIP")
        assert made["status"]["hostIP"] == address and made["status"]["hostIPs"] == [{"ip": address}]


async def test_submitted_and_removed() -> None:
    """[sig-node] Pods should be submitted and removed [NodeConformance] [Conformance]"""
    async with suite() as e2e:
        watched = selected(PODS, "time=42")
        since = await e2e.get(watched)
        assert since["items"] == []
        await e2e.create(PODS, pod("pod-submit-remove", {"name": "foo", "time": "42"}))
        assert await e2e.names(PODS, "time=42") == ["pod-submit-remove"]
        await e2e.seen(watched, since, "ADDED")
        await e2e.until(f"{PODS}/pod-submit-remove", is_ready)
        deleting = await e2e.delete(f"{PODS}/pod-submit-remove", gracePeriodSeconds=30)
        assert deleting["metadata"]["deletionTimestamp"] and deleting["metadata"]["deletionGracePeriodSeconds"] == 30
        last = await e2e.seen(watched, since, "DELETED")
        assert last["metadata"]["deletionTimestamp"] and last["spec"]["terminationGracePeriodSeconds"] == 30
        assert await e2e.names(PODS, "time=42") == []


async def test_updated() -> None:
    """[sig-node] Pods should be updated [NodeConformance] [Conformance]"""
    async with suite() as e2e:
        await e2e.create(PODS, pod("pod-update", {"name": "foo", "time": "42"}))
        await e2e.until(f"{PODS}/pod-update", is_ready)
        assert await e2e.names(PODS, "time=42") == ["pod-update"]
        await e2e.update_until(f"{PODS}/pod-update", lambda each: objects.with_metadata(each, labels={"time": "updated-42"}))
        await e2e.until(f"{PODS}/pod-update", is_ready)
        assert await e2e.names(PODS, "time=updated-42") == ["pod-update"]


async def test_deadline() -> None:
    """[sig-node] Pods should allow activeDeadlineSeconds to be updated [NodeConformance] [Conformance]"""
    async with suite() as e2e:
        await e2e.create(PODS, pod("pod-deadline", {"time": "42"}))
        await e2e.until(f"{PODS}/pod-deadline", is_ready)
        assert await e2e.names(PODS, "time=42") == ["pod-deadline"]
        await e2e.update_until(f"{PODS}/pod-deadline", lambda each: {**each, "spec": {**each["spec"], "activeDeadlineSeconds": 5}})
        ended = await e2e.until(f"{PODS}/pod-deadline", lambda each: each["status"]["phase"] == "Failed", 40)
        assert ended["status"]["reason"] == "DeadlineExceeded"


async def test_collection() -> None:
    """[sig-node] Pods should delete a collection of pods [Conformance]"""
    async with suite() as e2e:
        for number in (1, 2, 3):
            await e2e.create(PODS, pod(f"test-pod-{number}", {"type": "Testing"}, terminationGracePeriodSeconds=1))
        await e2e.running("type=Testing", 3)
        assert len(await e2e.items("/api/v1/pods", "type=Testing")) == 3
        await e2e.delete(selected(PODS, "type=Testing"), gracePeriodSeconds=30)
        await e2e.empty(PODS, "type=Testing")


async def test_status_is_patched() -> None:
    """[sig-node] Pods should patch a pod status [Conformance]"""
    async with suite() as e2e:
        await e2e.create(PODS, pod("pod-x", {"type": "Testing"}))
        await e2e.until(f"{PODS}/pod-x", is_ready)
        change = {"metadata": {"annotations": {"patchedstatus": "true"}}, "status": {"message": "Patched by e2e test", "reason": "E2E"}}
        patched = await e2e.patch(f"{PODS}/pod-x/status", change)
        assert (patched["status"]["message"], patched["status"]["reason"]) == ("Patched by e2e test", "E2E")
        assert objects.annotations(patched)["patchedstatus"] == "true"


async def test_lifecycle() -> None:
    """[sig-node] Pods should run through the lifecycle of Pods and PodStatus [Conformance]"""
    path = f"{PODS}/pod-test"
    async with suite() as e2e:
        watched = selected(PODS, "test-pod-static=true")
        since = await e2e.get(watched)
        await e2e.create(PODS, pod("pod-test", {"test-pod-static": "true"}, terminationGracePeriodSeconds=1))
        await e2e.seen(watched, since, "MODIFIED", is_ready)
        change = {
            "metadata": {"labels": {"test-pod": "patched"}},
            "spec": {"terminationGracePeriodSeconds": 1, "containers": [{"name": "c", "image": "pause:1"}]},
        }
        await e2e.patch(path, change, STRATEGIC)
        await e2e.seen(watched, since, "MODIFIED", lambda each: objects.labels(each).get("test-pod") == "patched")
        read = await e2e.until(path, lambda each: is_ready(each) and each["status"]["containerStatuses"][0]["restartCount"] == 1)
        assert objects.labels(read)["test-pod"] == "patched" and read["spec"]["containers"][0]["image"] == "pause:1"
        read = await e2e.get(f"{path}/status")

        def unready(shown: Object) -> Object:
            conditions = [{**each, "status": "False"} if each["type"] == "Ready" else each for each in shown["status"]["conditions"]]
            return objects.with_status(shown, conditions=conditions)

        updated = await e2e.update_until(f"{path}/status", unready)
        assert not objects.is_condition_true(updated, "Ready")
        await e2e.seen(watched, read, "MODIFIED", lambda each: not objects.is_condition_true(each, "Ready"))
        await e2e.until(path, is_ready)  # the kubelet knows better
        await e2e.delete(watched, gracePeriodSeconds=1)
        await e2e.seen(watched, since, "DELETED")


async def test_quality_of_service() -> None:
    """[sig-node] Pods Extended Pods Set QOS Class should be set on Pods with matching resource requests and limits for memory and cpu [Conformance]"""  # noqa: E501
    amounts = {"cpu": "100m", "memory": "100Mi"}
    async with suite() as e2e:
        await e2e.create(PODS, pod("p", containers=[container(resources={"requests": amounts, "limits": amounts})]))
        assert (await e2e.get(f"{PODS}/p"))["status"]["qosClass"] == "Guaranteed"


async def observed(e2e: Suite, name: str, generation: int) -> None:
    """In the status and in every condition of the kubelet's."""

    def holds(each: Object) -> bool:
        conditions = [given.get("observedGeneration") for given in each["status"]["conditions"] if given["type"] != "PodScheduled"]
        return each["status"].get("observedGeneration") == generation and set(conditions) == {generation}

    await e2e.until(f"{PODS}/{name}", holds)


async def test_generation() -> None:
    """[sig-node] Pods Extended (pod generation) Pod Generation pod generation should start at 1 and increment per update [MinimumKubeletVersion:1.34] [Conformance]"""  # noqa: E501

    def spec(**changes: Any) -> Any:
        return lambda each: {**each, "spec": {**each["spec"], **changes}}

    def image(each: Object) -> Object:
        return {**each, "spec": {**each["spec"], "containers": [{**each["spec"]["containers"][0], "image": "pause:2"}]}}

    def tolerations(each: Object) -> Object:
        more = {"key": "foo-0", "operator": "Exists", "effect": "NoSchedule"}
        return {**each, "spec": {**each["spec"], "tolerations": [*each["spec"]["tolerations"], more]}}

    updates = [
        (lambda each: each, 0),
        (spec(activeDeadlineSeconds=20_000), 1),
        (image, 1),
        (tolerations, 1),
        (lambda each: objects.with_metadata(each, labels={"a": "b"}), 0),
        (lambda each: objects.with_metadata(each, annotations={"a": "b"}), 0),
    ]
    async with suite() as e2e:
        made = await e2e.create(PODS, pod("p"))
        generation = made["metadata"]["generation"]
        assert generation == 1
        await e2e.until(f"{PODS}/p", is_ready)
        for change, step in updates:
            generation += step
            assert (await e2e.update_until(f"{PODS}/p", change))["metadata"]["generation"] == generation
            await observed(e2e, "p", generation)
        amounts = {"cpu": "20m"}
        resized = {"spec": {"containers": [{"name": "c", "resources": {"requests": amounts}}]}}
        await e2e.create(PODS, pod("q", containers=[container(resources={"requests": {"cpu": "10m"}})]))
        await e2e.until(f"{PODS}/q", is_ready)
        assert (await e2e.patch(f"{PODS}/q/resize", resized, STRATEGIC))["metadata"]["generation"] == 2
        await observed(e2e, "q", 2)


async def test_generation_of_a_deletion() -> None:
    """[sig-node] Pods Extended (pod generation) Pod Generation custom-set generation on new pods and graceful delete [Conformance]"""
    async with suite() as e2e:
        body = pod("p", annotations={"kctl.dev/stop-duration": "20s"})
        body["metadata"]["generation"] = 100
        assert (await e2e.create(PODS, body))["metadata"]["generation"] == 1
        await e2e.until(f"{PODS}/p", is_ready)
        await e2e.delete(f"{PODS}/p", gracePeriodSeconds=60)
        assert (await e2e.get(f"{PODS}/p"))["metadata"]["generation"] == 2
        await e2e.gone(f"{PODS}/p")


async def test_many_generations() -> None:
    """[sig-node] Pods Extended (pod generation) Pod Generation issue 500 podspec updates and verify generation and observedGeneration eventually converge [MinimumKubeletVersion:1.34] [Conformance]"""  # noqa: E501
    async with suite() as e2e:
        await e2e.create(PODS, pod("p", activeDeadlineSeconds=50_000))
        await e2e.until(f"{PODS}/p", is_ready)
        for number in range(499):
            updated = await e2e.patch(f"{PODS}/p", {"spec": {"activeDeadlineSeconds": 49_999 - number}}, STRATEGIC)
        assert updated["metadata"]["generation"] == 500
        await observed(e2e, "p", 500)
