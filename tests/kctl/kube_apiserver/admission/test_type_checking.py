"""Expressions of policies checked against the types they are about, and what the status says of it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import built_in
from kctl.kube_apiserver.admission.policies import type_checking
from kctl.kube_apiserver.admission.policies.type_checking import Kind
from tests.kctl.kube_apiserver.admission.conftest import Api

GROUP = "admissionregistration.k8s.io/v1"
POLICIES = built_in(GROUP, "ValidatingAdmissionPolicy")
DEPLOYMENT, POD = Kind("apps", "v1", "Deployment"), Kind("", "v1", "Pod")
RESOURCES = {("apps", "v1", "deployments"): DEPLOYMENT, ("", "v1", "pods"): POD}


def policy(*validations: Object, rules: list[Object] | None = None, **spec: Any) -> Object:
    rule = {"operations": ["*"], "apiGroups": ["apps"], "apiVersions": ["v1"], "resources": ["deployments"]}
    return {"spec": {"validations": list(validations), "matchConstraints": {"resourceRules": rules or [rule]}, **spec}}


def warnings(checked: Object, params: Any = None) -> list[tuple[str, str]]:
    kinds = type_checking.kinds_to_check(checked, lambda *resource: RESOURCES.get(resource))
    known = {kind: type_checking.built_in_type(f"{kind.group}/{kind.version}".lstrip("/"), kind.kind) for kind in kinds}
    return [(found["fieldRef"], found["warning"]) for found in type_checking.check(checked, known, params)]


def rule(group: str, version: str, *resources: str) -> Object:
    return {"apiGroups": [group], "apiVersions": [version], "resources": list(resources)}


@pytest.mark.parametrize(
    ("rules", "kinds"),
    [
        ([rule("apps", "v1", "deployments")], [DEPLOYMENT]),
        ([rule("apps", "v1", "deployments"), rule("", "v1", "pods")], [POD, DEPLOYMENT]),
        ([rule("apps", "v1", "*")], []),
        ([rule("apps", "v1", "deployments/scale", "unknown")], []),
        ([rule("apps", "*", "deployments"), rule("", "v1", "pods", "*/*")], [POD]),
    ],
)
def test_the_kinds_that_rules_name(rules: list[Object], kinds: list[Kind]) -> None:
    assert type_checking.kinds_to_check(policy(rules=rules), lambda *resource: RESOURCES.get(resource)) == kinds


def test_what_fits_is_not_warned_of() -> None:
    right = [
        "object.spec.replicas > 1 && oldObject.metadata.labels['a'] == 'b'",
        "object.spec.template.spec.containers.all(c, c.image.startsWith('x') && c.resources.?limits['cpu'].hasValue())",
        "variables.names.exists(name, name == request.name) && has(object.metadata.creationTimestamp)",
        "object.spec.strategy.rollingUpdate.maxSurge == '25%'",
        "authorizer.group('').resource('pods').check('get').allowed()",
    ]
    names = [{"name": "names", "expression": "object.spec.template.spec.containers.map(c, c.name)"}]
    assert warnings(policy(*({"expression": text, "messageExpression": "object.metadata.name"} for text in right), variables=names)) == []


def test_what_does_not_fit_is_told_where() -> None:
    checked = policy({"expression": "object.replicas > 1"}, {"expression": "object.spec.replicas > '1'", "messageExpression": "object.nam"})
    assert warnings(checked) == [
        (
            "spec.validations[0].expression",
            "apps/v1, Kind=Deployment: ERROR: <input>:1:7: undefined field 'replicas'\n | object.replicas > 1\n | ......^\n",
        ),
        (
            "spec.validations[1].expression",
            "apps/v1, Kind=Deployment: ERROR: <input>:1:22: found no matching overload for '_>_' applied to '(int, string)'\n"
            " | object.spec.replicas > '1'\n | .....................^\n",
        ),
        (
            "spec.validations[1].messageExpression",
            "apps/v1, Kind=Deployment: ERROR: <input>:1:7: undefined field 'nam'\n | object.nam\n | ......^\n",
        ),
    ]


def test_every_kind_is_checked() -> None:
    rules = [rule("apps", "v1", "deployments"), rule("", "v1", "pods")]
    (_, told), *more = warnings(policy({"expression": "object.spec.nodeName == ''"}, rules=rules))
    assert not more
    assert told.startswith("apps/v1, Kind=Deployment: ERROR: <input>:1:12: undefined field 'nodeName'")
    (_, told), *more = warnings(policy({"expression": "object.spec.x == ''"}, rules=rules))
    assert told.startswith("/v1, Kind=Pod: ERROR") and "\n\napps/v1, Kind=Deployment: ERROR" in told


def test_parameters_are_typed_where_their_kind_is_known() -> None:
    checked = policy({"expression": "params.data.x == params.dat.x"}, paramKind={"apiVersion": "v1", "kind": "ConfigMap"})
    assert "undefined field 'dat'" in warnings(checked, type_checking.built_in_type("v1", "ConfigMap"))[0][1]
    assert "undeclared reference to 'params'" in warnings(checked)[0][1]


async def test_the_status_says_what_was_checked(api: Api) -> None:
    rules = {"resourceRules": [{"operations": ["*"], "apiGroups": ["apps"], "apiVersions": ["v1"], "resources": ["deployments"]}]}
    for name, expression in (("right", "object.spec.replicas > 1"), ("wrong", "object.spec.replicsa > 1")):
        spec = {"matchConstraints": rules, "validations": [{"expression": expression}]}
        await api.create(GROUP, "ValidatingAdmissionPolicy", name, spec=spec)
    assert (await observed(api, "right", 1))["typeChecking"] == {}
    (warning,) = (await observed(api, "wrong", 1))["typeChecking"]["expressionWarnings"]
    assert warning["fieldRef"] == "spec.validations[0].expression" and "undefined field 'replicsa'" in warning["warning"]
    await api.client.patch(POLICIES, "wrong", {"spec": {"validations": [{"expression": "object.spec.replicas > 1"}]}})
    assert (await observed(api, "wrong", 2))["typeChecking"] == {}


async def observed(api: Api, name: str, generation: int) -> Object:
    while True:
        status: Object = (await api.get(POLICIES, name)).get("status") or {}
        if status.get("observedGeneration") == generation:
            return status
        await asyncio.sleep(0.001)
