"""All files that kctl makes in a cluster's folder: made private at every start, and the only ones that `cluster delete` removes.

Deletion looks before it acts: anything that kctl did not make, or that is not what it should be (a link, a folder in a file's
place), is named and nothing at all is removed.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

from kctl.daemon import logs, pki
from kctl.daemon.lock import ClusterLock
from kctl.daemon.paths import CURRENT_CLUSTER_FILE, ClusterPaths
from kctl.daemon.private_files import restrict

_DATABASE = ("state.db", "state.db-wal", "state.db-shm", "state.db-journal", "state.db.lock", "state.db.migrated")
_LOGS = (*(f"{component}.log{suffix}" for component in logs.COMPONENTS for suffix in ("", ".1")), "daemon.out")
FOLDERS = {"logs": _LOGS, "pki": pki.ALL_FILES, pki.UNFINISHED: pki.ALL_FILES}
FILES = (
    *_DATABASE,
    "kubeconfig",
    "kubeconfig.new",
    "kubeconfig.tmp",
    "kubeconfig.lock",
    "kube-controller-manager.kubeconfig",
    "kube-scheduler.kubeconfig",
    "clock.json.new",
    "clock.json",
    "cluster.json.new",
    "cluster.tmp",
    "cluster.json",
    "run.pid",
)
"""In the order of their removal: as long as one of the last is there, an interrupted deletion can be repeated."""
PROCESSES = "processes"
"""What programs in pods have written is below it, so all of it goes."""


class ForeignFiles(Exception):
    """`paths`: what is in the folder although kctl did not make it."""

    def __init__(self, directory: Path, paths: list[Path]) -> None:
        named = ", ".join(str(path) for path in paths[:5]) + (f" and {len(paths) - 5} more" if len(paths) > 5 else "")
        super().__init__(f"{directory} holds what kctl did not make: {named}; move it away first. Nothing was deleted")
        self.paths = paths


def make_private(paths: ClusterPaths) -> None:
    """0700 and 0600 for what exists, whatever an older kctl or the umask made of it."""
    restrict(paths.directory.parent)
    restrict(paths.directory.parent / CURRENT_CLUSTER_FILE)
    restrict(paths.directory)
    restrict(paths.processes)
    for name in FILES:
        restrict(paths.directory / name)
    for folder, names in FOLDERS.items():
        if (paths.directory / folder).is_dir():
            restrict(paths.directory / folder)
            for name in names:
                restrict(paths.directory / folder / name)


def check_deletable(paths: ClusterPaths) -> None:
    """Raises ForeignFiles."""
    foreign = list(_foreign(paths.directory))
    if foreign:
        raise ForeignFiles(paths.directory, foreign)


def delete(paths: ClusterPaths) -> None:
    """Remove a stopped cluster's folder. Raises ForeignFiles or lock.AlreadyServed, having removed nothing."""
    check_deletable(paths)
    with ClusterLock(paths.process_id):
        _remove_all(paths)
    paths.directory.rmdir()


def _remove_all(paths: ClusterPaths) -> None:
    if paths.processes.is_dir():
        _end_processes(paths.processes)
    folder = os.open(paths.directory, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        for name, names in FOLDERS.items():
            _remove_folder(name, names, folder)
        _remove(FILES, folder)
    finally:
        os.close(folder)


def _end_processes(folder: Path) -> None:
    """Of pods that a killed daemon has left running, then all that is kept of them."""
    from controllers.kubelet.process_runtime import reaping

    reaping.stop_all(reaping.runs_below(folder), 0.0)
    reaping.remove(folder)


def _foreign(directory: Path) -> Iterator[Path]:
    if not _is(directory, stat.S_ISDIR):
        yield directory
        return
    for present in sorted(directory.iterdir()):
        if present.name in FOLDERS and _is(present, stat.S_ISDIR):
            yield from (each for each in sorted(present.iterdir()) if each.name not in FOLDERS[present.name] or not _is(each, stat.S_ISREG))
        elif present.name == PROCESSES and _is(present, stat.S_ISDIR):
            continue
        elif present.name not in FILES or not _is(present, stat.S_ISREG):
            yield present


def _is(path: Path, kind: Callable[[int], bool]) -> bool:
    return kind(path.lstat().st_mode)


def _remove_folder(name: str, names: tuple[str, ...], parent: int) -> None:
    try:
        folder = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent)
    except FileNotFoundError:
        return
    try:
        _remove(names, folder)
    finally:
        os.close(folder)
    os.rmdir(name, dir_fd=parent)


def _remove(names: tuple[str, ...], folder: int) -> None:
    for name in names:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name, dir_fd=folder)
