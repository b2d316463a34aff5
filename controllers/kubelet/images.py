"""Image names as a container runtime reads them: `nginx` is docker.io/library/nginx:latest, and its id a digest."""

from __future__ import annotations

import hashlib
import re
from functools import lru_cache

from controllers.kubelet.runtime import PulledImage, PullFailure

_PATH = re.compile(r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*")
_TAG = re.compile(r"\w[\w.-]{0,127}")


class InvalidImageName(ValueError):
    """The message is the reference parser's."""


def _split(image: str) -> tuple[str, str, str, str]:
    """(registry, repository, tag, digest)"""
    name, _, digest = image.partition("@")
    head, slash, rest = name.partition("/")
    if slash and ("." in head or ":" in head or head == "localhost"):
        registry, path = head, rest
    else:
        registry, path = "docker.io", name
    repository, _, tag = path.partition(":")
    if registry == "docker.io" and "/" not in repository:
        repository = f"library/{repository}"
    return registry, repository, tag, digest


@lru_cache(maxsize=4096)
def reference(image: str) -> str:
    """The full name. Raises InvalidImageName."""
    registry, repository, tag, digest = _split(image)
    if not _PATH.fullmatch(repository) or (tag and not _TAG.fullmatch(tag)) or image.endswith((":", "@")):
        why = "invalid reference format"
        if repository.lower() != repository:
            why += f": repository name ({repository}) must be lowercase"
        raise InvalidImageName(f'couldn\'t parse image name "{image}": {why}')
    if digest:
        return f"{registry}/{repository}@{digest}"
    return f"{registry}/{repository}:{tag or 'latest'}"


@lru_cache(maxsize=4096)
def image_id(full: str) -> str:
    """repository@sha256:..., the same for the same reference."""
    if "@" in full:
        return full
    digest = hashlib.sha256(full.encode()).hexdigest()
    return f"{full.rpartition(':')[0]}@sha256:{digest}"


def reference_or_nothing(image: str) -> str:
    try:
        return reference(image)
    except InvalidImageName:
        return ""


@lru_cache(maxsize=4096)
def size(full: str) -> int:
    """A plausible number of bytes, 5 to 200 MB, the same for the same reference."""
    return 5_000_000 + int(hashlib.sha256(full.encode()).hexdigest()[:8], 16) % 195_000_000


def unreachable_registry(full: str) -> bool:
    """Hosts under .invalid never resolve (RFC 2606), here as on the Internet."""
    return full.partition("/")[0].partition(":")[0].endswith(".invalid")


def pulled(image: str, full: str, setting: str, policy: str, needs_pull: bool, seconds: float) -> PulledImage | PullFailure:
    """What becomes of a pull, by the setting image-pull; `full` is the reference."""
    if not needs_pull:
        return PulledImage(full, image_id(full))
    if policy == "Never":
        if setting == "fail":
            return PullFailure("ErrImageNeverPull", f'Container image "{image}" is not present with pull policy of Never')
        return PulledImage(full, image_id(full))
    unpack = f'failed to pull and unpack image "{full}": failed to resolve reference "{full}"'
    if unreachable_registry(full):
        host = full.partition("/")[0]
        url = f"https://{host}/v2/{full.partition('/')[2].rpartition(':')[0]}/manifests/{full.rpartition(':')[2]}"
        why = f'failed to do request: Head "{url}": dial tcp: lookup {host.partition(":")[0]}: no such host'
        return PullFailure("ErrImagePull", f"{unpack}: {why}")
    if setting == "fail":
        return PullFailure("ErrImagePull", f"rpc error: code = NotFound desc = {unpack}: {full}: not found")
    return PulledImage(full, image_id(full), False, seconds, size(full))


_ENDING = ("nonewprivs",)


@lru_cache(maxsize=4096)
def ends(image: str) -> bool:
    """What the image runs of itself does something and ends: it is to be run. All others serve, or wait, until they are stopped."""
    return image.partition("@")[0].rpartition("/")[2].partition(":")[0] in _ENDING
