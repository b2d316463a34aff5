"""The official conformance tests of sig-network that are about the API alone, step by step."""

from __future__ import annotations

import pytest

from kctl.apimachinery import objects
from kctl.apimachinery.objects import Object
from tests.conformance.operations import condition, operations
from tests.conformance.suite import Suite, suite

pytestmark = pytest.mark.virtual_time
NETWORKING = "networking.k8s.io/v1"


def ingress(host: str = "foo.bar.com") -> Object:
    backend = {"service": {"name": "default-backend", "port": {"name": "", "number": 8080}}}
    test = {"service": {"name": "test-backend", "port": {"number": 8080}}}
    path = {"path": "/", "pathType": "ImplementationSpecific", "backend": test}
    return {"spec": {"defaultBackend": backend, "rules": [{"host": host, "http": {"paths": [path]}}]}}


async def test_ingress() -> None:
    """[sig-network] Ingress API should support creating Ingress API operations [Conformance]"""

    async def status(e2e: Suite, path: str) -> None:
        change = {"metadata": {"annotations": {"patchedstatus": "true"}}, "status": {"loadBalancer": {"ingress": [{"ip": "169.1.1.1"}]}}}
        patched = await e2e.patch(f"{path}/status", change)
        assert patched["status"] == change["status"] and objects.annotations(patched)["patchedstatus"] == "true"
        wanted = {"loadBalancer": {"ingress": [{"ip": "169.1.1.2"}]}}
        updated = await e2e.update_until(f"{path}/status", lambda made: {**made, "status": wanted})
        assert updated["status"] == wanted
        assert objects.uid(await e2e.get(f"{path}/status")) == objects.uid(updated)

    def change(made: Object) -> Object:
        return {**made, "spec": ingress("updated.bar.com")["spec"]}

    async with suite() as e2e:
        await operations(e2e, NETWORKING, "Ingress", ingress(), change=change, status=status)


async def test_ingress_class() -> None:
    """[sig-network] IngressClass API should support creating IngressClass API operations [Conformance]"""
    async with suite() as e2e:
        await operations(e2e, NETWORKING, "IngressClass", {"spec": {"controller": "example.com/controller"}})


async def test_endpoint_slice() -> None:
    """[sig-network] EndpointSlice should support creating EndpointSlice API operations [Conformance]"""
    body = {"addressType": "IPv4", "endpoints": [{"addresses": ["1.2.3.4", "5.6.7.8"]}], "ports": []}
    async with suite() as e2e:
        await operations(e2e, "discovery.k8s.io/v1", "EndpointSlice", body)


async def test_addresses() -> None:
    """[sig-network] ServiceCIDR and IPAddress API should support IPAddress API operations [Conformance]"""
    parent = {"spec": {"parentRef": {"group": "foo", "resource": "bar", "name": "example", "namespace": "test"}}}
    named = [{"metadata": {"name": f"192.168.1.{number}"}, **parent} for number in (100, 101, 200)]
    async with suite() as e2e:
        await operations(e2e, NETWORKING, "IPAddress", *named)


async def test_ranges() -> None:
    """[sig-network] ServiceCIDR and IPAddress API should support ServiceCIDR API operations [Conformance]"""

    async def status(e2e: Suite, path: str) -> None:
        wanted = condition("StatusPatched", lastTransitionTime="2026-01-01T00:00:00Z")
        change = {"metadata": {"annotations": {"patchedstatus": "true"}}, "status": {"conditions": [wanted]}}
        patched = await e2e.patch(f"{path}/status", change)
        assert [each["type"] for each in patched["status"]["conditions"]] == ["StatusPatched"]
        second = {**wanted, "type": "StatusUpdated"}
        updated = await e2e.update_until(f"{path}/status", lambda made: objects.with_status(made, conditions=[second]))
        assert "StatusUpdated" in [each["type"] for each in updated["status"]["conditions"]]
        assert objects.uid(await e2e.get(f"{path}/status")) == objects.uid(updated)

    named = [{"metadata": {"name": f"cidr-{number}"}, "spec": {"cidrs": [f"10.1.{number}.0/24"]}} for number in (1, 2, 3)]
    async with suite() as e2e:
        await operations(e2e, NETWORKING, "ServiceCIDR", *named, status=status)
