"""What a new cluster contains: manifests/bootstrap/*.yaml, created at the first start and again where something is missing.

The objects go through the registry like anybody's (defaults, admission), all at once, so the store commits them together.
"""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from typing import NamedTuple

import orjson

from kctl.apimachinery import yaml
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import NAMESPACES, ResourceType, built_in
from kctl.apimachinery.schema import schemas
from kctl.apimachinery.status import AlreadyExists, Invalid
from kctl.apimachinery.user import APISERVER
from kctl.kube_apiserver.caller import Caller
from kctl.kube_apiserver.config import ApiServerConfig
from kctl.kube_apiserver.registry.registry import Registry


class _Wanted(NamedTuple):
    resource: ResourceType
    namespace: str
    name: str
    json: bytes
    """The decoded object: every server reads it anew, for what it stores is its own."""


async def apply(registry: Registry, config: ApiServerConfig) -> None:
    """Namespaces first, since everything else may live in them."""
    wanted = [*_manifests(), *_kubernetes(config.service_cluster_ip_range, config.advertise_address, config.secure_port)]
    missing = [item for item in wanted if registry.get_cached(item.resource, item.namespace, item.name) is None]
    for stage in (
        [item for item in missing if item.resource == NAMESPACES],
        [item for item in missing if item.resource != NAMESPACES],
    ):
        await asyncio.gather(*(_create(registry, item) for item in stage))


@cache
def _manifests() -> Sequence[_Wanted]:
    """Read and decoded once, however many API servers this process starts."""
    folder = files("manifests") / "bootstrap"
    if not folder.is_dir():
        return ()
    texts = [entry.read_text() for entry in sorted(folder.iterdir(), key=lambda item: item.name) if entry.name.endswith(".yaml")]
    return tuple(_decoded(obj) for text in texts for obj in yaml.load_all(text) if obj)


def _decoded(obj: Object) -> _Wanted:
    resource, meta = built_in(obj["apiVersion"], obj["kind"]), obj["metadata"]
    decoded = schemas.load().for_resource(resource).decode(obj).object
    return _Wanted(resource, meta.get("namespace", ""), meta["name"], orjson.dumps(decoded))


async def _create(registry: Registry, wanted: _Wanted) -> None:
    caller = Caller(APISERVER, "kube-apiserver", validates=False)
    try:
        await registry.endpoint(wanted.resource).create(wanted.namespace, orjson.loads(wanted.json), caller)
    except AlreadyExists:
        return
    except Invalid:
        if registry.get_cached(wanted.resource, wanted.namespace, wanted.name) is None:
            raise
        # another server on the same store has just made it, and has its address


@cache
def _kubernetes(cluster_ip_range: str, host: str, secure_port: int) -> Sequence[_Wanted]:
    """The API server's own Service and its endpoints; the first address of the range is always its."""
    network = ipaddress.ip_network(cluster_ip_range)
    address = str(network.network_address + 1)
    family = "IPv4" if network.version == 4 else "IPv6"
    meta = {"name": "kubernetes", "namespace": "default"}
    labels = {"component": "apiserver", "provider": "kubernetes"}
    port = {"name": "https", "port": 443, "protocol": "TCP", "targetPort": secure_port}
    made: list[Object] = [
        {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "ServiceCIDR",
            "metadata": {"name": "kubernetes"},
            "spec": {"cidrs": [str(network)]},
        },
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {**meta, "labels": labels},
            "spec": {
                "type": "ClusterIP",
                "clusterIP": address,
                "clusterIPs": [address],
                "ports": [port],
                "sessionAffinity": "None",
                "ipFamilies": [family],
                "ipFamilyPolicy": "SingleStack",
                "internalTrafficPolicy": "Cluster",
            },
        },
        {
            "apiVersion": "v1",
            "kind": "Endpoints",
            "metadata": {**meta, "labels": {"endpointslice.kubernetes.io/skip-mirror": "true"}},
            "subsets": [
                {
                    "addresses": [{"ip": host}],
                    "ports": [{"name": "https", "port": secure_port, "protocol": "TCP"}],
                }
            ],
        },
        {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": {**meta, "labels": {"kubernetes.io/service-name": "kubernetes"}},
            "addressType": family,
            "endpoints": [{"addresses": [host], "conditions": {"ready": True}}],
            "ports": [{"name": "https", "port": secure_port, "protocol": "TCP"}],
        },
    ]
    return tuple(_decoded(obj) for obj in made)
