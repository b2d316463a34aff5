"""The rules of a schema (x-kubernetes-validations) as far as a definition can be refused for them: what they must say of themselves,
whether they compile against the types of the schema, and whether what they compare can be told apart."""

from __future__ import annotations

import re
from typing import Any

from kctl.apimachinery import field_errors
from kctl.apimachinery.field_errors import FieldError
from kctl.kube_apiserver.custom_resources.structural import Structural

Schema = dict[str, Any]
_REASONS = ("FieldValueRequired", "FieldValueForbidden", "FieldValueInvalid", "FieldValueDuplicate")
_LONGEST_MESSAGE = 2048
_STEP = re.compile(r"\.([a-zA-Z_][a-zA-Z0-9_]*)|\['((?:[^'\\]|\\.)*)'\]|\[\"((?:[^\"\\]|\\.)*)\"\]")


def errors(schema: Schema, path: str) -> list[FieldError]:
    if not _any(schema):
        return []
    found: list[FieldError] = []
    _level(Structural(schema), path, "", True, found)
    return found


def _any(schema: Schema) -> bool:
    if schema.get("x-kubernetes-validations"):
        return True
    parts = [*(schema.get("properties") or {}).values(), schema.get("items"), schema.get("additionalProperties")]
    return any(_any(part) for part in parts if isinstance(part, dict))


def _level(schema: Structural, path: str, loose: str, is_resource: bool, found: list[FieldError]) -> None:
    """`loose`: from where on items of lists have no identity; '' where everything has."""
    if schema.additional is not None:
        atomic = schema.map_type == "atomic"
        where = f"{path}.additionalProperties"
        _level(schema.additional, where, loose or (where if atomic else ""), False, found)
    for name in sorted(schema.properties):
        where = f"{path}.properties[{name}]"
        _level(schema.properties[name], where, loose or (where if schema.map_type == "atomic" else ""), False, found)
    if schema.items is not None:
        where = f"{path}.items"
        _level(schema.items, where, loose or ("" if schema.list_type == "map" else where), False, found)
    rules: list[Schema] = schema.schema.get("x-kubernetes-validations") or []
    before = len(found)
    for index, rule in enumerate(rules):
        found += _said(rule, schema, f"{path}.x-kubernetes-validations[{index}]")
    if len(found) == before:
        for index, rule in enumerate(rules):
            found += _compiled(rule, schema, f"{path}.x-kubernetes-validations[{index}]", loose, is_resource)


def _said(rule: Schema, schema: Structural, path: str) -> list[FieldError]:
    found: list[FieldError] = []
    text, message = (rule.get("rule") or "").strip(), rule.get("message") or ""
    if not text:
        found.append(field_errors.required(f"{path}.rule", "rule is not specified"))
    elif message and not message.strip():
        found.append(field_errors.invalid(f"{path}.message", message, "message must be non-empty if specified"))
    elif len(message) > _LONGEST_MESSAGE:
        why = f"message must have a maximum length of {_LONGEST_MESSAGE} characters"
        found.append(field_errors.invalid(f"{path}.message", f"{message[:10]}...", why))
    elif "\n" in message.strip():
        found.append(field_errors.invalid(f"{path}.message", message, "message must not contain line breaks"))
    elif "\n" in text and not message.strip():
        found.append(field_errors.required(f"{path}.message", "message must be specified if rule contains line breaks"))
    expression = rule.get("messageExpression") or ""
    if expression and not expression.strip():
        found.append(field_errors.required(f"{path}.messageExpression", "messageExpression must be non-empty if specified"))
    if rule.get("reason") and rule["reason"] not in _REASONS:
        found.append(field_errors.unsupported(f"{path}.reason", rule["reason"], sorted(_REASONS)))
    return found + _field_path(rule.get("fieldPath") or "", schema, f"{path}.fieldPath")


def _field_path(given: str, schema: Structural, path: str) -> list[FieldError]:
    if not given:
        return []
    if not given.strip():
        return [field_errors.invalid(path, given, "fieldPath must be non-empty if specified")]
    if "\n" in given:
        return [field_errors.invalid(path, given, "fieldPath must not contain line breaks")]
    position, level = 0, schema
    while position < len(given):
        step = _STEP.match(given, position)
        if step is None:
            why = f"expected [ or . but got: {given[position]}"
            return [field_errors.invalid(path, given, f"fieldPath must be a valid path: {why}")]
        name = next(group for group in step.groups() if group is not None)
        below = level.below(name)
        if below is None:
            why = f"does not refer to a valid field: {name}"
            return [field_errors.invalid(path, given, f"fieldPath must be a valid path: {why}")]
        position, level = step.end(), below
    return []


def _compiled(rule: Schema, schema: Structural, path: str, loose: str, is_resource: bool) -> list[FieldError]:
    from kctl.kube_apiserver.cel import types  # only for definitions that have rules
    from kctl.kube_apiserver.cel.program import CompileError, Program
    from kctl.kube_apiserver.custom_resources import cel_values, rules

    variables = rules.variables_of(rule, cel_values.type_of(schema, is_resource=is_resource))
    found: list[FieldError] = []
    compares = False
    for name, wanted in (("rule", types.BOOL), ("messageExpression", types.STRING)):
        text = rule.get(name) or ""
        if name != "rule" and not text:
            continue
        try:
            program = Program(text, variables, wanted)
        except CompileError as error:
            found.append(field_errors.invalid(f"{path}.{name}", _shown(rule), str(error)))
        else:
            compares = compares or (name == "rule" and "oldSelf" in program.used)
    if rule.get("optionalOldSelf") is not None and not compares and not found:
        why = "may not be set if oldSelf is not used in rule"
        found.append(field_errors.invalid(f"{path}.optionalOldSelf", rule["optionalOldSelf"], why))
    if compares and loose:
        why = f"oldSelf cannot be used on the uncorrelatable portion of the schema within {loose}"
        found.append(field_errors.invalid(f"{path}.rule", rule["rule"], why))
    return found


def _shown(rule: Schema) -> Schema:
    """As the internal type is printed."""
    return {
        "Rule": rule.get("rule") or "",
        "Message": rule.get("message") or "",
        "MessageExpression": rule.get("messageExpression") or "",
        "Reason": rule.get("reason"),
        "FieldPath": rule.get("fieldPath") or "",
        "OptionalOldSelf": rule.get("optionalOldSelf"),
    }
