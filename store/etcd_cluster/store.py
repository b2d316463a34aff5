"""The contract of store.etcd.Etcd on a real etcd cluster.

Revisions are etcd's own. Two things differ from the other stores, and nobody above can tell: all operations of one transaction have the
same revision (Kubernetes never writes two keys in one), and other processes write to the same keys, whose events have no tags.

A write is one transaction of etcd. It is answered when the feed, the one watch on everything, has brought its event to the listeners. An
event that arrives while a write to its key is under way waits for that write's answer, which tells whether the event is the write's own:
so each key has one write under way at a time, the others of this process queue up behind it.
"""

from __future__ import annotations

import asyncio
import contextlib
import heapq
import itertools
import logging
from collections.abc import AsyncIterator, Sequence
from typing import Any

from store import watch
from store.broadcaster import Broadcaster
from store.errors import Compacted, FutureRevision, ReadFailed, StoreClosed, StoreError, StoreLost, WriteFailed
from store.etcd import Listener, Subscription
from store.etcd_cluster import messages, past
from store.etcd_cluster.address import Address
from store.etcd_cluster.connection import PATIENCE, Connection, NoSuchRevision, Refused, Unanswered
from store.etcd_cluster.feed import CompactedAway, Feed, Layout, SameLayout, Scope
from store.etcd_cluster.owner import Member, Owner
from store.history import KeyState, judge
from store.types import Delete, Event, KeyValue, Operation, Put, RangeResult

log = logging.getLogger(__name__)

PAGE = 2000
"""Keys that are read in one request."""
ANCHOR_SECONDS = 0.1
"""How long an event is waited for that may never come, before one is made."""
_LARGEST_REVISION = 2**63 - 1


class _Write:
    """Under way: `answered` becomes the revision it got, 0 where it was refused or its outcome is unknown."""

    __slots__ = ("answered",)

    def __init__(self) -> None:
        self.answered: asyncio.Future[int] = asyncio.get_running_loop().create_future()


