"""gRPC's health protocol over HTTP/2 as far as a probe and its server need it: bytes in, bytes out. Pure.

Header blocks are read and written as literals without Huffman coding, which every peer must understand; a peer that sends others is told
so (GOAWAY, COMPRESSION_ERROR). Streams have no flow control: messages are a few bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
CHECK = "/grpc.health.v1.Health/Check"
DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE = 0, 1, 3, 4, 6, 7, 8
_END_STREAM, _ACK, _END_HEADERS = 1, 1, 4
_MOST_BYTES = 16 * 1024
_COMPRESSION_ERROR = 9
CODES = (
    "OK",
    "Canceled",
    "Unknown",
    "InvalidArgument",
    "DeadlineExceeded",
    "NotFound",
    "AlreadyExists",
    "PermissionDenied",
    "ResourceExhausted",
    "FailedPrecondition",
    "Aborted",
    "OutOfRange",
    "Unimplemented",
    "Internal",
    "Unavailable",
    "DataLoss",
    "Unauthenticated",
)
SERVICE_STATES = ("UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN")
NOT_FOUND, UNIMPLEMENTED = 5, 12
Pairs = list[tuple[str, str]]


class NotHttp2(Exception):
    """What came cannot be read here."""


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    return len(payload).to_bytes(3, "big") + bytes((kind, flags)) + stream.to_bytes(4, "big") + payload


def headers(pairs: Pairs) -> bytes:
    return b"".join(b"\0" + _text(name) + _text(value) for name, value in pairs)


def _text(text: str) -> bytes:
    data = text.encode()
    if len(data) < 127:
        return bytes((len(data),)) + data
    rest, more = len(data) - 127, bytearray((127,))
    while rest >= 128:
        more.append(rest % 128 | 128)
        rest //= 128
    return bytes(more) + bytes((rest,)) + data


def pairs_of(block: bytes) -> Pairs:
    """Raises NotHttp2."""
    found: Pairs = []
    at = 0
    while at < len(block):
        if block[at] not in (0x00, 0x10):
            raise NotHttp2("an indexed header")
        name, at = _read_text(block, at + 1)
        value, at = _read_text(block, at)
        found.append((name, value))
    return found


def _read_text(block: bytes, at: int) -> tuple[str, int]:
    if at >= len(block) or block[at] & 0x80:
        raise NotHttp2("a header in Huffman coding")
    length, at = block[at], at + 1
    if length == 127:
        shift = 0
        while at < len(block):
            byte, at = block[at], at + 1
            length += (byte & 127) << shift
            shift += 7
            if not byte & 128 or shift > 28:
                break
    if at + length > len(block):
        raise NotHttp2("a header that is cut off")
    return block[at : at + length].decode("utf-8", "replace"), at + length


class Frames:
    """What has come so far."""

    def __init__(self) -> None:
        self._data = b""

    def feed(self, data: bytes) -> None:
        """Raises NotHttp2."""
        self._data += data
        if len(self._data) > 4 * _MOST_BYTES:
            raise NotHttp2("too much at once")

    def preface(self) -> bool:
        """Whether a client's first words are there. Raises NotHttp2 for others."""
        if not PREFACE.startswith(self._data[: len(PREFACE)]):
            raise NotHttp2("another protocol")
        if len(self._data) < len(PREFACE):
            return False
        self._data = self._data[len(PREFACE) :]
        return True

    def take(self) -> Iterator[tuple[int, int, int, bytes]]:
        """(kind, flags, stream, payload) of all that is whole. Raises NotHttp2."""
        while len(self._data) >= 9:
            size = int.from_bytes(self._data[:3], "big")
            if size > _MOST_BYTES:
                raise NotHttp2("a frame that large")
            if len(self._data) < 9 + size:
                return
            kind, flags, stream = self._data[3], self._data[4], int.from_bytes(self._data[5:9], "big") & 0x7FFFFFFF
            payload, self._data = self._data[9 : 9 + size], self._data[9 + size :]
            yield kind, flags, stream, payload


# ---- messages


def message(body: bytes) -> bytes:
    return b"\0" + len(body).to_bytes(4, "big") + body


def _service_of(body: bytes) -> str:
    """HealthCheckRequest: its field 1."""
    if len(body) >= 2 and body[0] == 0x0A and len(body) >= 2 + body[1]:
        return body[2 : 2 + body[1]].decode("utf-8", "replace")
    return ""


