"""Rules of other controllers that need no server: which pod goes first, taints and tolerations, CIDRs, endpoints."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from controllers.kube_controller_manager import endpoints, endpointslice, names
from controllers.kube_controller_manager.main import CONTROLLERS, is_enabled, refused_controller
from controllers.kube_controller_manager.node_ipam import CidrSet
from controllers.kube_controller_manager.taint_eviction import seconds_tolerated
from controllers.runtime import node_taints, pods
from kctl.apimachinery import objects
from kctl.apimachinery.objects import Object

NOW = datetime(2026, 1, 2, tzinfo=UTC)


def pod(
    name: str,
    *,
    node: str = "n",
    phase: str = "Running",
    ready: bool = True,
    cost: str = "",
    restarts: int = 0,
    created: str = "2026-01-01T00:00:00Z",
    since: str = "2026-01-01T00:00:00Z",
    ip: str = "10.0.0.1",
) -> Object:
    annotations = {"controller.kubernetes.io/pod-deletion-cost": cost} if cost else {}
    condition = {"type": "Ready", "status": "True" if ready else "False", "lastTransitionTime": since}
    meta = {"name": name, "namespace": "default", "uid": name, "creationTimestamp": created, "annotations": annotations}
    containers = [{"name": "c", "ports": [{"name": "http", "containerPort": 8080}]}]
    return {
        "metadata": meta,
        "spec": {"nodeName": node, "containers": containers},
        "status": {
            "phase": phase,
            "conditions": [condition],
            "containerStatuses": [{"restartCount": restarts}],
            "podIP": ip,
            "podIPs": [{"ip": ip}],
        },
    }


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (pod("a", node=""), pod("b", phase="Pending", ready=False)),
        (pod("a", phase="Pending", ready=False), pod("b", ready=False)),
        (pod("a", ready=False), pod("b")),
        (pod("a", cost="-5"), pod("b", cost="1")),
        (pod("a", since="2026-01-01T23:59:00Z"), pod("b")),
        (pod("a", restarts=3), pod("b")),
        (pod("a", created="2026-01-01T23:59:00Z"), pod("b")),
    ],
    ids=["unassigned", "pending", "not ready", "cost", "ready shorter", "restarts", "younger"],
)
def test_deletion_order(first: Object, second: Object) -> None:
    assert pods.deletion_order([second, first], [], NOW) == [first, second]


def test_pods_doubled_up_on_a_node_go_first() -> None:
    here, there = pod("z", node="crowded"), pod("a", node="empty")
    related = [here, there, pod("other", node="crowded")]
    assert pods.deletion_order([there, here], related, NOW)[0] is here


def test_min_ready_seconds() -> None:
    young = pod("a", since="2026-01-01T23:59:50Z")
    assert pods.seconds_until_available(young, 30, NOW) == 20
    assert pods.seconds_until_available(pod("a", ready=False), 30, NOW) is None
    assert pods.available([young, pod("b")], 30, NOW) == (1, 20)


def node(*conditions: tuple[str, str], unschedulable: bool = False, taints: Any = ()) -> Object:
    spec: dict[str, Any] = {"taints": list(taints)}
    if unschedulable:
        spec["unschedulable"] = True
    return {"spec": spec, "status": {"conditions": [{"type": kind, "status": status} for kind, status in conditions]}}


def taint(key: str, effect: str = "NoSchedule") -> dict[str, str]:
    return {"key": key, "effect": effect, "timeAdded": "t"}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (node(("Ready", "True")), None),
        (node(("Ready", "False")), [taint(node_taints.NOT_READY), taint(node_taints.NOT_READY, "NoExecute")]),
        (node(("Ready", "Unknown")), [taint(node_taints.UNREACHABLE), taint(node_taints.UNREACHABLE, "NoExecute")]),
        (node(("Ready", "True"), taints=[taint(node_taints.NOT_READY)]), []),
        (node(("Ready", "True"), ("DiskPressure", "True")), [taint("node.kubernetes.io/disk-pressure")]),
        (node(("Ready", "True"), unschedulable=True), [taint(node_taints.UNSCHEDULABLE)]),
        (node(("Ready", "True"), taints=[taint("own/key", "NoExecute")]), None),
    ],
    ids=["ready", "not ready", "unknown", "ready again", "disk pressure", "cordoned", "user's own stays"],
)
def test_taints_follow_conditions(given: Object, expected: Any) -> None:
    assert node_taints.corrected(given, "t") == expected


@pytest.mark.parametrize(
    ("tolerations", "expected"),
    [
        ([], 0),
        ([{"operator": "Exists"}], None),
        ([{"key": "k", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300}], 300),
        ([{"key": "k", "operator": "Exists", "tolerationSeconds": -1}], 0),
        ([{"key": "k", "value": "v"}], None),
        ([{"key": "k", "value": "w"}], 0),
        ([{"key": "k", "operator": "Exists", "effect": "NoSchedule"}], 0),
    ],
)
def test_how_long_a_taint_is_tolerated(tolerations: list[dict[str, Any]], expected: float | None) -> None:
    taints = [{"key": "k", "value": "v", "effect": "NoExecute"}]
    assert seconds_tolerated({"spec": {"tolerations": tolerations}}, taints) == expected


def test_cidrs_are_the_lowest_free_ones() -> None:
    cidrs = CidrSet("10.244.0.0/22", 24)
    cidrs.occupy("10.244.1.0/24")
    assert [cidrs.allocate(), cidrs.allocate()] == ["10.244.0.0/24", "10.244.2.0/24"]
    cidrs.release("10.244.0.0/24")
    assert [cidrs.allocate(), cidrs.allocate(), cidrs.allocate()] == ["10.244.0.0/24", "10.244.3.0/24", None]
    cidrs.occupy("192.168.0.0/24")  # not ours
    with pytest.raises(ValueError, match="larger than the cluster CIDR"):
        CidrSet("10.0.0.0/24", 16)


def service(**spec: Any) -> Object:
    port = {"name": "web", "port": 80, "targetPort": "http", "protocol": "TCP"}
    return {
        "metadata": {"name": "web", "namespace": "default"},
        "spec": {"selector": {"app": "web"}, "ports": [port], "clusterIP": "10.96.0.9", **spec},
    }


def test_endpoint_conditions() -> None:
    terminating = pod("a")
    terminating["metadata"]["deletionTimestamp"] = "x"
    found = endpointslice.endpoint_of(service(), terminating, "10.0.0.1", "zone-a")
    assert found["conditions"] == {"ready": False, "serving": True, "terminating": True}
    assert (found["nodeName"], found["zone"]) == ("n", "zone-a")
    assert found["targetRef"] == {"kind": "Pod", "namespace": "default", "name": "a", "uid": "a"}
    unready = endpointslice.endpoint_of(service(publishNotReadyAddresses=True), pod("b", ready=False), "10.0.0.2")
    assert unready["conditions"] == {"ready": True, "serving": False, "terminating": False}
    assert endpointslice.ports_of(service(), pod("a")) == [{"name": "web", "port": 8080, "protocol": "TCP"}]


def piece(name: str, uids: list[str]) -> Object:
    return {"metadata": {"name": name, "uid": name}, "endpoints": [{"targetRef": {"uid": uid}} for uid in uids]}


def test_slices_are_filled_up_and_only_touched_when_they_must() -> None:
    everybody = {f"u{number}": {"targetRef": {"uid": f"u{number}"}} for number in range(250)}
    filled, added = endpointslice.arrange([], everybody)
    assert filled == [] and [len(entry) for entry in added] == [100, 100, 50]
    full = piece("full", [f"u{number}" for number in range(100)])
    half = piece("half", [f"u{number}" for number in range(100, 150)])
    filled, added = endpointslice.arrange([full, half], everybody)
    assert [len(entries) for _, entries in filled] == [100, 100] and [len(entry) for entry in added] == [50]
    filled, added = endpointslice.arrange([full, half], {"u120": everybody["u120"]})
    assert [len(entries) for _, entries in filled] == [0, 1] and added == []


def test_endpoints_are_split_by_readiness_and_sorted_by_address() -> None:
    members = [pod("b", ip="10.0.0.10"), pod("a", ip="10.0.0.9"), pod("c", ip="10.0.0.3", ready=False)]
    [found] = endpoints.subsets(service(), members)
    assert [entry["ip"] for entry in found["addresses"]] == ["10.0.0.9", "10.0.0.10"]
    assert [entry["ip"] for entry in found["notReadyAddresses"]] == ["10.0.0.3"]
    assert found["ports"] == [{"name": "web", "port": 8080, "protocol": "TCP"}]
    many = [pod(f"p{number}", ip=f"10.0.{number // 256}.{number % 256}") for number in range(1500)]
    cut, truncated = endpoints.truncated(endpoints.subsets(service(), many))
    assert truncated and sum(len(group["addresses"]) for group in cut) == 1000


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (("*",), True),
        (("*", "-ttl-controller"), False),
        (("ttl-controller",), True),
        (("namespace-controller",), False),
    ],
)
def test_controllers_are_switched_by_name(wanted: tuple[str, ...], expected: bool) -> None:
    assert is_enabled("ttl-controller", wanted) is expected
    assert "ttl-controller" in CONTROLLERS


def test_names_are_those_the_controllers_carry() -> None:
    assert all(objects and name.endswith("-controller") for name in CONTROLLERS)


@pytest.mark.parametrize(
    ("wanted", "why"),
    [
        (["*"], ""),
        (["*", "-job", "-cloud-node-lifecycle-controller", "bootstrapsigner"], ""),
        (["*", "selinux-warning-controller"], '"selinux-warning-controller" does not run here: simulated nodes have no SELinux'),
        (
            ["*", "-validatingadmissionpolicy-status"],
            '"validatingadmissionpolicy-status-controller" cannot be switched off: kube-apiserver does its work',
        ),
        (["*", "-jobs"], '"jobs" is not in the list of known controllers'),
    ],
)
def test_names_of_controllers_that_are_refused(wanted: list[str], why: str) -> None:
    assert refused_controller(wanted) == why


def test_every_name_of_upstream_is_known() -> None:
    text = (Path(__file__).parents[3] / "docs" / "controllers.md").read_text()
    listed = set(re.findall(r"^\| `([a-z-]+)`", text, re.MULTILINE))
    assert listed == {*CONTROLLERS, *names.NOT_RUN, *names.ELSEWHERE} and set(names.ALIASES.values()) <= listed
