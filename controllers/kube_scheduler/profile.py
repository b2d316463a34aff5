"""Which plugins a scheduler runs at which extension point, and the weights of the scores: the default profile."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from controllers.kube_scheduler.framework import (
    BindPlugin,
    DependsOn,
    FilterPlugin,
    PermitPlugin,
    PostBindPlugin,
    PostFilterPlugin,
    PreBindPlugin,
    PreEnqueuePlugin,
    PreFilterPlugin,
    PreScorePlugin,
    QueueSortPlugin,
    Refusing,
    RelationPlugin,
    ReservePlugin,
    ScorePlugin,
)
from controllers.kube_scheduler.plugins.default_binder import DefaultBinder
from controllers.kube_scheduler.plugins.default_preemption import DefaultPreemption
from controllers.kube_scheduler.plugins.dynamic_resources import DynamicResources
from controllers.kube_scheduler.plugins.image_locality import ImageLocality
from controllers.kube_scheduler.plugins.node_affinity import NodeAffinity
from controllers.kube_scheduler.plugins.node_name import NodeName
from controllers.kube_scheduler.plugins.node_ports import NodePorts
from controllers.kube_scheduler.plugins.node_resources_balanced_allocation import NodeResourcesBalancedAllocation
from controllers.kube_scheduler.plugins.node_resources_fit import NodeResourcesFit
from controllers.kube_scheduler.plugins.node_unschedulable import NodeUnschedulable
from controllers.kube_scheduler.plugins.priority_sort import PrioritySort
from controllers.kube_scheduler.plugins.scheduling_gates import SchedulingGates
from controllers.kube_scheduler.plugins.taint_toleration import TaintToleration
from controllers.kube_scheduler.pod_info import Reads, all_reads
from kctl.client.client import Client

DEFAULT_SCHEDULER_NAME = "default-scheduler"


@dataclass(frozen=True, slots=True)
class Profile:
    """Filters run in order and the first refusal of a node counts. `grouped_run` looks for nodes where plugins that look at pods of the
    whole cluster have something to say of a pod; it comes with them. `args`: of plugins, from a configuration file, and `arrange`: the
    profile as that file has it, with plugins that have been made since, by name. `assigner`: who chooses nodes in place of Assigner, where
    there are plugins that nothing is known of, or only a `percentage` of the nodes is to be looked at (0 for all)."""

    scheduler_name: str
    queue_sort: QueueSortPlugin
    pre_enqueue: Sequence[PreEnqueuePlugin]
    pre_filter: Sequence[PreFilterPlugin]
    filter: Sequence[FilterPlugin]
    post_filter: Sequence[PostFilterPlugin]
    score: Sequence[tuple[ScorePlugin, int]]
    bind: Sequence[BindPlugin]
    reserve: Sequence[ReservePlugin] = ()
    permit: Sequence[PermitPlugin] = ()
    pre_bind: Sequence[PreBindPlugin] = ()
    post_bind: Sequence[PostBindPlugin] = ()
    grouped_run: Callable[..., Any] | None = None
    pre_score: Sequence[PreScorePlugin] = ()
    args: Mapping[str, Any] = field(default_factory=dict)
    arrange: Callable[[Profile, Mapping[str, Any]], Profile] | None = None
    assigner: Callable[..., Any] | None = None
    percentage: int = 0

    @property
    def refusing(self) -> list[Refusing]:
        """Every plugin that may refuse a pod, each once."""
        points = (self.pre_enqueue, self.pre_filter, self.filter, self.reserve, self.permit, self.pre_bind)
        return list({id(plugin): plugin for point in points for plugin in point}.values())

    @property
    def related(self) -> list[RelationPlugin]:
        """Those that look at pods of the whole cluster, whether they filter, score or both."""
        every: list[Any] = [*self.filter, *(plugin for plugin, _ in self.score)]
        found = {id(plugin): cast(RelationPlugin, plugin) for plugin in every if plugin.depends_on is DependsOn.CLUSTER}
        return list(found.values())

    @property
    def related_filters(self) -> list[RelationPlugin]:
        return [cast(RelationPlugin, plugin) for plugin in self.filter if plugin.depends_on is DependsOn.CLUSTER]

    @property
    def reads(self) -> Reads:
        """What tells one pod from another for any of the plugins."""
        scoring = (*self.pre_score, *(plugin for plugin, _ in self.score))
        others = (self.queue_sort, *self.post_filter, *scoring, *self.bind, *self.post_bind)
        return all_reads(plugin.reads for plugin in (*self.refusing, *others))


def default_profile(client: Client) -> Profile:
    """default-scheduler with upstream's weights for the plugins there are."""
    taints, affinity, fit = TaintToleration(), NodeAffinity(), NodeResourcesFit()
    claims = DynamicResources()
    return Profile(
        scheduler_name=DEFAULT_SCHEDULER_NAME,
        queue_sort=PrioritySort(),
        pre_enqueue=[SchedulingGates()],
        pre_filter=[affinity, claims],
        filter=[NodeUnschedulable(), NodeName(), taints, affinity, NodePorts(), fit],
        post_filter=[claims, DefaultPreemption()],
        score=[(taints, 3), (affinity, 2), (fit, 1), (NodeResourcesBalancedAllocation(), 1), (ImageLocality(), 1)],
        bind=[DefaultBinder(client)],
    )
