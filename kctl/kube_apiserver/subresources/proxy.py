"""pods/proxy, services/proxy, nodes/proxy: any HTTP request to what listens in a pod, behind a service, or to a node's kubelet."""

from __future__ import annotations

import ipaddress
from collections.abc import AsyncIterator, Sequence
from functools import cache
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote

from kctl.apimachinery import objects
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import ENDPOINT_SLICES, PODS, SERVICES
from kctl.apimachinery.status import BadRequest, ServiceUnavailable, not_found
from kctl.client.kubelet import ProxiedRequest
from kctl.kube_apiserver.registry.core.service_validation import is_of_pods
from kctl.kube_apiserver.registry.registry import Registry
from kctl.kube_apiserver.request import ResourceRequest
from kctl.kube_apiserver.request_info import not_allowed
from kctl.kube_apiserver.response import PassedAnswer, Response
from kctl.kube_apiserver.streaming import tls
from kctl.kube_apiserver.streaming.dialing import DialedConnection, SocketDialer
from kctl.kube_apiserver.streaming.proxying import Target, joined, pass_on, redirect_to_root, wants_upgrade

if TYPE_CHECKING:
    import ssl

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_KINDS = {"pods": "PodProxyOptions", "services": "ServiceProxyOptions", "nodes": "NodeProxyOptions"}
_PORTS = {"http": 80, "https": 443}
_PARTS_BEFORE = {"pods": 7, "services": 7, "nodes": 5}
"""Of the path, up to `proxy`: /api/v1/namespaces/NS/pods/NAME/proxy."""
Place = tuple[str, str, int]
"""scheme ('' for http), address, port"""


async def handle(registry: Registry, request: ResourceRequest) -> Response:
    if request.method not in _METHODS:
        raise not_allowed()
    plural = request.resource.plural
    proxied = _path(request)
    options = {"kind": _KINDS[plural], "apiVersion": "v1", **({"path": proxied} if proxied else {})}
    await request.endpoint.admit_subresource(request.namespace, request.name, "proxy", options, request.caller(), "CONNECT")
    scheme, name, port = split(request.name, plural.removesuffix("s"))
    if plural == "nodes":
        node = request.endpoint.get("", name).object
        if port in ("", str(_kubelet_port(node))):
            return await _to_kubelet(registry, request, name, proxied)
        place = scheme, _node_address(node), _number(port)
    elif plural == "pods":
        place = _of_pod(request.endpoint.get(request.namespace, name).object, scheme, port)
    else:
        place = _of_service(registry, request.namespace, request.name, scheme, name, port)
    return await _pass_on(registry, request, place, proxied)


async def _pass_on(registry: Registry, request: ResourceRequest, place: Place, proxied: str) -> Response:
    asked = unquote(request.path)
    path = _location(request, proxied)
    if not wants_upgrade(request) and (redirect := redirect_to_root(request, path)) is not None:
        return redirect
    scheme, address, port = place
    dialer = registry.parts.kubelets.dialer or SocketDialer()

    async def dial() -> DialedConnection:
        return await dialer.dial(address, port)

    context = _unverified() if scheme == "https" else None
    target = Target(address, port, path, dial, context, prefix=asked.removesuffix(path))
    return await pass_on(request, target, registry.clock.machine)


def _location(request: ResourceRequest, proxied: str) -> str:
    """The path asked for of the other server; '' for its root without a slash."""
    path = joined("", proxied) + ("/" if proxied.endswith("/") and proxied != "/" else "") if proxied else ""
    if not path.endswith("/") and request.path.endswith("/") and not wants_upgrade(request):
        path += "/"
    return path


async def _to_kubelet(registry: Registry, request: ResourceRequest, node: str, proxied: str) -> Response:
    path, wire = _location(request, proxied), request.wire
    connector = registry.parts.kubelets.connector
    if connector is None:
        raise ServiceUnavailable(f"the kubelet of node {node} cannot be reached: no kubelets run with this server")
    if (redirect := redirect_to_root(request, path)) is not None:
        return redirect
    assert wire is not None
    target = quote(path if path.startswith("/") else f"/{path}") + (f"?{wire.raw_query}" if wire.raw_query else "")
    answer = await connector.proxy(node, ProxiedRequest(request.method, target, wire.headers))
    headers = list(answer.headers.items())
    if isinstance(answer.body, bytes):
        return PassedAnswer(answer.status, [*headers, ("Content-Length", str(len(answer.body)))], _once(answer.body))
    return PassedAnswer(answer.status, headers, answer.body)


async def _once(body: bytes) -> AsyncIterator[bytes]:
    yield body


@cache
def _unverified() -> ssl.SSLContext:
    return tls.unverified()


def _path(request: ResourceRequest) -> str:
    """What stands behind `proxy`, not escaped; without that the parameter `path`."""
    parts = [unquote(part) for part in request.path.strip("/").split("/")]
    rest = "/".join(parts[_PARTS_BEFORE[request.resource.plural] :])
    return rest or request.query.get("path", "")


