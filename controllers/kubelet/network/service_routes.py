"""What kube-proxy's rules do with a connection: from the address and port of a Service to one of its endpoints.

Nothing is built ahead: a connection looks its Service and its EndpointSlices up in caches that have indexes by address and by Service.
"""

from __future__ import annotations

import errno
import ipaddress
import operator
import os
import random
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from controllers.kubelet.commands.network import Host, normal
from kctl.apimachinery import objects
from kctl.apimachinery.clock import Clock
from kctl.apimachinery.objects import Object

SERVICE_NAME = "kubernetes.io/service-name"
_NOT_OURS = {"service.kubernetes.io/service-proxy-name", "service.kubernetes.io/headless"}
_AFFINITY_SECONDS = 10800.0
_MOST_AFFINITIES = 100_000
_MOST_TABLES = 10_000
_ZONE = "topology.kubernetes.io/zone"


class ServiceSources(Protocol):
    """Objects by the indexes that are made here."""

    def services_at(self, value: str) -> Collection[Object]:
        """By what `service_addresses` yields."""
        ...

    def slices_of(self, namespace: str, service: str) -> Collection[Object]: ...

    def node_at(self, address: str) -> str: ...

    def node_labels(self, node: str) -> Mapping[str, str]: ...


def service_addresses(service: Object) -> Iterator[str]:
    """Under what a Service is found: its addresses, and protocol/port of its node ports. What is labelled as another proxy's is none of
    kube-proxy's."""
    spec = objects.spec(service)
    if spec.get("type") == "ExternalName" or objects.labels(service).keys() & _NOT_OURS:
        return
    for address in (*cluster_addresses(service), *external_addresses(service)):
        yield normal(address)
    for port in spec.get("ports") or ():
        if port.get("nodePort"):
            yield f"{port.get('protocol') or 'TCP'}/{port['nodePort']}"


def slice_owner(endpoint_slice: Object) -> Iterator[str]:
    name = objects.labels(endpoint_slice).get(SERVICE_NAME)
    if name:
        yield f"{objects.namespace(endpoint_slice)}/{name}"


def cluster_addresses(service: Object) -> list[str]:
    """Its ClusterIPs; none of a headless one."""
    spec = objects.spec(service)
    found = spec.get("clusterIPs") or ([spec["clusterIP"]] if spec.get("clusterIP") else [])
    return [str(each) for each in found if each != "None"]


def _balancer_addresses(service: Object) -> list[str]:
    ingress = (objects.status(service).get("loadBalancer") or {}).get("ingress") or ()
    return [str(each["ip"]) for each in ingress if each.get("ip") and each.get("ipMode", "VIP") == "VIP"]


def external_addresses(service: Object) -> list[str]:
    """externalIPs and those of its load balancer."""
    return [*map(str, objects.spec(service).get("externalIPs") or ()), *_balancer_addresses(service)]


@dataclass(frozen=True, slots=True)
class Endpoint:
    address: str
    port: int
    node: str
    ready: bool
    serving: bool
    terminating: bool
    zones: tuple[str, ...] = ()
    nodes: tuple[str, ...] = ()
    """Of the slice's hints."""
    hostname: str = ""


def endpoints_of(slices: Iterable[Object], port_name: str, protocol: str, *, ipv6: bool) -> list[Endpoint]:
    """Of all slices, for one port of the Service; each address once. Of an endpoint's addresses the first counts, as for kube-proxy."""
    found: dict[tuple[str, int], Endpoint] = {}
    for each in slices:
        if each.get("addressType") != ("IPv6" if ipv6 else "IPv4"):
            continue
        for port in each.get("ports") or ():
            if (port.get("name") or "") != port_name or (port.get("protocol") or "TCP") != protocol or not port.get("port"):
                continue
            for endpoint in each.get("endpoints") or ():
                if endpoint.get("addresses"):
                    made = _endpoint(endpoint, int(port["port"]))
                    found.setdefault((made.address, made.port), made)
    return list(found.values())


def _endpoint(endpoint: Object, port: int) -> Endpoint:
    conditions, hints = endpoint.get("conditions") or {}, endpoint.get("hints") or {}
    return Endpoint(
        normal(str(endpoint["addresses"][0])),
        port,
        str(endpoint.get("nodeName") or ""),
        conditions.get("ready") is not False,
        conditions.get("serving") is not False,
        conditions.get("terminating") is True,
        tuple(str(each.get("name")) for each in hints.get("forZones") or ()),
        tuple(str(each.get("name")) for each in hints.get("forNodes") or ()),
        str(endpoint.get("hostname") or ""),
    )


def _refused() -> OSError:
    return OSError(errno.ECONNREFUSED, os.strerror(errno.ECONNREFUSED))


def _dropped() -> OSError:
    return OSError(errno.ETIMEDOUT, os.strerror(errno.ETIMEDOUT))


