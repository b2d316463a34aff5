"""Which ports `kctl port-forward` forwards: [LOCAL:]REMOTE, names, services' ports, and the addresses to listen on. No I/O."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from kctl.apimachinery import objects
from kctl.apimachinery.objects import Object
from kctl.cli.errors import CommandError

_MOST = 65535


class Forwarded(NamedTuple):
    """local 0: any free one."""

    local: int
    remote: int


class Address(NamedTuple):
    """`all_of_group`: one of these is enough (localhost's two); else each is needed."""

    host: str
    one_is_enough: bool


def _split(word: str) -> tuple[str, str]:
    parts = word.split(":")
    return (parts[0], parts[1]) if len(parts) == 2 else (parts[0], parts[0])


def _number(text: str) -> int | None:
    """As strconv.Atoi."""
    digits = text[1:] if text[:1] in ("+", "-") else text
    return int(text) if digits.isascii() and digits.isdigit() else None


def _container_port(pod: Object, name: str) -> int:
    spec = objects.spec(pod)
    sidecars = [container for container in spec.get("initContainers") or () if container.get("restartPolicy") == "Always"]
    for container in (*(spec.get("containers") or ()), *sidecars):
        for port in container.get("ports") or ():
            if port.get("name", "") == name:
                return int(port["containerPort"])
    raise CommandError(f"Pod '{objects.name(pod)}' does not have a named port '{name}'")


def _service_port(service: Object, name: str) -> int:
    for port in objects.spec(service).get("ports") or ():
        if port.get("name", "") == name:
            return int(port["port"])
    raise CommandError(f"Service '{objects.name(service)}' does not have a named port '{name}'")


def _target_port(service: Object, pod: Object, number: int) -> int:
    spec = objects.spec(service)
    for port in spec.get("ports") or ():
        if port["port"] != number:
            continue
        target = port.get("targetPort", 0)
        if spec.get("clusterIP") == "None":
            return number
        if isinstance(target, int):
            return target or number
        return _container_port(pod, target)
    raise CommandError(f"Service {objects.name(service)} does not have a service port {number}")


def _refuse_datagrams(ports: Iterable[tuple[int, str]], words: Sequence[str], named: dict[str, int]) -> None:
    numbers: dict[str, set[int]] = {"UDP": set(), "TCP": set()}
    for declared, protocol in ports:
        numbers.setdefault(protocol, set()).add(declared)
    for word in words:
        remote = _split(word)[1]
        number: int | None = _number(remote)
        if (named.get(remote, 0) if number is None else number) in numbers["UDP"] - numbers["TCP"]:
            raise CommandError(f"UDP protocol is not supported for {remote}")


def _written(local: str, asked: str, number: int) -> str:
    return f"{local}:{number}" if local != asked else str(number)


def of_pod(pod: Object, words: Sequence[str]) -> list[str]:
    """Names as numbers. Raises CommandError."""
    declared = [
        (int(port["containerPort"]), port.get("protocol", "TCP"))
        for container in objects.spec(pod).get("containers") or ()
        for port in container.get("ports") or ()
    ]
    named = {remote: _container_port(pod, remote) for remote in (_split(word)[1] for word in words) if _number(remote) is None}
    _refuse_datagrams(declared, words, named)
    ports = []
    for word in words:
        local, remote = _split(word)
        if not remote:
            raise CommandError("remote port cannot be empty")
        given = _number(remote)
        ports.append(_written(local, remote, named[remote] if given is None else given))
    return ports


def of_service(service: Object, pod: Object, words: Sequence[str]) -> list[str]:
    """A service's ports as those of the pod that they lead to. Raises CommandError."""
    declared = [(int(port["port"]), port.get("protocol", "TCP")) for port in objects.spec(service).get("ports") or ()]
    named = {remote: _service_port(service, remote) for remote in (_split(word)[1] for word in words) if _number(remote) is None}
    _refuse_datagrams(declared, words, named)
    ports = []
    for word in words:
        local, remote = _split(word)
        given = _number(remote)
        number = named[remote] if given is None else given
        if given is None and local == remote:
            local = str(number)
        target = _target_port(service, pod, number)
        ports.append(_written(local, str(target), target))
    return ports


def parse(words: Sequence[str]) -> list[Forwarded]:
    """Raises CommandError."""
    forwards = []
    for word in words:
        parts = word.split(":")
        if len(parts) > 2:
            raise CommandError(f"invalid port format '{word}'")
        local, remote = (parts[0] or "0", parts[1]) if len(parts) == 2 else (parts[0], parts[0])
        numbers = [_unsigned(text, which) for text, which in ((local, "local"), (remote, "remote"))]
        if not numbers[1]:
            raise CommandError("remote port must be > 0")
        forwards.append(Forwarded(*numbers))
    return forwards


def _unsigned(text: str, which: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise CommandError(f"error parsing {which} port '{text}': strconv.ParseUint: parsing \"{text}\": invalid syntax")
    if len(text.lstrip("0")) > 5 or int(text) > _MOST:
        raise CommandError(f"error parsing {which} port '{text}': strconv.ParseUint: parsing \"{text}\": value out of range")
    return int(text)


def addresses(words: Sequence[str]) -> list[Address]:
    """Raises CommandError."""
    if not words:
        raise CommandError("you must specify at least 1 address")
    chosen: dict[str, Address] = {}
    for word in words:
        if word == "localhost":
            for host in ("127.0.0.1", "::1"):
                chosen.setdefault(host, Address(host, one_is_enough=True))
            continue
        try:
            ipaddress.ip_address(word)
        except ValueError:
            raise CommandError(f"{word} is not a valid IP") from None
        chosen[word] = Address(word, one_is_enough=False)
    return sorted(chosen.values())


def joined(host: str, port: int) -> str:
    """As net.JoinHostPort."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
