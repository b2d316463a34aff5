"""The official conformance tests of StatefulSets, step by step. There a pod is made unready by a program that moves the file its probe
asks for; here by a readiness gate, which says what the test wants it to say."""

from __future__ import annotations

from typing import Any

import pytest

from kctl.apimachinery import objects
from kctl.apimachinery.objects import Object
from tests.conformance.suite import APPS, CORE, NAMESPACE, PODS, STRATEGIC, Holds, Suite, is_ready, pod, selected, suite, template

pytestmark = pytest.mark.virtual_time
SETS = f"{APPS}/statefulsets"
SS = f"{SETS}/ss"
LABELS = {"foo": "bar", "baz": "blah"}
CHOSEN = "baz=blah,foo=bar"
PROBE = "e2e.example.com/probe"
REVISION = "controller-revision-hash"
OLD, NEW = "httpd:2", "httpd:3"


def stateful_set(replicas: int, gated: bool = False, pod_spec: Object | None = None, **spec: Any) -> Object:
    gates = {"readinessGates": [{"conditionType": PROBE}]} if gated else {}
    made = template(LABELS, OLD, **gates, **(pod_spec or {}))
    body = {"serviceName": "test", "replicas": replicas, "selector": {"matchLabels": LABELS}, "template": made, **spec}
    return {"metadata": {"name": "ss", "labels": {**LABELS}}, "spec": body}


class Sets:
    """A StatefulSet whose pods answer their probe as they are told: `healthy` says how those answer that were not told by themselves."""

    def __init__(self, e2e: Suite) -> None:
        self.e2e = e2e
        self.healthy = True
        self.broken: set[str] = set()

    async def pods(self) -> list[Object]:
        return [pod for pod in await self.e2e.items(PODS, CHOSEN) if not objects.deletion_timestamp(pod)]

    async def answer(self) -> None:
        """Every pod's probe says what it should."""
        for each in await self.pods():
            wanted = "True" if self.healthy and objects.name(each) not in self.broken else "False"
            if (objects.condition(each, PROBE) or {}).get("status") != wanted:
                change = {"status": {"conditions": [{"type": PROBE, "status": wanted}]}}
                await self.e2e.ask("PATCH", f"{PODS}/{objects.name(each)}/status", change, kind=STRATEGIC)

    async def until(self, holds: Holds, seconds: float = 300) -> list[Object]:
        """The pods as soon as they hold."""
        for _ in range(int(seconds * 2)):
            await self.answer()
            there = await self.pods()
            if holds(there):
                return there
            await self.e2e.settle(0.5)
        raise AssertionError([(objects.name(each), is_ready(each)) for each in there])

    async def ready(self, count: int) -> list[Object]:
        return await self.until(lambda pods: len(pods) == count and all(map(is_ready, pods)))

    async def stays(self, count: int) -> None:
        """For ten seconds no pod more and none less."""
        for _ in range(10):
            await self.answer()
            await self.e2e.settle(1)
            assert len(await self.pods()) == count

    async def status(self, holds: Holds) -> Object:
        """The set, observed by its controller, as soon as it holds."""
        for _ in range(600):
            await self.answer()
            made: Object = await self.e2e.get(SS)
            if made["status"].get("observedGeneration", 0) >= made["metadata"]["generation"] and holds(made):
                return made
            await self.e2e.settle(0.5)
        raise AssertionError(made["status"])

    async def scale(self, replicas: int) -> None:
        await self.e2e.update_until(SS, lambda made: {**made, "spec": {**made["spec"], "replicas": replicas}})


def images(pods: list[Object]) -> list[str]:
    return [each["spec"]["containers"][0]["image"] for each in pods]


def revisions(pods: list[Object]) -> list[str]:
    return [objects.labels(each)[REVISION] for each in pods]


def with_image(image: str) -> Any:
    def change(made: Object) -> Object:
        made["spec"]["template"]["spec"]["containers"][0]["image"] = image
        return made

    return change


def with_partition(partition: int) -> Any:
    def change(made: Object) -> Object:
        made["spec"]["updateStrategy"] = {"type": "RollingUpdate", "rollingUpdate": {"partition": partition}}
        return made

    return change


