"""An audit.k8s.io/v1 Policy: how closely a request is logged. The first rule that matches decides; without one nothing is logged."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from kctl.apimachinery import names, yaml
from kctl.apimachinery.field_errors import FieldError, aggregate, invalid, required, unsupported
from kctl.apimachinery.go_text import quote
from kctl.kube_apiserver.authorization.attributes import Attributes

_LOG = logging.getLogger(__name__)
LEVELS = ("None", "Metadata", "Request", "RequestResponse")
STAGES = ("RequestReceived", "ResponseStarted", "ResponseComplete", "Panic")
_VERSION = "audit.k8s.io/v1"
_LISTS = ("users", "userGroups", "verbs", "namespaces", "nonResourceURLs")


_OF_POLICY = frozenset({"apiVersion", "kind", "metadata", "rules", "omitStages", "omitManagedFields"})
_OF_RULE = frozenset({"level", "omitStages", "omitManagedFields", "resources", *_LISTS})


class InvalidPolicy(ValueError):
    """What is wrong with a policy file, in one line."""


@dataclass(frozen=True, slots=True)
class Level:
    """`name`: one of LEVELS. `omits`: stages of which nothing is written."""

    name: str
    omits: frozenset[str]

    def at_least(self, name: str) -> bool:
        return LEVELS.index(self.name) >= LEVELS.index(name)


@dataclass(frozen=True, slots=True)
class Rule:
    level: Level
    fields: dict[str, Any]
    omits_managed_fields: bool

    def matches(self, asked: Attributes) -> bool:
        fields, user = self.fields, asked.user
        if fields.get("users") and user.name not in fields["users"]:
            return False
        if fields.get("userGroups") and not any(group in fields["userGroups"] for group in user.groups):
            return False
        if fields.get("verbs") and asked.verb not in fields["verbs"]:
            return False
        if fields.get("namespaces") or fields.get("resources"):
            return asked.is_resource and self._matches_resource(asked)
        if fields.get("nonResourceURLs"):
            return not asked.is_resource and any(_covers(pattern, asked.path) for pattern in fields["nonResourceURLs"])
        return True

    def _matches_resource(self, asked: Attributes) -> bool:
        if self.fields.get("namespaces") and asked.namespace not in self.fields["namespaces"]:
            return False
        wanted = self.fields.get("resources") or ()
        return not wanted or any(_is_one_of(entry, asked) for entry in wanted)


def _is_one_of(entry: dict[str, Any], asked: Attributes) -> bool:
    if (entry.get("group") or "") != asked.group:
        return False
    if not entry.get("resources"):
        return True
    if entry.get("resourceNames") and asked.name not in entry["resourceNames"]:
        return False
    resource, subresource = asked.resource, asked.subresource
    patterns = {"*", f"{resource}/{subresource}" if subresource else resource, f"{resource}/*"}
    if subresource:
        patterns.add(f"*/{subresource}")
    return any(pattern in patterns for pattern in entry["resources"])


def _covers(pattern: str, path: str) -> bool:
    return pattern == "*" or pattern == path or (pattern.endswith("*") and path.startswith(pattern.rstrip("*")))


@dataclass(frozen=True, slots=True)
class Policy:
    rules: Sequence[Rule]

    def rule_for(self, asked: Attributes) -> Rule | None:
        rule = next((rule for rule in self.rules if rule.matches(asked)), None)
        return rule if rule is not None and rule.level.name != "None" else None


def load(path: Path) -> Policy:
    """Raises InvalidPolicy, in upstream's words."""
    try:
        text = path.read_text()
    except OSError as error:
        raise InvalidPolicy(f"failed to read file path {quote(str(path))}: open {path}: {(error.strerror or '').lower()}") from None
    except UnicodeDecodeError as error:
        raise InvalidPolicy(f"failed decoding: {error}: from file {path}") from None
    try:
        return parse(yaml.load(text))
    except InvalidPolicy as error:
        raise InvalidPolicy(f"{error}: from file {path}") from None
    except ValueError as error:
        raise InvalidPolicy(f"failed decoding: {error}: from file {path}") from None


def parse(policy: Any) -> Policy:
    """What upstream's lenient decoder ignores is ignored (unknown fields; they are logged). Raises InvalidPolicy."""
    _check_kind(policy)
    rules = _list(policy, "rules", "Policy.rules", dict)
    errors = [error for index, rule in enumerate(rules) for error in _errors(rule, f"rules[{index}]")]
    if errors:
        raise InvalidPolicy(aggregate(errors))
    if not rules:
        raise InvalidPolicy("loaded illegal policy with 0 rules")
    unknown = [f'"{name}"' for name in policy if name not in _OF_POLICY]
    unknown += [f'"rules[{index}].{name}"' for index, rule in enumerate(rules) for name in rule if name not in _OF_RULE]
    if unknown:
        known = ", ".join(f"unknown field {name}" for name in unknown)
        _LOG.warning("Audit policy contains errors, falling back to lenient decoding: strict decoding error: %s", known)
    omitted = frozenset(_list(policy, "omitStages", "Policy.omitStages", str))
    without_managed_fields = _boolean(policy, "Policy") or False
    return Policy([_rule(rule, omitted, without_managed_fields) for rule in rules])