# ---- both sides


@dataclass(frozen=True, slots=True)
class Checked:
    """`code` of the call; `state` of the service where it is 0."""

    code: int
    message: str = ""
    state: int = 0


class HealthServer:
    """One connection. `check` answers for a service, by name."""

    def __init__(self, check: Callable[[str], Checked]) -> None:
        self._check = check
        self._frames = Frames()
        self._begun = False
        self._calls: dict[int, tuple[str, bytes]] = {}

    def received(self, data: bytes) -> bytes:
        """What to answer. Raises NotHttp2."""
        self._frames.feed(data)
        answer = b""
        if not self._begun:
            if not self._frames.preface():
                return b""
            self._begun = True
            answer = frame(SETTINGS, 0, 0)
        try:
            return answer + b"".join(self._answer(*each) for each in self._frames.take())
        except NotHttp2:
            return answer + frame(GOAWAY, 0, 0, bytes(7) + bytes((_COMPRESSION_ERROR,)))

    def _answer(self, kind: int, flags: int, stream: int, payload: bytes) -> bytes:
        if kind == SETTINGS and not flags & _ACK:
            return frame(SETTINGS, _ACK, 0)
        if kind == PING and not flags & _ACK:
            return frame(PING, _ACK, 0, payload)
        if kind == HEADERS:
            if not flags & _END_HEADERS or len(self._calls) > 100:
                raise NotHttp2("headers in several frames")
            self._calls[stream] = dict(pairs_of(payload)).get(":path", ""), b""
        elif kind == DATA and stream in self._calls:
            path, body = self._calls[stream]
            self._calls[stream] = path, (body + payload)[:_MOST_BYTES]
        if kind in (HEADERS, DATA) and flags & _END_STREAM and stream in self._calls:
            return self._respond(stream, *self._calls.pop(stream))
        return b""

    def _respond(self, stream: int, path: str, body: bytes) -> bytes:
        if path == CHECK:
            checked = self._check(_service_of(body[5:]))
        else:
            checked = Checked(UNIMPLEMENTED, f"unknown service {path.strip('/').rpartition('/')[0]}")
        first: Pairs = [(":status", "200"), ("content-type", "application/grpc")]
        last: Pairs = [("grpc-status", str(checked.code)), ("grpc-message", checked.message)]
        if checked.code:
            return frame(HEADERS, _END_HEADERS | _END_STREAM, stream, headers(first + last))
        return (
            frame(HEADERS, _END_HEADERS, stream, headers(first))
            + frame(DATA, 0, stream, message(bytes((0x08, checked.state))))
            + frame(HEADERS, _END_HEADERS | _END_STREAM, stream, headers(last))
        )


def request(authority: str, service: str, agent: str) -> bytes:
    """All that a client says for one Check."""
    asked: Pairs = [(":method", "POST"), (":scheme", "http"), (":path", CHECK), (":authority", authority)]
    asked += [("content-type", "application/grpc"), ("user-agent", agent), ("te", "trailers")]
    name = service.encode()[:127]
    body = bytes((0x0A, len(name))) + name if name else b""
    return PREFACE + frame(SETTINGS, 0, 0) + frame(HEADERS, _END_HEADERS, 1, headers(asked)) + frame(DATA, _END_STREAM, 1, message(body))


class Reply:
    """A client's reading of the answer."""

    def __init__(self) -> None:
        self._frames = Frames()
        self._body = b""
        self.begun = False
        """The server speaks HTTP/2."""

    def received(self, data: bytes) -> Checked | None:
        """None: not all has come. Raises NotHttp2."""
        self._frames.feed(data)
        for kind, flags, stream, payload in self._frames.take():
            self.begun = self.begun or kind == SETTINGS
            if kind == GOAWAY:
                raise NotHttp2("the server goes away")
            if kind == DATA and stream == 1:
                self._body += payload
            elif kind == HEADERS and stream == 1 and flags & _END_STREAM:
                found = dict(pairs_of(payload))
                text = found.get("grpc-status", "")
                code = int(text) if text.isascii() and text.isdigit() and len(text) < 4 else 2
                state = self._body[6] if len(self._body) > 6 and self._body[5] == 0x08 else 0
                return Checked(code, found.get("grpc-message", ""), state)
        return None
