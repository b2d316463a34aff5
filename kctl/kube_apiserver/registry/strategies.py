"""Which Strategy serves which resource. A resource not listed gets the plain `Strategy`.

A group's table is imported when one of its resources is first used, so that a server starts with what it needs; where the table says in
which module a strategy is (`module:NAME`, from its folder on), that is imported with the first use of the resource itself.
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
_PACKAGE = "kctl.kube_apiserver.registry"


@cache
def _of_group(folder: str) -> dict[tuple[str, str], Strategy | str]:
    """(group, plural) -> Strategy, or where it is, from a group's `strategies.STRATEGIES` (keys are 'plural' or 'plural.group')."""
    module = import_module(f"{_PACKAGE}.{folder}.strategies")
    by_plural: dict[tuple[str, str], Strategy | str] = {}
    for group_resource, strategy in module.STRATEGIES.items():
        plural, _, group = group_resource.partition(".")
        by_plural[group, plural] = strategy
    return by_plural


@cache
def _imported(folder: str, place: str) -> Strategy:
    """The instance, or one of the class, at `module:NAME` of a group's folder."""
    module, _, name = place.partition(":")
    found = getattr(import_module(f".{module}", f"{_PACKAGE}.{folder}"), name)
    strategy: Strategy = found() if isinstance(found, type) else found
    return strategy


def _strategy(folder: str, listed: Strategy | str) -> Strategy:
    return _imported(folder, listed) if isinstance(listed, str) else listed


def load() -> dict[tuple[str, str], Strategy]:
    """All of them."""
    return {key: _strategy(folder, listed) for folder in sorted(_GROUPS) for key, listed in _of_group(folder).items()}


def strategy_for(resource: ResourceType) -> Strategy:
    folder = resource.group.partition(".")[0] or "core"
    folder = _SHARED.get(folder, folder)
    if folder not in _GROUPS:
        return _PLAIN
    return _strategy(folder, _of_group(folder).get((resource.group, resource.plural), _PLAIN))
