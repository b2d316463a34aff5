"""MutatingAdmissionPolicies: what they make of objects, in which order, and what happens where they fail."""

from __future__ import annotations

from typing import Any

import pytest

from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import CONFIG_MAPS, DEPLOYMENTS, built_in
from kctl.apimachinery.status import ApiError
from tests.kctl.kube_apiserver.admission.conftest import Api

GROUP = "admissionregistration.k8s.io/v1"
POLICIES = built_in(GROUP, "MutatingAdmissionPolicy")
RULE = {"operations": ["*"], "apiGroups": ["", "apps"], "apiVersions": ["v1"], "resources": ["configmaps", "deployments"]}


def applying(expression: str) -> Object:
    return {"patchType": "ApplyConfiguration", "applyConfiguration": {"expression": expression}}


def patching(expression: str) -> Object:
    return {"patchType": "JSONPatch", "jsonPatch": {"expression": expression}}


async def policy(api: Api, *mutations: Object, name: str = "p", binding: Object | None = None, **spec: Any) -> None:
    body = {"matchConstraints": {"resourceRules": [RULE]}, "reinvocationPolicy": "Never", "mutations": list(mutations), **spec}
    await api.create(GROUP, "MutatingAdmissionPolicy", name, spec=body)
    await api.create(GROUP, "MutatingAdmissionPolicyBinding", f"of-{name}", spec={"policyName": name, **(binding or {})})


async def config_map(api: Api, name: str = "c", **data: str) -> Object:
    return await api.create("v1", "ConfigMap", name, data=data)


async def deployment(api: Api, replicas: int = 1, labels: Object | None = None) -> Object:
    template = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
    spec = {"replicas": replicas, "selector": {"matchLabels": {"a": "b"}}, "template": template}
    return await api.create("apps/v1", "Deployment", "d", metadata={"labels": labels or {}}, spec=spec)


async def refusal(making: Any) -> tuple[int, str, str]:
    with pytest.raises(ApiError) as error:
        await making
    return error.value.http_status, str(error.value.status.get("reason")), str(error.value.status["message"])


async def test_a_configuration_is_merged_into_the_object(api: Api) -> None:
    await policy(api, applying("Object{spec: Object.spec{replicas: object.spec.replicas + 3}}"))
    assert (await deployment(api))["spec"]["replicas"] == 4


async def test_lists_with_keys_are_merged_by_them(api: Api) -> None:
    extra = """Object{spec: Object.spec{template: Object.spec.template{spec: Object.spec.template.spec{
        initContainers: [Object.spec.template.spec.initContainers{name: "proxy", image: "p:1", restartPolicy: "Always"}],
        containers: [Object.spec.template.spec.containers{name: "c", image: "other"}]}}}}"""
    await policy(api, applying(extra))
    spec = (await deployment(api))["spec"]["template"]["spec"]
    assert [(each["name"], each["image"], each["imagePullPolicy"]) for each in spec["initContainers"]] == [("proxy", "p:1", "IfNotPresent")]
    assert [(each["name"], each["image"]) for each in spec["containers"]] == [("c", "other")]


async def test_annotations_from_the_namespace_and_variables(api: Api) -> None:
    made = "Object{metadata: Object.metadata{annotations: {'of': namespaceObject.metadata.name, 'by': variables.who}}}"
    await policy(api, applying(made), variables=[{"name": "who", "expression": "request.userInfo.username"}])
    assert (await deployment(api))["metadata"]["annotations"] == {"of": "default", "by": "kubernetes-admin"}


async def test_what_multiplies_is_no_patch(api: Api) -> None:
    made, last = "", "[1, 1]"
    for number in range(22):
        made += f"cel.bind(v{number}, [{last}, {last}], "
        last = f"v{number}"
    value = made + last + ")" * 22
    await policy(api, patching(f"[JSONPatch{{op: 'add', path: '/data', value: {value}}}]"))
    code, _, message = await refusal(config_map(api, a="1"))
    assert (code, "operation cancelled: actual cost limit exceeded" in message) == (403, True), message


async def test_a_json_patch(api: Api) -> None:
    made = """[
        JSONPatch{op: "test", path: "/data/a", value: "1"},
        JSONPatch{op: "add", path: "/metadata/annotations", value: {}},
        JSONPatch{op: "add", path: "/metadata/annotations/" + jsonpatch.escapeKey("b.c/d"), value: "2"},
        JSONPatch{op: "add", path: "/metadata/labels", value: {"x": "y"}},
        JSONPatch{op: "copy", from: "/data/a", path: "/data/copy"}]"""
    await policy(api, patching(made))
    made_of_it = await config_map(api, a="1")
    assert (made_of_it["data"], made_of_it["metadata"]["labels"]) == ({"a": "1", "copy": "1"}, {"x": "y"})
    assert made_of_it["metadata"]["annotations"] == {"b.c/d": "2"}
    assert (await config_map(api, "other", a="2"))["data"] == {"a": "2"}  # the test fails: nothing is applied