def _check_kind(policy: Any) -> None:
    if not isinstance(policy, dict):
        shown = "null" if policy is None else _GO_KINDS.get(type(policy), "value")
        raise InvalidPolicy(
            "failed decoding: couldn't get version/kind; json parse error: json: cannot unmarshal "
            f'{shown} into Go value of type struct {{ APIVersion string "json:\\"apiVersion,omitempty\\""; '
            'Kind string "json:\\"kind,omitempty\\"" }'
        )
    shown = orjson.dumps(policy, default=str).decode()
    for name, field in (("Kind", "kind"), ("apiVersion", "apiVersion")):
        if not isinstance(policy.get(field), str) or not policy[field]:
            raise InvalidPolicy(f"failed decoding: Object '{name}' is missing in '{shown}'")
    if policy["apiVersion"] != _VERSION or policy["kind"] != "Policy":
        raise InvalidPolicy(f'failed decoding: no kind "{policy["kind"]}" is registered for version "{policy["apiVersion"]}"')


_GO_KINDS = {str: "string", bool: "bool", int: "number", float: "number", list: "array", dict: "object"}


def _cannot(value: Any, field: str, kind: str) -> InvalidPolicy:
    shown = _GO_KINDS.get(type(value), "value")
    return InvalidPolicy(f"failed decoding: json: cannot unmarshal {shown} into Go struct field {field} of type {kind}")


def _list(holder: dict[str, Any], name: str, field: str, kind: type) -> list[Any]:
    values = holder.get(name)
    go_kind = "string" if kind is str else f"v1.{'GroupResources' if name == 'resources' else 'PolicyRule'}"
    if values is None:
        return []
    if not isinstance(values, list):
        raise _cannot(values, field, f"[]{go_kind}")
    for value in values:
        if not isinstance(value, kind):
            raise _cannot(value, field, go_kind)
    return values


def _boolean(holder: dict[str, Any], of: str) -> bool | None:
    value = holder.get("omitManagedFields")
    if value is not None and not isinstance(value, bool):
        raise _cannot(value, f"{of}.omitManagedFields", "bool")
    return value


def _rule(rule: dict[str, Any], omitted: frozenset[str], without_managed_fields: bool) -> Rule:
    own = _boolean(rule, "PolicyRule")
    return Rule(
        Level(rule["level"], omitted | frozenset(rule.get("omitStages") or ())), rule, without_managed_fields if own is None else own
    )


def _errors(rule: dict[str, Any], path: str) -> list[FieldError]:
    """In upstream's order."""
    for name in (*_LISTS, "omitStages"):
        _list(rule, name, f"PolicyRule.rules.{name}", str)
    resources = _list(rule, "resources", "PolicyRule.rules.resources", dict)
    _boolean(rule, "PolicyRule")
    level, urls = rule.get("level"), rule.get("nonResourceURLs") or []
    errors: list[FieldError] = []
    if level is not None and not isinstance(level, str):
        raise _cannot(level, "PolicyRule.rules.level", "v1.Level")
    if not level:
        errors.append(required(f"{path}.level"))
    elif level not in LEVELS:
        errors.append(unsupported(f"{path}.level", level, LEVELS))
    for index, url in enumerate(urls):
        if url != "*" and not url.startswith("/"):
            errors.append(invalid(f"{path}.nonResourceURLs[{index}]", url, "non-resource URL rules must begin with a '/' character"))
        if url != "*" and "*" in url[:-1]:
            why = "non-resource URL wildcards '*' must be the final character of the rule"
            errors.append(invalid(f"{path}.nonResourceURLs[{index}]", url, why))
    for entry in resources:
        errors += _resource_errors(entry, f"{path}.resources")
    for index, stage in enumerate(rule.get("omitStages") or ()):
        if stage not in STAGES:
            errors.append(invalid(f"{path}.omitStages[{index}]", stage, f"allowed stages are {','.join(STAGES)}"))
    if urls and (resources or rule.get("namespaces")):
        errors.append(invalid(f"{path}.nonResourceURLs", urls, "rules cannot apply to both regular resources and non-resource URLs"))
    return errors


def _resource_errors(entry: dict[str, Any], path: str) -> list[FieldError]:
    names_of = [_list(entry, name, f"GroupResources.rules.resources.{name}", str) for name in ("resources", "resourceNames")]
    group = entry.get("group") or ""
    if not isinstance(group, str):
        raise _cannot(group, "GroupResources.rules.resources.group", "string")
    problems = names.dns1123_subdomain(group) if group else []
    errors = [invalid(f"{path}.group", group, ",".join(problems))] if problems else []
    if names_of[1] and not names_of[0]:
        errors.append(invalid(f"{path}.resourceNames", names_of[1], "using resourceNames requires at least one resource"))
    return errors
