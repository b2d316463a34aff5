"""What revisions and Events are told as."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from kctl.cli.past.revisions import Revision
from kctl.cli.past.writers import Writer
from kctl.cli.story.timeline import family, of_event, of_revision

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)
USER, MANAGER, KUBELET = (Writer(name, "Update", "") for name in ("kubectl-create", "kube-controller-manager", "kubelet"))


def obj(kind: str, name: str, owner: str = "", **fields: Any) -> dict[str, Any]:
    meta: dict[str, Any] = {"name": name, "uid": f"uid-{name}"}
    if owner:
        of, _, called = owner.partition("/")
        meta["ownerReferences"] = [{"kind": of, "name": called, "uid": f"uid-{called}", "controller": True}]
    return {"kind": kind, "metadata": meta, **fields}


def told(kind: str, new: dict[str, Any], old: dict[str, Any] | None = None, writer: Writer = MANAGER) -> list[str]:
    return [f"{line.who} {line.what}" for line in of_revision(Revision(7, kind, new, old, NOW, (writer,)))]


ADMITTED = "kube-apiserver admitted and stored it"
POD = obj("Pod", "p", "ReplicaSet/rs", spec={"containers": [{"name": "c", "image": "nginx"}]})
BOUND = {**POD, "spec": {**POD["spec"], "nodeName": "n1"}}
RUNNING = {**BOUND, "status": {"phase": "Running", "podIP": "10.0.0.1", "conditions": [{"type": "Ready", "status": "True"}]}}
TWO = obj("Deployment", "d", spec={"replicas": 2})
PENDING = {**BOUND, "status": {"phase": "Pending"}}


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (
            told("ADDED", obj("Deployment", "d", spec={"replicas": 2}), writer=USER),
            [f"kubectl-create created deployment/d with 2 replicas; {ADMITTED}"],
        ),
        (told("ADDED", obj("ReplicaSet", "rs", "Deployment/d")), [f"deployment-controller created replicaset/rs; {ADMITTED}"]),
        (told("ADDED", POD), [f"replicaset-controller created pod/p (nginx); {ADMITTED}"]),
        (told("MODIFIED", BOUND, POD), ["kube-scheduler bound pod/p to n1"]),
        (
            told("MODIFIED", RUNNING, PENDING, KUBELET),
            ["kubelet on n1 reported pod/p Running, address 10.0.0.1", "kubelet on n1 found pod/p ready"],
        ),
        (
            told("MODIFIED", obj("ReplicaSet", "rs", "Deployment/d", spec={"replicas": 0}), obj("ReplicaSet", "rs", spec={"replicas": 2})),
            [
                "deployment-controller changed replicaset/rs: + metadata.ownerReferences: "
                '[{"controller":true,"kind":"Deployment","name":"d","uid":"uid-d"}], spec.replicas: 2 -> 0'
            ],
        ),
        (
            told(
                "MODIFIED",
                obj("Deployment", "d", spec={"replicas": 2}, status={"readyReplicas": 1}),
                obj("Deployment", "d", spec={"replicas": 2}),
            ),
            ["deployment-controller counted 1 of 2 ready for deployment/d"],
        ),
        (told("DELETED", POD), ["kube-apiserver removed pod/p"]),
        (told("MODIFIED", POD, POD), []),
    ],
)
def test_a_revision_is_told(lines: list[str], expected: list[str]) -> None:
    assert lines == expected


def test_crashes_and_restarts_are_told() -> None:
    def crashed(restarts: int, state: dict[str, Any]) -> dict[str, Any]:
        return {**BOUND, "status": {"phase": "Running", "containerStatuses": [{"name": "c", "restartCount": restarts, "state": state}]}}

    lines = told("MODIFIED", crashed(1, {"waiting": {"reason": "CrashLoopBackOff"}}), crashed(0, {"running": {}}), KUBELET)
    assert lines == [
        "kubelet on n1 restarted container c of pod/p (1 times so far)",
        "kubelet on n1 found container c of pod/p waiting: CrashLoopBackOff",
    ]


def test_the_family_is_found_in_any_order_and_in_circles() -> None:
    def revision(one: dict[str, Any]) -> Revision:
        return Revision(1, "ADDED", one, None, NOW, ())

    revisions = [revision(POD), revision(obj("ReplicaSet", "rs", "Deployment/d")), revision(obj("Pod", "x", "Pod/x"))]
    assert family("uid-d", revisions) == {"uid-d", "uid-rs", "uid-p"}


def test_events_say_who_said_what_how_often() -> None:
    event = {
        "metadata": {"resourceVersion": "12"},
        "reason": "BackOff",
        "message": "Back-off\nrestarting",
        "count": 3,
        "lastTimestamp": "2026-11-28T12:00:00Z",
        "source": {"component": "kubelet", "host": "n1"},
        "involvedObject": {"kind": "Pod", "name": "p"},
    }
    line = of_event(event)
    assert line is not None and (line.order, line.time) == (12, NOW)
    assert f"{line.who} {line.what}" == "kubelet on n1 said of pod/p: BackOff: Back-off restarting (3 times)"
    assert of_event({"reason": "SuccessfulCreate"}) is None
