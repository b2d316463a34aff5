"""The members of an etcd cluster, and calls that find one that answers.

Reads are tried on the next member until the deadline. A write is only tried again where it is certain that nobody has done it: no
connection was there to send it on, or a member without a leader refused it. Where the answer was lost the caller is told so (Unanswered).
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Sequence
from typing import Any

# gRPC would look after its threads in children that are forked, and ends those that only want to run another program.
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")

import grpc
import grpc.aio

from store.errors import StoreError
from store.etcd_cluster import messages
from store.etcd_cluster.address import Address

PATIENCE = 10.0
"""Seconds that all members together may take to answer; each has half of it."""
CONNECT_SECONDS = 1.0
PAUSE_SECONDS = 0.05
"""Before members that refused are asked again."""
_OPTIONS = [
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    # A partition sends no reset: ask after ten seconds of silence, also where nothing but the watch is open.
    ("grpc.keepalive_time_ms", 10_000),
    ("grpc.keepalive_timeout_ms", 5_000),
    ("grpc.http2.max_pings_without_data", 0),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 2_000),
    ("grpc.enable_retries", 0),
]
_NOT_DONE = ("etcdserver: no leader", "etcdserver: not leader", "etcdserver: too many requests", "etcdserver: server stopped")
"""Refusals of a member that has not passed the write on."""
_LOGGED_OUT = ("etcdserver: invalid auth token", "etcdserver: user name is empty", "etcdserver: revision of auth store is old")


class Unanswered(StoreError):
    """Nobody answered in time; where this was a write, it may have been done all the same."""


class Refused(StoreError):
    """A member refused, in these words of its own."""


class NoSuchRevision(StoreError):
    """A read at a revision that is compacted or not reached."""

    def __init__(self, message: str, compacted: bool) -> None:
        super().__init__(message)
        self.compacted = compacted


class Connection:
    """Calls to whichever member answers. All methods on one event loop; `close` ends what is open."""

    def __init__(self, address: Address, patience: float = PATIENCE) -> None:
        self.address = address
        self.patience = patience
        self._channels: dict[str, grpc.aio.Channel] = {}
        self._current = 0
        self._token = ""
        self._credentials = grpc.ssl_channel_credentials(*address.pem_files()) if address.tls else None

    async def close(self) -> None:
        channels, self._channels = list(self._channels.values()), {}
        for channel in channels:
            await channel.close()

    @property
    def member(self) -> str:
        return self.address.members[self._current % len(self.address.members)]

    def turn_away(self, member: str) -> None:
        """From a member that did not answer, unless somebody has already."""
        if member == self.member:
            self._current += 1

    def _channel(self, member: str) -> grpc.aio.Channel:
        found = self._channels.get(member)
        if found is None:
            if self._credentials is None:
                found = grpc.aio.insecure_channel(member, options=_OPTIONS)
            else:
                found = grpc.aio.secure_channel(member, self._credentials, options=_OPTIONS)
            self._channels[member] = found
        return found

    async def _ready(self, member: str) -> grpc.aio.Channel | None:
        """Its channel, if it is connected or is so within a second."""
        channel = self._channel(member)
        if channel.get_state(try_to_connect=True) is grpc.ChannelConnectivity.READY:
            return channel
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                await channel.channel_ready()
        except TimeoutError:
            return None
        return channel

    async def call(self, path: str, request: Any, answer: Any, *, repeatable: bool) -> Any:
        """The answer to `request`, of the message class `answer`, from /etcdserverpb.`path`. `repeatable`: doing it twice is like doing
        it once. Raises Unanswered, NoSuchRevision, Refused."""
        give_up = time.monotonic() + self.patience
        why = ""
        while True:
            member = self.member
            channel = await self._ready(member)
            if channel is None:
                why = f"no connection to {member}"
            else:
                try:
                    return await self._send(channel, path, request, answer)
                except grpc.aio.AioRpcError as error:
                    why = error.details() or error.code().name
                    if not await self._again(channel, error, why, repeatable):
                        raise _translated(error, why) from None
            self.turn_away(member)
            if time.monotonic() > give_up:
                raise Unanswered(why) if repeatable else Refused(why)
            await asyncio.sleep(PAUSE_SECONDS)

    async def _send(self, channel: grpc.aio.Channel, path: str, request: Any, answer: Any) -> Any:
        call = channel.unary_unary(
            f"/etcdserverpb.{path}", request_serializer=type(request).SerializeToString, response_deserializer=answer.FromString
        )
        if self.address.user and not self._token and path != "Auth/Authenticate":
            await self._log_in(channel)
        return await call(request, timeout=self.patience / 2, metadata=self.metadata())

    async def call_stream(self, path: str, request: Any, answer: Any) -> Any:
        """One question on a stream of questions and its answer. Raises Unanswered, Refused."""
        _, channel = await self._stream_channel()
        stream = channel.stream_stream(
            f"/etcdserverpb.{path}", request_serializer=type(request).SerializeToString, response_deserializer=answer.FromString
        )(timeout=self.patience / 2, metadata=self.metadata())
        try:
            await stream.write(request)
            told = await stream.read()
        except grpc.aio.AioRpcError as error:
            why = error.details() or error.code().name
            self.doubt(why)
            raise _translated(error, why) from None
        finally:
            stream.cancel()
        if told is grpc.aio.EOF:
            raise Unanswered("the stream ended")
        return told

    async def _again(self, channel: grpc.aio.Channel, error: grpc.aio.AioRpcError, why: str, repeatable: bool) -> bool:
        """Whether to try once more: on another member, or logged in anew."""
        if self.doubt(why):
            return True
        if error.code() not in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED):
            return False
        return repeatable or why.startswith(_NOT_DONE)

    async def _log_in(self, channel: grpc.aio.Channel) -> None:
        asked = messages.AuthenticateRequest(name=self.address.user, password=self.address.password)
        self._token = (await self._send(channel, "Auth/Authenticate", asked, messages.AuthenticateResponse)).token

    def doubt(self, why: str) -> bool:
        """Whether this says that the login is no longer good: tokens end after minutes, and with the member that gave them. The next call
        logs in anew."""
        if self._token and any(words in why for words in _LOGGED_OUT):
            self._token = ""
            return True
        return False

    def metadata(self, *more: tuple[str, str]) -> Sequence[tuple[str, str]]:
        return [*more, ("token", self._token)] if self._token else list(more)

    async def watch(self) -> tuple[str, Any]:
        """A new stream of watches, and the member it is on, which must have a leader. Raises Unanswered."""
        member, channel = await self._stream_channel()
        stream = channel.stream_stream(
            "/etcdserverpb.Watch/Watch",
            request_serializer=messages.WatchRequest.SerializeToString,
            response_deserializer=messages.WatchResponse.FromString,
        )
        return member, stream(metadata=self.metadata(("hasleader", "true")))

    async def _stream_channel(self) -> tuple[str, grpc.aio.Channel]:
        """The present member and a channel to it, logged in. Raises Unanswered, Refused."""
        member = self.member
        channel = await self._ready(member)
        if channel is None:
            self.turn_away(member)
            raise Unanswered(f"no connection to {member}")
        if self.address.user and not self._token:
            try:
                await self._log_in(channel)
            except grpc.aio.AioRpcError as error:
                raise _translated(error, error.details() or error.code().name) from None
        return member, channel


def _translated(error: grpc.aio.AioRpcError, why: str) -> StoreError:
    code = error.code()
    if code is grpc.StatusCode.OUT_OF_RANGE and "revision" in why:
        return NoSuchRevision(why, "compacted" in why)
    if code in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.CANCELLED):
        return Unanswered(why)
    return Refused(why)