def split(name: str, what: str) -> tuple[str, str, str]:
    """NAME, NAME:PORT or SCHEME:NAME:PORT as scheme, name, port, '' for what is not there. Raises BadRequest."""
    parts = name.split(":")
    if len(parts) == 1:
        parts = ["", name, ""]
    elif len(parts) == 2:
        parts = ["", *parts]
    if len(parts) != 3 or not parts[1] or parts[0] not in ("", *_PORTS):
        raise BadRequest(f'invalid {what} request "{name}"')
    return parts[0], parts[1], parts[2]


def _number(port: str) -> int:
    """Raises ServiceUnavailable in the words of Go's dialer for what is no port."""
    if not (port.isascii() and port.isdigit()):
        raise ServiceUnavailable(f"error trying to reach service: dial tcp: lookup tcp/{port}: unknown port")
    if int(port[:6]) > 65535:
        raise ServiceUnavailable(f"error trying to reach service: dial tcp: address {port}: invalid port")
    return int(port)


# ---- pods


def _of_pod(pod: Object, scheme: str, port: str) -> Place:
    """Its first declared port where none is named."""
    if not port:
        ports = (entry for container in objects.spec(pod).get("containers") or () for entry in container.get("ports") or ())
        port = str(next((entry["containerPort"] for entry in ports), _PORTS[scheme or "http"]))
    addresses = pod_addresses(pod)
    if not addresses or not _is_global(addresses[0]):
        raise BadRequest("address not allowed")
    return scheme, addresses[0], _number(port)


def pod_addresses(pod: Object) -> Sequence[str]:
    status = objects.status(pod)
    listed = [str(entry.get("ip")) for entry in status.get("podIPs") or () if entry.get("ip")]
    return listed or ([str(status["podIP"])] if status.get("podIP") else [])


def _is_global(address: str) -> bool:
    """Go's IsGlobalUnicast; besides what pods that are processes have."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return False
    loopback = ip.is_loopback and not is_of_pods(address)
    return not (ip.is_unspecified or loopback or ip.is_multicast or ip.is_link_local or address == "255.255.255.255")


# ---- services


def _of_service(registry: Registry, namespace: str, asked: str, scheme: str, name: str, port: str) -> Place:
    """A ready endpoint by chance, one that is a pod's: what else an object names is not to be reached from here. `port`: a name or a
    number of the service's."""
    service = registry.get_cached(SERVICES, namespace, name)
    if service is None:
        raise not_found("", "services" if port.isdigit() else "endpoints", name)
    if port.isdigit():
        own = next((entry for entry in objects.spec(service).get("ports") or () if entry.get("port") == int(port[:6])), None)
        if own is None:
            raise ServiceUnavailable(f'no service port {port} found for service "{name}"')
        port = own.get("name") or ""
    found = _endpoints(registry, namespace, name, port)
    if found is None:
        raise ServiceUnavailable(f'no endpoints available for service "{name}"')
    candidates = found
    while candidates:
        address, number, pod = candidates.pop(registry.randomness.randrange(len(candidates)))
        present = registry.get_cached(PODS, namespace, pod)
        if present is not None and address in pod_addresses(present):
            return scheme, address, number
    raise ServiceUnavailable(f'no endpoints available for service "{asked}"')


def _endpoints(registry: Registry, namespace: str, service: str, port: str) -> list[tuple[str, int, str]] | None:
    """address, port, pod of what is ready and has that port; None where the service has nothing ready at all."""
    found: list[tuple[str, int, str]] = []
    any_ready = False
    for part in registry.list_cached(ENDPOINT_SLICES, namespace):
        if objects.labels(part).get("kubernetes.io/service-name") != service or part.get("addressType") == "FQDN":
            continue
        number = next((entry.get("port") for entry in part.get("ports") or () if (entry.get("name") or "") == port), None)
        for endpoint in part.get("endpoints") or ():
            if (endpoint.get("conditions") or {}).get("ready") is False:
                continue
            any_ready = True
            target = endpoint.get("targetRef") or {}
            if number and target.get("kind") == "Pod" and target.get("namespace", namespace) == namespace:
                found += [(str(address), int(number), str(target.get("name"))) for address in (endpoint.get("addresses") or ())[:1]]
    return found if any_ready else None


# ---- nodes


def _kubelet_port(node: Object) -> int:
    daemons = objects.status(node).get("daemonEndpoints") or {}
    return int((daemons.get("kubeletEndpoint") or {}).get("Port") or 10250)


def _node_address(node: Object) -> str:
    by_type = {entry.get("type"): str(entry.get("address")) for entry in objects.status(node).get("addresses") or ()}
    for kind in ("Hostname", "InternalDNS", "InternalIP", "ExternalDNS", "ExternalIP"):
        address = by_type.get(kind)
        if address and _is_global(address):
            return address
    raise BadRequest("address not allowed")
