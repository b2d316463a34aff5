"""One pod on one node, from admission to its last status (the kubelet's pod worker and sync loop).

`advance` starts whatever may start next and is called after every change; `changed` asks for a status write, which
happens once however many changes led to it. Nothing here awaits: a pod without delays is running when `start` returns.
"""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Protocol

from controllers.kubelet import pod_status
from controllers.kubelet.container import ContainerWorker
from controllers.kubelet.context import KubeletContext
from controllers.kubelet.phases import ContainerKind, ContainerPhase
from controllers.kubelet.references import missing_volume
from controllers.kubelet.restart_policy import restarts
from controllers.kubelet.runtime import ContainerRuntime
from kctl.apimachinery import objects, times
from kctl.apimachinery.clock import Timer
from kctl.apimachinery.objects import Object
from kctl.client.client import Client

DEFAULT_GRACE_SECONDS = 30.0
RECONCILE_SECONDS = 10.0
"""After which a kubelet puts right what others have written into a pod's status."""
_DEADLINE = "DeadlineExceeded"
_DEADLINE_MESSAGE = "Pod was active on the node longer than the specified deadline"


class PodNode(pod_status.NodeAddresses, Protocol):
    """What a pod asks of the kubelet of its node."""

    context: KubeletContext
    runtime: ContainerRuntime
    runtime_of: Callable[[Object], ContainerRuntime] | None
    """By the pod's RuntimeClass; None where all pods have `runtime`."""
    client: Client

    def allocate_address(self, worker: PodWorker) -> str:
        """'' while there is none; the worker is resumed when there is."""
        ...

    def release_address(self, worker: PodWorker) -> None: ...

    def event(self, pod: Object, type: str, reason: str, message: str, field_path: str = "") -> None: ...

    def try_resize(self, worker: PodWorker, spec: Object) -> tuple[str, str] | None:
        """Counts the pod with its new size, or says (reason, message) why it has to stay as it is."""
        ...

    def pod_ended(self, worker: PodWorker) -> None:
        """Nothing of it runs any more."""
        ...

    def pod_gone(self, worker: PodWorker) -> None:
        """The API object is not there any more."""
        ...


