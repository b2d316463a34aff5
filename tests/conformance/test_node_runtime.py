"""The official conformance tests of containers that end: restarts, phases, termination messages; and of volumes that are images."""

from __future__ import annotations

from typing import Any

import pytest

from kctl.apimachinery.objects import Object
from tests.conformance.running import BUSYBOX, busybox, execute, once, phase_is
from tests.conformance.suite import PODS, container, is_ready, pod, suite

pytestmark = pytest.mark.virtual_time

RESTARTS = """
f=/restart-count/restartCount
count=$(echo 'hello' >> $f ; wc -l $f | awk {'print $1'})
if [ $count -eq 1 ]; then
	exit 1
fi
if [ $count -eq 2 ]; then
	exit 0
fi
while true; do sleep 1; done
"""
"""It fails at its first run, succeeds at its second, and then runs for ever."""


def status_of(made: Object) -> Object:
    statuses = made["status"].get("containerStatuses") or [{"state": {}, "restartCount": 0}]
    return dict(statuses[0])


@pytest.mark.parametrize(
    ("policy", "phase", "state", "restarts", "ready"),
    [
        ("Always", "Running", "running", 2, True),
        ("OnFailure", "Succeeded", "terminated", 1, False),
        ("Never", "Failed", "terminated", 0, False),
    ],
)
async def test_restarts(policy: str, phase: str, state: str, restarts: int, ready: bool) -> None:
    """[sig-node] Container Runtime blackbox test when starting a container that exits should run with the expected status [NodeConformance] [Conformance]"""  # noqa: E501
    async with suite(1) as e2e:
        mounts = [{"name": "restart-count", "mountPath": "/restart-count"}]
        made = busybox("terminate-cmd", "sh", "-c", RESTARTS, volumeMounts=mounts)
        volumes = [{"name": "restart-count", "emptyDir": {"medium": "Memory"}}]
        await e2e.create(PODS, pod("terminate-cmd", restartPolicy=policy, containers=[made], volumes=volumes))
        await e2e.until(f"{PODS}/terminate-cmd", lambda each: status_of(each)["restartCount"] == restarts)
        shown = await e2e.until(f"{PODS}/terminate-cmd", phase_is(phase))
        assert is_ready(shown) is ready and list(status_of(shown)["state"]) == [state]
        await e2e.delete(f"{PODS}/terminate-cmd")
        await e2e.gone(f"{PODS}/terminate-cmd")


FALLBACK = {"terminationMessagePath": "/dev/termination-log", "terminationMessagePolicy": "FallbackToLogsOnError"}
MESSAGES: dict[str, tuple[str, Object, str, str]] = {
    "file, not root, another path": (
        "/bin/echo -n DONE > /dev/termination-custom-log",
        {"terminationMessagePath": "/dev/termination-custom-log", "securityContext": {"runAsUser": 10000}},
        "Succeeded",
        "DONE",
    ),
    "log of one that fails": ("/bin/echo -n DONE; /bin/false", FALLBACK, "Failed", "DONE"),
    "none of one that succeeds": ("/bin/echo -n DONE; /bin/true", FALLBACK, "Succeeded", ""),
    "file rather than log": ("/bin/echo -n OK > /dev/termination-log; /bin/echo DONE; /bin/true", FALLBACK, "Succeeded", "OK"),
}


@pytest.mark.parametrize(("script", "settings", "phase", "message"), MESSAGES.values(), ids=MESSAGES)
async def test_termination_messages(script: str, settings: Any, phase: str, message: str) -> None:
    """[sig-node] Container Runtime blackbox test on terminated container should report termination message if TerminationMessagePath is set as non-root user and at a non-default path [NodeConformance] [Conformance]
    [sig-node] Container Runtime blackbox test on terminated container should report termination message from log output if TerminationMessagePolicy FallbackToLogsOnError is set [NodeConformance] [Conformance]
    [sig-node] Container Runtime blackbox test on terminated container should report termination message as empty when pod succeeds and TerminationMessagePolicy FallbackToLogsOnError is set [NodeConformance] [Conformance]
    [sig-node] Container Runtime blackbox test on terminated container should report termination message from file when pod succeeds and TerminationMessagePolicy FallbackToLogsOnError is set [NodeConformance] [Conformance]
    """  # noqa: E501
    async with suite(1) as e2e:
        made = container("termination-message-container", BUSYBOX, command=["/bin/sh", "-c"], args=[script], **settings)
        await e2e.create(PODS, once("p", made))
        shown = await e2e.until(f"{PODS}/p", phase_is("Succeeded", "Failed"))
        terminated = status_of(shown)["state"]["terminated"]
        assert (shown["status"]["phase"], terminated.get("message", "")) == (phase, message)
        await e2e.delete(f"{PODS}/p")


KITTEN = "registry.k8s.io/e2e-test-images/kitten:1.8"


async def test_an_image_is_a_volume() -> None:
    """[sig-node] ImageVolume should succeed with pod and pull policy of Always [LinuxOnly] [MinimumKubeletVersion:1.35] [Conformance]"""
    async with suite(1) as e2e:
        script = "while true; do echo test; sleep 1; done"
        made = busybox("test-container", "/bin/sh", "-c", script, volumeMounts=[{"name": "volume", "mountPath": "/volume"}])
        volumes = [{"name": "volume", "image": {"reference": KITTEN, "pullPolicy": "Always"}}]
        await e2e.create(PODS, pod("test-pod", containers=[made], volumes=volumes))
        await e2e.until(f"{PODS}/test-pod", phase_is("Running"))
        code, written = await execute(e2e, "test-pod", "/bin/cat", "/volume/data.json")
        assert code == 0 and "kitten.jpg" in written
        code, written = await execute(e2e, "test-pod", "/bin/cat", "/volume/etc/os-release")
        assert code == 0 and "Alpine Linux" in written
