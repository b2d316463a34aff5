"""What the simulated network knows of the cluster: the kubelets' caches, with the indexes it looks things up by."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import TYPE_CHECKING

from controllers.kubelet.network.cluster_names import slice_addresses
from controllers.kubelet.network.pod_networks import addresses_of
from controllers.kubelet.network.service_routes import service_addresses, slice_owner
from controllers.kubelet.references import ENDPOINT_SLICE, NAMESPACE, POD, SERVICE
from controllers.runtime.indexer import IndexFunction
from controllers.runtime.informer import Informer
from kctl.apimachinery import objects
from kctl.apimachinery.objects import Object

if TYPE_CHECKING:
    from controllers.kubelet.kubelet import Kubelet
    from controllers.kubelet.pod_worker import PodWorker

_INDEXES: Mapping[str, tuple[str, IndexFunction]] = {
    "network.pods": (POD, addresses_of),
    "network.services": (SERVICE, service_addresses),
    "network.owners": (ENDPOINT_SLICE, slice_owner),
    "network.endpoints": (ENDPOINT_SLICE, slice_addresses),
}
"""Name > (kind, what an object is found by)."""


class NetworkSources:
    """`cache_of` gives the cache of a kind, None while it is not filled: then nothing of that kind is known."""

    def __init__(self, cache_of: Callable[[str], Informer | None], kubelets: Mapping[str, Kubelet]) -> None:
        self._cache_of = cache_of
        self._kubelets = kubelets
        self._indexed: set[str] = set()
        self._nodes: dict[str, str] = {}
        """Address > name, as of the last look."""

    def _found(self, index: str, value: str) -> Collection[Object]:
        kind, function = _INDEXES[index]
        cache = self._cache_of(kind)
        if cache is None:
            return ()
        if index not in self._indexed:
            self._indexed.add(index)
            cache.add_index(index, function)
        return cache.by_index(index, value)

    def all(self, kind: str, namespace: str = "") -> Iterable[Object]:
        cache = self._cache_of(kind)
        return cache.list(namespace) if cache is not None else ()

    def get(self, kind: str, key: str) -> Object | None:
        cache = self._cache_of(kind)
        return cache.get(key) if cache is not None else None

    # ---- pods and nodes

    def pods_at(self, address: str) -> Collection[Object]:
        return self._found("network.pods", address)

    def running(self, pod: Object) -> PodWorker | None:
        """Its worker, if it has been set up on a node that runs."""
        kubelet = self._kubelets.get(objects.spec(pod).get("nodeName") or "")
        worker = kubelet.worker(objects.uid(pod)) if kubelet is not None and not kubelet.paused else None
        return worker if worker is not None and worker.sandbox else None

    def node_at(self, address: str) -> str:
        name = self._nodes.get(address, "")
        if len(self._nodes) != len(self._kubelets) or (name and name not in self._kubelets):
            self._nodes = {kubelet.address: each for each, kubelet in self._kubelets.items()}
            name = self._nodes.get(address, "")
        return name

    def node_address(self, node: str) -> str:
        kubelet = self._kubelets.get(node)
        return kubelet.address if kubelet is not None else ""

    def node_labels(self, node: str) -> Mapping[str, str]:
        kubelet = self._kubelets.get(node)
        return objects.labels(kubelet.node) if kubelet is not None else {}

    # ---- services

    def service(self, namespace: str, name: str) -> Object | None:
        return self.get(SERVICE, f"{namespace}/{name}")

    def has_namespace(self, name: str) -> bool:
        return self.get(NAMESPACE, name) is not None

    def services_at(self, value: str) -> Collection[Object]:
        return self._found("network.services", value)

    def slices_of(self, namespace: str, service: str) -> Collection[Object]:
        return self._found("network.owners", f"{namespace}/{service}")

    def api_server_ports(self, address: str) -> list[int]:
        """Where kube-apiserver listens, if that address is one of its endpoints."""
        return [
            int(port["port"])
            for each in self.slices_of("default", "kubernetes")
            if any(address in endpoint["addresses"] for endpoint in each.get("endpoints") or ())
            for port in each.get("ports") or ()
            if port.get("port")
        ]

    def on_change(self, told: Callable[[], None]) -> None:
        """`told` is called whenever Services, endpoints or namespaces change; their caches have to be filled."""
        for kind in (SERVICE, ENDPOINT_SLICE, NAMESPACE):
            cache = self._cache_of(kind)
            if cache is not None:
                cache.add_handler(lambda changes: told())

    def slices_at(self, address: str) -> Collection[Object]:
        return self._found("network.endpoints", address)
