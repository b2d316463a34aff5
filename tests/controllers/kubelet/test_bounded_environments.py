"""Variables that refer to each other in turn double with each: a process is given no more than Linux would."""

from __future__ import annotations

import errno
from typing import Any

import pytest

from controllers.kubelet.commands.limits import LIVE_OUTPUT_BYTES
from controllers.kubelet.environment import LARGEST, LONGEST_STRING, config_problem, environment, expand
from controllers.kubelet.live_log import LiveLog
from kctl.apimachinery.clock import FakeClock
from kctl.apimachinery.objects import Object
from tests.controllers.kubelet.cluster import Cluster, container, pod

DOUBLING = [{"name": "X0", "value": "a" * 16}, *({"name": f"X{n}", "value": f"$(X{n - 1})$(X{n - 1})"} for n in range(1, 61))]


def nothing(kind: Any, key: str) -> Object | None:
    return None


def variables(env: list[dict[str, str]], **more: Any) -> dict[str, str]:
    return environment({"metadata": {"name": "p", "namespace": "default"}}, {"name": "c", "env": env, **more}, nothing, "10.0.0.1")


def test_what_doubles_ends_at_the_longest_string() -> None:
    with pytest.raises(OSError) as refused:
        variables(DOUBLING)
    assert refused.value.errno == errno.E2BIG
    made = variables(DOUBLING[:14])
    assert len(made["X13"]) == LONGEST_STRING
    with pytest.raises(OSError):
        expand("$(A)" * 100_000, {"A": "a" * 1000})


def test_all_of_them_end_at_what_a_process_can_take() -> None:
    many = [{"name": "A", "value": "a" * 100_000}, *({"name": f"B{n}", "value": "$(A)"} for n in range(30))]
    with pytest.raises(OSError) as refused:
        variables(many)
    assert refused.value.errno == errno.E2BIG
    assert sum(map(len, variables(many[:20]).values())) <= LARGEST


def test_a_mount_that_depends_on_them_is_a_problem_of_its_container() -> None:
    mounting = {"name": "c", "env": DOUBLING, "volumeMounts": [{"name": "v", "mountPath": "/v", "subPathExpr": "$(X1)"}]}
    assert "Argument list too long" in config_problem({"metadata": {"name": "p"}, "spec": {}}, mounting, nothing, "")


async def test_a_pod_with_such_variables_says_so(cluster: Cluster) -> None:
    command = ["sh", "-c", "echo $X60; cat /proc/version; sleep 100"]
    await cluster.create(pod(containers=[container(image="busybox", command=command, env=DOUBLING)]))
    await cluster.step(5)
    messages = [message for _, message in await cluster.events()]
    assert any("cannot run its variables (Argument list too long: $(X13))" in message for message in messages), messages


def test_a_log_of_very_many_short_lines_keeps_the_newest() -> None:
    log = LiveLog(FakeClock())
    for _ in range(3):
        log.write(b"y\n" * 100_000)
    log.write(b"z\n")
    assert log.end(1) == "z\n" and log._dropped == 280_001 and log._size == 2 * len(log._lines) == 40_000
    log.write(b"x" * LIVE_OUTPUT_BYTES + b"\n")
    log.write(b"end\n")
    assert log.end(5) == "end\n" and log._size == 4
