"""HTTP and HTTPS of Ingresses: each request goes to an endpoint of its backend and the answer back, both as they come; upgraded connections
(WebSockets) are two copies of bytes.

Limits of heads, idle connections and slow readers are kube-apiserver's (http_protocol.py); of bodies nothing is kept but a buffer.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from aiohttp import web

from kctl.apimachinery.clock import Clock
from kctl.apimachinery.status import ApiError
from kctl.kube_apiserver import upgrade_http
from kctl.kube_apiserver.acceptor import Acceptor
from kctl.kube_apiserver.http import unread_body, wire_request
from kctl.kube_apiserver.http_protocol import Protocol, Server
from kctl.kube_apiserver.request import Request
from kctl.kube_apiserver.response import PassedAnswer, UpgradeAnswer
from kctl.kube_apiserver.streaming.connection import MOST_CONNECTIONS
from kctl.kube_apiserver.streaming.dialing import DialedConnection, Dialer
from kctl.kube_apiserver.streaming.proxying import Target, pass_on

if TYPE_CHECKING:
    import ssl

_LOG = logging.getLogger(__name__)
_NOT_OF_THE_API = ("authorization", "impersonate-")
"""Headers that kube-apiserver keeps to itself where it passes requests on; an application's are its own."""
_MOST_TRIED = 4
"""Endpoints, where one cannot be connected to: it may have ended a moment ago."""


class Refused(Exception):
    """The request is answered with that status."""

    def __init__(self, status: HTTPStatus) -> None:
        super().__init__(status.phrase)
        self.status = status


class _Begun(NamedTuple):
    acceptor: Acceptor
    server: Server


class _Passed(Request):
    @property
    def is_passed_on(self) -> bool:
        return True


class IngressProxy:
    """`endpoints` gives (address, port) of those that a request for a host and a path may go to, in the order to try them; raises Refused.
    `clock` is the machine's."""

    def __init__(
        self, clock: Clock, dialer: Callable[[], Dialer | None], endpoints: Callable[[str, str], Sequence[tuple[str, int]]]
    ) -> None:
        self._clock = clock
        self._dialer = dialer
        self._endpoints = endpoints
        self._ports: list[_Begun] = []
        self._streams: set[asyncio.Task[Any]] = set()
        self._upgraded = 0

    async def listen(self, address: str, port: int, tls: ssl.SSLContext | None) -> int:
        """The port bound. Raises OSError."""
        server = Server(self._handle if tls is None else self._handle_secured)
        acceptor = Acceptor(server, tls, lambda: sum(each.server.open for each in self._ports))
        bound = await acceptor.listen(address, port)
        server.memory.start()
        self._ports.append(_Begun(acceptor, server))
        return bound

    async def stop(self) -> None:
        ports, self._ports = self._ports, []
        for port in ports:
            port.acceptor.close()
        while self._streams:
            self._streams.pop().cancel()
        for port in ports:
            port.server.memory.stop()
            await port.server.shutdown(0.01)  # 0 would mean no limit

    async def _handle_secured(self, incoming: web.BaseRequest) -> web.StreamResponse:
        return await self._handle(incoming, scheme="https")

    async def _handle(self, incoming: web.BaseRequest, scheme: str = "http") -> web.StreamResponse:
        task, protocol = asyncio.current_task(), cast(Protocol, incoming.protocol)
        assert task is not None
        self._streams.add(task)
        protocol.streaming = task  # it ends with the client's connection
        try:
            return await self._pass_on(incoming, scheme)
        except Refused as refused:
            return _page(refused.status)
        except ApiError as error:
            _LOG.info("%s %s%s: %s", incoming.method, incoming.host, incoming.path, error)
            return _page(HTTPStatus.BAD_GATEWAY)
        finally:
            self._streams.discard(task)
            protocol.streaming = None

    async def _pass_on(self, incoming: web.BaseRequest, scheme: str) -> web.StreamResponse:
        headers = {key.lower(): value for key, value in incoming.headers.items()}
        wire = wire_request(incoming.method, incoming.raw_path, headers)
        wire.source = incoming.remote or ""
        wire.unread = unread_body(incoming)
        host = headers.get("host", "")
        places = self._endpoints(host, wire.path)
        target = Target(
            host or places[0][0],
            places[0][1],
            wire.path,
            lambda: self._dial(places),
            headers=[*_of_the_application(incoming.headers), *_forwarded(host, scheme, incoming)],
            dropped=("x-forwarded-host", "x-forwarded-port", "x-forwarded-proto", "x-real-ip", "x-scheme"),
            keeps_cors=True,
            is_escaped=True,
        )
        answer = await pass_on(_Passed(wire=wire), target, self._clock)
        if isinstance(answer, UpgradeAnswer):
            return await self._upgrade(incoming, answer)
        assert isinstance(answer, PassedAnswer)
        return await _send(incoming, answer)

    async def _dial(self, places: Sequence[tuple[str, int]]) -> DialedConnection:
        dialer = self._dialer()
        failed = OSError("no endpoint can be reached")
        for place in places[:_MOST_TRIED] if dialer is not None else ():
            try:
                return await dialer.dial(*place)  # type: ignore[union-attr]
            except OSError as error:
                failed = error
        raise failed

    async def _upgrade(self, incoming: web.BaseRequest, answer: UpgradeAnswer) -> web.StreamResponse:
        if self._upgraded >= MOST_CONNECTIONS:
            raise Refused(HTTPStatus.SERVICE_UNAVAILABLE)
        self._upgraded += 1
        try:
            return await upgrade_http.upgrade(incoming, answer, answer.headers, self._clock, self._streams)
        finally:
            self._upgraded -= 1


