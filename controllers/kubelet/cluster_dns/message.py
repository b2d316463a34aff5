"""DNS messages (RFC 1035, 2782, 6891) as far as a server for one zone needs them: one question in, records of few types out. Pure.

Names in answers are compressed; what does not fit is left out and told of (TC), as a resolver expects before it asks again by TCP.
"""

from __future__ import annotations

import ipaddress
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

NOERROR, FORMERR, SERVFAIL, NXDOMAIN, NOTIMP, REFUSED, BADVERS = 0, 1, 2, 3, 4, 5, 16
QR, AA, TC, RD, RA = 0x8000, 0x0400, 0x0200, 0x0100, 0x0080
_OPCODE, _AD_CD = 0x7800, 0x0030
TYPES = {"A": 1, "NS": 2, "CNAME": 5, "SOA": 6, "PTR": 12, "TXT": 16, "AAAA": 28, "SRV": 33, "OPT": 41, "ANY": 255}
NAMES_OF_TYPES = {number: name for name, number in TYPES.items()}
_TRANSFERS = (251, 252)
"""IXFR, AXFR."""
IN = 1
HEADER_BYTES = 12
SMALLEST_UDP_BYTES, LARGEST_UDP_BYTES = 512, 1232
"""What everybody takes; what passes everywhere in one piece (DNS flag day 2020)."""
_LONGEST_LABEL, _LONGEST_NAME = 63, 255
_POINTER = 0xC000
_FARTHEST_POINTER = 0x3FFF
_HEADER = struct.Struct("!6H")
_QUESTION = struct.Struct("!2H")
_RECORD = struct.Struct("!2HIH")


class Malformed(Exception):
    """No message that could be answered, or one that is answered FORMERR."""


@dataclass(frozen=True, slots=True)
class Query:
    """`name` as asked, without the dot at its end. `question` are its bytes, which the answer repeats. `udp_bytes`: how long an answer by
    UDP may be. `edns` is -1 without, else the version."""

    id: int
    flags: int
    name: str
    type: int
    kind: int
    question: bytes
    udp_bytes: int = SMALLEST_UDP_BYTES
    edns: int = -1

    @property
    def opcode(self) -> int:
        return (self.flags & _OPCODE) >> 11

    @property
    def is_transfer(self) -> bool:
        return self.type in _TRANSFERS


class Record(NamedTuple):
    """`value` as dig prints it."""

    name: str
    type: str
    value: str
    seconds: int


@dataclass(frozen=True, slots=True)
class Answer:
    rcode: int = NOERROR
    answers: Sequence[Record] = ()
    authority: Sequence[Record] = ()
    additional: Sequence[Record] = ()
    authoritative: bool = True


def is_query(data: bytes) -> bool:
    """It has a header that is no answer's: everything else is dropped unanswered, or two servers would talk for ever."""
    return len(data) >= HEADER_BYTES and not data[2] & 0x80


def parse(data: bytes) -> Query:
    """Raises Malformed for what has no single question, or goes on behind its end."""
    if not is_query(data):
        raise Malformed
    id, flags, questions, answers, authority, additional = _HEADER.unpack_from(data)
    if questions != 1 or answers or authority or additional > 2:  # an OPT, and a signature that is not looked at
        raise Malformed
    name, at = _name(data, HEADER_BYTES)
    if at + 4 > len(data):
        raise Malformed
    type, kind = _QUESTION.unpack_from(data, at)
    found = Query(id, flags, name, type, kind, data[HEADER_BYTES : at + 4])
    at += 4
    for _ in range(additional):
        owner, at = _name(data, at)
        if at + _RECORD.size > len(data):
            raise Malformed
        record, size, ttl, length = _RECORD.unpack_from(data, at)
        at += _RECORD.size + length
        if record == TYPES["OPT"]:
            if owner or found.edns >= 0:
                raise Malformed
            room = min(max(size, SMALLEST_UDP_BYTES), LARGEST_UDP_BYTES)
            found = replace(found, udp_bytes=room, edns=ttl >> 16 & 0xFF)
    if at != len(data):
        raise Malformed
    return found


def _name(data: bytes, at: int) -> tuple[str, int]:
    """(the name, where it ends). A question's first name has nothing to point back to: pointers are malformed."""
    labels: list[str] = []
    start = at
    while True:
        if at >= len(data):
            raise Malformed
        length = data[at]
        at += 1
        if not length:
            return ".".join(labels), at
        if length > _LONGEST_LABEL or at + length > len(data) or at + length - start > _LONGEST_NAME:
            raise Malformed
        label = data[at : at + length]
        labels.append(label.replace(b".", b"\xff").decode("latin-1"))  # a dot within a label: no name of ours, but as long
        at += length


