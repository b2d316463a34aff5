"""The names that cluster DNS knows, as CoreDNS' kubernetes plugin answers: services, endpoints, pods by address, reverse names."""

from __future__ import annotations

import ipaddress
from collections.abc import Collection, Iterator
from typing import Protocol

from controllers.kubelet.commands.network import normal
from controllers.kubelet.files.etc import CLUSTER_DOMAIN
from controllers.kubelet.network.service_routes import SERVICE_NAME, cluster_addresses
from kctl.apimachinery import objects
from kctl.apimachinery.objects import Object

SCHEMA_VERSION = "1.1.0"
_FAMILIES = {"A": "IPv4", "AAAA": "IPv6"}


class NameSources(Protocol):
    def service(self, namespace: str, name: str) -> Object | None: ...

    def services_at(self, value: str) -> Collection[Object]: ...

    def slices_of(self, namespace: str, service: str) -> Collection[Object]: ...

    def has_namespace(self, name: str) -> bool: ...

    def slices_at(self, address: str) -> Collection[Object]:
        """By what `slice_addresses` yields."""
        ...


def slice_addresses(endpoint_slice: Object) -> Iterator[str]:
    for endpoint in endpoint_slice.get("endpoints") or ():
        for address in endpoint.get("addresses") or ():
            yield normal(str(address))


