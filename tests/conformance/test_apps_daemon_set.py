"""The official conformance tests of DaemonSets and their ControllerRevisions, step by step."""

from __future__ import annotations

from typing import Any

import pytest

from kctl.apimachinery import objects
from kctl.apimachinery.objects import Object
from tests.conformance.suite import APPS, PODS, STRATEGIC, Holds, Suite, selected, suite, template

pytestmark = pytest.mark.virtual_time
SETS, REVISIONS = f"{APPS}/daemonsets", f"{APPS}/controllerrevisions"
NODES = "/api/v1/nodes"
CHOSEN = "daemonset-name=daemon-set"
HASH = "controller-revision-hash"


def daemon_set(image: str = "httpd:2", pod: Object | None = None, **spec: Any) -> Object:
    labels = {"daemonset-name": "daemon-set"}
    body = {"selector": {"matchLabels": labels}, "template": template(labels, image, **(pod or {})), **spec}
    return {"metadata": {"name": "daemon-set", "labels": labels}, "spec": body}


async def on_every_node(e2e: Suite, image: str = "") -> list[Object]:
    """One available pod on each node, with that image if one is said."""

    def holds(listed: Object) -> bool:
        images = {each["spec"]["containers"][0]["image"] for each in listed["items"]}
        return len(listed["items"]) == 3 and image in ("", *images) and (not image or len(images) == 1)

    await e2e.until(selected(PODS, CHOSEN), holds)
    pods = await e2e.running(CHOSEN, 3)
    assert sorted(pod["spec"]["nodeName"] for pod in pods) == await e2e.names(NODES)
    return pods


def counted(number: int) -> Holds:
    return lambda made: made["status"].get("numberReady") == number == made["status"].get("currentNumberScheduled")


async def test_simple() -> None:
    """[sig-apps] Daemon set [Serial] should run and stop simple daemon [Conformance]"""
    async with suite() as e2e:
        await e2e.create(SETS, daemon_set())
        first, *_ = await on_every_node(e2e)
        await e2e.until(f"{SETS}/daemon-set", counted(3))
        await e2e.delete(f"{PODS}/{objects.name(first)}")
        await e2e.gone(f"{PODS}/{objects.name(first)}")
        await on_every_node(e2e)


async def test_complex() -> None:
    """[sig-apps] Daemon set [Serial] should run and stop complex daemon [Conformance]"""
    async with suite() as e2e:
        await e2e.create(SETS, daemon_set(pod={"nodeSelector": {"color": "blue"}}))
        await e2e.until(f"{SETS}/daemon-set", lambda made: made["status"].get("observedGeneration") == 1)
        assert await e2e.items(PODS) == []
        node, *_ = await e2e.names(NODES)
        await e2e.patch(f"{NODES}/{node}", {"metadata": {"labels": {"color": "blue"}}})
        (only,) = await e2e.running(CHOSEN, 1)
        assert only["spec"]["nodeName"] == node
        await e2e.until(f"{SETS}/daemon-set", counted(1))
        await e2e.patch(f"{NODES}/{node}", {"metadata": {"labels": {"color": "green"}}})
        await e2e.empty(PODS, CHOSEN)
        change = {"spec": {"template": {"spec": {"nodeSelector": {"color": "green"}}}, "updateStrategy": {"type": "RollingUpdate"}}}
        await e2e.patch(f"{SETS}/daemon-set", change, STRATEGIC)
        (only,) = await e2e.running(CHOSEN, 1)
        assert only["spec"]["nodeName"] == node
        await e2e.until(f"{SETS}/daemon-set", counted(1))


async def test_failed_pods() -> None:
    """[sig-apps] Daemon set [Serial] should retry creating failed daemon pods [Conformance]"""
    async with suite() as e2e:
        await e2e.create(SETS, daemon_set())
        first, *_ = await on_every_node(e2e)
        path = f"{PODS}/{objects.name(first)}"
        await e2e.update_until(f"{path}/status", lambda pod: objects.with_status(pod, phase="Failed"))
        await e2e.gone(path)
        await on_every_node(e2e)
        assert any(reason == "FailedDaemonPod" for reason, _ in await e2e.events_of("daemon-set"))


async def revision_of(e2e: Suite, made: Object, count: int) -> str:
    """The hash of the newest of so many revisions; every pod has it."""
    listed = [each for each in await e2e.items(REVISIONS, CHOSEN) if (objects.controller_of(each) or {})["uid"] == objects.uid(made)]
    assert len(listed) == count
    newest = max(listed, key=lambda each: each["revision"])
    digest = objects.labels(newest)[HASH]
    assert {objects.labels(pod)[HASH] for pod in await e2e.items(PODS, CHOSEN)} == {digest}
    return digest


async def test_rolling_update() -> None:
    """[sig-apps] Daemon set [Serial] should update pod when spec was updated and update strategy is RollingUpdate [Conformance]"""
    async with suite() as e2e:
        made = await e2e.create(SETS, daemon_set(updateStrategy={"type": "RollingUpdate"}))
        await on_every_node(e2e, "httpd:2")
        before = await revision_of(e2e, made, 1)
        change = {"spec": {"template": {"spec": {"containers": [{"name": "c", "image": "agnhost:2"}]}}}}
        await e2e.patch(f"{SETS}/daemon-set", change, STRATEGIC)
        await on_every_node(e2e, "agnhost:2")
        assert await revision_of(e2e, made, 2) != before


