"""Validation of what places a pod: affinity, node selectors, tolerations, topology spread constraints."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from kctl.apimachinery import field_errors as fe
from kctl.apimachinery import names
from kctl.apimachinery.field_errors import FieldError
from kctl.kube_apiserver.registry.label_selector_validation import validate_label_name, validate_label_selector, validate_label_value

Object = Mapping[str, Any]
_REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
_PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"
_EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")
_POSITIVE = "must be greater than zero"
_NO_SELECTOR = "must not be specified when labelSelector is not set"
_IN_BOTH = "exists in both matchLabelKeys and labelSelector"


def validate_affinity(affinity: Object | None, path: str) -> list[FieldError]:
    if not affinity:
        return []
    errors: list[FieldError] = []
    node = affinity.get("nodeAffinity")
    if node:
        here = f"{path}.nodeAffinity"
        if node.get(_REQUIRED) is not None:
            errors += validate_node_selector(node[_REQUIRED], f"{here}.{_REQUIRED}")
        for index, term in enumerate(node.get(_PREFERRED) or ()):
            at = f"{here}.{_PREFERRED}[{index}]"
            errors += _weight(term, at)
            errors += _node_term(term.get("preference") or {}, f"{at}.preference", check_values=False)
    for field in ("podAffinity", "podAntiAffinity"):
        if affinity.get(field):
            errors += _pod_affinity(affinity[field], f"{path}.{field}")
    return errors


def _weight(term: Object, path: str) -> list[FieldError]:
    weight = term.get("weight") or 0
    return [] if 0 < weight <= 100 else [fe.invalid(f"{path}.weight", weight, "must be in the range 1-100")]


def validate_node_selector(selector: Object, path: str) -> list[FieldError]:
    """A core/v1 NodeSelector (also of PersistentVolumes)."""
    terms = selector.get("nodeSelectorTerms") or ()
    if not terms:
        return [fe.required(f"{path}.nodeSelectorTerms", "must have at least one node selector term")]
    errors: list[FieldError] = []
    for index, term in enumerate(terms):
        errors += _node_term(term, f"{path}.nodeSelectorTerms[{index}]", check_values=True)
    return errors


def _node_term(term: Object, path: str, *, check_values: bool) -> list[FieldError]:
    errors: list[FieldError] = []
    for index, requirement in enumerate(term.get("matchExpressions") or ()):
        errors += _node_requirement(requirement, f"{path}.matchExpressions[{index}]", check_values)
    for index, requirement in enumerate(term.get("matchFields") or ()):
        errors += _field_requirement(requirement, f"{path}.matchFields[{index}]")
    return errors


def _node_requirement(requirement: Object, path: str, check_values: bool) -> list[FieldError]:
    operator, values = requirement.get("operator") or "", requirement.get("values") or ()
    errors: list[FieldError] = []
    match operator:
        case "In" | "NotIn":
            if not values:
                errors.append(fe.required(f"{path}.values", "must be specified when `operator` is 'In' or 'NotIn'"))
        case "Exists" | "DoesNotExist":
            if values:
                why = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"
                errors.append(fe.forbidden(f"{path}.values", why))
        case "Gt" | "Lt":
            if len(values) != 1:
                why = "must be specified single value when `operator` is 'Lt' or 'Gt'"
                errors.append(fe.required(f"{path}.values", why))
        case _:
            errors.append(fe.invalid(f"{path}.operator", operator, "not a valid selector operator"))
    errors += validate_label_name(requirement.get("key") or "", f"{path}.key")
    if check_values:
        for index, value in enumerate(values):
            errors += validate_label_value(value, f"{path}.values[{index}]")
    return errors


def _field_requirement(requirement: Object, path: str) -> list[FieldError]:
    operator, values = requirement.get("operator") or "", requirement.get("values") or ()
    errors: list[FieldError] = []
    if operator in ("In", "NotIn"):
        if len(values) != 1:
            why = "must be only one value when `operator` is 'In' or 'NotIn' for node field selector"
            errors.append(fe.required(f"{path}.values", why))
    else:
        errors.append(fe.invalid(f"{path}.operator", operator, "not a valid selector operator"))
    key = requirement.get("key") or ""
    if key != "metadata.name":
        return [*errors, fe.invalid(f"{path}.key", key, "not a valid field selector key")]
    for index, value in enumerate(values):
        errors += names.errors(f"{path}.values[{index}]", value, names.dns1123_subdomain)
    return errors


def _pod_affinity(affinity: Object, path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    for index, term in enumerate(affinity.get(_REQUIRED) or ()):
        errors += _pod_term(term, f"{path}.{_REQUIRED}[{index}]")
    for index, weighted in enumerate(affinity.get(_PREFERRED) or ()):
        here = f"{path}.{_PREFERRED}[{index}]"
        errors += _weight(weighted, here)
        errors += _pod_term(weighted.get("podAffinityTerm") or {}, f"{here}.podAffinityTerm")
    return errors


def _pod_term(term: Object, path: str) -> list[FieldError]:
    errors = validate_label_selector(term.get("labelSelector"), f"{path}.labelSelector")
    errors += validate_label_selector(term.get("namespaceSelector"), f"{path}.namespaceSelector")
    for name in term.get("namespaces") or ():
        errors += names.errors(f"{path}.namespace", name, names.dns1123_label)
    errors += _match_label_keys(term, path)
    key = term.get("topologyKey") or ""
    if not key:
        errors.append(fe.required(f"{path}.topologyKey", "can not be empty"))
    return errors + validate_label_name(key, f"{path}.topologyKey")


def _match_label_keys(term: Object, path: str) -> list[FieldError]:
    match, mismatch = term.get("matchLabelKeys") or (), term.get("mismatchLabelKeys") or ()
    selector = term.get("labelSelector")
    errors = _label_keys(match, selector, f"{path}.matchLabelKeys")
    errors += _label_keys(mismatch, selector, f"{path}.mismatchLabelKeys")
    if selector is not None and match:
        index_of = {key: index for index, key in enumerate(match)}
        seen = set(selector.get("matchLabels") or ())
        for expression in selector.get("matchExpressions") or ():
            key = expression.get("key") or ""
            if key in index_of and key in seen:
                errors.append(fe.invalid(f"{path}[{index_of[key]}]", key, _IN_BOTH))
            seen.add(key)
    for index, key in enumerate(match):
        if key in mismatch:
            why = "exists in both matchLabelKeys and mismatchLabelKeys"
            errors.append(fe.invalid(f"{path}.matchLabelKeys[{index}]", key, why))
    return errors


def _label_keys(keys: Sequence[str], selector: Object | None, path: str) -> list[FieldError]:
    if not keys:
        return []
    if selector is None:
        return [fe.forbidden(path, _NO_SELECTOR)]
    return [error for index, key in enumerate(keys) for error in validate_label_name(key, f"{path}[{index}]")]


def validate_tolerations(tolerations: Sequence[Object], path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    for index, toleration in enumerate(tolerations):
        errors += _toleration(toleration, f"{path}[{index}]")
    return errors


def _toleration(toleration: Object, path: str) -> list[FieldError]:
    key, operator = toleration.get("key") or "", toleration.get("operator") or ""
    value, effect = toleration.get("value") or "", toleration.get("effect") or ""
    errors = validate_label_name(key, f"{path}.key") if key else []
    if not key and operator != "Exists":
        why = 'operator must be Exists when `key` is empty, which means "match all values and all keys"'
        errors.append(fe.invalid(f"{path}.operator", operator, why))
    if toleration.get("tolerationSeconds") is not None and effect != "NoExecute":
        why = "effect must be 'NoExecute' when `tolerationSeconds` is set"
        errors.append(fe.invalid(f"{path}.effect", effect, why))
    if operator in ("Equal", ""):
        problems = names.label_value(value)
        if problems:
            errors.append(fe.invalid(f"{path}.operator", value, ";".join(problems)))
    elif operator == "Exists":
        if value:
            why = "value must be empty when `operator` is 'Exists'"
            errors.append(fe.invalid(f"{path}.operator", value, why))
    else:
        errors.append(fe.unsupported(f"{path}.operator", operator, ("Equal", "Exists")))
    if effect and effect not in _EFFECTS:
        errors.append(fe.unsupported(f"{path}.effect", effect, _EFFECTS))
    return errors


def validate_spread(constraints: Sequence[Object], path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    last = {(earlier.get("topologyKey") or "", earlier.get("whenUnsatisfiable") or ""): index for index, earlier in enumerate(constraints)}
    for index, constraint in enumerate(constraints):
        errors += _constraint(constraint, index, last, f"{path}[{index}]")
    return errors


def _constraint(constraint: Object, index: int, last: Mapping[tuple[str, str], int], path: str) -> list[FieldError]:
    """`last`: where each combination that must be unique stands last."""
    skew, key = constraint.get("maxSkew") or 0, constraint.get("topologyKey") or ""
    action = constraint.get("whenUnsatisfiable") or ""
    errors: list[FieldError] = []
    if skew <= 0:
        errors.append(fe.invalid(f"{path}.maxSkew", skew, _POSITIVE))
    if not key:
        errors.append(fe.required(f"{path}.topologyKey", "can not be empty"))
    if action not in ("DoNotSchedule", "ScheduleAnyway"):
        errors.append(fe.unsupported(f"{path}.whenUnsatisfiable", action, ("DoNotSchedule", "ScheduleAnyway")))
    if last[key, action] > index:
        errors.append(fe.duplicate(f"{path}.{{topologyKey, whenUnsatisfiable}}", f"{{{key}, {action}}}"))
    domains = constraint.get("minDomains")
    if domains is not None:
        if domains <= 0:
            errors.append(fe.invalid(f"{path}.minDomains", domains, _POSITIVE))
        if action != "DoNotSchedule":
            why = f"can only use minDomains if whenUnsatisfiable=DoNotSchedule, not {action}"
            errors.append(fe.invalid(f"{path}.minDomains", domains, why))
    for field in ("nodeAffinityPolicy", "nodeTaintsPolicy"):
        policy = constraint.get(field)
        if policy is not None and policy not in ("Honor", "Ignore"):
            errors.append(fe.unsupported(f"{path}.{field}", policy, ("Honor", "Ignore")))
    errors += _spread_keys(constraint, f"{path}.matchLabelKeys")
    return errors + validate_label_selector(constraint.get("labelSelector"), f"{path}.labelSelector")


def _spread_keys(constraint: Object, path: str) -> list[FieldError]:
    keys = constraint.get("matchLabelKeys")
    if not keys:
        return []
    selector = constraint.get("labelSelector")
    errors = [fe.forbidden(path, _NO_SELECTOR)] if selector is None else []
    taken = set((selector or {}).get("matchLabels") or ())
    taken |= {requirement.get("key") for requirement in (selector or {}).get("matchExpressions") or ()}
    for index, key in enumerate(keys):
        errors += validate_label_name(key, f"{path}[{index}]")
        if key in taken:
            errors.append(fe.invalid(f"{path}[{index}]", key, _IN_BOTH))
    return errors
