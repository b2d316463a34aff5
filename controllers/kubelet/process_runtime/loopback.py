"""Addresses of process pods: without network namespaces all processes share the machine's loopback, and any of 127.0.0.0/8 may be bound."""

from __future__ import annotations

import ipaddress
import random

_FIRST, _LAST = int(ipaddress.IPv4Address("127.1.0.1")), int(ipaddress.IPv4Address("127.254.255.254"))
"""127.0.x.y is left to the machine's own programs."""


class LoopbackAddresses:
    """Drawn, so that clusters side by side hardly meet."""

    def __init__(self, randomness: random.Random) -> None:
        self._randomness = randomness
        self._used: set[int] = set()

    def allocate(self) -> str:
        while True:
            address = self._randomness.randint(_FIRST, _LAST)
            if address not in self._used and address & 0xFF not in (0, 255):
                self._used.add(address)
                return str(ipaddress.IPv4Address(address))

    def has(self, address: str) -> bool:
        """Whether it is one of a pod."""
        return address.startswith("127.") and int(ipaddress.IPv4Address(address)) in self._used

    def reserve(self, address: str) -> None:
        """One that a pod has already; others than these are ignored."""
        if address.startswith("127."):
            self._used.add(int(ipaddress.IPv4Address(address)))

    def release(self, address: str) -> None:
        if address.startswith("127."):
            self._used.discard(int(ipaddress.IPv4Address(address)))
