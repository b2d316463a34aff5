"""What a configuration says where it says nothing (pkg/scheduler/apis/config/v1 defaults). Pure."""

from __future__ import annotations

from controllers.kube_scheduler.config.in_tree import DEFAULT_WEIGHTS, IN_TREE
from controllers.kube_scheduler.config.types import ARGS, POINTS
from kctl.apimachinery.objects import Object

_CPU_AND_MEMORY = ({"name": "cpu", "weight": 1}, {"name": "memory", "weight": 1})


def with_defaults(given: Object) -> Object:
    """A decoded configuration with everything filled in; each profile's plugins merged with the default ones."""
    found = {
        "parallelism": 16,
        "percentageOfNodesToScore": 0,
        "podInitialBackoffSeconds": 1,
        "podMaxBackoffSeconds": 10,
        "extenders": [],
        **given,
    }
    profiles = [dict(profile) for profile in given.get("profiles") or [{}]]
    if len(profiles) == 1:
        profiles[0].setdefault("schedulerName", "default-scheduler")
    found["profiles"] = [_profile(profile) for profile in profiles]
    return found


def _profile(given: Object) -> Object:
    custom = given.get("plugins") or {}
    plugins = {point: merged((), custom.get(point) or {}) for point in POINTS}
    default = [{"name": name, "weight": DEFAULT_WEIGHTS.get(name, 0)} for name in IN_TREE]
    plugins["multiPoint"] = merged(default, custom.get("multiPoint") or {})
    configs = [{**config, "args": default_args(config.get("name") or "", config.get("args"))} for config in given.get("pluginConfig") or ()]
    named = {config.get("name") for config in configs}
    enabled = {plugin.get("name") or "" for chosen in plugins.values() for plugin in chosen["enabled"]}
    configs += [{"name": name, "args": default_args(name, None)} for name in sorted(enabled - named) if f"{name}Args" in ARGS]
    return {"schedulerName": "", **given, "plugins": plugins, "pluginConfig": configs}


def merged(default: list[Object] | tuple[Object, ...], custom: Object) -> Object:
    """A plugin set: what is disabled (`*`: all of the default ones) is out; what is enabled once more takes the default's place."""
    disabled = [{"name": plugin.get("name") or ""} for plugin in custom.get("disabled") or ()]
    out = {plugin["name"] for plugin in disabled}
    wanted = list(custom.get("enabled") or ())
    again = {plugin.get("name"): index for index, plugin in enumerate(wanted)}
    replaced: set[int] = set()
    enabled: list[Object] = []
    for plugin in default if "*" not in out else ():
        if plugin["name"] in out:
            continue
        index = again.get(plugin["name"])
        if index is not None:
            replaced.add(index)
        enabled.append(plugin if index is None else wanted[index])
    enabled += [plugin for index, plugin in enumerate(wanted) if index not in replaced]
    return {"enabled": enabled, "disabled": disabled}


def default_args(name: str, args: Object | None) -> Object | None:
    """Of a plugin, with its own defaults; as they are where nothing is known of them."""
    if f"{name}Args" not in ARGS:
        return args
    given = dict(args or {})
    if name == "DefaultPreemption":
        return {"minCandidateNodesPercentage": 10, "minCandidateNodesAbsolute": 100, **given}
    if name == "InterPodAffinity":
        return {"hardPodAffinityWeight": 1, "ignorePreferredTermsOfExistingPods": False, **given}
    if name == "VolumeBinding":
        return {"bindTimeoutSeconds": 600, **given}
    if name == "PodTopologySpread":
        return {"defaultConstraints": [], **given, "defaultingType": given.get("defaultingType") or "System"}
    if name == "NodeResourcesBalancedAllocation":
        return {**given, "resources": _resources(given)}
    if name == "NodeResourcesFit":
        strategy = given.get("scoringStrategy") or {"type": "LeastAllocated"}
        return {**given, "scoringStrategy": {"type": "", **strategy, "resources": _resources(strategy)}}
    return given


def _resources(given: Object) -> list[Object]:
    chosen = given.get("resources") or _CPU_AND_MEMORY
    return [{"name": "", **resource, "weight": resource.get("weight") or 1} for resource in chosen]