class EtcdClusterStore:
    """Keeps its keys in the cluster at `address`, under `namespace` (as etcd's own clients have namespaces), laid out by `layout`.
    `owner`: only one such process at a time; another one's `start` fails, and who was cut off too long writes no more. Whoever starts
    with the same words takes over at once. `sharing`: what others are told of this process, one of several; none of them is an owner.
    `patience`: seconds after which a call that no member has answered is given up."""

    def __init__(
        self,
        address: Address,
        *,
        namespace: str = "",
        layout: Layout | None = None,
        owner: str = "",
        sharing: str = "",
        patience: float = PATIENCE,
    ) -> None:
        self._patience = patience
        self._address = address
        self._scope = Scope(namespace, layout or SameLayout())
        self._broadcaster = Broadcaster()
        self._watches: set[watch.WatchBuffer] = set()
        self._revision = 0
        self._heard = 0
        """The last event's revision; less than `_revision` only before the first one came."""
        self._compacted = 0
        self._closed: StoreClosed | None = StoreClosed("the store is not started")
        self._failure = ""
        self._under_way: dict[str, _Write] = {}
        self._tags: dict[tuple[str, int], object] = {}
        self._waiting: list[tuple[int, int, asyncio.Future[None]]] = []
        self._order = itertools.count()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._lost = asyncio.Event()
        self._identity = owner
        self._owner: Owner | None = None
        self._sharing = sharing
        self._member: Member | None = None
        self._asking = asyncio.Lock()
        self._next_look: asyncio.Task[None] | None = None
        """For all who want to be current and came before it asks etcd."""

    @property
    def revision(self) -> int:
        return self._revision

    @property
    def compact_revision(self) -> int:
        return self._compacted

    @property
    def failure(self) -> str:
        return str(self._closed) if self._closed is not None else self._failure

    @property
    def shared(self) -> bool:
        return not self._identity

    # ---- opening and closing

    async def start(self) -> None:
        self._connection = Connection(self._address, self._patience)
        try:
            await self._connect()
        except StoreError as error:
            await self._connection.close()
            raise StoreError(f"{self._address}: {error}") from error
        self._feed = Feed(self._connection, self._scope, self._revision, self._deliver, self._trouble)
        self._background = [asyncio.create_task(self._follow())]
        if leased := self._owner or self._member:
            self._background.append(asyncio.create_task(leased.keep()))
        opening = asyncio.create_task(self._feed.open.wait())
        await asyncio.wait([opening, self._background[0]], return_when=asyncio.FIRST_COMPLETED)
        self._closed = None
        if not opening.done():
            opening.cancel()
            await self.close()
            raise StoreError(f"{self._address}: the history that begins at revision {self._revision} was compacted meanwhile; start again")

    async def _connect(self) -> None:
        status = await self._connection.call("Maintenance/Status", messages.StatusRequest(), messages.StatusResponse, repeatable=True)
        major, minor = (int(number) if number.isdecimal() else 0 for number in [*status.version.split("."), "0"][:2])
        if major != 3 or minor < 4:
            raise StoreError(f"etcd {status.version} is not supported: 3.4 or a later 3 is needed")
        if self._identity:
            self._owner = Owner(self._connection, self._scope.owner, self._scope.members, self._identity)
            await self._owner.take()
        elif self._sharing:
            self._member = Member(self._connection, self._scope.members, self._scope.owner, self._sharing)
            await self._member.take()
        asked = messages.RangeRequest(key=self._scope.start, range_end=self._scope.end, count_only=True)
        found = await self._connection.call("KV/Range", asked, messages.RangeResponse, repeatable=True)
        self._revision = found.header.revision
        self._compacted = await past.oldest_readable(self._connection, self._scope, self._revision)

    async def _follow(self) -> None:
        try:
            await self._feed.run()
        except CompactedAway as error:
            self._lose(f"{self._address} was out of reach for so long that changes are lost ({error}); start again")

    def _lose(self, why: str) -> None:
        if self._closed is None:
            self._shut(StoreLost(why))
            log.critical("%s", why)
            self._lost.set()

    async def lost(self) -> StoreError:
        await self._lost.wait()
        assert self._closed is not None
        return self._closed

    async def close(self) -> None:
        if self._closed is not None and not isinstance(self._closed, StoreLost):
            return
        await self.written()
        self._shut(StoreClosed("the store is closed"))
        for task in self._background:
            task.cancel()
        await asyncio.gather(*self._background, return_exceptions=True)
        if leased := self._owner or self._member:
            with contextlib.suppress(StoreError):
                await leased.give_up()
        await self._connection.close()

    def _shut(self, why: StoreClosed) -> None:
        self._closed = why
        for buffer in list(self._watches):
            buffer.close()
        waiting, self._waiting = self._waiting, []
        for _, _, future in waiting:
            if not future.done():
                future.set_exception(why)

    def _trouble(self, why: str) -> None:
        if why != self._failure:
            log.log(logging.ERROR if why else logging.WARNING, "%s: %s", self._address, why or "answers again")
        self._failure = why

    # ---- what happens

    async def _deliver(self, events: Sequence[Event]) -> None:
        for event in events:
            write = self._under_way.get(event.key_value.key)
            if write is not None and not write.answered.done():
                await asyncio.wait([write.answered])
        tags = self._tags
        tagged = [
            event._replace(tag=tags.pop((event.key_value.key, event.key_value.mod_revision), None)) if tags else event
            for event in events
            if event.key_value.key
        ]
        self._revision = self._heard = events[-1].key_value.mod_revision
        if tagged:
            self._broadcaster.publish(tagged)
        while self._waiting and self._waiting[0][0] <= self._revision:
            future = heapq.heappop(self._waiting)[2]
            if not future.done():
                future.set_result(None)

    async def _reach(self, revision: int) -> None:
        """Until listeners have heard of all up to `revision`."""
        if self._revision < revision:
            self._check_open()
            future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            heapq.heappush(self._waiting, (revision, next(self._order), future))
            await future

    async def _anchor(self, revision: int) -> None:
        """See to it that an event at or after `revision` has been heard: keys that are not ours may have moved etcd's revision."""
        if self._heard >= revision:
            return
        request = messages.TxnRequest(success=[messages.RequestOp(request_put=messages.PutRequest(key=self._scope.anchor, value=b""))])
        answer = await self._connection.call("KV/Txn", request, messages.TxnResponse, repeatable=True)
        await self._reach(answer.header.revision)

    # ---- writing

    async def create(self, key: str, value: bytes, *, tag: object = None) -> int:
        return (await self.transaction((Put(key, value, 0, tag),)))[0]

    async def update(self, key: str, value: bytes, mod_revision: int, *, tag: object = None) -> int:
        return (await self.transaction((Put(key, value, mod_revision, tag),)))[0]

    async def delete(self, key: str, mod_revision: int | None = None) -> int:
        return (await self.transaction((Delete(key, mod_revision),)))[0]

    async def transaction(self, operations: Sequence[Operation]) -> list[int]:
        """All of them get the same revision. Raises StoreError where a key is named twice, which etcd does not do."""
        self._check_open()
        keys = {operation.key for operation in operations}
        if len(keys) < len(operations):
            raise StoreError("duplicate key given in txn request")
        if not operations:
            return []
        task = asyncio.create_task(self._write(operations, keys))
        self._tasks.add(task)  # it goes on without a caller that has left
        task.add_done_callback(self._written)
        revision = await asyncio.shield(task)
        return [revision] * len(operations)

    async def written(self) -> bool:
        waited = bool(self._tasks)
        while self._tasks and self._closed is None:
            await asyncio.wait(self._tasks)
        return waited

    def _written(self, task: asyncio.Task[int]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()  # seen, whether or not a caller is left

    async def _write(self, operations: Sequence[Operation], keys: set[str]) -> int:
        under_way = self._under_way
        while busy := [under_way[key].answered for key in keys if key in under_way]:
            await asyncio.wait(busy[:1])
        write = _Write()
        under_way.update(dict.fromkeys(keys, write))
        revision = 0
        try:
            answer = await self._ask(operations)
            if answer.succeeded:
                revision = answer.header.revision
                for operation in operations:
                    if isinstance(operation, Put) and operation.tag is not None:
                        self._tags[operation.key, revision] = operation.tag
        finally:
            for key in keys:
                del under_way[key]
            write.answered.set_result(revision)
        try:
            async with asyncio.timeout(self._patience):
                if not revision:
                    await self._refuse(operations, answer)
                await self._reach(revision)
        except TimeoutError:
            raise WriteFailed("request timed out, waiting for the watch") from None
        return revision

    async def _ask(self, operations: Sequence[Operation]) -> Any:
        request = messages.TxnRequest(
            compare=[compare for operation in operations if (compare := self._compare(operation)) is not None],
            success=[self._operation(operation) for operation in operations],
            failure=[
                messages.RequestOp(request_range=messages.RangeRequest(key=self._scope.outside(operation.key))) for operation in operations
            ],
        )
        if self._owner is not None:
            request.compare.append(self._owner.compare())
            request.failure.append(self._owner.question())
        try:
            answer = await self._connection.call("KV/Txn", request, messages.TxnResponse, repeatable=False)
        except (Unanswered, Refused) as error:
            why = str(error).removeprefix("etcdserver: ")
            if not why.startswith("request is too large"):
                self._trouble(why)
            raise WriteFailed(why) from None
        if self._failure:
            self._trouble("")
        return answer

    def _compare(self, operation: Operation) -> Any:
        key, expected = self._scope.outside(operation.key), operation.mod_revision
        if expected is None:
            if isinstance(operation, Put):
                return None
            return messages.Compare(result=messages.GREATER, target=messages.CREATE, key=key, create_revision=0)
        if expected == 0:
            return messages.Compare(result=messages.EQUAL, target=messages.CREATE, key=key, create_revision=0)
        return messages.Compare(result=messages.EQUAL, target=messages.MOD, key=key, mod_revision=min(max(expected, -1), _LARGEST_REVISION))

    def _operation(self, operation: Operation) -> Any:
        key = self._scope.outside(operation.key)
        if isinstance(operation, Put):
            return messages.RequestOp(request_put=messages.PutRequest(key=key, value=operation.value))
        return messages.RequestOp(request_delete_range=messages.DeleteRangeRequest(key=key))

    async def _refuse(self, operations: Sequence[Operation], answer: Any) -> None:
        """Raise what the first operation that does not fit is refused with, once listeners have heard of what it lost against."""
        if self._owner is not None and self._owner.replaced(answer.responses[-1]):
            self._lose(f"{self._address} was out of reach for so long that another process may have taken over; start again")
            self._check_open()
        for operation, response in zip(operations, answer.responses, strict=False):
            stored = response.response_range.kvs
            state = KeyState(stored[0].create_revision, stored[0].mod_revision, stored[0].version) if stored else None
            try:
                judge(operation, state, 0)
            except StoreError:
                await (self._reach(state.mod_revision) if state else self._reach_or_anchor(answer.header.revision))
                raise
        raise WriteFailed("etcd refused what its own answer allows")

    async def current(self) -> None:
        self._check_open()
        if self._next_look is None:
            self._next_look = asyncio.create_task(self._look())
        try:
            async with asyncio.timeout(self._patience):
                await asyncio.shield(self._next_look)
        except TimeoutError:
            raise ReadFailed("request timed out") from None

    async def _look(self) -> None:
        """One question to etcd for all who came while the one before was under way."""
        async with self._asking:
            self._next_look = None
            asked = messages.RangeRequest(key=self._scope.anchor, count_only=True)
            revision = (await self._range(asked)).header.revision
        await self._reach_or_anchor(revision)

    async def _reach_or_anchor(self, revision: int) -> None:
        try:
            async with asyncio.timeout(ANCHOR_SECONDS):
                await self._reach(revision)
        except TimeoutError:
            await self._anchor(revision)

    # ---- reading

    def _check_open(self) -> None:
        if self._closed is not None:
            raise type(self._closed)(str(self._closed))

    def _check_readable(self, revision: int) -> None:
        self._check_open()
        if 0 < revision < self._compacted:
            raise Compacted(revision, self._compacted)

    async def get(self, key: str, *, revision: int = 0) -> KeyValue | None:
        self._check_readable(revision)
        answer = await self._range(messages.RangeRequest(key=self._scope.outside(key), revision=revision))
        return self._scope.key_value(answer.kvs[0]) if answer.kvs else None

    async def range(self, start: str, end: str, *, revision: int = 0, limit: int = 0, counted: bool = True) -> RangeResult:
        self._check_readable(revision)
        first, last = self._scope.outside(start), self._scope.outside_end(end)
        found: list[KeyValue] = []
        at, count, more = revision, 0, True
        while more and (not limit or len(found) < limit):
            size = min(limit - len(found), PAGE) if limit else PAGE
            answer = await self._range(messages.RangeRequest(key=first, range_end=last, limit=size, revision=at))
            if not found:
                at, count = at or answer.header.revision, answer.count
            found += [stored for stored in map(self._scope.key_value, answer.kvs) if stored.key]
            more = answer.more
            if answer.kvs:
                first = answer.kvs[-1].key + b"\0"
        return RangeResult(found, at, count if counted else len(found), more)

    async def _range(self, request: Any) -> Any:
        """Raises Compacted, FutureRevision, ReadFailed."""
        try:
            return await self._connection.call("KV/Range", request, messages.RangeResponse, repeatable=True)
        except NoSuchRevision as error:
            if not error.compacted:
                raise FutureRevision(request.revision, self._revision) from None
            await self._learn_compaction()
            raise Compacted(request.revision, self._compacted) from None
        except (Unanswered, Refused) as error:
            raise ReadFailed(str(error).removeprefix("etcdserver: ")) from None

    async def _learn_compaction(self) -> None:
        """Somebody else has compacted."""
        oldest = await past.oldest_readable(self._connection, self._scope, self._revision)
        self._compacted = max(self._compacted, oldest)

    def listen(self, prefix: str, listener: Listener) -> Subscription:
        return self._broadcaster.listen(prefix, listener)

    def watch(self, prefix: str, *, start_revision: int) -> AsyncIterator[Sequence[Event]]:
        return watch.follow(self._broadcaster, self._watches, prefix, start_revision, lambda: self._revision, self._read_history)

    async def history(self, prefix: str, *, start_revision: int, end_revision: int) -> Sequence[Event]:
        self._check_readable(end_revision)
        if end_revision > self._revision:  # perhaps etcd is there already
            await self._range(messages.RangeRequest(key=self._scope.start, revision=end_revision, count_only=True))
            await self._reach_or_anchor(end_revision)
        return await self._read_history(prefix, start_revision, end_revision)

    async def _read_history(self, prefix: str, first: int, last: int) -> Sequence[Event]:
        if first < self._compacted:
            raise Compacted(first, self._compacted)
        if first > last:
            return ()
        try:
            return await past.events_between(self._connection, self._scope, prefix, max(first, 1), last, self._anchor)
        except CompactedAway as error:
            self._compacted = max(self._compacted, error.compact_revision)
            raise Compacted(first, self._compacted) from None
        except (Unanswered, Refused) as error:
            raise ReadFailed(str(error).removeprefix("etcdserver: ")) from None

    async def compact(self, revision: int) -> None:
        """etcd forgets the event of the compacted revision if it is a deletion; so it is told to stop one earlier."""
        self._check_open()
        if revision > self._revision:
            raise FutureRevision(revision, self._revision)
        if revision < self._compacted:
            raise Compacted(revision, self._compacted)
        if revision > self._compacted and revision > 1:
            request = messages.CompactionRequest(revision=revision - 1)
            try:
                await self._connection.call("KV/Compact", request, messages.CompactionResponse, repeatable=True)
            except NoSuchRevision:
                pass  # another process, or this one before its connection broke, has done it
            except (Unanswered, Refused) as error:
                raise WriteFailed(str(error).removeprefix("etcdserver: ")) from None
        self._compacted = max(self._compacted, revision)
