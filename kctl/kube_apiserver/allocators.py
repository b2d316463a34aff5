"""Cluster IPs and node ports: which are taken, rebuilt from the stored Services at start, kept in memory only."""

from __future__ import annotations

import ipaddress
import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from kctl.apimachinery import objects
from kctl.kube_apiserver.config import ApiServerConfig

Value = TypeVar("Value")

FULL = "range is full"


class Allocator(Protocol, Generic[Value]):
    """A shared pool of which each value has one holder at the most."""

    def allocate(self, preferred: Value | None = None, dry_run: bool = False) -> Value:
        """`preferred`, or any free value; a dry run keeps nothing. Raises ValueError with the API's words."""
        ...

    def hold(self, value: Value) -> None:
        """It is taken, whatever the range."""
        ...

    def release(self, value: Value) -> None:
        """Give it back; nothing happens where it is free."""
        ...


@dataclass(frozen=True, slots=True)
class Allocators:
    """The pools that Services take from."""

    cluster_ips: ClusterIPs
    node_ports: Allocator[int]


Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class ClusterIPs:
    """Addresses of the service CIDR, and of the ready ServiceCIDRs beside it. Dynamic ones come from the upper part of a range, as
    upstream's do, so that fixed ones chosen by hand at its beginning rarely collide."""

    def __init__(self, cidr: str, randomness: random.Random) -> None:
        self.network = ipaddress.ip_network(cidr)
        self.more: Callable[[], Sequence[Network]] = lambda: ()
        """Of ServiceCIDRs of this family, as they are now."""
        self.is_reserved: Callable[[str], bool] = lambda address: False
        """Whether somebody has an IPAddress of it."""
        self._randomness = randomness
        self._taken: set[str] = set()

    @property
    def family(self) -> str:
        return "IPv4" if self.network.version == 4 else "IPv6"

    def contains(self, address: str) -> bool:
        try:
            wanted = ipaddress.ip_address(address)
        except ValueError:
            return False
        return wanted in self.network or any(wanted in network for network in self.more())

    def allocate(self, preferred: str | None = None, dry_run: bool = False) -> str:
        """`preferred`, or any free address; a dry run keeps nothing. Raises ValueError with the API's words."""
        address = self._check(preferred, dry_run) if preferred else self._any()
        if not dry_run:
            self._taken.add(address)
        return address

    def _check(self, address: str, dry_run: bool) -> str:
        if not self.contains(address):
            raise ValueError(f"the provided IP ({address}) is not in the valid range. The range of valid IPs is {self.network}")
        if (address in self._taken or self.is_reserved(address)) and not dry_run:
            raise ValueError("provided IP is already allocated")
        return address

    def _any(self) -> str:
        found = self._free(self.network)
        if found:
            return found
        others = (self._free(network) for network in self.more() if network != self.network)
        found = next((address for address in others if address), "")
        if not found:
            raise ValueError(FULL)
        return found

    def _free(self, network: Network) -> str:
        """'' where all are taken."""
        count = network.num_addresses
        static = min(max(16, count // 16), 256) if count > 32 else 0
        highest = count - 2 if network.version == 4 else min(count - 1, 1 << 16)
        low = min(1 + static, highest)
        for first, last in ((low, highest), (1, low - 1)):
            size = last - first + 1
            start = self._randomness.randrange(size) if size > 0 else 0
            for offset in range(size):
                address = str(network.network_address + first + (start + offset) % size)
                if address not in self._taken and not self.is_reserved(address):
                    return address
        return ""

    def hold(self, value: str) -> None:
        self._taken.add(value)

    def release(self, value: str) -> None:
        self._taken.discard(value)


class NodePorts:
    def __init__(self, low: int, high: int, randomness: random.Random) -> None:
        self.low, self.high = low, high
        self._randomness = randomness
        self._taken: set[int] = set()

    def allocate(self, preferred: int | None = None, dry_run: bool = False) -> int:
        """`preferred`, or any free port; a dry run keeps nothing. Raises ValueError with the API's words."""
        if dry_run:
            return preferred or self._any()
        port = self._check(preferred) if preferred else self._any()
        self._taken.add(port)
        return port

    def _check(self, port: int) -> int:
        if not self.low <= port <= self.high:
            raise ValueError(f"provided port is not in the valid range. The range of valid ports is {self.low}-{self.high}")
        if port in self._taken:
            raise ValueError("provided port is already allocated")
        return port

    def _any(self) -> int:
        size = self.high - self.low + 1
        start = self._randomness.randrange(size)
        for offset in range(size):
            port = self.low + (start + offset) % size
            if port not in self._taken:
                return port
        raise ValueError(FULL)

    def hold(self, value: int) -> None:
        self._taken.add(value)

    def release(self, value: int) -> None:
        self._taken.discard(value)


def empty(config: ApiServerConfig, randomness: random.Random) -> Allocators:
    """Pools nothing is taken from."""
    return Allocators(ClusterIPs(config.service_cluster_ip_range, randomness), NodePorts(*config.service_node_port_range, randomness))


def take_what_is_held(allocators: Allocators, services: Iterable[objects.Object]) -> None:
    """What stored Services hold is taken, be it inside today's ranges or not."""
    for service in services:
        for address in held_addresses(service):
            allocators.cluster_ips.hold(address)
        for port in held_ports(service):
            allocators.node_ports.hold(port)


def held_addresses(service: objects.Object) -> Iterable[str]:
    spec = objects.spec(service)
    addresses = spec.get("clusterIPs") or [spec.get("clusterIP")]
    return (address for address in addresses if address and address != "None")


def held_ports(service: objects.Object) -> set[int]:
    spec = objects.spec(service)
    ports = {port["nodePort"] for port in spec.get("ports") or () if port.get("nodePort")}
    return ports | ({spec["healthCheckNodePort"]} if spec.get("healthCheckNodePort") else set())
