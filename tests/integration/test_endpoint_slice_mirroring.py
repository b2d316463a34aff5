"""Endpoints written by hand for a Service without a selector appear as EndpointSlices."""

from __future__ import annotations

from typing import Any

from kctl.apimachinery import objects
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import ENDPOINT_SLICES, ENDPOINTS, SERVICES
from tests.integration.whole_cluster import Cluster, whole_cluster

SUBSET = {
    "addresses": [{"ip": "10.1.2.3", "hostname": "a", "nodeName": "node-1"}, {"ip": "fd00::1"}],
    "notReadyAddresses": [{"ip": "10.1.2.4"}],
    "ports": [{"name": "http", "port": 8080}],
}


async def mirrors(cluster: Cluster, name: str = "ext") -> list[Object]:
    found = (await cluster.client.list(ENDPOINT_SLICES, "default", label_selector=f"kubernetes.io/service-name={name}")).get("items") or ()
    return sorted(found, key=lambda piece: str(piece["addressType"]))


async def service(cluster: Cluster, name: str = "ext", **spec: Any) -> None:
    await cluster.create(SERVICES, name, spec={"ports": [{"port": 80}], **spec})


async def endpoints(cluster: Cluster, name: str = "ext", meta: Object | None = None, subsets: list[Object] | None = None) -> None:
    await cluster.create(ENDPOINTS, name, meta=meta, subsets=subsets if subsets is not None else [SUBSET])
    await cluster.settle(1)


async def test_one_slice_for_each_subset_and_family() -> None:
    async with whole_cluster() as cluster:
        await service(cluster)
        await endpoints(cluster, meta={"labels": {"team": "x"}, "annotations": {"note": "y"}})
        v4, v6 = await mirrors(cluster)
        assert (v4["addressType"], v6["addressType"]) == ("IPv4", "IPv6")
        assert v4["ports"] == [{"name": "http", "port": 8080, "protocol": "TCP"}]
        assert v4["endpoints"] == [
            {"addresses": ["10.1.2.3"], "conditions": {"ready": True}, "hostname": "a", "nodeName": "node-1"},
            {"addresses": ["10.1.2.4"], "conditions": {"ready": False}},
        ]
        assert objects.labels(v4) == {
            "team": "x",
            "kubernetes.io/service-name": "ext",
            "endpointslice.kubernetes.io/managed-by": "endpointslicemirroring-controller.k8s.io",
        }
        assert objects.annotations(v4) == {"note": "y"} and objects.owner_references(v4)[0]["kind"] == "Endpoints"


async def test_changes_are_followed_in_place_and_deletions_too() -> None:
    async with whole_cluster() as cluster:
        await service(cluster)
        await endpoints(cluster)
        before = [objects.name(piece) for piece in await mirrors(cluster)]
        await cluster.merge(ENDPOINTS, "ext", {"subsets": [{**SUBSET, "addresses": [{"ip": "10.9.9.9"}]}]})
        await cluster.settle(1)
        (left,) = await mirrors(cluster)
        assert objects.name(left) == before[0] and left["endpoints"][0]["addresses"] == ["10.9.9.9"]
        await cluster.client.delete(ENDPOINT_SLICES, objects.name(left), "default")
        await cluster.settle(1)
        assert len(await mirrors(cluster)) == 1
        await cluster.delete(SERVICES, "ext")
        await cluster.settle(2)
        assert await mirrors(cluster) == []


async def test_what_is_not_mirrored() -> None:
    async with whole_cluster() as cluster:
        await service(cluster)
        await endpoints(cluster)
        for name, meta in (
            ("skipped", {"labels": {"endpointslice.kubernetes.io/skip-mirror": "true"}}),
            ("leader", {"annotations": {"control-plane.alpha.kubernetes.io/leader": "{}"}}),
        ):
            await service(cluster, name)
            await endpoints(cluster, name, meta)
            assert await mirrors(cluster, name) == []
        await endpoints(cluster, "without-service")
        assert await mirrors(cluster, "without-service") == []
        await cluster.merge(SERVICES, "ext", {"spec": {"selector": {"app": "x"}}})
        await cluster.settle(1)
        assert all("mirroring" not in objects.labels(piece)["endpointslice.kubernetes.io/managed-by"] for piece in await mirrors(cluster))
