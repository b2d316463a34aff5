"""Questions about other names, passed on to the machine's resolvers: one after another, each on a socket of its own, so that who wants to
forge an answer has to guess a port as well as an id."""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
from collections.abc import Callable, Sequence

from controllers.kubelet.cluster_dns.message import Query, answers_to
from kctl.apimachinery.clock import Clock, timeout

SERVER_SECONDS, WHOLE_SECONDS = 2.0, 5.0
MOST_AT_ONCE = 1_000
"""As kubeadm's Corefile has it (max_concurrent)."""
_PORT = 53
_LONGEST = 65_535


class TooMany(Exception):
    """Are being asked at this moment."""


class Upstream:
    """`servers` gives (address, port) of whom to ask, as they are now; `clock` is the machine's."""

    def __init__(self, clock: Clock, servers: Callable[[], Sequence[tuple[str, int]]], randomness: random.Random) -> None:
        self._clock = clock
        self._servers = servers
        self._randomness = randomness
        self._asking = 0

    async def ask(self, query: Query, data: bytes, *, tcp: bool) -> bytes | None:
        """The answer to `data`, with its id; None where nobody answers. Raises TooMany."""
        if self._asking >= MOST_AT_ONCE:
            raise TooMany
        self._asking += 1
        try:
            async with timeout(self._clock, WHOLE_SECONDS):
                for server in self._servers():
                    with contextlib.suppress(OSError):
                        async with timeout(self._clock, SERVER_SECONDS):
                            return data[:2] + (await self._ask(server, query, data, tcp=tcp))[2:]
        except TimeoutError:
            return None
        finally:
            self._asking -= 1
        return None

    async def _ask(self, server: tuple[str, int], query: Query, data: bytes, *, tcp: bool) -> bytes:
        """Raises OSError."""
        loop = asyncio.get_running_loop()
        id = self._randomness.getrandbits(16)
        sent = id.to_bytes(2, "big") + data[2:]
        family = socket.AF_INET6 if ":" in server[0] else socket.AF_INET
        with socket.socket(family, socket.SOCK_STREAM if tcp else socket.SOCK_DGRAM) as connection:
            connection.setblocking(False)
            await loop.sock_connect(connection, server)
            await loop.sock_sendall(connection, len(sent).to_bytes(2, "big") + sent if tcp else sent)
            while True:
                answer = await _framed(loop, connection) if tcp else await loop.sock_recv(connection, _LONGEST)
                if answers_to(query, id, answer):
                    return answer
                if tcp:
                    raise ConnectionResetError


async def _framed(loop: asyncio.AbstractEventLoop, connection: socket.socket) -> bytes:
    received = b""
    while len(received) < 2 or len(received) < 2 + int.from_bytes(received[:2], "big"):
        data = await loop.sock_recv(connection, _LONGEST)
        if not data:
            raise ConnectionResetError
        received += data
    return received[2 : 2 + int.from_bytes(received[:2], "big")]


def of_addresses(addresses: Sequence[str], own: str) -> list[tuple[str, int]]:
    """The servers at those addresses; not this one itself, which would ask itself for ever."""
    return [(address, _PORT) for address in addresses if address != own]
