"""A container that runs nothing: it starts, answers probes, logs and exits as its Behaviour says."""

from __future__ import annotations

import contextlib
import random
from collections.abc import AsyncIterator, Callable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from controllers.kubelet.behaviour import Behaviour, Seconds, draw
from controllers.kubelet.probes import probe_failure
from controllers.kubelet.runtime import ContainerListener, Exit, ProbeOutcome, StartFailure
from controllers.kubelet.simulated_logs import LogSource, OutputLog, known_output
from kctl.apimachinery import objects
from kctl.apimachinery.clock import Clock, Timer
from kctl.apimachinery.objects import Object

if TYPE_CHECKING:
    from controllers.kubelet.commands.outcome import Outcome
    from controllers.kubelet.life import Life
    from controllers.kubelet.network.pod_networks import PodNetworks
    from controllers.kubelet.network.probing import NetworkProber
    from controllers.kubelet.sandbox import Sandboxes

KILLED_BY_SIGNAL = 137
SHORTEST_RUN_SECONDS = 1.0
"""A kubelet notices the end of a container with its next look; an init container's is noticed at once here."""
HOOKING = {"post-start-duration", "post-start-error", "pre-stop-duration"}
LOGGING = {"log-lines", "log-interval", "log-message"}
PROBING = {"startup-delay", "readiness-delay", "readiness-fail-after", "readiness-fail-duration", "liveness-fail-after"}


class Surroundings(Protocol):
    """What a container asks of the runtime it belongs to."""

    clock: Clock
    randomness: random.Random

    @property
    def sandboxes(self) -> Sandboxes: ...

    @property
    def networks(self) -> PodNetworks: ...

    def node_address(self, pod: Object) -> str:
        """Of the node the pod is on; '' where nobody knows."""
        ...

    def pod_address(self, pod: Object) -> str: ...

    def settings(self, pod: Object, container: Object) -> Mapping[str, str]:
        """What annotations of the pod and of its node say about a container."""
        ...

    def forget(self, pod: Object) -> None:
        """Its files are needed no more."""
        ...


