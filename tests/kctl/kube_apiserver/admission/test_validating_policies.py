"""ValidatingAdmissionPolicies: what an expression sees, who is bound by it, and what happens where it does not hold."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import CONFIG_MAPS, built_in
from kctl.apimachinery.status import ApiError
from kctl.client.transport import ApiRequest
from tests.kctl.kube_apiserver.admission.conftest import Api

GROUP = "admissionregistration.k8s.io/v1"
POLICIES, BINDINGS = built_in(GROUP, "ValidatingAdmissionPolicy"), built_in(GROUP, "ValidatingAdmissionPolicyBinding")
RULE = {"operations": ["*"], "apiGroups": ["", "apps"], "apiVersions": ["v1"], "resources": ["configmaps", "deployments"]}


async def policy(api: Api, *validations: Object, bound: bool | Object = True, name: str = "p", **spec: Any) -> None:
    body = {"matchConstraints": {"resourceRules": [RULE]}, **spec}
    if validations:
        body["validations"] = list(validations)
    await api.create(GROUP, "ValidatingAdmissionPolicy", name, spec=body)
    if bound:
        own = bound if isinstance(bound, dict) else {}
        spec_of_binding = {"policyName": name, "validationActions": ["Deny"], **own}
        await api.create(GROUP, "ValidatingAdmissionPolicyBinding", "b", spec=spec_of_binding)


async def config_map(api: Api, name: str = "c", namespace: str = "default", **data: str) -> Object:
    return await api.create("v1", "ConfigMap", name, namespace, data=data)


async def refusal(making: Any) -> tuple[int, str, str]:
    with pytest.raises(ApiError) as error:
        await making
    return error.value.http_status, str(error.value.status.get("reason")), str(error.value.status["message"])


def denied(why: str, name: str = "c") -> str:
    return f"configmaps \"{name}\" is forbidden: ValidatingAdmissionPolicy 'p' with binding 'b' denied request: {why}"


async def test_what_does_not_hold_is_refused(api: Api) -> None:
    await policy(api, {"expression": "!has(object.data) || object.data.all(k, k != 'bad')"})
    await config_map(api, good="x")
    code, reason, message = await refusal(config_map(api, "d", bad="x"))
    assert (code, reason) == (422, "Invalid")
    assert message == denied("failed expression: !has(object.data) || object.data.all(k, k != 'bad')", "d")


async def test_a_deployment_of_too_many_replicas(api: Api) -> None:
    await policy(
        api,
        {"expression": "object.spec.replicas > 1"},
        {
            "expression": "object.spec.replicas <= variables.most",
            "messageExpression": "'no more than ' + string(variables.most) + ' replicas'",
            "message": "too many",
            "reason": "Forbidden",
        },
        variables=[{"name": "most", "expression": "int(object.metadata.labels['most'])"}],
        matchConstraints={"resourceRules": [{**RULE, "resources": ["deployments"], "apiGroups": ["apps"]}]},
    )

    async def deployment(replicas: int, **labels: str) -> Object:
        template = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
        spec = {"replicas": replicas, "selector": {"matchLabels": {"a": "b"}}, "template": template}
        return await api.create("apps/v1", "Deployment", "d", metadata={"labels": labels}, spec=spec)

    prefix = "deployments.apps \"d\" is forbidden: ValidatingAdmissionPolicy 'p' with binding 'b' denied request: "
    assert await refusal(deployment(1, most="3")) == (422, "Invalid", prefix + "failed expression: object.spec.replicas > 1")
    assert await refusal(deployment(5, most="3")) == (403, "Forbidden", prefix + "no more than 3 replicas")
    expression = "object.spec.replicas <= variables.most"
    why = f"expression '{expression}' resulted in error: composited variable \"most\" fails to evaluate: no such key: most"
    assert (await refusal(deployment(5, x="3")))[2] == prefix + why
    await deployment(2, most="3")


SEEN = [
    "request.operation == 'CREATE' && request.name == 'c' && request.namespace == 'default'",
    "request.kind.kind == 'ConfigMap' && request.resource.resource == 'configmaps' && request.resource.group == ''",
    "request.userInfo.username == 'kubernetes-admin' && 'system:masters' in request.userInfo.groups",
    "oldObject == null && object.metadata.name == 'c' && object.kind == 'ConfigMap'",
    "namespaceObject.metadata.name == 'default'",
    "request.dryRun == false",
    "!has(object.metadata.annotations)",
    "params == null",
]


@pytest.mark.parametrize("expression", SEEN)
async def test_what_an_expression_sees(api: Api, expression: str) -> None:
    await policy(api, {"expression": expression}, paramKind={"apiVersion": "v1", "kind": "ConfigMap"})
    await config_map(api)


async def test_updates_and_deletions(api: Api) -> None:
    await config_map(api, a="1")
    await policy(api, {"expression": "request.operation != 'UPDATE' || object.data.a == oldObject.data.a", "message": "stays"})
    assert (await refusal(api.client.patch(CONFIG_MAPS, "c", {"data": {"a": "2"}}, "default")))[2] == denied("stays")
    await api.client.patch(CONFIG_MAPS, "c", {"data": {"b": "2"}}, "default")
    update = {"spec": {"validations": [{"expression": "object != null", "message": "never deleted"}]}}
    await api.client.patch(POLICIES, "p", update)
    assert (await refusal(api.client.delete(CONFIG_MAPS, "c", "default")))[2] == denied("never deleted")


async def test_an_expression_that_fails_is_as_the_policy_says(api: Api) -> None:
    await policy(api, {"expression": "object.data.missing == 'x'"}, failurePolicy="Fail")
    why = "expression 'object.data.missing == 'x'' resulted in error: no such key: missing"
    assert (await refusal(config_map(api, a="b")))[2] == denied(why)
    await api.client.patch(POLICIES, "p", {"spec": {"failurePolicy": "Ignore"}})
    await config_map(api, a="b")


@pytest.mark.parametrize(("actions", "refused", "warned"), [(["Deny"], True, False), (["Warn"], False, True), (["Audit"], False, False)])
async def test_validation_actions(api: Api, actions: list[str], refused: bool, warned: bool) -> None:
    await policy(api, {"expression": "false", "message": "no"}, bound={"validationActions": actions})
    request = ApiRequest("create", CONFIG_MAPS, "default", body={"metadata": {"name": "c"}})
    if refused:
        with pytest.raises(ApiError):
            await api.client.transport.request(request)
    else:
        text = "Validation failed for ValidatingAdmissionPolicy 'p' with binding 'b': no"
        assert list((await api.client.transport.request(request)).warnings) == ([text] if warned else [])


async def test_without_a_binding_a_policy_does_nothing_and_changes_count_at_once(api: Api) -> None:
    await policy(api, {"expression": "false"}, bound=False)
    await config_map(api, "a")
    await api.create(GROUP, "ValidatingAdmissionPolicyBinding", "b", spec={"policyName": "p", "validationActions": ["Deny"]})
    await refusal(config_map(api))
    await api.client.delete(BINDINGS, "b")
    await config_map(api)


async def test_who_is_bound(api: Api) -> None:
    await api.namespace("free", team="a")
    selector = {"namespaceSelector": {"matchExpressions": [{"key": "team", "operator": "DoesNotExist"}]}}
    excluded = {"excludeResourceRules": [{**RULE, "resourceNames": ["excused"]}]}
    await policy(api, {"expression": "false"}, bound={"matchResources": {**selector, **excluded}})
    await config_map(api, namespace="free")
    await config_map(api, "excused")
    await refusal(config_map(api))


async def test_match_conditions(api: Api) -> None:
    conditions = [{"name": "named", "expression": "object.metadata.name != 'skip-me'"}]
    await policy(api, {"expression": "false"}, matchConditions=conditions)
    await config_map(api, "skip-me")
    await refusal(config_map(api))
    await api.client.patch(POLICIES, "p", {"spec": {"matchConditions": [{"name": "named", "expression": "object.data.x == 'y'"}]}})
    why = "expression 'object.data.x == 'y'' resulted in error: no such key: data"
    assert (await refusal(api.create("v1", "ConfigMap", "d")))[2] == denied(why, "d")


PARAM = {
    "paramKind": {"apiVersion": "v1", "kind": "ConfigMap"},
    "matchConditions": [{"name": "n", "expression": "!has(object.metadata.labels)"}],
}


async def param(api: Api, name: str, most: str, namespace: str = "default") -> None:
    await api.create("v1", "ConfigMap", name, namespace, metadata={"labels": {"use": "it"}}, data={"most": most})


async def test_parameters_by_name_and_by_selector(api: Api) -> None:
    await param(api, "one", "1")
    await param(api, "three", "3")
    check = {"expression": "size(object.data) <= int(params.data.most)", "messageExpression": "'at most ' + params.data.most"}
    await policy(api, check, bound={"paramRef": {"name": "three", "parameterNotFoundAction": "Deny"}}, **PARAM)
    await config_map(api, "a", x="1", y="2")
    assert (await refusal(config_map(api, a="1", b="2", c="3", d="4")))[2] == denied("at most 3")
    await api.client.patch(BINDINGS, "b", {"spec": {"paramRef": {"name": None, "selector": {"matchLabels": {"use": "it"}}}}})
    assert (await refusal(config_map(api, x="1", y="2")))[2] == denied("at most 1")


async def test_parameters_that_are_not_there(api: Api) -> None:
    reference = {"name": "none", "namespace": "default", "parameterNotFoundAction": "Deny"}
    await policy(api, {"expression": "params.data.x == 'y'"}, bound={"paramRef": reference}, **PARAM)
    why = "failed to configure binding: no params found for policy binding with `Deny` parameterNotFoundAction"
    assert (await refusal(config_map(api)))[2] == denied(why)
    await api.client.patch(BINDINGS, "b", {"spec": {"paramRef": {**reference, "parameterNotFoundAction": "Allow"}}})
    await config_map(api)


async def test_what_costs_too_much_is_refused(api: Api) -> None:
    nested = "object.data.all(a, object.data.all(b, object.data.all(c, object.data.all(d, a + b + c + d != 'x'))))"
    await policy(api, {"expression": nested})
    making = asyncio.create_task(refusal(config_map(api, **{f"k{number}": "v" for number in range(60)})))
    turns = 0
    while not making.done():
        await asyncio.sleep(0.001)
        turns += 1
    code, _, message = making.result()
    assert code == 422 and message.endswith("resulted in error: operation cancelled: actual cost limit exceeded")
    assert turns > 10  # it is found out beside the event loop


async def test_policies_are_not_about_themselves(api: Api) -> None:
    rule = {"operations": ["*"], "apiGroups": ["*"], "apiVersions": ["*"], "resources": ["*"]}
    await policy(api, {"expression": "false"}, matchConstraints={"resourceRules": [rule]})
    await refusal(config_map(api))
    await api.client.delete(BINDINGS, "b")
    await config_map(api)


@pytest.mark.parametrize(
    ("expression", "holds"),
    [
        ("authorizer.group('').resource('configmaps').namespace('default').check('create').allowed()", True),
        ("authorizer.requestResource.check('delete').allowed()", True),
        ("authorizer.path('/healthz').check('get').allowed()", True),
        ("authorizer.serviceAccount('default', 'nobody').path('/healthz').check('post').allowed()", False),
        ("authorizer.group('apps').resource('deployments').subresource('scale').name('x').check('get').reason() != ''", False),
    ],
)
async def test_what_somebody_may_do(api: Api, expression: str, holds: bool) -> None:
    await policy(api, {"expression": expression, "message": "may not"})
    if holds:
        await config_map(api)
    else:
        assert (await refusal(config_map(api)))[2] == denied("may not")


async def test_what_the_authorizer_may_not_be_asked(api: Api) -> None:
    await policy(api, {"expression": "authorizer.path(' ').check('get').allowed()"})
    assert (await refusal(config_map(api)))[2].endswith("resulted in error: path must not be empty")


async def test_what_a_service_account_may_do(api: Api) -> None:
    allowed = (
        "authorizer.serviceAccount('default', 'reader').group('').resource('configmaps').namespace('default').check('create').allowed()"
    )
    await policy(api, {"expression": allowed})
    await refusal(config_map(api))
    rules = [{"verbs": ["create"], "apiGroups": [""], "resources": ["configmaps"]}]
    await api.create("rbac.authorization.k8s.io/v1", "Role", "r", rules=rules)
    subjects = [{"kind": "ServiceAccount", "name": "reader", "namespace": "default"}]
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "r"}
    await api.create("rbac.authorization.k8s.io/v1", "RoleBinding", "r", subjects=subjects, roleRef=role)
    await config_map(api)
