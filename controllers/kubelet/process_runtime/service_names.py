"""How processes see the cluster's Services: each at a loopback address that stands for its ClusterIP, by variables, by cluster DNS, and by
/etc/hosts where that has no port 53. Pure.

Cluster IPs cannot be bound without network namespaces; loopback addresses can.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping

from controllers.kubelet.files.etc import CLUSTER_DOMAIN
from controllers.kubelet.service_variables import MASTER_NAMESPACE, MASTER_SERVICE
from kctl.apimachinery import objects
from kctl.apimachinery.objects import Object

_MOST_LINES = 5_000
_LONGEST_OCTET = 254
_OWNER = "kubernetes.io/service-name"


def address_of(seed: str, service: Object) -> str:
    """The same at every start of the same cluster (`seed`)."""
    digest = hashlib.sha256(f"{seed}/{objects.uid(service)}".encode()).digest()
    return f"127.{digest[0] % _LONGEST_OCTET + 1}.{digest[1]}.{digest[2] % _LONGEST_OCTET + 1}"


def cluster_ip(service: Object) -> str:
    """'' of one without."""
    address = str(objects.spec(service).get("clusterIP") or "")
    return "" if address == "None" or objects.spec(service).get("type") == "ExternalName" else address


def is_api_server(service: Object) -> bool:
    return objects.namespace(service) == MASTER_NAMESPACE and objects.name(service) == MASTER_SERVICE


def is_cluster_dns(service: Object) -> bool:
    """That of this runtime's own server; one that selects pods is somebody's own."""
    named = objects.namespace(service) == "kube-system" and objects.name(service) == "kube-dns"
    return named and not objects.spec(service).get("selector")


def for_variables(services: Iterable[Object], address: Callable[[Object], str], api_server: tuple[str, int] | None) -> list[Object]:
    """The Services with their loopback addresses, kube-apiserver's with the address that it listens at: what the variables of a container
    are made of."""
    found = []
    for service in services:
        if not cluster_ip(service):
            continue
        spec = dict(objects.spec(service))
        if is_api_server(service) and api_server is not None:
            spec |= {"clusterIP": api_server[0], "ports": [{**port, "port": api_server[1]} for port in spec.get("ports") or ()]}
        else:
            spec["clusterIP"] = address(service)
        found.append({**service, "spec": spec})
    return found


def hosts_lines(services: Iterable[Object], slices: Iterable[Object], namespace: str, address: Callable[[Object], str]) -> str:
    """Of /etc/hosts in pods of that namespace: Services, and the endpoints of headless ones with their host names."""
    headless: dict[tuple[str, str], Object] = {}
    lines: list[str] = []
    for service in services:
        if cluster_ip(service):
            lines.append(f"{address(service)}\t{' '.join(_names(service, namespace))}")
        elif objects.spec(service).get("clusterIP") == "None":
            headless[objects.namespace(service), objects.name(service)] = service
    for each in slices:
        owner = headless.get((objects.namespace(each), str(objects.labels(each).get(_OWNER) or "")))
        if owner is not None:
            lines += _endpoint_lines(owner, each, namespace)
    text = "".join(f"{line}\n" for line in sorted(lines)[:_MOST_LINES])
    return f"\n# Services of the cluster.\n{text}" if text else ""


def _endpoint_lines(service: Object, endpoint_slice: Object, namespace: str) -> Iterator[str]:
    published = bool(objects.spec(service).get("publishNotReadyAddresses"))
    for endpoint in endpoint_slice.get("endpoints") or ():
        conditions: Mapping[str, object] = endpoint.get("conditions") or {}
        if conditions.get("ready") is False and not published:
            continue
        names = _names(service, namespace)
        host = endpoint.get("hostname")
        for found in (endpoint.get("addresses") or ())[:1]:
            yield f"{found}\t{' '.join([*(f'{host}.{name}' for name in names if host), *names])}"


def _names(service: Object, namespace: str) -> list[str]:
    name, own = objects.name(service), objects.namespace(service)
    longer = [f"{name}.{own}", f"{name}.{own}.svc", f"{name}.{own}.svc.{CLUSTER_DOMAIN}"]
    return [name, *longer] if own == namespace else longer
