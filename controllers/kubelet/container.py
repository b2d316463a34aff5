"""One container of a pod through all its runs: image, start, hooks, probes, exit, back-off, restart.

It tells its pod worker what changed (`pod.changed`, `pod.container_exited`) and holds what containerStatuses shows.
"""

from __future__ import annotations

from typing import Protocol

from controllers.kubelet.context import KubeletContext, Waiter
from controllers.kubelet.environment import config_problem, mount_statuses
from controllers.kubelet.phases import ContainerKind, ContainerPhase
from controllers.kubelet.probes import KINDS, Prober
from controllers.kubelet.references import missing_environment
from controllers.kubelet.restart_policy import (
    INITIAL_BACKOFF_SECONDS,
    MAX_BACKOFF_SECONDS,
    Backoff,
    after_restarts,
    go_duration,
)
from controllers.kubelet.runtime import Container, ContainerRuntime, Exit, PulledImage, PullFailure, StartFailure
from kctl.apimachinery import times
from kctl.apimachinery.clock import Timer
from kctl.apimachinery.objects import Object

RELIST_SECONDS = 1.0
"""How long a kubelet takes to notice that a container ended (the relist period of its pod lifecycle event generator)."""

_CREATING: Object = {"waiting": {"reason": "ContainerCreating"}}
_INITIALIZING: Object = {"waiting": {"reason": "PodInitializing"}}
_EMPTY: Object = {}
_PULL_REASONS = {"ErrImagePull": "ImagePullBackOff", "RegistryUnavailable": "ImagePullBackOff"}


class ContainerOwner(Waiter, Protocol):
    """What a container asks of its pod worker."""

    pod: Object
    ip: str
    context: KubeletContext
    runtime: ContainerRuntime

    @property
    def full_name(self) -> str: ...

    @property
    def grace_seconds(self) -> float: ...

    def changed(self) -> None:
        """The pod's status is another now."""
        ...

    def advance(self) -> None:
        """Start whatever may start next."""
        ...

    def container_exited(self, worker: ContainerWorker) -> None: ...

    def container_resized(self) -> None:
        """One that had to be restarted for its new size runs again."""
        ...

    def event(self, type: str, reason: str, message: str, field_path: str = "") -> None: ...


