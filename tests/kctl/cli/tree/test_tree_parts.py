"""Why a pod is not running, how objects fare, clean objects, and who owns whom: pure functions."""

from __future__ import annotations

from typing import Any

import pytest

from kctl.apimachinery.resources import built_in
from kctl.cli.tree.clean import clean
from kctl.cli.tree.columns import with_reasons
from kctl.cli.tree.health import Health, health_of
from kctl.cli.tree.relations import Member, Relations
from kctl.cli.tree.why import why_not_running


def pod(status: dict[str, Any], *, node: str = "n", **meta: Any) -> dict[str, Any]:
    return {"kind": "Pod", "metadata": {"name": "p", **meta}, "spec": {"nodeName": node} if node else {}, "status": status}


def waiting(reason: str, message: str = "", **more: Any) -> dict[str, Any]:
    state = {"waiting": {"reason": reason} | ({"message": message} if message else {})}
    return {"phase": "Pending", "containerStatuses": [{"name": "c", "state": state, **more}]}


READY = {"type": "Ready", "status": "True"}
TIRED = {"type": "Ready", "status": "False", "reason": "Tired"}
CORDONED = Health("Ready, SchedulingDisabled", "yellow")
EXITED = {"terminated": {"exitCode": 3, "reason": "Error"}}
WHYS: dict[str, tuple[dict[str, Any], str]] = {
    "runs": (pod({"phase": "Running", "conditions": [READY]}), ""),
    "has completed": (pod({"phase": "Succeeded"}), ""),
    "fits nowhere": (
        pod(
            {
                "phase": "Pending",
                "conditions": [
                    {
                        "type": "PodScheduled",
                        "status": "False",
                        "reason": "Unschedulable",
                        "message": "0/3 nodes are available: 3 Insufficient cpu. preemption: 0/3 nodes are available.",
                    }
                ],
            },
            node="",
        ),
        "Unschedulable: 0/3 nodes are available: 3 Insufficient cpu.",
    ),
    "nobody looked": (pod({"phase": "Pending"}, node=""), "not scheduled yet: no scheduler has looked at it"),
    "cannot pull": (pod(waiting("ImagePullBackOff", 'Back-off pulling "x"')), 'container c: ImagePullBackOff: Back-off pulling "x"'),
    "crashes": (
        pod(waiting("CrashLoopBackOff", lastState=EXITED, restartCount=4)),
        "container c: CrashLoopBackOff, exit code 3, 4 restarts",
    ),
    "initializes": (
        pod({"phase": "Pending", "initContainerStatuses": [{"name": "i", "state": {"running": {}}}], **{"containerStatuses": []}}),
        "init container i is running",
    ),
    "is not ready": (
        pod({"phase": "Running", "conditions": [{"type": "Ready", "status": "False", "reason": "ContainersNotReady", "message": "c"}]}),
        "ContainersNotReady: c",
    ),
    "was evicted": (pod({"phase": "Failed", "reason": "Evicted", "message": "low on memory"}), "Evicted: low on memory"),
    "failed": (pod({"phase": "Failed", "containerStatuses": [{"name": "c", "state": EXITED}]}), "container c: exit code 3"),
    "ends": (
        pod({"phase": "Running"}, deletionTimestamp="2026-11-28T07:00:00Z", finalizers=["a/b"]),
        "Terminating since 2026-11-28T07:00:00Z, held by a/b",
    ),
}


@pytest.mark.parametrize("title", WHYS)
def test_why(title: str) -> None:
    given, expected = WHYS[title]
    assert why_not_running(given) == expected


def test_why_is_one_line_of_bounded_length() -> None:
    text = why_not_running(pod({"phase": "Failed", "message": "a\nb " * 100}))
    assert "\n" not in text and len(text) <= 160


def test_the_column_stands_before_what_only_wide_shows() -> None:
    table = {
        "columnDefinitions": [{"name": "Name"}, {"name": "IP", "priority": 1}],
        "rows": [{"cells": ["p", "10.0.0.1"], "object": pod({"phase": "Pending"}, node="")}],
    }
    shown = with_reasons(table)
    assert [column["name"] for column in shown["columnDefinitions"]] == ["Name", "Why", "IP"]
    assert shown["rows"][0]["cells"] == ["p", "not scheduled yet: no scheduler has looked at it", "10.0.0.1"]
    assert len(table["rows"][0]["cells"]) == 2


