"""The official conformance tests of ephemeral and init containers, and of containers that fail, as far as the API shows them."""

from __future__ import annotations

import pytest

from kctl.apimachinery import objects
from kctl.apimachinery.objects import Object
from kctl.apimachinery.user import ADMIN
from tests.conformance.suite import PODS, STRATEGIC, Suite, container, is_ready, pod, suite

pytestmark = pytest.mark.virtual_time
TRUE, FALSE = ["/bin/true"], ["/bin/false"]
POLO = ["/bin/sh", "-c", "echo polo; sleep infinity"]


async def add_ephemeral(e2e: Suite, name: str) -> Object:
    """And wait until it runs."""
    debugger = container(name, "busybox:1", command=POLO, stdin=True, tty=True)
    await e2e.patch(f"{PODS}/p/ephemeralcontainers", {"spec": {"ephemeralContainers": [debugger]}}, STRATEGIC)

    def runs(made: Object) -> bool:
        statuses = {each["name"]: each for each in made["status"].get("ephemeralContainerStatuses", ())}
        return "running" in statuses.get(name, {}).get("state", {})

    made: Object = await e2e.until(f"{PODS}/p", runs, 60)
    return made


async def test_an_ephemeral_container_starts() -> None:
    """[sig-node] Ephemeral Containers [NodeConformance] will start an ephemeral container in an existing pod [Conformance]"""
    async with suite() as e2e:
        await e2e.create(PODS, pod("p"))
        await e2e.until(f"{PODS}/p", is_ready)
        made = await add_ephemeral(e2e, "debugger")
        (status,) = made["status"]["ephemeralContainerStatuses"]
        assert status["ready"] is False and "started" not in status and status["restartCount"] == 0
        assert ("Started", "Container started") in await e2e.events_of("p")
        await e2e.settle(5)
        answer = await e2e.server.handle_raw("GET", f"{PODS}/p/log?container=debugger", {}, None, {}, ADMIN)
        assert answer.status == 200 and b"polo" in answer.body
        await e2e.delete(f"{PODS}/p")
        await e2e.gone(f"{PODS}/p")


async def test_another_ephemeral_container() -> None:
    """[sig-node] Ephemeral Containers [NodeConformance] should update the ephemeral containers in an existing pod [Conformance]"""
    async with suite() as e2e:
        await e2e.create(PODS, pod("p"))
        await e2e.until(f"{PODS}/p", is_ready)
        made = await add_ephemeral(e2e, "debugger")
        assert [each["name"] for each in made["spec"]["ephemeralContainers"]] == ["debugger"]
        read = await e2e.get(f"{PODS}/p/ephemeralcontainers")
        second = {**read["spec"]["ephemeralContainers"][0], "name": "debugger2"}
        read["spec"]["ephemeralContainers"].append(second)
        await e2e.update(f"{PODS}/p/ephemeralcontainers", read)

        def both_run(made: Object) -> bool:
            return ["running" in each["state"] for each in made["status"]["ephemeralContainerStatuses"]] == [True, True]

        made = await e2e.until(f"{PODS}/p", both_run)
        assert [each["name"] for each in made["spec"]["ephemeralContainers"]] == ["debugger", "debugger2"]
        assert is_ready(made)


async def test_an_ended_ephemeral_container_stays_ended() -> None:
    async with suite() as e2e:
        await e2e.create(PODS, pod("p"))
        await e2e.until(f"{PODS}/p", is_ready)
        short = container("short", "busybox:1", command=["sleep", "3"])
        await e2e.patch(f"{PODS}/p/ephemeralcontainers", {"spec": {"ephemeralContainers": [short]}}, STRATEGIC)
        await e2e.settle(60)
        made = await e2e.get(f"{PODS}/p")
        (status,) = made["status"]["ephemeralContainerStatuses"]
        assert status["state"]["terminated"]["reason"] == "Completed" and status["restartCount"] == 0 and is_ready(made)


def with_init(first: list[str], second: list[str], restart: str, **run: object) -> Object:
    init = [container("init1", "busybox:1", command=first), container("init2", "busybox:1", command=second)]
    return pod("p", restartPolicy=restart, initContainers=init, containers=[container("run1", **run)])


def initialized(made: Object) -> tuple[str, str, str]:
    condition = objects.condition(made, "Initialized") or {}
    return condition["status"], condition.get("reason", ""), condition.get("message", "")


