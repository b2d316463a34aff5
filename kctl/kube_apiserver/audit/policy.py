"""An audit.k8s.io/v1 Policy: how closely a request is logged. The first rule that matches decides; without one nothing is logged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kctl.apimachinery import yaml
from kctl.kube_apiserver.authorization.attributes import Attributes

LEVELS = ("None", "Metadata", "Request", "RequestResponse")
STAGES = ("RequestReceived", "ResponseStarted", "ResponseComplete", "Panic")
_VERSION = "audit.k8s.io/v1"
_LISTS = ("users", "userGroups", "verbs", "namespaces", "nonResourceURLs")


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
    """Raises InvalidPolicy."""
    try:
        text = path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidPolicy(f"failed to read file path {str(path)!r}: {getattr(error, 'strerror', None) or error}") from None
    try:
        return parse(yaml.load(text, strict=True))
    except (InvalidPolicy, ValueError) as error:
        raise InvalidPolicy(f"failed to load audit policy file {str(path)!r}: {error}") from None


def parse(policy: Any) -> Policy:
    """Raises InvalidPolicy."""
    if not isinstance(policy, dict) or policy.get("kind") != "Policy" or policy.get("apiVersion") != _VERSION:
        raise InvalidPolicy(f"it must be a Policy of {_VERSION}")
    rules = policy.get("rules")
    if not isinstance(rules, list) or not rules:
        raise InvalidPolicy("loaded illegal policy with 0 rules")
    omitted = _stages(policy.get("omitStages"), "omitStages")
    without_managed_fields = bool(policy.get("omitManagedFields"))
    return Policy([_rule(rule, f"rules[{index}]", omitted, without_managed_fields) for index, rule in enumerate(rules)])


def _stages(value: Any, path: str) -> frozenset[str]:
    stages = _strings(value, path)
    for stage in stages:
        if stage not in STAGES:
            raise InvalidPolicy(f'{path}: Invalid value: "{stage}": allowed stages are {", ".join(STAGES)}')
    return frozenset(stages)


def _strings(value: Any, path: str) -> list[str]:
    values = [] if value is None else value
    if not isinstance(values, list) or not all(isinstance(entry, str) for entry in values):
        raise InvalidPolicy(f"{path}: must be a list of strings")
    return values


def _rule(rule: Any, path: str, omitted: frozenset[str], without_managed_fields: bool) -> Rule:
    if not isinstance(rule, dict):
        raise InvalidPolicy(f"{path}: must be an object")
    unknown = set(rule) - {"level", "omitStages", "omitManagedFields", "resources", *_LISTS}
    if unknown:
        raise InvalidPolicy(f'{path}: unknown field "{min(unknown)}"')
    level = rule.get("level")
    if not level:
        raise InvalidPolicy(f"{path}.level: Required value")
    if level not in LEVELS:
        raise InvalidPolicy(f'{path}.level: Unsupported value: "{level}": supported values: {", ".join(map(repr, LEVELS))}')
    for name in _LISTS:
        _strings(rule.get(name), f"{path}.{name}")
    if rule.get("nonResourceURLs") and (rule.get("resources") or rule.get("namespaces")):
        raise InvalidPolicy(f"{path}.nonResourceURLs: Invalid value: rules cannot apply to both regular resources and non-resource URLs")
    _check_resources(rule.get("resources"), f"{path}.resources")
    omits = omitted | _stages(rule.get("omitStages"), f"{path}.omitStages")
    return Rule(Level(level, omits), rule, bool(rule.get("omitManagedFields", without_managed_fields)))


def _check_resources(resources: Any, path: str) -> None:
    if resources is None:
        return
    if not isinstance(resources, list) or not all(isinstance(entry, dict) for entry in resources):
        raise InvalidPolicy(f"{path}: must be a list of objects")
    for index, entry in enumerate(resources):
        for name in ("resources", "resourceNames"):
            _strings(entry.get(name), f"{path}[{index}].{name}")
        if entry.get("resourceNames") and not entry.get("resources"):
            raise InvalidPolicy(f"{path}[{index}].resourceNames: Invalid value: using resourceNames requires at least one resource")
