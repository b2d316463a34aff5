"""kctl create service clusterip|nodeport|loadbalancer|externalname."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kctl.cli.command import Group
from kctl.cli.create.generator import Generator
from kctl.cli.errors import CommandError
from kctl.cli.flags import flag
from kctl.cli.lazy import Lazy


class CreateService(Group):
    """Create a service using a specified subcommand."""

    name = "service"
    members = {
        "clusterip": Lazy(__name__, "CreateClusterIPService", "Create a ClusterIP service"),
        "externalname": Lazy(__name__, "CreateExternalNameService", "Create an ExternalName service"),
        "loadbalancer": Lazy(__name__, "CreateLoadBalancerService", "Create a LoadBalancer service"),
        "nodeport": Lazy(__name__, "CreateNodePortService", "Create a NodePort service"),
    }


class ServiceGenerator(Generator):
    """What the four types of Service share."""

    tcp: Sequence[str] = flag("--tcp", kind="slice", help="Port pairs can be specified as '<port>:<targetPort>'.")

    def require_ports(self) -> None:
        if not self.tcp:
            raise CommandError("at least one tcp port specifier must be provided")

    async def create_service(self, kind: str, *, node_port: int = 0, cluster_ip: str = "", external_name: str = "") -> None:
        name = self.object_name
        spec: dict[str, Any] = {}
        ports = [_port(pair, node_port) for pair in self.tcp]
        if ports:
            spec["ports"] = ports
        spec["selector"] = {"app": name}
        if cluster_ip:
            spec["clusterIP"] = cluster_ip
        spec["type"] = kind
        if external_name:
            spec["externalName"] = external_name
        obj = {
            "kind": "Service",
            "apiVersion": "v1",
            "metadata": {"name": name, "labels": {"app": name}},
            "spec": spec,
            "status": {"loadBalancer": {}},
        }
        await self.create(obj, failure=f"failed to create {kind} service: ")


class CreateClusterIPService(ServiceGenerator):
    """Create a ClusterIP service with the specified name."""

    name = "clusterip"
    usage = "NAME [--tcp=<port>:<targetPort>] [--dry-run=server|client|none]"

    clusterip: str = flag("--clusterip", help="Assign your own ClusterIP or set to 'None' for a 'headless' service (no loadbalancing).")

    async def run(self) -> None:
        if self.clusterip != "None":
            self.require_ports()
        await self.create_service("ClusterIP", cluster_ip=self.clusterip)


class CreateNodePortService(ServiceGenerator):
    """Create a NodePort service with the specified name."""

    name = "nodeport"
    usage = "NAME [--tcp=port:targetPort] [--dry-run=server|client|none]"

    node_port: int = flag("--node-port", kind="int", help="Port used to expose the service on each node in a cluster.")

    async def run(self) -> None:
        self.require_ports()
        await self.create_service("NodePort", node_port=self.node_port)


class CreateLoadBalancerService(ServiceGenerator):
    """Create a LoadBalancer service with the specified name."""

    name = "loadbalancer"
    usage = "NAME [--tcp=port:targetPort] [--dry-run=server|client|none]"

    async def run(self) -> None:
        self.require_ports()
        await self.create_service("LoadBalancer")


class CreateExternalNameService(ServiceGenerator):
    """Create an ExternalName service with the specified name."""

    name = "externalname"
    usage = "NAME --external-name external.name [--dry-run=server|client|none]"
    required = ("external_name",)

    external_name: str = flag("--external-name", help="External name of service")

    async def run(self) -> None:
        await self.create_service("ExternalName", external_name=self.external_name)


def _port(pair: str, node_port: int) -> dict[str, Any]:
    first, _, second = pair.partition(":")
    port = _number(first)
    target: int | str = port
    if second:
        target = int(second) if second.isdigit() else second
        if isinstance(target, int):
            _number(second)
    made: dict[str, Any] = {"name": pair.replace(":", "-"), "protocol": "TCP", "port": port, "targetPort": target}
    if node_port:
        made["nodePort"] = node_port
    return made


def _number(text: str) -> int:
    if not text.lstrip("-").isdigit():
        raise CommandError(f'strconv.ParseInt: parsing "{text}": invalid syntax')
    if not 0 < int(text) < 65536 and int(text) != 0:
        raise CommandError("must be between 1 and 65535, inclusive")
    return int(text)
