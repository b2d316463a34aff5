"""The official conformance tests of Services and their endpoints that send no traffic, step by step."""

from __future__ import annotations

import pytest

from kctl.apimachinery import objects
from kctl.apimachinery.objects import Object
from tests.conformance.operations import condition
from tests.conformance.suite import CORE, NAMESPACE, PODS, STRATEGIC, Suite, container, pod, selected, suite

pytestmark = pytest.mark.virtual_time
SERVICES, ENDPOINTS = f"{CORE}/services", f"{CORE}/endpoints"
SLICES = f"/apis/discovery.k8s.io/v1/namespaces/{NAMESPACE}/endpointslices"


def service(name: str, selector: Object | None = None, ports: list[Object] | None = None, labels: Object | None = None) -> Object:
    spec: Object = {"ports": ports or [{"name": "http", "port": 80, "targetPort": 80}]}
    return {"metadata": {"name": name, "labels": labels or {}}, "spec": {**spec, **({"selector": selector} if selector else {})}}


async def test_the_service_of_the_api_server() -> None:
    """[sig-network] API Server should provide secure master service [Conformance]"""
    async with suite() as e2e:
        found = await e2e.get("/api/v1/namespaces/default/services/kubernetes")
        assert found["spec"]["ports"] == [{"name": "https", "protocol": "TCP", "port": 443, "targetPort": 6443}]


async def test_all_namespaces() -> None:
    """[sig-network] Services should find a service from listing all namespaces [Conformance]"""
    async with suite() as e2e:
        listed = [objects.key(each) for each in await e2e.items("/api/v1/services")]
        assert "default/kubernetes" in listed


async def test_endpoints_of_the_api_server() -> None:
    """[sig-network] API Server should have Endpoints and EndpointSlices pointing to API Server [Conformance]"""
    async with suite() as e2e:
        (subset,) = (await e2e.get("/api/v1/namespaces/default/endpoints/kubernetes"))["subsets"]
        addresses = sorted(each["ip"] for each in subset["addresses"])
        slices = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices"
        (made,) = await e2e.items(slices, "kubernetes.io/service-name=kubernetes")
        assert objects.name(made) == "kubernetes" and addresses
        assert sorted(address for each in made["endpoints"] for address in each["addresses"]) == addresses
        assert [each["port"] for each in made["ports"]] == [each["port"] for each in subset["ports"]]


async def test_status() -> None:
    """[sig-network] Services should complete a service status lifecycle [Conformance]"""
    label = "test-service-static=true"
    async with suite() as e2e:
        watched = selected(SERVICES, label)
        since = await e2e.get(selected("/api/v1/services", label))
        body = service("test-service", labels={"test-service-static": "true"})
        body["spec"]["type"] = "LoadBalancer"
        body["spec"]["loadBalancerClass"] = "e2e.example.com/nobody"  # so that nobody else writes its status
        await e2e.create(SERVICES, body)
        await e2e.seen(watched, since, "ADDED")
        path = f"{SERVICES}/test-service"
        assert (await e2e.get(f"{path}/status"))["status"] == {"loadBalancer": {}}
        balancer = {"ingress": [{"ip": "203.0.113.1"}]}
        patched = await e2e.patch(
            f"{path}/status", {"metadata": {"annotations": {"patchedstatus": "true"}}, "status": {"loadBalancer": balancer}}
        )
        assert patched["status"]["loadBalancer"]["ingress"][0]["ip"] == "203.0.113.1"
        assert objects.annotations(patched)["patchedstatus"] == "true"
        await e2e.seen(watched, since, "MODIFIED", lambda made: objects.annotations(made).get("patchedstatus") == "true")
        wanted = condition("StatusUpdate", lastTransitionTime="2026-01-01T00:00:00Z")
        updated = await e2e.update_until(f"{path}/status", lambda made: objects.with_status(made, conditions=[wanted]))
        assert updated["status"]["conditions"] == [wanted]
        await e2e.seen(watched, since, "MODIFIED", lambda made: made["status"].get("conditions") == [wanted])
        patched = await e2e.patch(path, {"metadata": {"labels": {"test-service": "patched"}}}, STRATEGIC)
        assert objects.labels(patched)["test-service"] == "patched"
        await e2e.seen(watched, since, "MODIFIED", lambda made: objects.labels(made).get("test-service") == "patched")
        await e2e.delete(path)
        await e2e.seen(watched, since, "DELETED")


async def test_collection() -> None:
    """[sig-network] Services should delete a collection of services [Conformance]"""
    async with suite() as e2e:
        for name, label in (("a", "some"), ("b", "some"), ("c", "other")):
            await e2e.create(SERVICES, service(f"e2e-svc-{name}", labels={"e2e": label}))
        assert len(await e2e.items(SERVICES)) == 3
        await e2e.delete(selected(SERVICES, "e2e=some"))
        assert await e2e.names(SERVICES) == ["e2e-svc-c"]


