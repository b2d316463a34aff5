"""A control plane that starts again takes its pods over as they are."""

from __future__ import annotations

from controllers.kubelet.node_config import NodeConfig
from kctl.apimachinery import objects
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import PODS
from tests.controllers.kubelet.cluster import Cluster, container, pod, state

NODES = [NodeConfig("n1", pod_cidr="10.244.0.0/24")]


async def restarted(old: Cluster, away_seconds: float = 5) -> Cluster:
    await old.stop()
    await old.clock.step(away_seconds)
    made = Cluster(old.store, old.clock)
    await made.start(NODES)
    return made


async def test_running_pods_go_on() -> None:
    first = Cluster()
    await first.start(NODES)
    await first.create(pod())
    await first.create(pod("job", restartPolicy="Never", annotations={"run-duration": "20s"}))
    before = await first.pod()
    second = await restarted(first)
    try:
        assert await second.pod() == before
        await second.create(pod("new"))
        taken = {objects.status(await second.pod(name))["podIP"] for name in ("p", "job", "new")}
        assert len(taken) == 3
        await second.step(16)
        ended = await second.pod("job")
        assert objects.status(ended)["phase"] == "Succeeded"
        terminated = objects.status(ended)["containerStatuses"][0]["state"]["terminated"]
        assert terminated["startedAt"] == "2026-01-01T00:00:00Z" and terminated["finishedAt"] == "2026-01-01T00:00:20Z"
        assert second.fleet is not None
        stream = await second.fleet.logs("n1", "default", "p", "c", {})
        assert b"".join([chunk async for chunk in stream]).startswith(b"simulated container c of pod p")
        await second.delete()
        await second.step(1)
        assert await second.gone()
    finally:
        await second.stop()


async def test_pods_created_while_away_start() -> None:
    first = Cluster()
    await first.start(NODES)
    assert first.fleet is not None
    await first.fleet.stop()
    await first.client.create(PODS, pod())
    second = await restarted(first)
    try:
        assert objects.status(await second.pod())["phase"] == "Running"
    finally:
        await second.stop()


async def test_a_pod_created_while_away_gets_no_address_of_another() -> None:
    first = Cluster()
    await first.start(NODES)
    await first.create(pod("p"))
    assert first.fleet is not None
    await first.fleet.stop()
    await first.client.create(PODS, pod("a"))  # is looked at before the one that has an address
    second = await restarted(first)
    try:
        assert [objects.status(await second.pod(name))["podIP"] for name in ("p", "a")] == ["10.244.0.2", "10.244.0.3"]
    finally:
        await second.stop()


async def test_pods_deleted_while_away_end() -> None:
    first = Cluster()
    await first.start(NODES)
    await first.create(pod())
    assert first.fleet is not None
    await first.fleet.stop()
    await first.client.delete(PODS, "p", "default")
    second = await restarted(first)
    try:
        await second.step(1)
        assert await second.gone()
    finally:
        await second.stop()


async def test_crash_loop_goes_on() -> None:
    first = Cluster()
    await first.start(NODES)
    await first.create(pod(annotations={"run-duration": "1s", "exit-code": "1"}))
    await first.step(2.1 + 2.1)
    assert state(await first.pod()) == "waiting CrashLoopBackOff"
    second = await restarted(first, 3)
    try:
        before = objects.status(await second.pod())["containerStatuses"][0]
        assert before["restartCount"] == 1 and before["containerID"]
        await second.step(7)  # ten seconds of back-off, 1.2 waited before and 3 while away
        only = objects.status(await second.pod())["containerStatuses"][0]
        assert only["restartCount"] == 2 and only["lastState"]["terminated"]["exitCode"] == 1
    finally:
        await second.stop()


async def test_finished_pods_stay_finished() -> None:
    first = Cluster()
    await first.start(NODES)
    await first.create(pod(restartPolicy="Never"))
    await first.create(pod("refused", containers=[container(resources={"requests": {"cpu": "9"}})]))
    await first.step(2)
    before = [await first.pod(name) for name in ("p", "refused")]
    second = await restarted(first, 60)
    try:
        assert [await second.pod(name) for name in ("p", "refused")] == before
        assert second.fleet is not None
        stream = await second.fleet.logs("n1", "default", "p", "c", {})
        assert b"".join([chunk async for chunk in stream]).startswith(b"simulated container c of pod p")
        await second.delete()
        assert await second.gone()
    finally:
        await second.stop()


async def test_a_resize_that_had_to_wait_goes_on_waiting() -> None:
    def sized(cpu: str) -> list[Object]:
        return [container(resources={"requests": {"cpu": cpu}})]

    def shown(found: Object) -> tuple[str, str | None]:
        (status,) = objects.status(found)["containerStatuses"]
        return status["resources"]["requests"]["cpu"], (objects.condition(found, "PodResizePending") or {}).get("reason")

    first = Cluster()
    await first.start(NODES)
    await first.create(pod("other", containers=sized("2")))
    await first.create(pod(containers=sized("1")))
    change = {"spec": {"containers": sized("3")}}
    await first.client.patch(PODS, "p", change, "default", subresource="resize")
    await first.step(1)
    assert shown(await first.pod()) == ("1", "Deferred")
    second = await restarted(first)
    try:
        await second.step(15)
        assert shown(await second.pod()) == ("1", "Deferred")
        await second.delete("other")
        await second.step(5)
        assert shown(await second.pod()) == ("3", None)
        assert [reason for reason, _ in await second.events() if reason.startswith("Resize")][-2:] == ["ResizeStarted", "ResizeCompleted"]
    finally:
        await second.stop()


async def test_a_pod_that_was_called_not_ready_while_the_kubelet_was_away_is_ready_again() -> None:
    first = Cluster()
    await first.start(NODES)
    await first.create(pod())
    before = await first.pod()
    assert first.fleet is not None
    await first.fleet.stop()
    conditions = [{**each, "status": "False"} if each["type"] == "Ready" else each for each in objects.status(before)["conditions"]]
    await first.client.update_status(PODS, objects.with_status(before, conditions=conditions))
    second = await restarted(first, 60)
    try:
        await second.step(1)
        assert objects.is_condition_true(await second.pod(), "Ready")
    finally:
        await second.stop()
