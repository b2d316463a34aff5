"""The resolver library of a container: /etc/hosts first, then the search path of /etc/resolv.conf, as getaddrinfo does it."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterator
from dataclasses import dataclass

from controllers.kubelet.commands.process import Process
from controllers.kubelet.commands.world import Network
from controllers.kubelet.files.etc import CLUSTER_DNS, NODE_NAMESERVER

_MOST_SEARCHES = 32
_MOST_ALIASES = 8


@dataclass(frozen=True, slots=True)
class Configuration:
    """/etc/resolv.conf"""

    nameservers: tuple[str, ...] = ()
    search: tuple[str, ...] = ()
    ndots: int = 1


def configuration(process: Process) -> Configuration:
    nameservers: list[str] = []
    search: list[str] = []
    ndots = 1
    for line in _lines(process, "/etc/resolv.conf"):
        fields = line.split()
        if fields[:1] == ["nameserver"] and len(fields) > 1:
            nameservers.append(fields[1])
        elif fields[:1] in (["search"], ["domain"]):
            search = fields[1:]
        elif fields[:1] == ["options"]:
            for option in fields[1:]:
                if option.startswith("ndots:") and option[6:].isdigit():
                    ndots = min(int(option[6:]), 15)
    return Configuration(tuple(nameservers), tuple(search[:_MOST_SEARCHES]), ndots)


def _lines(process: Process, path: str) -> list[str]:
    try:
        made: list[str] = process.world.files.read(path).decode("utf-8", "replace").splitlines()
        return made
    except OSError:
        return []


def is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def hosts(process: Process, name: str) -> list[str]:
    """What /etc/hosts says."""
    made = []
    for line in _lines(process, "/etc/hosts"):
        fields = line.partition("#")[0].split()
        if name.lower().rstrip(".") in (each.lower() for each in fields[1:]):
            made.append(fields[0])
    return made


def said_of(process: Process, address: str) -> list[str]:
    """The names that /etc/hosts gives an address, on its first line that has it."""
    for line in _lines(process, "/etc/hosts"):
        fields = line.partition("#")[0].split()
        if fields[:1] == [address]:
            return fields[1:]
    return []


def candidates(settings: Configuration, name: str) -> Iterator[str]:
    """The full names to try, in this order."""
    if name.endswith("."):
        yield name.rstrip(".")
        return
    early = name.count(".") >= settings.ndots
    if early:
        yield name
    for domain in settings.search:
        yield f"{name}.{domain.rstrip('.')}"
    if not early:
        yield name


def asks_cluster(process: Process, server: str = "") -> bool:
    """Whether cluster DNS is who answers. Raises NoServer for an address where no name server is."""
    servers = [server] if server else list(configuration(process).nameservers)
    for each in servers:
        if each == CLUSTER_DNS:
            return True
        if each == NODE_NAMESERVER:
            return False
    raise NoServer


class NoServer(Exception):
    """Nobody answers."""


Record = tuple[str, str, str]
"""(owner, type, value) as dig prints them."""


def query(process: Process, name: str, type: str, server: str = "") -> list[Record]:
    """The records that answer a question for a full name, the aliases before them; [] where there are none. Raises NoServer."""
    network = process.world.network
    made: list[Record] = []
    name = name.rstrip(".").lower()
    if network is None or not asks_cluster(process, server):
        return []
    for _ in range(_MOST_ALIASES):
        found = _resolved(network, name, type)
        if found or type == "CNAME":
            return [*made, *((name, type, value) for value in found)]
        aliases = _resolved(network, name, "CNAME")
        if not aliases:
            break
        made.append((name, "CNAME", aliases[0]))
        name = aliases[0].rstrip(".").lower()
    return made


def _resolved(network: Network, name: str, type: str) -> list[str]:
    try:
        return network.resolve(name, type)
    except OSError:
        raise NoServer from None


def _values(process: Process, name: str, type: str) -> list[str]:
    try:
        return [value for _, kind, value in query(process, name, type) if kind == type]
    except NoServer:
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution") from None


def lookup(process: Process, name: str, *, ipv6: bool = True) -> list[str]:
    """Addresses, the best first. Raises socket.gaierror for a name that has none."""
    if is_address(name):
        return [name]
    known = hosts(process, name)
    if known:
        return known
    if name == "localhost":
        return ["127.0.0.1"]
    for full in candidates(configuration(process), name):
        addresses = _values(process, full, "A") + (_values(process, full, "AAAA") if ipv6 else [])
        if addresses:
            return addresses
    raise socket.gaierror(socket.EAI_NONAME, "Name does not resolve")