class PodWorker:
    __slots__ = (
        "_deadline",
        "_grace",
        "_told_mount",
        "allocated",
        "containers",
        "context",
        "counted",
        "deletion_due",
        "ephemeral",
        "failure",
        "gone",
        "init",
        "ip",
        "node",
        "pod",
        "resize_pending",
        "runtime",
        "sandbox",
        "start_time",
        "stopping",
        "told",
        "uid",
    )

    def __init__(self, node: PodNode, pod: Object) -> None:
        self.node = node
        self.context = node.context
        self.runtime = node.runtime if node.runtime_of is None else node.runtime_of(pod)
        self.pod = pod
        self.uid = str(pod["metadata"].get("uid") or "")
        self.init, self.containers = workers_for(self, pod)
        self.ephemeral: list[ContainerWorker] = []
        self.allocated: Object = pod["spec"]
        """The spec with the resources that the node has given the pod."""
        self.resize_pending: tuple[str, str] | None = None
        """(reason, message) why it does not have the size that its spec asks for."""
        self.told: Object | None = None
        """The status as this kubelet has written it last."""
        self.ip = ""
        self.sandbox = False
        self.start_time = ""
        self.failure: tuple[str, str] | None = None
        """(reason, message) of a pod that the kubelet ended itself; its phase is Failed whatever its containers say."""
        self.stopping = False
        """No container starts any more: the pod is being deleted, has ended or was refused."""
        self.gone = False
        self.counted = False
        """Its requests are counted against the node's allocatable."""
        self.deletion_due = False
        """It is being deleted and has stopped."""
        self._deadline: Timer | None = None
        self._grace: float | None = None
        self._told_mount = ""

    # ---- facts

    @property
    def full_name(self) -> str:
        """As kubelets print pods: name_namespace(uid)."""
        return f"{objects.name(self.pod)}_{objects.namespace(self.pod)}({self.uid})"

    @property
    def client(self) -> Client:
        return self.node.client

    @property
    def restart_policy(self) -> str:
        return str(objects.spec(self.pod).get("restartPolicy") or "Always")

    @property
    def grace_seconds(self) -> float:
        if self._grace is not None:
            return self._grace
        seconds = objects.spec(self.pod).get("terminationGracePeriodSeconds")
        return DEFAULT_GRACE_SECONDS if seconds is None else float(seconds)

    @property
    def host_network(self) -> bool:
        return bool(objects.spec(self.pod).get("hostNetwork"))

    @property
    def deleting(self) -> bool:
        return bool(self.pod["metadata"].get("deletionTimestamp"))

    @property
    def alive(self) -> bool:
        return any(worker.alive for worker in (*self.sized, *self.ephemeral))

    @property
    def terminal(self) -> bool:
        """It will never run again and nothing of it still runs."""
        return self.stopping and not self.alive

    def container(self, name: str) -> ContainerWorker | None:
        return next((each for each in (*self.sized, *self.ephemeral) if each.name == name), None)

    # ---- beginning

    def start(self) -> None:
        """A pod that is new to this node and passed admission."""
        self.start_time = self.context.stamp()
        self._arm_deadline(runs=False)
        self._set_up()

    def refuse(self, reason: str, message: str) -> None:
        """Admission on the node failed."""
        self.start_time = self.context.stamp()
        self.event("Warning", reason, message)
        self.failure = (reason, f"Pod was rejected: {message}")
        self.stopping = True
        self.changed()

    def adopt(self) -> None:
        """A pod that an earlier kubelet of this node already ran."""
        status = objects.status(self.pod)
        self.start_time = str(status.get("startTime") or "")
        if status.get("phase") in ("Succeeded", "Failed"):
            self.stopping = True
            if status.get("reason"):
                self.failure = (str(status["reason"]), str(status.get("message") or ""))
        self.ip = "" if self.host_network or self.stopping else str(status.get("podIP") or "")
        self.sandbox = bool(status.get("podIP")) and not self.stopping
        known = {
            container["name"]: container
            for field in ("initContainerStatuses", "containerStatuses", "ephemeralContainerStatuses")
            for container in status.get(field) or ()
        }
        self._add_ephemeral()
        for worker in (*self.sized, *self.ephemeral):
            if worker.name in known:
                worker.adopt(known[worker.name])
        if self.stopping:
            self._delete_if_due()
            return
        self._arm_deadline(runs=True)
        if not self.sandbox:
            self._set_up()
            return
        for worker in self.sized:
            if worker.phase is ContainerPhase.EXITED:
                self._after_exit(worker, worker.seconds_since_exit())
            elif worker.phase is ContainerPhase.WAITING:
                worker.schedule_restart(worker.seconds_since_exit())
        self.advance()
        if not objects.is_condition_true(self.pod, "Ready"):
            self.changed()  # while no kubelet was there the node controller may have said that it is not

    def _arm_deadline(self, *, runs: bool) -> None:
        age_seconds = (self.context.clock.now() - times.parse(self.start_time)).total_seconds() if runs and self.start_time else 0.0
        seconds = objects.spec(self.pod).get("activeDeadlineSeconds")
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
        if seconds is not None and not self.stopping:
            self._deadline = self.context.clock.call_later(max(float(seconds) - age_seconds, 0.0), self._deadline_passed)

    def _deadline_passed(self) -> None:
        if not self.stopping:
            self.event("Normal", _DEADLINE, _DEADLINE_MESSAGE)
            self.end(_DEADLINE, _DEADLINE_MESSAGE)

    def _set_up(self) -> None:
        """Volumes, then the sandbox with its address, then the containers."""
        if self.stopping or self.sandbox:
            return
        missing = missing_volume(self.pod, self.context.lookup)
        if missing is not None:
            if missing.message and missing.message != self._told_mount:
                self._told_mount = missing.message
                self.event("Warning", missing.reason, missing.message)
            self.context.wait_for(missing, self)
            self.changed()
            return
        if not self.host_network:
            self.ip = self.ip or self.node.allocate_address(self)
            if not self.ip:
                self.changed()
                return
        self.sandbox = True
        self.changed()
        self.advance()

    def resume(self) -> None:
        """Something it waited for has appeared: an object, or an address."""
        if self.gone or self.stopping:
            return
        if not self.sandbox:
            self._set_up()
        else:
            self._retry()

    def _retry(self) -> None:
        for worker in self.sized:
            worker.retry()
        self.advance()

    # ---- running

    def advance(self) -> None:
        """Start every container that may start now, one after the other; each is looked for anew, so it does not matter what
        the start of one has led to. Ephemeral ones wait for nobody."""
        while (worker := self._next_to_start()) is not None:
            worker.begin()

    def _next_to_start(self) -> ContainerWorker | None:
        if self.stopping or not self.sandbox:
            return None
        for worker in self.ephemeral:
            if worker.phase is ContainerPhase.IDLE:
                return worker
        for worker in self.init:
            if worker.phase is ContainerPhase.IDLE:
                return worker
            if not self._is_past(worker):
                return None
        for worker in self.containers:
            if worker.phase is ContainerPhase.IDLE:
                return worker
        return None

    @staticmethod
    def _is_past(worker: ContainerWorker) -> bool:
        """Whether the container after this init container may start."""
        if worker.kind is ContainerKind.SIDECAR:
            return worker.running and worker.started
        return worker.phase is ContainerPhase.EXITED and worker.exit_code == 0

    @property
    def initialized(self) -> bool:
        if not self.init:
            return True
        return all(worker.started if worker.kind is ContainerKind.SIDECAR else self._is_past(worker) for worker in self.init)

    def container_exited(self, worker: ContainerWorker) -> None:
        if self.stopping:
            self._continue_stopping()
        else:
            self._after_exit(worker, 0.0)

    def _after_exit(self, worker: ContainerWorker, ago_seconds: float) -> None:
        code = worker.exit_code or 0
        if worker.kind is ContainerKind.EPHEMERAL:
            return
        respawns = worker.respawns and self.restart_policy != "Never"
        if respawns or restarts(worker.spec, self.restart_policy, worker.kind, code):
            worker.schedule_restart(ago_seconds)
        elif worker.kind is ContainerKind.INIT and code == 0:
            self.advance()
        elif worker.kind is ContainerKind.INIT or all(self._has_ended(each) for each in self.containers):
            self._begin_stopping(self.grace_seconds)

    def _has_ended(self, worker: ContainerWorker) -> bool:
        """For good."""
        if worker.phase is not ContainerPhase.EXITED:
            return False
        return not restarts(worker.spec, self.restart_policy, worker.kind, worker.exit_code or 0)

    def changed(self) -> None:
        self.context.writer.want_status(self)

    def event(self, type: str, reason: str, message: str, field_path: str = "") -> None:
        self.node.event(self.pod, type, reason, message, field_path)

    # ---- ending

    def end(self, reason: str, message: str) -> None:
        """The kubelet ends the pod: deadline, eviction."""
        self.failure = (reason, message)
        self._begin_stopping(self.grace_seconds)
        self.changed()

    def pod_updated(self, pod: Object) -> None:
        """The API's newer version of the same pod."""
        old, self.pod = self.pod, pod
        before, after = old["metadata"], pod["metadata"]
        if after.get("deletionTimestamp"):
            granted = after.get("deletionGracePeriodSeconds")
            grace = DEFAULT_GRACE_SECONDS if granted is None else float(granted)
            if not before.get("deletionTimestamp") or grace != self._grace:
                self.terminate()
                return
        if after.get("generation") != before.get("generation"):
            self._spec_updated(objects.spec(old))
        elif pod.get("status") is not old.get("status") and pod.get("status") != self.told and not self.gone:
            self.context.clock.call_later(RECONCILE_SECONDS, self._reconcile)
        if pod["spec"].get("readinessGates") and not self.stopping:
            self.changed()
        if after.get("annotations") != before.get("annotations") or after.get("labels") != before.get("labels"):
            self._retry()  # what the downward API shows and a user may change

    def terminate(self) -> None:
        """The API wants the pod deleted: stop it within the granted grace, then delete it for good."""
        granted = self.pod["metadata"].get("deletionGracePeriodSeconds")
        self._grace = DEFAULT_GRACE_SECONDS if granted is None else float(granted)
        self._begin_stopping(self._grace)

    def _spec_updated(self, old: Object) -> None:
        new = objects.spec(self.pod)
        if new.get("activeDeadlineSeconds") != old.get("activeDeadlineSeconds"):
            self._arm_deadline(runs=True)
        self._add_ephemeral()
        self._allocation().allocate(self)
        self.changed()
        self.advance()

    def _reconcile(self) -> None:
        """Somebody else has written into the status what is not so."""
        if not self.gone:
            self.changed()

    def _add_ephemeral(self) -> None:
        known = {worker.name for worker in self.ephemeral}
        for spec in objects.spec(self.pod).get("ephemeralContainers") or ():
            if spec["name"] not in known:
                self.ephemeral.append(ContainerWorker(self, spec, ContainerKind.EPHEMERAL, False))

    @property
    def sized(self) -> list[ContainerWorker]:
        return [*self.init, *self.containers]

    @property
    def resizing(self) -> bool:
        return any(worker.given is not None for worker in self.sized)

    def container_resized(self) -> None:
        self._allocation().finish(self)

    def retry_resize(self) -> None:
        """The node may have room now."""
        if self.resize_pending is not None and not self.stopping:
            self._allocation().allocate(self)
            self.changed()

    @staticmethod
    def _allocation() -> ModuleType:
        from controllers.kubelet import resize  # few pods' specs are ever changed

        return resize

    def _begin_stopping(self, grace: float) -> None:
        self.stopping = True
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
        for worker in (*self.containers, *self.ephemeral):
            worker.stop(grace)
        for worker in self.init:
            if worker.kind is ContainerKind.INIT or not any(each.alive for each in self.containers):
                worker.stop(grace)
        self._continue_stopping()

    def _continue_stopping(self) -> None:
        """Sidecars end after the containers they serve, last started first."""
        if any(worker.alive for worker in (*self.containers, *self.ephemeral)):
            return
        for worker in reversed(self.init):
            if worker.alive:
                if not worker.stopping:
                    worker.stop(self.grace_seconds)
                if worker.alive:
                    return
        self._release_address()
        self.node.pod_ended(self)
        if self.deleting:
            self._delete_if_due()
        if not self.deletion_due or self._wants_last_status():
            self.changed()

    def _delete_if_due(self) -> None:
        if self.deleting and not self.alive:
            self.deletion_due = True
            self.context.writer.want_deletion(self, last_status=self._wants_last_status())

    def _wants_last_status(self) -> bool:
        """Whether anybody can see or needs the status between the last exit and the deletion: Jobs and finalizers do."""
        return bool(objects.finalizers(self.pod)) or self.restart_policy != "Always"

    def _release_address(self) -> None:
        if self.ip and self.sandbox:
            self.sandbox = False
            self.node.release_address(self)

    def removed(self) -> None:
        """The API object is gone."""
        if self.gone:
            return
        if not self.stopping:
            for worker in (*self.containers, *self.ephemeral):
                if worker.running:
                    worker.tell_killing()
        self.gone = self.stopping = True
        if self._deadline is not None:
            self._deadline.cancel()
        for worker in (*self.sized, *self.ephemeral):
            worker.discard()
        self._release_address()

    def detach(self) -> None:
        """The kubelet stops: no timer and no callback of this pod from now on; its containers are left as they are."""
        self.stopping = True
        if self._deadline is not None:
            self._deadline.cancel()
        for worker in (*self.sized, *self.ephemeral):
            worker.detach()

    def written(self, pod: Object) -> None:
        """The server's answer to a status write, which may be newer than what the informer has brought."""
        if pod is not self.pod and revision(pod) > revision(self.pod):
            self.pod_updated(pod)

    def vanished(self) -> None:
        self.node.pod_gone(self)

    def build_status(self) -> Object:
        self.told = status = pod_status.build(self)
        return status


def revision(obj: Object) -> int:
    return int(obj["metadata"].get("resourceVersion") or 0)


def kind_of(spec: Object, *, init: bool) -> ContainerKind:
    if not init:
        return ContainerKind.REGULAR
    return ContainerKind.SIDECAR if spec.get("restartPolicy") == "Always" else ContainerKind.INIT


def workers_for(pod: PodWorker, obj: Object) -> tuple[list[ContainerWorker], list[ContainerWorker]]:
    """(init containers in order, containers)"""
    spec = objects.spec(obj)
    first = spec.get("initContainers") or ()
    init = [ContainerWorker(pod, each, kind_of(each, init=True), True) for each in first]
    return init, [ContainerWorker(pod, each, ContainerKind.REGULAR, bool(first)) for each in spec.get("containers") or ()]
