"""exec, attach and port-forward to simulated containers; real ones answer for themselves. Imported with the first of them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from controllers.kubelet.commands.errors import NotInterpreted
from controllers.kubelet.commands.process import Execution, Input
from controllers.kubelet.life import Life
from controllers.kubelet.live_container import LiveContainer
from controllers.kubelet.network.connections import PodConnection, cannot_forward, forward
from controllers.kubelet.network.pod_networks import PodNetworks
from controllers.kubelet.network.real_connections import forward_to, real_address
from controllers.kubelet.pod_worker import PodWorker
from controllers.kubelet.runtime import RealContainer
from controllers.kubelet.simulated_container import SimulatedContainer
from controllers.kubelet.terminal_line import TerminalLine
from kctl.apimachinery import status
from kctl.client.kubelet import ByteStream, CannotRun, Forward, Process, Terminal

_MOST_WAITING_BYTES = 8 * 1024 * 1024


def exec_in(worker: PodWorker | None, name: str, command: Sequence[str]) -> Process:
    """Raises InternalError for a container that does not run."""
    handle = _running(worker, name)
    if not isinstance(handle, SimulatedContainer):
        return handle.exec(command)

    async def run(terminal: Terminal) -> int:
        try:
            life = handle.life()
        except OSError as error:
            raise CannotRun(f"failed to exec in container: {error.strerror}: {error.filename}") from None
        await handle.prepare()
        return await _Session(life, terminal).run(command)

    return run


class _Session:
    """One command with the streams of who runs it."""

    def __init__(self, life: Life, terminal: Terminal) -> None:
        self._life = life
        self._terminal = terminal
        self._written: list[tuple[bool, bytes]] = []
        self._waiting = 0
        self._changed = asyncio.Event()
        self._code: int | None = None
        self._input = Input(closed=not terminal.has_input)
        self._line = TerminalLine(self._out) if terminal.tty else None
        self._execution: Execution | None = None

    def _out(self, data: bytes) -> None:
        self._write(False, data.replace(b"\n", b"\r\n") if self._terminal.tty else data)

    def _error(self, data: bytes) -> None:
        self._out(data) if self._terminal.tty else self._write(True, data)

    def _write(self, error: bool, data: bytes) -> None:
        if self._waiting > _MOST_WAITING_BYTES:
            raise NotInterpreted("a command whose output nobody reads")
        self._written.append((error, data))
        self._waiting += len(data)
        self._changed.set()

    def _ended(self, code: int) -> None:
        self._code = code
        self._changed.set()

    async def run(self, command: Sequence[str]) -> int:
        world = self._life.world.for_terminal(terminal=self._terminal.tty)
        try:
            self._execution = self._life.run(command, self._out, self._error, self._ended, stdin=self._input, world=world)
        except NotInterpreted:
            word = command[0] if command else ""
            raise CannotRun(
                f'failed to exec in container: failed to start exec: OCI runtime exec failed: exec: "{word}": '
                "this container is simulated and does not know the command"
            ) from None
        reader = asyncio.get_running_loop().create_task(self._read()) if self._terminal.has_input else None
        try:
            return await self._pump()
        finally:
            self._execution.kill()
            if reader is not None:
                reader.cancel()

    async def _pump(self) -> int:
        while True:
            self._changed.clear()
            written, self._written, self._waiting = self._written, [], 0
            for error, data in written:
                await (self._terminal.write_error(data) if error else self._terminal.write(data))
            if not self._written and self._code is not None:
                return self._code
            if not self._written:
                await self._changed.wait()

    async def _read(self) -> None:
        while data := await self._terminal.read():
            if self._line is None:
                try:
                    self._input.feed(data)
                except BufferError:
                    break
            else:
                self._type(self._line, data)
            self._life.wake()
        self._input.closed = True
        self._life.wake()

    def _type(self, line: TerminalLine, data: bytes) -> None:
        for typed in line.typed(data):
            if typed is None:
                self._input.closed = True
            elif typed == b"":
                self._input.take()
                if self._execution is not None:
                    self._execution.interrupt()
            else:
                self._input.feed(typed)


def _running(worker: PodWorker | None, name: str) -> SimulatedContainer | RealContainer:
    container = worker.container(name) if worker is not None else None
    handle = container.handle if container is not None else None
    if container is None or not isinstance(handle, SimulatedContainer | RealContainer) or "running" not in container.state:
        error = status.InternalError(f'container not found ("{name}")')
        raise error
    return handle


def attach_to(worker: PodWorker | None, name: str) -> Process:
    handle = _running(worker, name)
    if not isinstance(handle, SimulatedContainer):
        return handle.attach()

    async def run(terminal: Terminal) -> int:
        feeding = None
        if terminal.has_input and isinstance(handle, LiveContainer):
            feeding = asyncio.get_running_loop().create_task(_feed(handle, terminal))
        try:
            async for chunk in handle.logs({"follow": "true", "tailLines": "0"}):
                await terminal.write(chunk)
        finally:
            if feeding is not None:
                feeding.cancel()
        return 0

    return run


async def _feed(handle: LiveContainer, terminal: Terminal) -> None:
    line = TerminalLine(handle.echo) if terminal.tty else None
    while data := await terminal.read():
        for typed in [data] if line is None else line.typed(data):
            if typed is not None:
                handle.feed(typed) if typed else None
            else:
                handle.feed(b"")
    if handle.stdin_once:
        handle.feed(b"")


def port_forward_to(worker: PodWorker | None, pod: str, networks: PodNetworks) -> Forward:
    if worker is None or worker.stopping:
        raise status.InternalError(f'unable to do port forwarding: pod not found ("{pod}")')

    address = real_address(worker)
    if address:
        return forward_to(address, pod, worker.uid)
    running, host = worker, networks.host_of(worker)

    async def serve(port: int, stream: ByteStream) -> None:
        networks.serve(running)
        try:
            connection = PodConnection(lambda wake: networks.cluster.open_pod(host, port, wake))
        except OSError as error:
            raise cannot_forward(port, pod, running.uid, error) from None
        await forward(connection, stream)

    return serve
