"""One run of kctl: its streams, global flags, configuration and, when a command asks for it, its connection.

Everything is made on first use: `kctl config view` never opens a socket, `kctl get pods` never reads a schema.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, NamedTuple, TextIO

from kctl.cli.errors import CommandError

if TYPE_CHECKING:
    from datetime import datetime

    from kctl.client.client import Client
    from kctl.client.discovery import RESTMapper
    from kctl.client.kubeconfig import Kubeconfig, ResolvedConfig


class Streams(NamedTuple):
    """Where a command reads and writes; tests pass their own."""

    out: TextIO
    err: TextIO
    input: TextIO

    @classmethod
    def standard(cls) -> Streams:
        return cls(sys.stdout, sys.stderr, sys.stdin)


class Session:
    """`program` is the command as typed ('kctl get'); `changed` the flags given on the command line, by parameter name;
    `dash` how many arguments came before `--` (-1 without one); `blocking` is set while a command runs without an event
    loop, over the blocking transport."""

    def __init__(self, streams: Streams | None = None, now: Callable[[], datetime] | None = None) -> None:
        self.streams = streams or Streams.standard()
        self._now = now
        self.program = "kctl"
        self.changed: set[str] = set()
        self.dash = -1
        self.embedded = False
        self.blocking = False
        self.flags: dict[str, Any] = {}
        self.warned: set[str] = set()
        self._kubeconfig: Kubeconfig | None = None
        self._configuration: ResolvedConfig | None = None
        self._client: Client | None = None
        self._mapper: RESTMapper | None = None

    def accept(self, global_flags: dict[str, Any], changed: set[str], dash: int) -> None:
        """Called by the command that has parsed the line."""
        self.flags.update(global_flags)
        self.changed = changed
        self.dash = dash

    def now(self) -> datetime:
        """Wall time, UTC."""
        if self._now is not None:
            return self._now()
        from datetime import UTC, datetime

        return datetime.now(UTC)

    @property
    def verbosity(self) -> int:
        return int(self.flags.get("v") or 0)

    def print(self, text: str) -> None:
        self.streams.out.write(text + "\n")

    def write(self, text: str) -> None:
        self.streams.out.write(text)

    def error(self, text: str) -> None:
        """A line on stderr."""
        self.streams.err.write(text + "\n")

    def warn(self, text: str) -> None:
        """A warning of the server, once each, as client-go's deduplicating writer."""
        if text not in self.warned:
            self.warned.add(text)
            self.error(f"Warning: {text}")

    @property
    def kubeconfig(self) -> Kubeconfig:
        """The merged kubeconfig, empty where there is none."""
        if self._kubeconfig is None:
            from kctl.cli.connection import load_kubeconfig

            self._kubeconfig = load_kubeconfig(self.flags)
        return self._kubeconfig

    @property
    def configuration(self) -> ResolvedConfig:
        if self._configuration is None:
            from kctl.cli.connection import resolve_configuration

            self._configuration = resolve_configuration(self)
        return self._configuration

    @configuration.setter
    def configuration(self, value: ResolvedConfig) -> None:
        self._configuration = value

    @property
    def namespace(self) -> str:
        """The namespace a command works in: -n, else the context's, else default."""
        return self.configuration.namespace

    @property
    def namespace_is_explicit(self) -> bool:
        """Whether -n was given: objects of another namespace are then an error."""
        return self.configuration.namespace_is_explicit

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

    def check_warnings(self) -> None:
        """--warnings-as-errors: after the command has done its work."""
        if self.warned and self.flags.get("warnings_as_errors"):
            count = len(self.warned)
            raise CommandError(f"{count} {'warning' if count == 1 else 'warnings'} received")


async def _match_version(client: Client) -> None:
    """--match-server-version"""
    import orjson

    from kctl.apimachinery.kubernetes_version import KUBERNETES_VERSION

    response = await client.transport.raw("GET", "/version")
    found = orjson.loads(response.body) if response.status == 200 else {}
    if found.get("gitVersion") != KUBERNETES_VERSION:
        raise CommandError(f"server version ({found.get('gitVersion', 'unknown')}) differs from client version ({KUBERNETES_VERSION})")
