"""The machine's own /etc/resolv.conf: what pods with dnsPolicy Default get, and whom cluster DNS asks about other names."""

from __future__ import annotations

import contextlib
import ipaddress
import os
from collections.abc import Iterable
from functools import lru_cache

from controllers.kubelet.files.etc import NodeResolver

_MOST_LINES = 1_000
_MOST_SERVERS = 15
"""As many as the forward plugin of CoreDNS asks."""


def read(path: str = "/etc/resolv.conf") -> NodeResolver:
    """Nothing where there is none; read again when it has changed."""
    try:
        return _read(path, os.stat(path).st_mtime_ns)
    except OSError:
        return NodeResolver((), (), {})


@lru_cache(maxsize=4)
def _read(path: str, changed: int) -> NodeResolver:
    """Raises OSError."""
    with open(path, errors="replace") as file:
        return parse(line for line, _ in zip(file, range(_MOST_LINES), strict=False))


def parse(lines: Iterable[str]) -> NodeResolver:
    """As a kubelet does: the last `search` counts, `domain` does not; of a name server's address its zone is kept."""
    nameservers: list[str] = []
    searches: list[str] = []
    options: dict[str, str] = {}
    for line in lines:
        fields = line.split()
        if len(fields) < 2 or fields[0][0] in "#;":
            continue
        if fields[0] == "nameserver" and _is_address(fields[1]):
            nameservers.append(fields[1])
        elif fields[0] == "search":
            searches = [each if each == "." else each.rstrip(".") for each in fields[1:]]
        elif fields[0] == "options":
            for option in fields[1:]:
                name, _, value = option.partition(":")
                options[name] = value
    return NodeResolver(tuple(dict.fromkeys(nameservers))[:_MOST_SERVERS], tuple(searches), options)


def _is_address(text: str) -> bool:
    with contextlib.suppress(ValueError):
        return bool(ipaddress.ip_address(text))
    return False
