"""Files that only their owner may read: state, keys, kubeconfig and logs hold every Secret of the cluster.

Modes are set on the open file, so that neither the umask nor the mode of a file that is there already decides. Symbolic links are
never followed.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

FOLDER_MODE = 0o700
FILE_MODE = 0o600


def make_folder(path: Path) -> None:
    """With 0700 for those that are made, and for `path` itself also where it is there already."""
    if not path.is_dir():
        missing = [path]
        while not missing[-1].parent.is_dir():
            missing.append(missing[-1].parent)
        for each in reversed(missing):
            each.mkdir(mode=FOLDER_MODE, exist_ok=True)
    restrict(path)


def open_file(path: Path, flags: int) -> int:
    """As os.open. A link in the file's place is an error (ELOOP)."""
    descriptor = os.open(path, flags | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, FILE_MODE)
    _restrict(descriptor, FILE_MODE)
    return descriptor


def write(path: Path, data: bytes, *, durable: bool = False) -> None:
    """Replaced at once: a reader sees the old content or the new. `durable`: also after the machine lost power."""
    beside = path.with_name(f"{path.name}.new")
    descriptor = open_file(beside, os.O_WRONLY | os.O_TRUNC)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        if durable:
            os.fsync(descriptor)
    beside.replace(path)


def restrict(path: Path) -> None:
    """0700 for a folder, 0600 for a file, where it is ours; links and what is not there are left alone."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return
    try:
        _restrict(descriptor, None)
    finally:
        os.close(descriptor)


def _restrict(descriptor: int, mode: int | None) -> None:
    present = os.fstat(descriptor)
    wanted = mode if mode is not None else FOLDER_MODE if stat.S_ISDIR(present.st_mode) else FILE_MODE
    if present.st_uid == os.geteuid() and stat.S_IMODE(present.st_mode) != wanted:
        os.fchmod(descriptor, wanted)
