"""The other core kinds: defaults and refusals in the API's words."""

# ruff: noqa: E501 (tables of whole messages)

from __future__ import annotations

from typing import Any

import pytest

from tests.kctl.kube_apiserver.registry.harness import Harness

CLAIM = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}


@pytest.mark.parametrize(
    ("kind", "obj", "problems"),
    [
        ("ConfigMap", {"data": {"a": "b"}}, []),
        (
            "ConfigMap",
            {"data": {"a": "b"}, "binaryData": {"a": "AA=="}},
            ['data[a]: Invalid value: "a": duplicate of key present in binaryData'],
        ),
        ("Secret", {"type": "kubernetes.io/tls"}, ["data[tls.crt]: Required value", "data[tls.key]: Required value"]),
        ("Secret", {"type": "kubernetes.io/basic-auth", "stringData": {"password": "x"}}, []),
        (
            "Secret",
            {"type": "kubernetes.io/dockerconfigjson", "data": {".dockerconfigjson": "eA=="}},
            [
                "data[.dockerconfigjson]: Invalid value: \"<secret contents redacted>\": invalid character 'x' looking for beginning of value"
            ],
        ),
        (
            "Node",
            {"spec": {"taints": [{"key": "a", "effect": "X"}]}},
            ['metadata.taints[0].effect: Unsupported value: "X": supported values: "NoSchedule", "PreferNoSchedule", "NoExecute"'],
        ),
        (
            "Node",
            {"spec": {"podCIDR": "x"}},
            ['spec.podCIDRs[0]: Invalid value: "x": must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)'],
        ),
        ("Endpoints", {"subsets": [{}]}, ["subsets[0]: Required value: must specify `addresses` or `notReadyAddresses`"]),
        ("ResourceQuota", {"spec": {"hard": {"pods": "1.5"}}}, ['spec.hard[pods]: Invalid value: "1500m": must be an integer']),
        (
            "ResourceQuota",
            {"spec": {"hard": {"x": "1"}}},
            [
                'spec.hard[x]: Invalid value: "x": must be a standard resource type or fully qualified',
                'spec.hard[x]: Invalid value: "x": must be a standard resource for quota',
            ],
        ),
        (
            "ResourceQuota",
            {"spec": {"scopes": ["BestEffort", "NotBestEffort"]}},
            ['spec.scopes: Invalid value: ["BestEffort","NotBestEffort"]: conflicting scopes'],
        ),
        ("PersistentVolumeClaim", {"spec": CLAIM}, []),
        ("PersistentVolumeClaim", {"spec": {**CLAIM, "resources": {}}}, ["spec.resources[storage]: Required value"]),
        (
            "PersistentVolume",
            {"spec": {"accessModes": ["ReadWriteOnce"], "capacity": {"storage": "1Gi"}}},
            ["spec: Required value: must specify a volume type"],
        ),
    ],
)
def test_create(kind: str, obj: dict[str, Any], problems: list[str]) -> None:
    assert Harness("v1", kind).problems(obj) == problems


def test_string_data_becomes_data() -> None:
    made = Harness("v1", "Secret").create({"stringData": {"b": "x"}, "data": {"a": "YQ=="}})
    assert made["data"] == {"a": "YQ==", "b": "eA=="}
    assert made["type"] == "Opaque"
    assert "stringData" not in made


@pytest.mark.parametrize(("kind", "field"), [("ConfigMap", "data"), ("Secret", "data")])
def test_immutable_is_for_ever(kind: str, field: str) -> None:
    harness = Harness("v1", kind)
    old = harness.create({"immutable": True, field: {"a": "YQ=="}})
    problem = "Forbidden: field is immutable when `immutable` is set"
    changes: dict[str, Any] = {field: {}}
    assert harness.update(old, **changes)[1] == [f"{field}: {problem}"]
    assert harness.update(old, immutable=False)[1] == [f"immutable: {problem}"]


def test_a_namespace_is_held_by_its_finalizer_and_labelled_with_its_name() -> None:
    harness = Harness("v1", "Namespace")
    made = harness.create({})
    assert made["spec"] == {"finalizers": ["kubernetes"]}
    assert made["metadata"]["labels"] == {"kubernetes.io/metadata.name": "x"}
    assert harness.strategy.holds_deletion(made)
    harness.strategy.mark_deletion(harness.context(), made)
    assert made["status"]["phase"] == "Terminating"


def test_a_node_keeps_its_pod_cidr() -> None:
    harness = Harness("v1", "Node")
    old = harness.create({"spec": {"podCIDR": "10.1.0.0/24"}})
    _, problems = harness.update(old, spec={"podCIDR": "10.2.0.0/24", "podCIDRs": ["10.2.0.0/24"]})
    assert problems == ['spec.podCIDRs: Forbidden: node updates may not change podCIDR except from "" to valid']


def test_limit_ranges_derive_defaults_from_bounds() -> None:
    limit = {
        "type": "Container",
        "max": {"cpu": "2"},
        "min": {"cpu": "1", "memory": "1Gi"},
        "default": {"cpu": "1500m"},
    }
    made = Harness("v1", "LimitRange").create({"spec": {"limits": [limit]}})["spec"]["limits"][0]
    assert made["default"] == {"cpu": "1500m"}
    assert made["defaultRequest"] == {"cpu": "1500m", "memory": "1Gi"}


def test_a_claims_spec_is_frozen_but_for_growth_when_bound() -> None:
    harness = Harness("v1", "PersistentVolumeClaim")
    pending = harness.create({"spec": CLAIM})
    grown = {**pending["spec"], "resources": {"requests": {"storage": "2Gi"}}}
    (problem,) = harness.update(pending, spec=grown)[1]
    assert problem.startswith("spec: Forbidden: spec is immutable after creation except resources.requests")
    assert '-   "storage": "1Gi"\n+   "storage": "2Gi"\n' in problem
    bound = {**pending, "status": {"phase": "Bound"}}
    assert harness.update(bound, spec=grown)[1] == []
