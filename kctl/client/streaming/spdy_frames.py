"""SPDY/3.1 on the wire: frames out of bytes and bytes out of frames. Pure.

Only what kubectl and client-go (moby/spdystream) speak: streams, headers, pings and GOAWAY; settings and window updates are read over,
since that library sends without regard to windows. Every length from outside is bounded; data is handed on as it comes, never gathered.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

SYN_STREAM, SYN_REPLY, RST_STREAM, SETTINGS, PING, GOAWAY, HEADERS, WINDOW_UPDATE = 1, 2, 3, 4, 6, 7, 8, 9
FIN = 1
PROTOCOL_ERROR, REFUSED_STREAM = 1, 3
_CONTROL_BYTES = 16 * 1024
"""Of one control frame's body."""
_HEADER_BYTES = 64 * 1024
"""Of one header block, unpacked."""
_HEADERS = 100
_NAMES = (
    "options head post put delete trace accept accept-charset accept-encoding accept-language accept-ranges age allow authorization "
    "cache-control connection content-base content-encoding content-language content-length content-location content-md5 content-range "
    "content-type date etag expect expires from host if-match if-modified-since if-none-match if-range if-unmodified-since "
    "last-modified location max-forwards pragma proxy-authenticate proxy-authorization range referer retry-after server te trailer "
    "transfer-encoding upgrade user-agent vary via warning www-authenticate method get status"
)
_REST = (
    "100101201202205206300302303304305306307402405406407408409410411412413414415416417502504505203 Non-Authoritative Information204 "
    "No Content301 Moved Permanently400 Bad Request401 Unauthorized403 Forbidden404 Not Found500 Internal Server Error501 Not "
    "Implemented503 Service UnavailableJan Feb Mar Apr May Jun Jul Aug Sept Oct Nov Dec 00:00:00 Mon, Tue, Wed, Thu, Fri, Sat, Sun, "
    "GMTchunked,text/html,image/png,image/jpg,image/gif,application/xml,application/xhtml+xml,text/plain,text/javascript,"
    "publicprivatemax-age=gzip,deflate,sdchcharset=utf-8charset=iso-8859-1,utf-,*,enq=0."
)


def _dictionary() -> bytes:
    """What both sides' compressors have seen before the first byte: names with their lengths, then text (SPDY/3, 2.6.10.1)."""
    words = [*_NAMES.split(), "200 OK", "version", "HTTP/1.1", "url", "public", "set-cookie", "keep-alive", "origin"]
    return b"".join(struct.pack(">I", len(word)) + word.encode() for word in words) + _REST.encode()


DICTIONARY = _dictionary()


class SpdyError(Exception):
    """The bytes are no SPDY, or more than is taken."""


@dataclass(frozen=True, slots=True)
class Opened:
    stream: int
    headers: Mapping[str, str]
    fin: bool


@dataclass(frozen=True, slots=True)
class Data:
    """Part of a data frame, or all of it; `fin` with its last part."""

    stream: int
    data: bytes
    fin: bool


@dataclass(frozen=True, slots=True)
class Reset:
    stream: int


@dataclass(frozen=True, slots=True)
class Ping:
    id: int


@dataclass(frozen=True, slots=True)
class GoneAway:
    """The other side opens no more streams."""


Frame = Opened | Data | Reset | Ping | GoneAway