class SimulatedContainer:
    __slots__ = (
        "_attempt",
        "_behaviour",
        "_exit_timer",
        "_finished_at",
        "_life",
        "_listener",
        "_outcome",
        "_runtime",
        "_spec",
        "_stop_timer",
        "container_id",
        "pod",
        "ready_after_seconds",
        "running",
        "start_failure",
        "started_at",
    )

    def __init__(
        self,
        runtime: Surroundings,
        behaviour: Behaviour,
        pod: Object,
        spec: Object,
        attempt: int,
        listener: ContainerListener,
        container_id: str,
        outcome: Outcome | None,
    ) -> None:
        self._runtime = runtime
        self._behaviour = behaviour
        self._outcome = outcome
        self.pod = pod
        self._spec = spec
        self._attempt = attempt
        self._listener = listener
        self.container_id = container_id
        self.started_at = runtime.clock.now()
        self.running = False
        self.start_failure: StartFailure | None = None
        self.ready_after_seconds = draw(behaviour.readiness_delay, runtime.randomness)
        self._finished_at: datetime | None = None
        self._life: Life | None = None
        """Its processes, where some run: its command is interpreted, or somebody has run something in it."""
        self._exit_timer: Timer | None = None
        self._stop_timer: Timer | None = None

    def start(self) -> None:
        behaviour = self._behaviour
        delay = draw(behaviour.start_delay, self._runtime.randomness)
        if delay > 0:
            self._exit_timer = self._runtime.clock.call_later(delay, self._begin_later)
        else:
            self._begin()

    def _begin(self) -> None:
        if self._behaviour.start_error:
            self.start_failure = StartFailure("RunContainerError", self._behaviour.start_error)
            return
        self.started_at = self._runtime.clock.now()
        self.running = True
        self.plan_exit(0.0)

    def _begin_later(self) -> None:
        self._exit_timer = None
        self._begin()
        if self.start_failure is not None:
            self._listener.on_start_failed(self.start_failure)
        else:
            self._listener.on_started(self)

    def plan_exit(self, already_ran_seconds: float) -> None:
        """Arm the exit that the command or the data asks for, if any."""
        if self._outcome is not None:
            self._plan_exit_of_command(self._outcome, already_ran_seconds)
            return
        behaviour, randomness = self._behaviour, self._runtime.randomness
        run = behaviour.run_seconds(self._attempt)
        ends = None if run is None else draw(run, randomness)
        result = exit_of(behaviour.exit_code_of(self._attempt), behaviour.exit_message)
        if behaviour.oom_after is not None:
            oom = draw(behaviour.oom_after, randomness)
            if ends is None or oom < ends:
                ends, result = oom, Exit(KILLED_BY_SIGNAL, "OOMKilled")
        if ends is not None:
            left = max(ends - already_ran_seconds, 0.0)
            self._exit_timer = self._runtime.clock.call_later(left, lambda: self._end(result))

    def _plan_exit_of_command(self, outcome: Outcome, already_ran_seconds: float) -> None:
        if outcome.seconds is None:
            return
        from controllers.kubelet.commands.termination import termination_message

        init = self._spec in (objects.spec(self.pod).get("initContainers") or ())
        ends = outcome.seconds if init else max(outcome.seconds, SHORTEST_RUN_SECONDS)
        message = self._behaviour.exit_message or termination_message(self.pod, self._spec, outcome)
        result = exit_of(outcome.exit_code, message)
        self._exit_timer = self._runtime.clock.call_later(max(ends - already_ran_seconds, 0.0), lambda: self._end(result))

    def _end(self, result: Exit) -> None:
        if self._finished_at is None:
            self._finished_at = self._runtime.clock.now()
            self._cancel_timers()
            if self._life is not None:
                self._life.end()
            self._listener.on_exit(result)

    def ended(self, moment: datetime) -> None:
        """It ended before this kubelet started; its log can still be read."""
        self._finished_at = moment

    def life(self) -> Life:
        """What runs in it; made for who first asks. Raises OSError where a mount cannot be made."""
        if self._life is None:
            from controllers.kubelet.life import Life

            sandbox = self._runtime.sandboxes.of(self._listener.pod)
            self._life = Life(sandbox, self._spec, self._spec.get("command") or (), self._runtime.clock, lambda data: None)
        return self._life

    def serve(self) -> None:
        """What its image runs begins to listen, now that somebody connects: until then nothing depended on it."""
        if (self._life is not None and self._life.serves) or self._spec.get("command") or self._finished_at is not None:
            return
        from controllers.kubelet.commands import programs
        from controllers.kubelet.commands.errors import NotInterpreted

        line = programs.command_line(str(self._spec.get("image") or ""), (), self._spec.get("args") or ())
        if not line or not programs.entrypoint(str(self._spec.get("image") or "")):
            return

        def drop(data: bytes) -> None:
            """Its log is what its data say."""

        begun: list[int] = []
        with contextlib.suppress(NotInterpreted, OSError):
            life = self.life()
            life.serves = True
            sandbox = self._runtime.sandboxes.of(self._listener.pod)
            words = sandbox.command_line(self._spec, line)
            life.run(words, drop, drop, lambda code: self._end(exit_of(code, "")) if begun else None, refused=lambda why: None)
        begun.append(1)

    def reaches_out(self, hook: Object) -> bool:
        """Whether an httpGet hook goes over the network: to a host of its own, or to what listens in its pod, where no annotation
        says what becomes of it."""
        action = hook.get("httpGet")
        if not action or self._runtime.settings(self.pod, self._spec).keys() & HOOKING:
            return False
        return bool(action.get("host")) or self.network_prober().is_served(action)

    def network_prober(self) -> NetworkProber:
        from controllers.kubelet.network.probing import NetworkProber

        pod, node = self._listener.pod, self._runtime.node_address(self.pod)
        field = f"spec.containers{{{self._spec['name']}}}"
        return NetworkProber(
            self._runtime.networks.cluster,
            self._runtime.clock,
            self._spec,
            pod.ip or node,
            node,
            lambda reason, message: pod.event("Warning", reason, message, field),
        )

    async def prepare(self) -> None:
        """What its files need from the API: ServiceAccount tokens."""
        await self._runtime.sandboxes.of(self._listener.pod).fetch_tokens()

    def detach(self) -> None:
        self._cancel_timers()

    def release(self) -> None:
        self._cancel_timers()
        self._runtime.forget(self.pod)

    def _cancel_timers(self) -> None:
        for timer in (self._exit_timer, self._stop_timer):
            if timer is not None:
                timer.cancel()
        self._exit_timer = self._stop_timer = None

    def stop(self, grace_seconds: float) -> None:
        behaviour, randomness = self._behaviour, self._runtime.randomness
        takes = draw(behaviour.stop_duration, randomness)
        hook = (self._spec.get("lifecycle") or {}).get("preStop")
        if hook:
            takes += self._pre_stop_seconds()
            if self.running and self.reaches_out(hook):
                self.network_prober().hook(hook["httpGet"], lambda error: None)
        self._cancel_timers()
        if takes > grace_seconds:
            takes, result = grace_seconds, Exit(KILLED_BY_SIGNAL, "Error")
        else:
            result = exit_of(behaviour.stop_exit_code, "")
        self._stop_timer = self._runtime.clock.call_later(takes, lambda: self._end(result))

    def _pre_stop_seconds(self) -> float:
        sleep = (self._spec["lifecycle"]["preStop"].get("sleep") or {}).get("seconds")
        return float(sleep) if sleep else draw(self._behaviour.pre_stop_duration, self._runtime.randomness)

    def post_start(self, hook: Object, done: Callable[[str], None]) -> str | None:
        if self.reaches_out(hook):
            self.network_prober().hook(hook["httpGet"], done)
            return None
        sleep = (hook.get("sleep") or {}).get("seconds")
        takes = float(sleep) if sleep else draw(self._behaviour.post_start_duration, self._runtime.randomness)
        error = self._behaviour.post_start_error
        if takes <= 0:
            return error
        self._runtime.clock.call_later(takes, lambda: done(error))
        return None

    def probe(self, kind: str, probe: Object, done: Callable[[ProbeOutcome], None]) -> ProbeOutcome | None:
        behaviour = self._behaviour
        age = (self._runtime.clock.now() - self.started_at).total_seconds() + 1e-6
        if kind == "startup":
            spans = [(0.0, behaviour.startup_delay[0])]
        elif kind == "readiness":
            spans = [
                (0.0, self.ready_after_seconds),
                *_span(behaviour.readiness_fail_after, behaviour.readiness_fail_duration),
            ]
        else:
            spans = _span(behaviour.liveness_fail_after, None)
        if any(begin <= age < end for begin, end in spans):
            return ProbeOutcome(False, probe_failure(probe, self._listener_address()))
        later = [begin - age for begin, end in spans if begin > age and end > begin]
        return ProbeOutcome(True, "", min(later) if later else None)

    def _listener_address(self) -> str:
        return str(self._runtime.pod_address(self.pod))

    def logs(self, options: Mapping[str, str]) -> AsyncIterator[bytes]:
        behaviour = self._behaviour
        output = known_output(self._spec, self._outcome)
        if output is not None and not self._runtime.settings(self.pod, self._spec).keys() & LOGGING:
            return OutputLog(self._runtime.clock, self.started_at, lambda: self._finished_at, output).stream(options)
        source = LogSource(
            self._runtime.clock,
            self.started_at,
            lambda: self._finished_at,
            behaviour.log_lines,
            behaviour.log_interval[0],
            self._log_template(),
        )
        return source.stream(options)

    def _log_template(self) -> str:
        text = self._behaviour.log_message
        values = {
            "container": self._spec.get("name"),
            "pod": objects.name(self.pod),
            "namespace": objects.namespace(self.pod),
            "image": self._spec.get("image"),
            "node": objects.spec(self.pod).get("nodeName"),
            "attempt": self._attempt,
        }
        for name, value in values.items():
            text = text.replace("{" + name + "}", "" if value is None else str(value))
        return text


def _span(after: Seconds | None, lasts: Seconds | None) -> list[tuple[float, float]]:
    if after is None:
        return []
    return [(after[0], after[0] + lasts[0] if lasts else float("inf"))]


def exit_of(code: int, message: str) -> Exit:
    return Exit(code, "Error" if code else "Completed", message)
