"""What passes through an Ingress: bodies both ways, headers, upgraded connections, TLS by name, endpoints that have gone."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator, Sequence
from http import HTTPStatus
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from kctl.apimachinery.clock import RealClock
from kctl.apimachinery.objects import Object
from kctl.daemon.ingress import certificates
from kctl.daemon.ingress.certificates import FAKE_NAME, Certificates, of_secret
from kctl.daemon.ingress.proxy import IngressProxy, Refused
from kctl.daemon.ingress.routes import Certificate
from kctl.kube_apiserver.streaming.dialing import SocketDialer

ADDRESS = "127.92.1.1"


async def _seen(request: web.Request) -> web.StreamResponse:
    if request.path == "/socket":
        made = web.WebSocketResponse()
        await made.prepare(request)
        async for message in made:
            await made.send_str(f"heard {message.data}")
        return made
    if request.path == "/long":
        response = web.StreamResponse()
        await response.prepare(request)
        for _ in range(100):
            await response.write(b"x" * 100_000)
        return response
    if request.path == "/broken":
        response = web.StreamResponse(headers={"Content-Length": "100"})
        await response.prepare(request)
        await response.write(b"half")
        assert request.transport is not None
        request.transport.close()
        return response
    size = 0
    async for chunk in request.content.iter_any():
        size += len(chunk)
    kept = {name: value for name, value in request.headers.items() if name.lower().startswith(("x-", "host", "authorization", "cookie"))}
    shown = {"method": request.method, "target": request.raw_path, "size": size, "headers": kept}
    return web.json_response(shown, status=201 if size else 200, headers={"Set-Cookie": "a=1", "Access-Control-Allow-Origin": "*"})


@contextlib.asynccontextmanager
async def serving() -> AsyncIterator[tuple[IngressProxy, int, list[tuple[str, int]]]]:
    """(the proxy, its port, the endpoints of every request; none of them is a 503)"""
    places: list[tuple[str, int]] = []

    def endpoints(host: str, path: str) -> Sequence[tuple[str, int]]:
        if not places:
            raise Refused(HTTPStatus.SERVICE_UNAVAILABLE)
        return places

    proxy = IngressProxy(RealClock(), SocketDialer, endpoints)
    runner = web.ServerRunner(web.Server(_seen))  # type: ignore[arg-type]
    await runner.setup()
    site = web.TCPSite(runner, ADDRESS, 0)
    await site.start()
    places.append(runner.addresses[0][:2])
    try:
        yield proxy, await proxy.listen(ADDRESS, 0, None), places
    finally:
        await proxy.stop()
        await runner.cleanup()


async def test_requests_and_answers() -> None:
    async with serving() as (_, port, places), aiohttp.ClientSession(f"http://{ADDRESS}:{port}") as client:
        given = {
            "Host": "shop.test",
            "Authorization": "Basic eDp5",
            "X-Forwarded-For": "192.0.2.1",
            "X-Forwarded-Proto": "forged",
            "Cookie": "b=2",
        }
        async with client.get("/a%2Fb/../c?x=1&x=2", headers=given) as answer:
            shown: dict[str, Any] = await answer.json()
            assert answer.status == 200 and answer.headers["Set-Cookie"] == "a=1" and answer.headers["Access-Control-Allow-Origin"] == "*"
        assert shown["headers"]["Host"] == "shop.test" and shown["headers"]["Authorization"] == "Basic eDp5"
        assert shown["headers"]["X-Forwarded-For"] == "192.0.2.1, 127.0.0.1" and shown["headers"]["X-Forwarded-Proto"] == "http"
        assert shown["headers"]["X-Forwarded-Host"] == "shop.test" and shown["headers"]["X-Forwarded-Port"] == str(port)

        async def body() -> AsyncIterator[bytes]:
            for _ in range(50):
                yield b"y" * 100_000

        for data in (b"y" * 5_000_000, body()):
            async with client.post("/", data=data) as answer:
                assert answer.status == 201 and (await answer.json())["size"] == 5_000_000
        async with client.get("/long") as answer:
            assert len(await answer.read()) == 10_000_000
        async with client.head("/") as answer:
            assert answer.status == 200 and await answer.read() == b""
        with pytest.raises(aiohttp.ClientPayloadError):
            async with client.get("/broken") as answer:
                await answer.read()
        with socket.create_server((ADDRESS, 0)) as free:
            gone = free.getsockname()[:2]
        places.insert(0, gone)
        async with client.get("/") as answer:
            assert answer.status == 200  # from the other endpoint
        places[:] = [gone]
        async with client.get("/") as answer:
            assert answer.status == 502 and "502 Bad Gateway" in await answer.text()
        places.clear()
        async with client.get("/") as answer:
            assert answer.status == 503


async def test_web_sockets() -> None:
    async with (
        serving() as (_, port, _places),
        aiohttp.ClientSession() as client,
        client.ws_connect(f"ws://{ADDRESS}:{port}/socket") as made,
    ):
        for text in ("one", "two"):
            await made.send_str(text)
            assert await made.receive_str() == f"heard {text}"


def _certificate(name: str) -> tuple[bytes, bytes]:
    """One that is made for the test, as the fake one is."""
    return certificates.self_signed(RealClock().now(), name, [name])


async def test_certificates_by_name() -> None:
    pem, key = _certificate("shop.test")
    data = {"tls.crt": base64.b64encode(pem).decode(), "tls.key": base64.b64encode(key).decode()}
    secret: Object = {"metadata": {"name": "shop", "namespace": "default", "resourceVersion": "1"}, "data": data}
    for broken in ({}, {"tls.crt": "AA", "tls.key": "AA"}, {"tls.crt": "A", "tls.key": "A"}):
        with pytest.raises(certificates.CannotUse):
            of_secret({**secret, "data": broken})
    made = Certificates(
        lambda name: Certificate("default", name) if name.endswith(".test") else None,
        lambda wanted: {"shop.test": secret, "bad.test": {**secret, "data": {}}}.get(wanted.secret),
        RealClock().now,
    )
    async with serving() as (proxy, _, _places):
        port = await proxy.listen(ADDRESS, 0, made.listening())
        trusting = ssl.create_default_context(cadata=pem.decode())
        async with (
            aiohttp.ClientSession() as client,
            client.get(f"https://{ADDRESS}:{port}/", ssl=trusting, server_hostname="shop.test") as answer,
        ):
            assert (await answer.json())["headers"]["X-Forwarded-Proto"] == "https"
        for name in ("bad.test", "none.test", "other"):
            unverified = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            unverified.check_hostname, unverified.verify_mode = False, ssl.CERT_NONE
            _, writer = await asyncio.open_connection(ADDRESS, port, ssl=unverified, server_hostname=name)
            assert FAKE_NAME.encode() in writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
            writer.close()
