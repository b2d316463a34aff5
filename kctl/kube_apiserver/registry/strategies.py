"""Which Strategy serves which resource. A resource not listed gets the plain `Strategy`.

A group's strategies are imported when one of its resources is first used, so that a server starts with what it needs.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module

from kctl.apimachinery.resources import ResourceType
from kctl.kube_apiserver.registry.strategy import Strategy

_GROUPS = frozenset(
    {
        "admissionregistration",
        "apiextensions",
        "apps",
        "authentication",
        "authorization",
        "autoscaling",
        "batch",
        "certificates",
        "coordination",
        "core",
        "discovery",
        "events",
        "flowcontrol",
        "networking",
        "node",
        "policy",
        "rbac",
        "resource",
        "scheduling",
        "storage",
    }
)
_SHARED = {"apiregistration": "apiextensions", "internal": "apiextensions", "storagemigration": "apiextensions"}
"""Small groups whose strategies are listed with another's."""
_PLAIN = Strategy()


@cache
def _of_group(folder: str) -> dict[tuple[str, str], Strategy]:
    """(group, plural) -> Strategy, from a group's `strategies.STRATEGIES` (keys are 'plural' or 'plural.group')."""
    module = import_module(f"kctl.kube_apiserver.registry.{folder}.strategies")
    by_plural: dict[tuple[str, str], Strategy] = {}
    for group_resource, strategy in module.STRATEGIES.items():
        plural, _, group = group_resource.partition(".")
        by_plural[group, plural] = strategy
    return by_plural


def load() -> dict[tuple[str, str], Strategy]:
    """All of them."""
    return {key: strategy for folder in sorted(_GROUPS) for key, strategy in _of_group(folder).items()}


def strategy_for(resource: ResourceType) -> Strategy:
    folder = resource.group.partition(".")[0] or "core"
    folder = _SHARED.get(folder, folder)
    if folder not in _GROUPS:
        return _PLAIN
    return _of_group(folder).get((resource.group, resource.plural), _PLAIN)
