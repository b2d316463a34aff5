"""The files of simulated containers: a small tree in memory with modes, owners and links. Pure.

Errors are OSErrors with the errno that Linux gives, so that programs word them as real ones do.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable
from dataclasses import dataclass, field

LARGEST_FILE_BYTES = 4 * 1024 * 1024
MOST_ENTRIES = 20_000
MOST_LINKS = 40
LONGEST_NAME = 255
LONGEST_PATH = 4096


def failure(code: int, path: str = "") -> OSError:
    return OSError(code, os.strerror(code), path)


@dataclass(slots=True, eq=False)
class File:
    data: bytes = b""
    mode: int = 0o644
    uid: int = 0
    gid: int = 0


@dataclass(slots=True, eq=False)
class Symlink:
    target: str
    mode: int = 0o777
    uid: int = 0
    gid: int = 0


@dataclass(slots=True, eq=False)
class Device:
    """/dev/null and its like: `read` makes what a reader gets, `write` takes what is written."""

    read: Callable[[], bytes]
    write: Callable[[bytes], None]
    mode: int = 0o666
    uid: int = 0
    gid: int = 0


@dataclass(slots=True, eq=False)
class Computed:
    """A file whose content is worked out when it is read (/proc, /etc/hosts)."""

    read: Callable[[], bytes]
    mode: int = 0o644
    uid: int = 0
    gid: int = 0


@dataclass(slots=True, eq=False)
class Directory:
    """`refresh` is called before its entries are looked at: a volume whose source may have changed brings itself up to date."""

    entries: dict[str, Node] = field(default_factory=dict)
    mode: int = 0o755
    uid: int = 0
    gid: int = 0
    refresh: Callable[[], None] | None = None

    def look(self) -> dict[str, Node]:
        if self.refresh is not None:
            self.refresh()
        return self.entries


Node = File | Symlink | Device | Computed | Directory


def type_bits(node: Node) -> int:
    """The file type part of st_mode."""
    if isinstance(node, Directory):
        return stat.S_IFDIR
    if isinstance(node, Symlink):
        return stat.S_IFLNK
    if isinstance(node, Device):
        return stat.S_IFCHR
    return stat.S_IFREG


def mode_text(node: Node) -> str:
    """As `ls -l` shows it: -rw-r--r--"""
    return stat.filemode(type_bits(node) | node.mode)


def size_of(node: Node) -> int:
    if isinstance(node, File):
        return len(node.data)
    if isinstance(node, Computed):
        return len(node.read())
    if isinstance(node, Symlink):
        return len(node.target)
    return 4096 if isinstance(node, Directory) else 0


@dataclass(slots=True)
class Mount:
    """What is mounted at a path: `kind` as /proc/mounts names the file system."""

    node: Node
    kind: str = "overlay"
    read_only: bool = False


@dataclass(slots=True)
class Budget:
    """What the files of one pod may take together."""

    bytes_left: int = 8 * LARGEST_FILE_BYTES
    entries_left: int = MOST_ENTRIES

    def take(self, size: int, entries: int = 0) -> None:
        if size > self.bytes_left or entries > self.entries_left:
            raise failure(errno.ENOSPC)
        self.bytes_left -= size
        self.entries_left -= entries

    def give_back(self, node: Node) -> None:
        waiting = [node]
        while waiting:
            each = waiting.pop()
            self.entries_left += 1
            if isinstance(each, File):
                self.bytes_left += len(each.data)
            elif isinstance(each, Directory):
                waiting += each.entries.values()


@dataclass(frozen=True, slots=True)
class Who:
    """Whose rights count. Root may do everything."""

    uid: int = 0
    gid: int = 0
    groups: tuple[int, ...] = ()

    def may(self, node: Node, want: int) -> bool:
        """`want`: 4 read, 2 write, 1 search or run."""
        if self.uid == 0:
            return True
        shift = 6 if node.uid == self.uid else 3 if node.gid == self.gid or node.gid in self.groups else 0
        return (node.mode >> shift) & want == want


ROOT = Who()


def _free(units: int) -> None:
    """Nobody counts."""


class FileSystem:
    """What one container sees: its root, with volumes mounted in it. Paths are absolute."""

    def __init__(self, root: Directory, mounts: dict[str, Mount], budget: Budget, *, read_only: bool = False) -> None:
        self.mounts = {"/": Mount(root, read_only=read_only), **mounts}
        self._budget = budget
        self.touched: Callable[[int], None] = _free
        """Told what an access cost, in microseconds or so; may raise."""

    # ---- finding

    def _walk(self, path: str, who: Who, follow: bool) -> tuple[str, Node]:
        """(the path without links, the node). Raises OSError."""
        if len(path) > LONGEST_PATH:
            raise failure(errno.ENAMETOOLONG, path)
        pending = [part for part in path.split("/") if part][::-1]
        at, node = "", self.mounts["/"].node
        links = 0
        self.touched(1 + len(pending) // 2)
        trail: list[tuple[str, Node]] = []
        while pending:
            part = pending.pop()
            if part == ".":
                continue
            if not isinstance(node, Directory):
                raise failure(errno.ENOTDIR, path)
            if not who.may(node, 1):
                raise failure(errno.EACCES, path)
            if part == "..":
                at, node = trail.pop() if trail else ("", self.mounts["/"].node)
                continue
            if len(part) > LONGEST_NAME:
                raise failure(errno.ENAMETOOLONG, path)
            below = f"{at}/{part}"
            mounted = self.mounts.get(below)
            child = mounted.node if mounted is not None else node.look().get(part)
            if child is None:
                raise failure(errno.ENOENT, path)
            if isinstance(child, Symlink) and (pending or follow):
                links += 1
                if links > MOST_LINKS:
                    raise failure(errno.ELOOP, path)
                if child.target.startswith("/"):
                    at, node, trail = "", self.mounts["/"].node, []
                pending += [each for each in child.target.split("/") if each][::-1]
                continue
            trail.append((at, node))
            at, node = below, child
        return at or "/", node

    def node(self, path: str, who: Who = ROOT, *, follow: bool = True) -> Node:
        return self._walk(path, who, follow)[1]

    def real_path(self, path: str, who: Who = ROOT) -> str:
        return self._walk(path, who, True)[0]

    def exists(self, path: str, who: Who = ROOT, *, follow: bool = True) -> bool:
        try:
            self._walk(path, who, follow)
        except OSError:
            return False
        return True

    def mount_of(self, path: str) -> Mount:
        """The mount that holds the real `path`."""
        while path and path != "/":
            if path in self.mounts:
                return self.mounts[path]
            path = path.rpartition("/")[0]
        return self.mounts["/"]

    def mount_at(self, path: str) -> Mount | None:
        return self.mounts.get(path.rstrip("/") or "/")

    def _parent(self, path: str, who: Who) -> tuple[Directory, str, str]:
        """(the folder that holds the last part of `path`, that part, the real path of the whole)"""
        head, _, name = path.rstrip("/").rpartition("/")
        real, parent = self._walk(head or "/", who, True)
        if not isinstance(parent, Directory):
            raise failure(errno.ENOTDIR, path)
        return parent, name, f"{real.rstrip('/')}/{name}"

    def _change(self, parent: Directory, real: str, who: Who, path: str) -> None:
        """Whether something may be added to or taken from `parent`."""
        if self.mount_of(real.rpartition("/")[0]).read_only:
            raise failure(errno.EROFS, path)
        if not who.may(parent, 3):
            raise failure(errno.EACCES, path)

    # ---- reading

    def read(self, path: str, who: Who = ROOT) -> bytes:
        node = self.node(path, who)
        if isinstance(node, Directory):
            raise failure(errno.EISDIR, path)
        if not who.may(node, 4):
            raise failure(errno.EACCES, path)
        if isinstance(node, File):
            self.touched(len(node.data) >> 12)
            return node.data
        return b"" if isinstance(node, Symlink) else node.read()

    def names(self, path: str, who: Who = ROOT) -> list[str]:
        real, node = self._walk(path, who, True)
        if not isinstance(node, Directory):
            raise failure(errno.ENOTDIR, path)
        if not who.may(node, 4):
            raise failure(errno.EACCES, path)
        names = set(node.look())
        prefix = real.rstrip("/") + "/"
        self.touched(len(names) // 4)
        names |= {at[len(prefix) :] for at in self.mounts if at.startswith(prefix) and "/" not in at[len(prefix) :]} - {""}
        return sorted(names)

    # ---- writing

    def write(self, path: str, data: bytes, who: Who = ROOT, *, append: bool = False, mode: int = 0o644) -> None:
        """Makes the file where it is not there."""
        try:
            real, node = self._walk(path, who, True)
        except FileNotFoundError:
            self._create(path, data, who, mode)
            return
        if isinstance(node, Directory):
            raise failure(errno.EISDIR, path)
        if isinstance(node, Device):
            node.write(data)
            return
        if self.mount_of(real).read_only:
            raise failure(errno.EROFS, path)
        if isinstance(node, Symlink | Computed) or not who.may(node, 2):
            raise failure(errno.EACCES, path)
        self.touched((len(node.data) + len(data) if append else len(data)) >> 12)
        whole = node.data + data if append else data
        if len(whole) > LARGEST_FILE_BYTES:
            raise failure(errno.ENOSPC, path)
        self._budget.take(len(whole) - len(node.data))
        node.data = whole

    def _create(self, path: str, data: bytes, who: Who, mode: int) -> None:
        parent, name, real = self._parent(path, who)
        target = parent.look().get(name)
        if isinstance(target, Symlink):  # a link to what is not there yet
            base = target.target if target.target.startswith("/") else f"{real.rpartition('/')[0]}/{target.target}"
            self._create(base, data, who, mode)
            return
        self._change(parent, real, who, path)
        if len(name) > LONGEST_NAME:
            raise failure(errno.ENAMETOOLONG, path)
        if len(data) > LARGEST_FILE_BYTES:
            raise failure(errno.ENOSPC, path)
        self._budget.take(len(data), 1)
        parent.entries[name] = File(data, mode, who.uid, parent.gid if parent.mode & stat.S_ISGID else who.gid)

    def make_directory(self, path: str, who: Who = ROOT, *, mode: int = 0o755, parents: bool = False) -> None:
        if self.exists(path, who):
            if parents and isinstance(self.node(path, who), Directory):
                return
            raise failure(errno.EEXIST, path)
        head = path.rstrip("/").rpartition("/")[0]
        if parents and head and not self.exists(head, who):
            if head.count("/") > 64:
                raise failure(errno.ENAMETOOLONG, path)
            self.make_directory(head, who, mode=mode, parents=True)
        parent, name, real = self._parent(path, who)
        self._change(parent, real, who, path)
        if len(name) > LONGEST_NAME:
            raise failure(errno.ENAMETOOLONG, path)
        self._budget.take(0, 1)
        inherits = parent.mode & stat.S_ISGID
        parent.entries[name] = Directory({}, mode | inherits, who.uid, parent.gid if inherits else who.gid)

    def link(self, path: str, target: str, who: Who = ROOT) -> None:
        """A symbolic link at `path`."""
        parent, name, real = self._parent(path, who)
        if name in parent.look():
            raise failure(errno.EEXIST, path)
        self._change(parent, real, who, path)
        self._budget.take(len(target), 1)
        parent.entries[name] = Symlink(target, uid=who.uid, gid=who.gid)

    def remove(self, path: str, who: Who = ROOT, *, recursive: bool = False) -> None:
        parent, name, real = self._parent(path, who)
        node = parent.look().get(name)
        if real in self.mounts:
            raise failure(errno.EBUSY, path)
        if node is None:
            raise failure(errno.ENOENT, path)
        if isinstance(node, Directory) and not recursive:
            raise failure(errno.EISDIR, path)
        self._change(parent, real, who, path)
        del parent.entries[name]
        self._budget.give_back(node)

    def remove_directory(self, path: str, who: Who = ROOT) -> None:
        node = self.node(path, who, follow=False)
        if not isinstance(node, Directory):
            raise failure(errno.ENOTDIR, path)
        if node.look():
            raise failure(errno.ENOTEMPTY, path)
        self.remove(path, who, recursive=True)

    def move(self, source: str, target: str, who: Who = ROOT) -> None:
        parent, name, real = self._parent(source, who)
        node = parent.look().get(name)
        if node is None:
            raise failure(errno.ENOENT, source)
        into, new_name, new_real = self._parent(target, who)
        if isinstance(node, Directory) and (new_real + "/").startswith(real + "/"):
            raise failure(errno.EINVAL, source)
        self._change(parent, real, who, source)
        self._change(into, new_real, who, target)
        del parent.entries[name]
        into.entries[new_name] = node

    def change_mode(self, path: str, mode: int, who: Who = ROOT) -> None:
        real, node = self._walk(path, who, True)
        if self.mount_of(real).read_only:
            raise failure(errno.EROFS, path)
        if who.uid not in (0, node.uid):
            raise failure(errno.EPERM, path)
        node.mode = mode

    def change_owner(self, path: str, uid: int, gid: int, who: Who = ROOT) -> None:
        real, node = self._walk(path, who, True)
        if self.mount_of(real).read_only:
            raise failure(errno.EROFS, path)
        if who.uid != 0:
            raise failure(errno.EPERM, path)
        node.uid, node.gid = uid, gid
