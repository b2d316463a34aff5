"""Which TCP ports of this machine are listened at: what a process pod with the same port has to know, for they share the network."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterable

from kctl.apimachinery.objects import Object

_LISTEN = "0A"
_ANY = "0.0.0.0"


def listening(lines: Iterable[str]) -> set[tuple[str, int]]:
    """(address, port) of the listeners in /proc/net/tcp or tcp6; one of tcp6 at :: counts as one at 0.0.0.0."""
    found = set()
    for line in lines:
        words = line.split()
        if len(words) < 4 or words[3] != _LISTEN:
            continue
        address, _, port = words[1].partition(":")
        found.add((_address(address), int(port, 16)))
    return found


def _address(text: str) -> str:
    data = b"".join(bytes.fromhex(text[start : start + 8])[::-1] for start in range(0, len(text), 8))
    if len(data) == 4:
        return socket.inet_ntop(socket.AF_INET, data)
    return _ANY if not any(data) else socket.inet_ntop(socket.AF_INET6, data)


def ports_in_use(container: Object, address: str) -> list[int]:
    """Of the TCP ports that a container declares those that it cannot bind: at `address`, or at all addresses."""
    ports = [int(port["containerPort"]) for port in container.get("ports") or () if (port.get("protocol") or "TCP") == "TCP"]
    if not ports:
        return []
    taken: set[tuple[str, int]] = set()
    for name in ("tcp", "tcp6"):
        with contextlib.suppress(OSError), open(f"/proc/net/{name}") as file:
            taken |= listening(list(file)[1:])
    return [port for port in ports if (_ANY, port) in taken or (address, port) in taken]
