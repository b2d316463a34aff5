"""A simulated container whose command is interpreted while it runs: over its files and variables, by the clock."""

from __future__ import annotations

import asyncio
import contextlib
import errno
from collections.abc import AsyncIterator, Callable, Mapping, Sequence

from controllers.kubelet import images
from controllers.kubelet.attended_container import run_beside, run_hook, run_probe
from controllers.kubelet.behaviour import draw
from controllers.kubelet.commands import programs
from controllers.kubelet.commands.errors import NotInterpreted
from controllers.kubelet.commands.outcome import Outcome, outcome_of
from controllers.kubelet.commands.process import Execution, Input
from controllers.kubelet.commands.termination import path_of, termination_message
from controllers.kubelet.life import KILLED, Life
from controllers.kubelet.live_log import LiveLog
from controllers.kubelet.runtime import Exit, ProbeOutcome
from controllers.kubelet.simulated_container import HOOKING, LOGGING, PROBING, SHORTEST_RUN_SECONDS, SimulatedContainer, exit_of
from kctl.apimachinery import objects
from kctl.apimachinery.objects import Object
from kctl.apimachinery.status import ApiError

_LOG_LINES = 80


def live_command(container: Object) -> tuple[str, ...]:
    """What it runs, where that has to be interpreted to know what it does; () where it need not or cannot."""
    image, command, args = str(container.get("image") or ""), container.get("command") or (), container.get("args") or ()
    if not command and not programs.entrypoint(image):
        return ()
    if not (command or args or container.get("stdin") or images.ends(image)):
        return ()
    line = programs.command_line(image, command, args)
    if not line or outcome_of(line, path_of(container)) is not None:
        return ()
    return line


