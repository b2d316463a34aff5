"""x-kubernetes-validations: the rules of a schema, run on an object and on what it was before (upstream's schema/cel Validator).

Rules are compiled when an object is first validated by them. A rule that does not look at the old object is no problem where an update left
its part of the object as it was. All rules together may cost so much for one object; afterwards no more are run.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kctl.apimachinery import field_errors
from kctl.apimachinery.field_errors import FieldError
from kctl.apimachinery.objects import Object
from kctl.kube_apiserver.cel import types
from kctl.kube_apiserver.cel.program import BUDGET, PER_CALL_LIMIT, CompileError, Program
from kctl.kube_apiserver.cel.values import CelError, CostExceeded, Optional
from kctl.kube_apiserver.custom_resources import cel_values, validation
from kctl.kube_apiserver.custom_resources.structural import Schema, Structural
from kctl.kube_apiserver.registry.strategy import Lengthy

LONGEST_MESSAGE = 5 * 1024
QUICK = 2_000
"""The cost of what is evaluated on the event loop: some 20 ms."""
_OUT_OF_BUDGET = "validation failed due to running out of cost budget, no further validation rules will be run"


def of_schema(schema: Structural) -> SchemaRules | None:
    """None where there are none at any level."""
    level = _Level.of(schema, is_resource=True)
    return SchemaRules(level) if level is not None else None


class SchemaRules:
    """All rules of one version of a custom resource."""

    def __init__(self, level: _Level) -> None:
        self._level = level
        self._compiled = False

    def __call__(self, obj: Object, old: Object | None, beside_loop: bool = True) -> list[FieldError]:
        """Raises Lengthy on the event loop: for the first object, and for what costs much."""
        if not beside_loop and not self._compiled:
            raise Lengthy
        walk = _Walk(None if beside_loop else QUICK)
        walk.value(self._level, obj, validation.NEW if old is None else old, "")
        self._compiled = True
        return walk.errors


class _Rule:
    """One rule. `failure` is why it cannot be run."""

    __slots__ = ("compares", "failure", "field_path", "message", "optional", "program", "rule")

    def __init__(self, rule: Schema, self_type: types.Type) -> None:
        self.rule = rule
        self.optional = bool(rule.get("optionalOldSelf"))
        self.field_path: str = (rule.get("fieldPath") or "").removeprefix(".")
        self.program: Program | None = None
        self.message: Program | None = None
        self.failure = ""
        variables = variables_of(rule, self_type)
        try:
            self.program = Program(rule.get("rule") or "", variables, types.BOOL)
            if rule.get("messageExpression"):
                self.message = Program(rule["messageExpression"], variables, types.STRING)
        except CompileError as error:
            self.failure = str(error)
        self.compares = self.program is not None and "oldSelf" in self.program.used

    @property
    def text(self) -> str:
        """As messages name the rule."""
        return (self.rule.get("message") or self.rule.get("rule") or "").strip()

    @property
    def told(self) -> str:
        """What is said where it does not hold and no expression makes the message."""
        return self.text if self.rule.get("message") else f"failed rule: {self.text}"


def variables_of(rule: Schema, self_type: types.Type) -> dict[str, types.Type]:
    old = ("optional", self_type) if rule.get("optionalOldSelf") else self_type
    return {"self": self_type, "oldSelf": old}


class _Level:
    """The rules of one level of a schema, and the levels below that have any."""

    __slots__ = ("_rules", "additional", "is_resource", "items", "properties", "schema")

    def __init__(self, schema: Structural, is_resource: bool) -> None:
        self.schema = schema
        self.is_resource = is_resource
        self._rules: list[_Rule] | None = None
        below = {name: _Level.of(part) for name, part in schema.properties.items()}
        self.properties: Mapping[str, _Level] = {name: level for name, level in below.items() if level is not None}
        self.items = _Level.of(schema.items) if schema.items is not None else None
        self.additional = _Level.of(schema.additional) if schema.additional is not None else None

    @classmethod
    def of(cls, schema: Structural, *, is_resource: bool = False) -> _Level | None:
        made = cls(schema, is_resource)
        any_rule = schema.schema.get("x-kubernetes-validations") or made.properties or made.items or made.additional
        return made if any_rule else None

    @property
    def rules(self) -> list[_Rule]:
        if self._rules is None:
            given = self.schema.schema.get("x-kubernetes-validations") or ()
            kind = cel_values.type_of(self.schema, is_resource=self.is_resource) if given else types.DYN
            self._rules = [_Rule(rule, kind) for rule in given]
        return self._rules


class _Spent(Exception):
    """No more rules are run."""


class _Walk:
    """`quick`: what the rules may cost before it is Lengthy."""

    def __init__(self, quick: int | None) -> None:
        self.errors: list[FieldError] = []
        self._budget = BUDGET
        self._quick = quick

    def value(self, level: _Level, value: Any, old: Any, path: str) -> None:
        try:
            self._value(level, value, old, path)
        except _Spent:
            return

    def _value(self, level: _Level, value: Any, old: Any, path: str) -> None:
        if value is None:
            return
        if level.rules:
            self._run(level, value, old, path)
        if isinstance(value, list):
            self._list(level, value, old, path)
        elif isinstance(value, dict):
            self._map(level, value, old, path)

    def _map(self, level: _Level, value: dict[str, Any], old: Any, path: str) -> None:
        olds = old if isinstance(old, dict) and level.schema.map_type != "atomic" else {}
        if level.additional is not None:
            for key, item in value.items():
                if key not in level.schema.properties:
                    self._value(level.additional, item, olds.get(key, validation.NEW), f"{path}[{key}]")
        for key, below in level.properties.items():
            if key in value:
                self._value(below, value[key], olds.get(key, validation.NEW), f"{path}.{key}" if path else key)

    def _list(self, level: _Level, value: list[Any], old: Any, path: str) -> None:
        if level.items is None:
            return
        known: dict[Any, Any] = {}
        if level.schema.list_type == "map" and isinstance(old, list):
            known = {validation.list_key(item, level.schema.list_keys): item for item in reversed(old)}
        for index, item in enumerate(value):
            was = known.get(validation.list_key(item, level.schema.list_keys), validation.NEW) if known else validation.NEW
            self._value(level.items, item, was, f"{path}[{index}]")

    def _run(self, level: _Level, value: Any, old: Any, path: str) -> None:
        has_old = old is not validation.NEW and old is not None
        before = cel_values.value_of(old, level.schema, is_resource=level.is_resource) if has_old else None
        variables = {"self": cel_values.value_of(value, level.schema, is_resource=level.is_resource), "oldSelf": before}
        optional = {**variables, "oldSelf": Optional(before, present=has_old)}
        unchanged: bool | None = None
        for rule in level.rules:
            if rule.failure:
                self._invalid(path, f"rule compile error: {rule.failure}")
                continue
            if rule.compares and not rule.optional and not has_old:
                continue
            given = optional if rule.optional else variables
            if self._holds(rule, given, path):
                continue
            if not rule.compares:
                if unchanged is None:
                    unchanged = has_old and validation.same(value, old)
                if unchanged:
                    continue
            self._fail(rule, given, path)

    def _holds(self, rule: _Rule, variables: Mapping[str, Any], path: str) -> bool:
        """Also where it could not be told, which is an error of its own."""
        assert rule.program is not None
        try:
            value, cost = self._evaluated(rule.program, variables, PER_CALL_LIMIT)
        except CelError as error:
            self._spend(error.cost, path)
            text = str(error)
            if isinstance(error, CostExceeded):
                self._invalid(
                    path, f"'{text}': no further validation rules will be run due to call cost exceeds limit for rule: {rule.text}"
                )
                raise _Spent from None
            if text.startswith("no such overload"):
                why = f"'{text}': call arguments did not match a supported operator, function or macro signature for rule: {rule.text}"
                self._invalid(path, why)
            else:
                self._invalid(path, f"{text} evaluating rule: {rule.text}")
            return True
        self._spend(cost, path)
        return value is True

    def _evaluated(self, program: Program, variables: Mapping[str, Any], limit: int) -> tuple[Any, int]:
        """Raises CelError, and Lengthy."""
        if self._quick is None:
            return program.run(variables, limit)
        try:
            value, cost = program.run(variables, min(limit, self._quick))
        except CostExceeded:
            if self._quick < limit:
                raise Lengthy from None
            raise
        except CelError as error:
            self._quick -= error.cost + 1
            raise
        self._quick -= cost + 1
        return value, cost

    def _spend(self, cost: int, path: str) -> None:
        if cost > self._budget:
            self._invalid(path, _OUT_OF_BUDGET)
            raise _Spent
        self._budget -= cost

    def _fail(self, rule: _Rule, variables: Mapping[str, Any], path: str) -> None:
        told = rule.told
        if rule.message is not None:
            told = self._message(rule.message, variables, path) or told
        where = f"{path}.{rule.field_path}" if path and rule.field_path and rule.field_path[0] != "[" else f"{path}{rule.field_path}"
        self.errors.append(_error(where or validation.NOWHERE, told, rule.rule.get("reason") or ""))

    def _message(self, program: Program, variables: Mapping[str, Any], path: str) -> str:
        """'' where the expression makes none that can be shown."""
        try:
            value, cost = self._evaluated(program, variables, min(PER_CALL_LIMIT, self._budget))
        except CostExceeded:
            self._invalid(path, "messageExpression evaluation failed due to running out of cost budget")
            raise _Spent from None
        except CelError as error:
            self._budget -= error.cost
            return ""
        self._budget -= cost
        text = value.strip() if isinstance(value, str) else ""
        return text if len(text.encode()) <= LONGEST_MESSAGE and "\n" not in text else ""

    def _invalid(self, path: str, why: str) -> None:
        self.errors.append(_error(path or validation.NOWHERE, why, ""))


def _error(path: str, why: str, reason: str) -> FieldError:
    """Without the value, which may be long."""
    match reason:
        case "FieldValueForbidden":
            return field_errors.forbidden(path, why)
        case "FieldValueRequired":
            return field_errors.required(path, why)
        case "FieldValueDuplicate":
            return FieldError("Duplicate value", path, f"Duplicate value: {why}")
    return FieldError("Invalid value", path, f"Invalid value: {why}")
