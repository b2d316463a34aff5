"""Probes of one running container: when to ask the runtime, and what a series of answers means (kubelet's prober).

A runtime that knows how long an answer will hold is not asked again before: a thousand healthy pods with probes cost
nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Protocol

from controllers.kubelet.runtime import Container, ProbeOutcome
from kctl.apimachinery.clock import Clock, Timer
from kctl.apimachinery.objects import Object

KINDS = {"startup": "startupProbe", "liveness": "livenessProbe", "readiness": "readinessProbe"}
_TITLE = {"startup": "Startup", "liveness": "Liveness", "readiness": "Readiness"}


class ProbeTarget(Protocol):
    def on_ready(self, ready: bool) -> None: ...

    def on_startup_passed(self) -> None: ...

    def on_unhealthy(self, message: str) -> None:
        """One failed probe, for the event."""
        ...

    def on_probe_gave_up(self, kind: str, probe: Object) -> None:
        """Liveness or startup failed failureThreshold times."""
        ...


class Probe:
    """One probe of one container run."""

    __slots__ = (
        "_clock",
        "_container",
        "_failures",
        "_kind",
        "_on_result",
        "_settled",
        "_spec",
        "_successes",
        "_target",
        "_timer",
    )

    def __init__(
        self,
        kind: str,
        spec: Object,
        container: Container,
        target: ProbeTarget,
        clock: Clock,
        on_result: Callable[[Probe, bool], None],
    ) -> None:
        self._kind = kind
        self._spec = spec
        self._container = container
        self._target = target
        self._clock = clock
        self._on_result = on_result
        self._successes = self._failures = 0
        self._settled: bool | None = None
        self._timer: Timer | None = None

    @property
    def kind(self) -> str:
        return self._kind

    @property
    def spec(self) -> Object:
        return self._spec

    def start(self, age_seconds: float) -> None:
        """The first time is initialDelaySeconds after the container's start, which was `age_seconds` ago."""
        self._after(max(float(self._spec.get("initialDelaySeconds") or 0) - age_seconds, 0.0))

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None
        self._settled = None
        self._on_result = _ignore

    def _after(self, seconds: float) -> None:
        if seconds <= 0:
            self._ask()
        else:
            self._timer = self._clock.call_later(seconds, self._ask)

    def _ask(self) -> None:
        self._timer = None
        outcome = self._container.probe(self._kind, self._spec, self._answered)
        if outcome is not None:
            self._answered(outcome)

    def _answered(self, outcome: ProbeOutcome) -> None:
        on_result = self._on_result
        if on_result is _ignore:
            return
        if outcome.success:
            self._successes, self._failures = self._successes + 1, 0
            threshold = int(self._spec.get("successThreshold") or 1)
            reached = self._successes >= threshold
        else:
            self._successes, self._failures = 0, self._failures + 1
            threshold = int(self._spec.get("failureThreshold") or 3)
            reached = self._failures >= threshold
            self._target.on_unhealthy(f"{_TITLE[self._kind]} probe failed: {outcome.output}")
        if reached and self._settled is not outcome.success:
            self._settled = outcome.success
            on_result(self, outcome.success)
            if self._on_result is _ignore:  # stopped by what the result led to
                return
        self._plan(outcome, reached)

    def _plan(self, outcome: ProbeOutcome, reached: bool) -> None:
        period = float(self._spec.get("periodSeconds") or 10)
        steady = outcome.steady_seconds
        if not outcome.success or not reached:
            self._after(period)
        elif steady is not None:
            self._after(max(math.ceil(steady / period), 1) * period)


def _ignore(probe: Probe, success: bool) -> None:
    """Results of a stopped probe."""


class Prober:
    """All probes of one container run: startup first, then liveness and readiness."""

    __slots__ = ("_clock", "_container", "_probes", "_specs", "_target")

    def __init__(self, spec: Object, container: Container, target: ProbeTarget, clock: Clock) -> None:
        self._specs = {kind: spec[field] for kind, field in KINDS.items() if spec.get(field)}
        self._container = container
        self._target = target
        self._clock = clock
        self._probes: list[Probe] = []

    def start(self, age_seconds: float, *, startup_passed: bool) -> None:
        if "startup" in self._specs and not startup_passed:
            self._run("startup", age_seconds)
        else:
            self._run_others(age_seconds)

    def stop(self) -> None:
        for probe in self._probes:
            probe.stop()
        self._probes.clear()

    def _run(self, kind: str, age_seconds: float) -> None:
        probe = Probe(kind, self._specs[kind], self._container, self._target, self._clock, self._result)
        self._probes.append(probe)
        probe.start(age_seconds)

    def _run_others(self, age_seconds: float) -> None:
        for kind in ("liveness", "readiness"):
            if kind in self._specs:
                self._run(kind, age_seconds)

    def _result(self, probe: Probe, success: bool) -> None:
        if probe.kind == "readiness":
            self._target.on_ready(success)
        elif probe.kind == "startup" and success:
            probe.stop()
            self._target.on_startup_passed()
            self._run_others(math.inf)
        elif not success:
            self.stop()
            self._target.on_probe_gave_up(probe.kind, probe.spec)


def attended(container: Object, known: bool) -> bool:
    """Commands are to be run in it beside its own: of hooks, and of probes where it is known what it does itself."""
    handlers = [*(container.get("lifecycle") or {}).values()] if "lifecycle" in container else []
    if known:
        handlers += [container.get(field) or {} for field in KINDS.values()]
    return any("exec" in handler for handler in handlers if handler)


def probe_failure(probe: Object, address: str) -> str:
    """The output of a failing probe, as the kubelet's probers word it."""
    if "httpGet" in probe:
        return "HTTP probe failed with statuscode: 503"
    if "tcpSocket" in probe:
        host = probe["tcpSocket"].get("host") or address
        return f"dial tcp {host}:{probe['tcpSocket'].get('port')}: connect: connection refused"
    if "grpc" in probe:
        return 'service unhealthy (responded with "NOT_SERVING")'
    return ""
