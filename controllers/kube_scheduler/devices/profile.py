"""The profile with DynamicResources as it is for pods with ResourceClaims."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from controllers.kube_scheduler.devices.cache import ClaimCache
from controllers.kube_scheduler.devices.plugin import DynamicResources, Selectors, without
from controllers.kube_scheduler.framework import ClusterEvent
from controllers.kube_scheduler.profile import Profile
from controllers.kube_scheduler.scheduler import Scheduler
from controllers.runtime.informer import InformerFactory
from kctl.client.client import Client


async def load(
    client: Client, informers: InformerFactory, selectors: Selectors, randomness: random.Random, scheduler: Scheduler
) -> Callable[[Profile], Profile]:
    """`scheduler` is told what changes of claims, slices and classes."""
    cache = ClaimCache(informers)
    await cache.start(
        scheduler.resource_claims_changed,
        lambda: scheduler.cluster_changed(ClusterEvent.RESOURCE_SLICE),
        lambda: scheduler.cluster_changed(ClusterEvent.DEVICE_CLASS),
    )

    def freed() -> None:
        scheduler.cluster_changed(ClusterEvent.RESOURCE_CLAIM)

    return partial(add, plugin=DynamicResources(cache, client, selectors, randomness, scheduler.background, freed))


def add(profile: Profile, plugin: DynamicResources) -> Profile:
    """In the place of the one that knows no claims."""
    name = plugin.name
    return replace(
        profile,
        pre_enqueue=[*profile.pre_enqueue, plugin],
        pre_filter=[*without(profile.pre_filter, name), plugin],
        filter=[*profile.filter, plugin],
        post_filter=[plugin, *without(profile.post_filter, name)],
        reserve=[*profile.reserve, plugin],
        pre_bind=[*profile.pre_bind, plugin],
    )
