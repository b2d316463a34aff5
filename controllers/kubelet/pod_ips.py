"""The pod network's address management (a CNI's host-local IPAM): one address per pod out of the node's pod CIDR."""

from __future__ import annotations

import ipaddress


def _dotted(address: int) -> str:
    """As ipaddress.IPv4Address prints it; every pod gets one."""
    return f"{address >> 24}.{address >> 16 & 255}.{address >> 8 & 255}.{address & 255}"


def _ipv6(address: int) -> str:
    return str(ipaddress.IPv6Address(address))


class PodAddresses:
    """Hands addresses out in order and comes back to released ones only after the whole range, so that an address is not
    reused while somebody may still know it."""

    def __init__(self, cidr: str) -> None:
        network = ipaddress.ip_network(cidr, strict=False)
        self.cidr = cidr
        self._base = int(network.network_address)
        self._text = _dotted if network.version == 4 else _ipv6
        self._first, self._last = (2, network.num_addresses - 2) if network.num_addresses > 4 else (0, network.num_addresses - 1)
        self._next = self._first
        self._used: set[int] = set()

    def allocate(self) -> str:
        """'' when the range is used up. Takes no longer in a large range than in a small one."""
        size = self._last - self._first + 1
        if len(self._used) >= size:
            return ""
        while self._next in self._used:
            self._next = self._next + 1 if self._next < self._last else self._first
        offset = self._next
        self._used.add(offset)
        self._next = offset + 1 if offset < self._last else self._first
        return self._text(self._base + offset)

    def reserve(self, address: str) -> None:
        """An address that a pod already has; one from elsewhere is ignored."""
        offset = self._offset(address)
        if offset is not None:
            self._used.add(offset)

    def release(self, address: str) -> None:
        offset = self._offset(address)
        if offset is not None:
            self._used.discard(offset)

    def _offset(self, address: str) -> int | None:
        try:
            offset = int(ipaddress.ip_address(address)) - self._base
        except ValueError:
            return None
        return offset if self._first <= offset <= self._last else None
