"""Which root and which program an image's name stands for: by the map that the cluster was started with, else the host's file system for
containers that name a program which the host has."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from controllers.kubelet import images
from controllers.kubelet.process_runtime.oci_image import InvalidImage, UnpackedImage, is_image, unpack, user_of
from controllers.kubelet.process_runtime.program import is_program
from controllers.kubelet.runtime import PulledImage, PullFailure
from kctl.apimachinery.objects import Object

HOST = "host"
"""In an image map: the host's file system."""
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_BUILT_IN: Mapping[str, Sequence[str]] = {"pause": ("sleep", "infinity")}
"""What images do that a program of every machine does as well."""


@dataclass(frozen=True, slots=True)
class ImageRoot:
    """`lower`: its root, "/" for the host's. `entrypoint` and `command`: what it runs where the container does not say. `user`: ids that
    it runs as by itself, None for the kubelet's own."""

    lower: str
    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    env: Mapping[str, str] | None = None
    working_directory: str = "/"
    user: tuple[int, int] | None = None

    def words(self, container: Object) -> list[str]:
        """What runs in the container: its command in place of the entry point and of the image's own arguments, its args in place of
        these."""
        given, arguments = container.get("command"), container.get("args")
        if given:
            return [*map(str, given), *map(str, arguments or ())]
        return [*self.entrypoint, *(map(str, arguments) if arguments else self.command)]


class InvalidImageMap(ValueError):
    """The message says what is wrong with an entry."""


def parse(entries: Sequence[str]) -> dict[str, str]:
    """NAME=PATH of each into full names. Raises InvalidImageMap."""
    found: dict[str, str] = {}
    for entry in entries:
        name, equals, path = entry.partition("=")
        if not equals or not path:
            raise InvalidImageMap(f"{entry!r}: want NAME=PATH, the root of the image, an OCI layout or a tarball, or NAME={HOST}")
        try:
            full = images.reference(name)
        except images.InvalidImageName as error:
            raise InvalidImageMap(f"{entry!r}: {error}") from None
        if path != HOST and not (os.path.isdir(path) or os.path.isfile(path)):
            raise InvalidImageMap(f"{entry!r}: there is no folder or tarball {path}")
        found[full] = path if path == HOST else os.path.abspath(path)
    return found


class ImageMap:
    """`roots` by full names. `environment`: of the kubelet, in whose PATH programs of the host are. `cache` is where images are
    unpacked."""

    def __init__(self, roots: Mapping[str, str], environment: Mapping[str, str], cache: Path) -> None:
        self._roots = roots
        self._environment = environment
        self._cache = cache
        self._unpacked: dict[str, UnpackedImage] = {}

    @property
    def host_path(self) -> str:
        return self._environment.get("PATH") or PATH

    def variables(self, root: ImageRoot) -> dict[str, str]:
        """What a container has in its environment before everything else."""
        if root.lower == "/":
            return {"PATH": self.host_path, "HOME": self._environment.get("HOME") or "/"}
        return {"PATH": PATH, "HOME": "/", **(root.env or {})}

    def present(self, container: Object) -> bool:
        """Nothing has to be unpacked for it, or is to be complained of."""
        return self.to_unpack(container) is None and isinstance(self.pull(container), PulledImage)

    def to_unpack(self, container: Object) -> str | None:
        """The full name of an image that has to be unpacked first."""
        full = images.reference_or_nothing(str(container.get("image") or ""))
        place = self._roots.get(full, HOST)
        return full if place != HOST and full not in self._unpacked and is_image(Path(place)) else None

    def unpack(self, full: str) -> PulledImage | PullFailure:
        """Beside the event loop. What was unpacked before is taken as it is."""
        try:
            found = unpack(Path(self._roots[full]), self._cache)
            user_of(found)
        except (InvalidImage, OSError) as error:
            return PullFailure("ErrImagePull", f'failed to unpack image "{full}": {error}')
        self._unpacked[full] = found
        return PulledImage(full, f"{full.rpartition(':')[0]}@{found.image_id}", False)

    def pull(self, container: Object) -> PulledImage | PullFailure:
        image = str(container.get("image") or "")
        try:
            full = images.reference(image)
        except images.InvalidImageName as error:
            return PullFailure("InvalidImageName", f'Failed to apply default image tag "{image}": {error}')
        problem = self._problem(full, container)
        if not problem:
            known = self._unpacked.get(full)
            return PulledImage(full, images.image_id(full) if known is None else f"{full.rpartition(':')[0]}@{known.image_id}")
        if container.get("imagePullPolicy") == "Never":
            return PullFailure("ErrImageNeverPull", f'Container image "{image}" is not present with pull policy of Never')
        return PullFailure("ErrImagePull", f'image "{image}" cannot be had: {problem}')

    def _problem(self, full: str, container: Object) -> str:
        """Why it cannot be run, and what to do about that."""
        if full in self._roots and self._roots[full] != HOST:
            folder = self._roots[full]
            return "" if os.path.exists(folder) else f"{folder}, which it is mapped to, is not there"
        advice = f"start the cluster with --image {full}=PATH, the root of the image, an OCI layout or a tarball"
        command = container.get("command") or self._built_in(full)
        if not command:
            return (
                "process pods pull no images, and what it runs by itself is not known here. Give the container a command that this "
                f"machine has, or {advice}"
            )
        word = str(command[0])
        if self._has(word, container):
            return ""
        return f'process pods pull no images, and this machine has no program "{word}". Install it, or {advice}'

    def _has(self, word: str, container: Object) -> bool:
        """A program of the host; one that may come with a volume or is found out later is believed in."""
        if "$(" in word:
            return True
        if "/" not in word:
            folders = self.host_path.split(":")
            for variable in container.get("env") or ():
                if variable.get("name") == "PATH":
                    folders += str(variable.get("value") or "").split(":")
            return any(is_program(os.path.join(folder, word)) for folder in folders)
        mounts = [str(mount.get("mountPath")).rstrip("/") for mount in container.get("volumeMounts") or ()]
        return not word.startswith("/") or any(word.startswith(f"{mount}/") for mount in mounts) or os.path.exists(word)

    @staticmethod
    def _built_in(full: str) -> tuple[str, ...]:
        return tuple(_BUILT_IN.get(full.rpartition("/")[2].partition("@")[0].partition(":")[0], ()))

    def root(self, container: Object) -> ImageRoot:
        """Of an image that is present."""
        full = images.reference(str(container.get("image") or ""))
        folder = self._roots.get(full, HOST)
        known = self._unpacked.get(full)
        if known is not None:
            return ImageRoot(str(known.root), known.entrypoint, known.command, known.env, known.working_directory, user_of(known))
        if folder != HOST:
            return ImageRoot(folder)
        return ImageRoot("/", self._built_in(full))
