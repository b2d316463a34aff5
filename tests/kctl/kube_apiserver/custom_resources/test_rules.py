"""x-kubernetes-validations: when rules run, what they say, and what a definition is refused for."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from kctl.kube_apiserver.cel.program import PER_CALL_LIMIT, Program
from kctl.kube_apiserver.custom_resources.schema import CustomSchema
from kctl.kube_apiserver.registry.apiextensions.structural_schema import schema_errors
from kctl.kube_apiserver.registry.strategy import Lengthy
from tests.kctl.kube_apiserver.custom_resources.definitions import CRDS, api, definition, spec_schema, version, widget


def schema(*rules: dict[str, Any], **properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": {"spec": {"type": "object", "properties": properties, "x-kubernetes-validations": list(rules)}}}


def said(openapi: dict[str, Any], spec: Any, old: Any = None) -> list[str]:
    rules = CustomSchema("Widget", openapi).rules
    assert rules is not None
    whole = {"metadata": {"name": "w"}, "spec": spec}
    return [str(error) for error in rules(whole, None if old is None else {"metadata": {"name": "w"}, "spec": old}, True)]


INT, TEXT = {"type": "integer"}, {"type": "string"}


def test_messages_reasons_and_paths() -> None:
    rule = {"rule": "self.a > 1"}
    assert said(schema(rule, a=INT), {"a": 1}) == ["spec: Invalid value: failed rule: self.a > 1"]
    assert said(schema({**rule, "message": " too small "}, a=INT), {"a": 1}) == ["spec: Invalid value: too small"]
    made = {**rule, "messageExpression": "'a is ' + string(self.a)", "fieldPath": ".a", "reason": "FieldValueForbidden"}
    assert said(schema(made, a=INT), {"a": 1}) == ["spec.a: Forbidden: a is 1"]
    failing = {**rule, "message": "plain", "messageExpression": "'x' + string(1 / (self.a - 1))"}
    assert said(schema(failing, a=INT), {"a": 1}) == ["spec: Invalid value: plain"]
    assert said(schema({**rule, "reason": "FieldValueRequired"}, a=INT), {"a": 1}) == ["spec: Required value: failed rule: self.a > 1"]


def test_on_the_event_loop_only_what_is_quick() -> None:
    rules = CustomSchema("Widget", schema({"rule": "self.l.all(x, self.l.all(y, x + y >= 0))"}, l={"type": "array", "items": INT})).rules
    assert rules is not None

    def whole(length: int) -> dict[str, Any]:
        return {"metadata": {"name": "w"}, "spec": {"l": [1] * length}}

    with pytest.raises(Lengthy):  # nothing is compiled yet
        rules(whole(1), None, False)
    assert rules(whole(1), None, True) == [] == rules(whole(1), None, False)
    with pytest.raises(Lengthy):
        rules(whole(100), None, False)
    assert rules(whole(100), None, True) == []
    assert [str(error) for error in rules(whole(1000), None, True)] == [
        "spec: Invalid value: 'operation cancelled: actual cost limit exceeded': no further validation rules will be run due to call cost "
        "exceeds limit for rule: self.l.all(x, self.l.all(y, x + y >= 0))"
    ]


async def test_a_costly_rule_is_run_beside_the_event_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    costly = {"rule": "lists.range(100).all(x, lists.range(100).all(y, x + y < 200))", "message": "never"}
    ended: list[bool] = []
    run = Program.run

    def followed(self: Program, variables: Any, limit: int = PER_CALL_LIMIT) -> Any:
        result = run(self, variables, limit)
        ended.append(threading.current_thread() is threading.main_thread())
        return result

    monkeypatch.setattr(Program, "run", followed)
    async with api() as call:
        await call.define(definition(version(schema=schema(costly, {"rule": "self.a > 0"}, a=INT))))
        for name in ("first", "second"):
            assert (await call("POST", call.path(), widget(name, {"a": 1}))).status == 201
            assert ended == [False, False]
            ended.clear()
        patch = await call("PATCH", call.path("first"), {"spec": {"a": 2}}, content_type="application/merge-patch+json")
        assert (patch.status, ended) == (200, [False, False])
        assert (await call("POST", call.path(), widget("third", {"a": 0}))).json()["message"].endswith("failed rule: self.a > 0")


def test_a_rule_that_cannot_be_told_is_an_error_that_says_why() -> None:
    assert said(schema({"rule": "1 / self.a > 0"}, a=INT), {"a": 0}) == [
        "spec: Invalid value: division by zero evaluating rule: 1 / self.a > 0"
    ]
    loose = {"x-kubernetes-int-or-string": True}
    assert said(schema({"rule": "self.a + 1 > 0"}, a=loose), {"a": "x"}) == [
        "spec: Invalid value: 'no such overload': call arguments did not match a supported operator, function or macro signature for rule: "
        "self.a + 1 > 0"
    ]


def test_transition_rules_need_something_to_compare_with() -> None:
    grows = schema({"rule": "self.a >= oldSelf.a", "message": "shrunk"}, a=INT)
    assert said(grows, {"a": 1}) == []
    assert said(grows, {"a": 1}, {"a": 2}) == ["spec: Invalid value: shrunk"]
    optional = {"rule": "!oldSelf.hasValue() || self.a >= oldSelf.value().a", "optionalOldSelf": True, "message": "shrunk"}
    assert said(schema(optional, a=INT), {"a": 1}) == []
    assert said(schema(optional, a=INT), {"a": 1}, {"a": 2}) == ["spec: Invalid value: shrunk"]
    first = {"rule": "oldSelf.hasValue() || self.a == 0", "optionalOldSelf": True, "message": "begin with 0"}
    assert said(schema(first, a=INT), {"a": 1}) == ["spec: Invalid value: begin with 0"]


def test_items_are_compared_by_their_keys() -> None:
    item = {
        "type": "object",
        "properties": {"k": TEXT, "v": INT},
        "x-kubernetes-validations": [{"rule": "self.v >= oldSelf.v", "message": "less"}],
    }
    listed = {"type": "array", "items": item, "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["k"]}
    openapi = spec_schema(l=listed)
    old = {"l": [{"k": "a", "v": 1}, {"k": "b", "v": 5}]}
    assert said(openapi, {"l": [{"k": "b", "v": 4}, {"k": "c", "v": 0}, {"k": "a", "v": 1}]}, old) == ["spec.l[0]: Invalid value: less"]


def test_what_an_update_leaves_alone_is_no_problem_unless_it_compares() -> None:
    openapi = schema({"rule": "self.a > 1"}, a=INT, b=TEXT)
    assert said(openapi, {"a": 0}, {"a": 0}) == []
    assert said(openapi, {"a": 0, "b": "x"}, {"a": 0}) == ["spec: Invalid value: failed rule: self.a > 1"]


def test_values_have_the_types_of_their_schema() -> None:
    properties = {
        "when": {"type": "string", "format": "date-time"},
        "n": {"type": "number"},
        "tags": {"type": "array", "items": TEXT, "x-kubernetes-list-type": "set"},
        "a-b.c/d__e": INT,
        "namespace": TEXT,
        "m": {"type": "object", "additionalProperties": INT},
        "e": {"type": "object", "x-kubernetes-embedded-resource": True, "x-kubernetes-preserve-unknown-fields": True},
    }
    spec = {
        "when": "2020-01-01T00:00:00Z",
        "n": 2,
        "tags": ["b", "a"],
        "a-b.c/d__e": 1,
        "namespace": "x",
        "m": {"any key": 3},
        "e": {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": {}},
    }
    rules = [
        "self.when < timestamp('2021-01-01T00:00:00Z')",
        "self.n / 4.0 == 0.5",
        "self.tags == ['a', 'b'] && self.tags + ['a'] == ['b', 'a']",
        "self.a__dash__b__dot__c__slash__d__underscores__e == 1",
        "self.__namespace__ == 'x'",
        "self.m['any key'] == 3 && self.m.all(k, self.m[k] > 0)",
        "self.e.kind == 'Pod' && self.e.metadata.name == 'p'",
    ]
    openapi = schema(*({"rule": rule} for rule in rules), **properties)
    assert schema_errors(openapi, "s") == []
    assert said(openapi, spec) == []


def test_no_more_rules_are_run_when_the_budget_is_spent() -> None:
    heavy = {"rule": "self.l.all(a, self.l.all(b, a + b >= 0))", "message": "heavy"}
    openapi = schema(heavy, {"rule": "false", "message": "never"}, l={"type": "array", "items": INT})
    assert said(openapi, {"l": list(range(2000))}) == [
        "spec: Invalid value: 'operation cancelled: actual cost limit exceeded': no further validation rules will be run due to call cost "
        "exceeds limit for rule: heavy"
    ]


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ({"rule": ""}, "rule: Required value: rule is not specified"),
        ({"rule": "self.b"}, "undefined field 'b'"),
        ({"rule": "self.a"}, "must evaluate to a bool"),
        ({"rule": "true", "messageExpression": "1"}, "must evaluate to a string"),
        ({"rule": "true", "message": "a\nb"}, 'message: Invalid value: "a\\nb": message must not contain line breaks'),
        ({"rule": "true\n||false"}, "message: Required value: message must be specified if rule contains line breaks"),
        ({"rule": "true", "reason": "Because"}, 'reason: Unsupported value: "Because": supported values: "FieldValueDuplicate", '),
        ({"rule": "true", "fieldPath": ".z"}, "fieldPath must be a valid path: does not refer to a valid field: z"),
        ({"rule": "true", "fieldPath": "a"}, "fieldPath must be a valid path: expected [ or . but got: a"),
        ({"rule": "true", "optionalOldSelf": True}, "may not be set if oldSelf is not used in rule"),
    ],
)
def test_what_a_definition_is_refused_for(rule: dict[str, Any], expected: str) -> None:
    found = [str(error) for error in schema_errors(schema(rule, a=INT), "s")]
    assert len(found) == 1 and expected in found[0], found


def test_old_items_without_keys_cannot_be_compared() -> None:
    item = {"type": "object", "properties": {"v": INT}, "x-kubernetes-validations": [{"rule": "self.v >= oldSelf.v"}]}
    found = [str(error) for error in schema_errors(spec_schema(l={"type": "array", "items": item}), "s")]
    where = "s.properties[spec].properties[l].items"
    why = f"oldSelf cannot be used on the uncorrelatable portion of the schema within {where}"
    assert found == [f'{where}.x-kubernetes-validations[0].rule: Invalid value: "self.v >= oldSelf.v": {why}']


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        ({"type": "string", "pattern": "("}, "must be a valid regular expression, but isn't: error parsing regexp: missing closing ): `(`"),
        ({"type": "array", "items": TEXT, "uniqueItems": True}, "uniqueItems cannot be set to true"),
        ({"type": "object", "additionalProperties": False}, "additionalProperties cannot be set to false"),
        ({"type": "string", "anyOf": [{"type": "string"}]}, "anyOf[0].type: Forbidden: must be empty to be structural"),
        ({"type": "string", "x-kubernetes-list-type": "set"}, "must be array if x-kubernetes-list-type is specified"),
        ({"type": "array", "items": TEXT, "x-kubernetes-list-type": "map"}, "must not be empty if x-kubernetes-list-type is map"),
        ({"type": "integer", "default": "x"}, 'default: Invalid value: "string": default in body must be of type integer: "string"'),
        ({"type": "object", "default": {"a": 1}}, 'default: Invalid value: {"a":1}: must not have unknown fields'),
        ({"type": "object", "x-kubernetes-embedded-resource": True}, "must not be empty if x-kubernetes-embedded-resource is true"),
        ({"$ref": "#/x", "type": "string"}, "$ref: Forbidden: $ref is not supported"),
    ],
)
def test_what_a_schema_may_not_say(part: dict[str, Any], expected: str) -> None:
    found = [str(error) for error in schema_errors(spec_schema(f=part), "s")]
    assert any(expected in error for error in found), found


async def test_rules_over_the_wire() -> None:
    async with api() as call:
        openapi = schema({"rule": "self.a < 3", "message": "too much"}, a=INT)
        await call.define(definition(version(schema=openapi)))
        refused = await call("POST", call.path(), widget(spec={"a": 3}))
        assert refused.json()["message"] == 'Widget.example.com "w" is invalid: spec: Invalid value: too much'
        wrong = definition(version(schema=schema({"rule": "self.b"}, a=INT)), plural="others", kind="Other")
        assert (await call("POST", CRDS, wrong)).status == 422
