"""kctl cluster-info: where the control plane is."""

from __future__ import annotations

from kctl.apimachinery import objects
from kctl.apimachinery.resources import SERVICES
from kctl.cli.command import Group
from kctl.cli.lazy import Lazy
from kctl.cli.session import Session


def _coloured(session: Session, what: str, url: str) -> str:
    """Green and yellow on a terminal, as kubectl; plain elsewhere and with NO_COLOR."""
    import os

    if not session.streams.out.isatty() or os.environ.get("NO_COLOR"):
        return f"{what} is running at {url}"
    return f"\x1b[0;32m{what}\x1b[0m is running at \x1b[0;33m{url}\x1b[0m"


class ClusterInfo(Group):
    """Display addresses of the control plane and services with label kubernetes.io/cluster-service=true."""

    name = "cluster-info"
    members = {"dump": Lazy("kctl.cli.cluster_info.dump", "ClusterInfoDump", "Dump relevant information for debugging and diagnosis")}

    async def run(self) -> None:
        client = await self.session.client()
        services = (await client.list(SERVICES, "kube-system", label_selector="kubernetes.io/cluster-service=true")).get("items") or []
        server = self.session.configuration.server
        self.session.print(_coloured(self.session, "Kubernetes control plane", server))
        for service in services:
            name = objects.labels(service).get("kubernetes.io/name") or objects.name(service)
            ports = objects.spec(service).get("ports") or [{}]
            suffix = f":{ports[0]['name']}" if ports[0].get("name") else ""
            path = f"/api/v1/namespaces/{objects.namespace(service)}/services/{objects.name(service)}{suffix}/proxy"
            self.session.print(_coloured(self.session, name, server + path))
        self.session.print("\nTo further debug and diagnose cluster problems, use 'kctl cluster-info dump'.")
