"""Unpacks an image from an OCI layout (a folder, or a tarball of one) or from what `docker save` writes: its layers, one over the other,
and its configuration. Without a registry, and without running anything.

The folder of an unpacked image is made under another name and renamed when it is whole, so one that is there can be used.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from controllers.kubelet.process_runtime import rootfs
from controllers.kubelet.process_runtime.reaping import remove

_WHITEOUT, _OPAQUE = ".wh.", ".wh..wh..opq"
_LARGEST_DOCUMENT = 8 * 1024 * 1024
_MOST_ENTRIES = 1_000_000
_INDEXES = ("application/vnd.oci.image.index.v1+json", "application/vnd.docker.distribution.manifest.list.v2+json")
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
CONFIG, ROOT = "config.json", "rootfs"


class InvalidImage(Exception):
    """The message says what is wrong with it."""


@dataclass(frozen=True, slots=True)
class UnpackedImage:
    """`image_id` is the digest of its configuration, sha256:..."""

    root: Path
    image_id: str
    entrypoint: tuple[str, ...]
    command: tuple[str, ...]
    env: Mapping[str, str]
    working_directory: str
    user: str


def is_image(path: Path) -> bool:
    """Whether it is something to unpack: a tarball, or a folder that is a layout."""
    return path.is_file() or (path / "oci-layout").is_file()


class _Source:
    """The files of a layout by name, in a folder or a tarball."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._tar = tarfile.open(path) if path.is_file() else None  # noqa: SIM115
        self._members = {_plain(each.name): each for each in self._tar} if self._tar is not None else {}

    def close(self) -> None:
        if self._tar is not None:
            self._tar.close()

    def has(self, name: str) -> bool:
        return name in self._members if self._tar is not None else (self._path / name).is_file()

    def open(self, name: str) -> IO[bytes]:
        if self._tar is None:
            return open(rootfs.resolve(str(self._path), name), "rb")
        member = self._members.get(name)
        file = self._tar.extractfile(member) if member is not None else None
        if file is None:
            raise InvalidImage(f"{self._path} has no {name}")
        return file

    def document(self, name: str) -> Any:
        try:
            with self.open(name) as file:
                return json.loads(file.read(_LARGEST_DOCUMENT))
        except (OSError, ValueError) as error:
            raise InvalidImage(f"{name} of {self._path} cannot be read: {error}") from None

    def blob(self, digest: str) -> str:
        return f"blobs/{digest.replace(':', '/', 1)}"


def _plain(name: str) -> str:
    return os.path.normpath(name).lstrip("/")


def unpack(path: Path, cache: Path) -> UnpackedImage:
    """Below `cache`, once for each image. Raises InvalidImage, OSError."""
    try:
        source = _Source(path)
    except (tarfile.TarError, OSError) as error:
        raise InvalidImage(f"{path} is neither an OCI layout nor a tarball: {error}") from None
    try:
        config, digest, layers = _parts(source, path)
        folder = cache / digest.replace(":", "-")
        if not (folder / CONFIG).exists():
            _unpack_layers(source, layers, config, folder)
        return _unpacked(folder, digest)
    except (tarfile.TarError, KeyError, TypeError, IndexError, AttributeError) as error:
        raise InvalidImage(f"{path} cannot be unpacked: {error!r}") from None
    finally:
        source.close()


def _parts(source: _Source, path: Path) -> tuple[Any, str, list[str]]:
    """(configuration, its digest, the names of the layers from the lowest)"""
    if source.has("index.json"):
        manifest = _manifest(source, source.document("index.json"), path)
        config = str(manifest["config"]["digest"])
        return source.document(source.blob(config)), config, [source.blob(str(layer["digest"])) for layer in manifest["layers"]]
    if source.has("manifest.json"):  # what docker save wrote before version 25
        found = source.document("manifest.json")[0]
        with source.open(found["Config"]) as file:
            digest = hashlib.sha256(file.read(_LARGEST_DOCUMENT)).hexdigest()
        return source.document(found["Config"]), f"sha256:{digest}", [_plain(str(layer)) for layer in found["Layers"]]
    raise InvalidImage(f"{path} has neither an index.json nor a manifest.json")


def _manifest(source: _Source, index: Any, path: Path, depth: int = 0) -> Any:
    """That of this machine's architecture."""
    machine = _ARCHITECTURES.get(os.uname().machine, os.uname().machine)
    entries = [each for each in index["manifests"] if (each.get("platform") or {}).get("os", "linux") == "linux"]
    fitting = [each for each in entries if (each.get("platform") or {}).get("architecture", machine) == machine]
    if not fitting or depth > 3:
        raise InvalidImage(f"{path} has no image for linux/{machine}")
    found = source.document(source.blob(str(fitting[0]["digest"])))
    inner = fitting[0].get("mediaType") in _INDEXES or "manifests" in found
    return _manifest(source, found, path, depth + 1) if inner else found


