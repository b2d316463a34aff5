"""Profiles as a configuration file has them: each plugin at the extension points it was enabled at, in that order, with its args."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from controllers.kube_scheduler.config import guests
from controllers.kube_scheduler.config.decode import InvalidConfiguration
from controllers.kube_scheduler.config.load import SchedulerConfiguration
from controllers.kube_scheduler.config.plan import Plan
from controllers.kube_scheduler.framework import ClusterEvent, DependsOn, Wake
from controllers.kube_scheduler.plugins.default_binder import DefaultBinder
from controllers.kube_scheduler.plugins.node_affinity import NodeAffinity
from controllers.kube_scheduler.plugins.node_resources_balanced_allocation import NodeResourcesBalancedAllocation
from controllers.kube_scheduler.plugins.node_resources_fit import NodeResourcesFit
from controllers.kube_scheduler.pod_info import Reads
from controllers.kube_scheduler.profile import Profile, default_profile
from controllers.kube_scheduler.resource_scoring import fit_scorer
from controllers.kube_scheduler.waiting_pods import Handle
from controllers.kube_scheduler.whole_cycle import PlainAssigner
from kctl.apimachinery.objects import Object
from kctl.client.client import Client

_EVERYTHING = (Wake(~ClusterEvent(0)),)


class Arrangement:
    """A profile's plugins as far as they have been made. Called with more of them, by name, it gives the profile with them: some come only
    with the first pod that needs them, and all stand where the plan has them."""

    def __init__(self, plan: Plan, made: Mapping[str, Any]) -> None:
        self._plan = plan
        self._made = made

    def __call__(self, profile: Profile, more: Mapping[str, Any]) -> Profile:
        return Arrangement(self._plan, {**self._made, **more}).applied_to(profile)

    def applied_to(self, profile: Profile) -> Profile:
        at = {point: self._at(point) for point in self._plan.at}
        related = [plugin for plugin in self._made.values() if getattr(plugin, "depends_on", None) is DependsOn.CLUSTER]
        used = {id(plugin) for plugin in (*at["filter"], *at["score"])}
        at["preFilter"] += [plugin for plugin in related if id(plugin) in used and plugin not in at["preFilter"]]
        weights = self._plan.weights
        return replace(
            profile,
            queue_sort=at["queueSort"][0],
            pre_enqueue=at["preEnqueue"],
            pre_filter=at["preFilter"],
            filter=at["filter"],
            post_filter=at["postFilter"],
            pre_score=[plugin for plugin in at["preScore"] if not guests.is_in_tree(plugin.name)],
            score=[(plugin, weights[plugin.name]) for plugin in at["score"]],
            reserve=at["reserve"],
            permit=at["permit"],
            pre_bind=at["preBind"],
            bind=at["bind"],
            post_bind=at["postBind"],
            arrange=self,
        )

    def _at(self, point: str) -> list[Any]:
        method = guests.METHODS[point]
        return [self._made[name] for name in self._plan.at[point] if name in self._made and hasattr(self._made[name], method)]


def profiles(configuration: SchedulerConfiguration, client: Client, handle: Handle) -> list[Profile]:
    """Without the plugins that come with the first pod that needs them. Raises InvalidConfiguration."""
    managed = [resource for extender in configuration.extenders for resource in extender.get("managedResources") or ()]
    ignored = [str(resource.get("name")) for resource in managed if resource.get("ignoredByScheduler")]
    return [_profile(plan, client, handle, ignored) for plan in configuration.plans]


def _profile(plan: Plan, client: Client, handle: Handle, ignored: Sequence[str]) -> Profile:
    default = default_profile(client)
    points = (default.pre_enqueue, default.pre_filter, default.filter, default.post_filter, default.bind)
    made: dict[str, Any] = {plugin.name: plugin for point in points for plugin in point}
    made |= {plugin.name: plugin for plugin, _ in default.score} | {default.queue_sort.name: default.queue_sort}
    for name, make in _WITH_ARGS.items():
        made[name] = make(plan.args.get(name) or {})
    fit = plan.args.get(NodeResourcesFit.name) or {}
    made[NodeResourcesFit.name] = _fit({**fit, "ignoredResources": [*(fit.get("ignoredResources") or ()), *ignored]})
    made[DefaultBinder.name] = DefaultBinder(client)
    strangers = sorted(name for name in plan.names if not guests.is_in_tree(name))
    made |= {name: _guest(name, plan.args.get(name), handle) for name in strangers}
    base = replace(
        default,
        scheduler_name=plan.scheduler_name,
        args=plan.args,
        assigner=PlainAssigner if strangers or 0 < plan.percentage_of_nodes_to_score < 100 else None,
        percentage=plan.percentage_of_nodes_to_score,
    )
    return Arrangement(plan, made).applied_to(base)


def _guest(name: str, args: Object | None, handle: Handle) -> Any:
    make = guests.factory(name)
    assert make is not None  # the plan has asked
    try:
        plugin = make(args or {}, handle)
        plugin.name = name
        for attribute, value in (("reads", Reads()), ("wakes", _EVERYTHING), ("depends_on", DependsOn.NODE)):
            if not hasattr(plugin, attribute):
                setattr(plugin, attribute, value)
    except Exception as error:
        raise InvalidConfiguration(f'initializing plugin "{name}": {type(error).__name__}: {error}') from error
    return plugin


def _fit(args: Object) -> NodeResourcesFit:
    names, groups = frozenset(args.get("ignoredResources") or ()), frozenset(args.get("ignoredResourceGroups") or ())

    def ignored(resource: str) -> bool:
        domain, slash, _ = resource.partition("/")
        return bool(slash) and (resource in names or domain in groups)

    strategy = args.get("scoringStrategy")
    return NodeResourcesFit(fit_scorer(strategy) if strategy else None, ignored if names or groups else None)


def _balanced(args: Object) -> NodeResourcesBalancedAllocation:
    names = [str(resource["name"]) for resource in args.get("resources") or ()]
    return NodeResourcesBalancedAllocation(() if names in ([], ["cpu", "memory"]) else names)


_WITH_ARGS: Mapping[str, Callable[[Object], Any]] = {
    NodeAffinity.name: lambda args: NodeAffinity(args.get("addedAffinity")),
    NodeResourcesBalancedAllocation.name: _balanced,
}
