"""What is proxied to: an HTTP server on loopback that tells what it was asked, and a dialer that finds it under a pod's address."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import WSMsgType, web

from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import ENDPOINT_SLICES, PODS, SERVICES
from kctl.client.client import Client
from kctl.kube_apiserver.server import ApiServer
from kctl.kube_apiserver.streaming.dialing import DialedConnection, open_socket
from tests.kctl.kube_apiserver.served import ADMIN
from tests.kctl.kube_apiserver.streaming.kubelets import pod

POD_IP = "10.244.1.5"
PAGE = '<A HREF="/next?a=1&amp;b=2">n</A><img src=pic.png><!-- <a href="/no"> --><script>"<a href=\'/no\'>"</script>'


class Loopback:
    """Addresses and ports that lead to ports of this machine; nothing listens at others."""

    def __init__(self) -> None:
        self.ports: dict[tuple[str, int], int] = {}
        self.dialed: list[tuple[str, int]] = []

    async def dial(self, address: str, port: int) -> DialedConnection:
        self.dialed.append((address, port))
        if (address, port) not in self.ports:
            raise ConnectionRefusedError(111, "Connection refused")
        return await open_socket("127.0.0.1", self.ports[address, port])


async def _told(request: web.Request) -> web.StreamResponse:
    body = await request.text()
    seen = {"method": request.method, "path": request.raw_path, "headers": [list(pair) for pair in request.headers.items()], "body": body}
    headers = {"X-Seen": "yes", "Keep-Alive": "timeout=5", "Access-Control-Allow-Origin": "*", "Set-Cookie": "a=1"}
    answer = web.json_response(seen, headers=headers)
    answer.headers.add("Set-Cookie", "b=2")
    return answer


async def _redirect(request: web.Request) -> web.StreamResponse:
    return web.Response(status=302, headers={"Location": request.query["to"]})


async def _page(request: web.Request) -> web.StreamResponse:
    answer = web.Response(text=PAGE, content_type="text/html")
    if "gzip" in request.query:
        answer.enable_compression(web.ContentCoding.gzip)
    return answer


async def _socket(request: web.Request) -> web.StreamResponse:
    socket = web.WebSocketResponse()
    await socket.prepare(request)
    async for message in socket:
        if message.type is WSMsgType.TEXT:
            await socket.send_str(f"{message.data}!")
    return socket


class Steps:
    """An answer in two parts; the second waits to be let go."""

    def __init__(self) -> None:
        self.go = asyncio.Event()

    async def answer(self, request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse()
        await answer.prepare(request)
        await answer.write(b"first")
        await self.go.wait()
        await answer.write(b"second")
        return answer


async def _count(request: web.Request) -> web.StreamResponse:
    """How many bytes came, without keeping them."""
    size = 0
    async for chunk in request.content.iter_any():
        size += len(chunk)
    return web.Response(text=str(size))


@asynccontextmanager
async def backend(steps: Steps | None = None, context: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """Its port."""
    app = web.Application(client_max_size=1 << 30)
    app.router.add_route("*", "/redirect", _redirect)
    app.router.add_get("/page", _page)
    app.router.add_get("/socket", _socket)
    app.router.add_post("/count", _count)
    if steps is not None:
        app.router.add_get("/steps", steps.answer)
    app.router.add_route("*", "/{rest:.*}", _told)
    runner = web.AppRunner(app)
    await runner.setup()
    site: Any = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context)
    await site.start()
    try:
        yield site._server.sockets[0].getsockname()[1]
    finally:
        await runner.cleanup()


async def with_pod(server: ApiServer, dialer: Loopback, port: int, *, address: str = POD_IP) -> None:
    """Pod `web` of namespace `default`: its ports 80 (declared) and 1080 are the server's. Service `svc` leads to it: `http` (80) to 80,
    `other` (81) to 1080."""
    client = Client(server.transport(ADMIN))
    made = pod()
    made["spec"]["containers"][0]["ports"] = [{"containerPort": 80}]
    await client.create(PODS, made)
    await _with_address(client, "web", address)
    dialer.ports |= {(address, 80): port, (address, 1080): port}
    ports: list[Object] = [{"name": "http", "port": 80, "targetPort": 80}, {"name": "other", "port": 81, "targetPort": 1080}]
    service = {"metadata": {"name": "svc"}, "spec": {"ports": ports, "selector": {"a": "b"}}}
    await client.create(SERVICES, service, "default")
    await client.create(ENDPOINT_SLICES, slice_of("svc", address, "web"), "default")


async def _with_address(client: Client, name: str, address: str) -> None:
    present = await client.get(PODS, name, "default")
    await client.update_status(PODS, {**present, "status": {"phase": "Running", "podIP": address, "podIPs": [{"ip": address}]}})


def slice_of(service: str, address: str, name: str, *, ready: bool = True) -> Object:
    return {
        "metadata": {"name": f"{service}-{name}", "labels": {"kubernetes.io/service-name": service}},
        "addressType": "IPv4",
        "ports": [{"name": "http", "port": 80}, {"name": "other", "port": 1080}],
        "endpoints": [
            {
                "addresses": [address],
                "conditions": {"ready": ready},
                "targetRef": {"kind": "Pod", "name": name, "namespace": "default"},
            }
        ],
    }
