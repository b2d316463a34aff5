"""The root of a container in a mount namespace of its own: a layer of its own over the host's file system or over an image, volumes at
their places, small /dev and /tmp. Run by a shim after `isolate`; standard library only.

Nothing of it is seen outside, and it ends with the last process in the namespace.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Sequence
from typing import TypedDict

from controllers.kubelet.process_runtime import syscalls

MOUNTS, USER, NONE = "mounts", "user", "none"
"""What isolates a container: mount and UTS namespaces; the same inside a user namespace; nothing."""
WORDS = {
    MOUNTS: "Pods that are processes have mount and UTS namespaces of their own; they share network and process ids of this machine",
    USER: "Pods that are processes have user, mount and UTS namespaces of their own; they share network and process ids of this machine",
    NONE: "Pods that are processes have no namespaces of their own, which this machine does not allow: their volumes are below $KCTL_ROOT",
}
_OF_ITS_OWN = ("proc", "sys", "dev", "tmp", "run")
_DEVICES = ("null", "zero", "full", "random", "urandom", "tty")
_LINKS = {"fd": "/proc/self/fd", "stdin": "/proc/self/fd/0", "stdout": "/proc/self/fd/1", "stderr": "/proc/self/fd/2", "ptmx": "pts/ptmx"}
_MOST_LINKS = 40


class MountSpec(TypedDict):
    source: str
    target: str
    read_only: bool


def isolate(kind: str) -> None:
    """This process gets namespaces of its own. Raises OSError."""
    if kind == USER:
        uid, gid = os.getuid(), os.getgid()
        syscalls.unshare(syscalls.CLONE_NEWUSER | syscalls.CLONE_NEWNS | syscalls.CLONE_NEWUTS)
        _write("/proc/self/setgroups", "deny")
        _write("/proc/self/uid_map", f"{uid} {uid} 1")
        _write("/proc/self/gid_map", f"{gid} {gid} 1")
    elif kind == MOUNTS:
        syscalls.unshare(syscalls.CLONE_NEWNS | syscalls.CLONE_NEWUTS)
    syscalls.mount("none", "/", flags=syscalls.MS_REC | syscalls.MS_PRIVATE)


def _write(path: str, text: str) -> None:
    with open(path, "w") as file:
        file.write(text)


def build(folder: str, lower: str, mounts: Sequence[MountSpec], kind: str, *, read_only: bool) -> str:
    """The new root, below `folder`. `lower`: the folder of an image, "/" for the host's file system. Raises OSError."""
    root = os.path.join(folder, "root")
    os.makedirs(root, exist_ok=True)
    if lower == "/":
        syscalls.mount(root, root, flags=syscalls.MS_BIND)
        for name in sorted(os.listdir("/")):
            _host_entry(folder, root, name, kind)
    else:
        _overlay(folder, "image", lower, root, kind)
    for name in _OF_ITS_OWN:
        os.makedirs(os.path.join(root, name), exist_ok=True)
    for name in ("proc", "sys"):
        syscalls.mount(f"/{name}", os.path.join(root, name), flags=syscalls.MS_BIND | syscalls.MS_REC)
    os.chmod(os.path.join(root, "tmp"), 0o1777)
    _devices(os.path.join(root, "dev"))
    for each in sorted(mounts, key=lambda mount: mount["target"].rstrip("/").count("/")):
        _mount(root, each)
    if read_only:
        if lower == "/":
            for name in sorted(os.listdir(root)):
                path = os.path.join(root, name)
                if name not in _OF_ITS_OWN and os.path.ismount(path):
                    _make_read_only(path)
        _make_read_only(root)
    return root


def _host_entry(folder: str, root: str, name: str, kind: str) -> None:
    """One of what is in / of the host."""
    source, target = f"/{name}", os.path.join(root, name)
    if os.path.islink(source):
        with contextlib.suppress(FileExistsError):
            os.symlink(os.readlink(source), target)
    elif name not in _OF_ITS_OWN and os.path.isdir(source):
        os.makedirs(target, exist_ok=True)
        try:
            _overlay(folder, name, source, target, kind)
        except OSError:  # of a file system that takes no layer, or with others mounted below it: seen, but not written to
            syscalls.mount(source, target, flags=syscalls.MS_BIND | syscalls.MS_REC)
            _make_read_only(target)


