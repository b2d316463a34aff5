"""The status, readiness and restarts columns of pods."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from kctl.kube_apiserver.columns.pods import COLUMNS

NOW = datetime(2026, 1, 1, 0, 10, tzinfo=UTC)
CREATED = "2026-01-01T00:00:00Z"
ONE: dict[str, Any] = {"containers": [{"name": "c"}]}
INIT: dict[str, Any] = {**ONE, "initContainers": [{"name": "i"}, {"name": "s", "restartPolicy": "Always"}]}
LAST = {"terminated": {"exitCode": 1, "finishedAt": "2026-01-01T00:05:00Z"}}


def waiting(name: str, reason: str, restarts: int = 0, **more: Any) -> dict[str, Any]:
    return {"name": name, "restartCount": restarts, "state": {"waiting": {"reason": reason}}, **more}


def done(name: str, code: int, reason: str = "", **more: Any) -> dict[str, Any]:
    return {"name": name, "restartCount": 0, "state": {"terminated": {"exitCode": code, "reason": reason, **more}}}


def running(name: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "ready": True, "restartCount": 0, "state": {"running": {}}, **more}


CASES: list[tuple[str, dict[str, Any], dict[str, Any], list[str]]] = [
    ("pending", ONE, {"phase": "Pending"}, ["0/1", "Pending", "0"]),
    ("running", ONE, {"phase": "Running", "containerStatuses": [running("c")]}, ["1/1", "Running", "0"]),
    (
        "init",
        INIT,
        {"phase": "Pending", "initContainerStatuses": [waiting("i", "PodInitializing")]},
        ["0/2", "Init:0/2", "0"],
    ),
    (
        "init failed",
        INIT,
        {"phase": "Pending", "initContainerStatuses": [done("i", 2)]},
        ["0/2", "Init:ExitCode:2", "0"],
    ),
    (
        "init crashes",
        INIT,
        {"phase": "Pending", "initContainerStatuses": [waiting("i", "CrashLoopBackOff", 3, lastState=LAST)]},
        ["0/2", "Init:CrashLoopBackOff", "3 (5m ago)"],
    ),
    (
        "sidecar counts",
        INIT,
        {
            "phase": "Running",
            "initContainerStatuses": [done("i", 0), running("s", started=True)],
            "containerStatuses": [running("c")],
        },
        ["2/2", "Running", "0"],
    ),
    (
        "crash loop",
        ONE,
        {"phase": "Running", "containerStatuses": [waiting("c", "CrashLoopBackOff", 5, lastState=LAST)]},
        ["0/1", "CrashLoopBackOff", "5 (5m ago)"],
    ),
    (
        "completed",
        ONE,
        {"phase": "Succeeded", "containerStatuses": [done("c", 0, "Completed")]},
        ["0/1", "Completed", "0"],
    ),
    ("killed", ONE, {"phase": "Failed", "containerStatuses": [done("c", 137, signal=9)]}, ["0/1", "Signal:9", "0"]),
    ("evicted", ONE, {"phase": "Failed", "reason": "Evicted"}, ["0/1", "Evicted", "0"]),
]


@pytest.mark.parametrize(("spec", "status", "cells"), [pytest.param(s, t, c, id=i) for i, s, t, c in CASES])
def test_cells(spec: dict[str, Any], status: dict[str, Any], cells: list[str]) -> None:
    obj = {"metadata": {"name": "p", "creationTimestamp": CREATED}, "spec": spec, "status": status}
    assert COLUMNS["pods"].row(obj, NOW)[1:4] == cells


def test_terminating() -> None:
    meta = {"name": "p", "creationTimestamp": CREATED, "deletionTimestamp": CREATED}
    obj = {"metadata": meta, "spec": ONE, "status": {"phase": "Running", "containerStatuses": [running("c")]}}
    assert COLUMNS["pods"].row(obj, NOW)[:5] == ["p", "1/1", "Terminating", "0", "10m"]


def test_a_finished_pod_is_marked_completed() -> None:
    conditions = COLUMNS["pods"].conditions
    assert conditions is not None
    assert conditions({"status": {"phase": "Succeeded"}})[0]["reason"] == "Succeeded"
    assert conditions({"status": {"phase": "Running"}}) == []
