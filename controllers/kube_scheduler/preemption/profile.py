"""The profile with preemption, for clusters with pods of more than one priority."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace

from controllers.kube_scheduler.plugins.default_preemption import DefaultPreemption
from controllers.kube_scheduler.preemption.evaluator import Evaluator
from controllers.kube_scheduler.profile import Profile
from controllers.kube_scheduler.scheduler import Scheduler
from controllers.runtime.informer import InformerFactory
from kctl.apimachinery.resources import built_in

POD_DISRUPTION_BUDGETS = built_in("policy/v1", "PodDisruptionBudget")


async def load(informers: InformerFactory, randomness: random.Random, scheduler: Scheduler) -> Callable[[Profile], Profile]:
    """Returns when the budgets are known."""
    budgets = informers.informer(POD_DISRUPTION_BUDGETS)
    await informers.start()

    def add_to(profile: Profile) -> Profile:
        args = profile.args.get(DefaultPreemption.name) or {}
        limits = args.get("minCandidateNodesPercentage", 10), args.get("minCandidateNodesAbsolute", 100)
        return add(profile, Evaluator(scheduler.cache, lambda: list(budgets.list()), randomness, *limits))

    return add_to


def add(profile: Profile, evaluator: Evaluator) -> Profile:
    if profile.arrange is not None:
        return profile.arrange(profile, {DefaultPreemption.name: DefaultPreemption(evaluator)})
    others = [plugin for plugin in profile.post_filter if not isinstance(plugin, DefaultPreemption)]
    return replace(profile, post_filter=[*others, DefaultPreemption(evaluator)])
