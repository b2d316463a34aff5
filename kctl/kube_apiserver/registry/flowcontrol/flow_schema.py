"""FlowSchemas of API priority and fairness."""

from __future__ import annotations

from typing import Any

from kctl.apimachinery import field_errors, names, objects
from kctl.apimachinery.field_errors import FieldError
from kctl.apimachinery.objects import Object
from kctl.apimachinery.schema.go_form import go_form
from kctl.kube_apiserver.registry import field_checks
from kctl.kube_apiserver.registry.strategy import Context, Strategy

_VERBS = ("create", "delete", "deletecollection", "get", "list", "patch", "proxy", "update", "watch")
_KINDS = {"ServiceAccount": "serviceAccount", "User": "user", "Group": "group"}
_MAX_PRECEDENCE = 10000
_NAMESPACE = "each member of this list must be '*' or a DNS-1123 label; "


class FlowSchemaStrategy(Strategy):
    def prepare_for_update(self, context: Context, obj: Object, old: Object) -> None:
        if context.subresource == "status":
            field_checks.keep_metadata(obj, old)

    def default(self, context: Context, obj: Object) -> None:
        spec = obj.setdefault("spec", {})
        spec.setdefault("priorityLevelConfiguration", {"name": ""})
        if not spec.get("matchingPrecedence"):
            spec["matchingPrecedence"] = 1000

    def validate(self, context: Context, obj: Object) -> list[FieldError]:
        spec = objects.spec(obj)
        path, precedence = "spec.matchingPrecedence", spec.get("matchingPrecedence") or 0
        errors: list[FieldError] = []
        if precedence <= 0:
            errors.append(field_errors.invalid(path, precedence, "must be a positive value"))
        if precedence > _MAX_PRECEDENCE:
            errors.append(field_errors.invalid(path, precedence, f"must not be greater than {_MAX_PRECEDENCE}"))
        if precedence == 1 and objects.name(obj) != "exempt":
            why = "only the schema named 'exempt' may have matchingPrecedence 1"
            errors.append(field_errors.invalid(path, precedence, why))
        method = spec.get("distinguisherMethod")
        if method is not None and method.get("type") not in ("ByNamespace", "ByUser"):
            shown = go_form("flowcontrol.v1.FlowDistinguisherMethod", method)
            errors.append(field_errors.unsupported("spec.distinguisherMethod.type", shown, ("ByNamespace", "ByUser")))
        level = (spec.get("priorityLevelConfiguration") or {}).get("name")
        here = "spec.priorityLevelConfiguration.name"
        errors += field_checks.required_name(here, level, names.dns1123_subdomain, "must reference a priority level")
        for index, rule in enumerate(spec.get("rules") or ()):
            errors += _rule(rule, f"spec.rules[{index}]")
        return errors

    def validate_status_update(self, context: Context, obj: Object, old: Object) -> list[FieldError]:
        return condition_errors(obj)


def condition_errors(obj: Object) -> list[FieldError]:
    errors: list[FieldError] = []
    seen: set[str] = set()
    for index, condition in enumerate(objects.status(obj).get("conditions") or ()):
        path, kind = f"status.conditions[{index}].type", condition.get("type") or ""
        if kind in seen:
            errors.append(field_errors.duplicate(path, kind))
        seen.add(kind)
        errors += field_checks.required(path, kind, "must not be empty")
    return errors


def _rule(rule: dict[str, Any], path: str) -> list[FieldError]:
    subjects = rule.get("subjects") or []
    errors = field_checks.required(f"{path}.subjects", subjects, "subjects must contain at least one value")
    for index, subject in enumerate(subjects):
        errors += _subject(subject, f"{path}.subjects[{index}]")
    resources, others = rule.get("resourceRules") or [], rule.get("nonResourceRules") or []
    if not resources and not others:
        why = "at least one of resourceRules and nonResourceRules has to be non-empty"
        errors.append(field_errors.required(path, why))
    for index, entry in enumerate(resources):
        errors += _resource_rule(entry, f"{path}.resourceRules[{index}]")
    for index, entry in enumerate(others):
        here = f"{path}.nonResourceRules[{index}]"
        errors += _verbs(entry, here)
        errors += _urls(entry.get("nonResourceURLs") or [], f"{here}.nonResourceURLs")
    return errors