class ContainerWorker:
    __slots__ = (
        "_backoff",
        "_prober",
        "_pull_backoff_seconds",
        "_timer",
        "given",
        "handle",
        "image",
        "image_id",
        "kind",
        "last_state",
        "name",
        "phase",
        "pod",
        "previous",
        "ready",
        "respawns",
        "restarts",
        "spec",
        "started",
        "state",
        "stopping",
    )

    def __init__(self, pod: ContainerOwner, spec: Object, kind: ContainerKind, waits_for_init: bool) -> None:
        self.pod = pod
        self.spec = spec
        self.name = str(spec["name"])
        self.kind = kind
        self.phase = ContainerPhase.IDLE
        self.state = _INITIALIZING if waits_for_init else _CREATING
        self.last_state = _EMPTY
        self.restarts = 0
        self.ready = self.started = False
        self.image = str(spec.get("image") or "")
        self.image_id = ""
        self.handle: Container | None = None
        self.previous: Container | None = None
        self.stopping = False
        self.respawns = False
        """It is stopped to start again with another image or size."""
        self.given: Object | None = None
        """The resources it still has while it is stopped for others."""
        self._backoff: Backoff | None = None
        self._pull_backoff_seconds = 0.0
        self._timer: Timer | None = None
        self._prober: Prober | None = None

    # ---- what others ask

    @property
    def exit_code(self) -> int | None:
        """Of the present state; None while it is not terminated."""
        terminated = self.state.get("terminated")
        return None if terminated is None else int(terminated.get("exitCode") or 0)

    @property
    def alive(self) -> bool:
        return self.phase in (ContainerPhase.STARTING, ContainerPhase.RUNNING)

    @property
    def running(self) -> bool:
        return self.phase is ContainerPhase.RUNNING

    def _event(self, type: str, reason: str, message: str) -> None:
        self.pod.event(type, reason, message, f"spec.{self.kind.group}{{{self.name}}}")

    # ---- starting

    def begin(self) -> None:
        """Run it now: first start, or restart after a back-off. What this may let start next is left to the caller."""
        runtime = self.pod.runtime
        self.phase = ContainerPhase.PULLING
        if runtime.needs_pull(self.pod.pod, self.spec) and self.spec.get("imagePullPolicy") != "Never":
            self._event("Normal", "Pulling", f'Pulling image "{self.spec.get("image")}"')
        result = runtime.pull_image(self.pod.pod, self.spec, self._pulled_later)
        if result is not None:
            self._pulled(result)

    def _begin_again(self) -> None:
        self.begin()
        self.pod.advance()

    def _pulled_later(self, result: PulledImage | PullFailure) -> None:
        if self.phase is ContainerPhase.PULLING:  # else the pod went away meanwhile
            self._pulled(result)
            self.pod.advance()

    def _pulled(self, result: PulledImage | PullFailure) -> None:
        if isinstance(result, PullFailure):
            self._pull_failed(result)
            return
        self._pull_backoff_seconds = 0.0
        self.image, self.image_id = result.reference, result.image_id
        self._event("Normal", "Pulled", result.told(str(self.spec.get("image"))))
        missing = missing_environment(self.pod.pod, self.spec, self.pod.context.lookup)
        if missing is not None:
            self._wait("CreateContainerConfigError", missing.message)
            self._event("Warning", "Failed", f"Error: {missing.message}")
            self.pod.context.wait_for(missing, self.pod)
            return
        problem = config_problem(self.pod.pod, self.spec, self.pod.context.lookup, self.pod.ip)
        if problem:
            self._wait("CreateContainerConfigError", problem)
            self._event("Warning", "Failed", f"Error: {problem}")
            return
        self._start()

    def _start(self) -> None:
        self.phase = ContainerPhase.STARTING
        made = self.pod.runtime.start_container(self.pod.pod, self.spec, self.restarts, self, init=self.kind.is_init)
        if made.start_failure is not None:
            self._start_failed(made.start_failure)
        self.previous, self.handle = self.handle, made
        if made.running:
            self._started(made)

    def retry(self) -> None:
        """What it waited for has appeared, or another spec or environment may do."""
        if self.phase is ContainerPhase.WAITING and (self.state.get("waiting") or {}).get("reason") == "CreateContainerConfigError":
            self.begin()

    def _wait(self, reason: str, message: str = "") -> None:
        self.phase = ContainerPhase.WAITING
        if "terminated" in self.state:
            self.last_state = self.state
        self.state = {"waiting": {"message": message, "reason": reason} if message else {"reason": reason}}
        self.pod.changed()

    def _pull_failed(self, failure: PullFailure) -> None:
        image = self.spec.get("image")
        self._wait(failure.reason, failure.message)
        if failure.reason == "InvalidImageName":
            self._event("Warning", "InspectFailed", failure.message)
        elif failure.reason == "ErrImageNeverPull":
            self._event("Warning", "ErrImageNeverPull", failure.message)
        else:
            self._event("Warning", "Failed", f'Failed to pull image "{image}": {failure.message}')
        self._event("Warning", "Failed", f"Error: {failure.reason}")
        if failure.reason not in _PULL_REASONS:
            return
        wait = self._pull_backoff_seconds = min(max(self._pull_backoff_seconds * 2, INITIAL_BACKOFF_SECONDS), MAX_BACKOFF_SECONDS)

        def show_back_off() -> None:
            self._event("Normal", "BackOff", f'Back-off pulling image "{image}"')
            self._event("Warning", "Failed", f"Error: {_PULL_REASONS[failure.reason]}")
            self._wait(_PULL_REASONS[failure.reason], f'Back-off pulling image "{image}": {failure.reason}: {failure.message}')
            self._after(wait - RELIST_SECONDS, self._begin_again)

        self._after(RELIST_SECONDS, show_back_off)

    def _after(self, seconds: float, callback: object) -> None:
        assert callable(callback)
        self._cancel_timer()
        self._timer = self.pod.context.clock.call_later(seconds, callback)

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    # ---- what the runtime tells

    def on_started(self, container: Container) -> None:
        if self.phase is ContainerPhase.STARTING:
            self._started(container)
            self.pod.advance()

    def _started(self, container: Container) -> None:
        self._event("Normal", "Created", "Container created")
        self._event("Normal", "Started", "Container started")
        if "terminated" in self.state:
            self.last_state = self.state
        self.phase = ContainerPhase.RUNNING
        self.stopping = self.respawns = False
        self.state = self.pod.context.running_state()
        if self.given is not None:
            self.given = None
            self.pod.container_resized()
        hook = (self.spec.get("lifecycle") or {}).get("postStart")
        error = container.post_start(hook, lambda error: self._post_started_later(container, error)) if hook else ""
        if error is not None:
            self._post_started(container, error)
        self.pod.changed()

    def _post_started_later(self, container: Container, error: str) -> None:
        if self.running and self.handle is container:
            self._post_started(container, error)
            self.pod.advance()

    def _post_started(self, container: Container, error: str) -> None:
        if error:
            self._event("Warning", "FailedPostStartHook", f"PostStartHook failed: {error}")
            self._event("Normal", "Killing", "FailedPostStartHook")
            self._kill(container, self.pod.grace_seconds)
            return
        self._watch_health(container, 0.0, started=False, ready=False)
        self.pod.changed()

    def _watch_health(self, container: Container, age: float, *, started: bool, ready: bool) -> None:
        """Begin probing; containers without probes are started and ready at once."""
        spec = self.spec
        if self.kind is ContainerKind.EPHEMERAL:
            return
        self.started = started or not spec.get("startupProbe")
        self.ready = ready
        if self.kind is ContainerKind.INIT:
            return
        if self.started and not spec.get("readinessProbe"):
            self._ready_without_probe(container, age)
        if any(spec.get(field) for field in KINDS.values()):
            self._prober = Prober(spec, container, self, self.pod.context.clock)
            self._prober.start(age, startup_passed=self.started)

    def _ready_without_probe(self, container: Container, age: float) -> None:
        if container.ready_after_seconds > age:
            self._after(container.ready_after_seconds - age, lambda: self.on_ready(True))
        else:
            self.ready = True

    def on_start_failed(self, failure: StartFailure) -> None:
        if self.phase is ContainerPhase.STARTING:
            self._start_failed(failure)
            self.pod.advance()

    def _start_failed(self, failure: StartFailure) -> None:
        self._event("Warning", "Failed", f"Error: {failure.message}")
        now = self.pod.context.stamp()
        if failure.reason == "RunContainerError":  # created, and ended before it began
            self._event("Normal", "Created", "Container created")
            terminated = {"exitCode": 128, "reason": "StartError", "message": failure.message}
            self._ended({"terminated": {**terminated, "startedAt": now, "finishedAt": now}})
        else:
            self._wait(failure.reason, failure.message)
            self._after(INITIAL_BACKOFF_SECONDS, self._begin_again)

    def on_exit(self, result: Exit) -> None:
        if self.phase not in (ContainerPhase.STARTING, ContainerPhase.RUNNING):
            return
        running = self.state.get("running") or {}
        now = self.pod.context.stamp()
        terminated: Object = {"exitCode": result.code, "reason": result.reason}
        if result.message:
            terminated["message"] = result.message
        if result.signal:
            terminated["signal"] = result.signal
        terminated |= {"startedAt": running.get("startedAt") or now, "finishedAt": now}
        if self.handle is not None:
            terminated["containerID"] = self.handle.container_id
        self._ended({"terminated": terminated})

    def _ended(self, state: Object) -> None:
        self._stop_watching()
        self.phase = ContainerPhase.EXITED
        self.stopping = False
        self.state = state
        self.started = False
        self.ready = self.kind is ContainerKind.INIT and not state["terminated"]["exitCode"]
        self.pod.changed()
        self.pod.container_exited(self)

    def _stop_watching(self) -> None:
        self._cancel_timer()
        if self._prober is not None:
            self._prober.stop()
            self._prober = None

    # ---- probes (ProbeTarget)

    def on_ready(self, ready: bool) -> None:
        if self.running and self.ready != ready:
            self.ready = ready
            self.pod.changed()

    def on_startup_passed(self) -> None:
        self.started = True
        if not self.spec.get("readinessProbe"):
            self.ready = True
        self.pod.changed()
        self.pod.advance()

    def on_unhealthy(self, message: str) -> None:
        self._event("Warning", "Unhealthy", message)

    def on_probe_gave_up(self, kind: str, probe: Object) -> None:
        self._event("Normal", "Killing", f"Container {self.name} failed {kind} probe, will be restarted")
        if self.handle is not None:
            self._kill(self.handle, float(probe.get("terminationGracePeriodSeconds") or self.pod.grace_seconds))

    # ---- ending

    def _kill(self, container: Container, grace_seconds: float) -> None:
        self._stop_watching()
        self.stopping = True
        container.stop(grace_seconds)

    def stop(self, grace_seconds: float, *, quiet: bool = False) -> None:
        """Because the pod ends: nothing restarts afterwards."""
        self._cancel_timer()
        if self.alive and self.handle is not None:
            if not quiet and not self.stopping:
                self.tell_killing()
            self._kill(self.handle, grace_seconds)
        elif self.phase not in (ContainerPhase.EXITED, ContainerPhase.RUNNING):
            self.phase = ContainerPhase.IDLE

    def replace_spec(self, spec: Object) -> None:
        """The pod's spec was changed: another image restarts the container and another size may, other changes only show."""
        old, self.spec = self.spec, spec
        image_changed = spec.get("image") != old.get("image")
        if not image_changed:
            if spec.get("resources") != old.get("resources") and self._needs_restart(old):
                self.given = old.get("resources") or _EMPTY
                self._kill_to_respawn(f"Container {self.name} resize requires restart")
            return
        if self.running and self.handle is not None and not self.stopping:
            self._kill_to_respawn(f"Container {self.name} definition changed, will be restarted")
        elif self.phase is ContainerPhase.WAITING and "Image" in str(self.state["waiting"]["reason"]):
            self._cancel_timer()
            self._pull_backoff_seconds = 0.0
            self._begin_again()

    def _needs_restart(self, before: Object) -> bool:
        if not self.running or self.stopping or not self.spec.get("resizePolicy"):
            return False
        from controllers.kubelet.resize import needs_restart

        return needs_restart(self.spec, before)

    def _kill_to_respawn(self, message: str) -> None:
        assert self.handle is not None
        self._event("Normal", "Killing", message)
        self.respawns = True
        self._kill(self.handle, self.pod.grace_seconds)

    def tell_killing(self) -> None:
        self._event("Normal", "Killing", f"Stopping container {self.name}")

    def discard(self) -> None:
        """The pod object is gone."""
        self._stop_watching()
        self.phase = ContainerPhase.IDLE
        if self.handle is not None:
            self.handle.release()

    def detach(self) -> None:
        """The kubelet stops; the container goes on."""
        self._stop_watching()
        self.phase = ContainerPhase.IDLE
        if self.handle is not None:
            self.handle.detach()

    # ---- restarting

    def schedule_restart(self, already_waited: float = 0.0) -> None:
        """Back-off first where it failed recently."""
        now = self.pod.context.clock.monotonic()
        failed_at = now - already_waited
        backoff = self._backoff = self._backoff or Backoff()
        wait = backoff.remaining(failed_at, now)

        def restart() -> None:
            backoff.next(failed_at, self.pod.context.clock.monotonic())
            self.restarts += 1
            self._begin_again()

        def show_back_off() -> None:
            message = f"restarting failed container={self.name} pod={self.pod.full_name}"
            self._wait("CrashLoopBackOff", f"back-off {go_duration(backoff.seconds)} {message}")
            text = f"Back-off restarting failed container {self.name} in pod {self.pod.full_name}"
            self._event("Warning", "BackOff", text)
            self._after(max(wait - RELIST_SECONDS, 0.0), restart)

        if wait > RELIST_SECONDS:
            self._after(RELIST_SECONDS, show_back_off)
        else:
            self._after(RELIST_SECONDS, restart)

    # ---- a kubelet that starts again

    def adopt(self, status: Object) -> None:
        """Continue from the containerStatus that the last kubelet wrote."""
        self.state = status.get("state") or self.state
        self.last_state = status.get("lastState") or _EMPTY
        self.restarts = int(status.get("restartCount") or 0)
        self.image = str(status.get("image") or self.image)
        self.image_id = str(status.get("imageID") or "")
        context = self.pod.context
        self.handle = self.pod.runtime.adopt_container(self.pod.pod, self.spec, self.restarts, self, status, init=self.kind.is_init)
        if "running" in self.state and self.handle is not None:
            self.phase = ContainerPhase.RUNNING
            age = (context.clock.now() - self.handle.started_at).total_seconds()
            self._watch_health(self.handle, age, started=bool(status.get("started")), ready=bool(status.get("ready")))
        elif "terminated" in self.state:
            self.phase = ContainerPhase.EXITED
            self.ready = bool(status.get("ready"))
        elif "terminated" in self.last_state:
            self.phase = ContainerPhase.WAITING
        if self.restarts:
            self._backoff = Backoff(after_restarts(self.restarts), context.clock.monotonic())

    def seconds_since_exit(self) -> float:
        ended = (self.state.get("terminated") or self.last_state.get("terminated") or {}).get("finishedAt")
        if not ended:
            return 0.0
        return max((self.pod.context.clock.now() - times.parse(ended)).total_seconds(), 0.0)

    # ---- what the API shows

    def status(self) -> Object:
        """The containerStatuses entry."""
        spec = self.spec
        resources = spec.get("resources") or _EMPTY
        shown: Object = {"name": self.name, "state": self.state, "lastState": self.last_state, "ready": self.ready}
        shown |= {"restartCount": self.restarts, "image": self.image, "imageID": self.image_id}
        if self.kind is not ContainerKind.EPHEMERAL:
            shown["started"] = self.started
        if self.handle is not None:
            shown["containerID"] = self.handle.container_id
        if resources.get("requests"):
            shown["allocatedResources"] = resources["requests"]
        if self.handle is not None:
            shown["resources"] = resources if self.given is None else self.given
        mounts = spec.get("volumeMounts")
        if mounts:
            shown["volumeMounts"] = mount_statuses(mounts)
        return shown
