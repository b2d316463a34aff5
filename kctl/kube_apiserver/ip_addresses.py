"""IPAddresses of Services, and the ranges that ServiceCIDRs add (upstream's ipallocator with ServiceCIDRs).

Which address is free is decided in memory (allocators.py), by what Services hold, by the ready ServiceCIDRs, and by IPAddresses that
somebody else has made. The IPAddress of a Service comes a moment after the Service, and goes a moment after it.
"""

from __future__ import annotations

import contextlib
import ipaddress
from collections.abc import Iterable, Sequence

from kctl.apimachinery import objects
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import SERVICES, built_in
from kctl.apimachinery.status import AlreadyExists, ApiError
from kctl.apimachinery.user import APISERVER
from kctl.kube_apiserver.allocators import ClusterIPs, Network, held_addresses
from kctl.kube_apiserver.caller import CANONICAL, Caller
from kctl.kube_apiserver.registry.delete import DeleteOptions
from kctl.kube_apiserver.registry.registry import Registry

SERVICE_CIDRS = built_in("networking.k8s.io/v1", "ServiceCIDR")
IP_ADDRESSES = built_in("networking.k8s.io/v1", "IPAddress")
_MANAGED_BY, _MANAGER = "ipaddress.kubernetes.io/managed-by", "ipallocator.k8s.io"
_FAMILY = "ipaddress.kubernetes.io/ip-family"
_CALLER = Caller(APISERVER, "kube-apiserver", body=CANONICAL)


def networks(cidrs: Iterable[Object], version: int) -> list[Network]:
    """Of those that are ready: not being deleted, and not said to be otherwise."""
    found: list[Network] = []
    for cidr in cidrs:
        ready = objects.condition(cidr, "Ready")
        if objects.deletion_timestamp(cidr) or (ready is not None and ready.get("status") != "True"):
            continue
        found += [network for each in objects.spec(cidr).get("cidrs") or () if (network := _network(each)) and network.version == version]
    return found


def _network(text: str) -> Network | None:
    try:
        return ipaddress.ip_network(text)
    except ValueError:
        return None


async def keep(registry: Registry, cluster_ips: ClusterIPs) -> None:
    """Until it is cancelled, or the storage closes its caches."""
    cluster_ips.more = lambda: networks(registry.list_cached(SERVICE_CIDRS, ""), cluster_ips.network.version)
    cluster_ips.is_reserved = lambda address: _is_foreign(registry.get_cached(IP_ADDRESSES, "", address))
    services, addresses = registry.endpoint(SERVICES).cache, registry.endpoint(IP_ADDRESSES).cache
    watcher = services.subscribe(None, "")
    try:
        held = {address: entry.object for entry in services.entries.values() for address in held_addresses(entry.object)}
        for service in held.values():
            await _add(registry, service)
        for name in [name for name, entry in addresses.entries.items() if not _is_foreign(entry.object) and name not in held]:
            await _remove(registry, [name])
        while (batch := await watcher.next()) is not None:
            for change in batch:
                service = change.entry.object
                present = registry.get_cached(SERVICES, objects.namespace(service), objects.name(service))
                seen = {address for state in (change.old, service) if state is not None for address in held_addresses(state)}
                gone = seen - set(held_addresses(present) if present is not None else ())
                if gone:
                    await _remove(registry, sorted(gone))
                if present is not None:
                    await _add(registry, present)
    finally:
        watcher.close()


def _is_foreign(address: Object | None) -> bool:
    """Somebody's own: it keeps the address from Services."""
    return address is not None and objects.labels(address).get(_MANAGED_BY) != _MANAGER


async def _add(registry: Registry, service: Object) -> None:
    for address in held_addresses(service):
        if registry.get_cached(IP_ADDRESSES, "", address) is not None:
            continue
        parent = {"group": "", "resource": "services", "namespace": objects.namespace(service), "name": objects.name(service)}
        family = "IPv6" if ":" in address else "IPv4"
        body: Object = {
            "apiVersion": IP_ADDRESSES.api_version,
            "kind": IP_ADDRESSES.kind,
            "metadata": {"name": address, "labels": {_FAMILY: family, _MANAGED_BY: _MANAGER}},
            "spec": {"parentRef": {name: value for name, value in parent.items() if value}},
        }
        with contextlib.suppress(AlreadyExists):
            await registry.endpoint(IP_ADDRESSES).create("", body, _CALLER)


async def _remove(registry: Registry, names: Sequence[str]) -> None:
    for name in names:
        if not _is_foreign(registry.get_cached(IP_ADDRESSES, "", name)):
            with contextlib.suppress(ApiError):
                await registry.endpoint(IP_ADDRESSES).delete("", name, DeleteOptions(), _CALLER)
