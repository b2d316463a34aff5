"""A kubelet's own connections to its pods: HTTP GETs and TCP connects of probes and lifecycle hooks, without a process around them.

What they say when they fail is what Go's net/http and net say.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import cast
from urllib.parse import urljoin, urlsplit

from controllers.kubelet.commands.network import ClusterNetwork, Side, joined
from controllers.kubelet.commands.programs import http
from controllers.kubelet.commands.programs.http import Request, Response
from controllers.kubelet.commands.programs.resolver import is_address
from controllers.kubelet.commands.programs.serving import received
from controllers.kubelet.commands.tls import TlsFailed, TlsSide, of_client
from controllers.kubelet.commands.world import Connection
from kctl.apimachinery.clock import Clock, Timer
from kctl.apimachinery.objects import Object

_MOST_REDIRECTS = 10
_REDIRECTS = (301, 302, 303, 307, 308)
VERSION = "1.37"


@dataclass(frozen=True, slots=True)
class Target:
    """A GET. `source` is the address that the pod sees."""

    scheme: str
    host: str
    port: int
    path: str
    headers: Sequence[tuple[str, str]]
    source: str

    @property
    def url(self) -> str:
        return f"{self.scheme}://{joined(self.host, self.port)}{self.path}"


Answered = Callable[[Response | None, str], None]
"""Gets (the answer, '') or (None, why there is none)."""


def port_of(port: object, container: Object) -> int:
    """A number, or the container's port of that name; 0 where there is none."""
    if isinstance(port, int):
        return port
    for each in container.get("ports") or ():
        if each.get("name") == port:
            return int(each["containerPort"])
    return int(str(port)) if str(port).isdigit() else 0


def http_target(action: Object, container: Object, address: str, source: str, agent: str) -> Target:
    """Of an HTTPGetAction. `address` is the pod's; `agent` is kube-probe or kube-lifecycle."""
    host = str(action.get("host") or address)
    port = port_of(action.get("port"), container)
    path = str(action.get("path") or "/")
    given = [(str(each.get("name")), str(each.get("value") or "")) for each in action.get("httpHeaders") or ()]
    headers = [("Host", http.value_of(given, "Host") or joined(host, port))]
    for name, value in (("User-Agent", f"{agent}/{VERSION}"), ("Accept", "*/*")):
        shown = [each for key, each in given if key.lower() == name.lower()]
        headers += [(name, each) for each in (shown or [value]) if each]
    headers += [(name, value) for name, value in given if name.lower() not in ("host", "user-agent", "accept")]
    scheme = str(action.get("scheme") or "HTTP").lower()
    return Target(scheme, host, port, path if path.startswith("/") else f"/{path}", [*headers, ("Connection", "close")], source)


def _exchanged(side: Side, request: bytes, scheme: str) -> Generator[object, None, object]:
    """Kubelets do not verify certificates."""
    buffer = http.Buffer()
    reading = http.read_response(buffer, "GET")
    if scheme != "https":
        side.write(request)
        return (yield from received(reading, buffer, side))
    secured = TlsSide(side, of_client(verifies=False), server=False)
    yield from secured.handshake()
    secured.write(request)
    return (yield from received(reading, buffer, cast(Connection, secured)))


def dial_failure(host: str, port: int, error: OSError) -> str:
    if error.errno == errno.ETIMEDOUT:
        return f"dial tcp {joined(host, port)}: i/o timeout"
    return f"dial tcp {joined(host, port)}: connect: {os.strerror(error.errno or 0).lower()}"


class Get:
    """One GET with its redirects, which stay with the host. `answered` is called once, never within the constructor."""

    def __init__(self, network: ClusterNetwork, clock: Clock, target: Target, seconds: float, answered: Answered) -> None:
        self._network = network
        self._clock = clock
        self._target = target
        self._answered = answered
        self._side: Side | None = None
        self._reading: Generator[object, None, object] | None = None
        self._stepping = False
        self._redirects = 0
        self._timer: Timer | None = clock.call_later(seconds, self._late) if seconds > 0 else None
        self._waking: Timer | None = clock.call_later(0.0, self._begin)

    def cancel(self) -> None:
        """`answered` is not called any more."""
        for timer in (self._timer, self._waking):
            if timer is not None:
                timer.cancel()
        self._timer = self._waking = None
        side, self._side, self._reading = self._side, None, None
        if side is not None:
            side.close()

    def _end(self, response: Response | None, why: str) -> None:
        self.cancel()
        self._answered(response, f'Get "{self._target.url}": {why}' if why else "")

    def _late(self) -> None:
        self._end(None, "context deadline exceeded (Client.Timeout exceeded while awaiting headers)")

    def _begin(self) -> None:
        self._waking = None
        target = self._target
        if not is_address(target.host) and target.host != "localhost":
            self._end(None, f"dial tcp: lookup {target.host}: no such host")
            return
        try:
            side = self._side = self._network.open(target.host, target.port, "TCP", self._wake, target.source)
            request = http.encode_request(Request("GET", target.path, "HTTP/1.1", list(target.headers)))
            self._reading = _exchanged(side, request, target.scheme)
        except OSError as error:
            if error.errno != errno.ETIMEDOUT:
                self._end(None, dial_failure(target.host, target.port, error))
            return  # else nobody answers until the time is over
        self._wake()

    def _wake(self) -> None:
        """In a moment: who writes may be in the middle of something."""
        if self._waking is None and self._reading is not None:
            self._waking = self._clock.call_later(0.0, self._step)

    def _step(self) -> None:
        self._waking = None
        reading = self._reading
        if reading is None:
            return
        try:
            next(reading)
        except StopIteration as done:
            assert isinstance(done.value, Response)
            self._received(done.value)
        except (http.BadMessage, TlsFailed, OSError) as failed:
            plain = isinstance(failed, TlsFailed) and failed.plain
            words = "http: server gave HTTP response to HTTPS client" if plain else "EOF" if isinstance(failed, OSError) else str(failed)
            self._end(None, words)

    def _received(self, response: Response) -> None:
        location = response.header("Location")
        if response.status not in _REDIRECTS or not location:
            self._end(response, "")
            return
        try:
            parts = urlsplit(urljoin(self._target.url, location))
            port = parts.port or (443 if parts.scheme == "https" else 80)
        except ValueError:
            self._end(None, f'failed to parse Location header "{location}"')
            return
        if parts.hostname != self._target.host:
            self._end(response, "")
            return
        self._redirects += 1
        if self._redirects >= _MOST_REDIRECTS:
            self._end(None, f"stopped after {_MOST_REDIRECTS} redirects")
            return
        if self._side is not None:
            self._side.close()
        self._side = self._reading = None
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        before = self._target
        headers = [("Host", joined(before.host, port)) if name == "Host" else (name, value) for name, value in before.headers]
        self._target = Target(parts.scheme, before.host, port, path, headers, before.source)
        self._waking = self._clock.call_later(0.0, self._begin)
