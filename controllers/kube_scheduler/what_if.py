"""Where pods would go that are not there yet: on a copy of what the scheduler knows, beside the event loop. Nothing is created, reserved
or evicted.

Pods are placed one after the other, by priority, as the scheduler would. For those that find no node it is tried out how many more nodes
of a given shape they would need: one is added after the other, each filled with what fits.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from controllers.kube_scheduler.assignment import Assigner, Placement, Refusal
from controllers.kube_scheduler.cache import Cache
from controllers.kube_scheduler.explain import reasons_of
from controllers.kube_scheduler.pod_info import PodInfo, QueuedPod, Shapes, all_reads
from controllers.kube_scheduler.profile import Profile
from kctl.apimachinery import objects, quantity
from kctl.apimachinery.clock import Clock
from kctl.apimachinery.objects import Object
from kctl.apimachinery.status import BadRequest
from kctl.client.scheduling import VERSION

if TYPE_CHECKING:
    from controllers.kube_scheduler.relations.terms import NamespaceLabels
    from controllers.kube_scheduler.scheduler import Scheduler

MOST_PODS = 10_000
MOST_NODES = 10_000
MOST_NEW_NODES = 1_000
_HOST_NAME = "kubernetes.io/hostname"


class WhatIf:
    def __init__(self, scheduler: Scheduler, clock: Clock) -> None:
        self._scheduler = scheduler
        self._clock = clock

    async def answer(self, asked: Object) -> Object:
        """`nodes` stand for the cluster's own where they are given, unless `addNodes` is true; `shape` is the allocatable of one node more,
        with its labels and taints if there are any. Raises BadRequest."""
        pods, nodes, shape = asked["pods"], asked.get("nodes"), asked.get("shape")
        _check(pods, nodes, shape)
        await self._scheduler.load_for(pods)
        cache, labels_of = self._scheduler.cache, self._scheduler.namespace_labels
        present = [(node.node, list(node.pods.values())) for node in cache.nodes() if node.node is not None]
        if nodes is not None:
            kept = present if asked.get("addNodes") else []
            present = [*kept, *((node, []) for node in nodes)]
        profiles = [self._without_evictions(profile) for profile in self._scheduler.profiles.values()]
        if any(self._scheduler.shapes.of(pod).has_claims for pod in pods):  # what is known of volumes changes on the event loop
            return _Trial(profiles, present, labels_of).forecast(pods, shape)
        return await self._clock.beside(lambda: _Trial(profiles, present, labels_of).forecast(pods, shape))

    def _without_evictions(self, profile: Profile) -> Profile:
        """With nobody to evict; and the plugins that look at other pods are to look at the copy."""
        from controllers.kube_scheduler.plugins.default_preemption import DefaultPreemption

        if profile.arrange is not None:
            return profile.arrange(profile, {DefaultPreemption.name: DefaultPreemption()})
        plugins = [DefaultPreemption() if plugin.name == DefaultPreemption.name else plugin for plugin in profile.post_filter]
        related = {id(plugin) for plugin in profile.related}
        return replace(
            profile,
            post_filter=plugins,
            pre_filter=[plugin for plugin in profile.pre_filter if id(plugin) not in related],
            filter=[plugin for plugin in profile.filter if id(plugin) not in related],
            score=[(plugin, weight) for plugin, weight in profile.score if id(plugin) not in related],
        )


class _Trial:
    def __init__(
        self, profiles: Sequence[Profile], present: Sequence[tuple[Object, Sequence[PodInfo]]], labels_of: NamespaceLabels
    ) -> None:
        from controllers.kube_scheduler.relations import profile as relations
        from controllers.kube_scheduler.relations.index import RelationIndex
        from controllers.kube_scheduler.relations.terms import Subjects

        self._cache = Cache()
        index = RelationIndex(self._cache, Subjects(), labels_of)
        whole = [relations.add(profile, index) for profile in profiles]
        self._key = whole[0].queue_sort.key
        self._shapes = Shapes(all_reads(profile.reads for profile in whole))
        for node, infos in present:
            self._cache.set_node(node)
            for info in infos:
                self._cache.add_pod(PodInfo.of(info.pod, self._shapes), objects.name(node))
        self._assigners = {
            profile.scheduler_name: (profile.assigner or Assigner)(profile, self._cache, random.Random(0)) for profile in whole
        }

    def _assigner(self, info: PodInfo) -> Assigner:
        """Of a pod for another scheduler it is forecast what the first of this one's profiles would do."""
        found: Assigner = self._assigners.get(info.scheduler_name) or next(iter(self._assigners.values()))
        return found

    def forecast(self, pods: Sequence[Object], shape: Object | None) -> Object:
        wanted = [self._info(number, pod) for number, pod in enumerate(pods)]
        order = sorted(enumerate(wanted), key=lambda item: (*self._key(_queued(item[0], item[1])), item[0]))
        placed: list[Object] = []
        left: list[tuple[PodInfo, Refusal]] = []
        for _, info in order:
            found = self._assigner(info).assign(info)
            if isinstance(found, Placement):
                placed.append({"pod": info.key, "nodeName": found.node})
            else:
                left.append((info, found))
        status: Object = {"placed": placed, "unplaced": [_unplaced(info, refusal) for info, refusal in left]}
        if shape is not None:
            status["needed"] = self._needed([info for info, _ in left], shape)
        return {"kind": "SchedulingForecast", "apiVersion": VERSION, "status": status}

    def _info(self, number: int, pod: Object) -> PodInfo:
        """Pods without names are told apart too."""
        info = PodInfo.of(pod, self._shapes)
        info.uid = f"forecast-{number}"
        return info

    def _needed(self, left: Sequence[PodInfo], shape: Object) -> Object:
        """How many new nodes of the shape take what is left, and which pods no such node takes."""
        count = 0
        remaining = list(left)
        while remaining and count < MOST_NEW_NODES:
            name = f"new-node-{count + 1}"
            self._cache.set_node(_new_node(name, shape))
            staying = [info for info in remaining if isinstance(self._assigner(info).assign_on(info, name), Refusal)]
            if len(staying) == len(remaining):
                self._cache.remove_node(name)
                break
            count, remaining = count + 1, staying
        return {"nodes": count, "stillUnplaced": [info.key for info in remaining]}