class Decoder:
    """What the other side sends. `feed` raises SpdyError."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._inflate = zlib.decompressobj(zdict=DICTIONARY)
        self._data_stream = self._data_left = 0
        self._data_fin = False

    def feed(self, data: bytes) -> Iterator[Frame]:
        self._buffer += data
        buffer = self._buffer
        while True:
            if self._data_left:
                if not buffer:
                    return
                part = bytes(buffer[: self._data_left])
                del buffer[: len(part)]
                self._data_left -= len(part)
                yield Data(self._data_stream, part, self._data_fin and not self._data_left)
                continue
            if len(buffer) < 8:
                return
            first, second = struct.unpack_from(">II", buffer)
            flags, length = second >> 24, second & 0xFFFFFF
            if first >> 31:
                frame, known = self._control(first, flags, length)
                if not known:
                    return
                if frame is not None:
                    yield frame
                continue
            del buffer[:8]
            self._data_stream, self._data_left, self._data_fin = first, length, bool(flags & FIN)
            if not length:
                yield Data(first, b"", self._data_fin)

    def _control(self, first: int, flags: int, length: int) -> tuple[Frame | None, bool]:
        """The frame, None for what does not matter; and whether it has come as a whole."""
        if (first >> 16) & 0x7FFF != 3:
            raise SpdyError("no SPDY/3.1")
        if length > _CONTROL_BYTES:
            raise SpdyError(f"a control frame of {length} bytes")
        if len(self._buffer) < 8 + length:
            return None, False
        body = bytes(self._buffer[8 : 8 + length])
        del self._buffer[: 8 + length]
        try:
            return self._read(first & 0xFFFF, flags, body), True
        except struct.error:
            raise SpdyError("a control frame that is too short") from None

    def _read(self, kind: int, flags: int, body: bytes) -> Frame | None:
        if kind == SYN_STREAM:
            (stream,) = struct.unpack_from(">I", body)
            return Opened(stream & 0x7FFFFFFF, self._headers(body[10:]), bool(flags & FIN))
        if kind in (SYN_REPLY, HEADERS):
            self._headers(body[4:])  # of no interest, but the other side's compressor goes on from here
            return None
        if kind == RST_STREAM:
            return Reset(struct.unpack_from(">I", body)[0] & 0x7FFFFFFF)
        if kind == PING:
            return Ping(struct.unpack_from(">I", body)[0])
        return GoneAway() if kind == GOAWAY else None

    def _headers(self, block: bytes) -> dict[str, str]:
        try:
            text = self._inflate.decompress(block, _HEADER_BYTES)
        except zlib.error:
            raise SpdyError("headers that cannot be unpacked") from None
        if self._inflate.unconsumed_tail:
            raise SpdyError(f"more than {_HEADER_BYTES} bytes of headers")
        (count,) = struct.unpack_from(">I", text)
        if count > _HEADERS:
            raise SpdyError(f"{count} headers")
        at, headers = 4, {}
        for _ in range(count):
            pair = []
            for _ in range(2):
                (length,) = struct.unpack_from(">I", text, at)
                pair.append(text[at + 4 : at + 4 + length].decode("latin-1"))
                at += 4 + length
            headers[pair[0].lower()] = pair[1].split("\0")[0]
        return headers


class Encoder:
    """What is sent. Its results must go out in the order they were made: headers are compressed as one stream."""

    def __init__(self) -> None:
        self._deflate = zlib.compressobj(zdict=DICTIONARY)

    def opened(self, stream: int, headers: Mapping[str, str]) -> bytes:
        return _control(SYN_STREAM, struct.pack(">IIH", stream, 0, 0) + self._block(headers))

    def replied(self, stream: int) -> bytes:
        return _control(SYN_REPLY, struct.pack(">I", stream) + self._block({}))

    def _block(self, headers: Mapping[str, str]) -> bytes:
        words = [word.encode("latin-1") for pair in headers.items() for word in pair]
        text = struct.pack(">I", len(headers)) + b"".join(struct.pack(">I", len(word)) + word for word in words)
        return self._deflate.compress(text) + self._deflate.flush(zlib.Z_SYNC_FLUSH)


def _control(kind: int, body: bytes, flags: int = 0) -> bytes:
    return struct.pack(">HHI", 0x8003, kind, flags << 24 | len(body)) + body


def data(stream: int, payload: bytes, *, fin: bool = False) -> bytes:
    return struct.pack(">II", stream, (FIN if fin else 0) << 24 | len(payload)) + payload


def reset(stream: int, status: int) -> bytes:
    return _control(RST_STREAM, struct.pack(">II", stream, status))


def ping(id: int) -> bytes:
    return _control(PING, struct.pack(">I", id))


def go_away(last_stream: int) -> bytes:
    return _control(GOAWAY, struct.pack(">II", last_stream, 0))
