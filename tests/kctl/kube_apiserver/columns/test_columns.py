"""Rows of the tables kubectl prints."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from kctl.apimachinery.resources import BUILT_IN, built_in
from kctl.apimachinery.schema import build_hook
from kctl.kube_apiserver.columns.kinds import columns_for

NOW = datetime(2026, 1, 1, 1, tzinfo=UTC)
META = {"name": "x", "creationTimestamp": "2026-01-01T00:00:00Z"}


def row(api_version: str, kind: str, **fields: Any) -> list[Any]:
    meta = {**META, **fields.pop("metadata", {})}
    obj = {"apiVersion": api_version, "kind": kind, "metadata": meta, **fields}
    return columns_for(built_in(api_version, kind)).row(obj, NOW)


@pytest.mark.parametrize(
    ("fields", "cells"),
    [
        ({"type": "ClusterIP", "clusterIP": "None", "ports": []}, ["x", "ClusterIP", "None", "<none>", "<none>", "60m", "<none>"]),
        (
            {
                "type": "LoadBalancer",
                "clusterIP": "10.0.0.1",
                "ports": [{"port": 80, "nodePort": 30000, "protocol": "TCP"}],
                "selector": {"b": "c", "a": "d"},
            },
            ["x", "LoadBalancer", "10.0.0.1", "<pending>", "80:30000/TCP", "60m", "a=d,b=c"],
        ),
        ({"type": "ExternalName", "externalName": "a.b"}, ["x", "ExternalName", "<none>", "a.b", "<none>", "60m", "<none>"]),
        (
            {"type": "NodePort", "clusterIP": "10.0.0.1", "externalIPs": ["1.1.1.1", "2.2.2.2"]},
            ["x", "NodePort", "10.0.0.1", "1.1.1.1,2.2.2.2", "<none>", "60m", "<none>"],
        ),
    ],
)
def test_services(fields: dict[str, Any], cells: list[Any]) -> None:
    assert row("v1", "Service", spec=fields) == cells


def test_a_cordoned_control_plane_node() -> None:
    status = {
        "conditions": [{"type": "Ready", "status": "False"}],
        "addresses": [{"type": "InternalIP", "address": "10.0.0.2"}],
        "nodeInfo": {"kubeletVersion": "v1.37.0", "osImage": "Debian", "kernelVersion": "6.1", "architecture": "amd64"},
    }
    labels = {"node-role.kubernetes.io/control-plane": "", "kubernetes.io/role": "a"}
    cells = row("v1", "Node", metadata={"labels": labels}, spec={"unschedulable": True}, status=status)
    assert cells == [
        "x",
        "NotReady,SchedulingDisabled",
        "a,control-plane",
        "60m",
        "v1.37.0",
        "10.0.0.2",
        "<none>",
        "Debian",
        "6.1 (amd64)",
        "<unknown>",
    ]


def test_an_event_of_either_group() -> None:
    about = {"kind": "Pod", "name": "p", "fieldPath": "spec.containers{c}"}
    core = row(
        "v1",
        "Event",
        involvedObject=about,
        reason="R",
        type="Normal",
        message=" m \n",
        count=3,
        firstTimestamp="2026-01-01T00:00:00Z",
        lastTimestamp="2026-01-01T00:59:50Z",
        source={"component": "c", "host": "h"},
    )
    assert core == ["10s", "Normal", "R", "pod/p", "spec.containers{c}", "c, h", "m", "60m", 3, "x"]
    new = row("events.k8s.io/v1", "Event", regarding=about, note="m", eventTime="2026-01-01T00:00:00.000001Z", type="Normal")
    assert (new[0], new[3], new[6], new[8]) == ("59m", "pod/p", "m", 1)


def test_volumes_and_classes() -> None:
    claim = {"volumeName": "v", "storageClassName": "fast", "volumeMode": "Block"}
    status = {"phase": "Bound", "capacity": {"storage": "1024Mi"}, "accessModes": ["ReadWriteMany", "ReadWriteOnce"]}
    cells = row("v1", "PersistentVolumeClaim", spec=claim, status=status)
    assert cells == ["x", "Bound", "v", "1Gi", "RWO,RWX", "fast", "<unset>", "60m", "Block"]
    mark = {"storageclass.kubernetes.io/is-default-class": "true"}
    assert row("storage.k8s.io/v1", "StorageClass", metadata={"annotations": mark})[0] == "x (default)"


def test_long_lists_are_cut() -> None:
    rules = [{"host": f"{letter}.io"} for letter in "abcde"]
    assert row("networking.k8s.io/v1", "Ingress", spec={"rules": rules})[2] == "a.io,b.io,c.io + 2 more..."
    addresses = [{"ip": f"10.0.0.{number}"} for number in range(5)]
    cells = row("v1", "Endpoints", subsets=[{"addresses": addresses, "ports": [{"port": 80}]}])
    assert cells[1] == "10.0.0.0:80,10.0.0.1:80,10.0.0.2:80 + 2 more..."


@pytest.mark.parametrize("resource", BUILT_IN, ids=lambda resource: f"{resource.group_resource}-{resource.version}")
def test_every_kind_prints_an_object_with_nothing_but_a_name(resource: Any) -> None:
    columns = columns_for(resource)
    obj = {"apiVersion": resource.api_version, "kind": resource.kind, "metadata": META}
    assert len(columns.row(obj, NOW)) == len(columns.columns)


def test_texts_of_columns_are_the_documentation_of_their_fields() -> None:
    (selector,) = [c for c in columns_for(built_in("apps/v1", "Deployment")).columns if c.name == "Selector"]
    assert selector.description == build_hook.definitions()["io.k8s.api.apps.v1.DeploymentSpec"]["properties"]["selector"]["description"]


def test_a_column_says_which_of_several_types_it_means(monkeypatch: pytest.MonkeyPatch) -> None:
    found = {
        f"io.k8s.api.{group}.v1.Event": {"properties": {"note": {"description": text}}}
        for group, text in (("core", "one"), ("events", "two"))
    }
    monkeypatch.setattr(build_hook, "_described", lambda: {"Event.note"})
    with pytest.raises(ValueError, match="several types are called Event"):
        build_hook.column_texts(found)
    monkeypatch.setattr(build_hook, "_described", lambda: {"core.v1.Event.note"})
    assert build_hook.column_texts(found) == {"core.v1.Event.note": "one"}