def _overlay(folder: str, name: str, lower: str, target: str, kind: str) -> None:
    if ":" in lower or "," in lower:
        raise OSError(22, "a folder whose name has ':' or ',' cannot be the root of an image", lower)
    upper, work = os.path.join(folder, "upper", name), os.path.join(folder, "work", name)
    os.makedirs(upper, exist_ok=True)
    os.makedirs(work, exist_ok=True)
    os.chmod(upper, stat.S_IMODE(os.stat(lower).st_mode))
    options = f"lowerdir={lower},upperdir={upper},workdir={work}"
    syscalls.mount("overlay", target, "overlay", 0, options + (",userxattr" if kind == USER else ""))


def _devices(target: str) -> None:
    syscalls.mount("tmpfs", target, "tmpfs", syscalls.MS_NOSUID, "mode=755,size=65536k")
    for name in _DEVICES:
        if os.path.exists(f"/dev/{name}"):
            path = os.path.join(target, name)
            os.close(os.open(path, os.O_CREAT | os.O_CLOEXEC))
            syscalls.mount(f"/dev/{name}", path, flags=syscalls.MS_BIND)
    for name in ("pts", "shm", "mqueue"):
        if os.path.isdir(f"/dev/{name}"):
            path = os.path.join(target, name)
            os.mkdir(path)
            syscalls.mount(f"/dev/{name}", path, flags=syscalls.MS_BIND | syscalls.MS_REC)
    for name, link in _LINKS.items():
        os.symlink(link, os.path.join(target, name))


def _mount(root: str, each: MountSpec) -> None:
    source = each["source"]
    target = resolve(root, each["target"])
    if os.path.isdir(source):
        os.makedirs(target, exist_ok=True)
    else:
        os.makedirs(os.path.dirname(target), exist_ok=True)
        os.close(os.open(target, os.O_CREAT | os.O_CLOEXEC, 0o666))
    syscalls.mount(source, target, flags=syscalls.MS_BIND | syscalls.MS_REC)
    if each["read_only"]:
        _make_read_only(target)


def _make_read_only(path: str) -> None:
    """What else the mount forbids stays so: in a user namespace it has to."""
    have = os.statvfs(path).f_flag
    kept = have & (syscalls.MS_NOSUID | syscalls.MS_NODEV | syscalls.MS_NOEXEC)
    syscalls.mount("none", path, flags=syscalls.MS_REMOUNT | syscalls.MS_BIND | syscalls.MS_RDONLY | kept)


def resolve(root: str, path: str) -> str:
    """Where `path` of the container is, its links followed inside `root` and never out of it. The end of it need not exist."""
    found: list[str] = []
    waiting = [part for part in path.split("/") if part][::-1]
    links = 0
    while waiting:
        part = waiting.pop()
        if part == ".":
            continue
        if part == "..":
            del found[-1:]
            continue
        here = os.path.join(root, *found, part)
        if os.path.islink(here):
            links += 1
            if links > _MOST_LINKS:
                raise OSError(40, os.strerror(40), path)
            target = os.readlink(here)
            if target.startswith("/"):
                found.clear()
            waiting += [each for each in target.split("/") if each][::-1]
        else:
            found.append(part)
    return os.path.join(root, *found)


def probe(folder: str) -> str:
    """What this machine allows, by trying it: in a child process, which ends. `folder`: where layers will be."""
    for kind in (MOUNTS, USER):
        child = os.fork()
        if child == 0:
            code = 1
            with contextlib.suppress(OSError):
                isolate(kind)
                build(os.path.join(folder, kind), "/", (), kind, read_only=False)
                code = 0
            os._exit(code)
        if os.waitpid(child, 0)[1] == 0:
            return kind
    return NONE
