"""The profile with the plugins that look at volumes: VolumeRestrictions, NodeVolumeLimits, VolumeBinding, VolumeZone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from controllers.kube_scheduler.framework import ClusterEvent
from controllers.kube_scheduler.plugins.node_volume_limits import NodeVolumeLimits
from controllers.kube_scheduler.plugins.volume_binding import BIND_TIMEOUT_SECONDS, VolumeBinding
from controllers.kube_scheduler.plugins.volume_restrictions import VolumeRestrictions
from controllers.kube_scheduler.plugins.volume_zone import VolumeZone
from controllers.kube_scheduler.profile import Profile
from controllers.kube_scheduler.scheduler import Scheduler
from controllers.kube_scheduler.volume_cache import VolumeCache
from controllers.runtime.informer import InformerFactory
from kctl.apimachinery.clock import Clock
from kctl.client.client import Client


async def load(client: Client, informers: InformerFactory, clock: Clock, scheduler: Scheduler) -> Callable[[Profile], Profile]:
    """`scheduler` is told what changes of claims, volumes and classes."""
    cache = VolumeCache(informers)
    await cache.start(
        scheduler.claims_changed,
        lambda: scheduler.cluster_changed(ClusterEvent.PERSISTENT_VOLUME),
        lambda: scheduler.cluster_changed(ClusterEvent.STORAGE_CLASS),
        lambda: scheduler.cluster_changed(ClusterEvent.CSI_NODE),
        lambda: scheduler.cluster_changed(ClusterEvent.VOLUME_ATTACHMENT_DELETE),
    )
    return partial(add, cache=cache, client=client, clock=clock)


def add(profile: Profile, cache: VolumeCache, client: Client, clock: Clock) -> Profile:
    """The four behind the others, as upstream orders them."""
    args = profile.args.get(VolumeBinding.name) or {}
    binding = VolumeBinding(cache, client, clock, args.get("bindTimeoutSeconds", BIND_TIMEOUT_SECONDS))
    restrictions, limits, zone = VolumeRestrictions(cache), NodeVolumeLimits(cache), VolumeZone(cache)
    if profile.arrange is not None:
        return profile.arrange(profile, {plugin.name: plugin for plugin in (restrictions, limits, binding, zone)})
    return replace(
        profile,
        pre_filter=[*profile.pre_filter, restrictions, limits, binding],
        filter=[*profile.filter, restrictions, limits, binding, zone],
        reserve=[*profile.reserve, binding],
        pre_bind=[*profile.pre_bind, binding],
    )
