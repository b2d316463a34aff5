"""A simulated container does what its command says: exit code, time, output, termination message."""

from __future__ import annotations

from typing import Any

import pytest

from controllers.kubelet.commands.outcome import outcome_of
from kctl.apimachinery import objects
from kctl.apimachinery.objects import Object
from tests.controllers.kubelet.cluster import Cluster, container, pod, state
from tests.controllers.kubelet.test_logs import read


def shell(script: str, **more: Any) -> Object:
    return container(command=["/bin/sh", "-c", script], **more)


@pytest.mark.parametrize(
    ("script", "seconds", "code", "text"),
    [
        pytest.param("exit 3", 0, 3, "", id="exit"),
        pytest.param("exit 300", 0, 44, "", id="exit-wraps"),
        pytest.param("echo 'Hello World' ; sleep 240", 240, 0, "Hello World\n", id="echo-and-sleep"),
        pytest.param("sleep 1m && false || exit 7", 60, 7, "", id="and-or"),
        pytest.param("if ! true; then exit 1; elif (exit 2); then exit 3; else echo a; fi\necho b", 0, 0, "a\nb\n", id="if"),
        pytest.param("while false; do exit 1; done; { echo x; false; }", 0, 1, "x\n", id="loop-that-does-not-begin"),
        pytest.param("while true; do sleep 1; done", None, 0, "", id="endless"),
        pytest.param("until false; do :; done", None, 0, "", id="endless-without-pause"),
        pytest.param("echo a >/dev/null; echo b >&2; sh -c 'exit 4'", 0, 4, "b\n", id="redirects-and-shells"),
        pytest.param("echo \"a;  'b'\" c # comment\n", 0, 0, "a;  'b' c\n", id="quotes"),
    ],
)
def test_outcomes(script: str, seconds: float | None, code: int, text: str) -> None:
    found = outcome_of(("sh", "-c", script))
    assert found is not None
    assert (found.seconds, found.exit_code, found.text) == (seconds, code, text)


@pytest.mark.parametrize(
    "script",
    [
        "echo $HOME",
        "echo `date`",
        "x=1",
        "cat /etc/hosts",
        "echo a | cat",
        "sleep 1 & wait",
        "echo x > /data/file",
        "while true; do echo x; sleep 1; done",
        "for i in 1 2; do sleep 1; done",
        "if true; then",
        "echo 'unterminated",
        "(" * 200,
        "echo " + "x" * 20_000,
        "true;" * 2_000,
        "true\0",
        "echo -e 'a\\n'",
        "sleep soon",
        "cat <<A\nb",
    ],
)
def test_what_is_not_interpreted(script: str) -> None:
    assert outcome_of(("sh", "-c", script)) is None


@pytest.mark.parametrize(
    "command_line",
    [("perl", "-e", "1"), (), ("true",) * 1_001, ("echo", "x" * 300_000), ("echo", "$(NAME)"), ("exit", "1"), ("sh", "script.sh")],
    ids=["program", "nothing", "arguments", "output", "expansion", "builtin", "file"],
)
def test_command_lines_that_are_not_interpreted(command_line: tuple[str, ...]) -> None:
    assert outcome_of(command_line) is None


@pytest.mark.parametrize(
    ("policy", "command", "after", "phase", "wanted"),
    [
        pytest.param("Never", ["/bin/false"], 2, "Failed", "terminated Error 1", id="false"),
        pytest.param("Never", ["true"], 2, "Succeeded", "terminated Completed 0", id="true"),
        pytest.param("Never", ["sleep", "30"], 29, "Running", "running", id="sleeps"),
        pytest.param("Never", ["sleep", "30"], 31, "Succeeded", "terminated Completed 0", id="slept"),
        pytest.param("OnFailure", ["sleep", "infinity"], 3600, "Running", "running", id="for-ever"),
        pytest.param("Always", ["sh", "-c", "exit 2"], 1.5, "Running", "terminated Error 2", id="crashes"),
        pytest.param("Always", ["sh", "-c", "exit 2"], 5, "Running", "waiting CrashLoopBackOff", id="crash-loop"),
    ],
)
async def test_states(cluster: Cluster, policy: str, command: list[str], after: float, phase: str, wanted: str) -> None:
    await cluster.create(pod(restartPolicy=policy, containers=[container(command=command)]))
    assert state(await cluster.pod()) == "running"
    await cluster.step(after)
    shown = await cluster.pod()
    assert (objects.status(shown)["phase"], state(shown)) == (phase, wanted)


async def test_init_container_that_fails(cluster: Cluster) -> None:
    init = [container("i1", command=["/bin/true"]), container("i2", command=["/bin/false"])]
    await cluster.create(pod(restartPolicy="Never", initContainers=init, containers=[container(command=["/bin/true"])]))
    await cluster.step(2)
    shown = await cluster.pod()
    assert objects.status(shown)["phase"] == "Failed"
    assert [state(shown, name) for name in ("i1", "i2", "c")] == [
        "terminated Completed 0",
        "terminated Error 1",
        "waiting PodInitializing",
    ]


async def test_output_in_the_logs(cluster: Cluster) -> None:
    await cluster.create(pod(restartPolicy="Never", containers=[shell("echo -n a; sleep 2; echo b; sleep 2; echo c")]))
    assert await read(cluster) == ""  # a line appears when it is complete
    await cluster.step(6)
    assert await read(cluster) == "ab\nc\n"
    assert await read(cluster, tailLines="1", timestamps="true") == "2026-01-01T00:00:04.000000000Z c\n"


FALLBACK = {"terminationMessagePolicy": "FallbackToLogsOnError"}


@pytest.mark.parametrize(
    ("script", "more", "message"),
    [
        pytest.param("/bin/echo -n DONE > /dev/termination-log", {}, "DONE", id="file"),
        pytest.param("/bin/echo -n DONE > /t", {"terminationMessagePath": "/t"}, "DONE", id="path"),
        pytest.param("/bin/echo -n DONE; /bin/false", FALLBACK, "DONE", id="log-of-a-failure"),
        pytest.param("/bin/echo -n DONE; /bin/true", FALLBACK, None, id="no-failure"),
        pytest.param("/bin/echo -n DONE; /bin/false", {}, None, id="no-fallback"),
        pytest.param("/bin/echo -n OK > /dev/termination-log; /bin/echo DONE; /bin/true", FALLBACK, "OK", id="file-first"),
        pytest.param("echo " + "x" * 5_000 + " > /dev/termination-log", {}, "x" * 4_095 + "\n", id="file-bound"),
        pytest.param("echo a; echo " + "x" * 5_000 + "; exit 1", FALLBACK, "x" * 2_047 + "\n", id="log-bound"),
    ],
)
async def test_termination_message(cluster: Cluster, script: str, more: Object, message: str | None) -> None:
    await cluster.create(pod(restartPolicy="Never", containers=[shell(script, **more)]))
    await cluster.step(2)
    terminated = objects.status(await cluster.pod())["containerStatuses"][0]["state"]["terminated"]
    assert terminated.get("message") == message


async def test_annotations_win(cluster: Cluster) -> None:
    annotations = {"run-duration": "10s", "exit-code": "5", "log-message": "mine"}
    await cluster.create(pod(restartPolicy="Never", annotations=annotations, containers=[shell("echo no; exit 1")]))
    await cluster.step(9)
    assert state(await cluster.pod()) == "running"
    await cluster.step(2)
    assert state(await cluster.pod()) == "terminated Error 5" and await read(cluster) == "mine\n"
