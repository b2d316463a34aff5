"""FlowSchemas of API priority and fairness."""

from __future__ import annotations

from typing import Any

from kctl.apimachinery import field_errors, names, objects
from kctl.apimachinery.field_errors import FieldError
from kctl.apimachinery.schema.go_form import go_form
from kctl.kube_apiserver.registry.rules.checks import alone
from kctl.kube_apiserver.registry.rules.language import each, field, pointer, struct
from kctl.kube_apiserver.registry.rules.strategy import RuledStrategy

_VERBS = ("create", "delete", "deletecollection", "get", "list", "patch", "proxy", "update", "watch")
_KINDS = {"ServiceAccount": "serviceAccount", "User": "user", "Group": "group"}
_NAMESPACE = "each member of this list must be '*' or a DNS-1123 label; "


def _precedence(value: int, path: str, root: Any) -> list[FieldError]:
    problems = ["must be a positive value"] if value <= 0 else ["must not be greater than 10000"] if value > 10000 else []
    if value == 1 and objects.name(root) != "exempt":
        problems.append("only the schema named 'exempt' may have matchingPrecedence 1")
    return [field_errors.invalid(path, value, problem) for problem in problems]


def _method(method: Any, path: str) -> list[FieldError]:
    if method.get("type") in ("ByNamespace", "ByUser"):
        return []
    shown = go_form("flowcontrol.v1.FlowDistinguisherMethod", method)
    return [field_errors.unsupported(f"{path}.type", shown, ("ByNamespace", "ByUser"))]


def _members(subject: Any, path: str) -> list[FieldError]:
    """Exactly the member that the kind names."""
    kind = subject.get("kind") or ""
    if kind not in _KINDS:
        return []
    if subject.get(_KINDS[kind]) is None:
        errors = [field_errors.required(f"{path}.{_KINDS[kind]}", f"{_KINDS[kind]} is required when subject kind is '{kind}'")]
    else:
        errors = (_SERVICE_ACCOUNT if kind == "ServiceAccount" else _NAMED).errors_at(subject[_KINDS[kind]], f"{path}.{_KINDS[kind]}")
    others = [(other, name) for other, name in _KINDS.items() if other != kind and subject.get(name) is not None]
    return errors + [field_errors.forbidden(f"{path}.{name}", f"{name} is forbidden when subject kind is not '{o}'") for o, name in others]


def _verbs(verbs: list[str], path: str) -> list[FieldError]:
    return [] if "*" in verbs or set(verbs) <= set(_VERBS) else [field_errors.unsupported(path, verbs, _VERBS)]


def _spaces(rule: Any, path: str) -> list[FieldError]:
    spaces, here = rule.get("namespaces") or [], f"{path}.namespaces"
    if not spaces and not rule.get("clusterScope"):
        return [field_errors.required(here, "resource rules that are not cluster scoped must supply at least one namespace")]
    if "*" in spaces:
        return alone("namespaces")(spaces, here)
    problems = [(f"{here}[{index}]", space, why) for index, space in enumerate(spaces) for why in names.dns1123_label(space)]
    return [field_errors.invalid(where, space, _NAMESPACE + why) for where, space, why in problems]


def _url(url: str) -> list[str]:
    wrong = {
        "must not be empty": not url,
        "must start with slash": not url.startswith("/"),
        "must not contain white-space": " " in url,
        "must not contain double slash": "//" in url,
        "wildcard can only do suffix matching": url.count("*") > 1 or ("*" in url and not url.endswith("/*")),
    }
    return [] if url == "/" else [why for why, applies in wrong.items() if applies][:1]


_EACH_URL = each(_url)
_NAMED = struct(field("name", required=True))
_SERVICE_ACCOUNT = struct(
    field("name", lambda name: [] if name == "*" else names.dns1123_subdomain(name), required=True),
    field("namespace", names.dns1123_label, required="must specify namespace for service account"),
)
_SUBJECT = struct(field("kind", enum=("Group", "ServiceAccount", "User")), _members)
_SHARED = field("verbs", alone("verbs"), _verbs, required="verbs must contain at least one value")
_RESOURCE_RULE = struct(
    _SHARED,
    field("apiGroups", alone("api groups"), required="resource rules must supply at least one api group"),
    field("resources", alone("resources"), required="resource rules must supply at least one resource"),
    _spaces,
)
_URL_RULE = struct(
    _SHARED,
    field(
        "nonResourceURLs",
        alone("non-resource URLs"),
        lambda urls, path: [] if "*" in urls else _EACH_URL.errors_at(urls, path),
        required="nonResourceURLs must contain at least one value",
    ),
)


def _some_rules(rule: Any, path: str) -> list[FieldError]:
    why = "at least one of resourceRules and nonResourceRules has to be non-empty"
    return [] if rule.get("resourceRules") or rule.get("nonResourceRules") else [field_errors.required(path, why)]


_RULE = struct(
    field("subjects", each(_SUBJECT), required="subjects must contain at least one value"),
    _some_rules,
    field("resourceRules", each(_RESOURCE_RULE)),
    field("nonResourceRules", each(_URL_RULE)),
)
_SPEC = struct(
    field("matchingPrecedence", _precedence, default=1000, zero=0),
    pointer("distinguisherMethod", _method),
    field(
        "priorityLevelConfiguration",
        struct(field("name", names.dns1123_subdomain, required="must reference a priority level")),
        default={"name": ""},
    ),
    field("rules", each(_RULE)),
)
_CONDITION = struct(field("type", required="must not be empty"))
CONDITIONS = struct(field("status", struct(field("conditions", each(_CONDITION, unique="type", first=True, empty=True)))))


class FlowSchemaStrategy(RuledStrategy):
    rules = struct(field("spec", _SPEC, default={}))
    status_rules = CONDITIONS
    status_keeps_metadata = True


STRATEGY = FlowSchemaStrategy()