async def test_rollback() -> None:
    """[sig-apps] Daemon set [Serial] should rollback without unnecessary restarts [Conformance]"""
    nowhere = "registry.invalid/foo:non-existent"
    async with suite() as e2e:
        await e2e.create(SETS, daemon_set(updateStrategy={"type": "RollingUpdate"}))
        before = {objects.name(pod) for pod in await on_every_node(e2e)}

        def with_image(image: str) -> Any:
            def change(made: Object) -> Object:
                made["spec"]["template"]["spec"]["containers"][0]["image"] = image
                return made

            return change

        await e2e.update_until(f"{SETS}/daemon-set", with_image(nowhere))

        def is_rolling(listed: Object) -> bool:
            return nowhere in [pod["spec"]["containers"][0]["image"] for pod in listed["items"]]

        pods = (await e2e.until(selected(PODS, CHOSEN), is_rolling))["items"]
        existing = {objects.name(pod) for pod in pods if pod["spec"]["containers"][0]["image"] != nowhere}
        assert len(existing) == 2 and existing < before
        await e2e.update_until(f"{SETS}/daemon-set", with_image("httpd:2"))
        after = await on_every_node(e2e, "httpd:2")
        assert existing < {objects.name(pod) for pod in after}
        assert all(pod["status"]["containerStatuses"][0]["restartCount"] == 0 for pod in after)


async def test_collection() -> None:
    """[sig-apps] Daemon set [Serial] should list and delete a collection of DaemonSets [Conformance]"""
    async with suite() as e2e:
        await e2e.create(SETS, daemon_set())
        await on_every_node(e2e)
        assert await e2e.names("/apis/apps/v1/daemonsets", CHOSEN) == ["daemon-set"]
        await e2e.delete(selected(SETS, CHOSEN), gracePeriodSeconds=1)
        await e2e.empty(SETS, CHOSEN)
        await e2e.empty(PODS)


async def test_status() -> None:
    """[sig-apps] Daemon set [Serial] should verify changes to a daemon set status [Conformance]"""
    async with suite() as e2e:
        since, watched = await e2e.get(selected(SETS, CHOSEN)), selected(SETS, CHOSEN)
        await e2e.create(SETS, daemon_set())
        await on_every_node(e2e)
        assert "conditions" not in (await e2e.get(f"{SETS}/daemon-set/status"))["status"]
        condition = {"type": "StatusUpdate", "status": "True", "reason": "E2E", "message": "Set from e2e test"}

        def has(kind: str) -> Holds:
            return lambda made: kind in [each["type"] for each in made["status"].get("conditions", ())]

        updated = await e2e.update_until(f"{SETS}/daemon-set/status", lambda made: objects.with_status(made, conditions=[condition]))
        assert has("StatusUpdate")(updated)
        await e2e.seen(watched, since, "MODIFIED", has("StatusUpdate"))
        change = {"status": {"conditions": [{"type": "StatusPatched", "status": "True"}]}}
        patched = await e2e.patch(f"{SETS}/daemon-set/status", change)
        assert [each["type"] for each in patched["status"]["conditions"]] == ["StatusPatched"]
        await e2e.seen(watched, since, "MODIFIED", has("StatusPatched"))
        await e2e.settle(5)
        assert has("StatusPatched")(await e2e.get(f"{SETS}/daemon-set"))


async def test_revisions() -> None:
    """[sig-apps] ControllerRevision [Serial] should manage the lifecycle of a ControllerRevision [Conformance]"""
    async with suite() as e2e:
        made = await e2e.create(SETS, daemon_set())
        await on_every_node(e2e)
        (initial,) = await e2e.items("/apis/apps/v1/controllerrevisions", CHOSEN)
        assert initial["revision"] == 1
        path = f"{REVISIONS}/{objects.name(initial)}"
        patched = await e2e.patch(path, {"metadata": {"labels": {objects.name(initial): "patched"}}}, STRATEGIC)
        assert objects.labels(patched)[objects.name(initial)] == "patched"
        owner = {"apiVersion": "apps/v1", "kind": "DaemonSet", "name": "daemon-set", "uid": objects.uid(made)}
        meta = {"name": "daemon-set-xxxxx", "labels": {**objects.labels(initial), HASH: "xxxxx"}}
        meta["ownerReferences"] = [{**owner, "controller": True, "blockOwnerDeletion": True}]
        await e2e.create(REVISIONS, {"metadata": meta, "data": initial["data"], "revision": initial["revision"] + 1})

        def number(count: int) -> Holds:
            return lambda listed: len(listed["items"]) == count

        await e2e.until(selected(REVISIONS, CHOSEN), number(2))
        await e2e.delete(path)
        await e2e.gone(path)
        await e2e.until(selected(REVISIONS, CHOSEN), number(1))
        path = f"{REVISIONS}/daemon-set-xxxxx"
        updated = await e2e.update_until(path, lambda each: objects.with_metadata(each, labels={**objects.labels(each), "e2e": "updated"}))
        assert objects.labels(updated)["e2e"] == "updated"
        change = {"spec": {"template": {"spec": {"terminationGracePeriodSeconds": 1}}, "updateStrategy": {"type": "RollingUpdate"}}}
        await e2e.patch(f"{SETS}/daemon-set", change, STRATEGIC)
        await e2e.until(selected(REVISIONS, CHOSEN), number(2))
        await e2e.delete(selected(REVISIONS, "e2e=updated"))
        (left,) = (await e2e.until(selected(REVISIONS, CHOSEN), number(1)))["items"]
        assert left["revision"] == 3
