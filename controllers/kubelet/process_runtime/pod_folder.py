"""One pod's folder on the disk: its volumes as real directories, what a kubelet writes for it, a folder for each run of a container.

<uid>/volumes/<name>/            emptyDir, configMap, secret, projected, downwardAPI, image
<uid>/etc/                       hosts, hostname, resolv.conf
<uid>/containers/<name>/<n>/     run n of a container: what its shim keeps
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import stat
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from controllers.kubelet.cluster_dns import host_resolver
from controllers.kubelet.environment import expand
from controllers.kubelet.files import etc
from controllers.kubelet.files.tree import Directory, File, Node, Symlink
from controllers.kubelet.process_runtime import rootfs
from controllers.kubelet.process_runtime.cluster_view import ClusterView
from controllers.kubelet.process_runtime.rootfs import MountSpec
from controllers.kubelet.references import CLAIM, VOLUME
from controllers.kubelet.sandbox import PodSandbox
from kctl.apimachinery import objects
from kctl.apimachinery.objects import Object

OF_API_OBJECTS = ("configMap", "secret", "projected", "downwardAPI", "image")
_KINDS: Mapping[str, Callable[[int], bool]] = {
    "Directory": stat.S_ISDIR,
    "File": stat.S_ISREG,
    "Socket": stat.S_ISSOCK,
    "CharDevice": stat.S_ISCHR,
    "BlockDevice": stat.S_ISBLK,
}
_WORDS = {
    "Directory": "a directory",
    "File": "a file",
    "Socket": "a socket file",
    "CharDevice": "a character device",
    "BlockDevice": "a block device",
}


class CannotMount(Exception):
    """In the words of the kubelet's event FailedMount."""

    def __init__(self, volume: str, why: str) -> None:
        super().__init__(f'MountVolume.SetUp failed for volume "{volume}" : {why}')