def _unpack_layers(source: _Source, layers: list[str], config: Any, folder: Path) -> None:
    made = folder.with_name(f"{folder.name}.new")
    remove(made)
    root = made / ROOT
    root.mkdir(parents=True)
    root.chmod(0o755)
    try:
        for layer in layers:
            with source.open(layer) as file, tarfile.open(fileobj=file, mode="r|*") as tar:
                _apply(tar, root)
        (made / CONFIG).write_text(json.dumps(config))
        remove(folder)
        made.rename(folder)
    except BaseException:
        remove(made)
        raise


def _apply(tar: tarfile.TarFile, root: Path) -> None:
    """One layer. Nothing is written outside of `root`, wherever links in it lead."""
    for count, member in enumerate(tar):
        if count > _MOST_ENTRIES:
            raise InvalidImage("a layer has too many files")
        name = _plain(member.name)
        if name.startswith("..") or name == ".":
            continue
        parent, base = os.path.split(name)
        folder = Path(rootfs.resolve(str(root), parent))
        folder.mkdir(parents=True, exist_ok=True)
        target = folder / base
        if base == _OPAQUE:
            for each in list(folder.iterdir()):
                _delete(each)
        elif base.startswith(_WHITEOUT):
            _delete(folder / base.removeprefix(_WHITEOUT))
        else:
            _write(tar, member, target, root)


def _delete(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _write(tar: tarfile.TarFile, member: tarfile.TarInfo, target: Path, root: Path) -> None:
    keeps = member.isdir() and target.is_dir() and not target.is_symlink()
    if os.path.lexists(target) and not keeps:
        _delete(target)
    if member.isdir():
        target.mkdir(exist_ok=True)
    elif member.issym():
        target.symlink_to(member.linkname)
    elif member.islnk():
        os.link(rootfs.resolve(str(root), _plain(member.linkname)), target, follow_symlinks=False)
        return
    elif member.isreg():
        source = tar.extractfile(member)
        assert source is not None
        with open(target, "xb") as file:
            shutil.copyfileobj(source, file, 1 << 20)
    else:
        return  # devices: a container gets its own /dev
    _own(member, target)


def _own(member: tarfile.TarInfo, target: Path) -> None:
    if os.geteuid() == 0:
        os.chown(target, member.uid, member.gid, follow_symlinks=False)
    if not member.issym():
        target.chmod(member.mode & 0o7777 if os.geteuid() == 0 else member.mode & 0o777 | 0o600 | (0o100 if member.isdir() else 0))


def _unpacked(folder: Path, digest: str) -> UnpackedImage:
    config = json.loads((folder / CONFIG).read_bytes()).get("config") or {}
    pairs = (str(each).partition("=") for each in config.get("Env") or ())
    return UnpackedImage(
        folder / ROOT,
        digest,
        tuple(map(str, config.get("Entrypoint") or ())),
        tuple(map(str, config.get("Cmd") or ())),
        {name: value for name, _, value in pairs},
        str(config.get("WorkingDir") or "/"),
        str(config.get("User") or ""),
    )


def user_of(image: UnpackedImage) -> tuple[int, int]:
    """(user id, group id) of its User, by the image's own /etc/passwd and /etc/group; (0, 0) where it says none. Raises InvalidImage."""
    name, _, group = image.user.partition(":")
    uid, gid = 0, 0
    if name:
        row = next((row for row in _rows(image.root, "etc/passwd") if row[0] == name or (len(row) > 2 and row[2] == name)), None)
        if row is not None and len(row) > 3:
            uid, gid = int(row[2]), int(row[3])
        elif name.isdigit():
            uid = int(name)
        else:
            raise InvalidImage(f"unable to find user {name}: no matching entries in passwd file")
    if group:
        row = next((row for row in _rows(image.root, "etc/group") if row[0] == group), None)
        if row is not None and len(row) > 2:
            gid = int(row[2])
        elif group.isdigit():
            gid = int(group)
        else:
            raise InvalidImage(f"unable to find group {group}: no matching entries in group file")
    return uid, gid


def _rows(root: Path, name: str) -> Iterator[list[str]]:
    try:
        text = Path(rootfs.resolve(str(root), name)).read_text(errors="replace")
    except OSError as error:
        if error.errno not in (errno.ENOENT, errno.ENOTDIR):
            raise
        return
    for line in text.splitlines():
        yield line.split(":")
