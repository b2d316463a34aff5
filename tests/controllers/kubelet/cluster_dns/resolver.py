"""A client of name servers whose reader is the machine's own resolver library: what libresolv cannot read, no program can."""

from __future__ import annotations

import asyncio
import ctypes
import socket
from typing import NamedTuple

CODES = {0: "NOERROR", 1: "FORMERR", 2: "SERVFAIL", 3: "NXDOMAIN", 4: "NOTIMP", 5: "REFUSED"}
TYPES = {"A": 1, "NS": 2, "CNAME": 5, "SOA": 6, "PTR": 12, "MX": 15, "TXT": 16, "AAAA": 28, "SRV": 33, "AXFR": 252, "ANY": 255}
SECONDS = 10.0


class Reply(NamedTuple):
    """Records as libresolv prints them, with single spaces between."""

    rcode: str
    answers: list[str]
    authority: list[str]
    additional: list[str]
    authoritative: bool
    truncated: bool
    size: int


def query(name: str, type: str = "A", *, id: int = 7, flags: int = 0x0100, kind: int = 1, udp_bytes: int = 0) -> bytes:
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.rstrip(".").split(".") if label)
    head = b"".join(each.to_bytes(2, "big") for each in (id, flags, 1, 0, 0, int(bool(udp_bytes))))
    made = head + labels + b"\0" + TYPES[type].to_bytes(2, "big") + kind.to_bytes(2, "big")
    return made + (b"\0\0\x29" + udp_bytes.to_bytes(2, "big") + bytes(6) if udp_bytes else b"")


def read(data: bytes) -> Reply:
    library = ctypes.CDLL("libresolv.so.2")
    handle, record, text = ctypes.create_string_buffer(512), ctypes.create_string_buffer(2048), ctypes.create_string_buffer(4096)
    assert library.ns_initparse(data, len(data), handle) == 0, data
    counts = [int.from_bytes(data[at : at + 2], "big") for at in (6, 8, 10)]
    sections = []
    for section, count in enumerate(counts, 1):
        found = []
        for number in range(count):
            assert library.ns_parserr(handle, section, number, record) == 0, data
            assert library.ns_sprintrr(handle, record, None, None, text, len(text)) >= 0, data
            found.append(" ".join(text.value.decode().split()))
        sections.append(found)
    answers, authority, additional = sections
    flags = int.from_bytes(data[2:4], "big")
    plain = [each for each in additional if "OPT" not in each and "EDNS" not in each]
    return Reply(CODES[flags & 0xF], answers, authority, plain, bool(flags & 0x400), bool(flags & 0x200), len(data))


async def by_udp(server: tuple[str, int], data: bytes) -> bytes:
    """The next datagram that comes back."""
    loop = asyncio.get_running_loop()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as connection:
        connection.setblocking(False)
        await loop.sock_connect(connection, server)
        await loop.sock_sendall(connection, data)
        return await asyncio.wait_for(loop.sock_recv(connection, 65535), SECONDS)


async def by_tcp(server: tuple[str, int], *messages: bytes) -> list[bytes]:
    """The answers to these, over one connection; [] where it is closed instead."""
    reader, writer = await asyncio.open_connection(*server)
    writer.write(b"".join(len(each).to_bytes(2, "big") + each for each in messages))
    found = []
    try:
        for _ in messages:
            length = int.from_bytes(await asyncio.wait_for(reader.readexactly(2), SECONDS), "big")
            found.append(await asyncio.wait_for(reader.readexactly(length), SECONDS))
    except asyncio.IncompleteReadError:
        return []
    finally:
        writer.close()
    return found
