"""The seam between kube-apiserver and its database: etcd's contract as one Protocol.

Three implementations keep it: SQLite (the default), memory (tests), a real etcd cluster. The contract is
these docstrings; `tests/contract/test_store_contract.py` runs the same suite on each.

General rules
- Revisions are one sequence of integers for the whole store, starting at 1; every *committed operation* gets the
  next revision, including each operation of a transaction of several. (etcd gives a transaction one revision;
  Kubernetes never writes two keys in one, so nobody above can tell.) A rejected operation takes none.
- Nothing is answered or published before it is durable.
- A write that cannot be made durable raises WriteFailed and leaves no trace: what can be read is what was committed, revisions go on
  from there, and the next write is tried like any other. Where the disk's own answer was lost (EIO), the write may turn out to
  be stored; then listeners hear of it like of any other, later.
- Order: when a write's await returns, every listener has already been called with its event. So who reads his own
  writes from a cache fed by a listener always finds them.
- A refused write (KeyExists, KeyNotFound, Conflict) is answered only when listeners have heard of what it lost against. So whoever
  reads again from such a cache and tries again makes progress and does not spin.
- Tags: the live event of a write carries the tag of its `Put` (the same thing, not a copy), so a listener knows which write it
  is of even where two writers sent the same bytes. Tags never leave the process and are not kept: events read from history,
  or made by another process, have none.
- Other processes may write to the same keys where the store is `shared`: then listeners hear of a foreign write some time after it was
  answered, unless they wait with `current`.
- All methods are called on one event loop. Implementations may use threads; callbacks come on the loop.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from typing import Protocol

from store.errors import StoreError
from store.types import Event, KeyValue, Operation, RangeResult

Listener = Callable[[Sequence[Event]], None]


class Subscription(Protocol):
    """A live listener; `close()` stops further calls and is idempotent."""

    def close(self) -> None: ...


class Etcd(Protocol):
    @property
    def revision(self) -> int:
        """The newest committed revision; 0 for a store never written to."""
        ...

    @property
    def compact_revision(self) -> int:
        """Reads and watches at or above this revision work; 0 when nothing was compacted."""
        ...

    @property
    def failure(self) -> str:
        """Why writes fail at present; '' while they succeed."""
        ...

    @property
    def shared(self) -> bool:
        """Whether other processes may write to the same keys."""
        ...

    async def current(self) -> None:
        """Returns when listeners have heard of everything that had been answered, to whomever, before the call. Raises ReadFailed."""
        ...

    async def start(self) -> None:
        """Open files and threads, run migrations. Raises StoreError when the file is in use or newer than we know, and
        DamagedStore, leaving the files as they are, when they are not what was stored."""
        ...

    async def lost(self) -> StoreError:
        """Waits until what the store keeps has been taken away from it (its files were removed); why. It has closed itself by
        then, and its owner had better stop."""
        ...

    async def close(self) -> None:
        """Commit what is queued, then stop. Idempotent. Writes after it raise StoreClosed."""
        ...

    async def get(self, key: str, *, revision: int = 0) -> KeyValue | None:
        """The key now, or as it was at `revision`. None where it does not exist (then).
        Raises Compacted, FutureRevision."""
        ...

    async def range(self, start: str, end: str, *, revision: int = 0, limit: int = 0, counted: bool = True) -> RangeResult:
        """Keys k with start <= k < end (code point order) now or at `revision`; at most `limit` of them
        (0 = all), `more` telling whether keys were left out. Not `counted`, `count` is only that of the keys given, and a range
        with a limit costs no more than the limit. Raises Compacted, FutureRevision."""
        ...

    async def create(self, key: str, value: bytes, *, tag: object = None) -> int:
        """Store a new key; its revision. Raises KeyExists."""
        ...

    async def update(self, key: str, value: bytes, mod_revision: int, *, tag: object = None) -> int:
        """Replace the key whose mod revision is `mod_revision`; the new one. Raises Conflict, KeyNotFound."""
        ...

    async def delete(self, key: str, mod_revision: int | None = None) -> int:
        """Remove the key; the revision of the removal. Raises KeyNotFound, and Conflict where a revision is given."""
        ...

    async def transaction(self, operations: Sequence[Operation]) -> list[int]:
        """All operations or none, in order, in one commit; one revision each. The first failing
        condition raises as the single operation would, and nothing is stored."""
        ...

    async def written(self) -> bool:
        """Returns when no write is under way; whether one was."""
        ...

    def listen(self, prefix: str, listener: Listener) -> Subscription:
        """Call `listener` with every later commit's events under `prefix`, in revision order, one call for each group
        commit (a batch), before the writers of that batch are answered. A listener must be quick and must not raise."""
        ...

    def watch(self, prefix: str, *, start_revision: int) -> AsyncIterator[Sequence[Event]]:
        """Every event under `prefix` with revision >= start_revision, first from history, then live, none missed and
        none repeated. Begins with the first step. Raises Compacted (on the first step), WatchDropped (whoever does not read
        for long) and StoreClosed."""
        ...

    async def history(self, prefix: str, *, start_revision: int, end_revision: int) -> Sequence[Event]:
        """Every event under `prefix` with start_revision <= revision <= end_revision, in order. Whoever reads a long way takes
        it in pieces. Raises Compacted, and FutureRevision for an end that is not reached yet."""
        ...

    async def compact(self, revision: int) -> None:
        """Forget history below `revision`: the state at `revision`, the event of `revision` and everything later stay
        readable. Raises FutureRevision; Compacted if already compacted beyond."""
        ...
