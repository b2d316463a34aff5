"""ServiceCIDRs and IPAddresses: Services show which addresses they hold, ranges are added, and go when nobody needs them."""

from __future__ import annotations

from typing import Any

import pytest

from controllers.kube_controller_manager.service_cidr import IP_ADDRESSES, SERVICE_CIDRS
from kctl.apimachinery import objects
from kctl.apimachinery.resources import SERVICES
from kctl.apimachinery.status import Invalid
from tests.integration.whole_cluster import Cluster, whole_cluster

PORTS = [{"port": 80}]


async def service(cluster: Cluster, name: str, **spec: Any) -> str:
    made = await cluster.create(SERVICES, name, spec={"ports": PORTS, **spec})
    return str(objects.spec(made)["clusterIP"])


async def ready(cluster: Cluster, name: str) -> tuple[str, str]:
    condition = objects.condition(await cluster.get(SERVICE_CIDRS, name), "Ready") or {}
    return condition.get("status", ""), condition.get("reason", "")


async def test_services_have_addresses_and_ranges_are_added_and_removed() -> None:
    async with whole_cluster(nodes=0) as cluster:
        assert await ready(cluster, "kubernetes") == ("True", "")
        assert objects.finalizers(await cluster.get(SERVICE_CIDRS, "kubernetes")) == ["networking.k8s.io/service-cidr-finalizer"]
        own = await cluster.get(IP_ADDRESSES, "10.96.0.1")
        assert objects.spec(own)["parentRef"] == {"resource": "services", "namespace": "default", "name": "kubernetes"}
        assert own["metadata"]["labels"] == {
            "ipaddress.kubernetes.io/ip-family": "IPv4",
            "ipaddress.kubernetes.io/managed-by": "ipallocator.k8s.io",
        }
        with pytest.raises(Invalid, match="not in the valid range"):
            await service(cluster, "far", clusterIP="10.200.0.5")
        await cluster.create(SERVICE_CIDRS, "more", spec={"cidrs": ["10.200.0.0/24"]})
        await cluster.settle(1)
        assert await ready(cluster, "more") == ("True", "")
        assert await service(cluster, "far", clusterIP="10.200.0.5") == "10.200.0.5"
        await cluster.settle(1)
        await cluster.delete(SERVICE_CIDRS, "more")
        await cluster.settle(30)
        assert await ready(cluster, "more") == ("False", "Terminating")
        with pytest.raises(Invalid, match="not in the valid range"):
            await service(cluster, "late", clusterIP="10.200.0.6")
        await cluster.delete(SERVICES, "far")
        await cluster.settle(1)
        assert not await cluster.exists(IP_ADDRESSES, "10.200.0.5") and not await cluster.exists(SERVICE_CIDRS, "more")


async def test_an_address_that_somebody_keeps_is_given_to_no_service() -> None:
    async with whole_cluster(nodes=0) as cluster:
        parent = {"group": "example.com", "resource": "gateways", "namespace": "default", "name": "g"}
        await cluster.create(IP_ADDRESSES, "10.96.0.77", spec={"parentRef": parent})
        with pytest.raises(Invalid, match="provided IP is already allocated"):
            await service(cluster, "taken", clusterIP="10.96.0.77")
        await cluster.delete(IP_ADDRESSES, "10.96.0.77")
        assert await service(cluster, "taken", clusterIP="10.96.0.77") == "10.96.0.77"
        await cluster.settle(1)
        await cluster.merge(
            SERVICES, "taken", {"spec": {"type": "ExternalName", "externalName": "example.com", "clusterIP": None, "clusterIPs": None}}
        )
        await cluster.settle(1)
        assert not await cluster.exists(IP_ADDRESSES, "10.96.0.77")