class PodFolder:
    """`claims` is where volumes of claims are kept that have no place of their own."""

    def __init__(self, path: Path, sandbox: PodSandbox, claims: Path, view: ClusterView) -> None:
        self.path = path
        self.sandbox = sandbox
        self._claims = claims
        self._view = view
        self._lookup = view.lookup
        self._laid_out: dict[str, Mapping[str, Node]] = {}

    @property
    def pod(self) -> Object:
        return self.sandbox.pod

    def run_folder(self, container: str, attempt: int) -> Path:
        return self.path / "containers" / container / str(attempt)

    def _volume_specs(self) -> Iterator[Object]:
        yield from objects.spec(self.pod).get("volumes") or ()

    # ---- volumes

    def mounts(self, container: Object, run: Path, variables: Mapping[str, str]) -> list[MountSpec]:
        """What is mounted into a container, made ready. Raises CannotMount, OSError."""
        found: list[MountSpec] = []
        specs = {str(each["name"]): each for each in self._volume_specs()}
        for mount in container.get("volumeMounts") or ():
            volume = specs.get(str(mount.get("name")))
            if volume is None:
                raise CannotMount(str(mount.get("name")), "no such volume")
            source, read_only = self._source(volume)
            below = str(mount.get("subPath") or "") or expand(str(mount.get("subPathExpr") or ""), variables)[0]
            if below.strip("/."):
                source = self._below(source, below)
            found.append(
                {"source": str(source), "target": str(mount.get("mountPath")), "read_only": read_only or bool(mount.get("readOnly"))}
            )
        return [*found, *self._own_files(container, run, {each["target"].rstrip("/") for each in found})]

    def _own_files(self, container: Object, run: Path, taken: set[str]) -> Iterator[MountSpec]:
        folder = self.path / "etc"
        folder.mkdir(parents=True, exist_ok=True)
        for path, content in self._etc().items():
            name = path.rpartition("/")[2]
            _rewrite(folder / name, content)
            if path not in taken:
                yield {"source": str(folder / name), "target": path, "read_only": False}
        log = run / "termination-log"
        log.touch(0o666)
        log.chmod(0o666)
        yield {"source": str(log), "target": str(container.get("terminationMessagePath") or "/dev/termination-log"), "read_only": False}

    def _etc(self) -> dict[str, bytes]:
        """Without cluster DNS, names of Services are in /etc/hosts, and /etc/resolv.conf is the host's."""
        found = dict(self.sandbox.etc())
        if self._view.dns:
            found["/etc/resolv.conf"] = etc.resolv_conf(self.pod, [self._view.dns], host_resolver.read()).encode()
            return found
        if objects.spec(self.pod).get("dnsPolicy") != "None":
            found.pop("/etc/resolv.conf", None)
        found["/etc/hosts"] += self._view.hosts(objects.namespace(self.pod)).encode()
        return found

    def _source(self, volume: Object) -> tuple[Path, bool]:
        """(its folder or file, whether it can only be read)"""
        name = str(volume["name"])
        if "hostPath" in volume:
            return self._host_path(name, volume["hostPath"] or {}), False
        for field in ("persistentVolumeClaim", "ephemeral"):
            if field in volume:
                source = volume[field] or {}
                claim = str(source.get("claimName") or f"{objects.name(self.pod)}-{name}")
                return self._of_claim(name, claim), bool(source.get("readOnly"))
        folder = self.path / "volumes" / name
        if not folder.exists():
            folder.mkdir(parents=True)
            folder.chmod(0o777)
            self._give_to_group(folder)
        for kind in OF_API_OBJECTS:
            if kind in volume:
                self._lay_out(name, folder)
                return folder, kind == "image"
        if "emptyDir" not in volume:
            kind = next((field for field in volume if field != "name"), "")
            raise CannotMount(name, f"volumes of the kind {kind} cannot be mounted into a process")
        return folder, False

    def _host_path(self, name: str, source: Object) -> Path:
        path, kind = Path(str(source.get("path") or "/")), str(source.get("type") or "")
        if kind == "DirectoryOrCreate":
            path.mkdir(0o755, parents=True, exist_ok=True)
            kind = "Directory"
        elif kind == "FileOrCreate":
            if not path.exists():
                path.touch(0o644)
            kind = "File"
        try:
            mode = path.stat().st_mode
        except FileNotFoundError:
            if not kind:
                path.mkdir(0o755, parents=True)
                return path
            raise CannotMount(name, f"hostPath type check failed: {path} is not {_WORDS.get(kind, kind)}") from None
        if kind and not _KINDS[kind](mode):
            raise CannotMount(name, f"hostPath type check failed: {path} is not {_WORDS[kind]}")
        return path

    def _of_claim(self, name: str, claim: str) -> Path:
        """Where its PersistentVolume says, or a folder that outlives the pod."""
        namespace = objects.namespace(self.pod)
        found = self._lookup(CLAIM, f"{namespace}/{claim}") or {}
        volume_name = str(objects.spec(found).get("volumeName") or "")
        spec = objects.spec(self._lookup(VOLUME, volume_name) or {})
        if "hostPath" in spec:
            return self._host_path(name, {"type": "DirectoryOrCreate", **spec["hostPath"]})
        if "local" in spec:
            return self._host_path(name, {"path": spec["local"].get("path"), "type": "Directory"})
        folder = self._claims / (volume_name or f"{namespace}_{claim}")
        if not folder.exists():
            folder.mkdir(parents=True)
            folder.chmod(0o777)
        self._give_to_group(folder)
        return folder

    def _below(self, source: Path, below: str) -> Path:
        path = Path(rootfs.resolve(str(source), below))
        if not path.exists():
            path.mkdir(parents=True)
            path.chmod(stat.S_IMODE(source.stat().st_mode))
            self._give_to_group(path)
        return path

    def _give_to_group(self, path: Path) -> None:
        """fsGroup, where this user may give files away."""
        group = (objects.spec(self.pod).get("securityContext") or {}).get("fsGroup")
        if group is None:
            return
        with contextlib.suppress(PermissionError):
            os.chown(path, -1, int(group))
            path.chmod(stat.S_IMODE(path.stat().st_mode) | stat.S_ISGID | 0o070)

    # ---- volumes made of API objects

    def refresh(self) -> None:
        """What is made of objects that have changed is brought up to date."""
        hosts = self.path / "etc" / "hosts"
        if hosts.exists():
            with contextlib.suppress(OSError):
                _rewrite(hosts, self._etc()["/etc/hosts"])
        for volume in self._volume_specs():
            name = str(volume["name"])
            if name in self._laid_out:
                with contextlib.suppress(OSError):
                    self._lay_out(name, self.path / "volumes" / name)

    def _lay_out(self, name: str, folder: Path) -> None:
        mount = self.sandbox.volume(name)
        assert mount is not None and isinstance(mount.node, Directory)
        entries = mount.node.look()
        if self._laid_out.get(name) is entries:
            return
        self._laid_out[name] = entries
        lay_out(entries, folder)


def _rewrite(path: Path, content: bytes) -> None:
    """In its place, for it is mounted."""
    with contextlib.suppress(FileNotFoundError):
        if path.read_bytes() == content:
            return
    path.write_bytes(content)
    path.chmod(0o644)


def lay_out(entries: Mapping[str, Node], folder: Path) -> None:
    """As the kubelet's atomic writer: what is new stands beside what was, a link is exchanged, what was goes away."""
    before = sorted(os.listdir(folder))
    exchanged: list[tuple[str, str]] = []
    for name, node in entries.items():
        if isinstance(node, Symlink):
            exchanged.append((name, node.target))
        else:
            path = folder / name
            if os.path.lexists(path):
                _remove(path)
            _write(path, node)
    for name, target in sorted(exchanged, key=lambda link: link[0] != "..data"):
        new = folder / f"{name}.tmp"
        with contextlib.suppress(FileNotFoundError):
            new.unlink()
        new.symlink_to(target)
        new.rename(folder / name)
    for name in before:
        if name not in entries:
            _remove(folder / name)


def _write(path: Path, node: Node) -> None:
    if isinstance(node, Directory):
        path.mkdir()
        for name, child in node.entries.items():
            _write(path / name, child)
    elif isinstance(node, Symlink):
        path.symlink_to(node.target)
        return
    elif isinstance(node, File):
        path.write_bytes(node.data)
    else:
        raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP), str(path))
    path.chmod(node.mode & 0o7777)
    if node.gid:
        with contextlib.suppress(PermissionError):
            os.chown(path, -1, node.gid)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with contextlib.suppress(FileNotFoundError):
            path.unlink()
