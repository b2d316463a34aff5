"""One pod on one node, from admission to its last status (the kubelet's pod worker and sync loop).

`advance` starts whatever may start next and is called after every change; `changed` asks for a status write, which
happens once however many changes led to it. Nothing here awaits: a pod without delays is running when `start` returns.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from controllers.kubelet import pod_status
from controllers.kubelet.container import EXITED, IDLE, INIT, SIDECAR, WAITING, ContainerWorker, workers_for
from controllers.kubelet.context import KubeletContext
from controllers.kubelet.references import missing_volume
from controllers.kubelet.restart_policy import restarts
from controllers.kubelet.timers import Timer
from kctl.apimachinery import objects, times
from kctl.apimachinery.objects import Object

if TYPE_CHECKING:
    from controllers.kubelet.kubelet import Kubelet

DEFAULT_GRACE_SECONDS = 30.0
_DEADLINE = "DeadlineExceeded"
_DEADLINE_MESSAGE = "Pod was active on the node longer than the specified deadline"


class PodWorker:
    __slots__ = (
        "_advancing",
        "_deadline",
        "_grace",
        "_told_mount",
        "containers",
        "context",
        "counted",
        "delete_wanted",
        "failure",
        "gone",
        "in_flight",
        "init",
        "ip",
        "kubelet",
        "pod",
        "queued",
        "retries",
        "sandbox",
        "start_time",
        "status_wanted",
        "stopping",
        "uid",
    )

    def __init__(self, kubelet: Kubelet, pod: Object) -> None:
        self.kubelet = kubelet
        self.context: KubeletContext = kubelet.context
        self.pod = pod
        self.uid = str(pod["metadata"].get("uid") or "")
        self.init, self.containers = workers_for(self, pod)
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
        self.status_wanted = self.delete_wanted = False
        self.queued = self.in_flight = False
        self.retries = 0
        self._advancing = False
        self._deadline: Timer | None = None
        self._grace: float | None = None
        self._told_mount = ""

    # ---- facts

    @property
    def full_name(self) -> str:
        """As kubelets print pods: name_namespace(uid)."""
        return f"{objects.name(self.pod)}_{objects.namespace(self.pod)}({self.uid})"

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
        return any(worker.alive for worker in (*self.init, *self.containers))

    @property
    def terminal(self) -> bool:
        """It will never run again and nothing of it still runs."""
        return self.stopping and not self.alive

    def container(self, name: str) -> ContainerWorker | None:
        return next((each for each in (*self.init, *self.containers) if each.name == name), None)

    # ---- beginning

    def start(self) -> None:
        """A pod that is new to this node and passed admission."""
        self.start_time = self.context.stamp()
        self._arm_deadline(0.0)
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
        known = {entry["name"]: entry for field in ("initContainerStatuses", "containerStatuses") for entry in status.get(field) or ()}
        for worker in (*self.init, *self.containers):
            if worker.name in known:
                worker.adopt(known[worker.name])
        if self.stopping:
            self._delete_if_due()
            return
        age = 0.0
        if self.start_time:
            age = (self.context.clock.now() - times.parse(self.start_time)).total_seconds()
        self._arm_deadline(age)
        if not self.sandbox:
            self._set_up()
            return
        for worker in (*self.init, *self.containers):
            if worker.phase == EXITED:
                self._after_exit(worker, worker.seconds_since_exit())
            elif worker.phase == WAITING:
                worker.schedule_restart(worker.seconds_since_exit())
        self.advance()

    def _arm_deadline(self, age_seconds: float) -> None:
        seconds = objects.spec(self.pod).get("activeDeadlineSeconds")
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
        if seconds is not None and not self.stopping:
            self._deadline = self.context.timers.call_later(float(seconds) - age_seconds, self._deadline_passed)

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
            if missing.message != self._told_mount:
                self._told_mount = missing.message
                self.event("Warning", "FailedMount", missing.message)
            self.context.wait_for(missing, self)
            self.changed()
            return
        if not self.host_network:
            self.ip = self.ip or self.kubelet.allocate_address(self)
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
            return
        for worker in (*self.init, *self.containers):
            worker.retry()

    # ---- running

    def advance(self) -> None:
        """Start every container that may start now."""
        if self._advancing or self.stopping or not self.sandbox:
            return
        self._advancing = True
        try:
            for worker in self.init:
                if worker.phase == IDLE:
                    worker.begin()
                if worker.kind == SIDECAR and worker.running and worker.started:
                    continue
                if worker.kind == INIT and worker.phase == EXITED and worker.exit_code == 0:
                    continue
                return
            for worker in self.containers:
                if worker.phase == IDLE:
                    worker.begin()
        finally:
            self._advancing = False

    @property
    def initialized(self) -> bool:
        return all(worker.started if worker.kind == SIDECAR else worker.exit_code == 0 and worker.phase == EXITED for worker in self.init)

    def container_exited(self, worker: ContainerWorker) -> None:
        if self.stopping:
            self._continue_stopping()
        else:
            self._after_exit(worker, 0.0)

    def _after_exit(self, worker: ContainerWorker, ago_seconds: float) -> None:
        code = worker.exit_code or 0
        if restarts(worker.spec, self.restart_policy, worker.kind, code):
            worker.schedule_restart(ago_seconds)
        elif worker.kind == INIT and code == 0:
            self.advance()
        elif worker.kind == INIT or all(each.phase == EXITED and not self._will_restart(each) for each in self.containers):
            self._begin_stopping(self.grace_seconds)

    def _will_restart(self, worker: ContainerWorker) -> bool:
        return restarts(worker.spec, self.restart_policy, worker.kind, worker.exit_code or 0)

    def changed(self) -> None:
        self.status_wanted = True
        if not self.queued:
            self.context.writer.enqueue(self)

    def event(self, type: str, reason: str, message: str, field_path: str = "") -> None:
        self.kubelet.event(self.pod, type, reason, message, field_path)

    # ---- ending

    def end(self, reason: str, message: str) -> None:
        """The kubelet ends the pod: deadline, eviction."""
        self.failure = (reason, message)
        self._begin_stopping(self.grace_seconds)
        self.changed()

    def pod_updated(self, pod: Object) -> None:
        """The API's newer version of the same pod."""
        old, self.pod = self.pod, pod
        if self.deleting:
            granted = pod["metadata"].get("deletionGracePeriodSeconds")
            grace = DEFAULT_GRACE_SECONDS if granted is None else float(granted)
            if not old["metadata"].get("deletionTimestamp") or grace != self._grace:
                self.terminate()
                return
        if pod["metadata"].get("generation") != old["metadata"].get("generation"):
            self._spec_updated(objects.spec(old))
        if objects.spec(pod).get("readinessGates") and not self.stopping:
            self.changed()

    def terminate(self) -> None:
        """The API wants the pod deleted: stop it within the granted grace, then delete it for good."""
        granted = self.pod["metadata"].get("deletionGracePeriodSeconds")
        self._grace = DEFAULT_GRACE_SECONDS if granted is None else float(granted)
        self._begin_stopping(self._grace)

    def _spec_updated(self, old: Object) -> None:
        new = objects.spec(self.pod)
        if new.get("activeDeadlineSeconds") != old.get("activeDeadlineSeconds"):
            age = (self.context.clock.now() - times.parse(self.start_time)).total_seconds() if self.start_time else 0.0
            self._arm_deadline(age)
        specs = {spec["name"]: spec for field in ("initContainers", "containers") for spec in new.get(field) or ()}
        for worker in (*self.init, *self.containers):
            spec = specs.get(worker.name, worker.spec)
            worker.replace_spec(spec)
        self.changed()

    def _begin_stopping(self, grace: float) -> None:
        self.stopping = True
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
        for worker in self.containers:
            worker.stop(grace)
        for worker in self.init:
            if worker.kind == INIT or not any(each.alive for each in self.containers):
                worker.stop(grace)
        self._continue_stopping()

    def _continue_stopping(self) -> None:
        """Sidecars end after the containers they serve, last started first."""
        if any(worker.alive for worker in self.containers):
            return
        for worker in reversed(self.init):
            if worker.alive:
                if not worker.stopping:
                    worker.stop(self.grace_seconds)
                if worker.alive:
                    return
        self._release_address()
        self.kubelet.pod_ended(self)
        if self.deleting:
            self._delete_if_due()
        if not self.delete_wanted or self._wants_last_status():
            self.changed()

    def _delete_if_due(self) -> None:
        if self.deleting and not self.alive:
            self.delete_wanted = True
            self.status_wanted = self.status_wanted and self._wants_last_status()
            if not self.queued:
                self.context.writer.enqueue(self)

    def _wants_last_status(self) -> bool:
        """Whether anybody can see or needs the status between the last exit and the deletion: Jobs and finalizers do."""
        return bool(objects.finalizers(self.pod)) or self.restart_policy != "Always"

    def _release_address(self) -> None:
        if self.ip and self.sandbox:
            self.sandbox = False
            self.kubelet.release_address(self.ip)

    def removed(self) -> None:
        """The API object is gone."""
        if self.gone:
            return
        if not self.stopping:
            for worker in self.containers:
                if worker.running:
                    worker.tell_killing()
        self.gone = self.stopping = True
        if self._deadline is not None:
            self._deadline.cancel()
        for worker in (*self.init, *self.containers):
            worker.discard()
        self._release_address()

    # ---- what the API shows

    def build_status(self) -> Object:
        return pod_status.build(self)
