"""What a cluster shows of its cluster DNS once that answers: the Service kube-dns, as kubeadm makes it, and where it leads.

It runs in this process and not in pods, so the Service selects none; ports that nothing listens at (9153) are not shown.
"""

from __future__ import annotations

import contextlib

from controllers.kubelet.files.etc import CLUSTER_DNS
from kctl.apimachinery import objects
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import ENDPOINT_SLICES, SERVICES
from kctl.apimachinery.status import ApiError, Invalid
from kctl.apimachinery.user import ADMIN
from kctl.kube_apiserver.caller import Caller
from kctl.kube_apiserver.registry.registry import Registry

_NAMESPACE, _NAME = "kube-system", "kube-dns"
_LABELS = {"k8s-app": _NAME, "kubernetes.io/cluster-service": "true", "kubernetes.io/name": "CoreDNS"}
_CALLER = Caller(ADMIN, "kubeadm", validates=False)
_PORTS = {"dns": "UDP", "dns-tcp": "TCP"}


def _service() -> Object:
    ports = [{"name": name, "port": 53, "protocol": protocol, "targetPort": 53} for name, protocol in _PORTS.items()]
    spec = {"clusterIP": CLUSTER_DNS, "clusterIPs": [CLUSTER_DNS], "type": "ClusterIP", "ports": ports}
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": _NAME, "namespace": _NAMESPACE, "labels": _LABELS},
        "spec": spec,
    }


def _slice(address: str) -> Object:
    labels = {"kubernetes.io/service-name": _NAME, "endpointslice.kubernetes.io/managed-by": "kctl", **_LABELS}
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {"name": _NAME, "namespace": _NAMESPACE, "labels": labels},
        "addressType": "IPv4",
        "endpoints": [{"addresses": [address], "conditions": {"ready": True, "serving": True, "terminating": False}}],
        "ports": [{"name": name, "port": 53, "protocol": protocol} for name, protocol in _PORTS.items()],
    }


async def announce(registry: Registry, address: str) -> None:
    """A Service of that name which somebody has made already, for a server of his own, stays as it is."""
    with contextlib.suppress(ApiError):  # a cluster without kube-system, say
        service = registry.get_cached(SERVICES, _NAMESPACE, _NAME) or await _make_service(registry)
        if not objects.spec(service).get("selector"):
            await _make_slice(registry, _slice(address))


async def _make_service(registry: Registry) -> Object:
    endpoint, made = registry.endpoint(SERVICES), _service()
    try:
        await endpoint.create(_NAMESPACE, endpoint.schema().decode(made).object, _CALLER)
    except Invalid:  # another Service has that address
        made["spec"] = {name: value for name, value in made["spec"].items() if name not in ("clusterIP", "clusterIPs")}
        await endpoint.create(_NAMESPACE, endpoint.schema().decode(made).object, _CALLER)
    return made


async def _make_slice(registry: Registry, made: Object) -> None:
    endpoint = registry.endpoint(ENDPOINT_SLICES)
    present = registry.get_cached(ENDPOINT_SLICES, _NAMESPACE, _NAME)
    if present is None:
        await endpoint.create(_NAMESPACE, endpoint.schema().decode(made).object, _CALLER)
    elif present.get("endpoints") != made["endpoints"]:  # a copy of another cluster
        await endpoint.update(_NAMESPACE, _NAME, lambda old: {**old, "endpoints": made["endpoints"]}, _CALLER)
