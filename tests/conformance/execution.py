"""Commands in containers, as a client of the API runs them: an upgraded request of the exec subresource, without the socket."""

from __future__ import annotations

import asyncio
from urllib.parse import urlencode

import orjson

from kctl.apimachinery.user import ADMIN
from kctl.kube_apiserver.http import wire_request
from kctl.kube_apiserver.request_info import resolve
from kctl.kube_apiserver.response import UpgradeAnswer
from tests.conformance.suite import PODS, Suite

_HEADERS = {"connection": "Upgrade", "upgrade": "websocket", "sec-websocket-protocol": "v5.channel.k8s.io"}
_OUT, _ERROR_OUT, _STATUS = 1, 2, 3


class _Collected:
    """The client's side: says nothing, keeps what comes by channel."""

    def __init__(self) -> None:
        self.channels: dict[int, bytearray] = {_OUT: bytearray(), _ERROR_OUT: bytearray(), _STATUS: bytearray()}
        self._over = asyncio.Event()

    async def receive(self) -> bytes:
        await self._over.wait()
        return b""

    async def send(self, data: bytes) -> None:
        self.channels.setdefault(data[0], bytearray()).extend(data[1:])

    async def finish(self) -> None:
        self._over.set()


async def run(e2e: Suite, pod: str, container: str, *command: str) -> tuple[int, str, str]:
    """Exit code, standard output, standard error."""
    query = [("container", container), ("stdout", "true"), ("stderr", "true"), *(("command", word) for word in command)]
    wire = wire_request("GET", f"{PODS}/{pod}/exec?{urlencode(query)}", dict(_HEADERS))
    wire.raw_body, wire.user = b"", ADMIN
    answer = await e2e.server.handle(resolve(wire, e2e.server.registry))
    assert isinstance(answer, UpgradeAnswer), answer
    collected = _Collected()
    await answer.serve(collected)
    out, error_out, status = (bytes(collected.channels[channel]) for channel in (_OUT, _ERROR_OUT, _STATUS))
    told = orjson.loads(status)
    return _code(told), out.decode(), error_out.decode()


def _code(status: dict[str, object]) -> int:
    if status["status"] == "Success":
        return 0
    details = status.get("details")
    causes = details["causes"] if isinstance(details, dict) and status.get("reason") == "NonZeroExitCode" else []
    codes = [int(cause["message"]) for cause in causes if cause["reason"] == "ExitCode"]
    assert codes, status
    return codes[0]


async def execute(e2e: Suite, pod: str, container: str, *command: str) -> str:
    """The output of a command that must succeed, without white space around it (as the official tests take it)."""
    code, out, error_out = await run(e2e, pod, container, *command)
    assert code == 0, (command, code, out, error_out)
    return out.strip()
