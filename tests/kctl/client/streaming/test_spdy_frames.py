"""SPDY/3.1 frames: what Go's moby/spdystream writes is read, byte by byte or in one piece, and what is none is refused."""

from __future__ import annotations

import hashlib
import struct
import zlib
from collections.abc import Sequence

import pytest

from kctl.client.streaming import spdy_frames as frames
from kctl.client.streaming.spdy_frames import Data, Decoder, Encoder, Frame, GoneAway, Opened, Ping, Reset, SpdyError


def test_the_dictionary_is_that_of_the_specification() -> None:
    digest = hashlib.sha256(frames.DICTIONARY).hexdigest()
    assert (len(frames.DICTIONARY), digest) == (1423, "51d27341373f923f3cd88e1eb7162aeaa3723d7585ff2399201dc06498407f02")


def _sent() -> bytes:
    encoder = Encoder()
    return b"".join(
        [
            encoder.opened(1, {"streamtype": "error", "port": "80"}),
            encoder.replied(2),
            encoder.opened(3, {"streamtype": "data", "port": "80"}),
            frames.data(3, b"abc"),
            frames.ping(7),
            frames.data(3, b"", fin=True),
            frames.reset(1, 1),
            struct.pack(">HHI", 0x8003, frames.SETTINGS, 4) + struct.pack(">I", 0),
            struct.pack(">HHI", 0x8003, frames.WINDOW_UPDATE, 8) + struct.pack(">II", 3, 1000),
            frames.go_away(3),
        ]
    )


def _joined(read: Sequence[Frame]) -> list[Frame]:
    """Pieces of data put together."""
    whole: list[Frame] = []
    for frame in read:
        if isinstance(frame, Data) and whole and isinstance(before := whole[-1], Data) and before.stream == frame.stream and not before.fin:
            whole[-1] = Data(frame.stream, before.data + frame.data, frame.fin)
        else:
            whole.append(frame)
    return whole


@pytest.mark.parametrize("size", [1, 3, 8, 1000])
def test_frames_are_read_however_they_are_cut(size: int) -> None:
    sent, decoder = _sent(), Decoder()
    read = [frame for start in range(0, len(sent), size) for frame in decoder.feed(sent[start : start + size])]
    assert _joined(read) == [
        Opened(1, {"streamtype": "error", "port": "80"}, False),
        Opened(3, {"streamtype": "data", "port": "80"}, False),
        Data(3, b"abc", False),
        Ping(7),
        Data(3, b"", True),
        Reset(1),
        GoneAway(),
    ]


def test_a_long_data_frame_is_handed_on_in_pieces() -> None:
    decoder = Decoder()
    head = struct.pack(">II", 1, 1 << 24 | 0xFFFFFF)
    assert list(decoder.feed(head + b"x" * 10)) == [Data(1, b"x" * 10, False)]
    assert list(decoder.feed(b"y" * 10)) == [Data(1, b"y" * 10, False)]


def _with_headers(text: bytes) -> bytes:
    packed = zlib.compressobj(zdict=frames.DICTIONARY)
    block = packed.compress(text) + packed.flush(zlib.Z_SYNC_FLUSH)
    return struct.pack(">HHI", 0x8003, frames.SYN_STREAM, len(block) + 10) + struct.pack(">IIH", 1, 0, 0) + block


@pytest.mark.parametrize(
    "sent",
    [
        struct.pack(">HHI", 0x8002, frames.PING, 4) + b"\0\0\0\1",
        struct.pack(">HHI", 0x8003, frames.PING, 2) + b"\0\0",
        struct.pack(">HHI", 0x8003, frames.SYN_STREAM, 0xFFFFFF),
        struct.pack(">HHI", 0x8003, frames.SYN_STREAM, 12) + b"\0" * 10 + b"no",
        _with_headers(struct.pack(">I", 1) + struct.pack(">I", 100_000) + b"x" * 100_000),
        _with_headers(struct.pack(">I", 1_000_000)),
        _with_headers(struct.pack(">I", 2) + struct.pack(">I", 1) + b"a"),
    ],
    ids=["another version", "too short", "too long", "no zlib", "a bomb", "many headers", "fewer headers than said"],
)
def test_what_is_no_spdy_is_refused(sent: bytes) -> None:
    with pytest.raises(SpdyError):
        list(Decoder().feed(sent))
