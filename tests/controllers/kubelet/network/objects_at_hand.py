"""Services, slices, pods and policies that a test names, as the network's sources give them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from controllers.kubelet.commands.network import Host
from controllers.kubelet.network.cluster_names import slice_addresses
from controllers.kubelet.network.service_routes import SERVICE_NAME, service_addresses, slice_owner
from kctl.apimachinery import objects
from kctl.apimachinery.objects import Object


class Sources:
    """`nodes`: name > (address, labels)."""

    def __init__(self, *services: Object, slices: Iterable[Object] = (), nodes: Mapping[str, tuple[str, Mapping[str, str]]] = {}) -> None:
        self.services = list(services)
        self.slices = list(slices)
        self.nodes = nodes
        self.kinds: dict[str, list[Object]] = {}

    @staticmethod
    def _with(listed: list[Object], function: Callable[[Object], Iterator[str]], value: str) -> list[Object]:
        return [each for each in listed if value in function(each)]

    def service(self, namespace: str, name: str) -> Object | None:
        return next((each for each in self.services if objects.key(each) == f"{namespace}/{name}"), None)

    def has_namespace(self, name: str) -> bool:
        return any(objects.namespace(each) == name for each in (*self.services, *self.slices))

    def services_at(self, value: str) -> list[Object]:
        return self._with(self.services, service_addresses, value)

    def slices_of(self, namespace: str, service: str) -> list[Object]:
        return self._with(self.slices, slice_owner, f"{namespace}/{service}")

    def slices_at(self, address: str) -> list[Object]:
        return self._with(self.slices, slice_addresses, address)

    def node_at(self, address: str) -> str:
        return next((name for name, (own, _) in self.nodes.items() if own == address), "")

    def node_labels(self, node: str) -> Mapping[str, str]:
        return self.nodes[node][1] if node in self.nodes else {}

    def all(self, kind: str, namespace: str = "") -> list[Object]:
        return [each for each in self.kinds.get(kind, ()) if namespace in ("", objects.namespace(each))]

    def get(self, kind: str, key: str) -> Object | None:
        return next((each for each in self.kinds.get(kind, ()) if objects.key(each) == key), None)


def service(name: str = "web", address: str = "10.96.0.7", status: Object | None = None, **spec: Any) -> Object:
    """With port 80 for 8080 behind it."""
    ports = spec.pop("ports", [{"name": "http", "port": 80, "protocol": "TCP"}])
    made = {"clusterIP": address, "type": "ClusterIP", "ports": ports, **spec}
    return {"metadata": {"name": name, "namespace": "default", "uid": name}, "spec": made, "status": status or {}}


def endpoint(address: str, node: str = "", **more: Any) -> Object:
    """`more`: conditions, hints, hostname."""
    return {"addresses": [address], **({"nodeName": node} if node else {}), "conditions": {"ready": True}, **more}


def endpoint_slice(*endpoints: Object, name: str = "web", port: int = 8080, port_name: str = "http", protocol: str = "TCP") -> Object:
    meta = {"name": f"{name}-1", "namespace": "default", "labels": {SERVICE_NAME: name}}
    ports = [{"name": port_name, "port": port, "protocol": protocol}]
    return {"metadata": meta, "addressType": "IPv4", "endpoints": list(endpoints), "ports": ports}


def host(address: str = "10.244.0.9", node: str = "n1", *, on_node: bool = False) -> Host:
    return Host(f"pod at {address}", [address], node, on_node=on_node)
