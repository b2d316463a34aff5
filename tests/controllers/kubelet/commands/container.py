"""A simulated container for tests: a world with files, and its programs run to their end."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from controllers.kubelet.commands import programs
from controllers.kubelet.commands.process import Execution, Input, Process, run_program
from controllers.kubelet.commands.world import Network, PodFacts, World
from controllers.kubelet.files.tree import ROOT, Budget, Device, Directory, FileSystem, Mount, Who
from kctl.apimachinery.clock import FakeClock


@dataclass
class Result:
    code: int | None
    """None: it still runs."""
    out: str
    error: str


class Container:
    def __init__(
        self,
        image: str = "busybox",
        files: Mapping[str, str | bytes] | None = None,
        *,
        who: Who = ROOT,
        mounts: Mapping[str, Mount] | None = None,
        clock: FakeClock | None = None,
        network: Network | None = None,
        hostname: str = "pod-1",
        env: Mapping[str, str] | None = None,
    ) -> None:
        root = Directory()
        for name in ("tmp", "etc", "dev", "proc"):
            root.entries[name] = Directory(mode=0o1777 if name == "tmp" else 0o755)
        dev = root.entries["dev"]
        assert isinstance(dev, Directory)
        dev.entries["null"] = Device(lambda: b"", lambda data: None)
        dev.entries["zero"] = Device(lambda: bytes(4096), lambda data: None)
        for mounted in mounts or {}:
            root.entries.setdefault(mounted.strip("/"), Directory())
        self.clock = clock or FakeClock()
        self.files = FileSystem(root, dict(mounts or {}), Budget())
        self.env = {"PATH": "/bin", **(env or {})}
        self.executions: list[Execution] = []
        self.world = World(
            self.files,
            who,
            self.clock,
            hostname,
            image,
            find=programs.find,
            random=random.Random(1),
            network=network,
            pod=PodFacts("pod-1", "default", "uid", "node-1"),
            wake_all=self.wake,
        )
        for path, content in (files or {}).items():
            if "/" in path.strip("/"):
                self.files.make_directory(path.rpartition("/")[0], parents=True)
            self.files.write(path, content.encode() if isinstance(content, str) else content)

    def wake(self) -> None:
        for execution in list(self.executions):
            execution.wake()

    def start(self, words: Sequence[str], stdin: bytes | Input = b"", cwd: str = "/") -> Running:
        running = Running()
        given = stdin if isinstance(stdin, Input) else Input(stdin)
        process = Process(self.world, words, self.env, running.out.extend, running.error.extend, given, cwd=cwd)
        program = programs.find(self.world.image, words[0])
        assert program is not None, f"{self.world.image} has no {words[0]}"
        execution = Execution(process, run_program(program, process), self.clock, running.ended)
        running.execution = execution
        self.executions.append(execution)
        execution.start()
        return running

    def run(self, *words: str, stdin: bytes = b"", cwd: str = "/") -> Result:
        return self.start(words, stdin, cwd).result


class Running:
    def __init__(self) -> None:
        self.out = bytearray()
        self.error = bytearray()
        self.code: int | None = None
        self.execution: Execution | None = None

    def ended(self, code: int) -> None:
        self.code = code

    @property
    def result(self) -> Result:
        return Result(self.code, self.out.decode("utf-8", "surrogateescape"), self.error.decode("utf-8", "surrogateescape"))


Runs = Callable[..., Result]