async def order(e2e: Suite, since: Object, kind: str) -> list[str]:
    return [objects.name(each) for event, each in await e2e.watched(selected(PODS, CHOSEN), since) if event == kind]


async def test_rolling_updates_and_rollbacks() -> None:
    """[sig-apps] StatefulSet Basic StatefulSet functionality [StatefulSetBasic] should perform rolling updates and roll backs of template modifications [Conformance]"""  # noqa: E501
    async with suite() as e2e:
        sets = Sets(e2e)
        await e2e.create(SETS, stateful_set(3, gated=True))
        before = await sets.ready(3)
        made = await sets.status(lambda made: made["status"]["currentReplicas"] == 3)
        first = made["status"]["currentRevision"]
        assert made["status"]["updateRevision"] == first and revisions(before) == [first] * 3
        sets.broken.add("ss-1")
        await sets.until(lambda pods: not is_ready(pods[1]))
        since = await e2e.get(PODS)
        for image, target in ((NEW, ""), (OLD, first)):
            await e2e.update_until(SS, with_image(image))
            made = await sets.status(lambda made: made["status"]["currentRevision"] != made["status"]["updateRevision"])
            revision = made["status"]["updateRevision"]
            assert revision == target if target else revision != first
            await sets.stays(3)  # a pod is not ready, so the update waits
            assert image not in images(await sets.pods())
            sets.broken.clear()
            await sets.until(lambda pods, image=image: images(pods) == [image] * 3)  # type: ignore[misc]
            after = await sets.ready(3)
            assert revisions(after) == [revision] * 3
            made = await sets.status(lambda made: made["status"]["currentRevision"] == made["status"]["updateRevision"])
            assert made["status"]["currentRevision"] == revision
            assert await order(e2e, since, "DELETED") == ["ss-2", "ss-1", "ss-0"]
            sets.broken.add("ss-1")
            await sets.until(lambda pods: not is_ready(pods[1]))
            since = await e2e.get(PODS)


async def test_canaries_and_phases() -> None:
    """[sig-apps] StatefulSet Basic StatefulSet functionality [StatefulSetBasic] should perform canary updates and phased rolling updates of template modifications [Conformance]"""  # noqa: E501
    async with suite() as e2e:
        sets = Sets(e2e)
        strategy = {"type": "RollingUpdate", "rollingUpdate": {"partition": 3}}
        await e2e.create(SETS, stateful_set(3, updateStrategy=strategy))
        await sets.ready(3)
        first = (await e2e.get(SS))["status"]["currentRevision"]
        await e2e.update_until(SS, with_image(NEW))
        made = await sets.status(lambda made: made["status"]["updateRevision"] != first)
        second = made["status"]["updateRevision"]
        await sets.stays(3)
        assert images(await sets.pods()) == [OLD] * 3 and revisions(await sets.pods()) == [first] * 3
        await e2e.update_until(SS, with_partition(2))
        await sets.until(lambda pods: len(pods) == 3 and images(pods) == [OLD, OLD, NEW] and all(map(is_ready, pods)))
        assert revisions(await sets.pods()) == [first, first, second]
        for name in ("ss-0", "ss-2"):
            before = objects.uid(await e2e.get(f"{PODS}/{name}"))
            await e2e.delete(f"{PODS}/{name}")
            await e2e.until(f"{PODS}/{name}", lambda each, before=before: objects.uid(each) != before and is_ready(each))  # type: ignore[misc]
        assert images(await sets.ready(3)) == [OLD, OLD, NEW] and revisions(await sets.pods()) == [first, first, second]
        for partition, wanted in ((1, [OLD, NEW, NEW]), (0, [NEW, NEW, NEW])):
            await e2e.update_until(SS, with_partition(partition))
            await sets.until(lambda pods, wanted=wanted: images(pods) == wanted and all(map(is_ready, pods)))  # type: ignore[misc]
            await sets.stays(3)
        made = await sets.status(lambda made: made["status"]["currentRevision"] == made["status"]["updateRevision"])
        assert made["status"]["currentRevision"] == second and revisions(await sets.pods()) == [second] * 3


