"""kube-apiserver as programs in pods meet it, at the endpoints of the Service `kubernetes`: HTTP over TLS, answered by the API server
itself, to which these are requests like any others. What it streams is gathered, for as long as a minute."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Generator, Mapping
from typing import Any, Protocol, cast

from controllers.kubelet.commands import world
from controllers.kubelet.commands.network import ClusterNetwork, Side
from controllers.kubelet.commands.programs import http
from controllers.kubelet.commands.programs.http import Request, Response
from controllers.kubelet.commands.programs.serving import received
from controllers.kubelet.commands.tls import TlsFailed, TlsSide, self_signed
from kctl.apimachinery.clock import Clock, timeout

HOST = "kube-apiserver"
_ANSWER_SECONDS = 60.0
_MOST_CONNECTIONS = 1_000
_OURS = frozenset({"content-length", "transfer-encoding", "connection"})


class ApiForPods(Protocol):
    def tls(self) -> ssl.SSLContext | None:
        """That of its port; None where it has none."""
        ...

    async def ask(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> tuple[int, Mapping[str, str], bytes]:
        """(status, headers, body) of the answer; who asks is told by the headers."""
        ...


class ApiServerPort:
    def __init__(self, network: ClusterNetwork, clock: Clock, api: ApiForPods, address: str, port: int) -> None:
        self._clock = clock
        self._api = api
        self._context = api.tls() or self_signed()
        self._serving: dict[asyncio.Task[None], asyncio.Event] = {}
        network.join(f"{HOST}/{address}:{port}", [address], "", self._arrived).listen(port, "TCP", self._accept)

    async def stop(self) -> None:
        tasks = list(self._serving)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _accept(self, connection: world.Connection) -> None:
        if len(self._serving) >= _MOST_CONNECTIONS:
            connection.close()
            return
        arrived = asyncio.Event()
        task = asyncio.get_running_loop().create_task(self._serve(cast(Side, connection), arrived))
        self._serving[task] = arrived
        task.add_done_callback(lambda done: self._serving.pop(done, None))

    def _arrived(self) -> None:
        for arrived in self._serving.values():
            arrived.set()

    async def _serve(self, side: Side, arrived: asyncio.Event) -> None:
        try:
            secured = TlsSide(side, self._context, server=True)
            await _driven(secured.handshake(), arrived)
            buffer = http.Buffer()
            while True:
                reading = received(http.read_request(buffer, side.peer), buffer, cast(world.Connection, secured))
                request: Request | None = await _driven(reading, arrived)
                if request is None:
                    return
                secured.write(http.encode_response(await self._answer(request), request, self._clock.now()))
                if not request.keeps_alive:
                    secured.finish()
                    return
        except (TlsFailed, http.BadMessage, BufferError, OSError):
            return  # it is gone, or speaks something else
        finally:
            side.close()

    async def _answer(self, request: Request) -> Response:
        headers = {name.lower(): value for name, value in request.headers}
        try:
            async with timeout(self._clock, _ANSWER_SECONDS):
                status, given, body = await self._api.ask(request.method, request.target, headers, request.body)
        except TimeoutError:
            return http.text("the answer to a program in a simulated pod is gathered, and this one has no end\n", 504)
        return Response(status, body, [(name, value) for name, value in given.items() if name.lower() not in _OURS])


async def _driven(task: Generator[Any, None, Any], arrived: asyncio.Event) -> Any:
    """To its end; it goes on when something has come."""
    while True:
        arrived.clear()
        try:
            next(task)
        except StopIteration as done:
            return done.value
        await arrived.wait()