class ServiceRoutes:
    """`randomness` chooses among the endpoints."""

    def __init__(self, clock: Clock, sources: ServiceSources, randomness: random.Random) -> None:
        self._clock = clock
        self._sources = sources
        self._randomness = randomness
        self._affinities: dict[tuple[str, str, str], tuple[Endpoint, float]] = {}
        self._tables: dict[tuple[str, str, str, bool], tuple[tuple[Object, ...], list[Endpoint]]] = {}
        """What the slices of a Service's port were, and what they came to."""

    def service(self, address: str, port: int, protocol: str, source: Host | None) -> tuple[str, int] | None:
        """(address, port) of the endpoint; None where the address is no Service's. Raises OSError ECONNREFUSED, ETIMEDOUT."""
        found = list(self._sources.services_at(address))
        for service in found:
            wanted = self._port(service, port, protocol)
            if wanted is not None:
                chosen = self._choose(service, wanted, address, protocol, source, node="")
                return chosen.address, chosen.port
        if any(address in map(normal, cluster_addresses(service)) for service in found):
            raise _refused()  # as the nftables mode rejects other ports of a ClusterIP
        node = self._sources.node_at(address)
        if not node:
            return None
        for service in self._sources.services_at(f"{protocol}/{port}"):
            for each in objects.spec(service).get("ports") or ():
                if each.get("nodePort") == port and (each.get("protocol") or "TCP") == protocol:
                    chosen = self._choose(service, each, address, protocol, source, node=node)
                    return chosen.address, chosen.port
        return None

    def leads_to(self, address: str, port: int, protocol: str, endpoint: tuple[str, int]) -> bool:
        """Whether that endpoint, (address, port), is one that `service` may still choose."""
        for service in self._sources.services_at(address):
            wanted = self._port(service, port, protocol)
            if wanted is not None:
                every = self._endpoints(service, wanted, protocol, ipv6=":" in address)
                return any((each.address, each.port) == endpoint for each in _usable(every))
        return False

    @staticmethod
    def _port(service: Object, port: int, protocol: str) -> Object | None:
        for each in objects.spec(service).get("ports") or ():
            if each.get("port") == port and (each.get("protocol") or "TCP") == protocol:
                return dict(each)
        return None

    def _choose(self, service: Object, port: Object, address: str, protocol: str, source: Host | None, node: str) -> Endpoint:
        spec = objects.spec(service)
        every = self._endpoints(service, port, protocol, ipv6=":" in address)
        external = bool(node) or address not in map(normal, cluster_addresses(service))
        if address in map(normal, _balancer_addresses(service)):
            self._check_ranges(spec, source)
        of_source = source.node if source is not None else ""
        if external:
            local_only, place = spec.get("externalTrafficPolicy") == "Local" and not _from_inside(source, node), node or of_source
        else:
            local_only, place = spec.get("internalTrafficPolicy") == "Local", of_source
        candidates = [each for each in every if each.node == place] if local_only else every
        usable = _usable(candidates)
        if not usable:
            raise _dropped() if _usable(every) else _refused()
        if not local_only:
            usable = self._near(usable, of_source)
        return self._sticky(service, port, node and address, usable, source)

    def _endpoints(self, service: Object, port: Object, protocol: str, *, ipv6: bool) -> list[Endpoint]:
        """Worked out once for the same slices: objects are values."""
        slices = tuple(self._sources.slices_of(objects.namespace(service), objects.name(service)))
        key = objects.uid(service), str(port.get("name") or ""), protocol, ipv6
        before = self._tables.get(key)
        if before is not None and len(before[0]) == len(slices) and all(map(operator.is_, before[0], slices)):
            return before[1]
        if len(self._tables) >= _MOST_TABLES:
            self._tables.clear()
        made = endpoints_of(slices, key[1], protocol, ipv6=ipv6)
        self._tables[key] = slices, made
        return made

    @staticmethod
    def _check_ranges(spec: Object, source: Host | None) -> None:
        """loadBalancerSourceRanges: packets from elsewhere are dropped."""
        ranges = spec.get("loadBalancerSourceRanges")
        if not ranges or source is None:
            return
        networks = [ipaddress.ip_network(str(each).strip(), strict=False) for each in ranges]
        if not any(ipaddress.ip_address(own) in network for own in source.addresses for network in networks):
            raise _dropped()

    def _near(self, usable: list[Endpoint], node: str) -> list[Endpoint]:
        """By the hints of the slices, where every endpoint has one and some are for this node, or else for its zone."""
        if node and all(each.nodes for each in usable):
            here = [each for each in usable if node in each.nodes]
            if here:
                return here
        if not node or not all(each.zones for each in usable):
            return usable
        zone = self._sources.node_labels(node).get(_ZONE)
        return [each for each in usable if zone in each.zones] or usable

    def _sticky(self, service: Object, port: Object, at: str, usable: Sequence[Endpoint], source: Host | None) -> Endpoint:
        """One of them; with the affinity ClientIP the one that the client had last."""
        spec = objects.spec(service)
        if spec.get("sessionAffinity") != "ClientIP":
            return self._randomness.choice(usable)
        settings = (spec.get("sessionAffinityConfig") or {}).get("clientIP") or {}
        seconds = float(settings.get("timeoutSeconds") or _AFFINITY_SECONDS)
        client = source.addresses[0] if source is not None and source.addresses else ""
        key = f"{objects.uid(service)}/{port.get('protocol') or 'TCP'}/{port.get('port')}", at, client
        now = self._clock.monotonic()
        before = self._affinities.pop(key, None)
        places = {(each.address, each.port): each for each in usable}
        chosen = None
        if before is not None and now - before[1] < seconds:
            chosen = places.get((before[0].address, before[0].port))
        if chosen is None:
            chosen = self._randomness.choice(usable)
        self._affinities[key] = chosen, now
        if len(self._affinities) > _MOST_AFFINITIES:
            self._affinities.pop(next(iter(self._affinities)))
        return chosen


def _usable(endpoints: Sequence[Endpoint]) -> list[Endpoint]:
    """Ready ones; where there are none, those that end but still serve."""
    ready = [each for each in endpoints if each.ready]
    return ready or [each for each in endpoints if each.serving and each.terminating]


def _from_inside(source: Host | None, node: str) -> bool:
    """What comes from pods, or from the addressed node itself, is not held to be external traffic."""
    return source is not None and (not source.on_node or source.node == node or not node)
