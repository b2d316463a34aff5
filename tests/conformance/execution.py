"""The exec subresource as a client of the API uses it: over WebSocket messages, without a socket."""

from __future__ import annotations

import asyncio
from typing import NamedTuple
from urllib.parse import quote

import orjson

from kctl.apimachinery.user import ADMIN
from kctl.kube_apiserver.http import wire_request
from kctl.kube_apiserver.request_info import resolve
from kctl.kube_apiserver.response import UpgradeAnswer
from tests.conformance.api import Api

_PROTOCOL = "v5.channel.k8s.io"
_UPGRADE = {"connection": "Upgrade", "upgrade": "websocket", "sec-websocket-protocol": _PROTOCOL}


class Executed(NamedTuple):
    code: int
    output: str
    error: str
    message: str
    """Of the final status."""


class _Client:
    """kube_apiserver's Connection, whose client only reads, and goes when it has the final status."""

    def __init__(self) -> None:
        self.channels: dict[int, bytes] = {}
        self._over = asyncio.Event()

    async def receive(self) -> bytes:
        await self._over.wait()
        return b""

    async def send(self, data: bytes) -> None:
        self.channels[data[0]] = self.channels.get(data[0], b"") + data[1:]
        if data[0] == 3:
            self._over.set()

    async def finish(self) -> None:
        return


async def execute(api: Api, pod: str, command: list[str], container: str = "") -> Executed:
    """`pod` is its path. What the command waits for passes in the cluster's time."""
    query = "".join(f"&command={quote(word)}" for word in command) + (f"&container={container}" if container else "")
    wire = wire_request("GET", f"{pod}/exec?stdout=true&stderr=true{query}", _UPGRADE)
    wire.raw_body, wire.user = b"", ADMIN
    request = resolve(wire, api.server.registry)
    try:
        answer = await api.server.handle(request)
        assert isinstance(answer, UpgradeAnswer), answer
        client = _Client()
        await answer.serve(client)
    finally:
        request.answered()
    status = orjson.loads(client.channels.get(3, b"{}"))
    causes = (status.get("details") or {}).get("causes") or ()
    code = next((int(each["message"]) for each in causes if each.get("reason") == "ExitCode"), 0 if status["status"] == "Success" else -1)
    return Executed(code, client.channels.get(1, b"").decode(), client.channels.get(2, b"").decode(), str(status.get("message") or ""))


async def output_of(api: Api, pod: str, script: str, container: str = "") -> str:
    """What a shell there prints; it must succeed."""
    done = await execute(api, pod, ["/bin/sh", "-x", "-c", script], container)
    assert done.code == 0, done
    return done.output
