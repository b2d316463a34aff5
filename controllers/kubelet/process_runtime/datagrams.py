"""UDP through a Service: each client has an endpoint of its own for as long as it, or the endpoint, goes on sending.

Times are those of the kernel's connection tracking, which kube-proxy's rules rely on.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable
from typing import Any, Protocol

from kctl.apimachinery.clock import Clock, Timer

UNANSWERED_SECONDS, ANSWERED_SECONDS = 30.0, 120.0
MOST_SESSIONS = 4_096
"""Of one cluster; the oldest goes where there would be more."""
_SWEEP_SECONDS = 10.0
_LONGEST = 65_535
_A_TURN = 64


class Exchange(Protocol):
    """Datagrams to one endpoint, and what it answers."""

    def send(self, data: bytes) -> None:
        """Raises OSError where nobody is there."""
        ...

    def close(self) -> None: ...


class SocketExchange:
    """With a process of this machine."""

    def __init__(self, address: str, port: int, answered: Callable[[bytes], None], gone: Callable[[], None]) -> None:
        """Raises OSError."""
        self._answered = answered
        self._gone = gone
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        try:
            self._socket.connect((address, port))
        except OSError:
            self._socket.close()
            raise
        asyncio.get_running_loop().add_reader(self._socket.fileno(), self._readable)

    def _readable(self) -> None:
        for _ in range(_A_TURN):
            try:
                data = self._socket.recv(_LONGEST)
            except BlockingIOError:
                return
            except OSError:  # nobody listens there any more
                self._gone()
                return
            self._answered(data)

    def send(self, data: bytes) -> None:
        with contextlib.suppress(BlockingIOError):  # as a full queue drops it
            self._socket.send(data)

    def close(self) -> None:
        asyncio.get_running_loop().remove_reader(self._socket.fileno())
        self._socket.close()


class _Session:
    __slots__ = ("exchange", "until", "where")

    def __init__(self, where: tuple[str, int]) -> None:
        self.where = where
        self.exchange: Exchange | None = None
        self.until = 0.0


Route = Callable[[], tuple[str, int]]
"""An endpoint for a new client. Raises OSError."""
Open = Callable[[tuple[str, int], Callable[[bytes], None], Callable[[], None]], Exchange]
"""(endpoint, what gets its answers, what is told that it is gone). Raises OSError."""


class Sessions:
    """All of a cluster, over all its ports."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self._open: dict[tuple[int, Any], Callable[[], None]] = {}

    def __len__(self) -> int:
        return len(self._open)

    def began(self, key: tuple[int, Any], end: Callable[[], None]) -> None:
        if len(self._open) >= MOST_SESSIONS:
            next(iter(self._open.values()))()
        self._open[key] = end

    def ended(self, key: tuple[int, Any]) -> None:
        self._open.pop(key, None)


class DatagramPort:
    """Listens at an address. `leads_to` says whether an endpoint is still one: a session with another ends."""

    def __init__(
        self, sessions: Sessions, address: str, port: int, route: Route, leads_to: Callable[[tuple[str, int]], bool], open: Open
    ) -> None:
        """Raises OSError."""
        self._all = sessions
        self._clock = sessions.clock
        self._route = route
        self._leads_to = leads_to
        self._open = open
        self._sessions: dict[Any, _Session] = {}
        self._sweeping: Timer | None = None
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        try:
            self._socket.bind((address, port))
        except OSError:
            self._socket.close()
            raise
        asyncio.get_running_loop().add_reader(self._socket.fileno(), self._readable)

    def _readable(self) -> None:
        for _ in range(_A_TURN):
            try:
                data, client = self._socket.recvfrom(_LONGEST)
            except OSError:  # nothing more, or what could not be delivered to a client before
                return
            self._pass_on(data, client)

    def _pass_on(self, data: bytes, client: Any) -> None:
        """Where there is no endpoint it is lost, as datagrams are."""
        session = self._sessions.get(client)
        try:
            if session is None:
                session = self._begin(client)
            assert session.exchange is not None
            session.until = max(session.until, self._clock.monotonic() + UNANSWERED_SECONDS)
            session.exchange.send(data)
        except (OSError, BufferError):
            self._end(client)

    def _begin(self, client: Any) -> _Session:
        session = _Session(self._route())

        def answered(data: bytes) -> None:
            session.until = self._clock.monotonic() + ANSWERED_SECONDS
            with contextlib.suppress(OSError):
                self._socket.sendto(data, client)

        session.exchange = self._open(session.where, answered, lambda: self._end(client))
        self._sessions[client] = session
        self._all.began((id(self), client), lambda: self._end(client))
        if self._sweeping is None:
            self._sweeping = self._clock.call_later(_SWEEP_SECONDS, self._sweep)
        return session

    def _end(self, client: Any) -> None:
        session = self._sessions.pop(client, None)
        if session is not None and session.exchange is not None:
            self._all.ended((id(self), client))
            session.exchange.close()

    def _sweep(self) -> None:
        self._sweeping = None
        now = self._clock.monotonic()
        for client in [client for client, session in self._sessions.items() if session.until <= now]:
            self._end(client)
        if self._sessions:
            self._sweeping = self._clock.call_later(_SWEEP_SECONDS, self._sweep)

    def changed(self) -> None:
        """Endpoints are others: clients of those that are gone get new ones with their next datagram."""
        for client, session in list(self._sessions.items()):
            if not self._leads_to(session.where):
                self._end(client)

    def close(self) -> None:
        if self._sweeping is not None:
            self._sweeping.cancel()
            self._sweeping = None
        for client in list(self._sessions):
            self._end(client)
        asyncio.get_running_loop().remove_reader(self._socket.fileno())
        self._socket.close()
