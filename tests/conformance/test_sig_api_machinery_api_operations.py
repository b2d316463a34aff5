"""The official conformance tests that go through the verbs of one kind of sig-api-machinery."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from tests.conformance.api import Api, api

pytestmark = pytest.mark.virtual_time
LABELS = {"special-label": "flow"}
CHOSEN = "?labelSelector=special-label%3Dflow"


@dataclass(frozen=True)
class Kind:
    group: str
    plural: str
    spec: dict[str, Any]
    patched: dict[str, Any]
    """What a merge patch of the spec brings."""
    has_status: bool = False

    @property
    def path(self) -> str:
        return f"/apis/{self.group}/v1/{self.plural}"


FLOW, ADMISSION = "flowcontrol.apiserver.k8s.io", "admissionregistration.k8s.io"
USER_RULE = {
    "subjects": [{"kind": "User", "user": {"name": "example-e2e-test-fs"}}],
    "nonResourceRules": [{"verbs": ["*"], "nonResourceURLs": ["*"]}],
}
FLOW_SCHEMAS = Kind(
    FLOW,
    "flowschemas",
    {
        "matchingPrecedence": 10000,
        "priorityLevelConfiguration": {"name": "global-default"},
        "distinguisherMethod": {"type": "ByUser"},
        "rules": [USER_RULE],
    },
    {"matchingPrecedence": 9999},
    has_status=True,
)
PRIORITY_LEVELS = Kind(
    FLOW,
    "prioritylevelconfigurations",
    {"type": "Limited", "limited": {"nominalConcurrencyShares": 2, "limitResponse": {"type": "Reject"}}},
    {"limited": {"nominalConcurrencyShares": 4}},
    has_status=True,
)
DEPLOYMENTS = {"apiGroups": ["apps"], "apiVersions": ["v1"], "operations": ["CREATE", "UPDATE"], "resources": ["deployments"]}
ON_DEPLOYMENTS = {"resourceRules": [DEPLOYMENTS]}
REPLICAS_MUTATION = {
    "patchType": "ApplyConfiguration",
    "applyConfiguration": {"expression": "Object{spec: Object.spec{replicas: 1}}"},
}
POLICIES = Kind(
    ADMISSION,
    "validatingadmissionpolicies",
    {"matchConstraints": ON_DEPLOYMENTS, "validations": [{"expression": "object.spec.replicas <= 100"}]},
    {"validations": [{"expression": "object.spec.replicas <= 50"}]},
    has_status=True,
)
POLICY_BINDINGS = Kind(
    ADMISSION,
    "validatingadmissionpolicybindings",
    {"policyName": "replicalimit-policy.example.com", "validationActions": ["Deny"]},
    {"validationActions": ["Audit"]},
)
MUTATING_POLICIES = Kind(
    ADMISSION,
    "mutatingadmissionpolicies",
    {"matchConstraints": ON_DEPLOYMENTS, "mutations": [REPLICAS_MUTATION], "reinvocationPolicy": "Never"},
    {"failurePolicy": "Ignore"},
)
MUTATING_POLICY_BINDINGS = Kind(
    ADMISSION,
    "mutatingadmissionpolicybindings",
    {"policyName": "replicalimit-policy.example.com"},
    {"policyName": "other-policy.example.com"},
)


async def is_discovered(made: Api, kind: Kind) -> None:
    def versions(group: Any) -> list[str]:
        return [version["groupVersion"] for version in group["versions"]]

    (group,) = [group for group in (await made.get("/apis"))["groups"] if group["name"] == kind.group]
    assert f"{kind.group}/v1" in versions(group)
    assert f"{kind.group}/v1" in versions(await made.get(f"/apis/{kind.group}"))
    names = [resource["name"] for resource in (await made.get(f"/apis/{kind.group}/v1"))["resources"]]
    assert kind.plural in names and (f"{kind.plural}/status" in names) is kind.has_status


async def changed(made: Api, path: str, change: Callable[[Any], None]) -> Any:
    """After an update, made again on conflicts: controllers of the server write the status of some kinds."""
    for _ in range(5):
        present = await made.get(path)
        change(present)
        status, updated = await made.ask("PUT", path, present)
        if status != 409:
            break
    assert status == 200, updated
    return updated


async def its_status_is_kept(made: Api, kind: Kind, name: str) -> None:
    path = f"{kind.path}/{name}/status"

    def conditions(obj: Any) -> dict[str, str]:
        return {condition["type"]: condition.get("reason") for condition in obj["status"]["conditions"]}

    def condition(named: str) -> dict[str, str]:
        return {"type": named, "status": "False", "reason": "e2e", "message": "set by a test", "lastTransitionTime": "2026-01-01T00:00:00Z"}

    before = await made.get(path)
    assert before["metadata"]["name"] == name
    patched = await made.patch(path, {"status": {"conditions": [condition("PatchStatusFailed")]}})
    assert conditions(patched)["PatchStatusFailed"] == "e2e"
    updated = await changed(made, path, lambda obj: obj["status"]["conditions"].append(condition("StatusUpdateFailed")))
    assert {"PatchStatusFailed", "StatusUpdateFailed"} <= conditions(updated).keys()
    assert updated["spec"] == before["spec"]
    assert {"PatchStatusFailed", "StatusUpdateFailed"} <= conditions(await made.get(path)).keys()


async def all_verbs_work(kind: Kind) -> None:
    async with api() as made:
        await is_discovered(made, kind)
        created = await made.create(kind.path, {"metadata": {"name": "example", "labels": LABELS}, "spec": kind.spec})
        for _ in range(2):
            await made.create(kind.path, {"metadata": {"generateName": "example-", "labels": LABELS}, "spec": kind.spec})
        path = f"{kind.path}/example"
        read = await made.get(path)
        assert read["metadata"]["uid"] == created["metadata"]["uid"]
        assert read["spec"] == created["spec"]
        listed = await made.get(f"{kind.path}{CHOSEN}")
        assert len(listed["items"]) == 3

        patched = await made.patch(path, {"metadata": {"annotations": {"patched": "true"}}, "spec": kind.patched})
        assert patched["metadata"]["annotations"]["patched"] == "true"
        assert {name: patched["spec"][name] for name in kind.patched} != {name: created["spec"].get(name) for name in kind.patched}
        updated = await changed(made, path, lambda obj: obj["metadata"]["annotations"].update(updated="true"))
        assert updated["metadata"]["annotations"] == {"patched": "true", "updated": "true"}
        events = [seen for seen in await made.watched(f"{kind.path}{CHOSEN}", listed) if seen[1]["metadata"]["name"] == "example"]
        assert {event for event, _ in events} == {"MODIFIED"}
        annotations = [tuple(obj["metadata"].get("annotations", ())) for _, obj in events]
        assert annotations == sorted(annotations) and {("patched",), ("patched", "updated")} <= set(annotations)
        if kind.has_status:
            await its_status_is_kept(made, kind, "example")

        before = await made.get(f"{kind.path}{CHOSEN}")
        await made.delete(path)
        assert (await made.ask("GET", path))[0] == 404
        assert len((await made.get(f"{kind.path}{CHOSEN}"))["items"]) == 2
        await made.delete(f"{kind.path}{CHOSEN}")
        assert (await made.get(f"{kind.path}{CHOSEN}"))["items"] == []
        assert [event for event, _ in await made.watched(f"{kind.path}{CHOSEN}", before)] == ["DELETED"] * 3


async def test_flow_schemas() -> None:
    """[sig-api-machinery] API priority and fairness should support FlowSchema API operations [Conformance]"""
    await all_verbs_work(FLOW_SCHEMAS)


async def test_priority_level_configurations() -> None:
    """[sig-api-machinery] API priority and fairness should support PriorityLevelConfiguration API operations [Conformance]"""
    await all_verbs_work(PRIORITY_LEVELS)


async def test_validating_admission_policies() -> None:
    """[sig-api-machinery] ValidatingAdmissionPolicy [Privileged:ClusterAdmin] should support ValidatingAdmissionPolicy API operations
    [Conformance]"""
    await all_verbs_work(POLICIES)


async def test_validating_admission_policy_bindings() -> None:
    """[sig-api-machinery] ValidatingAdmissionPolicy [Privileged:ClusterAdmin] should support ValidatingAdmissionPolicyBinding API
    operations [Conformance]"""
    await all_verbs_work(POLICY_BINDINGS)


async def test_mutating_admission_policies() -> None:
    """[sig-api-machinery] MutatingAdmissionPolicy [Privileged:ClusterAdmin] should support MutatingAdmissionPolicy API operations
    [Conformance]"""
    await all_verbs_work(MUTATING_POLICIES)


async def test_mutating_admission_policy_bindings() -> None:
    """[sig-api-machinery] MutatingAdmissionPolicy [Privileged:ClusterAdmin] should support MutatingAdmissionPolicyBinding API operations
    [Conformance]"""
    await all_verbs_work(MUTATING_POLICY_BINDINGS)
