"""From an Ingress to a page: served with the first one, shown in its status, followed as it changes."""

from __future__ import annotations

import asyncio
import base64
import socket
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import aiohttp

from controllers.kubelet.node_config import NodeConfig
from kctl.apimachinery import objects
from kctl.apimachinery.clock import RealClock
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import ENDPOINT_SLICES, EVENTS, PODS, SECRETS, SERVICE_ACCOUNTS, SERVICES
from kctl.apimachinery.status import Conflict
from kctl.client.client import Client
from kctl.daemon.components import API_SERVER_ALONE, KubeletComponent
from kctl.daemon.control_plane import ControlPlane
from kctl.daemon.ingress import certificates
from kctl.daemon.ingress.component import IngressComponent
from kctl.daemon.ingress.controller import CLASSES, INGRESSES, Place
from store.memory import MemoryStore

ADDRESS = "127.92.3.1"
POD_CIDR = "10.244.0.0/24"


async def eventually(look: Callable[[], Awaitable[Any]]) -> Any:
    """What it finds, once that is something."""
    async with asyncio.timeout(30):
        while True:
            found = await look()
            if found:
                return found
            await asyncio.sleep(0.01)


async def balancer(client: Client, name: str) -> list[Object]:
    return list((objects.status(await client.get(INGRESSES, name, "default")).get("loadBalancer") or {}).get("ingress") or ())


def made(kind: str, version: str, name: str, **rest: Any) -> Object:
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name, "namespace": "default"}, **rest}


async def backend(client: Client) -> None:
    """Two simulated web servers behind the Service `web`, their endpoints as the controller would write them."""
    await client.create(SERVICE_ACCOUNTS, made("ServiceAccount", "v1", "default", automountServiceAccountToken=False))
    addresses = []
    for name in ("first", "second"):
        container = {"name": "c", "image": "registry.k8s.io/e2e-test-images/agnhost:2.53", "args": ["netexec", "--http-port=8080"]}
        await client.create(PODS, made("Pod", "v1", name, spec={"nodeName": "n1", "containers": [container]}))
        addresses.append(await eventually(partial(_address, client, name)))
    await client.create(SERVICES, made("Service", "v1", "web", spec={"ports": [{"name": "http", "port": 80, "targetPort": 8080}]}))
    endpoints = [{"addresses": [address], "conditions": {"ready": True}} for address in addresses]
    slice_: Object = made("EndpointSlice", "discovery.k8s.io/v1", "web-1", addressType="IPv4", endpoints=endpoints)
    slice_["metadata"]["labels"] = {"kubernetes.io/service-name": "web"}
    await client.create(ENDPOINT_SLICES, {**slice_, "ports": [{"name": "http", "port": 8080, "protocol": "TCP"}]})


async def _address(client: Client, name: str) -> str:
    return str(objects.status(await client.get(PODS, name, "default")).get("podIP") or "")


def ingress(name: str, host: str, **spec: Any) -> Object:
    path = {"path": "/", "pathType": "Prefix", "backend": {"service": {"name": "web", "port": {"name": "http"}}}}
    return made("Ingress", "networking.k8s.io/v1", name, spec={"rules": [{"host": host, "http": {"paths": [path]}}], **spec})


async def test_an_ingress_is_served() -> None:
    with socket.create_server((ADDRESS, 0)) as taken:
        places = [Place(ADDRESS, 0, taken.getsockname()[1]), Place(ADDRESS, 0, 0)]
        component = partial(IngressComponent, seed="test", places=places)
        parts = (*API_SERVER_ALONE, KubeletComponent, component)
        plane = ControlPlane(MemoryStore(), RealClock(), None, [NodeConfig("n1", pod_cidr=POD_CIDR)], parts)
        await plane.start()
        try:
            await _served(plane.client())
        finally:
            await plane.stop()


async def _served(client: Client) -> None:
    await backend(client)
    other: Object = {"apiVersion": "networking.k8s.io/v1", "kind": "IngressClass", "metadata": {"name": "other"}}
    await client.create(CLASSES, {**other, "spec": {"controller": "example.com/other"}})
    pem, key = certificates.self_signed(RealClock().now(), "shop.test", ["shop.test"])
    data = {name: base64.b64encode(value).decode() for name, value in (("tls.crt", pem), ("tls.key", key))}
    await client.create(SECRETS, made("Secret", "v1", "shop", type="kubernetes.io/tls", data=data))
    await client.create(INGRESSES, ingress("theirs", "theirs.test", ingressClassName="other"))
    await client.create(INGRESSES, ingress("shop", "shop.test", tls=[{"hosts": ["shop.test"], "secretName": "shop"}]))
    shown = (await eventually(partial(balancer, client, "shop")))[0]
    assert shown["ip"] == ADDRESS
    http, https = (port["port"] for port in shown["ports"])

    async def get(host: str, path: str = "/hostname") -> tuple[int, str]:
        async with session.get(f"http://{ADDRESS}:{http}{path}", headers={"Host": host}) as answer:
            return answer.status, await answer.text()

    async with aiohttp.ClientSession() as session:
        names = {await get("shop.test") for _ in range(30)}
        assert names == {(200, "first"), (200, "second")}
        assert [(await get(host))[0] for host in ("theirs.test", "nobody.test")] == [404, 404]
        trusting = certificates.ssl.create_default_context(cadata=pem.decode())
        url = f"https://{ADDRESS}:{https}/hostname"
        async with session.get(url, ssl=trusting, server_hostname="shop.test", headers={"Host": "shop.test"}) as answer:
            assert answer.status == 200
        while True:  # its status is written at the same time
            found = await client.get(INGRESSES, "shop", "default")
            found = {
                **found,
                "spec": {**ingress("", "late.test")["spec"], "defaultBackend": {"service": {"name": "no", "port": {"number": 1}}}},
            }
            try:
                await client.update(INGRESSES, found)
                break
            except Conflict:
                continue

        async def answers(status: int) -> bool:
            return (await get("late.test"))[0] == status

        await eventually(partial(answers, 200))
        assert (await get("shop.test"))[0] == 404
        await client.delete(SERVICES, "web", "default")
        await eventually(partial(answers, 503))
    assert not await balancer(client, "theirs")

    async def told() -> list[str]:
        return [each["message"] for each in (await client.list(EVENTS))["items"] if each["reason"] == "Serving"]

    assert await eventually(told) == [f"Served at http://{ADDRESS}:{http}/"]