class _Writer:
    def __init__(self, start: bytes) -> None:
        self.data = bytearray(start)
        self._offsets: dict[str, int] = {}

    def know(self, name: str, at: int) -> None:
        """A name that stands there already, with all of its ends."""
        while name:
            self._offsets.setdefault(name.lower(), at)
            label, _, name = name.partition(".")
            at += len(label) + 1

    def name(self, name: str, *, compress: bool = True) -> None:
        name = name.rstrip(".")
        while name:
            at = self._offsets.get(name.lower()) if compress else None
            if at is not None:
                self.data += (_POINTER | at).to_bytes(2, "big")
                return
            if len(self.data) <= _FARTHEST_POINTER:
                self._offsets.setdefault(name.lower(), len(self.data))
            label, _, name = name.partition(".")
            encoded = label.encode("latin-1", "replace")[:_LONGEST_LABEL]
            self.data.append(len(encoded))
            self.data += encoded
        self.data.append(0)

    def record(self, record: Record) -> None:
        self.name(record.name)
        start = len(self.data)
        self.data += _RECORD.pack(TYPES[record.type], IN, record.seconds, 0)
        self._value(record.type, record.value)
        length = len(self.data) - start - _RECORD.size
        self.data[start + _RECORD.size - 2 : start + _RECORD.size] = length.to_bytes(2, "big")

    def _value(self, type: str, value: str) -> None:
        if type in ("A", "AAAA"):
            self.data += ipaddress.ip_address(value).packed
        elif type in ("CNAME", "PTR", "NS"):
            self.name(value)
        elif type == "SRV":
            *numbers, target = value.split()
            self.data += struct.pack("!3H", *map(int, numbers))
            self.name(target, compress=False)  # RFC 2782
        elif type == "SOA":
            server, mailbox, *numbers = value.split()
            self.name(server)
            self.name(mailbox)
            self.data += struct.pack("!5I", *map(int, numbers))
        else:
            text = value.strip('"').encode()[:255]
            self.data += bytes([len(text)]) + text

    def forget_after(self, length: int) -> None:
        del self.data[length:]
        self._offsets = {name: at for name, at in self._offsets.items() if at < length}


def encode(query: Query, answer: Answer, most_bytes: int) -> bytes:
    """As much of the answer as fits; TC where answers are missing."""
    opt = _opt(query, answer.rcode)
    room = max(most_bytes, SMALLEST_UDP_BYTES) - len(opt)
    writer = _Writer(bytes(HEADER_BYTES) + query.question)
    writer.know(query.name, HEADER_BYTES)
    counts = []
    cut = False
    for section in (answer.answers, answer.authority, answer.additional):
        written = 0
        for record in section if not cut else ():
            before = len(writer.data)
            writer.record(record)
            if len(writer.data) > room:
                writer.forget_after(before)
                cut = True
                break
            written += 1
        counts.append(written)
    flags = QR | query.flags & (_OPCODE | RD) | RA | answer.rcode & 0xF
    if answer.authoritative:
        flags |= AA
    if counts[0] < len(answer.answers):
        flags |= TC
    _HEADER.pack_into(writer.data, 0, query.id, flags, 1, counts[0], counts[1], counts[2] + bool(opt))
    return bytes(writer.data + opt)


def _opt(query: Query, rcode: int) -> bytes:
    if query.edns < 0:
        return b""
    return b"\0" + _RECORD.pack(TYPES["OPT"], LARGEST_UDP_BYTES, (rcode >> 4) << 24, 0)


def question(query: Query, name: str) -> tuple[Query, bytes]:
    """The same, about another name: (the query, its bytes)."""
    writer = _Writer(b"")
    writer.name(name, compress=False)
    asked = bytes(writer.data) + _QUESTION.pack(query.type, query.kind)
    flags = query.flags & RD
    return replace(query, flags=flags, name=name, question=asked, edns=-1), _HEADER.pack(query.id, flags, 1, 0, 0, 0) + asked


def format_error(data: bytes) -> bytes:
    """To a query that cannot be read further than its header."""
    id, flags = struct.unpack_from("!2H", data)
    return _HEADER.pack(id, QR | flags & (_OPCODE | RD) | FORMERR, 0, 0, 0, 0)


def shortened(query: Query, response: bytes) -> bytes:
    """What is left of another server's answer that is too long: ask again by TCP."""
    flags = int.from_bytes(response[2:4], "big") | TC
    return _HEADER.pack(query.id, flags, 1, 0, 0, 0) + query.question


def answers_to(query: Query, id: int, response: bytes) -> bool:
    """Whether it is the answer to that question, sent with `id`."""
    end = HEADER_BYTES + len(query.question)
    return (
        len(response) >= end
        and response[:2] == id.to_bytes(2, "big")
        and bool(response[2] & 0x80)
        and response[4:6] == b"\0\1"
        and response[HEADER_BYTES:end].lower() == query.question.lower()
    )


def addresses_in(response: bytes) -> Iterable[Record]:
    """The aliases and addresses of another server's answer, to stand behind an alias of ours; none of what is malformed."""
    try:
        return list(_records(response))
    except (Malformed, struct.error, ValueError):
        return ()


def _records(data: bytes) -> Iterable[Record]:
    _, _, questions, answers, _, _ = _HEADER.unpack_from(data)
    at = HEADER_BYTES
    for _ in range(questions):
        _, at = _pointed(data, at)
        at += 4
    for _ in range(answers):
        owner, at = _pointed(data, at)
        number, _, seconds, length = _RECORD.unpack_from(data, at)
        at += _RECORD.size
        type = NAMES_OF_TYPES.get(number, "")
        if at + length > len(data):
            raise Malformed
        if type in ("A", "AAAA"):
            yield Record(owner, type, str(ipaddress.ip_address(data[at : at + length])), seconds)
        elif type == "CNAME":
            yield Record(owner, type, f"{_pointed(data, at)[0]}.", seconds)
        at += length


def _pointed(data: bytes, at: int) -> tuple[str, int]:
    """As _name, with pointers followed; each leads further back, so none leads in a circle."""
    labels: list[str] = []
    end = -1
    first = at
    while True:
        if at >= len(data):
            raise Malformed
        length = data[at]
        if length & 0xC0 == 0xC0:
            target = int.from_bytes(data[at : at + 2], "big") & _FARTHEST_POINTER
            end = at + 2 if end < 0 else end
            if target >= first:
                raise Malformed
            first = at = target
            continue
        at += 1
        if not length:
            return ".".join(labels), at if end < 0 else end
        if length > _LONGEST_LABEL or at + length > len(data) or len(labels) > _LONGEST_NAME // 2:
            raise Malformed
        labels.append(data[at : at + length].decode("latin-1"))
        at += length
