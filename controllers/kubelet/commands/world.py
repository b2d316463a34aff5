"""What surrounds the processes of one simulated container: files, identity, time, network, the programs of its image."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Protocol

from controllers.kubelet.commands.work import Turns, Work
from controllers.kubelet.files.tree import FileSystem, Who
from kctl.apimachinery.clock import Clock

if TYPE_CHECKING:
    from controllers.kubelet.commands.process import Execution, Input, Process, Run, SignalHandler

Program = Callable[["Process"], "int | Run"]

_PLACES = ("/bin/", "/usr/bin/", "/usr/local/bin/", "/sbin/", "/usr/sbin/", "/")
_LARGEST_SCRIPT_BYTES = 64 * 1024


class Connection(Protocol):
    """One side of a connection, or of a UDP association, where each `write` is a datagram."""

    stdin: Input
    """What the other side wrote; at its end once that has closed."""
    peer: str
    """host:port of the other side."""

    @property
    def closed(self) -> bool:
        """By either side."""
        ...

    def write(self, data: bytes) -> None:
        """Raises OSError EPIPE where it is closed, BufferError where nobody reads."""
        ...

    def close(self) -> None: ...


class Network(Protocol):
    """The network as one pod sees it. `protocol`: TCP, UDP or SCTP."""

    @property
    def addresses(self) -> Sequence[str]:
        """The pod's own, its first one first."""
        ...

    def listen(self, port: int, protocol: str, accept: Callable[[Connection], None]) -> Callable[[], None]:
        """What stops it again. Raises OSError EADDRINUSE."""
        ...

    def connect(self, host: str, port: int, protocol: str) -> Connection:
        """`host` is a name or an address. Raises OSError: ECONNREFUSED, EHOSTUNREACH, ETIMEDOUT; socket.gaierror for unknown names."""
        ...

    def resolve(self, name: str, type: str) -> list[str]:
        """`type`: A, AAAA, SRV, PTR, CNAME, TXT. The values of a full name's records as dig prints them; empty where there are none."""
        ...


@dataclass(frozen=True)
class PodFacts:
    name: str = ""
    namespace: str = ""
    uid: str = ""
    node: str = ""


@dataclass
class World:
    """`strict`: a program that nobody knows ends the interpretation of the whole container (what follows would be a guess);
    otherwise a shell says `not found`, as for a user who looks around. `wake_all` wakes whatever waits in the pod's containers;
    `start` drives one more process (a background command)."""

    files: FileSystem
    who: Who
    clock: Clock
    hostname: str = "localhost"
    image: str = ""
    random: random.Random = field(default_factory=lambda: random.Random(0))
    network: Network | None = None
    pod: PodFacts = PodFacts()
    terminal: bool = False
    strict: bool = True
    env: Mapping[str, str] = field(default_factory=dict)
    """Of the container's first process."""
    wake_all: Callable[[], None] = lambda: None
    start: Callable[[Process, Run, Callable[[int], None]], Execution] | None = None
    signalled: Callable[[int], None] = lambda number: None
    """A process of the container sends the first one a signal."""
    traps: SignalHandler | None = None
    """The shell that handles SIGTERM; the container asks it before it ends the process."""
    find: Callable[[str, str], Program | None] = lambda image, name: None
    """What an image carries under a name."""
    turns: Turns | None = None
    """With all other containers; a world without has its own."""
    work: Work = field(init=False)

    def __post_init__(self) -> None:
        self.turns = self.turns or Turns(self.clock)
        self._count(Work(self.turns))

    def _count(self, work: Work) -> None:
        self.work = work
        self.files.touched = work.add

    def for_terminal(self, *, terminal: bool) -> World:
        """For what somebody runs in the container beside its own process."""
        made = replace(self, terminal=terminal, strict=False, traps=None)
        made._count(self.work)
        return made

    def handler(self, shell: SignalHandler | None) -> None:
        """`shell` handles signals from now on; None: nobody does."""
        self.traps = shell

    def wake(self) -> None:
        """Something others may wait for has happened."""
        self.wake_all()

    def find_program(self, name: str, process: Process) -> Program | None:
        """By path or by name: a script in the container's files, or what the image carries."""
        if "/" in name:
            path = process.path(name)
            script = self._script(path, process)
            if script is not None:
                return script
            place = next((place for place in _PLACES if path.startswith(place) and "/" not in path[len(place) :]), None)
            return self.find(self.image, path) or (None if place is None else self.find(self.image, path[len(place) :]))
        return self.find(self.image, name)

    def _script(self, path: str, process: Process) -> Program | None:
        """A file with #!, or with text, that may be run."""
        try:
            node = self.files.node(path, process.who)
            data = self.files.read(path, process.who)
        except OSError:
            return None
        if not node.mode & 0o111 or len(data) > _LARGEST_SCRIPT_BYTES or b"\0" in data:
            return None
        return _run_script


def _run_script(process: Process) -> Run:
    from controllers.kubelet.commands.process import run_program

    first = process.read(process.argv[0]).split(b"\n", 1)[0].decode(errors="replace")
    interpreter = first[2:].split() if first.startswith("#!") else ["/bin/sh"]
    words = [*interpreter, *process.argv]
    program = process.world.find_program(words[0], process)
    if program is None:
        process.complain(f"{process.argv[0]}: {words[0]}: not found\n")
        return 127
    process.argv = words
    return (yield from run_program(program, process))