async def test_endpoints_lifecycle() -> None:
    """[sig-network] Endpoints should test the lifecycle of an Endpoint [Conformance]"""
    label, path = "test-endpoint-static=true", f"{ENDPOINTS}/testservice"
    async with suite() as e2e:
        since, watched = await e2e.get(selected("/api/v1/endpoints", label)), selected(ENDPOINTS, label)
        subsets = [{"addresses": [{"ip": "10.0.0.24"}], "ports": [{"name": "http", "port": 80, "protocol": "TCP"}]}]
        body = {"metadata": {"name": "testservice", "labels": {"test-endpoint-static": "true"}}, "subsets": subsets}
        await e2e.create(ENDPOINTS, body)
        await e2e.seen(watched, since, "ADDED")
        assert await e2e.names("/api/v1/endpoints", label) == ["testservice"]
        changed = objects.with_metadata(body, labels={"test-endpoint-static": "true", "test-service": "updated"})
        await e2e.update(path, changed)
        await e2e.seen(watched, since, "MODIFIED", lambda each: objects.labels(each)["test-service"] == "updated")
        assert objects.labels(await e2e.get(path))["test-service"] == "updated"
        port = {"name": "http-test", "port": 8080, "protocol": "TCP"}
        change = {
            "metadata": {"labels": {"test-service": "patched"}},
            "subsets": [{"addresses": [{"ip": "10.0.0.25"}], "ports": [port]}],
        }
        await e2e.patch(path, change, STRATEGIC)
        await e2e.seen(watched, since, "MODIFIED", lambda each: objects.labels(each).get("test-service") == "patched")
        (subset,) = (await e2e.get(path))["subsets"]
        assert (subset["addresses"], subset["ports"]) == ([{"ip": "10.0.0.25"}], [port])
        await e2e.delete(watched)
        await e2e.seen(watched, since, "DELETED")
        assert await e2e.names("/api/v1/endpoints", label) == []


def addresses(endpoints: Object) -> list[tuple[str, int]]:
    """(address, port) of all subsets."""
    return sorted(
        (address["ip"], port["port"])
        for subset in endpoints.get("subsets", ())
        for address in subset.get("addresses", ())
        for port in subset["ports"]
    )


def sliced(slices: Object) -> list[tuple[str, int]]:
    return sorted(
        (address, port["port"])
        for made in slices["items"]
        for endpoint in made["endpoints"]
        for address in endpoint["addresses"]
        for port in made.get("ports", ())
    )


def of(name: str) -> str:
    return selected(SLICES, f"kubernetes.io/service-name={name}")


async def no_pods(e2e: Suite) -> None:
    await e2e.create(SERVICES, service("example-empty-selector", {"does-not-match-anything": "endpoints-and-endpoint-slices"}))
    empty = await e2e.until(f"{ENDPOINTS}/example-empty-selector", lambda each: True)
    assert not empty.get("subsets")


async def test_no_endpoints() -> None:
    """[sig-network] EndpointsController should create and delete Endpoints for a Service with a selector that matches no pods [Conformance]"""  # noqa: E501
    async with suite() as e2e:
        await no_pods(e2e)
        await e2e.delete(f"{SERVICES}/example-empty-selector")
        await e2e.gone(f"{ENDPOINTS}/example-empty-selector")


async def test_empty_slices() -> None:
    """[sig-network] EndpointSlice should create and delete EndpointSlices for a Service with a selector that matches no pods [Conformance]"""  # noqa: E501
    async with suite() as e2e:
        await no_pods(e2e)
        made = await e2e.until(of("example-empty-selector"), lambda slices: slices["items"])
        (only,) = made["items"]
        assert (
            only["endpoints"] == [] and objects.labels(only)["endpointslice.kubernetes.io/managed-by"] == "endpointslice-controller.k8s.io"
        )
        await e2e.delete(f"{SERVICES}/example-empty-selector")
        await e2e.gone(f"{ENDPOINTS}/example-empty-selector")
        await e2e.until(of("example-empty-selector"), lambda slices: not slices["items"])


