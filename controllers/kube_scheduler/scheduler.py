"""The scheduling loop: takes active pods, finds each a node, binds in the background, says why where there is none.

Choosing is synchronous and quick, so that one pod sees where the last one went; binding is not waited for. In between,
the event loop gets a turn every few milliseconds.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Collection, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from controllers.kube_scheduler.assignment import Assigner, Placement, Refusal
from controllers.kube_scheduler.binding_cycle import binding_cycle, told
from controllers.kube_scheduler.cache import Cache
from controllers.kube_scheduler.decisions import Decisions
from controllers.kube_scheduler.events_to_wake import ClusterChange, WakeTable, node_change
from controllers.kube_scheduler.framework import ClusterEvent, Code, Status, Wait
from controllers.kube_scheduler.pod_info import PodInfo, QueuedPod, Shapes, all_reads
from controllers.kube_scheduler.profile import Profile
from controllers.kube_scheduler.queue import INITIAL_BACKOFF_SECONDS, MAX_BACKOFF_SECONDS, SchedulingQueue
from controllers.runtime.events import NORMAL, WARNING, EventRecorder
from controllers.runtime.informer import Change, Informer
from controllers.runtime.volumes import claims_of
from kctl.apimachinery import objects
from kctl.apimachinery.clock import Clock
from kctl.apimachinery.objects import Object
from kctl.apimachinery.status import ApiError, NotFound
from kctl.client.client import Client
from kctl.client.errors import ConnectionFailed

if TYPE_CHECKING:
    from controllers.kube_scheduler.extenders import Extenders
    from controllers.kube_scheduler.pod_writer import PodWriter
    from controllers.kube_scheduler.preemption.eviction import Evictions
    from controllers.kube_scheduler.waiting_pods import WaitingPod, WaitingPods

log = logging.getLogger(__name__)

_SLICE = 100
_TERMINAL = ("Succeeded", "Failed")
Extension = Callable[[], Awaitable[Callable[[Profile], Profile]]]
_ROOM_WAS_MADE = (ClusterChange(ClusterEvent.ASSIGNED_POD_DELETE),)
_PODS_CAME = (ClusterChange(ClusterEvent.ASSIGNED_POD_ADD), ClusterChange(ClusterEvent.ASSIGNED_POD_UPDATE))


@dataclass(frozen=True)
class Configured:
    """What a configuration file may bring beside a profile: more of them, their back-offs, extenders, and pods waiting for a permit."""

    profiles: tuple[Profile, ...] = ()
    backoff: tuple[float, float] = (INITIAL_BACKOFF_SECONDS, MAX_BACKOFF_SECONDS)
    extenders: Extenders | None = None
    waiting_pods: WaitingPods | None = None


class Scheduler:
    """Profiles over shared informers. `handle_pods` and `handle_nodes` are its informer handlers. `extensions` has, by what a pod
    may need (`PodShape.needs`), how to load the plugins for it: most clusters never need those, nor the caches behind them. `recorder` is
    that of the first profile."""

    def __init__(
        self,
        profile: Profile,
        client: Client,
        pods: Informer,
        recorder: EventRecorder,
        clock: Clock,
        randomness: random.Random,
        extensions: Mapping[str, Extension] | None = None,
        configured: Configured | None = None,
        cache: Cache | None = None,
    ) -> None:
        self._randomness = randomness
        self._client, self._clock = client, clock
        self._pods = pods
        self._recorder = recorder
        self._extensions = dict(extensions or {})
        self._loading = 0
        self._held: dict[str, None] = {}
        """Keys of pods that wait for plugins."""
        self.cache = Cache() if cache is None else cache
        self.decisions = Decisions(clock)
        self._evictions_begun = False
        self._resized: set[str] = set()
        """Assigned pods (uid) whose spec has changed."""
        self.namespace_labels: Callable[[str], Mapping[str, str]] = lambda name: {}
        """Known as soon as a pod has said something of others."""
        self._wake = asyncio.Event()
        configured = configured or Configured()
        self._extenders, self._waiting_pods = configured.extenders, configured.waiting_pods
        self.queue = SchedulingQueue(clock, profile.queue_sort.key, self._wake.set, configured.backoff)
        self._tasks: dict[asyncio.Task[None] | None, None] = {}
        self._recorders: dict[str, EventRecorder] = {profile.scheduler_name: recorder}
        self._use([profile, *configured.profiles])

    def _use(self, profiles: Sequence[Profile]) -> None:
        self.profiles = {profile.scheduler_name: profile for profile in profiles}
        """With what has been loaded so far, by the schedulerName of the pods they are for."""
        self._profile = profiles[0]
        reads = all_reads(profile.reads for profile in profiles)
        self.shapes = self._shapes = Shapes(reads)
        self._sees_metadata = bool(reads.metadata)
        for info in (*self.cache.pods(), *self.queue.pods()):
            info.shape = self._shapes.of(info.pod)
        self._wake_tables = {profile.scheduler_name: WakeTable(profile.refusing) for profile in profiles}
        self._assigners: dict[str, Assigner] = {
            profile.scheduler_name: (profile.assigner or Assigner)(profile, self.cache, self._randomness) for profile in profiles
        }
        self._assigner = self._assigners[self._profile.scheduler_name] if len(profiles) == 1 else None
        """The only one."""

    def _profile_of(self, info: PodInfo) -> Profile:
        return self._profile if self._assigner is not None else self.profiles[info.scheduler_name]

    def _recorder_for(self, info: PodInfo) -> EventRecorder:
        if self._assigner is not None:
            return self._recorder
        name = info.scheduler_name
        known = self._recorders.get(name)
        if known is None:
            known = self._recorders[name] = EventRecorder(self._client, self._clock, name, sink=self._recorder.sink)
        return known

    # ---- what the informers bring

    def handle_nodes(self, changes: Sequence[Change]) -> None:
        helpful = []
        for old, new in changes:
            if new is None:
                assert old is not None
                self.cache.remove_node(objects.name(old))
                helpful.append(ClusterChange(ClusterEvent.NODE_DELETE))
                continue
            change = node_change(old, new)
            if change:
                helpful.append(ClusterChange(change, self.cache.set_node(new)))
            elif objects.status(old or new).get("images") != objects.status(new).get("images"):
                self.cache.set_images(new)
        if helpful:
            self._moved(helpful)

    def handle_pods(self, changes: Sequence[Change]) -> None:
        left = came = False
        for old, new in changes:
            if new is None:
                assert old is not None
                left |= self._gone(old)
            elif (new["spec"].get("nodeName")) or _is_terminal(new):
                came = True
                left |= self._assigned(old, new)
            else:
                self._unassigned(old, new)
        if left:
            self._moved(_ROOM_WAS_MADE)
        if came and self._sees_metadata:
            self._moved(_PODS_CAME)

    def _moved(self, changes: Sequence[ClusterChange]) -> None:
        if self.queue.waiting():
            self.queue.move(self._helped_by(changes))

    def _helped_by(self, changes: Sequence[ClusterChange]) -> Callable[[QueuedPod], bool]:
        asked = {name: table.helped_by(changes) for name, table in self._wake_tables.items()}
        return lambda queued: asked[queued.info.scheduler_name](queued)

    def _gone(self, pod: Object) -> bool:
        uid = objects.uid(pod)
        self.queue.remove(uid)
        self.decisions.forget(uid)
        self._resized.discard(uid)
        held = self.cache.holds(uid)
        self.cache.remove_pod(uid)
        if self._waiting_pods is not None:
            self._waiting_pods.gone(uid)
        return held

    def _assigned(self, old: Object | None, pod: Object) -> bool:
        """True where room was made: the pod is finished, or asks for something else now."""
        if _is_terminal(pod):
            return self._gone(pod)
        if old is not None and old["spec"] is pod["spec"]:
            left = bool(self._resized) and objects.uid(pod) in self._resized and self._resize(pod)
            if "deletionTimestamp" in pod["metadata"] or (self._sees_metadata and objects.labels(old) != objects.labels(pod)):
                self._relabelled(pod)
            return left
        uid, node = objects.uid(pod), pod["spec"]["nodeName"]
        self.queue.remove(uid)
        was_assigned = old is not None and bool(old["spec"].get("nodeName"))
        if not was_assigned and self.cache.confirm(uid, node):
            return False
        info = PodInfo.of(pod, self._shapes)
        if "relations" in info.shape.needs:
            self._load_for(info)
        if was_assigned:
            self._resized.add(uid)
            return self._resize(pod)
        if old is None and (pod.get("status") or {}).get("containerStatuses"):
            self._resize(pod)
            return False
        self.cache.add_pod(info, node)
        return False

    def _resize(self, pod: Object) -> bool:
        """A pod whose spec has changed since it got its node. Whether room was made, perhaps."""
        from controllers.kube_scheduler.resizing import resized

        return self.cache.update_pod(resized(pod, self._shapes), pod["spec"]["nodeName"])

    def _relabelled(self, pod: Object) -> None:
        """Or it is leaving, and whoever was promised its node waits for it."""
        if self._sees_metadata:
            self.cache.replace_pod(PodInfo.of(pod, self._shapes))
        elif (info := self.cache.pod(objects.uid(pod))) is not None:
            info.pod = pod

    def _unassigned(self, old: Object | None, pod: Object) -> None:
        if (pod["spec"].get("schedulerName") or "default-scheduler") not in self.profiles:
            return
        uid = objects.uid(pod)
        if objects.deletion_timestamp(pod):
            self.queue.remove(uid)
            if self._waiting_pods is not None:
                self._waiting_pods.gone(uid)
        elif not self.cache.is_assumed(uid):
            info = PodInfo.of(pod, self._shapes)
            if info.shape.needs:
                self._load_for(info)
            if self._loading:
                self._held[info.key] = None
                return
            promised = (pod.get("status") or {}).get("nominatedNodeName")
            if promised and not self.cache.nomination_of(uid):  # before a restart, or by somebody else
                self.cache.nominate(info, promised)
            profile = self._profile if self._assigner is not None else self.profiles[info.scheduler_name]
            if all(plugin.pre_enqueue(info) is None for plugin in profile.pre_enqueue):
                self.queue.update(info)

    # ---- plugins for what few clusters have

    def _load_for(self, info: PodInfo) -> None:
        for need in sorted(info.shape.needs & self._extensions.keys()):
            self._loading += 1
            self.background(self._extend(self._extensions.pop(need)))

    async def load(self, need: str) -> None:
        self._loading += 1
        await self._extend(self._extensions.pop(need))

    async def load_for(self, pods: Sequence[Object]) -> None:
        """What it would load if these pods came."""
        needs = {need for pod in pods for need in self._shapes.of(pod).needs}
        for need in sorted(needs & self._extensions.keys()):
            await self.load(need)

    async def _extend(self, load: Extension) -> None:
        add = await load()
        self._use([add(profile) for profile in self.profiles.values()])
        self._loading -= 1
        if not self._loading:
            held, self._held = self._held, {}
            for key in held:
                present = self._pods.get(key)
                if present is not None and not present["spec"].get("nodeName") and not _is_terminal(present):
                    self._unassigned(None, present)

    def claims_changed(self, keys: Collection[str]) -> None:
        """Pods that were refused and use one of them are looked at again."""
        if self.queue.waiting():
            self.queue.move(lambda queued: queued.info.shape.has_claims and not set(claims_of(queued.info.pod)).isdisjoint(keys))

    def resource_claims_changed(self, keys: Collection[str], pods: Collection[Object], freed: bool) -> None:
        """`pods` have one of these claims: who waited for it comes into the queue, or is looked at again. Where devices were `freed`
        everybody is who could not get any."""
        for pod in pods:
            if not pod["spec"].get("nodeName") and not _is_terminal(pod):
                self._unassigned(None, pod)
        if freed:
            self.cluster_changed(ClusterEvent.RESOURCE_CLAIM)
        elif self.queue.waiting():
            uids = {objects.uid(pod) for pod in pods}
            self.queue.move(lambda queued: queued.info.uid in uids)

    def cluster_changed(self, event: ClusterEvent) -> None:
        self._moved((ClusterChange(event),))

    # ---- the loop

    async def run(self, stop: asyncio.Event) -> None:
        """Until `stop`; raises what the loop raises."""
        loop = asyncio.create_task(self._loop(), name="scheduling")
        stopping = asyncio.create_task(stop.wait())
        await asyncio.wait({loop, stopping}, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        crashed = loop.done()
        loop.cancel()
        await asyncio.gather(loop, *filter(None, self._tasks), return_exceptions=True)
        self.queue.close()
        if crashed:
            loop.result()

    async def _loop(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            batch = self.queue.pop_all()
            for start in range(0, len(batch), _SLICE):
                for queued in batch[start : start + _SLICE]:
                    if self._extenders is not None and self._extenders.concern(queued.info):
                        await self._schedule_with_extenders(queued, self._extenders)
                    else:
                        self.schedule_one(queued)
                await asyncio.sleep(0)  # a turn for the event loop, not a pause

    def schedule_one(self, queued: QueuedPod) -> None:
        """One scheduling cycle; what follows it (binding, condition, event) goes on in the background."""
        info = queued.info
        if not self._is_to_be_tried(queued):
            return
        try:
            found = (self._assigner or self._assigners[info.scheduler_name]).assign(info)
        except Exception as error:  # one pod a plugin cannot digest must not stop the others
            self._failed(queued, error)
            return
        self._decided(queued, found)

    async def _schedule_with_extenders(self, queued: QueuedPod, extenders: Extenders) -> None:
        """As upstream, the next pod waits until they have answered."""
        info = queued.info
        if not self._is_to_be_tried(queued):
            return
        try:
            found = await extenders.assign(self._profile_of(info), self.cache, self._randomness, info)
        except Exception as error:
            self._failed(queued, error)
            return
        if self._is_to_be_tried(queued):  # still
            self._decided(queued, found)
        elif isinstance(found, Placement):
            self.cache.forget(info)

    def _is_to_be_tried(self, queued: QueuedPod) -> bool:
        info = queued.info
        present = self._pods.get(info.key)
        if present is None or objects.uid(present) != info.uid or present["spec"].get("nodeName"):
            self.queue.done(queued)
            return False
        if self._evictions_begun and info.uid in self._evictions.under_way:
            self.queue.refused(queued, queued.unschedulable_plugins)
            return False
        return True

    def _failed(self, queued: QueuedPod, error: Exception) -> None:
        info = queued.info
        log.error("scheduling %s", info.key, exc_info=error)
        self.queue.refused(queued, (), error=True)
        self._say_why(info, "SchedulerError", told(error))

    def _decided(self, queued: QueuedPod, found: Placement | Refusal) -> None:
        info = queued.info
        if isinstance(found, Refusal):
            self.decisions.refused(info.uid, found)
            self.queue.refused(queued, found.plugins)
            if found.nomination is not None:
                self._evictions.preempt(info, found.nomination)
            self._say_why(info, "Unschedulable", found.message)
            return
        profile = self._profile if self._assigner is not None else self.profiles[info.scheduler_name]
        reserved = self._reserve(profile, info, found) if profile.reserve or profile.permit else None
        if isinstance(reserved, Status):
            self._refused(queued, found, reserved)
        else:
            self.decisions.placed(info.uid, found.node, found.merits)
            self.background(self._bind(profile, queued, found, reserved))

    def _reserve(self, profile: Profile, info: PodInfo, placement: Placement) -> Status | WaitingPod | None:
        """Reserve and Permit belong to the cycle: the next pod sees what this one took, and that it waits."""
        node, state, _ = placement
        waits: dict[str, float] = {}
        for reserve in profile.reserve:
            if (status := reserve.reserve(state, info, node)) is not None:
                return status
        for permit in profile.permit:
            permitted = permit.permit(state, info, node)
            if isinstance(permitted, Wait):
                waits[permit.name] = permitted.seconds
            elif permitted is not None:
                return permitted
        return self._waiting(info, node, waits) if waits else None

    def _waiting(self, info: PodInfo, node: str, waits: dict[str, float]) -> WaitingPod:
        from controllers.kube_scheduler.waiting_pods import WaitingPods

        if self._waiting_pods is None:
            self._waiting_pods = WaitingPods()
        return self._waiting_pods.add(info, node, waits)

    def _refused(self, queued: QueuedPod, placement: Placement, status: Status) -> None:
        """After it had been given a node."""
        self._give_back(queued.info, placement)
        self.queue.refused(queued, (status.plugin,) if status.plugin else ())
        self._say_why(queued.info, "Unschedulable", ", ".join(status.reasons))

    def _say_why(self, info: PodInfo, reason: str, message: str) -> None:
        self._recorder_for(info).event(info.pod, WARNING, "FailedScheduling", message, action="Scheduling")
        self.background(self._set_condition(info, reason, message))

    def background(self, work: Coroutine[Any, Any, None]) -> None:
        """Goes on beside the scheduling, and ends with it."""
        self._tasks[asyncio.get_running_loop().create_task(self._until_done(work))] = None

    async def _until_done(self, work: Coroutine[Any, Any, None]) -> None:
        """With no callback of the task's end, which would be a turn of the event loop for each pod."""
        try:
            await work
        finally:
            del self._tasks[asyncio.current_task()]

    # ---- binding

    async def _bind(self, profile: Profile, queued: QueuedPod, placement: Placement, waiting: WaitingPod | None) -> None:
        info, (node, state, _) = queued.info, placement
        try:
            status = await waiting.settled(self._clock) if waiting is not None else None
            if status is None:
                status = await binding_cycle(profile, self._extenders, info, placement)
        except Exception as error:
            self._give_back(info, placement)
            if isinstance(error, NotFound):
                self.queue.done(queued)
                return
            is_answer = isinstance(error, ApiError | ConnectionFailed)  # else of a plugin from outside, or an extender
            log.warning("binding %s to %s: %s", info.key, node, error, exc_info=None if is_answer else error)
            self._try_again(queued, f'running Bind plugin "{profile.bind[0].name}": {error}' if is_answer else told(error))
            return
        if status is not None and status.code is Code.ERROR:
            self._give_back(info, placement)
            self._try_again(queued, f'running PreBind plugin "{status.plugin}": {", ".join(status.reasons)}')
            return
        if status is not None:
            self._refused(queued, placement, status)
            return
        self.queue.done(queued)
        message = f"Successfully assigned {info.key} to {node}"
        recorder = self._recorder if self._assigner is not None else self._recorder_for(info)
        recorder.event(info.pod, NORMAL, "Scheduled", message, action="Binding")
        for plugin in profile.post_bind:
            plugin.post_bind(state, info, node)

    def _try_again(self, queued: QueuedPod, message: str) -> None:
        """After its back-off, unless somebody else has bound it."""
        info, present = queued.info, self._pods.get(queued.info.key)
        if present is None or objects.uid(present) != info.uid or present["spec"].get("nodeName"):
            self.queue.done(queued)
            return
        self.queue.refused(queued, (), error=True)
        self._say_why(info, "SchedulerError", message)

    def _give_back(self, info: PodInfo, placement: Placement) -> None:
        node, state, _ = placement
        for plugin in reversed(self._profile_of(info).reserve):
            plugin.unreserve(state, info, node)
        self.cache.forget(info)
        self._moved(_ROOM_WAS_MADE)

    # ---- saying why

    def assigner_for(self, pod: Object) -> Assigner:
        return self._assigner or self._assigners[pod["spec"].get("schedulerName") or "default-scheduler"]

    @cached_property
    def _writer(self) -> PodWriter:
        from controllers.kube_scheduler.pod_writer import PodWriter

        return PodWriter(self._client, self._clock)

    @cached_property
    def _evictions(self) -> Evictions:
        from controllers.kube_scheduler.preemption.eviction import Evictions

        self._evictions_begun = True
        return Evictions(self.cache, self._writer, self._recorder_for, self.background, lambda: self._moved(_ROOM_WAS_MADE))

    async def _set_condition(self, info: PodInfo, reason: str, message: str) -> None:
        present = self._pods.get(info.key)
        if present is not None and objects.uid(present) == info.uid:
            await self._writer.say_why(present, reason, message, self.cache.nomination_of(info.uid))


def _is_terminal(pod: Object) -> bool:
    return (pod.get("status") or {}).get("phase") in _TERMINAL
