"""Copies of whole clusters: saved while they run, put back, or made into clusters of their own.

    $XDG_DATA_HOME/kctl/cluster_snapshots/<cluster>/<name>/   (no cluster can be called that, for '_' is not allowed in a label)
        state.db       the store, copied by SQLite's backup: one consistent state, whatever is being written meanwhile
        cluster.json   what the cluster was started with
        pki/           its keys and certificates, for a cluster that has been deleted since

A snapshot is made in a folder beside it that becomes it when it is whole. Putting one back replaces the state in one step: a crash
leaves the old state or the new one.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import fields, replace
from datetime import datetime
from pathlib import Path
from typing import Final, NamedTuple

from kctl.daemon import pki, private_files
from kctl.daemon.config import ClusterConfig
from kctl.daemon.damage import json_object, read_small
from kctl.daemon.lock import ClusterLock, holder
from kctl.daemon.paths import ClusterPaths, valid_cluster_name

FOLDER: Final = "cluster_snapshots"
_UNFINISHED: Final = ".unfinished"
_STATE: Final = "state.db"
_SETTINGS: Final = "cluster.json"
_BUSY_SECONDS: Final = 10.0
_ADVICE: Final = "delete the snapshot"


class SnapshotError(Exception):
    """Why a snapshot cannot be made, found or used, as a user reads it."""


class Snapshot(NamedTuple):
    cluster: str
    name: str
    folder: Path

    @property
    def state(self) -> Path:
        return self.folder / _STATE

    @property
    def size(self) -> int:
        """Bytes of the state."""
        return self.state.stat().st_size

    @property
    def made(self) -> datetime:
        """Local time."""
        return datetime.fromtimestamp(self.state.stat().st_mtime).astimezone()

    @property
    def revision(self) -> int:
        """The newest revision of the store in it."""
        connection = sqlite3.connect(f"file:{self.state}?mode=ro&immutable=1", uri=True)
        try:
            newest = connection.execute(
                "SELECT max((SELECT coalesce(max(revision), 0) FROM log), value) FROM meta WHERE name = 'newest_revision'"
            )
            return int(newest.fetchone()[0])
        except sqlite3.Error as error:
            raise SnapshotError(f"snapshot {self.name!r} of cluster {self.cluster!r} is damaged: {error}") from None
        finally:
            connection.close()


def _home(paths: ClusterPaths) -> Path:
    return paths.directory.parent / FOLDER / paths.name


def _checked(name: str) -> str:
    if not valid_cluster_name(name):
        raise SnapshotError(f"invalid snapshot name {name!r}: a lowercase RFC 1123 label is needed (letters, digits and '-', 63 at most)")
    return name


def snapshots(paths: ClusterPaths) -> list[Snapshot]:
    """Those of a cluster, by name."""
    home = _home(paths)
    folders = sorted(home.iterdir()) if home.is_dir() else []
    return [Snapshot(paths.name, one.name, one) for one in folders if valid_cluster_name(one.name) and (one / _STATE).is_file()]


def find(paths: ClusterPaths, name: str) -> Snapshot:
    """Raises SnapshotError."""
    found = Snapshot(paths.name, _checked(name), _home(paths) / name)
    if not found.state.is_file():
        known = ", ".join(one.name for one in snapshots(paths)) or "none"
        raise SnapshotError(f"cluster {paths.name!r} has no snapshot {name!r} (there are: {known})")
    return found


def save(paths: ClusterPaths, name: str) -> Snapshot:
    """Of a running cluster or a stopped one. Raises SnapshotError."""
    target = _home(paths) / _checked(name)
    if os.path.lexists(target):
        raise SnapshotError(f"cluster {paths.name!r} has a snapshot {name!r} already; delete it first: kctl cluster snapshot delete {name}")
    _refuse_etcd(paths)
    with _in_one_step(target) as folder:
        _copy_state(paths.state, folder / _STATE)
        if paths.settings.is_file():
            private_files.write(folder / _SETTINGS, paths.settings.read_bytes())
        _copy_keys(paths.pki, folder / "pki")
    return Snapshot(paths.name, name, target)


def _refuse_etcd(paths: ClusterPaths) -> None:
    config = ClusterConfig.load(paths.settings)
    if config is not None and config.store:
        raise SnapshotError(f"cluster {paths.name!r} keeps its state on {config.store}: use etcdctl snapshot save")
    if not paths.state.is_file():
        raise SnapshotError(f"cluster {paths.name!r} has no state yet")


class _in_one_step:
    """A folder that becomes `target` at the end; nothing is left of it where something fails."""

    def __init__(self, target: Path) -> None:
        self._target = target
        self._folder = target.with_name(f"{target.name}{_UNFINISHED}")

    def __enter__(self) -> Path:
        shutil.rmtree(self._folder, ignore_errors=True)
        private_files.make_folder(self._folder)
        return self._folder

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if kind is None:
            self._folder.rename(self._target)
        else:
            shutil.rmtree(self._folder, ignore_errors=True)


def _copy_state(source: Path, target: Path) -> None:
    """All pages in one step, so that a writer never makes it begin anew; the copy is a file without a WAL."""
    os.close(private_files.open_file(target, os.O_RDWR))
    try:
        original = sqlite3.connect(f"file:{source}?mode=ro", uri=True, timeout=_BUSY_SECONDS)
        copy = sqlite3.connect(target)
        try:
            original.backup(copy)
            copy.execute("PRAGMA journal_mode = DELETE")
        finally:
            copy.close()
            original.close()
    except sqlite3.Error as error:
        raise SnapshotError(f"the state cannot be copied: {error}") from None
    _durable(target)


def _durable(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())


def _copy_keys(source: Path, target: Path) -> None:
    if not source.is_dir():
        return
    private_files.make_folder(target)
    for name in pki.FILES:
        if (source / name).is_file():
            private_files.write(target / name, (source / name).read_bytes())


def restore(paths: ClusterPaths, name: str) -> Snapshot:
    """The stopped cluster's state becomes the snapshot's; a cluster that was deleted is made anew, with its keys. Raises SnapshotError,
    AlreadyServed."""
    snapshot = find(paths, name)
    running = holder(paths.process_id) if paths.exist else None
    if running is not None:
        raise SnapshotError(
            f"cluster {paths.name!r} is running (process {running.process_id}); stop it first: kctl cluster stop {paths.name}"
        )
    if not _same_keys(snapshot.folder / "pki", paths.pki):
        raise SnapshotError(
            f"cluster {paths.name!r} has been made anew since the snapshot {name!r}, with other keys; "
            f"make a cluster of it with: kctl cluster snapshot fork {name} NEW-NAME, or delete the cluster first"
        )
    with ClusterLock(paths.process_id):
        if not paths.pki.is_dir():
            _copy_keys(snapshot.folder / "pki", paths.pki)
        if not paths.settings.is_file() and (snapshot.folder / _SETTINGS).is_file():
            private_files.write(paths.settings, (snapshot.folder / _SETTINGS).read_bytes(), durable=True)
        _replace_state(snapshot.state, paths.state)
    return snapshot


def _same_keys(saved: Path, present: Path) -> bool:
    """Where one of both has none they do not contradict each other."""
    saved, present = saved / "ca.crt", present / "ca.crt"
    return not saved.is_file() or not present.is_file() or saved.read_bytes() == present.read_bytes()


def _replace_state(source: Path, target: Path) -> None:
    """First what the present WAL holds goes into its file: a WAL without its own database would be played into the next one."""
    if target.is_file():
        connection = sqlite3.connect(target, timeout=_BUSY_SECONDS)
        try:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            connection.execute("PRAGMA journal_mode = DELETE").fetchall()
        except sqlite3.Error as error:
            raise SnapshotError(f"the present state cannot be closed: {error}") from None
        finally:
            connection.close()
    beside = target.with_name("cluster.tmp")
    os.close(private_files.open_file(beside, os.O_WRONLY | os.O_TRUNC))
    shutil.copyfile(source, beside)
    _durable(beside)
    beside.replace(target)


def fork(paths: ClusterPaths, name: str, other: ClusterPaths) -> Snapshot:
    """A cluster of its own that begins as the snapshot: with the same nodes, but keys and a port of its own. Raises SnapshotError."""
    snapshot = find(paths, name)
    if other.exist:
        raise SnapshotError(f"cluster {other.name!r} exists already")
    config = _settings(snapshot)
    forked = replace(config, name=other.name, node_prefix=config.node_prefix or config.name, port=0, served_port=0, starts=0)
    with ClusterLock(other.process_id):
        _replace_state(snapshot.state, other.state)
        forked.save(other.settings)
    return snapshot


def _settings(snapshot: Snapshot) -> ClusterConfig:
    """Raises DamagedFile."""
    data = read_small(snapshot.folder / _SETTINGS, _ADVICE)
    stored = json_object(snapshot.folder / _SETTINGS, data, _ADVICE) if data is not None else {}
    known = {setting.name for setting in fields(ClusterConfig)}
    return ClusterConfig(**{"name": snapshot.cluster} | {key: value for key, value in stored.items() if key in known})


def delete(paths: ClusterPaths, name: str) -> None:
    """Raises SnapshotError."""
    snapshot = find(paths, name)
    shutil.rmtree(snapshot.folder)
    for folder in (_home(paths), _home(paths).parent):
        _remove_if_empty(folder)


def _remove_if_empty(folder: Path, remove: Callable[[Path], None] = Path.rmdir) -> None:
    if folder.is_dir() and not any(folder.iterdir()):
        remove(folder)


def all_snapshots(home: Path) -> Iterator[Snapshot]:
    """Of every cluster, also of those that are deleted."""
    folder = home / FOLDER
    for cluster in sorted(folder.iterdir()) if folder.is_dir() else ():
        yield from snapshots(ClusterPaths(home / cluster.name))