async def pods_and_services(e2e: Suite) -> tuple[list[str], list[tuple[str, list[tuple[str, int]]]]]:
    """Addresses of two pods, and what belongs to each of three services."""
    for name, port in (("pod1", 3000), ("pod2", 3001)):
        ports = [{"name": "example-name", "containerPort": port}, {"name": "other", "containerPort": port + 100, "protocol": "UDP"}]
        await e2e.create(PODS, pod(name, {"shared": "label", "own": name}, containers=[container(ports=ports)]))
    pods = await e2e.running("shared=label", 2)
    first, second = (each["status"]["podIP"] for each in pods)
    example = [{"name": "example", "port": 80, "targetPort": 3000, "protocol": "TCP"}]
    named = [{"name": "http", "port": 80, "targetPort": "example-name", "protocol": "TCP"}]
    await e2e.create(SERVICES, service("example-int-port", {"own": "pod1"}, example))
    await e2e.create(SERVICES, service("example-named-port", {"shared": "label"}, named))
    await e2e.create(SERVICES, service("example-no-match", {"own": "no-match"}, example))
    wanted = [
        ("example-int-port", [(first, 3000)]),
        ("example-named-port", sorted([(first, 3000), (second, 3001)])),
        ("example-no-match", []),
    ]
    return [first, second], wanted


async def test_endpoints_of_pods() -> None:
    """[sig-network] EndpointsController should create Endpoints for Pods matching a Service [Conformance]"""
    async with suite() as e2e:
        _, wanted = await pods_and_services(e2e)
        for name, expected in wanted:
            await e2e.until(f"{ENDPOINTS}/{name}", lambda made, expected=expected: addresses(made) == expected)  # type: ignore[misc]
            await e2e.delete(f"{ENDPOINTS}/{name}")
            again = await e2e.until(f"{ENDPOINTS}/{name}", lambda made, expected=expected: addresses(made) == expected)  # type: ignore[misc]
            for subset in again.get("subsets", ()):
                for address in subset["addresses"]:
                    assert address["targetRef"]["kind"] == "Pod" and address["nodeName"]


async def test_slices_of_pods() -> None:
    """[sig-network] EndpointSlice should create Endpoints and EndpointSlices for Pods matching a Service [Conformance]"""
    async with suite() as e2e:
        _, wanted = await pods_and_services(e2e)
        for name, expected in wanted:
            await e2e.until(f"{ENDPOINTS}/{name}", lambda made, expected=expected: addresses(made) == expected)  # type: ignore[misc]

            def holds(slices: Object, expected: list[tuple[str, int]] = expected) -> bool:
                return bool(slices["items"]) and sliced(slices) == expected

            for made in (await e2e.until(of(name), holds))["items"]:
                assert made["addressType"] == "IPv4" and (objects.controller_of(made) or {})["name"] == name
                for endpoint in made["endpoints"]:
                    assert endpoint["conditions"] == {"ready": True, "serving": True, "terminating": False}
                    assert endpoint["targetRef"]["namespace"] == NAMESPACE and endpoint["nodeName"]
            await e2e.delete(of(name))
            await e2e.delete(f"{ENDPOINTS}/{name}")
            await e2e.until(of(name), holds)


async def test_mirroring() -> None:
    """[sig-network] EndpointSliceMirroring should mirror a custom Endpoints resource through create update and delete [Conformance]"""
    path = f"{ENDPOINTS}/example-custom-endpoints"
    async with suite() as e2e:
        port = {"name": "example", "port": 80, "protocol": "TCP"}
        await e2e.create(SERVICES, service("example-custom-endpoints", ports=[port]))
        body = {"metadata": {"name": "example-custom-endpoints"}, "subsets": [{"addresses": [{"ip": "10.1.2.3"}], "ports": [port]}]}
        await e2e.create(ENDPOINTS, body)
        made = await e2e.until(of("example-custom-endpoints"), lambda slices: sliced(slices) == [("10.1.2.3", 80)])
        assert objects.labels(made["items"][0])["endpointslice.kubernetes.io/managed-by"] == "endpointslicemirroring-controller.k8s.io"

        def moved(made: Object) -> Object:
            return {**made, "subsets": [{"addresses": [{"ip": "10.2.3.4"}], "ports": [{**port, "port": 9090}]}]}

        await e2e.update_until(path, moved)
        await e2e.until(of("example-custom-endpoints"), lambda slices: sliced(slices) == [("10.2.3.4", 9090)])
        await e2e.delete(path)
        await e2e.until(of("example-custom-endpoints"), lambda slices: not slices["items"])


async def test_latency() -> None:
    """[sig-network] Service endpoints latency should not be very high [Conformance]"""
    async with suite() as e2e:
        await e2e.create(PODS, pod("svc-latency-rc", {"name": "svc-latency-rc"}))
        await e2e.running("name=svc-latency-rc", 1)
        clock, latencies = e2e.cluster.clock, []
        for number in range(100):
            name, began = f"latency-svc-{number}", clock.now()
            await e2e.create(SERVICES, service(name, {"name": "svc-latency-rc"}))
            await e2e.until(f"{ENDPOINTS}/{name}", addresses)
            latencies.append((clock.now() - began).total_seconds())
        latencies.sort()
        assert latencies[50] < 20 and latencies[90] < 50
