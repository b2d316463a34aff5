"""Commands that a kubelet runs in a container beside its own: of probes and of hooks. Imported with the first of them.

`AttendedContainer` is one that is not interpreted itself, but has such commands.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from controllers.kubelet.behaviour import draw
from controllers.kubelet.commands.errors import NotInterpreted
from controllers.kubelet.commands.process import Execution
from controllers.kubelet.life import KILLED, Life
from controllers.kubelet.runtime import Exit, ProbeOutcome
from controllers.kubelet.simulated_container import HOOKING, PROBING, SimulatedContainer, exit_of
from kctl.apimachinery.clock import Clock, Timer
from kctl.apimachinery.objects import Object

_LONGEST_OUTPUT = 10 * 1024


def run_beside(life: Life | None, command: Sequence[str], ended: Callable[[int, str], None]) -> Execution | None:
    """`ended` gets its exit code and what it wrote. What cannot be interpreted succeeds."""
    output = bytearray()

    def write(data: bytes) -> None:
        output.extend(data[: max(_LONGEST_OUTPUT - len(output), 0)])

    def over(code: int) -> None:
        ended(code, output.decode(errors="replace"))

    if life is None:
        ended(0, "")
        return None
    try:
        return life.run(command, write, write, over, refused=lambda why: over(0))
    except NotInterpreted:
        ended(0, "")
        return None


def run_hook(life: Life | None, action: Object, done: Callable[[str], None]) -> str | None:
    """A postStart hook. '' where it succeeded, else why not; None: `done` gets that later."""
    command = list(action.get("command") or ())
    answered: list[str] = []
    waits: list[bool] = []

    def ended(code: int, output: str) -> None:
        error = f"command '{' '.join(command)}' exited with {code}: {output}" if code else ""
        answered.append(error)
        if waits:
            done(error)

    run_beside(life, command, ended)
    if answered:
        return answered[0]
    waits.append(True)
    return None


def run_probe(life: Life | None, spec: Object, clock: Clock, done: Callable[[ProbeOutcome], None]) -> ProbeOutcome | None:
    """None: `done` gets the outcome later, after `timeoutSeconds` at the latest."""
    answered: list[ProbeOutcome] = []
    waits: list[Timer] = []

    def ended(code: int, output: str) -> None:
        if answered:
            return
        answered.append(ProbeOutcome(code == 0, output.rstrip("\n")))
        if waits:
            waits[0].cancel()
            done(answered[0])

    command = list(spec["exec"].get("command") or ())
    execution = run_beside(life, command, ended)
    if answered or execution is None:
        return answered[0]
    seconds = float(spec.get("timeoutSeconds") or 1)

    def timed_out() -> None:
        execution.kill()
        if not answered:
            answered.append(ProbeOutcome(False, f'command timed out: "{" ".join(command)}" timed out after {seconds:g}s'))
            done(answered[0])

    waits.append(clock.call_later(seconds, timed_out))
    return None


class AttendedContainer(SimulatedContainer):
    """What a hook's command does and how long it takes counts; that it fails only where the container's own command is known: else what
    it would have found there is not. The same is why probes' commands are run in the latter alone."""

    __slots__ = ("_stopping",)

    def _usable_life(self) -> Life | None:
        try:
            return self.life()
        except OSError:
            return None

    def _annotated(self, settings: set[str]) -> bool:
        return bool(self._runtime.settings(self.pod, self._spec).keys() & settings)

    def post_start(self, hook: Object, done: Callable[[str], None]) -> str | None:
        if "exec" not in hook or self._annotated(HOOKING):
            return super().post_start(hook, done)

        def judged(error: str) -> str:
            return error if self._outcome is not None else ""

        error = run_hook(self._usable_life(), hook["exec"], lambda error: done(judged(error)))
        return None if error is None else judged(error)

    def stop(self, grace_seconds: float) -> None:
        hook = (self._spec.get("lifecycle") or {}).get("preStop") or {}
        if "exec" not in hook or not self.running or self._annotated(HOOKING):
            super().stop(grace_seconds)
            return
        if self._stop_timer is not None:
            self._stop_timer.cancel()
        self._stop_timer = self._runtime.clock.call_later(grace_seconds, lambda: self._end(Exit(KILLED, "Error")))
        if not getattr(self, "_stopping", False):
            self._stopping = True
            run_beside(self._usable_life(), list(hook["exec"].get("command") or ()), lambda code, output: self._terminate())

    def _terminate(self) -> None:
        if self._finished_at is None:
            takes = draw(self._behaviour.stop_duration, self._runtime.randomness)
            result = exit_of(self._behaviour.stop_exit_code, "")
            self._exit_timer = self._runtime.clock.call_later(takes, lambda: self._end(result))

    def probe(self, kind: str, probe: Object, done: Callable[[ProbeOutcome], None]) -> ProbeOutcome | None:
        if "exec" not in probe or self._outcome is None or self._annotated(PROBING):
            return super().probe(kind, probe, done)
        return run_probe(self._usable_life(), probe, self._runtime.clock, done)
