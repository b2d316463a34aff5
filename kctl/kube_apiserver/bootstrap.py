"""What a new cluster contains: manifests/bootstrap/*.yaml, created at the first start and again where something is missing.

The objects go through the registry like anybody's (defaults, validation), all at once, so the store commits them together.
"""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Sequence
from functools import cache
from importlib.resources import files

from kctl.apimachinery import yaml
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import built_in
from kctl.apimachinery.schema import schemas
from kctl.apimachinery.status import AlreadyExists
from kctl.apimachinery.user import APISERVER
from kctl.kube_apiserver.caller import CANONICAL, Caller
from kctl.kube_apiserver.config import ApiServerConfig
from kctl.kube_apiserver.registry.registry import Registry


async def apply(registry: Registry, config: ApiServerConfig) -> None:
    """Namespaces first, since everything else may live in them."""
    wanted = [*_manifests(), *_kubernetes(config.service_cluster_ip_range, config.advertise_address, config.secure_port)]
    for stage in (
        [obj for obj in wanted if obj["kind"] == "Namespace"],
        [obj for obj in wanted if obj["kind"] != "Namespace"],
    ):
        await asyncio.gather(*(_create(registry, obj) for obj in stage if not _exists(registry, obj)))


@cache
def _manifests() -> Sequence[Object]:
    """Read and decoded once, however many API servers this process starts: each copies what it changes."""
    folder = files("manifests") / "bootstrap"
    if not folder.is_dir():
        return ()
    texts = [entry.read_text() for entry in sorted(folder.iterdir(), key=lambda item: item.name) if entry.name.endswith(".yaml")]
    return tuple(_decoded(obj) for text in texts for obj in yaml.load_all(text) if obj)


def _decoded(obj: Object) -> Object:
    resource = built_in(obj["apiVersion"], obj["kind"])
    return schemas.load().for_resource(resource).decode(obj).object


def _exists(registry: Registry, obj: Object) -> bool:
    resource = registry.table.by_kind(obj["apiVersion"], obj["kind"])
    assert resource is not None
    meta = obj["metadata"]
    return registry.get_cached(resource, meta.get("namespace", ""), meta["name"]) is not None


async def _create(registry: Registry, obj: Object) -> None:
    resource = registry.table.by_kind(obj["apiVersion"], obj["kind"])
    assert resource is not None
    caller = Caller(APISERVER, "kube-apiserver", CANONICAL, validates=False)
    try:
        await registry.endpoint(resource).create(obj["metadata"].get("namespace", ""), obj, caller)
    except AlreadyExists:
        return


@cache
def _kubernetes(cluster_ip_range: str, host: str, secure_port: int) -> Sequence[Object]:
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
    return tuple(map(_decoded, made))
