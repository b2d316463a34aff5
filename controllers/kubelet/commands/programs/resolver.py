"""The resolver library of a container: /etc/hosts first, then the search path of /etc/resolv.conf, as getaddrinfo does it."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterator
from dataclasses import dataclass

from controllers.kubelet.commands.process import Process

_MOST_SEARCHES = 32


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


def query(process: Process, name: str, type: str) -> list[str]:
    """The records of a full name."""
    network = process.world.network
    return network.resolve(name.rstrip(".").lower(), type) if network is not None else []


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
        addresses = query(process, full, "A") + (query(process, full, "AAAA") if ipv6 else [])
        if addresses:
            return addresses
    raise socket.gaierror(socket.EAI_NONAME, "Name does not resolve")
