"""Whether PolicyRules allow a request (upstream's RuleAllows). `*` is everything; the resources `*/scale` are all of that name.

Rules are taken apart once into tuples, since a decision looks at many of them.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

Rule = dict[str, Any]
"""A v1 PolicyRule: verbs, and either apiGroups, resources, resourceNames or nonResourceURLs."""
ALL = "*"


class Matcher(NamedTuple):
    """The fields of a rule; `names` empty means any."""

    verbs: tuple[str, ...]
    groups: tuple[str, ...]
    resources: tuple[str, ...]
    names: tuple[str, ...]
    urls: tuple[str, ...]


def matchers(rules: Iterable[Rule]) -> tuple[Matcher, ...]:
    fields = ("verbs", "apiGroups", "resources", "resourceNames", "nonResourceURLs")
    return tuple(Matcher(*(tuple(rule.get(field) or ()) for field in fields)) for rule in rules)


def concerned(rules: Iterable[Matcher], verb: str, group: str, resource: str, subresource: str) -> Iterable[Matcher]:
    """Those that allow this to some object at least. `resource` pods, `subresource` log ('' for the object itself)."""
    combined = f"{resource}/{subresource}" if subresource else resource
    every = f"*/{subresource}" if subresource else ALL
    for rule in rules:
        verbs, groups, resources, _, _ = rule
        if (
            (verb in verbs or ALL in verbs)
            and (group in groups or ALL in groups)
            and (ALL in resources or combined in resources or every in resources)
        ):
            yield rule


def any_object(rules: Iterable[Matcher], verb: str, group: str, resource: str, subresource: str) -> bool:
    """Whether they allow this to all objects, whatever their names."""
    combined = f"{resource}/{subresource}" if subresource else resource
    every = f"*/{subresource}" if subresource else ALL
    for verbs, groups, resources, names, _ in rules:
        if (
            not names
            and (verb in verbs or ALL in verbs)
            and (group in groups or ALL in groups)
            and (ALL in resources or combined in resources or every in resources)
        ):
            return True
    return False


def one_object(rules: Iterable[Matcher], verb: str, group: str, resource: str, subresource: str, name: str) -> bool:
    return any(not rule.names or name in rule.names for rule in concerned(rules, verb, group, resource, subresource))


def path_covers(pattern: str, path: str) -> bool:
    """`pattern` is a path, or with an asterisk at its end all that begin so."""
    return pattern == path or (pattern.endswith(ALL) and path.startswith(pattern.rstrip(ALL)))


def one_path(rules: Iterable[Matcher], verb: str, path: str) -> bool:
    return any((verb in rule.verbs or ALL in rule.verbs) and any(path_covers(url, path) for url in rule.urls) for rule in rules)
