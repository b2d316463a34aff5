"""Who works with the keys of an etcd cluster: one process alone (`Owner`), or several that know of each other (`Member`), never both.

An owner has a key with a lease, which every write of its is conditional on.

A process that is cut off from etcd cannot know whether another has taken over; so it is not asked to. Its writes fail where the key is no
longer the one it made.
"""

from __future__ import annotations

import asyncio
import os
from typing import Any

from store.errors import StoreError
from store.etcd_cluster import messages
from store.etcd_cluster.connection import Connection

SECONDS = 10
"""How long a process that was killed keeps others out."""
_PAUSE_SECONDS = 0.25


class InUse(StoreError):
    """Another process works with these keys."""


class _Leased:
    """A process that is known to etcd by a lease."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._lease = 0

    async def _grant(self) -> None:
        granted = await self._call("Lease/LeaseGrant", messages.LeaseGrantRequest(TTL=SECONDS), messages.LeaseGrantResponse)
        self._lease = granted.ID

    async def keep(self) -> None:
        """Renew the lease, until cancelled. Members of etcd that do not answer are asked again: whether it is too late, the next write
        tells."""
        while True:
            await asyncio.sleep(SECONDS / 4)
            try:
                await self.renew()
            except StoreError:
                continue

    async def renew(self) -> None:
        """Raises StoreError where nobody answers."""
        await self._connection.call_stream(
            "Lease/LeaseKeepAlive", messages.LeaseKeepAliveRequest(ID=self._lease), messages.LeaseKeepAliveResponse
        )

    async def give_up(self) -> None:
        """What is attached to the lease goes with it."""
        if self._lease:
            await self._call("Lease/LeaseRevoke", messages.LeaseRevokeRequest(ID=self._lease), messages.LeaseRevokeResponse)

    async def _stored(self, key: bytes, end: bytes = b"") -> Any:
        request = messages.RangeRequest(key=key, range_end=end, limit=1)
        return (await self._call("KV/Range", request, messages.RangeResponse)).kvs

    async def _call(self, path: str, request: Any, answer: Any) -> Any:
        return await self._connection.call(path, request, answer, repeatable=True)


class Member(_Leased):
    """One of several processes. Each says that it is there before it looks for an owner, and an owner takes its key before it looks for
    members: of two that come at the same moment at least one sees the other."""

    def __init__(self, connection: Connection, members: bytes, owner: bytes, identity: str) -> None:
        super().__init__(connection)
        self._members, self._owner = members, owner
        self._identity = identity

    async def take(self) -> None:
        """Raises InUse where one process has the keys for itself."""
        await self._grant()
        value = f"process {os.getpid()} of {self._identity}".encode()
        put = messages.PutRequest(key=self._members + str(self._lease).encode(), value=value, lease=self._lease)
        request = messages.TxnRequest(success=[messages.RequestOp(request_put=put)])
        await self._call("KV/Txn", request, messages.TxnResponse)
        stored = await self._stored(self._owner)
        if stored:
            await self.give_up()
            raise InUse(f"in use by {stored[0].value.decode(errors='replace')}, which does not share it")


class Owner(_Leased):
    """`identity` says whose the key is. Who has the same one takes it over at once: it knows by other means that nobody else lives."""

    def __init__(self, connection: Connection, key: bytes, members: bytes, identity: str) -> None:
        super().__init__(connection)
        self._key, self._members = key, members
        self._identity = identity
        self._revision = 0

    async def take(self) -> None:
        """Waits for the lease of an owner that does not renew it. Raises InUse."""
        await self._grant()
        value = f"process {os.getpid()} of {self._identity}".encode()
        put = messages.PutRequest(key=self._key, value=value, lease=self._lease)
        request = messages.TxnRequest(
            compare=[messages.Compare(result=messages.EQUAL, target=messages.CREATE, key=self._key, create_revision=0)],
            success=[messages.RequestOp(request_put=put)],
            failure=[messages.RequestOp(request_range=messages.RangeRequest(key=self._key))],
        )
        left = SECONDS + 1
        for _ in range(round((SECONDS + 5) / _PAUSE_SECONDS)):
            answer = await self._connection.call("KV/Txn", request, messages.TxnResponse, repeatable=True)
            if answer.succeeded or (mine := self._mine(answer)):
                self._revision = answer.header.revision if answer.succeeded else mine
                await self._refuse_members()
                return
            await self._take_over(answer)
            before, left = left, await self._left(answer)
            if left > before:  # it has been renewed: its owner lives
                break
            await self.renew()
            await asyncio.sleep(_PAUSE_SECONDS)
        stored = answer.responses[0].response_range.kvs
        await self.give_up()
        raise InUse(f"in use by {stored[0].value.decode(errors='replace') if stored else 'another process'}")

    async def _refuse_members(self) -> None:
        stored = await self._stored(self._members, self._members[:-1] + b"0")
        if stored:
            await self.give_up()
            raise InUse(f"shared by {stored[0].value.decode(errors='replace')}")

    async def _take_over(self, answer: Any) -> None:
        """From a process of the same identity: its key goes."""
        stored = answer.responses[0].response_range.kvs
        if stored and stored[0].value.decode(errors="replace").partition(" of ")[2] == self._identity:
            condition = messages.Compare(result=messages.EQUAL, target=messages.MOD, key=self._key, mod_revision=stored[0].mod_revision)
            gone = messages.RequestOp(request_delete_range=messages.DeleteRangeRequest(key=self._key))
            await self._call("KV/Txn", messages.TxnRequest(compare=[condition], success=[gone]), messages.TxnResponse)

    async def _left(self, answer: Any) -> int:
        """Seconds that the owner's lease has left; 0 where it is gone."""
        stored = answer.responses[0].response_range.kvs
        if not stored:
            return 0
        asked = messages.LeaseTimeToLiveRequest(ID=stored[0].lease)
        return int((await self._call("Lease/LeaseTimeToLive", asked, messages.LeaseTimeToLiveResponse)).TTL)

    def _mine(self, answer: Any) -> int:
        """The key's revision, where the answer to the request that made it was lost."""
        stored = answer.responses[0].response_range.kvs
        return int(stored[0].create_revision) if stored and stored[0].lease == self._lease else 0

    def compare(self) -> Any:
        """What a write of the owner's is conditional on."""
        return messages.Compare(result=messages.EQUAL, target=messages.CREATE, key=self._key, create_revision=self._revision)

    def question(self) -> Any:
        """For the answer to a write that was refused."""
        return messages.RequestOp(request_range=messages.RangeRequest(key=self._key))

    def replaced(self, response: Any) -> bool:
        """Whether that answer says that somebody else is the owner now, or nobody."""
        stored = response.response_range.kvs
        return not stored or stored[0].create_revision != self._revision
