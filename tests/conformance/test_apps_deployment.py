"""The official conformance tests of Deployments, step by step."""

from __future__ import annotations

from typing import Any

import pytest

from kctl.apimachinery import objects
from kctl.apimachinery.objects import Object
from tests.conformance.suite import APPS, PODS, STRATEGIC, Suite, selected, suite, template

pytestmark = pytest.mark.virtual_time
DEPLOYMENTS, REPLICA_SETS = f"{APPS}/deployments", f"{APPS}/replicasets"
EVERYWHERE = "/apis/apps/v1/deployments"
NOWHERE = "registry.invalid/webserver:404"
REVISION = "deployment.kubernetes.io/revision"


def deployment(name: str, labels: Object, replicas: int = 1, image: str = "httpd:2", strategy: Object | None = None, **spec: Any) -> Object:
    spec = {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template(labels, image), **spec}
    return {"metadata": {"name": name, "labels": {**labels}}, "spec": {"strategy": strategy or {"type": "RollingUpdate"}, **spec}}


def replica_set(name: str, labels: Object, annotations: Object | None = None) -> Object:
    spec = {"replicas": 1, "selector": {"matchLabels": labels}, "template": template(labels, "httpd:2")}
    return {"metadata": {"name": name, "labels": labels, "annotations": annotations or {}}, "spec": spec}


def is_complete(made: Object) -> bool:
    wanted, status = made["spec"]["replicas"], made.get("status", {})
    counted = [status.get(f"{word}eplicas", 0) for word in ("updatedR", "r", "availableR")]
    return counted == [wanted] * 3 and status.get("observedGeneration", 0) >= made["metadata"]["generation"]


async def complete(e2e: Suite, name: str, revision: str, image: str) -> Object:
    """Rolled out, and so is its ReplicaSet: the revision and the image are those."""
    made: Object = await e2e.until(
        f"{DEPLOYMENTS}/{name}", lambda made: is_complete(made) and objects.annotations(made).get(REVISION) == revision
    )
    new = await replica_set_of(e2e, made)
    assert objects.annotations(new)[REVISION] == revision and new["spec"]["template"]["spec"]["containers"][0]["image"] == image
    assert objects.labels(new)["pod-template-hash"] == new["spec"]["selector"]["matchLabels"]["pod-template-hash"]
    return made


async def replica_set_of(e2e: Suite, made: Object) -> Object:
    """The one with the Deployment's template."""
    image = made["spec"]["template"]["spec"]["containers"][0]["image"]
    owned = [each for each in await e2e.items(REPLICA_SETS) if (objects.controller_of(each) or {}).get("uid") == objects.uid(made)]
    (new,) = [each for each in owned if each["spec"]["template"]["spec"]["containers"][0]["image"] == image]
    return new


def with_image(image: str) -> Any:
    def change(made: Object) -> Object:
        made["spec"]["template"]["spec"]["containers"][0] = {"name": "new", "image": image}
        return made

    return change