async def test_scaling_is_ordered() -> None:
    """[sig-apps] StatefulSet Basic StatefulSet functionality [StatefulSetBasic] Scaling should happen in predictable order and halt if any stateful pod is unhealthy [Slow] [Conformance]"""  # noqa: E501
    async with suite() as e2e:
        sets = Sets(e2e)
        since = await e2e.get(PODS)
        await e2e.create(SETS, stateful_set(1, gated=True))
        await sets.ready(1)
        sets.healthy = False
        await sets.until(lambda pods: not is_ready(pods[0]))
        await sets.status(lambda made: not made["status"].get("readyReplicas"))
        await sets.scale(3)
        await sets.stays(1)
        sets.healthy = True
        await sets.ready(3)
        assert await order(e2e, since, "ADDED") == ["ss-0", "ss-1", "ss-2"]
        since = await e2e.get(PODS)
        sets.healthy = False
        await sets.until(lambda pods: not any(map(is_ready, pods)))
        await sets.scale(0)
        await sets.status(lambda made: not made["status"].get("readyReplicas"))
        await sets.stays(3)
        sets.healthy = True
        await sets.until(lambda pods: not pods)
        await e2e.empty(PODS)
        assert await order(e2e, since, "DELETED") == ["ss-2", "ss-1", "ss-0"]


async def test_burst_scaling() -> None:
    """[sig-apps] StatefulSet Basic StatefulSet functionality [StatefulSetBasic] Burst scaling should run to completion even with unhealthy pods [Slow] [Conformance]"""  # noqa: E501
    async with suite() as e2e:
        sets = Sets(e2e)
        await e2e.create(SETS, stateful_set(1, gated=True, podManagementPolicy="Parallel"))
        await sets.ready(1)
        sets.healthy = False
        await sets.until(lambda pods: not is_ready(pods[0]))
        await sets.status(lambda made: not made["status"].get("readyReplicas"))
        await sets.scale(3)
        await sets.until(lambda pods: len(pods) == 3 and not any(map(is_ready, pods)))
        await e2e.until(selected(PODS, CHOSEN), lambda pods: all(each["status"]["phase"] == "Running" for each in pods["items"]))
        sets.healthy = True
        await sets.ready(3)
        sets.healthy = False
        await sets.until(lambda pods: not any(map(is_ready, pods)))
        await sets.status(lambda made: not made["status"].get("readyReplicas"))
        await sets.scale(0)
        await sets.until(lambda pods: not pods)
        await e2e.empty(PODS)


async def test_scale() -> None:
    """[sig-apps] StatefulSet Basic StatefulSet functionality [StatefulSetBasic] should have a working scale subresource [Conformance]"""
    async with suite() as e2e:
        await e2e.create(SETS, stateful_set(1))
        await Sets(e2e).ready(1)
        scale = await e2e.until(f"{SS}/scale", lambda scale: scale["status"]["replicas"] == 1)
        assert scale["spec"]["replicas"] == 1
        scale["metadata"]["resourceVersion"] = ""
        scale["spec"]["replicas"] = 2
        assert (await e2e.update(f"{SS}/scale", scale))["spec"]["replicas"] == 2
        assert (await e2e.get(SS))["spec"]["replicas"] == 2
        await e2e.patch(f"{SS}/scale", {"spec": {"replicas": 4}}, STRATEGIC)
        assert (await e2e.get(SS))["spec"]["replicas"] == 4
        await Sets(e2e).ready(4)