class ClusterNames:
    def __init__(self, sources: NameSources) -> None:
        self._sources = sources

    def resolve(self, name: str, type: str) -> list[str]:
        """The values of a full name's records, as dig prints them; [] where there are none. An alias that leads to addresses is followed by
        who asks: `type` CNAME gives it."""
        name = name.lower().rstrip(".")
        if name.endswith((".in-addr.arpa", ".ip6.arpa")):
            return self._reverse(name) if type == "PTR" else []
        if name != CLUSTER_DOMAIN and not name.endswith(f".{CLUSTER_DOMAIN}"):
            return []
        labels = name.removesuffix(CLUSTER_DOMAIN).rstrip(".").split(".")
        if labels == ["dns-version"]:
            return [f'"{SCHEMA_VERSION}"'] if type == "TXT" else []
        if labels[-1] == "pod" and len(labels) == 3 and type in _FAMILIES:
            return _by_address(labels[0], type) if self._sources.has_namespace(labels[1]) else []
        if labels[-1] != "svc" or len(labels) < 3:
            return []
        service = self._sources.service(labels[-2], labels[-3])
        if service is None:
            return []
        return self._of_service(service, labels[:-3], type)

    def exists(self, name: str) -> bool:
        """Whether a full name of the zone has records of any type, or names below it that have: the answer to it is no NXDOMAIN. A
        headless Service without ready endpoints has none."""
        name = name.lower().rstrip(".")
        if name == CLUSTER_DOMAIN:
            return True
        labels = name.removesuffix(f".{CLUSTER_DOMAIN}").split(".")
        if labels[-1] not in ("svc", "pod"):
            return labels == ["dns-version"]
        if len(labels) <= 2:
            return len(labels) == 1 or self._sources.has_namespace(labels[0])
        if labels[-1] == "pod":
            return len(labels) == 3 and self._sources.has_namespace(labels[1]) and any(_by_address(labels[0], each) for each in _FAMILIES)
        service = self._sources.service(labels[-2], labels[-3])
        return service is not None and any(self._of_service(service, labels[:-3], type) for type in (*_FAMILIES, "SRV", "CNAME"))

    # ---- services

    def _of_service(self, service: Object, before: list[str], type: str) -> list[str]:
        spec = objects.spec(service)
        if spec.get("type") == "ExternalName":
            target = str(spec.get("externalName")).rstrip(".")
            return [f"{target}."] if type == "CNAME" and not before and not _is_address(target) else []
        if type == "SRV":
            return self._srv(service, before)
        if type not in _FAMILIES or len(before) > 1:
            return []
        if before:
            return [address for host, address in self._endpoints(service, _FAMILIES[type]) if host == before[0]]
        if _is_headless(service):
            return list(dict.fromkeys(address for _, address in self._endpoints(service, _FAMILIES[type])))
        return [each for each in cluster_addresses(service) if (":" in each) is (type == "AAAA")]

    def _endpoints(self, service: Object, family: str) -> list[tuple[str, str]]:
        """(host name, address) of the ready ones."""
        found = []
        for each in self._slices(service):
            if each.get("addressType") == family:
                found += [(host_name(endpoint, address), address) for endpoint, address in _ready(each)]
        return found

    def _slices(self, service: Object) -> Collection[Object]:
        return self._sources.slices_of(objects.namespace(service), objects.name(service))

    def _srv(self, service: Object, before: list[str]) -> list[str]:
        """_port._protocol; of all ports without."""
        if before and (len(before) != 2 or not all(each.startswith("_") for each in before)):
            return []
        wanted, protocol = (before[0][1:], before[1][1:].upper()) if before else ("", "")
        domain = f"{objects.name(service)}.{objects.namespace(service)}.svc.{CLUSTER_DOMAIN}."

        def fits(port: Object) -> bool:
            return not before or (str(port.get("name") or "").lower() == wanted and (port.get("protocol") or "TCP") == protocol)

        if not _is_headless(service):
            ports = [int(port["port"]) for port in objects.spec(service).get("ports") or () if fits(port)]
            return [f"0 {_weight(len(ports))} {port} {domain}" for port in ports]
        found = [
            (int(port["port"]), f"{host_name(endpoint, address)}.{domain}")
            for each in self._slices(service)
            for port in each.get("ports") or ()
            if port.get("port") and fits(port)
            for endpoint, address in _ready(each)
        ]
        return [f"0 {_weight(len(found))} {port} {host}" for port, host in dict.fromkeys(found)]

    # ---- from an address to its name

    def _reverse(self, name: str) -> list[str]:
        address = _reversed(name)
        if not address:
            return []
        for service in self._sources.services_at(address):
            if address in map(normal, cluster_addresses(service)):
                return [f"{objects.name(service)}.{objects.namespace(service)}.svc.{CLUSTER_DOMAIN}."]
        found = []
        for each in self._sources.slices_at(address):
            owner = objects.labels(each).get(SERVICE_NAME)
            for endpoint, own in _ready(each):
                if owner and normal(own) == address:
                    found.append(f"{host_name(endpoint, own)}.{owner}.{objects.namespace(each)}.svc.{CLUSTER_DOMAIN}.")
        return list(dict.fromkeys(found))


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _is_headless(service: Object) -> bool:
    return objects.spec(service).get("clusterIP") == "None"


def _weight(count: int) -> int:
    return 100 // max(count, 1) or 1


def _ready(endpoint_slice: Object) -> Iterator[tuple[Object, str]]:
    for endpoint in endpoint_slice.get("endpoints") or ():
        if (endpoint.get("conditions") or {}).get("ready") is not False:
            for address in endpoint.get("addresses") or ():
                yield endpoint, str(address)


def host_name(endpoint: Object, address: str) -> str:
    return str(endpoint.get("hostname") or address.replace(".", "-").replace(":", "-"))


def _by_address(label: str, type: str) -> list[str]:
    """10-244-0-7.default.pod.cluster.local: CoreDNS believes every address (`pods insecure`)."""
    text = label.replace("-", ":" if type == "AAAA" else ".")
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return []
    return [str(address)] if address.version == (6 if type == "AAAA" else 4) else []


def _reversed(name: str) -> str:
    """7.0.244.10.in-addr.arpa > 10.244.0.7; '' for what is none."""
    labels = name.removesuffix(".in-addr.arpa").removesuffix(".ip6.arpa").split(".")[::-1]
    text = ".".join(labels)
    if name.endswith(".ip6.arpa"):
        digits = "".join(labels)
        text = ":".join(digits[at : at + 4] for at in range(0, len(digits), 4))
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return ""
