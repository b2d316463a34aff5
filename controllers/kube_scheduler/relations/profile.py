"""The profile with the plugins that look at other pods: PodTopologySpread and InterPodAffinity."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from controllers.kube_scheduler.plugins.inter_pod_affinity import InterPodAffinity
from controllers.kube_scheduler.plugins.node_affinity import NodeAffinity
from controllers.kube_scheduler.plugins.pod_topology_spread import PodTopologySpread
from controllers.kube_scheduler.plugins.taint_toleration import TaintToleration
from controllers.kube_scheduler.profile import Profile
from controllers.kube_scheduler.relations.default_constraints import DefaultConstraints, Owners
from controllers.kube_scheduler.relations.grouped_run import GroupedRun
from controllers.kube_scheduler.relations.index import RelationIndex
from controllers.kube_scheduler.relations.terms import Subjects
from controllers.kube_scheduler.scheduler import Scheduler
from controllers.runtime.informer import Change, InformerFactory
from kctl.apimachinery import objects
from kctl.apimachinery.resources import NAMESPACES

_SPREAD = "PodTopologySpread"
SPREAD_WEIGHT = 2
AFFINITY_WEIGHT = 2


async def load(informers: InformerFactory, scheduler: Scheduler) -> Callable[[Profile], Profile]:
    """Returns when the labels of namespaces are known."""
    namespaces = informers.informer(NAMESPACES)
    await informers.start()

    def labels_of(name: str) -> Mapping[str, str]:
        namespace = namespaces.get(name)
        return objects.labels(namespace) if namespace is not None else {}

    scheduler.namespace_labels = labels_of
    subjects = Subjects()
    index = RelationIndex(scheduler.cache, subjects, labels_of)
    defaults: dict[str, DefaultConstraints] = {}
    spreading = {name: profile.args[_SPREAD] for name, profile in scheduler.profiles.items() if profile.args.get(_SPREAD)}
    if spreading:
        owners = Owners(informers)
        await informers.start()
        owners.listen()
        defaults |= {name: DefaultConstraints(owners, subjects, args) for name, args in spreading.items()}

    def changed(changes: Sequence[Change]) -> None:
        if any(old is None or new is None or objects.labels(old) != objects.labels(new) for old, new in changes):
            index.forget()

    namespaces.add_handler(changed)
    return lambda profile: add(profile, index, defaults.get(profile.scheduler_name))


def add(profile: Profile, index: RelationIndex, defaults: DefaultConstraints | None = None) -> Profile:
    """The two behind the others, as upstream orders them."""
    args = profile.args.get("InterPodAffinity") or {}
    node_affinity = next((plugin for plugin in profile.filter if isinstance(plugin, NodeAffinity)), NodeAffinity())
    spread = PodTopologySpread(index, node_affinity, TaintToleration(), defaults)
    affinity = InterPodAffinity(
        index, args.get("hardPodAffinityWeight", 1), ignore_theirs=args.get("ignorePreferredTermsOfExistingPods", False)
    )
    if profile.arrange is not None:
        return replace(profile.arrange(profile, {spread.name: spread, affinity.name: affinity}), grouped_run=GroupedRun)
    return replace(
        profile,
        pre_filter=[*profile.pre_filter, spread, affinity],
        filter=[*profile.filter, spread, affinity],
        score=[*profile.score, (spread, SPREAD_WEIGHT), (affinity, AFFINITY_WEIGHT)],
        grouped_run=GroupedRun,
    )
