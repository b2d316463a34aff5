"""Which host ports a pod asks for, and when two ask for the same (the scheduler's HostPortInfo; kubelets admit by it too)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from kctl.apimachinery.objects import Object

ALL_ADDRESSES = "0.0.0.0"


class HostPort(NamedTuple):
    ip: str
    protocol: str
    port: int


def host_ports(spec: Object) -> tuple[HostPort, ...]:
    """Of containers and sidecars; with the host's network every container port is one."""
    wanted = []
    sidecars = (each for each in spec.get("initContainers") or () if each.get("restartPolicy") == "Always")
    for container in (*(spec.get("containers") or ()), *sidecars):
        for port in container.get("ports") or ():
            number = port.get("hostPort") or (port["containerPort"] if spec.get("hostNetwork") else 0)
            if number:
                wanted.append(HostPort(port.get("hostIP") or ALL_ADDRESSES, port.get("protocol") or "TCP", int(number)))
    return tuple(wanted)


def is_free(wanted: HostPort, used: Iterable[HostPort]) -> bool:
    """0.0.0.0 clashes with every address of the same protocol and port; two different addresses do not."""
    return not any(
        (other.protocol, other.port) == (wanted.protocol, wanted.port) and (other.ip == wanted.ip or ALL_ADDRESSES in (other.ip, wanted.ip))
        for other in used
    )
