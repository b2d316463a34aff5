"""ValidatingAdmissionPolicies, MutatingAdmissionPolicies and their bindings.

Expressions are compiled as far as expressions.py does.
"""

from __future__ import annotations

import re
from typing import Any

from kctl.apimachinery import field_errors, names, objects
from kctl.apimachinery.field_errors import FieldError
from kctl.apimachinery.objects import Object
from kctl.kube_apiserver.registry import field_checks
from kctl.kube_apiserver.registry.admissionregistration import expressions, rules
from kctl.kube_apiserver.registry.label_selector_validation import validate_label_selector
from kctl.kube_apiserver.registry.strategy import Context, Strategy

Spec = dict[str, Any]
_REASONS = ("Forbidden", "Invalid", "RequestEntityTooLarge")
_RESULTS = {"ApplyConfiguration": "Object", "JSONPatch": "list(JSONPatch)"}
_ACTIONS = ("Audit", "Deny", "Warn")
_ONE_ITEM = "validations or auditAnnotations must contain at least one item"
_MAX_ANNOTATIONS = 20
_REPEATS = (
    "must not contain both Deny and Warn (repeating the same validation failure information in the API response and headers "
    "serves no purpose)"
)


class PolicyStrategy(Strategy):
    allow_unconditional_update = False

    def default(self, context: Context, obj: Object) -> None:
        spec = obj.setdefault("spec", {})
        if spec.get("failurePolicy") is None:
            spec["failurePolicy"] = "Fail"
        rules.default_match_resources(spec.get("matchConstraints"))

    def validate(self, context: Context, obj: Object) -> list[FieldError]:
        spec = objects.spec(obj)
        errors = field_checks.required_enum("spec.failurePolicy", spec.get("failurePolicy"), rules.FAILURE_POLICIES)
        if spec.get("paramKind") is not None:
            errors += _param_kind(spec["paramKind"], "spec.paramKind")
        constraints, path = spec.get("matchConstraints"), "spec.matchConstraints"
        if constraints is None:
            errors.append(field_errors.required(path))
        else:
            errors += rules.match_resources_errors(constraints, path)
            errors += field_checks.required(f"{path}.resourceRules", constraints.get("resourceRules"))
        errors += rules.match_condition_errors(spec.get("matchConditions"), "spec.matchConditions", _declared(spec))
        for index, variable in enumerate(spec.get("variables") or ()):
            errors += _variable(variable, f"spec.variables[{index}]", _declared(spec))
        return errors + self.body(obj, spec)

    def body(self, obj: Object, spec: Spec) -> list[FieldError]:
        validations, annotations = spec.get("validations") or [], spec.get("auditAnnotations") or []
        if not validations and not annotations:
            return [field_errors.required(f"spec.{name}", _ONE_ITEM) for name in ("validations", "auditAnnotations")]
        errors: list[FieldError] = []
        for index, validation in enumerate(validations):
            errors += _validation(validation, f"spec.validations[{index}]", _declared(spec))
        return errors + _audit_annotations(annotations, objects.name(obj), _declared(spec))


class MutatingPolicyStrategy(PolicyStrategy):
    def body(self, obj: Object, spec: Spec) -> list[FieldError]:
        mutations = spec.get("mutations") or []
        if not mutations:
            why = "mutations must contain at least one item"
            return [field_errors.required("spec.mutations", why)]
        errors: list[FieldError] = []
        for index, mutation in enumerate(mutations):
            path, kind = f"spec.mutations[{index}]", mutation.get("patchType")
            if not kind:
                errors.append(field_errors.required(f"{path}.patchType"))
                continue
            field = {"ApplyConfiguration": "applyConfiguration", "JSONPatch": "jsonPatch"}.get(kind)
            if field is None:
                errors += field_checks.enum(f"{path}.patchType", kind, ("ApplyConfiguration", "JSONPatch"))
            elif mutation.get(field) is None:
                errors.append(field_errors.required(f"{path}.{field}", f"must be specified when patchType is {kind}"))
            else:
                expression, why = mutation[field].get("expression") or "", "expression is not specified"
                where = f"{path}.{field}.expression"
                errors += _compiled(where, expression, _declared(spec), _RESULTS[kind], why)
        policy = spec.get("reinvocationPolicy")
        errors += field_checks.required_enum("spec.reinvocationPolicy", policy, ("IfNeeded", "Never"))
        return errors


def _declared(spec: Spec) -> tuple[str, ...]:
    """The names a policy's expressions may use."""
    params = ("params",) if spec.get("paramKind") is not None else ()
    return (*rules.VARIABLES, *params, *(("variables",) if spec.get("variables") else ()))


def _compiled(path: str, text: str, declared: tuple[str, ...], wanted: str, missing: str) -> list[FieldError]:
    if not text.strip():
        return [field_errors.required(path, missing)]
    return rules.expression_errors(path, text, declared, wanted)


def _param_kind(kind: Spec, path: str) -> list[FieldError]:
    version, errors = kind.get("apiVersion") or "", []
    if not version:
        errors.append(field_errors.required(f"{path}.apiVersion"))
    elif version.count("/") > 1:
        why = f"unexpected GroupVersion string: {version}"
        errors.append(field_errors.invalid(f"{path}.apiVersion", version, why))
    else:
        errors += _group_version(version, f"{path}.apiVersion")
    name = kind.get("kind") or ""
    if not name:
        return [*errors, field_errors.required(f"{path}.kind")]
    problems = names.dns1035_label(name.lower())
    if problems:
        why = "may have mixed case, but should otherwise match: " + ",".join(problems)
        errors.append(field_errors.invalid(f"{path}.kind", name, why))
    return errors


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


