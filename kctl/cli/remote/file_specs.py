"""The files that `kctl cp` is given, and where what is in an archive goes on this machine. No I/O."""

from __future__ import annotations

import os
import posixpath
from typing import NamedTuple

from kctl.cli.errors import CommandError

_FORMAT = "filespec must match the canonical format: [[namespace/]pod:]file/path"


class FileSpec(NamedTuple):
    """`pod` '' for a file of this machine."""

    namespace: str
    pod: str
    file: str


def file_spec(text: str) -> FileSpec:
    """Raises CommandError."""
    head, colon, file = text.partition(":")
    if not colon:
        return FileSpec("", "", without_slash(text))
    parts = head.split("/")
    if not head or len(parts) > 2:
        raise CommandError(_FORMAT)
    remote = without_slash(file).replace("\\", "/")
    return FileSpec(parts[0] if len(parts) == 2 else "", parts[-1], remote)


def without_slash(path: str) -> str:
    return path[:-1] if path.endswith("/") and path != "/" else path


def archive_prefix(remote: str) -> str:
    """What the names of an archive of `remote` begin with: its path without the root and without what leads above it."""
    path = posixpath.normpath(remote.strip("/")) if remote.strip("/") else "."
    while path.startswith("../"):
        path = path[3:]
    if path in (".", ".."):
        return ""
    return path.removeprefix("/")


def destination(name: str, prefix: str, local: str) -> str:
    """Where a member of that name goes. Raises CommandError for one that is not below what was asked for."""
    if not name.startswith(prefix):
        raise CommandError("tar contents corrupted")
    return os.path.normpath(os.path.join(local, without_slash(name[len(prefix) :]).lstrip("/")))


def is_below(base: str, target: str) -> bool:
    relative = os.path.relpath(target, base)
    return relative == "." or not (relative == ".." or relative.startswith("../"))
