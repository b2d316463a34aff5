"""Reading the files of kustomizations, within bounds: what a kustomization may read, how much, how deep, and never in a circle.

A file must lie in or below the folder of the kustomization that names it (kustomize's default load restrictor), wherever links lead; a
base is a folder anywhere that is not above or equal to one being built. Bases at URLs need git and the network: they are refused by name.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Final

from kctl.cli.errors import CommandError

ROOT_ONLY: Final = "LoadRestrictionsRootOnly"
UNRESTRICTED: Final = "LoadRestrictionsNone"
MAX_FILE_BYTES: Final = 16 * 1024 * 1024
MAX_TOTAL_BYTES: Final = 256 * 1024 * 1024
MAX_DEPTH: Final = 50
"""Of bases of bases."""

_REMOTE: Final = re.compile(
    r"^(?:https?|ssh|git|file)://|^git::|^git@|^[\w.-]+@[\w.-]+:|^(?:gh:|github\.com[/:]|gitlab\.com[/:]|bitbucket\.org[/:])|\?(?:ref|version|timeout|submodules)=|\.git(?:/|$)"
)


class Budget:
    """What one build may read altogether."""

    def __init__(self) -> None:
        self.left = MAX_TOTAL_BYTES

    def take(self, size: int, path: str) -> None:
        self.left -= size
        if size > MAX_FILE_BYTES or self.left < 0:
            raise CommandError(
                f"'{path}' is too large: a file may have {MAX_FILE_BYTES} bytes, a kustomization with its bases {MAX_TOTAL_BYTES}"
            )


def is_remote(path: str) -> bool:
    return _REMOTE.search(path) is not None


def refuse_remote(path: str) -> None:
    if is_remote(path):
        raise CommandError(f"remote kustomizations and resources are not supported: fetch '{path}' and name its folder")


class Loader:
    """Files of the kustomization in the folder `root` (absolute, without links)."""

    def __init__(self, root: str, restrictor: str, budget: Budget, referrers: tuple[str, ...] = ()) -> None:
        self.root = root
        self._restrictor = restrictor
        self._budget = budget
        self._referrers = referrers

    @classmethod
    def at(cls, path: str, restrictor: str) -> Loader:
        """Of the folder a user names. Raises CommandError."""
        refuse_remote(path)
        return cls(_folder(path, path, "must build at directory: "), restrictor, Budget())

    def below(self, path: str) -> Loader:
        """Of a base or component. Raises CommandError."""
        refuse_remote(path)
        if not path:
            raise CommandError("new root cannot be empty")
        if os.path.isabs(path):
            raise CommandError(f"new root '{path}' cannot be absolute")
        root = _folder(os.path.normpath(os.path.join(self.root, path)), path, "")
        seen = (*self._referrers, self.root)
        for one in reversed(seen):
            if one == root or one.startswith(f"{root.rstrip('/')}/"):
                raise CommandError(f"cycle detected: candidate root '{root}' contains visited root '{one}'")
        if len(seen) >= MAX_DEPTH:
            raise CommandError(f"bases may nest {MAX_DEPTH} deep")
        return Loader(root, self._restrictor, self._budget, seen)

    def load(self, path: str) -> bytes:
        """Raises CommandError where it is no file, too large, or out of bounds."""
        refuse_remote(path)
        full = path if os.path.isabs(path) else os.path.normpath(os.path.join(self.root, path))
        real = resolved(full)
        if os.path.isdir(real):
            raise CommandError(f"'{full}' must resolve to a file")
        if self._restrictor == ROOT_ONLY and not is_in(self.root, real):
            raise CommandError(f"security; file '{real}' is not in or below '{self.root}'")
        try:
            with open(real, "rb") as file:
                self._budget.take(os.fstat(file.fileno()).st_size, path)
                return file.read(MAX_FILE_BYTES + 1)
        except OSError as error:
            raise CommandError(f"open {real}: {(error.strerror or '').lower()}") from None


def is_in(root: str, path: str) -> bool:
    return root == "/" or path == root or path.startswith(f"{root}/")


def resolved(path: str) -> str:
    """Without links; the first part that does not exist is named as filepath.EvalSymlinks does."""
    try:
        return str(Path(path).resolve(strict=True))
    except FileNotFoundError as error:
        raise CommandError(_link_failure(path, str(error.filename or path), "no such file or directory")) from None
    except (OSError, RuntimeError) as error:
        why = (getattr(error, "strerror", "") or "too many links").lower()
        raise CommandError(_link_failure(path, path, why)) from None


def _link_failure(path: str, missing: str, why: str) -> str:
    first = _first_missing(path)
    return f"evalsymlink failure on '{path}' : lstat {first or missing}: {why}"


def _first_missing(path: str) -> str:
    """The shortest beginning of the path that is not there."""
    absolute = os.path.abspath(path)
    so_far = "/"
    for part in absolute.strip("/").split("/"):
        so_far = os.path.join(so_far, part)
        if not os.path.lexists(so_far):
            return so_far
    return ""


def _folder(path: str, shown: str, introduction: str) -> str:
    try:
        real = resolved(path)
    except CommandError as error:
        raise CommandError(f"must build at directory: not a valid directory: {error.message}") from None
    if not os.path.isdir(real):
        raise CommandError(f"must build at directory: '{path if not introduction else shown}': file is not directory")
    return real
