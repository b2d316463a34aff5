"""HTTP/1.1 as a client speaks it, with no socket in it: a request as bytes, and an answer read from bytes as they come.

Both transports use it, the blocking one and the one on asyncio. What the server sends is bounded: its head by HEAD_BYTES, a
chunk's size line by LINE_BYTES; bodies are handed on as they come.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

HEAD_BYTES: Final = 1024 * 1024
LINE_BYTES: Final = 4096
_UNRESERVED: Final = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-~")


class ProtocolError(Exception):
    """The server does not speak HTTP/1.1, or what is to be sent is no HTTP."""


class Address(NamedTuple):
    """A server's URL in parts. `authority` is what the Host header says; `prefix` a path that goes before every other."""

    secure: bool
    host: str
    port: int
    authority: str
    prefix: str

    @classmethod
    def of(cls, url: str) -> Address:
        scheme, _, rest = url.partition("://")
        authority, slash, path = rest.partition("/")
        authority = authority.rpartition("@")[2]
        host, port = authority, ""
        if authority.startswith("["):
            host, _, port = authority[1:].partition("]")
            port = port.removeprefix(":")
        elif ":" in authority:
            host, _, port = authority.rpartition(":")
        secure = scheme.lower() == "https"
        number = int(port) if port.isdigit() else 443 if secure else 80
        return cls(secure, host or "localhost", number, authority, (slash + path).rstrip("/"))


def quote(text: str) -> str:
    """Percent-encoded, so that it may stand in a path's segment or in a query."""
    data = text.encode()
    if _UNRESERVED.issuperset(data):
        return text
    return "".join(chr(byte) if byte in _UNRESERVED else f"%{byte:02X}" for byte in data)


def request_bytes(method: str, target: str, headers: Iterable[tuple[str, str]], body: bytes | None) -> bytes:
    """Raises ProtocolError for a header or target that would not stay on its line."""
    for name, value in headers:
        if "\r" in value or "\n" in value or "\0" in value:
            raise ProtocolError(f'net/http: invalid header field value for "{name}"')
    if any(letter <= " " for letter in target):
        raise ProtocolError("net/http: invalid request :path")
    lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in headers), "", ""]
    return "\r\n".join(lines).encode("latin-1", "replace") + (body or b"")


class Head(NamedTuple):
    """Status line and headers, whose names are in lower case."""

    status: int
    reason: str
    headers: list[tuple[bytes, bytes]]
    version: bytes = b"HTTP/1.1"

    def get(self, name: bytes) -> bytes:
        return next((value for key, value in self.headers if key == name), b"")

    def keeps_connection(self) -> bool:
        words = self.get(b"connection").lower()
        return b"close" not in words and (self.version != b"HTTP/1.0" or b"keep-alive" in words)


class Answer:
    """One answer. `feed` it what the socket brings, b"" for its end; it gives back what of the body is new. `head` is None
    until it is whole; with `done` nothing more belongs to this answer, and the connection may be used again if `reusable`.
    `bodiless`: it answers a HEAD request."""

    def __init__(self, *, bodiless: bool = False) -> None:
        self._bodiless = bodiless
        self.head: Head | None = None
        self.done = False
        self.reusable = False
        self._buffer = b""
        self._chunked = False
        self._left = -1  # of the body or of the chunk; -1: until the connection closes
        self._between = False  # after a chunk's data, before its line end
        self._trailers = False

    def feed(self, data: bytes) -> list[bytes]:
        """Raises EOFError where the answer was not whole, ProtocolError where it is none."""
        if not data:
            self._ended()
            return []
        if self.head is None:
            self._buffer += data
            self._read_head()
            if self.head is None:
                return []
            data, self._buffer = self._buffer, b""
        if self.done or not data:
            return []
        return self._read_chunks(data) if self._chunked else self._read_plain(data)

    def _ended(self) -> None:
        if self.done:
            return
        if self.head is None or self._chunked or self._left >= 0:
            raise EOFError
        self.done = True

    def _read_head(self) -> None:
        while self.head is None:
            end = self._buffer.find(b"\r\n\r\n")
            if end < 0:
                if len(self._buffer) > HEAD_BYTES:
                    raise ProtocolError(f"net/http: server response headers exceeded {HEAD_BYTES} bytes; aborted")
                return
            head = _head(self._buffer[:end])
            self._buffer = self._buffer[end + 4 :]
            if head.status >= 200 or head.status == 101:  # before it there may be 100 Continue and other informational ones
                self.head = head
                self._frame(head)

    def _frame(self, head: Head) -> None:
        self.reusable = head.keeps_connection()
        length = head.get(b"content-length")
        if head.status in (204, 304) or self._bodiless:
            self.done = True
        elif head.get(b"transfer-encoding").lower() == b"chunked":
            self._chunked, self._left = True, 0
        elif length:
            if not length.isdigit():
                raise ProtocolError(f'bad Content-Length "{length.decode("latin-1")}"')
            self._left = int(length)
            self.done = not self._left
        else:
            self.reusable = False

    def _read_plain(self, data: bytes) -> list[bytes]:
        if self._left >= 0:
            data = data[: self._left]
            self._left -= len(data)
            self.done = not self._left
        return [data]

    def _read_chunks(self, data: bytes) -> list[bytes]:
        data = self._buffer + data if self._buffer else data
        parts: list[bytes] = []
        position, size = 0, len(data)
        while position < size and not self.done:
            if self._left:
                part = data[position : position + self._left]
                parts.append(part)
                position += len(part)
                self._left -= len(part)
                self._between = not self._left
                continue
            end = data.find(b"\n", position)
            if end < 0:
                if size - position > LINE_BYTES:
                    raise ProtocolError("http: chunk header too long")
                break
            self._chunk_line(data[position:end].rstrip(b"\r"))
            position = end + 1
        self._buffer = data[position:]
        if self.done and self._buffer:  # the server spoke out of turn
            self.reusable = False
        return parts

    def _chunk_line(self, line: bytes) -> None:
        """The line end after a chunk, a chunk's size, or a trailer, by what came before."""
        if self._between:
            if line:
                raise ProtocolError("malformed chunked encoding")
            self._between = False
        elif self._trailers:
            self.done = not line
        else:
            try:
                self._left = int(line.partition(b";")[0], 16)
            except ValueError:
                raise ProtocolError("invalid byte in chunk length") from None
            if self._left < 0:
                raise ProtocolError("invalid byte in chunk length")
            self._trailers = not self._left


def _head(data: bytes) -> Head:
    first, *lines = data.split(b"\r\n")
    version, _, rest = first.partition(b" ")
    code, _, reason = rest.partition(b" ")
    if not version.startswith(b"HTTP/1.") or len(code) != 3 or not code.isdigit():
        raise ProtocolError(f'malformed HTTP response "{first[:60].decode("latin-1")}"')
    headers = []
    for line in lines:
        name, colon, value = line.partition(b":")
        if not colon:
            raise ProtocolError(f"malformed MIME header line: {line[:60].decode('latin-1')}")
        headers.append((name.lower(), value.strip()))
    return Head(int(code), reason.decode("latin-1"), headers, version)
