"""One run of kctl with its connection, when a command asks for it.

Everything is made on first use: `kctl config view` never opens a socket, `kctl get pods` never reads a schema.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

from kctl.cli.errors import CommandError
from kctl.cli.invocation import Invocation, Streams

if TYPE_CHECKING:
    from datetime import datetime

    from kctl.client.client import Client
    from kctl.client.discovery import RESTMapper

__all__ = ["Session", "Streams"]


class Session(Invocation):
    """What a command is given."""

    def __init__(self, streams: Streams | None = None, now: Callable[[], datetime] | None = None) -> None:
        super().__init__(streams, now)
        self._client: Client | None = None
        self._mapper: RESTMapper | None = None

    async def client(self) -> Client:
        if self._client is None:
            from kctl.cli.connection import connect
            from kctl.client.client import Client

            self._client = Client(await connect(self))
            if self.flags.get("match_server_version"):
                await _match_version(self._client)
        return self._client

    async def mapper(self) -> RESTMapper:
        if self._mapper is None:
            from kctl.cli.connection import discovery_cache
            from kctl.client.discovery import RESTMapper

            transport = (await self.client()).transport
            self._mapper = RESTMapper(transport, discovery_cache(self))
        return self._mapper

    async def close(self) -> None:
        if self._client is not None:
            await self._client.close()
            self._client = None

    def run(self, work: Coroutine[Any, Any, Any], *, blocking: bool = False) -> Any:
        """Run a command's coroutine to its end and close what it opened. A command that says it waits for nothing but the
        API server (`blocking`) needs no event loop, unless that server is in this process."""
        from kctl.cli.connection import needs_event_loop

        self.blocking = blocking and not needs_event_loop(self)
        if not self.blocking:
            import asyncio

            return asyncio.run(self._closing(work))
        try:
            self._closing(work).send(None)
        except StopIteration as end:
            return end.value
        raise AssertionError("a command marked blocking waited for an event loop")

    async def _closing(self, work: Coroutine[Any, Any, Any]) -> Any:
        try:
            return await work
        finally:
            await self.close()


async def _match_version(client: Client) -> None:
    """--match-server-version"""
    import orjson

    from kctl.apimachinery.kubernetes_version import KUBERNETES_VERSION

    response = await client.transport.raw("GET", "/version")
    server = orjson.loads(response.body) if response.status == 200 else {}
    if server.get("gitVersion") != KUBERNETES_VERSION:
        raise CommandError(f"server version ({server.get('gitVersion', 'unknown')}) differs from client version ({KUBERNETES_VERSION})")