async def test_lifecycle() -> None:
    """[sig-apps] Deployment should run the lifecycle of a Deployment [Conformance]"""
    label = "test-deployment-static=true"
    async with suite() as e2e:
        since, watched = await e2e.get(selected(EVERYWHERE, label)), selected(DEPLOYMENTS, label)
        body = deployment("test-deployment", {"test-deployment-static": "true"}, 2, "agnhost:1")
        body["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] = 1
        await e2e.create(DEPLOYMENTS, body)
        await e2e.seen(watched, since, "ADDED", lambda made: made["metadata"]["name"] == "test-deployment")
        await e2e.seen(watched, since, "MODIFIED", lambda made: made["status"].get("readyReplicas") == 2)

        pod_spec = {"terminationGracePeriodSeconds": 2, "containers": [{"name": "c", "image": "pause:1"}]}
        change = {"metadata": {"labels": {"test-deployment": "patched"}}, "spec": {"replicas": 1, "template": {"spec": pod_spec}}}
        await e2e.patch(f"{DEPLOYMENTS}/test-deployment", change, STRATEGIC)

        def rolled_out(replicas: int, image: str) -> Any:
            def holds(made: Object) -> bool:
                status, spec = made["status"], made["spec"]["template"]["spec"]
                counted = status.get("readyReplicas"), status.get("updatedReplicas"), status.get("unavailableReplicas", 0)
                return counted == (replicas, replicas, 0) and spec["containers"][0]["image"] == image

            return holds

        seen = await e2e.seen(watched, since, "MODIFIED", rolled_out(1, "pause:1"))
        assert seen["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] == 2
        since = await e2e.get(selected(EVERYWHERE, label))
        assert [objects.name(each) for each in since["items"]] == ["test-deployment"]

        body["metadata"]["labels"]["test-deployment"] = "updated"
        body["spec"]["template"]["spec"]["containers"][0]["image"] = "httpd:2"
        await e2e.update(f"{DEPLOYMENTS}/test-deployment", body)
        await e2e.seen(watched, since, "MODIFIED")
        read = await e2e.get(f"{DEPLOYMENTS}/test-deployment/status")
        assert read["spec"]["template"]["spec"]["containers"][0]["image"] == "httpd:2"
        assert read["metadata"]["labels"]["test-deployment"] == "updated"
        await e2e.seen(watched, since, "MODIFIED", rolled_out(2, "httpd:2"))

        change = {"metadata": {"labels": {"test-deployment": "patched-status"}}, "status": {"readyReplicas": 0, "availableReplicas": 0}}
        patched = await e2e.patch(f"{DEPLOYMENTS}/test-deployment/status", change, STRATEGIC)
        await e2e.seen(watched, since, "MODIFIED")
        read = await e2e.get(f"{DEPLOYMENTS}/test-deployment/status")
        assert read["spec"]["template"]["spec"]["containers"][0]["image"] == "httpd:2"
        assert read["metadata"]["labels"]["test-deployment"] == "updated"
        await e2e.seen(watched, patched, "MODIFIED", rolled_out(2, "httpd:2"))

        await e2e.delete(selected(DEPLOYMENTS, label), gracePeriodSeconds=1)
        await e2e.seen(watched, since, "DELETED")
        await e2e.empty(PODS)


async def test_status() -> None:
    """[sig-apps] Deployment should validate Deployment Status endpoints [Conformance]"""
    async with suite() as e2e:
        since, watched = await e2e.get(selected(EVERYWHERE, "e2e=testing")), selected(DEPLOYMENTS, "e2e=testing")
        await e2e.create(DEPLOYMENTS, deployment("d", {"name": "httpd", "e2e": "testing"}))
        await complete(e2e, "d", "1", "httpd:2")
        assert (await e2e.get(f"{DEPLOYMENTS}/d/status"))["status"]["conditions"]
        condition = {"type": "StatusUpdate", "status": "True", "reason": "E2E", "message": "Set from e2e test"}

        def changed(made: Object) -> Object:
            return {**made, "status": {**made["status"], "conditions": [*made["status"]["conditions"], condition]}}

        updated = await e2e.update_until(f"{DEPLOYMENTS}/d/status", changed)
        assert {key: updated["status"]["conditions"][-1][key] for key in condition} == condition
        kinds = {"type": "StatusPatched", "status": "True"}

        def has(kind: str) -> Any:
            return lambda made: any(each["type"] == kind for each in made["status"].get("conditions", ()))

        await e2e.seen(watched, since, "MODIFIED", has("StatusUpdate"))
        patched = await e2e.patch(f"{DEPLOYMENTS}/d/status", {"status": {"conditions": [kinds]}})
        assert [each["type"] for each in patched["status"]["conditions"]] == ["StatusPatched"]
        await e2e.seen(watched, since, "MODIFIED", has("StatusPatched"))


async def test_rolling_update() -> None:
    """[sig-apps] Deployment RollingUpdateDeployment should delete old pods and create new ones [Conformance]"""
    async with suite() as e2e:
        adopted = replica_set("test-rolling-update-controller", {"name": "sample-pod", "pod": "httpd"}, {REVISION: "3546343826724305832"})
        await e2e.create(REPLICA_SETS, adopted)
        await e2e.running("name=sample-pod", 1)
        await e2e.create(DEPLOYMENTS, deployment("test-rolling-update-deployment", {"name": "sample-pod"}, image="agnhost:2"))
        made = await complete(e2e, "test-rolling-update-deployment", "3546343826724305833", "agnhost:2")
        old = await e2e.get(f"{REPLICA_SETS}/test-rolling-update-controller")
        assert (objects.controller_of(old) or {})["uid"] == objects.uid(made) and old["spec"]["replicas"] == 0
        assert len(await e2e.items(REPLICA_SETS)) == 2
        (left,) = await e2e.running("name=sample-pod", 1)
        assert left["spec"]["containers"][0]["image"] == "agnhost:2"


async def test_recreate() -> None:
    """[sig-apps] Deployment RecreateDeployment should delete old pods and create new ones [Conformance]"""
    async with suite() as e2e:
        await e2e.create(DEPLOYMENTS, deployment("d", {"name": "sample-pod-3"}, image="agnhost:2", strategy={"type": "Recreate"}))
        await complete(e2e, "d", "1", "agnhost:2")
        changed = await e2e.update_until(f"{DEPLOYMENTS}/d", with_image("httpd:2"))
        await complete(e2e, "d", "2", "httpd:2")
        for _, seen in await e2e.watched(selected(DEPLOYMENTS, fields="metadata.name=d"), changed):
            replicas, updated = seen["status"].get("replicas", 0), seen["status"].get("updatedReplicas", 0)
            assert not updated or replicas == updated


async def test_old_replica_sets_are_deleted() -> None:
    """[sig-apps] Deployment deployment should delete old replica sets [Conformance]"""
    async with suite() as e2e:
        await e2e.create(REPLICA_SETS, replica_set("test-cleanup-controller", {"name": "cleanup-pod", "pod": "httpd"}))
        await e2e.running("name=cleanup-pod", 1)
        since = await e2e.get(PODS)
        await e2e.create(DEPLOYMENTS, deployment("d", {"name": "cleanup-pod"}, image="agnhost:2", revisionHistoryLimit=0))
        await e2e.until(REPLICA_SETS, lambda sets: "test-cleanup-controller" not in [objects.name(each) for each in sets["items"]])
        assert len(await e2e.items(REPLICA_SETS)) == 1
        (made,) = [seen for kind, seen in await e2e.watched(PODS, since) if kind == "ADDED"]
        assert made["spec"]["containers"][0]["image"] == "agnhost:2"


async def test_rollover() -> None:
    """[sig-apps] Deployment deployment should support rollover [Conformance]"""
    strategy = {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}}
    async with suite() as e2e:
        await e2e.create(REPLICA_SETS, replica_set("old", {"name": "rollover-pod", "pod": "httpd"}))
        await e2e.running("name=rollover-pod", 1)
        await e2e.until(f"{REPLICA_SETS}/old", lambda made: made["status"].get("readyReplicas") == 1)
        body = deployment("d", {"name": "rollover-pod"}, image=NOWHERE, strategy=strategy, minReadySeconds=10)
        await e2e.create(DEPLOYMENTS, body)
        made = await e2e.until(f"{DEPLOYMENTS}/d", lambda made: made["status"].get("updatedReplicas", 0) >= 1)
        assert objects.annotations(made)[REVISION] == "1"
        middle = await replica_set_of(e2e, made)
        for name in ("old", objects.name(middle)):
            there = await e2e.get(f"{REPLICA_SETS}/{name}")
            assert (there["spec"]["replicas"], there["status"]["replicas"]) == (1, 1)
        changed = await e2e.update_until(f"{DEPLOYMENTS}/d", with_image("agnhost:2"))
        await e2e.until(f"{DEPLOYMENTS}/d", lambda made: made["status"]["observedGeneration"] >= changed["metadata"]["generation"])
        await complete(e2e, "d", "2", "agnhost:2")
        for _, seen in await e2e.watched(DEPLOYMENTS, changed):
            status = seen["status"]
            assert status["replicas"] <= 2 and status.get("availableReplicas", 0) >= 1
        for name in ("old", objects.name(middle)):
            there = await e2e.until(f"{REPLICA_SETS}/{name}", lambda there: there["status"]["replicas"] == 0)
            assert there["spec"]["replicas"] == 0


async def test_proportional_scaling() -> None:
    """[sig-apps] Deployment deployment should support proportional scaling [Conformance]"""
    strategy = {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 2, "maxSurge": 3}}
    async with suite() as e2e:
        await e2e.create(DEPLOYMENTS, deployment("d", {"name": "httpd"}, 10, strategy=strategy))
        made = await complete(e2e, "d", "1", "httpd:2")
        first = f"{REPLICA_SETS}/{objects.name(await replica_set_of(e2e, made))}"
        changed = await e2e.update_until(f"{DEPLOYMENTS}/d", with_image(NOWHERE))
        await e2e.until(f"{DEPLOYMENTS}/d", lambda made: made["status"]["observedGeneration"] >= changed["metadata"]["generation"])

        def sized(replicas: int) -> Any:
            return lambda each: (each["spec"]["replicas"], each["status"]["replicas"]) == (replicas, replicas)

        shrunk = await e2e.until(first, sized(8))
        assert shrunk["status"]["availableReplicas"] == 8
        new = await replica_set_of(e2e, changed)
        second = f"{REPLICA_SETS}/{objects.name(new)}"
        assert not (await e2e.until(second, sized(5)))["status"].get("availableReplicas")
        assert (await e2e.get(f"{DEPLOYMENTS}/d"))["status"]["availableReplicas"] >= 8
        await e2e.update_until(f"{DEPLOYMENTS}/d", lambda made: {**made, "spec": {**made["spec"], "replicas": 30}})
        await e2e.until(first, sized(20))
        await e2e.until(second, sized(13))


async def test_scale() -> None:
    """[sig-apps] Deployment Deployment should have a working scale subresource [Conformance]"""
    async with suite() as e2e:
        await e2e.create(DEPLOYMENTS, deployment("d", {"name": "httpd"}))
        await complete(e2e, "d", "1", "httpd:2")
        scale = await e2e.get(f"{DEPLOYMENTS}/d/scale")
        assert (scale["kind"], scale["spec"]["replicas"], scale["status"]["replicas"]) == ("Scale", 1, 1)
        scale["metadata"]["resourceVersion"] = ""  # unconditional
        scale["spec"]["replicas"] = 2
        assert (await e2e.update(f"{DEPLOYMENTS}/d/scale", scale))["spec"]["replicas"] == 2
        assert (await e2e.get(f"{DEPLOYMENTS}/d"))["spec"]["replicas"] == 2
        await e2e.patch(f"{DEPLOYMENTS}/d/scale", {"spec": {"replicas": 4}}, STRATEGIC)
        assert (await e2e.get(f"{DEPLOYMENTS}/d"))["spec"]["replicas"] == 4
        await e2e.running("name=httpd", 4)
