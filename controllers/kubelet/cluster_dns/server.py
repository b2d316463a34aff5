"""kube-dns: answers at a loopback address, by UDP and TCP, what the cluster's caches know.

An answer by UDP is made once and then sent again, with another id, to everybody who asks the same until something changes. Who asks much
waits in the socket's buffer, whose end the kernel drops: a turn of the event loop answers for a few milliseconds.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
from collections.abc import Coroutine
from typing import Any

from controllers.kubelet.cluster_dns import message
from controllers.kubelet.cluster_dns.message import NAMES_OF_TYPES, Answer, Malformed, Query
from controllers.kubelet.cluster_dns.upstream import TooMany, Upstream
from controllers.kubelet.cluster_dns.zone import ClusterZone, Elsewhere, Names
from kctl.apimachinery.clock import Clock, timeout

PORT = 53
MOST_CONNECTIONS = 256
"""By TCP, at once."""
IDLE_SECONDS = 10.0
LONGEST_QUERY = 4_096
_LONGEST_ANSWER = 65_535
_MOST_KEPT = 4_096
_KEPT_ORDERS = 8
"""In how many orders an answer with several addresses is kept."""
_TURN_SECONDS, _TURN_QUERIES = 0.005, 64
_BUFFER_BYTES = 1024 * 1024


class ClusterDns:
    """Listens at `address`, which is one of 127.0.0.0/8. `clock` is the machine's."""

    def __init__(self, clock: Clock, names: Names, address: str, upstream: Upstream, randomness: random.Random, port: int = PORT) -> None:
        self._clock = clock
        self.address = address
        self.port = port
        self._zone = ClusterZone(names, address, lambda: self._changes, randomness)
        self._upstream = upstream
        self._changes = 1
        self._kept: dict[bytes, tuple[list[bytes], int]] = {}
        """Queries without their ids > answers without theirs, sent in turn, and how many these are."""
        self._turn = 0
        self._datagrams: socket.socket | None = None
        self._server: asyncio.Server | None = None
        self._work: dict[asyncio.Task[None], None] = {}
        self._connections = 0

    @property
    def listening(self) -> bool:
        return self._datagrams is not None

    def changed(self) -> None:
        """What the names are made of is another."""
        self._changes += 1
        self._kept.clear()

    async def start(self) -> None:
        """Raises OSError where the port cannot be had. With port 0 a free one is taken."""
        datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            datagrams.setblocking(False)
            datagrams.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER_BYTES)
            datagrams.bind((self.address, self.port))
            self.port = datagrams.getsockname()[1]
            self._server = await asyncio.start_server(self._connected, self.address, self.port, backlog=MOST_CONNECTIONS)
        except OSError:
            datagrams.close()
            raise
        self._datagrams = datagrams
        asyncio.get_running_loop().add_reader(datagrams.fileno(), self._readable, datagrams)

    async def stop(self) -> None:
        datagrams, self._datagrams = self._datagrams, None
        if datagrams is not None:
            asyncio.get_running_loop().remove_reader(datagrams.fileno())
            datagrams.close()
        if self._server is not None:
            self._server.close()
            self._server = None
        for task in list(self._work):
            task.cancel()
        await asyncio.gather(*self._work, return_exceptions=True)

    # ---- UDP

    def _readable(self, datagrams: socket.socket) -> None:
        time = asyncio.get_running_loop().time
        until = time() + _TURN_SECONDS
        kept = self._kept
        for _ in range(_TURN_QUERIES):
            try:
                data, client = datagrams.recvfrom(LONGEST_QUERY + 1)
            except OSError:  # nothing more, or what could not be delivered to somebody before
                return
            known = kept.get(data[2:])
            if known is not None:
                orders, made = known
                self._turn += 1
                self._send(data[:2] + orders[self._turn % made], client)
                continue
            self._receive(data, client)
            if time() > until:
                return

    def _send(self, answer: bytes, client: Any) -> None:
        """A client that is gone, or that does not read, gets none."""
        if self._datagrams is not None:
            with contextlib.suppress(OSError):
                self._datagrams.sendto(answer, client)

    def _receive(self, data: bytes, client: Any) -> None:
        if not message.is_query(data):
            return
        try:
            if len(data) > LONGEST_QUERY:
                raise Malformed
            query = message.parse(data)
        except Malformed:
            self._send(message.format_error(data), client)
            return
        try:
            answer = self._answer(query)
        except Elsewhere as elsewhere:
            self._spawn(self._ask_for(query, data, elsewhere, client))
            return
        encoded = message.encode(query, answer, query.udp_bytes)
        self._send(encoded, client)
        self._keep(data, query, answer, encoded)

    def _keep(self, data: bytes, query: Query, answer: Answer, encoded: bytes) -> None:
        if len(self._kept) >= _MOST_KEPT:
            self._kept.clear()
        orders = [encoded[2:]]
        several = [record for record in answer.answers if record.type in ("A", "AAAA")]
        if len(several) > 1:
            for _ in range(min(len(several), _KEPT_ORDERS) - 1):
                orders.append(message.encode(query, self._answer(query), query.udp_bytes)[2:])
        self._kept[data[2:]] = orders, len(orders)

    async def _ask_for(self, query: Query, data: bytes, elsewhere: Elsewhere, client: Any) -> None:
        answer = await self._elsewhere(query, data, elsewhere, tcp=False)
        self._send(answer if len(answer) <= query.udp_bytes else message.shortened(query, answer), client)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._work[task] = None
        task.add_done_callback(self._work.pop)

    # ---- TCP

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Questions are answered one after another, until none has come for a while."""
        task = asyncio.current_task()
        assert task is not None
        self._work[task] = None
        self._connections += 1
        try:
            while self._connections <= MOST_CONNECTIONS:
                async with timeout(self._clock, IDLE_SECONDS):
                    length = int.from_bytes(await reader.readexactly(2), "big")
                    if length > LONGEST_QUERY:
                        return
                    data = await reader.readexactly(length)
                    answer = await self._reply(data)
                    if answer is None:
                        return
                    writer.write(len(answer).to_bytes(2, "big") + answer)
                    await writer.drain()
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            return  # the client, the time it has, or this server ends
        finally:
            self._connections -= 1
            del self._work[task]
            writer.close()

    async def _reply(self, data: bytes) -> bytes | None:
        if not message.is_query(data):
            return None
        try:
            query = message.parse(data)
        except Malformed:
            return message.format_error(data)
        try:
            return message.encode(query, self._answer(query), _LONGEST_ANSWER)
        except Elsewhere as elsewhere:
            return await self._elsewhere(query, data, elsewhere, tcp=True)

    # ---- both

    def _answer(self, query: Query) -> Answer:
        """Raises Elsewhere."""
        if query.opcode != 0:
            return Answer(message.NOTIMP, authoritative=False)
        if query.edns > 0:
            return Answer(message.BADVERS, authoritative=False)
        if query.kind != message.IN or query.is_transfer:
            return Answer(message.REFUSED, authoritative=False)
        return self._zone.answer(query.name, NAMES_OF_TYPES.get(query.type, ""))

    async def _elsewhere(self, query: Query, data: bytes, elsewhere: Elsewhere, *, tcp: bool) -> bytes:
        asked, sent = query, data
        if elsewhere.before:
            asked, sent = message.question(query, elsewhere.name)
        try:
            found = await self._upstream.ask(asked, sent, tcp=tcp)
        except TooMany:
            return message.encode(query, Answer(message.REFUSED, authoritative=False), query.udp_bytes)
        if found is None:
            return message.encode(query, Answer(message.SERVFAIL, elsewhere.before, authoritative=False), query.udp_bytes)
        if not elsewhere.before:
            return found
        rcode = found[3] & 0xF
        records = [*elsewhere.before, *message.addresses_in(found)]
        return message.encode(query, Answer(rcode, records), _LONGEST_ANSWER if tcp else query.udp_bytes)
