"""Work on the store of a cluster that is stopped: looking it over, putting it in order, copying it, moving it to another engine.

Each takes the cluster's lock, so that no daemon and no command has the store meanwhile. Raise lock.AlreadyServed, damage.DamagedFile,
StoreError, and NotWithThisStore by name.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from kctl.apimachinery.clock import RealClock
from kctl.daemon.config import ClusterConfig
from kctl.daemon.lock import ClusterLock
from kctl.daemon.paths import ClusterPaths
from kctl.daemon.stores import store_of, wrong_store

if TYPE_CHECKING:
    from store.checkup import Report
    from store.etcd import Etcd
    from store.transfer import Progress, Transferred

PREFIX = "/registry/"
SQLITE = "sqlite"
"""What a cluster's own file is called where an address could stand."""


class NotWithThisStore(Exception):
    pass


@contextmanager
def locked(paths: ClusterPaths) -> Iterator[ClusterConfig]:
    lock = ClusterLock(paths.process_id)
    lock.acquire()
    try:
        yield ClusterConfig.load(paths.settings) or ClusterConfig(paths.name)
    finally:
        lock.release()


@asynccontextmanager
async def _opened(config: ClusterConfig, paths: ClusterPaths) -> AsyncIterator[Etcd]:
    store = store_of(config, paths, RealClock())
    await store.start()
    try:
        yield store
    finally:
        await store.close()


def _file_of(config: ClusterConfig, paths: ClusterPaths, what: str, instead: str) -> Path:
    if config.store:
        raise NotWithThisStore(f'cluster "{config.name}" keeps its state on etcd: {what} it there, with {instead}')
    if not paths.state.exists():
        raise NotWithThisStore(f'cluster "{config.name}" has no state yet: {paths.state} is not there')
    return paths.state


def check(paths: ClusterPaths) -> Report:
    from kctl.kube_apiserver.storage import wrong_with
    from store import checkup

    with locked(paths) as config:
        return checkup.examine(_file_of(config, paths, "check", "etcdctl check and etcdutl"), wrong_with)


def defragment(paths: ClusterPaths) -> int:
    """How many bytes smaller the file is now."""
    from store import checkup

    with locked(paths) as config:
        return checkup.defragment(_file_of(config, paths, "defragment", "etcdctl defrag"))


def snapshot(paths: ClusterPaths, target: Path) -> None:
    """Also while the cluster runs: SQLite copies what was committed when it began."""
    from store import checkup

    config = ClusterConfig.load(paths.settings) or ClusterConfig(paths.name)
    checkup.copy(_file_of(config, paths, "copy", "etcdctl snapshot save"), target)


async def compact(paths: ClusterPaths) -> tuple[int, int]:
    """Forget all history; the compacted revision before and now."""
    with locked(paths) as config:
        async with _opened(config, paths) as store:
            before = store.compact_revision
            if store.revision > before:
                await store.compact(store.revision)
            return before, store.compact_revision


async def migrate(paths: ClusterPaths, source: str, target: str, files: dict[str, str], progress: Progress) -> Transferred:
    """From one engine to the other: `source` and `target` are 'sqlite' or an address, `source` being where the cluster's state is.
    `files`: the settings etcd_cafile, etcd_certfile and etcd_keyfile for the target."""
    with locked(paths) as config:
        if source != (config.store or SQLITE):
            raise NotWithThisStore(f'cluster "{config.name}" keeps its state in {config.store or SQLITE}, not in {source}')
        if (source == SQLITE) == (target == SQLITE):
            raise NotWithThisStore(f"a cluster is moved between {SQLITE} and etcd, not from {source} to {target}")
        wanted = replace(
            config,
            store="" if target == SQLITE else target,
            etcd_cafile=files.get("etcd_cafile", ""),
            etcd_certfile=files.get("etcd_certfile", ""),
            etcd_keyfile=files.get("etcd_keyfile", ""),
        )
        if wrong := wrong_store(wanted):
            raise NotWithThisStore(wrong)
        move = _to_file if target == SQLITE else _to_etcd
        return await move(config, wanted, paths, progress)


_Move = Callable[[ClusterConfig, ClusterConfig, ClusterPaths, "Progress"], Awaitable["Transferred"]]


async def _to_etcd(config: ClusterConfig, wanted: ClusterConfig, paths: ClusterPaths, progress: Progress) -> Transferred:
    from store import transfer

    _file_of(config, paths, "", "")
    async with _opened(config, paths) as source, _opened(wanted, paths) as target:
        moved = await transfer.to_store(source, target, PREFIX, f"cluster {config.name} ({paths.directory})", progress)
        wanted.save(paths.settings)  # from here on the cluster is there
        await transfer.finish(target, PREFIX)
    paths.state.rename(paths.state.with_name("state.db.migrated"))
    return moved


async def _to_file(config: ClusterConfig, wanted: ClusterConfig, paths: ClusterPaths, progress: Progress) -> Transferred:
    from store import transfer

    async with _opened(config, paths) as source:
        moved = await transfer.to_file(source, paths.state, PREFIX, progress)
        wanted.save(paths.settings)
    return moved
