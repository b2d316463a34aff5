"""Which plugins stand at which extension point, in order and with their weights: a profile's plugin sets with multiPoint spread out over
the points that each plugin has (framework/runtime). Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from controllers.kube_scheduler.config.decode import InvalidConfiguration
from controllers.kube_scheduler.config.types import POINTS
from kctl.apimachinery.objects import Object

_MOST_TOTAL = 2**63 - 1
_MAX_NODE_SCORE = 100

PointsOf = Callable[[str], "Sequence[str] | None"]
"""The extension points a plugin has; None for a plugin that does not exist."""


class Plan(NamedTuple):
    """`at`: names by point. `weights`: of the plugins that score. `args`: by plugin, of those that were given any or have defaults."""

    scheduler_name: str
    at: Mapping[str, tuple[str, ...]]
    weights: Mapping[str, int]
    args: Mapping[str, Object | None]
    percentage_of_nodes_to_score: int
    """0: of all nodes, whatever it is that finds the best one."""

    @property
    def names(self) -> frozenset[str]:
        return frozenset(name for chosen in self.at.values() for name in chosen)


def plan(profile: Object, percentage: int, points_of: PointsOf) -> Plan:
    """Of a profile with its defaults. Raises InvalidConfiguration."""
    name = profile["schedulerName"]
    try:
        return _plan(profile, percentage, points_of)
    except InvalidConfiguration as error:
        raise InvalidConfiguration(f"initializing profiles: creating profile for scheduler name {name}: {error}") from None


def _plan(profile: Object, percentage: int, points_of: PointsOf) -> Plan:
    name, sets = profile["schedulerName"], profile["plugins"]
    everywhere = [plugin.get("name") or "" for plugin in sets["multiPoint"]["enabled"]]
    at = {point: _at(point, sets[point], everywhere, points_of) for point in POINTS}
    if len(at["queueSort"]) != 1:
        why = f'only one queue sort plugin required for profile with scheduler name "{name}", but got {len(at["queueSort"])}'
        raise InvalidConfiguration(why)
    if not at["bind"]:
        raise InvalidConfiguration(f'at least one bind plugin is needed for profile with scheduler name "{name}"')
    weights = _weights([*sets["score"]["enabled"], *sets["multiPoint"]["enabled"]], at["score"])
    args = {config.get("name") or "": config.get("args") for config in profile["pluginConfig"]}
    own = profile.get("percentageOfNodesToScore")
    return Plan(name, at, weights, args, percentage if own is None else own)


def _at(point: str, chosen: Object, everywhere: Sequence[str], points_of: PointsOf) -> tuple[str, ...]:
    kind = f"{point[0].upper()}{point[1:]}Plugin"
    named: list[str] = []
    for plugin in chosen["enabled"]:
        name = plugin.get("name") or ""
        points = points_of(name)
        if points is None:
            raise InvalidConfiguration(f'{kind} "{name}" does not exist')
        if point not in points:
            raise InvalidConfiguration(f'plugin "{name}" does not extend {kind} plugin')
        if name in named:
            raise InvalidConfiguration(f'plugin "{name}" already registered as "{kind}"')
        named.append(name)
    disabled = {plugin["name"] for plugin in chosen["disabled"]}
    if "*" in disabled:
        return tuple(named)
    spread: list[str] = []
    overridden: set[str] = set()
    for name in everywhere:
        points = points_of(name)
        if points is None:
            raise InvalidConfiguration(f'plugin "{name}" does not exist')
        if point not in points or name in disabled:
            continue
        if name in named:
            overridden.add(name)
            continue
        if name in spread:
            raise InvalidConfiguration(f'plugin "{name}" already registered as "{kind}"')
        spread.append(name)
    first = [name for name in named if name in overridden]
    return (*first, *spread, *(name for name in named if name not in overridden))


def _weights(chosen: Sequence[Object], scoring: Sequence[str]) -> dict[str, int]:
    """The first one that is given counts; 0 stands for 1."""
    found: dict[str, int] = {}
    total = 0
    for plugin in chosen:
        name = plugin.get("name") or ""
        if name in found or name not in scoring:
            continue
        found[name] = plugin.get("weight") or 1
        total += found[name] * _MAX_NODE_SCORE
        if total > _MOST_TOTAL:
            raise InvalidConfiguration("total score of Score plugins could overflow")
    return found
