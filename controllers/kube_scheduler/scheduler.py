"""The scheduling loop: takes active pods, finds each a node, binds in the background, says why where there is none.

Choosing is synchronous and quick, so that one pod sees where the last one went; binding is not waited for. In between,
the event loop gets a turn every few milliseconds.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Collection, Coroutine, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from controllers.kube_scheduler.assignment import Assigner, Placement, Refusal
from controllers.kube_scheduler.cache import Cache
from controllers.kube_scheduler.decisions import Decisions
from controllers.kube_scheduler.events_to_wake import ClusterChange, WakeTable, node_change
from controllers.kube_scheduler.framework import ClusterEvent, Code, Nomination, PluginFailed, Status
from controllers.kube_scheduler.pod_info import PodInfo, QueuedPod, Shapes
from controllers.kube_scheduler.profile import Profile
from controllers.kube_scheduler.queue import SchedulingQueue
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
    from controllers.kube_scheduler.pod_writer import PodWriter

log = logging.getLogger(__name__)

_SLICE = 100
_TERMINAL = ("Succeeded", "Failed")
Extension = Callable[[], Awaitable[Callable[[Profile], Profile]]]
_ROOM_WAS_MADE = (ClusterChange(ClusterEvent.ASSIGNED_POD_DELETE),)
_PODS_CAME = (ClusterChange(ClusterEvent.ASSIGNED_POD_ADD), ClusterChange(ClusterEvent.ASSIGNED_POD_UPDATE))


class Scheduler:
    """One profile over shared informers. `handle_pods` and `handle_nodes` are its informer handlers. `extensions` has, by what a pod
    may need (`PodShape.needs`), how to load the plugins for it: most clusters never need those, nor the caches behind them."""

    def __init__(
        self,
        profile: Profile,
        client: Client,
        pods: Informer,
        recorder: EventRecorder,
        clock: Clock,
        randomness: random.Random,
        extensions: Mapping[str, Extension] | None = None,
    ) -> None:
        self._randomness = randomness
        self._client, self._clock = client, clock
        self._pods = pods
        self._recorder = recorder
        self._extensions = dict(extensions or {})
        self._loading = 0
        self._held: dict[str, None] = {}
        """Keys of pods that wait for plugins."""
        self._preempting: set[str] = set()
        """Pods (uid) whose victims are being told to go."""
        self.cache = Cache()
        self.decisions = Decisions(clock)
        self.namespace_labels: Callable[[str], Mapping[str, str]] = lambda name: {}
        """Known as soon as a pod has said something of others."""
        self._wake = asyncio.Event()
        self.queue = SchedulingQueue(clock, profile.queue_sort.key, self._wake.set)
        self._tasks: dict[asyncio.Task[None] | None, None] = {}
        self._use(profile)

    def _use(self, profile: Profile) -> None:
        self._profile = profile
        self._shapes = Shapes(profile.reads)
        self._sees_metadata = bool(profile.reads.metadata)
        for info in (*self.cache.pods(), *self.queue.pods()):
            info.shape = self._shapes.of(info.pod)
        self._wake_table = WakeTable(profile.refusing)
        self._assigner = Assigner(profile, self.cache, self._randomness)

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
            self.queue.move(self._wake_table.helped_by(changes))

    def _gone(self, pod: Object) -> bool:
        uid = objects.uid(pod)
        self.queue.remove(uid)
        self.decisions.forget(uid)
        held = self.cache.holds(uid)
        self.cache.remove_pod(uid)
        self._preempting.discard(uid)
        return held

    def _assigned(self, old: Object | None, pod: Object) -> bool:
        """True where room was made: the pod is finished, or asks for something else now."""
        if _is_terminal(pod):
            return self._gone(pod)
        if old is not None and old["spec"] is pod["spec"]:
            if "deletionTimestamp" in pod["metadata"] or (self._sees_metadata and objects.labels(old) != objects.labels(pod)):
                self._relabelled(pod)
            return False
        uid, node = objects.uid(pod), pod["spec"]["nodeName"]
        self.queue.remove(uid)
        was_assigned = old is not None and bool(old["spec"].get("nodeName"))
        if not was_assigned and self.cache.confirm(uid, node):
            return False
        info = PodInfo.of(pod, self._shapes)
        if "relations" in info.shape.needs:
            self._load_for(info)
        if was_assigned:
            return self.cache.update_pod(info, node)
        self.cache.add_pod(info, node)
        return False

    def _relabelled(self, pod: Object) -> None:
        """Or it is leaving, and whoever was promised its node waits for it."""
        if self._sees_metadata:
            self.cache.replace_pod(PodInfo.of(pod, self._shapes))
        elif (info := self.cache.pod(objects.uid(pod))) is not None:
            info.pod = pod

    def _unassigned(self, old: Object | None, pod: Object) -> None:
        if (pod["spec"].get("schedulerName") or "default-scheduler") != self._profile.scheduler_name:
            return
        uid = objects.uid(pod)
        if objects.deletion_timestamp(pod):
            self.queue.remove(uid)
        elif not self.cache.is_assumed(uid):
            info = PodInfo.of(pod, self._shapes)
            if info.shape.needs:
                self._load_for(info)
            if self._loading:
                self._held[info.key] = None
                return
            if promised := (pod.get("status") or {}).get("nominatedNodeName"):
                self._promised(info, promised)
            if all(plugin.pre_enqueue(info) is None for plugin in self._profile.pre_enqueue):
                self.queue.update(info)

    def _promised(self, info: PodInfo, node: str) -> None:
        """Before a restart, or by somebody else."""
        if not self.cache.nomination_of(info.uid):
            self.cache.nominate(info, node)

    # ---- plugins for what few clusters have

    def _load_for(self, info: PodInfo) -> None:
        for need in sorted(info.shape.needs & self._extensions.keys()):
            self._loading += 1
            self.background(self._extend(self._extensions.pop(need)))

    async def load_for(self, pods: Sequence[Object]) -> None:
        """What it would load if these pods came."""
        needs = {need for pod in pods for need in self._shapes.of(pod).needs}
        for need in sorted(needs & self._extensions.keys()):
            self._loading += 1
            await self._extend(self._extensions.pop(need))

    async def _extend(self, load: Extension) -> None:
        add = await load()
        self._use(add(self._profile))
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
                    self.schedule_one(queued)
                await asyncio.sleep(0)  # a turn for the event loop, not a pause

    def schedule_one(self, queued: QueuedPod) -> None:
        """One scheduling cycle; what follows it (binding, condition, event) goes on in the background."""
        info = queued.info
        present = self._pods.get(info.key)
        if present is None or objects.uid(present) != info.uid or present["spec"].get("nodeName"):
            self.queue.done(queued)
            return
        if info.uid in self._preempting:
            self.queue.refused(queued, queued.unschedulable_plugins)
            return
        try:
            found = self._assigner.assign(info)
        except PluginFailed as error:
            self.queue.refused(queued, (), error=True)
            self._say_why(info, "SchedulerError", str(error))
            return
        except Exception as error:  # one pod a plugin cannot digest must not stop the others
            log.exception("scheduling %s", info.key)
            self.queue.refused(queued, (), error=True)
            self._say_why(info, "SchedulerError", f"{type(error).__name__}: {error}")
            return
        if isinstance(found, Refusal):
            self.decisions.refused(info.uid, found)
            self.queue.refused(queued, found.plugins)
            if found.nomination is not None:
                self._preempt(info, found.nomination)
            self._say_why(info, "Unschedulable", found.message)
        elif (status := self._reserve(info, found)) is not None:
            self._refused(queued, found, status)
        else:
            self.decisions.placed(info.uid, found.node, found.merits)
            self.background(self._bind(queued, found))

    def _reserve(self, info: PodInfo, placement: Placement) -> Status | None:
        """Reserve and Permit belong to the cycle: the next pod sees what this one took."""
        node, state, _ = placement
        for reserve in self._profile.reserve:
            if (status := reserve.reserve(state, info, node)) is not None:
                return status
        for permit in self._profile.permit:
            if (status := permit.permit(state, info, node)) is not None:
                return status
        return None

    def _refused(self, queued: QueuedPod, placement: Placement, status: Status) -> None:
        """After it had been given a node."""
        self._give_back(queued.info, placement)
        self.queue.refused(queued, (status.plugin,))
        self._say_why(queued.info, "Unschedulable", ", ".join(status.reasons))

    def _say_why(self, info: PodInfo, reason: str, message: str) -> None:
        self._recorder.event(info.pod, WARNING, "FailedScheduling", message, action="Scheduling")
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

    # ---- preemption

    def _preempt(self, info: PodInfo, nomination: Nomination) -> None:
        """The node is promised at once; whoever of lower priority was promised it before has to look elsewhere."""
        node = self.cache.node(nomination.node)
        for other in list(node.nominated.values()) if node is not None else ():
            if other.priority < info.priority:
                self.cache.forget_nomination(other.uid)
                self.background(self._write_status(other, {"nominatedNodeName": None}))
        self.cache.nominate(info, nomination.node)
        self._preempting.add(info.uid)
        self.background(self._evict(info, nomination))

    async def _evict(self, info: PodInfo, nomination: Nomination) -> None:
        evicted = [victim for victim in nomination.victims if not victim.pod["metadata"].get("deletionTimestamp")]
        try:
            await asyncio.gather(*(self._evict_one(info, victim, nomination.node) for victim in evicted))
        finally:
            self._preempting.discard(info.uid)
        if not all(self.cache.holds(victim.uid) for victim in nomination.victims):  # gone already: nobody will say so again
            self._moved(_ROOM_WAS_MADE)

    async def _evict_one(self, info: PodInfo, victim: PodInfo, node: str) -> None:
        try:
            await self._writer.evict(victim.pod, self._profile.scheduler_name)
        except NotFound:
            return
        except (ApiError, ConnectionFailed) as error:
            log.warning("evicting %s for %s: %s", victim.key, info.key, error)
            return
        told = f"Preempted by pod {info.uid} on node {node}"
        self._recorder.event(victim.pod, NORMAL, "Preempted", told, action="Preempting", related=info.pod)

    # ---- binding

    async def _bind(self, queued: QueuedPod, placement: Placement) -> None:
        info, (node, state, _) = queued.info, placement
        try:
            status = await self._binding_cycle(info, placement)
        except NotFound:
            self._give_back(info, placement)
            self.queue.done(queued)
            return
        except (ApiError, ConnectionFailed) as error:
            log.warning("binding %s to %s: %s", info.key, node, error)
            self._give_back(info, placement)
            self._try_again(queued, f'running Bind plugin "{self._profile.bind[0].name}": {error}')
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
        self._recorder.event(info.pod, NORMAL, "Scheduled", message, action="Binding")
        for plugin in self._profile.post_bind:
            plugin.post_bind(state, info, node)

    def _try_again(self, queued: QueuedPod, message: str) -> None:
        """After its back-off, unless somebody else has bound it."""
        info, present = queued.info, self._pods.get(queued.info.key)
        if present is None or objects.uid(present) != info.uid or present["spec"].get("nodeName"):
            self.queue.done(queued)
            return
        self.queue.refused(queued, (), error=True)
        self._say_why(info, "SchedulerError", message)

    async def _binding_cycle(self, info: PodInfo, placement: Placement) -> Status | None:
        node, state, _ = placement
        for pre_bind in self._profile.pre_bind:
            if (status := await pre_bind.pre_bind(state, info, node)) is not None:
                return status
        return await self._profile.bind[0].bind(state, info, node)

    def _give_back(self, info: PodInfo, placement: Placement) -> None:
        node, state, _ = placement
        for plugin in reversed(self._profile.reserve):
            plugin.unreserve(state, info, node)
        self.cache.forget(info)
        self._moved(_ROOM_WAS_MADE)

    # ---- saying why

    @property
    def profile(self) -> Profile:
        """With what has been loaded so far."""
        return self._profile

    @property
    def assigner(self) -> Assigner:
        return self._assigner

    @property
    def shapes(self) -> Shapes:
        return self._shapes

    @cached_property
    def _writer(self) -> PodWriter:
        """Imported with the first pod that finds no node."""
        from controllers.kube_scheduler.pod_writer import PodWriter

        return PodWriter(self._client, self._clock)

    async def _set_condition(self, info: PodInfo, reason: str, message: str) -> None:
        present = self._pods.get(info.key)
        if present is None or objects.uid(present) != info.uid:
            return
        old = objects.condition(present, "PodScheduled") or {}
        promised = self.cache.nomination_of(info.uid)
        is_known = (present.get("status") or {}).get("nominatedNodeName", "") == promised
        if is_known and (old.get("status"), old.get("reason"), old.get("message")) == ("False", reason, message):
            return
        condition = self._writer.condition(present, "PodScheduled", "False", reason, message)
        status: Object = {"conditions": [condition]}
        if promised:
            status["nominatedNodeName"] = promised
        await self._write_status(info, status)

    async def _write_status(self, info: PodInfo, status: Object) -> None:
        try:
            await self._writer.patch_status(info.pod, status)
        except (ApiError, ConnectionFailed) as error:
            log.warning("status of %s: %s", info.key, error)


def _is_terminal(pod: Object) -> bool:
    return (pod.get("status") or {}).get("phase") in _TERMINAL
