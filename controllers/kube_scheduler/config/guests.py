"""Plugins from outside: Python entry points of the group `kctl.scheduler.plugins`. Its name is the plugin's name; what it
names is called with the plugin's args and a `Handle`, and gives the plugin (docs/scheduling.md has an example)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from importlib import metadata
from typing import Any

from controllers.kube_scheduler.config.decode import InvalidConfiguration
from controllers.kube_scheduler.config.in_tree import IN_TREE

GROUP = "kctl.scheduler.plugins"

METHODS = {
    "preEnqueue": "pre_enqueue",
    "queueSort": "key",
    "preFilter": "pre_filter",
    "filter": "filter",
    "postFilter": "post_filter",
    "preScore": "pre_score",
    "score": "score",
    "reserve": "reserve",
    "permit": "permit",
    "preBind": "pre_bind",
    "bind": "bind",
    "postBind": "post_bind",
}
"""Extension point to the method a plugin has for it."""


def is_in_tree(name: str) -> bool:
    return name in IN_TREE


@cache
def factory(name: str) -> Callable[..., Any] | None:
    """None where no such plugin is installed. Raises InvalidConfiguration where it cannot be imported."""
    for entry in metadata.entry_points(group=GROUP, name=name):
        try:
            found: Callable[..., Any] = entry.load()
        except Exception as error:
            raise InvalidConfiguration(f'initializing plugin "{name}": {type(error).__name__}: {error}') from error
        return found
    return None


def points_of(name: str) -> Sequence[str] | None:
    """Of any plugin. One from outside is asked its class, or says it itself as `points`."""
    if name in IN_TREE:
        return IN_TREE[name]
    made = factory(name)
    if made is None:
        return None
    declared = getattr(made, "points", None)
    if declared is not None:
        return tuple(declared)
    return tuple(point for point, method in METHODS.items() if callable(getattr(made, method, None)))
