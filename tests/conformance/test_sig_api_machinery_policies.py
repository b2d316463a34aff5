"""The official conformance tests of ValidatingAdmissionPolicy and MutatingAdmissionPolicy at work on Deployments."""

from __future__ import annotations

from typing import Any

import pytest

from tests.conformance.api import Api, api

ADMISSION = "/apis/admissionregistration.k8s.io/v1"
UNIQUE = "policy-test-12"
RULE = {"apiGroups": ["apps"], "apiVersions": ["v1"], "operations": ["CREATE", "UPDATE"], "resources": ["deployments"]}
SELECTOR = {"matchLabels": {UNIQUE: "true"}}


def workload(name: str, replicas: int) -> Any:
    labels = {"app": "nginx"}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "nginx", "image": "nginx:latest"}]}}
    return {
        "metadata": {"name": name, "labels": labels},
        "spec": {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template},
    }


async def deploy(made: Api, name: str, replicas: int, namespace: str = UNIQUE, plural: str = "deployments") -> tuple[int, Any]:
    return await made.ask("POST", f"/apis/apps/v1/namespaces/{namespace}/{plural}", workload(name, replicas))


async def enforce(made: Api, kind: str, **spec: Any) -> None:
    """A policy of `kind` and its binding, on the namespace that has the label."""
    await made.create("/api/v1/namespaces", {"metadata": {"name": UNIQUE, "labels": {UNIQUE: "true"}}})
    constraints = {"namespaceSelector": SELECTOR, "resourceRules": [RULE]}
    name = f"{UNIQUE}.policy.example.com"
    await made.create(f"{ADMISSION}/{kind}policies", {"metadata": {"name": name}, "spec": {"matchConstraints": constraints, **spec}})
    binding = {"policyName": name, "matchResources": {"namespaceSelector": SELECTOR}}
    if kind == "validatingadmission":
        binding["validationActions"] = ["Deny"]
    await made.create(f"{ADMISSION}/{kind}policybindings", {"metadata": {"name": f"{UNIQUE}.binding.example.com"}, "spec": binding})


VALIDATIONS = {
    "a deployment": {
        "validations": [
            {"expression": "object.spec.replicas > 1", "messageExpression": "'wants replicas > 1, got ' + string(object.spec.replicas)"}
        ]
    },
    "variables": {
        "variables": [
            {"name": "replicas", "expression": "object.spec.replicas"},
            {"name": "oddReplicas", "expression": "variables.replicas % 2 == 1"},
        ],
        "validations": [
            {"expression": "variables.replicas > 1"},
            {"expression": "variables.oddReplicas", "message": "wants an odd number"},
        ],
    },
}


async def test_deployments_are_validated() -> None:
    """[sig-api-machinery] ValidatingAdmissionPolicy [Privileged:ClusterAdmin] should validate against a Deployment [Conformance]"""
    async with api() as made:
        await enforce(made, "validatingadmission", **VALIDATIONS["a deployment"])
        status, told = await deploy(made, "marker-deployment", 1)
        assert (status, told["reason"]) == (422, "Invalid") and "wants replicas > 1, got 1" in told["message"]
        assert (await deploy(made, "replicated", 2))[0] == 201
        assert (await deploy(made, "non-replicated", 1, plural="replicasets"))[0] == 201
        assert (await deploy(made, "elsewhere", 1, namespace="default"))[0] == 201


async def test_expressions_refer_to_variables() -> None:
    """[sig-api-machinery] ValidatingAdmissionPolicy [Privileged:ClusterAdmin] should allow expressions to refer variables.
    [Conformance]"""
    async with api() as made:
        await enforce(made, "validatingadmission", **VALIDATIONS["variables"])
        status, told = await deploy(made, "marker-deployment", 1)
        assert (status, told["reason"]) == (422, "Invalid") and "failed expression: variables.replicas > 1" in told["message"]
        assert (await deploy(made, "replicated", 3))[0] == 201
        status, told = await deploy(made, "even", 2)
        assert status == 422 and "wants an odd number" in told["message"]
        assert (await deploy(made, "non-replicated", 1, plural="replicasets"))[0] == 201


MUTATIONS = [
    ('Object{metadata: Object.metadata{annotations: {"mutated-by": "admission-policy"}}}', 1, {"mutated-by": "admission-policy"}),
    ("Object{spec: Object.spec{replicas: 1337}}", 1337, None),
]


@pytest.mark.parametrize(("expression", "replicas", "annotations"), MUTATIONS)
async def test_deployments_are_mutated(expression: str, replicas: int, annotations: Any) -> None:
    """[sig-api-machinery] MutatingAdmissionPolicy [Privileged:ClusterAdmin] should mutate a Deployment with annotations [Conformance]
    [sig-api-machinery] MutatingAdmissionPolicy [Privileged:ClusterAdmin] should mutate a Deployment [Conformance]"""
    mutation = {"patchType": "ApplyConfiguration", "applyConfiguration": {"expression": expression}}
    async with api() as made:
        await enforce(made, "mutatingadmission", mutations=[mutation], reinvocationPolicy="Never")
        status, mutated = await deploy(made, "marker-deployment", 1)
        assert status == 201 and mutated["spec"]["replicas"] == replicas
        assert mutated["metadata"].get("annotations") == annotations
        untouched = (await deploy(made, "elsewhere", 1, namespace="default"))[1]
        assert untouched["spec"]["replicas"] == 1 and "annotations" not in untouched["metadata"]
