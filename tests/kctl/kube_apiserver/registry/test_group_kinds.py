"""Kinds of the named groups: defaults and refusals in the API's words."""

from __future__ import annotations

from typing import Any

import pytest

from kctl.apimachinery.resources import BUILT_IN
from kctl.kube_apiserver.registry import strategies
from tests.kctl.kube_apiserver.registry.harness import Harness

RBAC = "rbac.authorization.k8s.io"
RULE = {"operations": ["CREATE"], "apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"]}
HOOK = {"name": "a.b.io", "sideEffects": "None", "admissionReviewVersions": ["v1"], "rules": [RULE]}
URL = {"clientConfig": {"url": "https://x.io"}}


@pytest.mark.parametrize(
    ("api_version", "kind", "obj", "problems"),
    [
        (
            f"{RBAC}/v1",
            "Role",
            {"rules": [{}]},
            [
                "rules[0].verbs: Required value: verbs must contain at least one value",
                "rules[0].apiGroups: Required value: resource rules must supply at least one api group",
                "rules[0].resources: Required value: resource rules must supply at least one resource",
            ],
        ),
        (
            f"{RBAC}/v1",
            "ClusterRoleBinding",
            {"roleRef": {"kind": "Role", "name": "x"}},
            ['roleRef.kind: Unsupported value: "Role": supported values: "ClusterRole"'],
        ),
        (
            "networking.k8s.io/v1",
            "Ingress",
            {"spec": {}},
            ["spec: Invalid value: null: either `defaultBackend` or `rules` must be specified"],
        ),
        (
            "networking.k8s.io/v1",
            "Ingress",
            {"spec": {"rules": [{"host": "1.2.3.4"}]}},
            ['spec.rules[0].host: Invalid value: "1.2.3.4": must be a DNS name, not an IP address'],
        ),
        (
            "networking.k8s.io/v1",
            "IngressClass",
            {"spec": {"controller": "x"}},
            ['spec.controller: Invalid value: "x": must be a domain-prefixed path (such as "acme.io/foo")'],
        ),
        (
            "networking.k8s.io/v1",
            "NetworkPolicy",
            {"spec": {"ingress": [{"from": [{}]}]}},
            ["spec.ingress[0].from[0]: Required value: must specify a peer"],
        ),
        ("storage.k8s.io/v1", "StorageClass", {}, ["provisioner: Required value"]),
        ("storage.k8s.io/v1", "CSINode", {"spec": {"drivers": [{"name": "a"}]}}, ["spec.drivers[0].nodeID: Required value"]),
        (
            "coordination.k8s.io/v1",
            "Lease",
            {"spec": {"leaseDurationSeconds": 0}},
            ["spec.leaseDurationSeconds: Invalid value: 0: must be greater than 0"],
        ),
        (
            "discovery.k8s.io/v1",
            "EndpointSlice",
            {"addressType": "IPv4", "endpoints": [{"addresses": ["2001:db8::1"]}]},
            ['endpoints[0].addresses: Invalid value: "2001:db8::1": must be an IPv4 address'],
        ),
        (
            "flowcontrol.apiserver.k8s.io/v1",
            "FlowSchema",
            {"spec": {}},
            ["spec.priorityLevelConfiguration.name: Required value: must reference a priority level"],
        ),
        ("admissionregistration.k8s.io/v1", "MutatingWebhookConfiguration", {"webhooks": [{**HOOK, **URL}]}, []),
        (
            "admissionregistration.k8s.io/v1",
            "ValidatingWebhookConfiguration",
            {"webhooks": [HOOK]},
            ["webhooks[0].clientConfig: Required value: exactly one of url or service is required"],
        ),
        (
            "certificates.k8s.io/v1",
            "CertificateSigningRequest",
            {"spec": {"request": "eA==", "signerName": "x", "usages": ["any"]}},
            [
                'spec.request: Invalid value: "eA==": PEM block type must be CERTIFICATE REQUEST',
                "spec.signerName: Invalid value: \"x\": must be a fully qualified domain and path of the form 'example.com/signer-name'",
            ],
        ),
        (
            "resource.k8s.io/v1",
            "ResourceSlice",
            {"spec": {"driver": "d.io", "pool": {"name": "p", "resourceSliceCount": 1}}},
            ["spec: Required value: exactly one of `nodeName`, `nodeSelector`, `allNodes`, `perDeviceNodeSelection` is required"],
        ),
        (
            "apiextensions.k8s.io/v1",
            "CustomResourceDefinition",
            {
                "metadata": {"name": "x"},
                "spec": {"group": "g.io", "scope": "Cluster", "names": {"plural": "as", "kind": "A"}, "versions": []},
            },
            [
                'metadata.name: Invalid value: "x": must be spec.names.plural+"."+spec.group',
                "spec.versions: Invalid value: []: must have exactly one version marked as storage version",
            ],
        ),
    ],
)
def test_create(api_version: str, kind: str, obj: dict[str, Any], problems: list[str]) -> None:
    assert Harness(api_version, kind).problems(obj) == problems


def test_a_binding_keeps_its_role() -> None:
    harness = Harness(f"{RBAC}/v1", "RoleBinding")
    old = harness.create({"roleRef": {"kind": "Role", "name": "a"}})
    _, problems = harness.update(old, roleRef={**old["roleRef"], "name": "b"})
    assert problems == [f'roleRef: Invalid value: {{"APIGroup":"{RBAC}","Kind":"Role","Name":"b"}}: cannot change roleRef']


def test_who_asks_for_a_certificate_is_not_for_the_caller_to_say() -> None:
    made = Harness("certificates.k8s.io/v1", "CertificateSigningRequest").create({"spec": {"username": "root"}})
    assert made["spec"] == {"username": "jane", "uid": "u1", "groups": ["system:authenticated"]}


def test_approval_is_for_the_approval_subresource() -> None:
    harness = Harness("certificates.k8s.io/v1", "CertificateSigningRequest")
    old = harness.create({"spec": {}})
    approved = {"conditions": [{"type": "Approved", "status": "True"}]}
    assert harness.update(old, "status", status=approved)[1] == [
        'status.conditions: Forbidden: updates may not add a condition of type "Approved"'
    ]
    made, problems = harness.update(old, "approval", status=approved)
    assert problems == []
    assert made["status"]["conditions"][0]["lastUpdateTime"] == "2026-01-02T03:04:05Z"


def test_a_csi_drivers_generation_begins_with_its_first_change() -> None:
    harness = Harness("storage.k8s.io/v1", "CSIDriver")
    old = harness.create({"metadata": {"name": "a.io"}})
    made, problems = harness.update(old, spec={**old["spec"], "requiresRepublish": True})
    assert problems == []
    assert made["metadata"]["generation"] == 1


def test_every_strategy_serves_a_known_resource() -> None:
    known = {(resource.group, resource.plural) for resource in BUILT_IN}
    assert set(strategies.load()) <= known


def test_every_listed_strategy_is_found_by_its_resource() -> None:
    listed = strategies.load()
    for resource in BUILT_IN:
        if (resource.group, resource.plural) in listed:
            assert strategies.strategy_for(resource) is listed[resource.group, resource.plural]
