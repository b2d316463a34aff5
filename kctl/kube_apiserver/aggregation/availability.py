"""Whether an extension API server can be asked: the condition Available of its APIService (upstream's remote availability controller)."""

from __future__ import annotations

from typing import NamedTuple

from kctl.apimachinery import objects
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import SERVICES
from kctl.kube_apiserver import service_addresses
from kctl.kube_apiserver.aggregation.remote import CHECKER, Unanswered, Way
from kctl.kube_apiserver.registry.registry import Registry


class Found(NamedTuple):
    is_available: bool
    reason: str
    message: str


PASSED = Found(True, "Passed", "all checks passed")


async def check(registry: Registry, way: Way) -> Found:
    remote = way.remote
    where = f'service/{remote.service} in "{remote.namespace}"'
    service = registry.get_cached(SERVICES, remote.namespace, remote.service)
    if service is None:
        return Found(False, "ServiceNotFound", f"{where} is not present")
    if objects.spec(service).get("type", "ClusterIP") == "ClusterIP" and (wrong := _endpoints(registry, way, service, where)) is not None:
        return wrong
    try:
        url = way.url(remote.path)
    except service_addresses.CannotResolve as error:
        return Found(False, "FailedDiscoveryCheck", str(error))
    try:
        answer = await way.get(remote.path, "", CHECKER, verified=False)
    except Unanswered as error:
        return Found(False, "FailedDiscoveryCheck", f"failing or missing response from {url}: {error}")
    if not 200 <= answer.status < 300:
        return Found(False, "FailedDiscoveryCheck", f"failing or missing response from {url}: bad status from {url}: {answer.status}")
    return PASSED


def _endpoints(registry: Registry, way: Way, service: Object, where: str) -> Found | None:
    """What is wrong with where the Service leads."""
    remote = way.remote
    port = service_addresses.port_of(service, remote.port)
    if port is None:
        return Found(False, "ServicePortError", f"{where} is not listening on port {remote.port}")
    name = port.get("name") or ""
    slices = service_addresses.slices_of(registry, remote.service, remote.namespace)
    if not slices:
        return Found(False, "EndpointsNotFound", f"cannot find endpointslices for {where}")
    for part in slices:
        has_port = any((entry.get("name") or "") == name and entry.get("port") for entry in part.get("ports") or ())
        if has_port and any(service_addresses.is_ready(endpoint) for endpoint in part.get("endpoints") or ()):
            return None
    return Found(False, "MissingEndpoints", f'endpointslices for {where} have no addresses with port name "{name}"')
