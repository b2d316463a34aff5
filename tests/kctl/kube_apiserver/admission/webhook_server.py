"""A real webhook: HTTPS on loopback with a certificate of its own authority. What it answers is a function of the request."""

from __future__ import annotations

import asyncio
import base64
import datetime
import ipaddress
import ssl
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from kctl.apimachinery.objects import Object

Review = dict[str, Any]
Respond = Callable[[Review], Review]


def allow(review: Review, **response: Any) -> Review:
    """The answer that allows, with more in it."""
    answer = {"uid": review["request"]["uid"], "allowed": True, **response}
    return {"kind": "AdmissionReview", "apiVersion": review["apiVersion"], "response": answer}


def deny(review: Review, **status: Any) -> Review:
    return allow(review, allowed=False, **({"status": status} if status else {}))


def patch(review: Review, *operations: Object, **response: Any) -> Review:
    encoded = base64.b64encode(orjson.dumps(list(operations))).decode()
    return allow(review, patch=encoded, patchType="JSONPatch", **response)


@dataclass(slots=True)
class WebhookServer:
    port: int
    ca_bundle: str
    respond: Respond = allow
    raw: Callable[[web.Request], web.StreamResponse] | None = None
    """Answers instead, with whatever it likes."""
    requests: list[Object] = field(default_factory=list)
    queries: list[str] = field(default_factory=list)
    hosts: list[str] = field(default_factory=list)
    hang: asyncio.Event | None = None

    @property
    def client_config(self) -> Object:
        return {"url": f"https://127.0.0.1:{self.port}/hook", "caBundle": self.ca_bundle}

    async def handle(self, request: web.Request) -> web.StreamResponse:
        review = orjson.loads(await request.read())
        self.requests.append(review["request"])
        self.queries.append(request.query_string)
        self.hosts.append(request.host)
        if self.hang is not None:
            await self.hang.wait()
        if self.raw is not None:
            return self.raw(request)
        return web.json_response(self.respond(review))


def _certificate(folder: Path, names: tuple[str, ...]) -> bytes:
    """Files cert.pem and key.pem; the authority's certificate."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "webhook")])
    now = datetime.datetime.now(datetime.UTC)
    alternatives: list[x509.GeneralName] = [x509.IPAddress(ipaddress.ip_address("127.0.0.1")), *map(x509.DNSName, names)]
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = signed.public_bytes(serialization.Encoding.PEM)
    (folder / "cert.pem").write_bytes(pem)
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "key.pem").write_bytes(private)
    return pem


def tls(*names: str) -> tuple[ssl.SSLContext, bytes]:
    """For a server at 127.0.0.1 and by `names`: its context, and the certificate of its authority as PEM."""
    with tempfile.TemporaryDirectory() as folder:
        pem = _certificate(Path(folder), names)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(Path(folder, "cert.pem"), Path(folder, "key.pem"))
    return context, pem


@asynccontextmanager
async def webhook_server(*names: str) -> AsyncIterator[WebhookServer]:
    """`names`: DNS names its certificate is for, besides 127.0.0.1."""
    context, pem = tls(*names)
    server = WebhookServer(0, base64.b64encode(pem).decode())
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", server.handle)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context)
    await site.start()
    server.port = runner.addresses[0][1]
    try:
        yield server
    finally:
        if server.hang is not None:
            server.hang.set()
        await runner.cleanup()
