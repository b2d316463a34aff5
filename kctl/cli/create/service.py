"""kctl create service clusterip|nodeport|loadbalancer|externalname."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from kctl.cli.command import KubectlCommand, KubectlGroup
from kctl.cli.create.generator import Generator, exactly_one_name, generator_flags
from kctl.cli.errors import CommandError
from kctl.cli.flags import flag
from kctl.cli.session import Session

Command = TypeVar("Command", bound=Callable[..., Any])

command = KubectlGroup(
    "service",
    short_help="Create a service using a specified subcommand",
    usage="",
    help="Create a service using a specified subcommand.",
)


def _tcp() -> Callable[[Command], Command]:
    return flag("--tcp", kind="slice", help="Port pairs can be specified as '<port>:<targetPort>'.")


@command.command(
    "clusterip",
    cls=KubectlCommand,
    blocking=True,
    short_help="Create a ClusterIP service",
    usage="NAME [--tcp=<port>:<targetPort>] [--dry-run=server|client|none]",
)
@_tcp()
@flag("--clusterip", help="Assign your own ClusterIP or set to 'None' for a 'headless' service (no loadbalancing).")
@generator_flags()
async def clusterip(session: Session, arguments: tuple[str, ...], tcp: tuple[str, ...], clusterip: str, **flags: Any) -> None:
    """Create a ClusterIP service with the specified name."""
    more: dict[str, Any] = {"clusterIP": clusterip} if clusterip else {}
    if not tcp and clusterip != "None":
        _missing_ports()
    await _create(session, arguments, "ClusterIP", tcp, flags, **more)


@command.command(
    "nodeport",
    cls=KubectlCommand,
    blocking=True,
    short_help="Create a NodePort service",
    usage="NAME [--tcp=port:targetPort] [--dry-run=server|client|none]",
)
@_tcp()
@flag("--node-port", kind="int", help="Port used to expose the service on each node in a cluster.")
@generator_flags()
async def nodeport(session: Session, arguments: tuple[str, ...], tcp: tuple[str, ...], node_port: int, **flags: Any) -> None:
    """Create a NodePort service with the specified name."""
    if not tcp:
        _missing_ports()
    await _create(session, arguments, "NodePort", tcp, flags, node_port=node_port)


@command.command(
    "loadbalancer",
    cls=KubectlCommand,
    blocking=True,
    short_help="Create a LoadBalancer service",
    usage="NAME [--tcp=port:targetPort] [--dry-run=server|client|none]",
)
@_tcp()
@generator_flags()
async def loadbalancer(session: Session, arguments: tuple[str, ...], tcp: tuple[str, ...], **flags: Any) -> None:
    """Create a LoadBalancer service with the specified name."""
    if not tcp:
        _missing_ports()
    await _create(session, arguments, "LoadBalancer", tcp, flags)


@command.command(
    "externalname",
    cls=KubectlCommand,
    blocking=True,
    short_help="Create an ExternalName service",
    usage="NAME --external-name external.name [--dry-run=server|client|none]",
)
@_tcp()
@flag("--external-name", help="External name of service")
@generator_flags()
async def externalname(session: Session, arguments: tuple[str, ...], tcp: tuple[str, ...], external_name: str, **flags: Any) -> None:
    """Create an ExternalName service with the specified name."""
    from kctl.cli.create.generator import require_flags

    require_flags(session, "external_name")
    await _create(session, arguments, "ExternalName", tcp, flags, externalName=external_name)


def _missing_ports() -> None:
    raise CommandError("at least one tcp port specifier must be provided")


async def _create(
    session: Session,
    arguments: Sequence[str],
    kind: str,
    tcp: Sequence[str],
    flags: dict[str, Any],
    *,
    node_port: int = 0,
    **more: str,
) -> None:
    generator = Generator.of(session, flags)
    name = exactly_one_name(session, arguments)
    spec: dict[str, Any] = {}
    ports = [_port(pair, node_port) for pair in tcp]
    if ports:
        spec["ports"] = ports
    spec["selector"] = {"app": name}
    if "clusterIP" in more:
        spec["clusterIP"] = more["clusterIP"]
    spec["type"] = kind
    if "externalName" in more:
        spec["externalName"] = more["externalName"]
    obj = {
        "kind": "Service",
        "apiVersion": "v1",
        "metadata": {"name": name, "labels": {"app": name}},
        "spec": spec,
        "status": {"loadBalancer": {}},
    }
    await generator.run(obj, failure=f"failed to create {kind} service: ")


def _port(pair: str, node_port: int) -> dict[str, Any]:
    first, _, second = pair.partition(":")
    port = _number(first)
    target: int | str = port
    if second:
        target = int(second) if second.isdigit() else second
        if isinstance(target, int):
            _number(second)
    found: dict[str, Any] = {"name": pair.replace(":", "-"), "protocol": "TCP", "port": port, "targetPort": target}
    if node_port:
        found["nodePort"] = node_port
    return found


def _number(text: str) -> int:
    if not text.lstrip("-").isdigit():
        raise CommandError(f'strconv.ParseInt: parsing "{text}": invalid syntax')
    if not 0 < int(text) < 65536 and int(text) != 0:
        raise CommandError("must be between 1 and 65535, inclusive")
    return int(text)