class LiveContainer(SimulatedContainer):
    """Where a command turns out not to be interpretable, the container goes on as one without a command."""

    __slots__ = ("_command", "_given_up", "_input", "_log", "_main", "_preparing", "_stopping")

    def begin_with(self, command: Sequence[str]) -> None:
        self._command = tuple(command)
        self._log = LiveLog(self._runtime.clock)
        self._input = Input(closed=not self._spec.get("stdin"))
        self._main: Execution | None = None
        self._stopping = self._given_up = False
        self._preparing: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Once its volumes are all there: the tokens among them are asked for."""
        if not self._runtime.sandboxes.of(self._listener.pod).lacks_tokens(self._spec):
            super().start()
            return
        self._preparing = asyncio.get_running_loop().create_task(self._prepare_and_start())

    async def _prepare_and_start(self) -> None:
        with contextlib.suppress(ApiError):  # it will see that they are not there
            await self.prepare()
        self._preparing = None
        delay = draw(self._behaviour.start_delay, self._runtime.randomness)
        self._exit_timer = self._runtime.clock.call_later(delay, self._begin_later)

    @property
    def interpreted(self) -> bool:
        return self._main is not None

    def plan_exit(self, already_ran_seconds: float) -> None:
        sandbox = self._runtime.sandboxes.of(self._listener.pod)
        try:
            words = sandbox.command_line(self._spec, self._command)
            life = self._life = Life(sandbox, self._spec, words, self._runtime.clock, self._log.write)
            life.world.random.seed(self._runtime.randomness.getrandbits(32))
            life.world.terminal = bool(self._spec.get("tty"))
            main = life.run(words, self._log.write, self._log.write, self._exited, stdin=self._input, refused=self._refused)
            self._main = None if self._given_up else main
        except NotInterpreted as why:
            self._refused(str(why))
        except OSError as why:
            what = "its variables" if why.errno == errno.E2BIG else "its volume mounts"
            self._refused(f"{what} ({why.strerror}: {why.filename})")

    def _refused(self, why: str) -> None:
        self._main, self._given_up = None, True
        if self._life is not None:
            self._life.end()
        name = self._spec["name"]
        if not self._attempt:
            message = f"Container {name} is simulated and cannot run {why}: it goes on as one without a command"
            self._listener.pod.event("Normal", "NotInterpreted", message)
        super().plan_exit((self._runtime.clock.now() - self.started_at).total_seconds())

    def _exited(self, code: int) -> None:
        age = (self._runtime.clock.now() - self.started_at).total_seconds()
        wait = 0.0 if self._is_init() or self._stopping else max(SHORTEST_RUN_SECONDS - age, 0.0)
        result = exit_of(code, self._message(code))
        self._cancel_timers()
        self._exit_timer = self._runtime.clock.call_later(wait, lambda: self._end(result))

    def _is_init(self) -> bool:
        return self._spec in (objects.spec(self.pod).get("initContainers") or ())

    def _message(self, code: int) -> str:
        if self._behaviour.exit_message or self._life is None:
            return self._behaviour.exit_message
        path = path_of(self._spec)
        try:
            written = self._life.world.files.read(path).decode(errors="replace")
        except OSError:
            written = ""
        outcome = Outcome(0.0, code, ((0.0, self._log.end(_LOG_LINES)),), ((path, written),))
        return termination_message(self.pod, self._spec, outcome)

    def _end(self, result: Exit) -> None:
        main, self._main = self._main, None
        if main is not None:
            main.kill()
        super()._end(result)
        self._log.close()

    def stop(self, grace_seconds: float) -> None:
        if self._main is None:
            if self._preparing is not None:
                self._preparing.cancel()
                self._preparing = None
            super().stop(grace_seconds)
            return
        if self._stop_timer is not None:
            self._stop_timer.cancel()
        self._stop_timer = self._runtime.clock.call_later(grace_seconds, lambda: self._end(Exit(KILLED, "Error")))
        if self._stopping:
            return
        self._stopping = True
        hook = (self._spec.get("lifecycle") or {}).get("preStop") or {}
        if "exec" in hook:
            run_beside(self._life, list(hook["exec"].get("command") or ()), lambda code, output: self._terminate())
        elif "httpGet" in hook and not self._annotated_hooks():
            self.network_prober().hook(hook["httpGet"], lambda error: self._terminate())
        else:
            takes = self._pre_stop_seconds() if hook else 0.0
            self._exit_timer = self._runtime.clock.call_later(takes, self._terminate)

    def _terminate(self) -> None:
        """SIGTERM: as a trap says, else as the data do."""
        if self._finished_at is not None or self._main is None or self._life is None or self._life.handles_termination():
            return
        takes = draw(self._behaviour.stop_duration, self._runtime.randomness)
        result = exit_of(self._behaviour.stop_exit_code, "")
        self._exit_timer = self._runtime.clock.call_later(takes, lambda: self._end(result))

    def post_start(self, hook: Object, done: Callable[[str], None]) -> str | None:
        if "httpGet" in hook and self._main is not None and not self._annotated_hooks():
            self.network_prober().hook(hook["httpGet"], done)
            return None
        if "exec" not in hook or self._main is None:
            return super().post_start(hook, done)
        return run_hook(self._life, hook["exec"], done)

    def probe(self, kind: str, probe: Object, done: Callable[[ProbeOutcome], None]) -> ProbeOutcome | None:
        if self._main is None or self._runtime.settings(self.pod, self._spec).keys() & PROBING:
            return super().probe(kind, probe, done)
        if "exec" in probe:
            return run_probe(self._life, probe, self._runtime.clock, done)
        self.network_prober().probe(kind, probe, done)
        return None

    def _annotated_hooks(self) -> bool:
        return bool(self._runtime.settings(self.pod, self._spec).keys() & HOOKING)

    def serve(self) -> None:
        """It does already, or cannot."""

    def logs(self, options: Mapping[str, str]) -> AsyncIterator[bytes]:
        if (self._life is None and self._main is None) or self._runtime.settings(self.pod, self._spec).keys() & LOGGING:
            return super().logs(options)
        return self._log.stream(options)

    def feed(self, data: bytes) -> None:
        """Standard input, from whoever is attached; b'' ends it."""
        if data:
            self._input.feed(data)
        else:
            self._input.closed = True
        if self._life is not None:
            self._life.wake()

    def echo(self, data: bytes) -> None:
        """What somebody types at its terminal."""
        self._log.write(data)

    @property
    def stdin_once(self) -> bool:
        return bool(self._spec.get("stdinOnce"))

    def release(self) -> None:
        self._stop_everything()
        super().release()

    def detach(self) -> None:
        self._stop_everything()
        super().detach()

    def _stop_everything(self) -> None:
        if self._preparing is not None:
            self._preparing.cancel()
            self._preparing = None
        main, self._main = self._main, None
        if main is not None:
            main.kill()
        self._log.close()
