"""Which Strategy serves which resource. A resource not listed gets the plain `Strategy`."""

from __future__ import annotations

from importlib import import_module

from kctl.apimachinery.resources import ResourceType
from kctl.kube_apiserver.registry.strategy import Strategy

_GROUPS = (
    "admissionregistration", "apiextensions", "apps", "authentication", "authorization", "autoscaling", "batch",
    "certificates", "coordination", "core", "discovery", "events", "flowcontrol", "networking", "node", "policy", "rbac",
    "resource", "scheduling", "storage",
)  # fmt: skip
_PLAIN = Strategy()


def load() -> dict[tuple[str, str], Strategy]:
    """(group, plural) -> Strategy, from each group's `strategies.STRATEGIES` (keys are 'plural' or 'plural.group')."""
    catalog: dict[tuple[str, str], Strategy] = {}
    for folder in _GROUPS:
        module = import_module(f"kctl.kube_apiserver.registry.{folder}.strategies")
        for group_resource, strategy in module.STRATEGIES.items():
            plural, _, group = group_resource.partition(".")
            catalog[group, plural] = strategy
    return catalog


def strategy_for(catalog: dict[tuple[str, str], Strategy], resource: ResourceType) -> Strategy:
    return catalog.get((resource.group, resource.plural), _PLAIN)
