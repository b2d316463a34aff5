"""The network of a cluster's simulated pods, in memory: who listens where, and what connects to whom.

Every pod has a network of its own under its addresses; pods with hostNetwork share their node's. Names and Services are resolved by what
the constructor is given. A write is delivered at once: the other side is woken inside it, or a moment later where writes have called
one another many deep.
"""

from __future__ import annotations

import errno
import ipaddress
import os
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Protocol

from controllers.kubelet.commands import world
from controllers.kubelet.commands.process import Input
from controllers.kubelet.files.etc import CLUSTER_DNS
from kctl.apimachinery.clock import Clock

BUFFER_BYTES = 16 * 1024 * 1024
MOST_CONNECTIONS = 10_000
"""Open ones of one pod."""
_DEEPEST = 12
_FIRST_EPHEMERAL, _LAST_EPHEMERAL = 32768, 60999
Accept = Callable[["world.Connection"], None]


def _failure(code: int) -> OSError:
    return OSError(code, os.strerror(code))


@lru_cache(maxsize=4096)
def is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


@lru_cache(maxsize=4096)
def normal(address: str) -> str:
    """One spelling for each address."""
    try:
        return str(ipaddress.ip_address(address))
    except ValueError:
        return address


def joined(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


class Side:
    """One side of a connection. `refused`: a datagram went where nobody listens."""

    __slots__ = ("_hosts", "_network", "_other", "_wake", "_writable", "local", "peer", "protocol", "refused", "stdin")

    def __init__(self, network: ClusterNetwork, wake: Callable[[], None], local: str, peer: str, protocol: str) -> None:
        self.stdin = Input(closed=False, limit=BUFFER_BYTES)
        self.local = local
        self.peer = peer
        self.protocol = protocol
        self.refused = False
        self._network = network
        self._wake = wake
        self._other: Side | None = None
        self._writable = True
        self._hosts: tuple[Host, ...] = ()

    @property
    def closed(self) -> bool:
        other = self._other
        return not self._writable or other is None or not other._writable

    @property
    def full(self) -> bool:
        """The other side does not read."""
        return self._other is not None and self._other.stdin.full

    def write(self, data: bytes) -> None:
        """What the other side has only finished writing can still be answered; where it has closed nobody reads."""
        other = self._other
        if not self._writable or other is None or (other.protocol == "TCP" and not other._writable and other.stdin.closed):
            raise _failure(errno.EPIPE)
        if self.refused:
            raise _failure(errno.ECONNREFUSED)
        other.stdin.feed(data)
        self._network.deliver(other._wake)

    def on_room(self, wake: Callable[[], None]) -> None:
        """`wake` is called whenever the other side has read."""
        if self._other is not None:
            self._other.stdin.taken = wake

    def finish(self) -> None:
        """Nothing more to say, but still listening: the other side reads to the end."""
        if self._writable:
            self._writable = False
            other = self._other
            if other is not None:
                other.stdin.closed = True
                self._network.deliver(other._wake)

    def close(self) -> None:
        """Of both directions; what was written before can still be read."""
        self.stdin.closed = True
        self.finish()
        for host in self._hosts:
            host.connections -= 1
        self._hosts = ()


def pair(
    network: ClusterNetwork, client: Callable[[], None], server: Callable[[], None], source: str, target: str, protocol: str
) -> tuple[Side, Side]:
    """(the client's side, the server's)"""
    near, far = Side(network, client, source, target, protocol), Side(network, server, target, source, protocol)
    near._other, far._other = far, near
    return near, far


class Host:
    """One network namespace: the addresses of a pod, or of a node and all pods that share its network."""

    __slots__ = ("_next", "addresses", "arrivals", "connections", "listeners", "name", "node", "on_node")

    def __init__(self, name: str, addresses: Sequence[str], node: str, *, on_node: bool = False) -> None:
        self.name = name
        self.on_node = on_node
        """It is the node's own network."""
        self.addresses = [normal(address) for address in addresses]
        self.node = node
        self.listeners: dict[tuple[str, int], tuple[Accept, Callable[[], None]]] = {}
        self.connections = 0
        self.arrivals = 0
        self._next = _FIRST_EPHEMERAL

    def ephemeral(self) -> int:
        self._next = self._next + 1 if self._next < _LAST_EPHEMERAL else _FIRST_EPHEMERAL
        return self._next

    def address(self, like: str) -> str:
        """Its own of the same family."""
        wanted = ":" in like
        return next((each for each in self.addresses if (":" in each) is wanted), "::1" if wanted else "127.0.0.1")


DNS_HOST = Host("kube-dns", [CLUSTER_DNS], "")
"""Who answers names: no pod, but connections to it are asked about as to one."""
DNS_PORT = 53


class Routes(Protocol):
    """What the cluster's Services and names lead to."""

    def service(self, address: str, port: int, protocol: str, source: Host | None) -> tuple[str, int] | None:
        """The endpoint behind an address that is a Service's (or a node's, for a node port). None: it is none. Raises OSError
        ECONNREFUSED for one without endpoints, ETIMEDOUT for one whose policy drops the packets."""
        ...

    def leads_to(self, address: str, port: int, protocol: str, endpoint: tuple[str, int]) -> bool:
        """Whether that endpoint is one that `service` may still give."""
        ...

    def resolve(self, name: str, type: str) -> list[str]: ...


class _NoRoutes:
    def service(self, address: str, port: int, protocol: str, source: Host | None) -> tuple[str, int] | None:
        return None

    def leads_to(self, address: str, port: int, protocol: str, endpoint: tuple[str, int]) -> bool:
        return False

    def resolve(self, name: str, type: str) -> list[str]:
        return []


class ClusterNetwork:
    """All of it. `allows` is asked for every connection between pods: (source, target, port, protocol). `wanted` is told an address
    before a connection to it fails because nothing listens there: who knows it may join."""

    def __init__(
        self,
        clock: Clock,
        routes: Routes | None = None,
        allows: Callable[[Host | None, Host, int, str], bool] | None = None,
        wanted: Callable[[str], None] = lambda address: None,
    ) -> None:
        self._clock = clock
        self.routes: Routes = routes or _NoRoutes()
        self._allows = allows
        self._wanted = wanted
        self._hosts: dict[str, Host] = {}
        self._by_address: dict[str, Host] = {}
        self._host_ports: dict[tuple[str, int], list[tuple[str, Host, int]]] = {}
        self._depth = 0
        self.beyond: Callable[[str, int, str, Callable[[], None]], Side | None] | None = None
        """Connects to pods that are processes of this machine; None for every other address. Raises OSError."""

    # ---- who is there

    def has(self, name: str) -> bool:
        return name in self._hosts

    def is_served(self, address: str, port: int) -> bool:
        """Something listens there on TCP already."""
        host = self._by_address.get(normal(address))
        return host is not None and ("TCP", port) in host.listeners

    def join(self, name: str, addresses: Sequence[str], node: str, wake: Callable[[], None], *, on_node: bool = False) -> PodNetwork:
        """A pod or a node whose network pods share: the same name is the same namespace. `wake` is called when
        something arrives for the pod."""
        host = self._hosts.get(name)
        if host is None:
            host = self._hosts[name] = Host(name, addresses, node, on_node=on_node)
        for address in host.addresses:
            self._by_address[address] = host
        return PodNetwork(self, host, wake)

    def leave(self, name: str) -> None:
        host = self._hosts.pop(name, None)
        if host is None:
            return
        for address in host.addresses:
            if self._by_address.get(address) is host:
                del self._by_address[address]
        for key, mapped in list(self._host_ports.items()):
            self._host_ports[key] = [each for each in mapped if each[1] is not host]
        host.listeners.clear()

    def map_host_port(self, node_address: str, host_ip: str, host_port: int, protocol: str, name: str, port: int) -> None:
        """A container's hostPort."""
        host = self._hosts.get(name)
        if host is not None:
            key = (f"{protocol}/{normal(node_address)}", host_port)
            self._host_ports.setdefault(key, []).append((normal(host_ip) if host_ip not in ("", "0.0.0.0", "::") else "", host, port))

    # ---- connections

    def open(self, host: str, port: int, protocol: str = "TCP", wake: Callable[[], None] = lambda: None, source: str = "") -> Side:
        """From outside the pods: the API server, a kubelet's probe, a user's port-forward. `source` is the address that the pod sees.
        Raises OSError as `connect`."""
        return self.connect(None, host, port, protocol, wake, source or "127.0.0.1")

    def open_pod(self, name: str, port: int, wake: Callable[[], None] = lambda: None) -> Side:
        """From inside the network of that pod, as port-forward does it: what listens on its loopback is reached too."""
        host = self._hosts.get(name)
        if host is None:
            raise _failure(errno.EHOSTUNREACH)
        return self._connect_to_itself(host, "127.0.0.1", port, "TCP", wake)

    def connect(self, source: Host | None, host: str, port: int, protocol: str, wake: Callable[[], None], address: str = "") -> Side:
        host = normal(host)
        if self.beyond is not None and (side := self.beyond(host, port, protocol, wake)) is not None:
            return side
        if source is not None and (is_loopback(host) or host in ("0.0.0.0", "::")):
            return self._connect_to_itself(source, host, port, protocol, wake)
        behind = self.routes.service(host, port, protocol, source)
        shown = host, port
        if behind is not None:
            host, port = normal(behind[0]), behind[1]
            if self.beyond is not None and (side := self.beyond(host, port, protocol, wake)) is not None:
                return side
        target, port = self._listening(host, port, protocol)
        if target is None:
            raise _failure(errno.ETIMEDOUT)
        if self._allows is not None and source is not target and not self._allows(source, target, port, protocol):
            raise _failure(errno.ETIMEDOUT)
        return self._connect_to(source, target, shown[0], port, protocol, wake, address, shown[1])

    def _connect_to_itself(self, source: Host, host: str, port: int, protocol: str, wake: Callable[[], None]) -> Side:
        """Over the loopback; a node's leads to the host ports of its pods too."""
        target = source
        if (protocol, port) not in source.listeners:
            self._wanted(source.addresses[0] if source.addresses else host)
        if source.on_node and (protocol, port) not in source.listeners:
            for address in source.addresses:
                target, port = self._forwarded(address, port, protocol, source, wanted=host)
                if target is not source:
                    break
        return self._connect_to(source, target, host, port, protocol, wake, host)

    def _listening(self, address: str, port: int, protocol: str) -> tuple[Host | None, int]:
        """(who has that address, the port there)"""
        for attempt in range(2):
            target = self._by_address.get(address)
            found, there = self._forwarded(address, port, protocol, target) if target is not None else (None, port)
            if (found is not None and (protocol, there) in found.listeners) or attempt:
                return found, there
            self._wanted(address)
        return None, port

    def _forwarded(self, address: str, port: int, protocol: str, target: Host, wanted: str = "") -> tuple[Host, int]:
        """By a hostPort: that of `wanted`, an address of the node itself, else of `address`."""
        if (protocol, port) not in target.listeners:
            for host_ip, pod, container_port in self._host_ports.get((f"{protocol}/{address}", port), ()):
                if host_ip in ("", wanted or address):
                    return pod, container_port
        return target, port

    def _connect_to(
        self, source: Host | None, target: Host, host: str, port: int, protocol: str, wake: Callable[[], None], address: str, shown: int = 0
    ) -> Side:
        listener = target.listeners.get((protocol, port))
        if listener is None and protocol != "UDP":
            raise _failure(errno.ECONNREFUSED)
        for each in (source, target):
            if each is not None and each.connections >= MOST_CONNECTIONS:
                raise _failure(errno.EADDRNOTAVAIL if each is source else errno.ECONNREFUSED)
        local = joined(
            address or (source.address(host) if source is not None else "127.0.0.1"), source.ephemeral() if source else target.ephemeral()
        )
        accept, woken = listener or (_nobody, _nothing)
        near, far = pair(self, _counted(source, wake), _counted(target, woken), local, joined(host, shown or port), protocol)
        near.refused = listener is None
        if source is not None:
            source.connections += 1
            near._hosts = (source,)
        target.connections += 1
        far._hosts = (target,)
        if listener is not None:
            target.arrivals += 1
            accept(far)
            self.deliver(woken)
        return near

    def reaches(self, source: Host, address: str) -> bool:
        if is_loopback(address) or address in source.addresses:
            return True
        if address not in self._by_address:
            self._wanted(address)
        target = self._by_address.get(address)
        return target is not None and (self._allows is None or self._allows(source, target, 0, "ICMP"))

    def resolve(self, source: Host, name: str, type: str) -> list[str]:
        if self._allows is not None and not any(self._allows(source, DNS_HOST, DNS_PORT, protocol) for protocol in ("UDP", "TCP")):
            raise _failure(errno.ETIMEDOUT)
        return self.routes.resolve(name, type)

    def deliver(self, wake: Callable[[], None]) -> None:
        if self._depth >= _DEEPEST:
            self._clock.call_later(0.0, wake)
            return
        self._depth += 1
        try:
            wake()
        finally:
            self._depth -= 1


def _nobody(connection: world.Connection) -> None:
    """What becomes of a datagram nobody waits for."""


def _nothing() -> None:
    """Nobody to wake."""


def _counted(host: Host | None, wake: Callable[[], None]) -> Callable[[], None]:
    if host is None:
        return wake

    def arrived() -> None:
        host.arrivals += 1
        wake()

    return arrived


class PodNetwork:
    """The network as one pod sees it: world.Network."""

    __slots__ = ("_cluster", "_wake", "host")

    def __init__(self, cluster: ClusterNetwork, host: Host, wake: Callable[[], None]) -> None:
        self._cluster = cluster
        self._wake = wake
        self.host = host

    @property
    def addresses(self) -> Sequence[str]:
        return self.host.addresses

    @property
    def arrivals(self) -> int:
        """Grows whenever something comes for the pod: what looked at everything and finds the same number missed nothing."""
        return self.host.arrivals

    def listen(self, port: int, protocol: str, accept: Accept) -> Callable[[], None]:
        key = (protocol, port)
        if not 0 < port < 65536:
            raise _failure(errno.EINVAL)
        if key in self.host.listeners:
            raise _failure(errno.EADDRINUSE)
        listener = self.host.listeners[key] = (accept, self._wake)

        def stop() -> None:
            if self.host.listeners.get(key) is listener:
                del self.host.listeners[key]

        return stop

    def connect(self, host: str, port: int, protocol: str) -> Side:
        """`host` is an address: names are the programs' own business, who ask /etc/hosts and `resolve`."""
        if not 0 < port < 65536:
            raise _failure(errno.EADDRNOTAVAIL)
        return self._cluster.connect(self.host, host, port, protocol, self._wake)

    def reaches(self, address: str) -> bool:
        """Whether a ping is answered."""
        return self._cluster.reaches(self.host, normal(address))

    def resolve(self, name: str, type: str) -> list[str]:
        """Raises OSError ETIMEDOUT where the pod may not ask."""
        return self._cluster.resolve(self.host, name, type)