async def test_rejected_pods_are_made_again() -> None:
    """[sig-apps] StatefulSet Basic StatefulSet functionality [StatefulSetBasic] Should recreate evicted statefulset [Conformance]"""
    port = {"containerPort": 21017, "hostPort": 21017, "name": "conflict"}
    async with suite() as e2e:
        (node, *_) = await e2e.names("/api/v1/nodes")
        containers = [{"name": "c", "image": OLD, "ports": [port]}]
        await e2e.create(PODS, pod("test-pod", nodeName=node, containers=containers))
        await e2e.until(f"{PODS}/test-pod", is_ready)
        since = await e2e.get(PODS)
        await e2e.create(SETS, stateful_set(1, pod_spec={"nodeName": node, "containers": containers}))
        failed = await e2e.seen(PODS, since, "MODIFIED", lambda each: each["status"].get("phase") == "Failed")
        assert objects.name(failed) == "ss-0" and failed["status"]["reason"] == "NodePorts"
        await e2e.seen(PODS, since, "DELETED", lambda each: objects.uid(each) == objects.uid(failed))
        await e2e.delete(f"{PODS}/test-pod")
        await e2e.gone(f"{PODS}/test-pod")
        again = await e2e.until(f"{PODS}/ss-0", is_ready)
        assert objects.uid(again) != objects.uid(failed)


async def test_collection() -> None:
    """[sig-apps] StatefulSet Basic StatefulSet functionality [StatefulSetBasic] should list, patch and delete a collection of StatefulSets [Conformance]"""  # noqa: E501
    async with suite() as e2e:
        await e2e.create(f"{CORE}/services", {"metadata": {"name": "test"}, "spec": {"clusterIP": "None", "selector": LABELS}})
        body = stateful_set(1)
        body["metadata"]["name"] = "test-ss"
        await e2e.create(SETS, body)
        await e2e.running(CHOSEN, 1)
        change = {
            "metadata": {"labels": {"test-ss": "patched"}},
            "spec": {
                "replicas": 2,
                "template": {"spec": {"terminationGracePeriodSeconds": 0, "containers": [{"name": "c", "image": "pause:1"}]}},
            },
        }
        await e2e.patch(f"{SETS}/test-ss", change, STRATEGIC)

        def rolled_out(made: Object) -> bool:
            status, spec = made["status"], made["spec"]
            pod_spec = spec["template"]["spec"]
            settled = status.get("updatedReplicas") == status.get("readyReplicas") == spec["replicas"] == 2
            return bool(settled and images([spec["template"]]) == ["pause:1"] and pod_spec["terminationGracePeriodSeconds"] == 0)

        made = await e2e.until(f"{SETS}/test-ss", rolled_out)
        assert objects.labels(made)["test-ss"] == "patched"
        assert await e2e.names("/apis/apps/v1/statefulsets", "test-ss=patched") == ["test-ss"]
        await e2e.delete(selected(SETS, "test-ss=patched"), gracePeriodSeconds=1)
        await e2e.empty(SETS, "test-ss=patched")
        await e2e.empty(PODS)


async def test_status() -> None:
    """[sig-apps] StatefulSet Basic StatefulSet functionality [StatefulSetBasic] should validate Statefulset Status endpoints [Conformance]"""  # noqa: E501
    async with suite() as e2e:
        since, watched = await e2e.get(selected(SETS, CHOSEN)), selected(SETS, CHOSEN)
        await e2e.create(SETS, stateful_set(1))
        await e2e.running(CHOSEN, 1)
        read = await e2e.get(f"{SS}/status")
        assert (read["kind"], read["metadata"]["namespace"], read["status"]["replicas"]) == ("StatefulSet", NAMESPACE, 1)
        condition = {"type": "StatusUpdate", "status": "True", "reason": "E2E", "message": "Set from e2e test"}

        def has(kind: str) -> Holds:
            return lambda made: kind in [each["type"] for each in made["status"].get("conditions", ())]

        updated = await e2e.update_until(f"{SS}/status", lambda made: objects.with_status(made, conditions=[condition]))
        assert has("StatusUpdate")(updated)
        await e2e.seen(watched, since, "MODIFIED", has("StatusUpdate"))
        patched = await e2e.patch(f"{SS}/status", {"status": {"conditions": [{"type": "StatusPatched", "status": "True"}]}})
        assert [each["type"] for each in patched["status"]["conditions"]] == ["StatusPatched"]
        await e2e.seen(watched, since, "MODIFIED", has("StatusPatched"))
        await e2e.settle(5)
        assert has("StatusPatched")(await e2e.get(SS))
