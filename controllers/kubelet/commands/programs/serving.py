"""A server program: listeners, and one task for each connection, all within the one generator that is the process."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Any, cast

from controllers.kubelet.commands.errors import Exit
from controllers.kubelet.commands.network import PodNetwork, Side
from controllers.kubelet.commands.process import Process, Run
from controllers.kubelet.commands.programs import http
from controllers.kubelet.commands.programs.http import Request, Response
from controllers.kubelet.commands.world import Connection
from kctl.apimachinery.clock import Timer

if TYPE_CHECKING:
    import ssl

Waits = float | None
Task = Generator[Waits, None, Any]
Handler = Callable[[Request], "Response | Generator[Waits, None, Response]"]
_MOST_ROUNDS = 1000


class Server:
    """`print` of a Go server's log goes to the standard error, with the time before it."""

    def __init__(self, process: Process) -> None:
        self.process = process
        self._tasks: list[tuple[Task, float | None]] = []
        self._stops: list[Callable[[], None]] = []
        self._connections: list[Connection] = []
        self._timers: list[Timer] = []
        self._signals: list[int] = []
        self._on_signal: Callable[[int], Task | None] | None = None
        self._exit_code: int | None = None

    # ---- what a program sets up

    def log(self, message: str) -> None:
        """Go's log.Printf."""
        self.process.complain(f"{self.process.world.clock.now():%Y/%m/%d %H:%M:%S} {message}\n")

    def listen(self, port: int, protocol: str, serve: Callable[[Side], Task]) -> None:
        """Raises OSError. `serve` is the task for one connection."""
        network = self.process.world.network
        if network is None:
            return

        def accept(connection: Connection) -> None:
            self._connections.append(connection)
            self._tasks.append((self._served(connection, serve(cast(Side, connection))), None))

        self._stops.append(network.listen(port, protocol, accept))

    def http(self, port: int, handler: Handler) -> None:
        self.listen(port, "TCP", lambda connection: self.http_connection(connection, handler))

    def https(self, port: int, handler: Handler, context: ssl.SSLContext | None = None) -> None:
        """With a certificate of its own where there is no `context`."""

        def serve(connection: Side) -> Task:
            from controllers.kubelet.commands import tls

            secured = tls.TlsSide(connection, context or tls.self_signed(), server=True)
            try:
                yield from secured.handshake()
            except tls.TlsFailed as failed:
                self.log(f"http: TLS handshake error from {connection.peer}: {failed}")
                return
            yield from self.http_connection(cast(Side, secured), handler)
            secured.finish()

        self.listen(port, "TCP", serve)

    def spawn(self, task: Task) -> None:
        self._tasks.append((task, None))

    def exit(self, code: int) -> None:
        self._exit_code = code

    def handle_signals(self, handle: Callable[[int], Task | None]) -> None:
        """`handle` makes the task that answers SIGTERM (None: nothing happens)."""
        self._on_signal = handle
        self.process.world.handler(cast(Any, self))

    def signal(self, number: int) -> bool:
        if self._on_signal is None:
            return False
        self._signals.append(number)
        return True

    # ---- connections

    def _served(self, connection: Connection, task: Task) -> Task:
        try:
            yield from task
        except (OSError, BufferError):
            pass  # the other side is gone, or does not read
        finally:
            connection.close()
            self._connections.remove(connection)

    def http_connection(self, connection: Side, handler: Handler) -> Task:
        buffer = http.Buffer()
        while True:
            reading = http.read_request(buffer, connection.peer)
            try:
                request = yield from received(reading, buffer, connection)
            except http.BadMessage:
                head = "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n400 Bad Request"
                connection.write(head.encode())
                return
            if request is None:
                return
            if request.header("Expect").lower() == "100-continue":
                connection.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            answer = handler(request)
            response = answer if isinstance(answer, Response) else (yield from answer)
            if response.drop:
                return
            connection.write(http.encode_response(response, request, self.process.world.clock.now()))
            if response.then is not None:
                response.then()
            if response.close or not request.keeps_alive:
                return

    # ---- the process

    def run(self) -> Run:
        try:
            while self._exit_code is None:
                arrived = self._arrivals()
                self._step()
                if self._exit_code is None and self._arrivals() == arrived and not self._signals:
                    yield None
            return self._exit_code
        finally:
            self._close()

    def _arrivals(self) -> int:
        network = self.process.world.network
        return network.arrivals if isinstance(network, PodNetwork) else 0

    def _step(self) -> None:
        """Every task that may go on does, once."""
        clock = self.process.world.clock
        while self._signals and self._on_signal is not None:
            task = self._on_signal(self._signals.pop(0))
            if task is not None:
                self.spawn(task)
        tasks, self._tasks = self._tasks, []
        for task, due in tasks:
            if self._exit_code is not None:
                task.close()
                continue
            if due is not None and clock.monotonic() < due:
                self._tasks.append((task, due))
                continue
            try:
                wait = next(task)
            except StopIteration:
                continue
            except Exit as left:
                self._exit_code = left.code
                continue
            if wait is not None:
                self._timers = [*self._timers[-500:], clock.call_later(max(wait, 0.0), self.process.world.wake)]
            self._tasks.append((task, None if wait is None else clock.monotonic() + max(wait, 0.0)))

    def _close(self) -> None:
        self.process.world.handler(None)
        for stop in self._stops:
            stop()
        for task, _ in self._tasks:
            task.close()
        for connection in list(self._connections):
            connection.close()
        for timer in self._timers:
            timer.cancel()


def received(reading: Generator[None, None, Any], buffer: http.Buffer, connection: Connection) -> Generator[Waits, None, Any]:
    """Drives a parser with what the connection brings. Raises what the parser raises."""
    while True:
        buffer.feed(connection.stdin.take())
        buffer.ended = connection.stdin.closed
        try:
            next(reading)
        except StopIteration as parsed:
            return parsed.value
        data = connection.stdin.take()
        if data:
            buffer.feed(data)
            continue
        if not buffer.ended:
            yield None


def listening(server: Server, ports: Callable[[], None], *, address: str = "") -> int:
    """Opens the ports as Go's log.Fatal(ListenAndServe) does: 0, or 1 with its words said."""
    try:
        ports()
    except OSError as error:
        server.log(f"listen tcp {address}: bind: {os.strerror(error.errno or 0).lower()}")
        return 1
    return 0


def words_of(error: OSError) -> str:
    """As Go words a system call's error."""
    if isinstance(error, socket.gaierror):
        return "no such host"
    return os.strerror(error.errno or 0).lower()
