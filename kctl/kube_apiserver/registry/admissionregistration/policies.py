"""ValidatingAdmissionPolicies, MutatingAdmissionPolicies and their bindings.

Their expressions must compile; whether they fit the types they are about is for warnings in the status.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from kctl.apimachinery import field_errors, names, objects
from kctl.apimachinery.field_errors import FieldError
from kctl.kube_apiserver.registry.admissionregistration import rules
from kctl.kube_apiserver.registry.label_selector_validation import validate_label_selector
from kctl.kube_apiserver.registry.rules.language import Struct, each, field, optional, pointer, struct, when
from kctl.kube_apiserver.registry.rules.strategy import RuledStrategy

Spec = dict[str, Any]
_ONE_ITEM = "validations or auditAnnotations must contain at least one item"
_MAX_ANNOTATIONS = 20
_REPEATS = (
    "must not contain both Deny and Warn (repeating the same validation failure information in the API response and headers "
    "serves no purpose)"
)


def _compiled(*wanted: str, missing: str = "expression is not specified") -> Callable[[str, str, Any], list[FieldError]]:
    """Of one of these types."""

    def check(text: str, path: str, root: Any) -> list[FieldError]:
        if not text.strip():
            return [field_errors.required(path, missing)]
        return rules.expression_errors(path, text, rules.environment_of(root).compile(text, *wanted))

    return check


def _variable(variable: Spec, path: str, root: Any) -> list[FieldError]:
    text = variable.get("expression") or ""
    if not text.strip():
        return [field_errors.required(f"{path}.expression", "expression is not specified")]
    compiled = rules.environment_of(root).variables[str(variable.get("name") or "")]
    return rules.expression_errors(f"{path}.expression", text, compiled)


def _version(version: str, path: str) -> list[FieldError]:
    if version.count("/") > 1:
        return [field_errors.invalid(path, version, f"unexpected GroupVersion string: {version}")]
    return _group_version(version, path)


def _kind(name: str) -> list[str]:
    problems = names.dns1035_label(name.lower())
    return ["may have mixed case, but should otherwise match: " + ",".join(problems)] if problems else []


def _group_version(text: str, path: str) -> list[FieldError]:
    group, _, version = text.rpartition("/")
    errors: list[FieldError] = []
    if group and names.dns1123_subdomain(group):
        errors.append(field_errors.invalid(path, group, ",".join(names.dns1123_subdomain(group))))
    if not version:
        errors.append(field_errors.invalid(path, text, "version must be specified"))
    elif names.dns1035_label(version):
        errors.append(field_errors.invalid(path, version, ",".join(names.dns1035_label(version))))
    return errors


def _variable_name(name: str, path: str) -> list[FieldError]:
    if not name.strip():
        return [field_errors.required(path, "name is not specified")]
    known = re.fullmatch("[_a-zA-Z][_a-zA-Z0-9]*", name)
    return [] if known else [field_errors.invalid(path, name, "must be a valid CEL identifier")]


def _message_expression(text: str, path: str, root: Any) -> list[FieldError]:
    if not text.strip():
        return [field_errors.invalid(path, text, "must be non-empty if specified")]
    return rules.expression_errors(path, text, rules.environment_of(root).compile(text, "string", authorizer=False))


def _message(message: str) -> list[str]:
    if not message.strip():
        return ["message must be non-empty if specified"]
    return ["message must not contain line breaks"] if "\n" in message.strip() else []


def _annotation_key(key: str, path: str, root: Any) -> list[FieldError]:
    full = f"{objects.name(root)}/{key}" if objects.name(root) else key
    return names.errors(path, full, names.qualified_name)


def _audit_annotations(annotations: list[Spec], path: str) -> list[FieldError]:
    why = f"must not have more than {_MAX_ANNOTATIONS} auditAnnotations"
    return [field_errors.invalid(path, annotations, why)] if len(annotations) > _MAX_ANNOTATIONS else []


def _patch(mutation: Spec, path: str, root: Any) -> list[FieldError]:
    kind = mutation.get("patchType") or ""
    if kind not in _PATCHES:
        return [field_errors.unsupported(f"{path}.patchType", kind, tuple(_PATCHES))] if kind else []
    name = _PATCHES[kind]
    if mutation.get(name) is None:
        return [field_errors.required(f"{path}.{name}", f"must be specified when patchType is {kind}")]
    here, text = f"{path}.{name}.expression", mutation[name].get("expression") or ""
    if not text.strip():
        return [field_errors.required(here, "expression is not specified")]
    return rules.expression_errors(here, text, rules.mutation(rules.environment_of(root), kind, text))


def _something(spec: Spec, path: str) -> list[FieldError]:
    given = spec.get("validations") or spec.get("auditAnnotations")
    return [] if given else [field_errors.required(f"{path}.{name}", _ONE_ITEM) for name in ("validations", "auditAnnotations")]


_PATCHES = {"ApplyConfiguration": "applyConfiguration", "JSONPatch": "jsonPatch"}
_HEAD = (
    pointer("failurePolicy", default="Fail"),
    field("failurePolicy", required=True, enum=rules.FAILURE_POLICIES),
    pointer("paramKind", struct(field("apiVersion", _version, required=True), field("kind", _kind, required=True))),
    pointer("matchConstraints", rules.MATCH_RESOURCES, struct(field("resourceRules", required=True)), required=True),
    rules.MATCH_CONDITIONS,
    field("variables", each(struct(field("name", _variable_name), _variable))),
)
_VALIDATION = struct(
    field("expression", _compiled("bool")),
    optional("messageExpression", _message_expression),
    optional("message", _message),
    pointer("reason", enum=("Forbidden", "Invalid", "RequestEntityTooLarge")),
)
_MUTATION = struct(field("patchType", required=True), _patch)
_ANNOTATION = struct(
    field("key", _annotation_key),
    field("valueExpression", _compiled("string", "null_type", missing="valueExpression is not specified")),
)


class PolicyStrategy(RuledStrategy):
    allow_unconditional_update = False
    rules = struct(
        field(
            "spec",
            struct(
                *_HEAD,
                _something,
                field("validations", each(_VALIDATION)),
                field("auditAnnotations", _audit_annotations, each(_ANNOTATION, unique="key", empty=True), zero=()),
            ),
            default={},
        )
    )


class MutatingPolicyStrategy(RuledStrategy):
    allow_unconditional_update = False
    rules = struct(
        field(
            "spec",
            struct(
                *_HEAD,
                field(
                    "mutations",
                    each(struct(field("patchType", required=True), _patch)),
                    required="mutations must contain at least one item",
                ),
                when(lambda spec: spec.get("mutations"), field("reinvocationPolicy", required=True, enum=("IfNeeded", "Never"))),
            ),
            default={},
        )
    )


def _name_or_selector(reference: Spec, path: str) -> list[FieldError]:
    name, selector = reference.get("name") or "", reference.get("selector")
    errors: list[FieldError] = []
    if name:
        errors += names.errors(f"{path}.name", name, names.path_segment_name)
        if selector is not None:
            errors.append(field_errors.forbidden(f"{path}.name", "name and selector are mutually exclusive"))
    if selector is not None:
        errors += validate_label_selector(selector, f"{path}.selector")
        if name:
            errors.append(field_errors.forbidden(f"{path}.selector", "name and selector are mutually exclusive"))
    elif not name:
        errors.append(field_errors.required(path, "one of name or selector must be specified"))
    return errors


def _exclusive(actions: list[str], path: str) -> list[FieldError]:
    return [field_errors.invalid(path, actions, _REPEATS)] if {"Deny", "Warn"} <= set(actions) else []


def _known_action(action: str, path: str) -> list[FieldError]:
    known = ("Audit", "Deny", "Warn")
    return [] if action in known else [field_errors.unsupported(path, action, known)]


def _binding(*more: Any) -> Struct:
    reference = struct(
        _name_or_selector,
        pointer("parameterNotFoundAction", default="Deny"),
        field("parameterNotFoundAction", required=True, enum=("Deny", "Allow")),
    )
    policy = field("policyName", names.dns1123_subdomain, required=True)
    misspelt = pointer("matchResources", rules.MATCH_RESOURCES, shown="matchResouces")  # spelt so upstream
    return struct(field("spec", struct(policy, pointer("paramRef", reference), misspelt, *more)))


class PolicyBindingStrategy(RuledStrategy):
    allow_unconditional_update = False
    rules = _binding(
        field(
            "validationActions",
            each(_known_action, unique=True),
            _exclusive,
            required="at least one validation action is required",
        )
    )


class MutatingPolicyBindingStrategy(RuledStrategy):
    allow_unconditional_update = False
    rules = _binding()


VALIDATING = PolicyStrategy()
MUTATING = MutatingPolicyStrategy()
VALIDATING_BINDING = PolicyBindingStrategy()
MUTATING_BINDING = MutatingPolicyBindingStrategy()
