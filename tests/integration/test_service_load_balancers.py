"""Services of type LoadBalancer get this machine's address, one Service for each port."""

from __future__ import annotations

from typing import Any

from kctl.apimachinery import objects
from kctl.apimachinery.resources import SERVICES
from tests.integration.whole_cluster import Cluster, whole_cluster


async def balancer(cluster: Cluster, name: str, port: int = 80, **more: Any) -> None:
    await cluster.create(SERVICES, name, spec={"type": "LoadBalancer", "ports": [{"port": port}], "selector": {"app": name}, **more})
    await cluster.settle(1)


async def address(cluster: Cluster, name: str) -> list[Any]:
    balancer = objects.status(await cluster.get(SERVICES, name)).get("loadBalancer") or {}
    return list(balancer.get("ingress") or ())


async def test_it_gets_an_address_and_loses_it_with_its_type() -> None:
    async with whole_cluster() as cluster:
        await balancer(cluster, "web")
        assert await address(cluster, "web") == [{"ip": "127.0.0.1", "ipMode": "VIP"}]
        assert await cluster.events("web") == [
            ("Normal", "EnsuringLoadBalancer", "Ensuring load balancer"),
            ("Normal", "EnsuredLoadBalancer", "Ensured load balancer"),
        ]
        await cluster.merge(SERVICES, "web", {"spec": {"type": "ClusterIP"}})
        await cluster.settle(1)
        assert await address(cluster, "web") == []


async def test_a_port_is_one_service_s_and_then_the_next_one_s() -> None:
    async with whole_cluster() as cluster:
        await balancer(cluster, "first")
        await balancer(cluster, "second")
        await balancer(cluster, "other", 443)
        assert await address(cluster, "second") == [] and await address(cluster, "other")
        why = "Error syncing load balancer: failed to ensure load balancer: port 80/TCP is in use by Service default/first"
        assert await cluster.events("second") == [("Warning", "SyncLoadBalancerFailed", why)]
        await cluster.delete(SERVICES, "first")
        await cluster.settle(1)
        assert await address(cluster, "second")


async def test_somebody_else_s_class_is_left_alone() -> None:
    async with whole_cluster() as cluster:
        await balancer(cluster, "ours")
        await balancer(cluster, "theirs", 81, loadBalancerClass="example.com/lb")
        assert await address(cluster, "theirs") == []
