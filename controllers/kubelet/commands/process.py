"""A simulated process: a generator that says when it has to wait, and what drives it.

    yield 2.5      sleep so many seconds
    yield None     until something wakes it: input, the end of a child, a connection
    yield PAUSE    until it is its turn to go on computing (`work`)

A program is `def program(process) -> int`, or a generator that returns the exit code. It reads `process.stdin`, writes `process.out`
and `process.error`, and changes the world only through `process.world`: files, addresses, the clock.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from controllers.kubelet.commands.errors import Exit, NotInterpreted
from controllers.kubelet.commands.limits import TURNS_IN_A_ROW
from controllers.kubelet.commands.work import Work
from controllers.kubelet.files.tree import FileSystem, Who
from kctl.apimachinery.clock import Clock, Timer

Run = Generator[float | None, None, int]
Write = Callable[[bytes], None]


class SignalHandler(Protocol):
    def signal(self, number: int) -> bool:
        """Whether it handles the signal, when it next looks."""
        ...


class World(Protocol):
    """What surrounds processes, as they see it (`world.World`)."""

    files: FileSystem
    who: Who
    clock: Clock
    hostname: str
    image: str
    random: random.Random
    network: Any
    """`world.Network`, which is made of what is here; None where there is none."""
    pod: Any
    terminal: bool
    strict: bool
    env: Mapping[str, str]
    traps: SignalHandler | None

    @property
    def work(self) -> Work: ...

    def signalled(self, number: int) -> None: ...

    def handler(self, shell: SignalHandler | None) -> None: ...

    def wake(self) -> None: ...

    def find_program(self, name: str, process: Process) -> Callable[[Process], int | Run] | None: ...


LONGEST_SLEEP_SECONDS = 100 * 365 * 86400.0
SIGKILL, SIGTERM = 9, 15


class Input:
    """What a process reads. `closed`: nothing comes any more."""

    def __init__(self, data: bytes = b"", *, closed: bool = True, limit: int = 1024 * 1024) -> None:
        self._data = bytearray(data)
        self.closed = closed
        self.taken: Callable[[], None] | None = None
        """Called whenever something was read."""
        self._limit = limit

    def feed(self, data: bytes) -> None:
        """Raises BufferError where nobody reads."""
        if len(self._data) + len(data) > self._limit:
            raise BufferError("nobody reads the standard input")
        self._data += data

    @property
    def full(self) -> bool:
        return len(self._data) >= self._limit // 2

    def take(self) -> bytes:
        """All that is there."""
        data = bytes(self._data)
        self._data.clear()
        if data and self.taken is not None:
            self.taken()
        return data

    def all(self) -> Generator[float | None, None, bytes]:
        """Up to the end."""
        taken = self.take()
        while not self.closed:
            yield None
            taken += self.take()
            if len(taken) > self._limit:
                raise NotInterpreted("more input than a simulated program takes")
        return taken + self.take()

    def line(self) -> Generator[float | None, None, bytes | None]:
        """One line without its end; None at the end of the input."""
        while b"\n" not in self._data and not self.closed:
            yield None
        if not self._data:
            return None
        end = self._data.find(b"\n")
        end = len(self._data) if end < 0 else end
        line = bytes(self._data[:end])
        del self._data[: end + 1]
        return line


@dataclass(frozen=True, slots=True)
class Streams:
    """Of one command of a shell."""

    stdin: Input
    out: Write
    error: Write


class Process:
    """One running program: its words, variables, place and streams. A child shares the world and has its own of the rest."""

    __slots__ = ("argv", "cwd", "depth", "env", "error", "out", "stdin", "traps", "umask", "who", "world")

    def __init__(
        self,
        world: World,
        argv: Sequence[str],
        env: Mapping[str, str],
        out: Write,
        error: Write,
        stdin: Input | None = None,
        *,
        cwd: str = "/",
        who: Who | None = None,
        depth: int = 0,
    ) -> None:
        self.world = world
        self.argv = list(argv)
        self.env = dict(env)
        self.out = out
        self.error = error
        self.stdin = stdin or Input()
        self.cwd = cwd
        self.who = who or world.who
        self.umask = 0o022
        self.depth = depth
        self.traps: dict[int, object] = {}

    def child(self, argv: Sequence[str], out: Write | None = None, error: Write | None = None, stdin: Input | None = None) -> Process:
        made = Process(
            self.world,
            argv,
            self.env,
            out or self.out,
            error or self.error,
            stdin or self.stdin,
            cwd=self.cwd,
            who=self.who,
            depth=self.depth + 1,
        )
        made.umask = self.umask
        return made

    # ---- conveniences for programs

    def print(self, text: str) -> None:
        self.out(text.encode("utf-8", "surrogateescape"))

    def complain(self, text: str) -> None:
        self.error(text.encode("utf-8", "surrogateescape"))

    def path(self, path: str) -> str:
        """Made absolute."""
        return path if path.startswith("/") else f"{self.cwd.rstrip('/')}/{path}"

    def read(self, path: str) -> bytes:
        made: bytes = self.world.files.read(self.path(path), self.who)
        return made

    def write(self, path: str, data: bytes, *, append: bool = False) -> None:
        self.world.files.write(self.path(path), data, self.who, append=append, mode=0o666 & ~self.umask)


class Ended(Protocol):
    def __call__(self, code: int) -> None: ...


class Execution:
    """Drives one process to its end: at once as far as it goes, then by the clock and by `wake`. `ended` is called once. What nobody can
    interpret goes to `refused`; without that its words go to the error stream, and the exit code is 127."""

    __slots__ = ("_clock", "_ended", "_refused", "_run", "_running", "_timer", "_turns", "_waiting", "process")

    def __init__(
        self, process: Process, run: Run, clock: Clock, ended: Callable[[int], None], refused: Callable[[str], None] | None = None
    ) -> None:
        self.process = process
        self._run: Run | None = run
        self._clock = clock
        self._ended = ended
        self._refused = refused
        self._timer: Timer | None = None
        self._waiting = False
        self._running = False
        self._turns = 0
        """In a row, in which it did nothing but compute."""

    @property
    def over(self) -> bool:
        return self._run is None

    def start(self) -> None:
        self._step()

    def wake(self) -> None:
        """Something it may wait for has happened."""
        if self._waiting and not self._running:
            self._step()

    def kill(self) -> None:
        """Without a word: `ended` is not called."""
        if self._timer is not None:
            self._timer.cancel()
        run, self._run = self._run, None
        if run is not None and not self._running:
            run.close()

    def interrupt(self) -> None:
        """A signal came: a sleep ends now."""
        if self._run is not None and not self._running:
            self._step()

    def _step(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        run = self._run
        if run is None:
            return
        self._running, self._waiting = True, False
        work = self.process.world.work
        spent, work.spent = work.spent, 0
        try:
            wait = next(run)
        except StopIteration as ended:
            self._end(int(ended.value or 0))
            return
        except Exit as left:
            self._end(left.code)
            return
        except NotInterpreted as refused:
            if self._refused is not None:
                self._run = None
                self._refused(str(refused))
                return
            self.process.complain(f"{self.process.argv[0] if self.process.argv else 'sh'}: a simulated container cannot run {refused}\n")
            self._end(127)
            return
        except RecursionError:
            self.process.complain("too deeply nested\n")
            self._end(2)
            return
        finally:
            self._running = False
            work.spent += spent
        if self._run is None:  # killed by what it did
            run.close()
        elif wait is None:
            self._waiting, self._turns = True, 0
        elif wait < 0:
            self._compute_on(work)
        else:
            self._turns = 0
            self._timer = self._clock.call_later(min(wait, LONGEST_SLEEP_SECONDS), self._step)

    def _compute_on(self, work: Work) -> None:
        self._turns += 1
        if self._turns < TURNS_IN_A_ROW:
            self._timer = work.turns.after_the_others(self._step)
        else:
            self._turns = 0
            self._timer = self._clock.call_later(BUSY_LOOP_SECONDS, self._step)

    def _end(self, code: int) -> None:
        if self._run is not None:
            self._run = None
            self._ended(code)


def run_program(program: Callable[[Process], int | Run], process: Process) -> Run:
    """A program of either form as a generator."""
    result = program(process)
    if isinstance(result, int):
        return result
    return (yield from result)


BUSY_LOOP_SECONDS = 1.0