def _variable(variable: Spec, path: str, declared: tuple[str, ...]) -> list[FieldError]:
    name, expression = variable.get("name") or "", variable.get("expression") or ""
    errors: list[FieldError] = []
    if not name.strip():
        errors.append(field_errors.required(f"{path}.name", "name is not specified"))
    elif not re.fullmatch("[_a-zA-Z][_a-zA-Z0-9]*", name):
        errors.append(field_errors.invalid(f"{path}.name", name, "must be a valid CEL identifier"))
    where = f"{path}.expression"
    return errors + _compiled(where, expression, declared, expressions.DYN, "expression is not specified")


def _validation(validation: Spec, path: str, declared: tuple[str, ...]) -> list[FieldError]:
    expression, why = validation.get("expression") or "", "expression is not specified"
    errors = _compiled(f"{path}.expression", expression, declared, expressions.BOOL, why)
    text = validation.get("messageExpression") or ""
    if text and not text.strip():
        errors.append(field_errors.invalid(f"{path}.messageExpression", text, "must be non-empty if specified"))
    elif text:
        names_in_message = [name for name in declared if name != "authorizer"]
        errors += rules.expression_errors(f"{path}.messageExpression", text, names_in_message, expressions.STRING)
    message = validation.get("message") or ""
    if message and not message.strip():
        errors.append(field_errors.invalid(f"{path}.message", message, "message must be non-empty if specified"))
    elif "\n" in message.strip():
        errors.append(field_errors.invalid(f"{path}.message", message, "message must not contain line breaks"))
    if validation.get("reason") is not None:
        errors += field_checks.enum(f"{path}.reason", validation["reason"], _REASONS)
    return errors


def _audit_annotations(annotations: list[Spec], policy: str, declared: tuple[str, ...]) -> list[FieldError]:
    path, errors = "spec.auditAnnotations", []
    if len(annotations) > _MAX_ANNOTATIONS:
        why = f"must not have more than {_MAX_ANNOTATIONS} auditAnnotations"
        errors.append(field_errors.invalid(path, annotations, why))
    seen: set[str] = set()
    for index, annotation in enumerate(annotations):
        here, key = f"{path}[{index}]", annotation.get("key") or ""
        problems = names.qualified_name(f"{policy}/{key}" if policy else key)
        errors += [field_errors.invalid(f"{here}.key", f"{policy}/{key}" if policy else key, why) for why in problems]
        text, why = annotation.get("valueExpression") or "", "valueExpression is not specified"
        errors += _compiled(f"{here}.valueExpression", text, declared, expressions.STRING, why)
        if key in seen:
            errors.append(field_errors.duplicate(f"{here}.key", key))
        seen.add(key)
    return errors


class PolicyBindingStrategy(Strategy):
    allow_unconditional_update = False
    has_actions = True

    def default(self, context: Context, obj: Object) -> None:
        rules.default_match_resources(objects.spec(obj).get("matchResources"))
        reference = objects.spec(obj).get("paramRef")
        if reference is not None and reference.get("parameterNotFoundAction") is None:
            reference["parameterNotFoundAction"] = "Deny"

    def validate(self, context: Context, obj: Object) -> list[FieldError]:
        spec = objects.spec(obj)
        errors = field_checks.required_name("spec.policyName", spec.get("policyName"), names.dns1123_subdomain)
        if spec.get("paramRef") is not None:
            errors += _param_ref(spec["paramRef"], "spec.paramRef")
        errors += rules.match_resources_errors(spec.get("matchResources"), "spec.matchResouces")  # spelt so upstream
        return errors + (_actions(spec.get("validationActions") or []) if self.has_actions else [])


class MutatingPolicyBindingStrategy(PolicyBindingStrategy):
    has_actions = False


def _param_ref(reference: Spec, path: str) -> list[FieldError]:
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
    action = reference.get("parameterNotFoundAction")
    if action not in ("Allow", "Deny"):
        choices = ("Deny", "Allow")
        errors.append(
            field_errors.unsupported(f"{path}.parameterNotFoundAction", action, choices)
            if action
            else field_errors.required(f"{path}.parameterNotFoundAction")
        )
    return errors


def _actions(actions: list[str]) -> list[FieldError]:
    path = "spec.validationActions"
    errors: list[FieldError] = []
    for index, action in enumerate(actions):
        errors += field_checks.enum(f"{path}[{index}]", action, _ACTIONS)
        if action in actions[:index]:
            errors.append(field_errors.duplicate(f"{path}[{index}]", action))
    if {"Deny", "Warn"} <= set(actions):
        errors.append(field_errors.invalid(path, actions, _REPEATS))
    return errors + field_checks.required(path, actions, "at least one validation action is required")


VALIDATING = PolicyStrategy()
MUTATING = MutatingPolicyStrategy()
VALIDATING_BINDING = PolicyBindingStrategy()
MUTATING_BINDING = MutatingPolicyBindingStrategy()