def _of_the_application(headers: Mapping[str, str]) -> list[tuple[str, str]]:
    return [(key, value) for key, value in headers.items() if key.lower().startswith(_NOT_OF_THE_API)]


def _forwarded(host: str, scheme: str, incoming: web.BaseRequest) -> list[tuple[str, str]]:
    """What ingress-nginx tells a backend of the client."""
    name = incoming.transport.get_extra_info("sockname") if incoming.transport is not None else None
    port = str(name[1]) if name else ""
    return [
        ("X-Real-IP", incoming.remote or ""),
        ("X-Forwarded-Host", host),
        ("X-Forwarded-Port", port),
        ("X-Forwarded-Proto", scheme),
        ("X-Scheme", scheme),
    ]


async def _send(incoming: web.BaseRequest, answer: PassedAnswer) -> web.StreamResponse:
    outgoing = web.StreamResponse(status=answer.status)
    for name, value in answer.headers:
        outgoing.headers.add(name, value)
    chunks = answer.chunks
    try:
        if incoming.version >= (1, 1) and "content-length" not in outgoing.headers and _has_body(incoming, answer.status):
            outgoing.enable_chunked_encoding()
        await outgoing.prepare(incoming)
        async for chunk in chunks:
            await outgoing.write(chunk)
        await outgoing.write_eof()
    except (ConnectionError, asyncio.CancelledError):
        _break(incoming)
    except Exception as error:  # the answer has begun: only a broken connection can tell that it is not whole
        _LOG.info("%s %s%s: the answer broke off: %s", incoming.method, incoming.host, incoming.path, error or type(error).__name__)
        _break(incoming)
    finally:
        with contextlib.suppress(RuntimeError):
            await chunks.aclose()  # type: ignore[attr-defined]
    return outgoing


def _has_body(incoming: web.BaseRequest, status: int) -> bool:
    return incoming.method != "HEAD" and status >= 200 and status not in (204, 304)


def _break(incoming: web.BaseRequest) -> None:
    if incoming.transport is not None:
        incoming.transport.abort()


def _page(status: HTTPStatus) -> web.Response:
    words = f"{status.value} {status.phrase}"
    text = f"<html>\n<head><title>{words}</title></head>\n<body>\n<center><h1>{words}</h1></center>\n</body>\n</html>\n"
    response = web.Response(status=status.value, text=text, content_type="text/html")
    if status is not HTTPStatus.NOT_FOUND:
        response.force_close()  # of the body nothing may have been read
    return response