def _subject(subject: dict[str, Any], path: str) -> list[FieldError]:
    kind = subject.get("kind") or ""
    if kind not in _KINDS:
        return field_checks.enum(f"{path}.kind", kind, tuple(sorted(("Group", "ServiceAccount", "User"))))
    own = _KINDS[kind]
    errors = _named_subject(subject.get(own), f"{path}.{own}", kind)
    for other, field in _KINDS.items():
        if field != own and subject.get(field) is not None:
            why = f"{field} is forbidden when subject kind is not '{other}'"
            errors.append(field_errors.forbidden(f"{path}.{field}", why))
    return errors


def _named_subject(value: dict[str, Any] | None, path: str, kind: str) -> list[FieldError]:
    if value is None:
        return [field_errors.required(path, f"{_KINDS[kind]} is required when subject kind is '{kind}'")]
    name = value.get("name") or ""
    errors = field_checks.required(f"{path}.name", name)
    if kind != "ServiceAccount":
        return errors
    if name and name != "*":
        errors += names.errors(f"{path}.name", name, names.dns1123_subdomain)
    why = "must specify namespace for service account"
    return errors + field_checks.required_name(f"{path}.namespace", value.get("namespace"), names.dns1123_label, why)


def _verbs(rule: dict[str, Any], path: str) -> list[FieldError]:
    verbs, here = rule.get("verbs") or [], f"{path}.verbs"
    if not verbs:
        return [field_errors.required(here, "verbs must contain at least one value")]
    if "*" in verbs:
        return _alone(here, verbs, "verbs")
    return [] if set(verbs) <= set(_VERBS) else [field_errors.unsupported(here, verbs, _VERBS)]


def _alone(path: str, values: list[str], what: str) -> list[FieldError]:
    if len(values) > 1 and "*" in values:
        return [field_errors.invalid(path, values, f"if '*' is present, must not specify other {what}")]
    return []


def _resource_rule(rule: dict[str, Any], path: str) -> list[FieldError]:
    errors = _verbs(rule, path)
    for field, one, many in (("apiGroups", "api group", "api groups"), ("resources", "resource", "resources")):
        values = rule.get(field) or []
        errors += field_checks.required(f"{path}.{field}", values, f"resource rules must supply at least one {one}")
        errors += _alone(f"{path}.{field}", values, many)
    spaces, here = rule.get("namespaces") or [], f"{path}.namespaces"
    if not spaces and not rule.get("clusterScope"):
        why = "resource rules that are not cluster scoped must supply at least one namespace"
        errors.append(field_errors.required(here, why))
    elif "*" in spaces:
        errors += _alone(here, spaces, "namespaces")
    else:
        for index, space in enumerate(spaces):
            problems = names.dns1123_label(space)
            errors += [field_errors.invalid(f"{here}[{index}]", space, _NAMESPACE + problem) for problem in problems]
    return errors


def _urls(urls: list[str], path: str) -> list[FieldError]:
    if not urls:
        return [field_errors.required(path, "nonResourceURLs must contain at least one value")]
    if "*" in urls:
        return _alone(path, urls, "non-resource URLs")
    found = [(index, url, _url_problem(url)) for index, url in enumerate(urls)]
    return [field_errors.invalid(f"{path}[{index}]", url, problem) for index, url, problem in found if problem]


def _url_problem(url: str) -> str:
    if not url:
        return "must not be empty"
    if url == "/":
        return ""
    if not url.startswith("/"):
        return "must start with slash"
    if " " in url:
        return "must not contain white-space"
    if "//" in url:
        return "must not contain double slash"
    if url.count("*") > 1 or ("*" in url and not url.endswith("/*")):
        return "wildcard can only do suffix matching"
    return ""


STRATEGY = FlowSchemaStrategy()
