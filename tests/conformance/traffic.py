"""What the conformance tests of network traffic have in common: pods to ask from, ways to ask, services and what stands behind them."""

from __future__ import annotations

from typing import Any

from kctl.apimachinery import objects
from kctl.apimachinery.objects import Object
from tests.conformance.execution import Executed, execute
from tests.conformance.suite import CORE, NAMESPACE, PODS, Suite, container, is_ready

SERVICES, CONTROLLERS = f"{CORE}/services", f"{CORE}/replicationcontrollers"


async def ready_pod(e2e: Suite, name: str, *containers: Object, labels: Object | None = None, **spec: Any) -> Object:
    """Created, and ready."""
    body = {"metadata": {"name": name, "labels": labels or {}}, "spec": {"containers": list(containers), **spec}}
    await e2e.create(PODS, body)
    made: Object = await e2e.until(f"{PODS}/{name}", is_ready)
    return made


async def asking_pod(e2e: Suite, name: str = "execpod", **spec: Any) -> str:
    """Where commands are run; its path."""
    await ready_pod(e2e, name, container("agnhost-container", args=["pause"]), **spec)
    return f"{PODS}/{name}"


async def shell(e2e: Suite, pod: str, script: str) -> Executed:
    return await execute(e2e, pod, ["/bin/sh", "-x", "-c", script])


async def reaches(e2e: Suite, pod: str, host: str, port: int, protocol: str = "TCP", tries: int = 10) -> bool:
    """Something answers there, within so many tries of a second each."""
    for _ in range(tries):
        done = await shell(e2e, pod, f"echo hostName | nc -v -{'u' if protocol == 'UDP' else 't'} -w 2 {host} {port}")
        if done.code == 0 and done.output.strip():
            return True
        await e2e.settle(1)
    return False


async def serves(e2e: Suite, name: str, pod: str) -> None:
    """The service answers at each of its addresses, by its type."""
    service = await e2e.get(f"{SERVICES}/{name}")
    spec = service["spec"]
    if spec["type"] == "ExternalName":
        assert not spec.get("clusterIP")
        for _ in range(60):
            done = await shell(e2e, pod, f"nslookup {name}.{NAMESPACE}.svc.cluster.local")
            if done.code == 0:
                return
            await e2e.settle(2)
        raise AssertionError(done)
    for port in spec["ports"]:
        protocol = port["protocol"]
        assert await reaches(e2e, pod, name, port["port"], protocol), (name, port)
        assert await reaches(e2e, pod, spec["clusterIP"], port["port"], protocol), (spec["clusterIP"], port)
        for node in (await e2e.items("/api/v1/nodes"))[:2] if spec["type"] == "NodePort" else ():
            for address in node["status"]["addresses"]:
                if address["type"] == "InternalIP":
                    assert await reaches(e2e, pod, address["address"], port["nodePort"], protocol), (address, port)


async def has_endpoints(e2e: Suite, name: str, expected: dict[str, list[int]]) -> None:
    """Pod > ports: those of its Endpoints and of its EndpointSlices."""
    path = f"/apis/discovery.k8s.io/v1/namespaces/{NAMESPACE}/endpointslices?labelSelector=kubernetes.io/service-name={name}"

    def of_slices(listed: Object) -> dict[str, list[int]]:
        found: dict[str, list[int]] = {}
        for each in listed["items"]:
            for endpoint in each.get("endpoints") or ():
                ports = found.setdefault(endpoint["targetRef"]["name"], [])
                ports += [port["port"] for port in each.get("ports") or ()]
        return {pod: sorted(set(ports)) for pod, ports in found.items()}

    def of_endpoints(obj: Object) -> dict[str, list[int]]:
        found: dict[str, list[int]] = {}
        for subset in obj.get("subsets") or ():
            for address in subset.get("addresses") or ():
                found.setdefault(address["targetRef"]["name"], []).extend(port["port"] for port in subset.get("ports") or ())
        return {pod: sorted(set(ports)) for pod, ports in found.items()}

    await e2e.until(path, lambda listed: of_slices(listed) == expected)
    await e2e.until(f"{CORE}/endpoints/{name}", lambda obj: of_endpoints(obj) == expected)


async def replicas(e2e: Suite, name: str, count: int, command: list[str], labels: Object) -> list[Object]:
    """Of a ReplicationController, all ready."""
    spec = {"containers": [container(name, command=command)]}
    body = {"replicas": count, "selector": labels, "template": {"metadata": {"labels": labels}, "spec": spec}}
    await e2e.create(CONTROLLERS, {"metadata": {"name": name}, "spec": body})
    return await e2e.running(",".join(f"{key}={value}" for key, value in labels.items()), count)


async def service_pods(e2e: Suite, name: str) -> None:
    """Two that answer any connection and datagram with their host name."""
    await replicas(e2e, name, 2, ["/agnhost", "serve-hostname", "--http=false", "--tcp", "--udp"], {"testid": name})


async def create_service(e2e: Suite, name: str, selector: Object | None, ports: list[Object], **spec: Any) -> Object:
    body: Object = {"ports": ports, **({"selector": selector} if selector else {}), **spec}
    made: Object = await e2e.create(SERVICES, {"metadata": {"name": name}, "spec": body})
    return made


def address_of(pod: Object) -> str:
    return str(objects.status(pod)["podIP"])