async def test_init_containers_of_a_pod_that_ends() -> None:
    """[sig-node] InitContainer [NodeConformance] should invoke init containers on a RestartNever pod [Conformance]"""
    async with suite() as e2e:
        await e2e.create(PODS, with_init(TRUE, TRUE, "Never", command=TRUE))
        made = await e2e.until(f"{PODS}/p", lambda made: made["status"]["phase"] == "Succeeded")
        assert initialized(made)[0] == "True" and len(made["status"]["initContainerStatuses"]) == 2
        for status in made["status"]["initContainerStatuses"]:
            assert status["ready"] is True and status["state"]["terminated"]["exitCode"] == 0


async def test_init_containers_of_a_pod_that_goes_on() -> None:
    """[sig-node] InitContainer [NodeConformance] should invoke init containers on a RestartAlways pod [Conformance]"""
    async with suite() as e2e:
        amounts = {"limits": {"cpu": "100m", "memory": "50Mi"}}
        await e2e.create(PODS, with_init(TRUE, TRUE, "Always", resources=amounts))
        made = await e2e.until(f"{PODS}/p", lambda made: made["status"]["phase"] == "Running")
        assert initialized(made)[0] == "True" and len(made["status"]["initContainerStatuses"]) == 2
        for status in made["status"]["initContainerStatuses"]:
            assert status["ready"] is True and status["state"]["terminated"]["exitCode"] == 0


async def test_failing_init_containers_are_restarted() -> None:
    """[sig-node] InitContainer [NodeConformance] should not start app containers if init containers fail on a RestartAlways pod [Conformance]"""  # noqa: E501
    async with suite() as e2e:
        since = await e2e.create(PODS, with_init(FALSE, TRUE, "Always"))
        made = await e2e.until(f"{PODS}/p", lambda made: made["status"].get("initContainerStatuses", [{}])[0].get("restartCount", 0) >= 3)
        for _, seen in await e2e.watched(PODS, since):
            for status in seen["status"].get("containerStatuses", ()):
                assert status["state"]["waiting"]["reason"] == "PodInitializing"
            if statuses := seen["status"].get("initContainerStatuses"):
                assert statuses[1]["state"]["waiting"]["reason"] == "PodInitializing"
        assert made["status"]["phase"] == "Pending"
        assert initialized(made) == ("False", "ContainersNotInitialized", "containers with incomplete status: [init1 init2]")


async def test_a_failing_init_container_fails_the_pod() -> None:
    """[sig-node] InitContainer [NodeConformance] should not start app containers and fail the pod if init containers fail on a RestartNever pod [Conformance]"""  # noqa: E501
    async with suite() as e2e:
        await e2e.create(PODS, with_init(TRUE, FALSE, "Never", command=TRUE))
        made = await e2e.until(f"{PODS}/p", lambda made: made["status"]["phase"] == "Failed")
        assert initialized(made) == ("False", "ContainersNotInitialized", "containers with incomplete status: [init2]")
        (status,) = made["status"]["containerStatuses"]
        assert status["state"]["waiting"]["reason"] == "PodInitializing"


async def test_a_failing_command_has_a_reason() -> None:
    """[sig-node] Kubelet when scheduling a busybox command that always fails in a pod should have an terminated reason [NodeConformance] [Conformance]"""  # noqa: E501
    async with suite() as e2e:
        await e2e.create(PODS, pod("bin-false", restartPolicy="Never", containers=[container("bin-false", "busybox:1", command=FALSE)]))
        made = await e2e.until(
            f"{PODS}/bin-false", lambda made: "terminated" in made["status"].get("containerStatuses", [{"state": {}}])[0]["state"]
        )
        terminated = made["status"]["containerStatuses"][0]["state"]["terminated"]
        assert terminated["exitCode"] != 0 and terminated["reason"] == "Error"


async def test_a_failing_pod_is_deleted() -> None:
    """[sig-node] Kubelet when scheduling a busybox command that always fails in a pod should be possible to delete [NodeConformance] [Conformance]"""  # noqa: E501
    async with suite() as e2e:
        await e2e.create(PODS, pod("bin-false", restartPolicy="Never", containers=[container("bin-false", "busybox:1", command=FALSE)]))
        await e2e.delete(f"{PODS}/bin-false")
        await e2e.gone(f"{PODS}/bin-false")
