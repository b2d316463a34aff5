"""Whether some rules give all that other rules would give (upstream's validation.Covers): who makes a role must hold what is in it.

A rule is broken down to what it is made of (one verb on one resource of one group, perhaps of one name). That is a product of lists
a client wrote, so what one rule covers as a whole is not broken down, and there is a bound to the rest.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence

from kctl.apimachinery.rbac.matching import ALL, Rule, path_covers

MOST = 100_000
"""Parts of rules that no single held rule covers."""


class TooManyParts(ValueError):
    """The rules cannot be compared in bounded time."""


def missing(held: Sequence[Rule], wanted: Iterable[Rule]) -> list[Rule]:
    """The parts of `wanted` that `held` do not cover, in order. Raises TooManyParts."""
    uncovered = [rule for rule in wanted if not any(covers(owner, rule) for owner in held)]
    if sum(map(_size, uncovered)) * max(len(held), 1) > MOST:
        raise TooManyParts
    return [part for rule in uncovered for part in parts(rule) if not any(covers(owner, part) for owner in held)]


def parts(rule: Rule) -> Iterator[Rule]:
    verbs, names = rule.get("verbs") or (), rule.get("resourceNames") or ()
    for group in rule.get("apiGroups") or ():
        for resource in rule.get("resources") or ():
            for verb in verbs:
                part = {"verbs": [verb], "apiGroups": [group], "resources": [resource]}
                if names:
                    yield from ({**part, "resourceNames": [name]} for name in names)
                else:
                    yield part
    for url in rule.get("nonResourceURLs") or ():
        for verb in verbs:
            yield {"verbs": [verb], "nonResourceURLs": [url]}


def _size(rule: Rule) -> int:
    lengths = [len(rule.get(part) or ()) for part in ("verbs", "apiGroups", "resources")]
    return math.prod(lengths) * max(len(rule.get("resourceNames") or ()), 1) + lengths[0] * len(rule.get("nonResourceURLs") or ())


def covers(owner: Rule, rule: Rule) -> bool:
    """Whether `owner` alone gives all of `rule`."""
    names, owned_names = rule.get("resourceNames") or (), owner.get("resourceNames") or ()
    return (
        _has_all(owner.get("verbs"), rule.get("verbs"))
        and _has_all(owner.get("apiGroups"), rule.get("apiGroups"))
        and _resources(owner.get("resources") or (), rule.get("resources") or ())
        and (not owned_names or (bool(names) and set(names) <= set(owned_names)))
        and _paths(owner.get("nonResourceURLs") or (), rule.get("nonResourceURLs") or ())
    )


def _has_all(owned: Sequence[str] | None, wanted: Sequence[str] | None) -> bool:
    owned = owned or ()
    return ALL in owned or all(item in owned for item in wanted or ())


def _resources(owned: Sequence[str], wanted: Sequence[str]) -> bool:
    if ALL in owned:
        return True
    for resource in wanted:
        _, slash, subresource = resource.partition("/")
        if resource not in owned and not (slash and f"*/{subresource}" in owned):
            return False
    return True


def _paths(owned: Sequence[str], wanted: Sequence[str]) -> bool:
    return all(any(path_covers(pattern, path) for pattern in owned) for path in wanted)
