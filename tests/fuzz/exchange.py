"""HTTP/1.1 over a bare socket, strict about framing: an answer is a head and exactly the body that the head announces."""

from __future__ import annotations

import contextlib
import re
import socket
import time
from dataclasses import dataclass, field


class BrokenFraming(Exception):
    """What came back is no HTTP answer."""


class NoAnswer(BrokenFraming):
    """Not in the time that a request has."""


@dataclass(slots=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes
    warnings: list[str] = field(default_factory=list)
    closes: bool = False


def request_bytes(method: str, target: str | bytes, headers: list[tuple[str, str | bytes]], body: bytes | None = None) -> bytes:
    """Headers as given, and Content-Length where there is a body and they don't say."""
    raw_target = target if isinstance(target, bytes) else target.encode()
    lines = [method.encode() + b" " + raw_target + b" HTTP/1.1", b"Host: localhost"]
    lines += [name.encode() + b": " + (value if isinstance(value, bytes) else value.encode()) for name, value in headers]
    given = {name.lower() for name, _ in headers}
    if body is not None and not given & {"content-length", "transfer-encoding"}:
        lines.append(b"Content-Length: %d" % len(body))
    return b"\r\n".join(lines) + b"\r\n\r\n" + (body or b"")


_IDLE_SECONDS = 60
"""The server closes a connection that was silent for 90."""


class Connection:
    """One connection. `exchange` raises BrokenFraming; it connects again where the last answer closed it, or was long ago.

    `seconds` is what a whole exchange may take, however many pieces the answer comes in.
    """

    def __init__(self, port: int, seconds: float = 30) -> None:
        self._port = port
        self._seconds = seconds
        self._end = 0.0
        self._socket: socket.socket | None = None
        self._rest = b""
        self._used = 0.0

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None
        self._rest = b""

    def exchange(self, raw: bytes) -> Answer:
        if time.monotonic() - self._used > _IDLE_SECONDS:
            self.close()
        self._end = time.monotonic() + self._seconds
        if self._socket is None:
            self._socket = socket.create_connection(("127.0.0.1", self._port), self._seconds)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket.settimeout(self._seconds)
        with contextlib.suppress(OSError):  # the answer to the part that was read may be there
            self._socket.sendall(raw)
        try:
            answer = self._answer(raw.startswith(b"HEAD "))
        except BaseException:
            self.close()
            raise
        if answer.closes:
            self._expect_end()
            self.close()
        elif self._rest:
            raise BrokenFraming(f"bytes after the answer: {self._rest[:200]!r}")
        self._used = time.monotonic()
        return answer

    def _more(self) -> bool:
        assert self._socket is not None
        try:
            self._socket.settimeout(max(self._end - time.monotonic(), 0.001))
            got = self._socket.recv(1 << 16)
        except TimeoutError:
            raise NoAnswer(f"no whole answer in {self._seconds:g} s; so far {self._rest[:200]!r}") from None
        except OSError:
            got = b""
        self._rest += got
        return bool(got)

    def _expect_end(self) -> None:
        while self._more():
            pass
        if self._rest:
            raise BrokenFraming(f"bytes after the last answer: {self._rest[:200]!r}")

    def _line(self) -> bytes:
        while b"\r\n" not in self._rest:
            if not self._more():
                raise BrokenFraming(f"the connection ended within {self._rest[:200]!r}")
        line, _, self._rest = self._rest.partition(b"\r\n")
        return line

    def _exactly(self, length: int) -> bytes:
        while len(self._rest) < length:
            if not self._more():
                raise BrokenFraming(f"{length - len(self._rest)} bytes of the body are missing")
        taken, self._rest = self._rest[:length], self._rest[length:]
        return taken

    def _answer(self, head_only: bool) -> Answer:
        first = self._line()
        found = re.fullmatch(rb"HTTP/1\.([01]) (\d{3}) [^\r\n]*", first)
        if found is None:
            raise BrokenFraming(f"no status line: {first[:200]!r}")
        headers, warnings = self._headers()
        status = int(found.group(2))
        closes = headers.get("connection", "").lower() == "close" or (
            found.group(1) == b"0" and headers.get("connection", "").lower() != "keep-alive"
        )
        if head_only or status in (204, 304) or status < 200:
            return Answer(status, headers, b"", warnings, closes)
        if headers.get("transfer-encoding", "").lower() == "chunked":
            return Answer(status, headers, self._chunks(), warnings, closes)
        if "content-length" in headers:
            return Answer(status, headers, self._exactly(int(headers["content-length"])), warnings, closes)
        if not closes:
            raise BrokenFraming(f"neither a length nor chunks nor an end: {headers}")
        while self._more():
            pass
        body, self._rest = self._rest, b""
        return Answer(status, headers, body, warnings, closes)

    def _headers(self) -> tuple[dict[str, str], list[str]]:
        headers: dict[str, str] = {}
        warnings = []
        while line := self._line():
            name, separator, value = line.partition(b":")
            if not separator or not re.fullmatch(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+", name) or re.search(rb"[\x00-\x08\x0a-\x1f\x7f]", value):
                raise BrokenFraming(f"no header: {line[:200]!r}")
            if name.lower() == b"warning":
                warnings.append(value.strip().decode())
            headers[name.decode().lower()] = value.strip().decode()
        return headers, warnings

    def _chunks(self) -> bytes:
        body = b""
        while True:
            size = self._line()
            if not re.fullmatch(rb"[0-9A-Fa-f]{1,8}", size):
                raise BrokenFraming(f"no chunk size: {size[:200]!r}")
            length = int(size, 16)
            if length == 0:
                if self._line():
                    raise BrokenFraming("trailers after the last chunk")
                return body
            body += self._exactly(length)
            if self._exactly(2) != b"\r\n":
                raise BrokenFraming("a chunk is longer than it says")