async def test_objects_as_values_of_a_json_patch(api: Api) -> None:
    path = "/spec/template/spec/initContainers"
    value = 'Object.spec.template.spec.initContainers{name: "i", image: "x"}'
    await policy(
        api, patching(f'[JSONPatch{{op: "add", path: "{path}", value: []}}, JSONPatch{{op: "add", path: "{path}/-", value: {value}}}]')
    )
    spec = (await deployment(api))["spec"]["template"]["spec"]
    assert [each["name"] for each in spec["initContainers"]] == ["i"]


async def test_each_sees_what_the_ones_before_it_made(api: Api) -> None:
    await policy(api, patching("[JSONPatch{op: 'add', path: '/data/first', value: 'x'}]"), name="a")
    conditions = [{"name": "first", "expression": "has(object.data.first)"}]
    await policy(api, patching("[JSONPatch{op: 'add', path: '/data/second', value: 'y'}]"), name="b", matchConditions=conditions)
    assert (await config_map(api, z="z"))["data"] == {"z": "z", "first": "x", "second": "y"}


@pytest.mark.parametrize(("reinvoked", "found"), [("Never", {"n": "1"}), ("IfNeeded", {"n": "11"})])
async def test_what_has_changed_is_shown_again_to_those_that_want_it(api: Api, reinvoked: str, found: Object) -> None:
    more = patching("[JSONPatch{op: 'replace', path: '/data/n', value: object.data.n + '1'}]")
    await policy(api, more, name="a", reinvocationPolicy=reinvoked)
    await policy(api, applying("Object{metadata: Object.metadata{labels: {'l': 'm'}}}"), name="b")
    assert (await config_map(api, n=""))["data"] == found


async def test_parameters(api: Api) -> None:
    await config_map(api, "param", value="from the parameter")
    reference = {"paramRef": {"name": "param", "parameterNotFoundAction": "Deny"}}
    made = patching("[JSONPatch{op: 'add', path: '/data/p', value: params.data.value}]")
    await policy(api, made, paramKind={"apiVersion": "v1", "kind": "ConfigMap"}, binding=reference)
    assert (await config_map(api, a="b"))["data"] == {"a": "b", "p": "from the parameter"}
    await api.client.delete(CONFIG_MAPS, "param", "default")
    why = "failed to configure binding: no params found for policy binding with `Deny` parameterNotFoundAction"
    code, reason, message = await refusal(config_map(api, "e", a="b"))
    assert (code, reason, message) == (403, "Forbidden", f"policy 'p' with binding 'of-p' denied request: {why}")


MISSING = "Object{data: {'x': object.data.missing}}"
PLACES = 'unexpected type name "Object.spec", expected "Object.metadata", which matches field name path from root Object type'
FAILURES = [
    (
        patching("[JSONPatch{op: 'replace', path: '/data/no', value: 'x'}]"),
        "JSONPath: replace operation does not apply: doc is missing key: /data/no: missing value",
    ),
    (applying(MISSING), f"expression '{MISSING}' resulted in error: no such key: missing"),
    (applying("Object{metadata: Object.spec{name: 'x'}}"), f"type mismatch: {PLACES}"),
    (
        applying("Object{nonsense: 1}"),
        "error applying patch: failed to convert patch object to typed object: .nonsense: field not declared in schema",
    ),
]


@pytest.mark.parametrize(("made", "why"), FAILURES, ids=["patch", "expression", "names", "fields"])
async def test_what_fails_is_refused_or_ignored(api: Api, made: Object, why: str) -> None:
    await policy(api, made)
    assert await refusal(config_map(api, a="b")) == (403, "Invalid", f"policy 'p' with binding 'of-p' denied request: {why}")
    await api.client.patch(POLICIES, "p", {"spec": {"failurePolicy": "Ignore"}})
    assert (await config_map(api, a="b"))["data"] == {"a": "b"}


async def test_what_is_atomic_is_not_merged(api: Api) -> None:
    selector = "Object{spec: Object.spec{selector: Object.spec.selector{matchLabels: {'x': 'y'}}}}"
    await policy(api, applying(selector))
    why = "error applying patch: invalid ApplyConfiguration: may not mutate atomic arrays, maps or structs: .spec.selector"
    assert (await refusal(deployment(api)))[2] == f"policy 'p' with binding 'of-p' denied request: {why}"


async def test_updates_are_mutated_and_deletions_are_not(api: Api) -> None:
    await deployment(api)
    await policy(api, applying("Object{metadata: Object.metadata{annotations: {'changed-by': request.operation}}}"))
    changed = await api.client.patch(DEPLOYMENTS, "d", {"spec": {"replicas": 2}}, "default")
    assert changed["metadata"]["annotations"]["changed-by"] == "UPDATE"
    await api.client.delete(DEPLOYMENTS, "d", "default")


async def test_what_does_not_compile_is_not_stored(api: Api) -> None:
    with pytest.raises(ApiError) as error:
        await policy(api, applying("Object{spec: nowhere}"), patching("1"))
    causes = [cause["message"] for cause in error.value.status["details"]["causes"]]
    assert any("undeclared reference to 'nowhere' (in container '')" in cause for cause in causes)
    assert any("must evaluate to list(JSONPatch) but got int" in cause for cause in causes)
