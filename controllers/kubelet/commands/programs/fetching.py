"""An HTTP client for programs: connect with a time limit, send, read; a process waits in it as in any call."""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import cast
from urllib.parse import urlsplit

from controllers.kubelet.commands.network import Side, joined
from controllers.kubelet.commands.process import Process
from controllers.kubelet.commands.programs import http
from controllers.kubelet.commands.programs.http import Request, Response
from controllers.kubelet.commands.programs.resolver import lookup
from controllers.kubelet.commands.programs.serving import received
from controllers.kubelet.commands.world import Connection

Waits = float | None
CONNECT_SECONDS = 130.0
"""After which Linux gives up to connect."""


class TimedOut(Exception):
    """`connecting`: nobody answered; else the answer took too long."""

    def __init__(self, *, connecting: bool) -> None:
        super().__init__()
        self.connecting = connecting


@dataclass(frozen=True, slots=True)
class Limits:
    connect_seconds: float = CONNECT_SECONDS
    total_seconds: float = 0.0
    """0: none"""


@dataclass(frozen=True, slots=True)
class Url:
    scheme: str
    host: str
    port: int
    target: str

    @property
    def host_header(self) -> str:
        shown = f"[{self.host}]" if ":" in self.host else self.host
        return shown if self.port == (443 if self.scheme == "https" else 80) else f"{shown}:{self.port}"


def parse_url(text: str) -> Url:
    """Raises ValueError."""
    if "://" not in text:
        text = f"http://{text}"
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(text)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Url(parts.scheme, parts.hostname, parts.port or (443 if parts.scheme == "https" else 80), target)


class Deadline:
    """Wakes its process when the time is over."""

    def __init__(self, process: Process, seconds: float) -> None:
        clock = process.world.clock
        self._now = clock.monotonic
        self._until = clock.monotonic() + seconds if seconds > 0 else 0.0
        self._timer = clock.call_later(seconds, process.world.wake) if seconds > 0 else None

    @property
    def over(self) -> bool:
        return self._until > 0 and self._now() >= self._until

    @property
    def left(self) -> float:
        return max(self._until - self._now(), 0.0) if self._until else CONNECT_SECONDS

    def cancel(self) -> None:
        if self._timer is not None:
            self._timer.cancel()


def waiting(task: Generator[Waits, None, object], deadline: Deadline, expired: Callable[[], Exception]) -> Generator[Waits, None, object]:
    """`task` up to the deadline. Raises what `expired` makes."""
    while True:
        try:
            wait = next(task)
        except StopIteration as done:
            return done.value
        if deadline.over:
            task.close()
            raise expired()
        yield wait


def connected(process: Process, host: str, port: int, protocol: str, limits: Limits) -> Generator[Waits, None, tuple[Side, str]]:
    """(the connection, the address): of the first address that answers. Raises OSError, socket.gaierror, TimedOut."""
    network = process.world.network
    addresses = lookup(process, host)
    if network is None:
        raise OSError(errno.ENETUNREACH, "Network is unreachable")
    last: OSError = OSError(errno.ECONNREFUSED, "Connection refused")
    for address in addresses:
        try:
            connection = network.connect(address, port, protocol)
        except socket.gaierror:
            raise
        except OSError as error:
            last = error
            if error.errno == errno.ETIMEDOUT:
                yield limits.connect_seconds
            continue
        assert isinstance(connection, Side)
        return connection, address
    if last.errno == errno.ETIMEDOUT:
        raise TimedOut(connecting=True)
    raise last


@dataclass(slots=True)
class Exchange:
    """A request, and what it needs to be sent."""

    url: Url
    method: str = "GET"
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes = b""
    limits: Limits = Limits()
    verifies: bool = True
    """Over https: the server's certificate."""
    authority: bytes | None = None
    """The PEM text of whom it trusts to have signed that; otherwise nobody."""


def fetch(process: Process, exchange: Exchange) -> Generator[Waits, None, tuple[Response, Side]]:
    """(the response, the connection it came over, which is closed). Raises OSError, socket.gaierror, TimedOut, http.BadMessage,
    tls.TlsFailed."""
    limits = exchange.limits
    connect = limits.connect_seconds if not limits.total_seconds else min(limits.connect_seconds, limits.total_seconds)
    connection, _ = yield from connected(process, exchange.url.host, exchange.url.port, "TCP", Limits(connect))
    deadline = Deadline(process, limits.total_seconds)
    try:
        headers = _complete(exchange)
        request = Request(exchange.method, exchange.url.target, "HTTP/1.1", headers, exchange.body)
        exchanging = _exchanged(exchange, connection, http.encode_request(request))
        response = yield from waiting(exchanging, deadline, lambda: TimedOut(connecting=False))
        assert isinstance(response, Response)
        return response, connection
    finally:
        deadline.cancel()
        connection.close()


def _exchanged(exchange: Exchange, connection: Side, request: bytes) -> Generator[Waits, None, Response]:
    buffer = http.Buffer()
    reading = http.read_response(buffer, exchange.method)
    if exchange.url.scheme != "https":
        connection.write(request)
        return (yield from received(reading, buffer, connection))  # type: ignore[no-any-return]
    from controllers.kubelet.commands import tls

    context = tls.of_client(exchange.authority, verifies=exchange.verifies)
    secured = tls.TlsSide(connection, context, server=False, name=exchange.url.host)
    yield from secured.handshake()
    secured.write(request)
    return (yield from received(reading, buffer, cast(Connection, secured)))  # type: ignore[no-any-return]


def _complete(exchange: Exchange) -> list[tuple[str, str]]:
    headers = list(exchange.headers)
    if not http.value_of(headers, "Host"):
        headers.insert(0, ("Host", exchange.url.host_header))
    if exchange.body and not http.value_of(headers, "Content-Length"):
        headers.append(("Content-Length", str(len(exchange.body))))
    return headers


def get(process: Process, url: str, seconds: float = 5.0) -> Generator[Waits, None, Response]:
    """As Go's http.Client with a timeout. Raises ClientError with its words."""
    try:
        exchange = Exchange(
            parse_url(url), headers=[("User-Agent", "Go-http-client/1.1"), ("Accept-Encoding", "gzip")], limits=Limits(seconds, seconds)
        )
        response, _ = yield from fetch(process, exchange)
    except ValueError:
        raise ClientError(f'parse "{url}": invalid URL') from None
    except TimedOut as late:
        words = (
            f"dial tcp {joined(parse_url(url).host, parse_url(url).port)}: i/o timeout"
            if late.connecting
            else "context deadline exceeded (Client.Timeout exceeded while awaiting headers)"
        )
        raise ClientError(f'Get "{url}": {words}') from None
    except socket.gaierror:
        host = parse_url(url).host
        raise ClientError(f'Get "{url}": dial tcp: lookup {host}: no such host') from None
    except OSError as error:
        place = joined(parse_url(url).host, parse_url(url).port)
        raise ClientError(f'Get "{url}": dial tcp {place}: connect: {(error.strerror or "").lower()}') from None
    except http.BadMessage as bad:
        raise ClientError(f'Get "{url}": {bad}') from None
    return response


class ClientError(Exception):
    """The message is Go's."""