@pytest.mark.parametrize(
    ("obj", "expected"),
    [
        ({"kind": "Deployment", "spec": {"replicas": 2}, "status": {"readyReplicas": 2}}, Health("2/2 ready")),
        ({"kind": "Deployment", "spec": {}, "status": {}}, Health("0/1 ready", "yellow")),
        (
            {"kind": "Deployment", "status": {"conditions": [{"type": "Progressing", "reason": "ProgressDeadlineExceeded"}]}},
            Health("ProgressDeadlineExceeded", "red"),
        ),
        ({"kind": "DaemonSet", "status": {"numberReady": 1, "desiredNumberScheduled": 3}}, Health("1/3 ready", "yellow")),
        ({"kind": "Job", "status": {"conditions": [{"type": "Complete", "status": "True"}]}}, Health("Complete")),
        ({"kind": "PersistentVolumeClaim", "status": {"phase": "Lost"}}, Health("Lost", "red")),
        (
            {"kind": "Node", "status": {"conditions": [READY]}, "spec": {"unschedulable": True}},
            Health("Ready, SchedulingDisabled", "yellow"),
        ),
        ({"kind": "Bee", "status": {"conditions": [READY]}}, Health("Ready")),
        (
            {"kind": "Bee", "status": {"conditions": [{"type": "Ready", "status": "False", "reason": "Tired"}]}},
            Health("not Ready: Tired", "red"),
        ),
        ({"kind": "ConfigMap"}, Health("")),
        ({"kind": "ConfigMap", "metadata": {"deletionTimestamp": "2026-11-28T07:00:00Z"}}, Health("Terminating", "yellow")),
    ],
)
def test_health(obj: dict[str, Any], expected: Health) -> None:
    assert health_of(obj) == expected


def test_clean_leaves_what_somebody_would_write() -> None:
    written = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "p", "labels": {"app": "web"}},
        "spec": {"containers": [{"name": "c", "image": "nginx", "ports": [{"containerPort": 80}]}], "restartPolicy": "Never"},
    }
    stored: dict[str, Any] = {
        **written,
        "metadata": {
            **written["metadata"],
            "uid": "1",
            "resourceVersion": "2",
            "managedFields": [],
            "labels": {"app": "web", "pod-template-hash": "x"},
            "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "{}"},
        },
        "spec": {
            **written["spec"],
            "containers": [
                {
                    "name": "c",
                    "image": "nginx",
                    "ports": [{"containerPort": 80, "protocol": "TCP"}],
                    "resources": {},
                    "terminationMessagePath": "/dev/termination-log",
                    "volumeMounts": [{"name": "kube-api-access-abc", "mountPath": "/var/run/secrets"}],
                }
            ],
            "nodeName": "n",
            "dnsPolicy": "ClusterFirst",
            "enableServiceLinks": True,
            "serviceAccountName": "default",
            "serviceAccount": "default",
            "tolerations": [{"key": "node.kubernetes.io/not-ready", "operator": "Exists"}],
            "volumes": [{"name": "kube-api-access-abc", "projected": {}}],
        },
        "status": {"phase": "Running"},
    }
    assert clean(stored) == written
    assert clean({"kind": "List", "items": [stored]})["items"] == [written]


def test_owners_and_owned_also_where_they_name_each_other() -> None:
    def member(uid: str, *owners: str) -> Member:
        references = [{"uid": owner, "controller": True} for owner in owners]
        return Member(built_in("v1", "ConfigMap"), {"metadata": {"name": uid, "uid": uid, "ownerReferences": references}})

    relations = Relations([member("a"), member("b", "a"), member("c", "b"), member("d", "b"), member("x", "y"), member("y", "x")])
    assert [one.uid for one in relations.below("a")] == ["b", "c", "d"]
    assert [one.uid for one in relations.owners(relations.members["d"])] == ["a", "b"]
    assert [one.uid for one in relations.below("x")] == ["y"]
    assert [one.uid for one in relations.owners(relations.members["x"])] == ["y"]
