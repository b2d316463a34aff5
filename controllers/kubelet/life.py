"""The processes of one run of a simulated container: its first one, and what probes, hooks and users run beside it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from controllers.kubelet.commands import programs
from controllers.kubelet.commands.errors import NotInterpreted
from controllers.kubelet.commands.process import SIGTERM, Execution, Input, Process, Run, Write, run_program
from controllers.kubelet.commands.world import World
from controllers.kubelet.sandbox import PodSandbox
from kctl.apimachinery.clock import Clock, Timer
from kctl.apimachinery.objects import Object

KILLED = 137
_MOST_PROCESSES = 200


class Life:
    """`out` takes what goes to the container's log by name (/dev/stdout). Raises OSError where a mount cannot be made."""

    def __init__(self, sandbox: PodSandbox, container: Object, command: Sequence[str], clock: Clock, out: Write) -> None:
        self._clock = clock
        self._container = container
        image = str(container.get("image") or "")
        self.world: World = sandbox.world(container, command, programs.files(image), programs.user(image), out)
        self.world.wake_all = self.wake
        self.world.find = programs.find
        self.world.network = sandbox.network(self.wake)
        self.serves = False
        """It runs what the image runs of itself, though nothing depended on that at first."""
        self._running: list[tuple[Execution, Callable[[int], None]]] = []
        self._waking: Timer | None = None

    @property
    def working_directory(self) -> str:
        return str(self._container.get("workingDir") or "/")

    def run(
        self,
        words: Sequence[str],
        out: Write,
        error: Write,
        ended: Callable[[int], None],
        *,
        stdin: Input | None = None,
        world: World | None = None,
        refused: Callable[[str], None] | None = None,
    ) -> Execution:
        """Starts a process and drives it as far as it goes now. Raises NotInterpreted where the program is not known; what turns out
        later goes to `refused`."""
        world = world or self.world
        process = Process(world, words, world.env, out, error, stdin, cwd=self.working_directory)
        program = world.find_program(words[0], process) if words else None
        if program is None:
            raise NotInterpreted(f'the command "{words[0] if words else ""}"')
        if len(self._running) >= _MOST_PROCESSES:
            raise NotInterpreted("that many processes in one container")
        return self._drive(process, run_program(program, process), ended, refused)

    def _drive(self, process: Process, run: Run, ended: Callable[[int], None], refused: Callable[[str], None] | None = None) -> Execution:
        entry: list[tuple[Execution, Callable[[int], None]]] = []

        def over(told: Callable[[int], None], code: int) -> None:
            self._running = [each for each in self._running if each not in entry]
            told(code)

        def given_up(told: Callable[[str], None], why: str) -> None:
            self._running = [each for each in self._running if each not in entry]
            told(why)

        execution = Execution(process, run, self._clock, partial(over, ended), None if refused is None else partial(given_up, refused))
        entry.append((execution, ended))
        self._running += entry
        execution.start()
        return execution

    def wake(self) -> None:
        """Whatever waits in it looks again, in a moment: who wakes it may be in the middle of something."""
        if self._waking is None:
            self._waking = self._clock.call_later(0.0, self._wake_now)

    def _wake_now(self) -> None:
        self._waking = None
        for execution, _ in list(self._running):
            execution.wake()

    def handles_termination(self) -> bool:
        """Tells the shell that traps SIGTERM, if one does."""
        shell = self.world.traps
        if shell is None or not shell.signal(SIGTERM):
            return False
        self.wake()
        return True

    def end(self) -> None:
        """The first process is over: so are the others."""
        if self._waking is not None:
            self._waking.cancel()
            self._waking = None
        running, self._running = self._running, []
        for execution, ended in running:
            if not execution.over:
                execution.kill()
                ended(KILLED)
