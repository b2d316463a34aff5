"""The cluster as processes see it: what sandboxes ask of kubelets, with Services at the addresses that can be reached from here."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from controllers.kubelet.network.pod_networks import PodNetworks
from controllers.kubelet.process_runtime import service_names
from controllers.kubelet.references import ENDPOINT_SLICE, Lookup
from controllers.kubelet.sandbox import SandboxSources
from kctl.apimachinery import objects
from kctl.apimachinery.objects import Object
from kctl.client.client import Client

_API_SERVER_HOST = "127.0.0.1"
_MOST_ADDRESSES = 20_000


class ClusterView:
    """Has what SandboxSources asks for. `seed` tells this cluster from others on the machine; `api_server_port` is where kube-apiserver
    listens, 0 where it does not."""

    def __init__(self, base: SandboxSources, seed: str, api_server_port: Callable[[], int]) -> None:
        self.base = base
        self._seed = seed
        self._api_server_port = api_server_port
        self._hosts: dict[str, str] = {}
        self._addresses: dict[str, str] = {}
        self.dns_address = service_names.address_of(seed, {"metadata": {"uid": "kube-dns"}})
        self.dns = ""
        """Where cluster DNS answers on port 53; '' while it does not."""

    @property
    def lookup(self) -> Lookup:
        return self.base.lookup

    def services(self) -> Sequence[Object]:
        return service_names.for_variables(self.base.services(), self.address, self.api_server())

    def api_server(self) -> tuple[str, int] | None:
        """Where it listens on this machine, if it does."""
        port = self._api_server_port()
        return (_API_SERVER_HOST, port) if port else None

    def address(self, service: Object) -> str:
        """The loopback address that stands for its ClusterIP."""
        if service_names.is_cluster_dns(service):
            return self.dns_address
        uid = objects.uid(service)
        found = self._addresses.get(uid)
        if found is None:
            found = self._addresses[uid] = service_names.address_of(self._seed, service)
        return found

    def look_again(self) -> None:
        """Services may have changed."""
        self._hosts.clear()
        if len(self._addresses) > _MOST_ADDRESSES:
            self._addresses.clear()

    def hosts(self, namespace: str) -> str:
        """Lines for /etc/hosts of pods of that namespace, as of the last `look_again`."""
        found = self._hosts.get(namespace)
        if found is None:
            slices = self.base.networks.sources.all(ENDPOINT_SLICE)
            found = self._hosts[namespace] = service_names.hosts_lines(self.base.services(), slices, namespace, self.address)
        return found

    def allocatable(self, node: str) -> Mapping[str, Any]:
        return self.base.allocatable(node)

    def node_address(self, node: str) -> str:
        return self.base.node_address(node)

    def client(self, node: str) -> Client | None:
        return self.base.client(node)

    @property
    def networks(self) -> PodNetworks:
        return self.base.networks
