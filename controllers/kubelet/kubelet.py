"""One node's agent: which pods it runs, their addresses, what they take; registration of its Node object."""

from __future__ import annotations

import logging
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from controllers.kubelet import admission, node_behaviour, node_status
from controllers.kubelet.context import KubeletContext
from controllers.kubelet.node_config import NodeConfig
from controllers.kubelet.pod_ips import PodAddresses
from controllers.kubelet.pod_worker import PodWorker, revision
from controllers.kubelet.runtime import ContainerRuntime
from controllers.runtime.events import EventRecorder
from kctl.apimachinery import objects
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import NODES
from kctl.apimachinery.status import AlreadyExists, Conflict
from kctl.client.client import Client

if TYPE_CHECKING:
    from controllers.kubelet.pressure import Evictions

_log = logging.getLogger(__name__)
_PRESSURE_EVENTS = {
    "memory": ("NodeHasInsufficientMemory", "NodeHasSufficientMemory"),
    "disk": ("NodeHasDiskPressure", "NodeHasNoDiskPressure"),
    "pid": ("NodeHasInsufficientPID", "NodeHasSufficientPID"),
}
MIRROR_ANNOTATION = "kubernetes.io/config.mirror"


class Kubelet:
    """`runtime` holds this node's images and containers, `runtime_of` those of pods by their RuntimeClass."""

    def __init__(
        self,
        config: NodeConfig,
        address: str,
        context: KubeletContext,
        runtime: ContainerRuntime,
        client: Client,
        recorder: EventRecorder,
        forget: Callable[[str], None],
        spawn: Callable[[Coroutine[Any, Any, None]], None],
        runtime_of: Callable[[Object], ContainerRuntime] | None = None,
    ) -> None:
        self.config = config
        self.name = config.name
        self.address = address
        self.host_ips = [{"ip": address}]
        self.context = context
        self.runtime = runtime
        self.runtime_of = runtime_of
        self.client = client
        self.node: Object = {}
        self.paused = False
        """The node is cut off (annotation kctl.dev/kubelet: stopped): no heartbeat, no work, nothing forgotten."""
        self.pod_defaults: Mapping[str, str] = {}
        """Settings that the node's annotations give to its pods."""
        self._reported: Object | None = None
        """The node's status that was found to be right."""
        self._state = node_behaviour.RUNNING
        self._pressures: tuple[str, ...] = ()
        self._evictions: Evictions | None = None
        self._annotations: Mapping[str, str] = {}
        self._spawn = spawn
        self._recorder = recorder
        self.event: Callable[..., None] = recorder.event
        self._forget = forget
        self._workers: dict[str, PodWorker] = {}
        self._usage = admission.NodeUsage(node_status.amounts(node_status.allocatable(config)))
        self._addresses: PodAddresses | None = None
        self._waiting_for_address: dict[str, PodWorker] = {}
        self._unsized: dict[str, PodWorker] = {}
        """Those whose resize is deferred until others leave."""
        self._held: dict[str, Object | None] = {}

    # ---- the Node object

    async def register(self) -> None:
        """Create the Node, or take over the one that is there and bring it up to date."""
        wanted = node_status.node(self.config, self.address, self.runtime, self.context.stamp())
        try:
            present = await self.client.create(NODES, wanted)
        except AlreadyExists:
            present = await self.client.get(NODES, self.name)
            relabelled = node_status.reconciled_labels(present, self.config)
            if relabelled is not None:
                present = await self.client.update(NODES, relabelled)
        self.node_updated(present)
        if self.paused:
            return  # still dead after a restart of the control plane
        if not objects.is_condition_true(present, "Ready"):
            await self.report_status()
        for reason, message in node_status.START_EVENTS:
            self.node_event("Normal", reason, message.format(node=self.name))

    async def report_status(self) -> None:
        """The five-minute report; its heartbeat times show that the kubelet lives."""
        for _ in range(3):
            try:
                self.node_updated(await self.client.update_status(NODES, {**self.node, "status": self._node_status()}))
                self._reported = objects.status(self.node)
                return
            except Conflict:
                self.node_updated(await self.client.get(NODES, self.name))

    def _node_status(self) -> Object:
        ready = self._state != node_behaviour.NOT_READY
        old = objects.status(self.node)
        return node_status.status(
            self.config, self.address, self.runtime, self.context.stamp(), old, ready=ready, pressures=self._pressures
        )

    @property
    def has_to_report(self) -> bool:
        """Whether the status says what is not so, or not all that is: somebody else has written into it."""
        shown = objects.status(self.node)
        if shown is self._reported:
            return False
        self._reported = shown
        return node_status.says_more(self._node_status(), shown)

    def node_updated(self, node: Object) -> None:
        """Own writes and the informer's news; the pod CIDR arrives this way."""
        if self.node and revision(node) <= revision(self.node) and objects.uid(node) == objects.uid(self.node):
            return
        self.node = node
        annotations = objects.annotations(node)
        if annotations != self._annotations:
            self._annotations = annotations
            self._behave(node)
        shown = objects.status(node).get("allocatable")
        if shown:
            self._usage.allocatable = node_status.amounts(shown)
        cidr = objects.spec(node).get("podCIDR")
        if cidr and (self._addresses is None or self._addresses.cidr != cidr):
            self._addresses = PodAddresses(cidr)
            for worker in self._workers.values():
                self._addresses.reserve(worker.ip)
            self._serve_waiting()

    def node_event(self, type: str, reason: str, message: str) -> None:
        self._recorder.event(node_status.event_reference(self.name), type, reason, message)

    def _behave(self, node: Object) -> None:
        """The node's annotations changed."""
        for problem in node_behaviour.node_problems(self._annotations):
            self.node_event("Warning", "InvalidAnnotation", problem)
        self.pod_defaults = node_behaviour.pod_defaults(node)
        before, self._state = self._state, node_behaviour.kubelet_state(node)
        if (pressures := node_behaviour.pressures(node)) != self._pressures:
            self._press(pressures)
        if self._state == before:
            return
        self.paused = self._state == node_behaviour.STOPPED
        if self._state != node_behaviour.STOPPED:
            self._spawn(self._tell_state(before))
        if self._state == node_behaviour.RUNNING:
            self._serve_held()

    def _press(self, pressures: tuple[str, ...]) -> None:
        """Something runs out, or does not any more."""
        from controllers.kubelet import pressure

        before, self._pressures = self._pressures, pressures
        if self._evictions is None:
            self._evictions = pressure.Evictions(
                self.context.clock,
                lambda: list(self._workers.values()),
                lambda: self._pressures if not self.paused else (),
                lambda: self.pod_defaults,
                self.node_event,
            )
        self._spawn(self._tell_pressures(before))
        self._evictions.begin()

    async def _tell_pressures(self, before: Sequence[str]) -> None:
        await self.report_status()
        for kind, (bad, good) in _PRESSURE_EVENTS.items():
            if (kind in self._pressures) != (kind in before):
                reason = bad if kind in self._pressures else good
                self.node_event("Normal", reason, f"Node {self.name} status is now: {reason}")

    async def _tell_state(self, before: str) -> None:
        """A kubelet that is back, or lost its runtime, reports at once."""
        await self.report_status()
        ready = "NodeReady" if self._state == node_behaviour.RUNNING else "NodeNotReady"
        if before == node_behaviour.STOPPED and self._state == node_behaviour.RUNNING:
            self.node_event("Normal", "Starting", "Starting kubelet.")
        self.node_event("Normal", ready, f"Node {self.name} status is now: {ready}")

    def _serve_held(self) -> None:
        held, self._held = self._held, {}
        for pod in held.values():
            if pod is not None:
                self.pod_changed(pod)

    # ---- pods

    def pod_changed(self, pod: Object) -> None:
        """A pod bound to this node appeared or changed."""
        uid = pod["metadata"]["uid"]
        if self._state != node_behaviour.RUNNING:
            self._held[uid] = pod
            return
        worker = self._workers.get(uid)
        if worker is not None:
            worker.written(pod)
            return
        annotations = pod["metadata"].get("annotations")
        if annotations and MIRROR_ANNOTATION in annotations:
            return  # the static pod runner's
        self._add(pod, uid)

    def _name_problems(self, pod: Object, annotations: Mapping[str, str]) -> None:
        for problem in node_behaviour.pod_problems(annotations, node_behaviour.container_names(pod["spec"])):
            self.event(pod, "Warning", "InvalidAnnotation", problem)

    def _add(self, pod: Object, uid: str) -> None:
        status = pod.get("status") or {}
        worker = self._workers[uid] = PodWorker(self, pod)
        if status.get("startTime") or status.get("phase") in ("Succeeded", "Failed"):
            if status.get("phase") not in ("Succeeded", "Failed"):
                if objects.condition(pod, "PodResizePending") is not None:
                    from controllers.kubelet import resize

                    resize.recall(worker)
                    self._unsized[uid] = worker
                self._usage.add(worker.allocated)
                worker.counted = True
            self.reserve_address(pod)
            worker.adopt()
            if worker.deleting:
                worker.terminate()
            else:
                worker.retry_resize()
            return
        if worker.deleting:
            worker.terminate()
            return
        refused = admission.problem(pod, objects.labels(self.node), self.name, self._usage)
        if self._pressures and refused is None:
            from controllers.kubelet import pressure

            refused = pressure.refused(pod, self._pressures)
        if refused is not None:
            worker.refuse(*refused)
            return
        self._usage.add(pod["spec"])
        worker.counted = True
        annotations = pod["metadata"].get("annotations")
        if annotations:
            self._name_problems(pod, annotations)
        worker.start()

    def pod_removed(self, pod: Object) -> None:
        """The API object is gone, by this kubelet's deletion or by force."""
        self._held.pop(pod["metadata"]["uid"], None)
        worker = self._workers.get(pod["metadata"]["uid"])
        if worker is not None:
            self.pod_gone(worker)

    def pod_gone(self, worker: PodWorker) -> None:
        if self._workers.pop(worker.uid, None) is None:
            return
        self.pod_ended(worker)
        worker.removed()
        self._forget(worker.uid)

    def pod_ended(self, worker: PodWorker) -> None:
        """Nothing of it runs any more: its resources are free."""
        if worker.counted:
            worker.counted = False
            self._usage.remove(worker.allocated)
            self._unsized.pop(worker.uid, None)
            self._serve_unsized()

    def try_resize(self, worker: PodWorker, spec: Object) -> tuple[str, str] | None:
        """Counts the pod with its new size, or says (reason, message) why it has to stay as it is."""
        from controllers.kubelet import resize

        self._unsized.pop(worker.uid, None)
        problem = resize.problem(spec, worker.allocated, self._usage)
        if problem is None:
            self._usage.remove(worker.allocated)
            self._usage.add(spec)
            if self._unsized:
                self.context.clock.call_later(0.0, self._serve_unsized)
        elif problem[0] == resize.DEFERRED:
            self._unsized[worker.uid] = worker
        return problem

    def _serve_unsized(self) -> None:
        """There may be room now for pods that want another size."""
        for worker in list(self._unsized.values()):
            worker.retry_resize()

    def runs(self, pod: Object) -> bool:
        return pod["metadata"]["uid"] in self._workers

    def worker(self, uid: str) -> PodWorker | None:
        return self._workers.get(uid)

    def stop(self) -> None:
        """Containers are left as they are."""
        if self._evictions is not None:
            self._evictions.stop()
        for worker in self._workers.values():
            worker.detach()

    def node_deleted(self) -> None:
        """Somebody deleted the Node: what it ran is on its own, as with a kubelet whose node is gone."""
        for worker in list(self._workers.values()):
            self.pod_gone(worker)

    # ---- addresses

    def allocate_address(self, worker: PodWorker) -> str:
        """'' while the node has no pod CIDR; the worker is resumed when it has one. A simulated node may be given more
        pods than a /24 holds, so a full range is no failure."""
        if worker.runtime.addresses is not None:
            return worker.runtime.addresses.allocate()
        if self._addresses is None:
            self._waiting_for_address[worker.uid] = worker
            return ""
        return self._addresses.allocate() or self.context.overflow.allocate()

    def release_address(self, worker: PodWorker) -> None:
        if worker.runtime.addresses is not None:
            worker.runtime.addresses.release(worker.ip)
            return
        if self._addresses is not None:
            self._addresses.release(worker.ip)
        self.context.overflow.release(worker.ip)

    def reserve_address(self, pod: Object) -> None:
        """The one it has already, if any. For every pod that an earlier kubelet ran before the first new one is given an address."""
        address = objects.status(pod).get("podIP")
        if not address:
            return
        if self.runtime_of is not None and (given := self.runtime_of(pod).addresses) is not None:
            given.reserve(address)
            return
        if self._addresses is not None:
            self._addresses.reserve(address)
        self.context.overflow.reserve(address)

    def _serve_waiting(self) -> None:
        waiting, self._waiting_for_address = self._waiting_for_address, {}
        for worker in waiting.values():
            worker.resume()