def _check(pods: Sequence[Object], nodes: Any, shape: Any) -> None:
    if len(pods) > MOST_PODS:
        raise BadRequest(f"at most {MOST_PODS} pods can be placed at a time, not {len(pods)}")
    if nodes is not None:
        if not isinstance(nodes, list) or len(nodes) > MOST_NODES:
            raise BadRequest(f"nodes must be a list of at most {MOST_NODES}")
        for node in nodes:
            if not isinstance(node, dict) or not isinstance(node.get("metadata"), dict) or not node["metadata"].get("name"):
                raise BadRequest("each of the nodes must have metadata with a name")
    for node in [*(nodes or ()), *([shape] if shape is not None else [])]:
        for name, amount in (objects.status(node).get("allocatable") or {}).items():
            try:
                quantity.parse(amount)
            except ValueError as error:
                raise BadRequest(f"allocatable {name}: {error}") from None


def _queued(number: int, info: PodInfo) -> QueuedPod:
    return QueuedPod(info, info.priority, float(number))


def _unplaced(info: PodInfo, refusal: Refusal) -> Object:
    message = refusal.message.split(" no new claims to deallocate")[0]
    return {"pod": info.key, "message": message, "filtered": reasons_of(refusal.detail.statuses)}


def _new_node(name: str, shape: Object) -> Object:
    meta = shape.get("metadata") or {}
    labels = {**(meta.get("labels") or {}), _HOST_NAME: name}
    return {"metadata": {"name": name, "labels": labels}, "spec": shape.get("spec") or {}, "status": shape.get("status") or {}}
