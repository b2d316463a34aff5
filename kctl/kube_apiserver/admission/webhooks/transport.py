"""The way to a webhook: HTTPS to a URL or to a Service of the cluster, with the certificate authority its configuration names. What goes
wrong is told in the words of Go's net/http, which scripts and people look for.

A Service is reached by the addresses of its EndpointSlices (or its external name) under the name that its certificate must have,
NAME.NAMESPACE.svc.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import re
import socket
import ssl
from collections.abc import Coroutine, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote

from kctl.kube_apiserver import service_addresses
from kctl.kube_apiserver.admission.plugin import Server

if TYPE_CHECKING:
    import aiohttp

MAXIMUM_ANSWER = 16 << 20
_CONTEXTS = 256
"""Certificate authorities kept read."""
_STATUS_TEXTS = {
    401: "the server has asked for the client to provide credentials",
    404: "the server could not find the requested resource",
    405: "the server does not allow this method on the requested resource",
    409: "the server reported a conflict",
    429: "the server has received too many requests and has asked us to try again later",
    503: "the server is currently unable to handle the request",
    504: "the server was unable to return a response in the time allotted, but may still be processing the request",
}


class CannotReach(Exception):
    """The message is what stands behind `failed to call webhook: `; `code` is that of the Status."""

    def __init__(self, message: str, code: int = 503) -> None:
        super().__init__(message)
        self.code = code


class _Target(NamedTuple):
    shown: str
    """The URL as messages show it, without the timeout."""
    url: str
    """Where to connect to."""
    server_name: str
    """What the certificate must be for, where that is not in `url`."""


class WebhookTransport:
    """One for all webhooks of a server: connections stay open."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._session: aiohttp.ClientSession | None = None
        self._contexts: dict[str, ssl.SSLContext] = {}

    async def post(self, config: Mapping[str, Any], body: bytes, timeout_seconds: float) -> bytes:
        """The answer's body. Raises CannotReach."""
        timeout = f"?timeout={timeout_seconds:g}s"
        target = self._target(config, timeout)
        try:
            context = self._context(str(config.get("caBundle") or ""))
            return await self._in_time(self._post(target, timeout, context, body), timeout_seconds)
        except TimeoutError:
            raise CannotReach(f'Post "{target.shown}{timeout}": context deadline exceeded') from None
        except CannotReach:
            raise
        except Exception as error:
            raise CannotReach(f'Post "{target.shown}{timeout}": {_in_go(error, target)}') from error

    async def _in_time(self, posting: Coroutine[Any, Any, bytes], seconds: float) -> bytes:
        """Raises TimeoutError."""
        task = asyncio.ensure_future(posting)
        late = False

        def give_up() -> None:
            nonlocal late
            late = True
            task.cancel()

        timer = self._server.clock.machine.call_later(seconds, give_up)
        try:
            return await task
        except asyncio.CancelledError:
            if late:
                raise TimeoutError from None
            task.cancel()
            raise
        finally:
            timer.cancel()

    async def _post(self, target: _Target, timeout: str, context: ssl.SSLContext, body: bytes) -> bytes:
        import aiohttp

        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=None), auto_decompress=True, trust_env=False)
        headers = {"Content-Type": "application/json", "Accept": "application/json, */*", "User-Agent": "kube-apiserver-admission"}
        more: dict[str, Any] = {}
        if target.server_name:
            more["server_hostname"] = target.server_name
            headers["Host"] = target.shown.removeprefix("https://").partition("/")[0]
        async with self._session.post(
            target.url + timeout, data=body, headers=headers, ssl=context, allow_redirects=False, **more
        ) as response:
            answer = await response.content.read(MAXIMUM_ANSWER + 1)
            while len(answer) <= MAXIMUM_ANSWER and (part := await response.content.read(MAXIMUM_ANSWER + 1)):
                answer += part
            if len(answer) > MAXIMUM_ANSWER:
                raise CannotReach("the answer is too large")
            if not 200 <= response.status < 300:
                raise CannotReach(_of_status(response.status, answer), response.status)
            return answer

    def _target(self, config: Mapping[str, Any], timeout: str) -> _Target:
        service = config.get("service")
        if not service:
            url = str(config.get("url") or "")
            return _Target(url, url, "")
        name, namespace, port = str(service["name"]), str(service["namespace"]), int(service.get("port") or 443)
        path = quote(str(service.get("path") or "/"), safe="/%:@!$&'()*+,;=~-._")
        host = f"{name}.{namespace}.svc"
        shown = f"https://{host}:{port}{path}"
        try:
            address, address_port = service_addresses.resolve(self._server, name, namespace, port)
        except service_addresses.CannotResolve as error:
            raise CannotReach(f'Post "{shown}{timeout}": {error}') from None
        authority = f"[{address}]" if ":" in address else address
        return _Target(shown, f"https://{authority}:{address_port}{path}", host)

    def _context(self, bundle: str) -> ssl.SSLContext:
        found = self._contexts.get(bundle)
        if found is None:
            if len(self._contexts) >= _CONTEXTS:
                self._contexts.clear()
            found = self._contexts[bundle] = _read_bundle(bundle)
        return found

    async def close(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            await session.close()


def _read_bundle(bundle: str) -> ssl.SSLContext:
    if not bundle:
        return ssl.create_default_context()
    try:
        return ssl.create_default_context(cadata=base64.b64decode(bundle).decode("ascii"))
    except (ValueError, binascii.Error, ssl.SSLError):
        raise CannotReach("unable to load root certificates: unable to parse bytes as PEM block") from None


def _of_status(status: int, answer: bytes) -> str:
    """What client-go makes of an answer that is a failure."""
    text = answer[:2048].decode("utf-8", "replace").strip()
    if status == 403:
        return text or "unknown"
    if status == 400:
        return "the server rejected our request for an unknown reason"
    known = _STATUS_TEXTS.get(status)
    if known is not None:
        return known
    if status >= 500:
        return f"an error on the server ({_quoted(text)}) has prevented the request from succeeding"
    return f"the server responded with the status code {status} but did not return more information"


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\t", "\\t")
    return f'"{escaped}"'


def _in_go(error: BaseException, target: _Target) -> str:
    """An exception in the words of Go's net and crypto/tls."""
    import aiohttp

    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError) and not isinstance(cause, aiohttp.ClientError):
            return f"tls: failed to verify certificate: x509: {_verification(cause, target)}"
        cause = getattr(cause, "certificate_error", None) or getattr(cause, "os_error", None) or cause.__cause__
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return f"dial tcp: lookup {error.host}: no such host"
    if isinstance(error, aiohttp.ClientConnectorError):
        return _dial(error.os_error, f"{error.host}:{error.port}")
    if isinstance(error, aiohttp.ServerDisconnectedError):
        return "EOF"
    if isinstance(error, aiohttp.InvalidURL):
        return "invalid URL"
    if isinstance(error, ssl.SSLError):
        return f"remote error: tls: {(error.reason or 'handshake failure').lower().replace('_', ' ')}"
    if isinstance(error, ConnectionResetError):
        return "read: connection reset by peer"
    return str(error) or type(error).__name__


def _dial(error: OSError, address: str) -> str:
    if isinstance(error, socket.gaierror):
        return f"dial tcp: lookup {address.rpartition(':')[0]}: no such host"
    if isinstance(error, ssl.SSLError):
        return "http: server gave HTTP response to HTTPS client" if "WRONG_VERSION" in str(error) else f"tls: {error.reason or error}"
    text = {111: "connection refused", 113: "no route to host", 101: "network is unreachable", 110: "connection timed out"}
    errno = error.errno or next((int(number) for number in re.findall(r"\[Errno (\d+)\]", str(error))), 0)
    return f"dial tcp {address}: connect: {text.get(errno, (error.strerror or str(error)).lower())}"


def _verification(error: ssl.SSLCertVerificationError, target: _Target) -> str:
    text = error.verify_message or str(error)
    if "self-signed" in text or "self signed" in text or "unable to get" in text:
        return "certificate signed by unknown authority"
    if "expired" in text or "not yet valid" in text:
        return "certificate has expired or is not yet valid"
    if "Hostname mismatch" in text or "IP address mismatch" in text:
        host = target.server_name or re.sub(r"^https://|[:/].*$", "", target.url)
        return f"certificate is not valid for {host}"
    return text
