"""What the official conformance tests of nodes do with pods whose containers run something: wait for their end, read what they wrote,
run more in them. All of it through the API."""

from __future__ import annotations

import asyncio
import re
from typing import Any
from urllib.parse import urlencode

import orjson

from kctl.apimachinery import objects
from kctl.apimachinery.objects import Object
from kctl.apimachinery.user import ADMIN
from kctl.kube_apiserver.http import wire_request
from kctl.kube_apiserver.request_info import resolve
from kctl.kube_apiserver.response import UpgradeAnswer
from tests.conformance.suite import PODS, Suite, container, pod

BUSYBOX = "registry.k8s.io/e2e-test-images/busybox:1.37.0-1"
AGNHOST = "registry.k8s.io/e2e-test-images/agnhost:2.59"


def busybox(name: str, *command: str, **more: Any) -> Object:
    return container(name, BUSYBOX, **({"command": list(command)} if command else {}), **more)


def agnhost(name: str = "agnhost-container", *args: str, **more: Any) -> Object:
    """Its entry point with `args`."""
    return container(name, AGNHOST, **({"args": list(args)} if args else {}), **more)


def once(name: str, *containers: Object, **spec: Any) -> Object:
    """A pod that runs to its end."""
    return pod(name, restartPolicy="Never", containers=list(containers), **spec)


def phase_is(*phases: str) -> Any:
    return lambda made: objects.status(made).get("phase") in phases


async def log(e2e: Suite, name: str, container: str = "", **query: str) -> str:
    asked = urlencode({**({"container": container} if container else {}), **query})
    answer = await e2e.server.handle_raw("GET", f"{PODS}/{name}/log?{asked}", {}, None, {}, ADMIN)
    assert answer.status == 200, answer.body
    return answer.body.decode()


async def output(e2e: Suite, made: Object) -> str:
    """What the first container of a pod writes that must succeed; the pod is deleted then."""
    name = objects.name(made)
    await e2e.create(PODS, made)
    ended = await e2e.until(f"{PODS}/{name}", phase_is("Succeeded", "Failed"))
    written = await log(e2e, name, made["spec"]["containers"][0]["name"])
    assert ended["status"]["phase"] == "Succeeded", (written, ended["status"])
    await e2e.delete(f"{PODS}/{name}", gracePeriodSeconds=0)
    await e2e.gone(f"{PODS}/{name}")
    return written


async def writes(e2e: Suite, made: Object, *texts: str) -> None:
    """All of `texts` are in its output."""
    written = await output(e2e, made)
    assert [text for text in texts if text not in written] == [], written


async def matches(e2e: Suite, made: Object, *patterns: str) -> None:
    written = await output(e2e, made)
    assert [pattern for pattern in patterns if not re.search(pattern, written)] == [], written


class _Socket:
    """The connection of a WebSocket whose client only listens."""

    def __init__(self) -> None:
        self.messages: list[bytes] = []
        self.finished = asyncio.Event()

    async def receive(self) -> bytes:
        await self.finished.wait()
        return b""

    async def send(self, data: bytes) -> None:
        self.messages.append(data)

    async def finish(self) -> None:
        self.finished.set()


async def messages(e2e: Suite, target: str, protocol: str, seconds: float = 60.0) -> list[bytes]:
    """All that is sent over a WebSocket until the server ends it."""
    headers = {"connection": "Upgrade", "upgrade": "websocket", "sec-websocket-protocol": protocol}
    wire = wire_request("GET", target, headers)
    wire.user = ADMIN
    request = resolve(wire, e2e.server.registry)
    answer = await e2e.server.handle(request)
    assert isinstance(answer, UpgradeAnswer) and answer.subprotocol == protocol, answer
    socket = _Socket()
    serving = asyncio.ensure_future(answer.serve(socket))
    for _ in range(int(seconds * 10)):
        if serving.done():
            break
        await e2e.settle(0.1)
    serving.cancel()
    await asyncio.gather(serving, return_exceptions=True)
    request.answered()
    assert socket.finished.is_set(), socket.messages
    return socket.messages


async def execute(e2e: Suite, name: str, *command: str, container: str = "") -> tuple[int, str]:
    """Exit code and output (of both sorts) of a command in a container."""
    asked = [("stdout", "1"), ("stderr", "1"), *(("command", word) for word in command), *([("container", container)] if container else [])]
    sent = await messages(e2e, f"{PODS}/{name}/exec?{urlencode(asked)}", "v4.channel.k8s.io")
    status = orjson.loads(b"".join(each[1:] for each in sent if each[0] == 3))
    written = b"".join(each[1:] for each in sent if each[0] in (1, 2)).decode()
    if status["status"] == "Success":
        return 0, written
    assert status["reason"] == "NonZeroExitCode", status
    return int(status["details"]["causes"][0]["message"]), written
