"""Where a Service leads, for this server itself: webhooks and extension API servers are reached by the addresses of EndpointSlices, or by
the external name."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Protocol

from kctl.apimachinery import objects
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import ENDPOINT_SLICES, SERVICES, ResourceType


class Cached(Protocol):
    def get_cached(self, resource: ResourceType, namespace: str, name: str) -> Object | None: ...

    def list_cached(self, resource: ResourceType, namespace: str) -> Iterable[Object]: ...


class CannotResolve(Exception):
    """The message is upstream's."""


def resolve(server: Cached, name: str, namespace: str, port: int) -> tuple[str, int]:
    """Host and port of something ready; `port` is the Service's. Raises CannotResolve."""
    service = server.get_cached(SERVICES, namespace, name)
    if service is None:
        raise CannotResolve(f'service "{name}" not found')
    spec = objects.spec(service)
    if spec.get("type") == "ExternalName":
        return str(spec.get("externalName") or ""), port
    own = port_of(service, port)
    if own is None:
        raise CannotResolve(f'no service port {port} found for service "{name}"')
    found = next(_endpoints(server, name, namespace, own), None)
    if found is None:
        raise CannotResolve(f'no endpoints available for service "{name}"')
    return found


def port_of(service: Object, port: int) -> Object | None:
    return next((entry for entry in objects.spec(service).get("ports") or () if entry.get("port") == port), None)


def slices_of(server: Cached, name: str, namespace: str) -> list[Object]:
    parts = server.list_cached(ENDPOINT_SLICES, namespace)
    return [part for part in parts if objects.labels(part).get("kubernetes.io/service-name") == name]


def is_ready(endpoint: Object) -> bool:
    return (endpoint.get("conditions") or {}).get("ready") is not False


def _endpoints(server: Cached, name: str, namespace: str, port: Object) -> Iterator[tuple[str, int]]:
    for part in slices_of(server, name, namespace):
        numbers = [entry["port"] for entry in part.get("ports") or () if (entry.get("name") or "") == (port.get("name") or "")]
        for endpoint in part.get("endpoints") or () if numbers else ():
            if is_ready(endpoint):
                yield from ((str(address), int(numbers[0])) for address in endpoint.get("addresses") or ())
