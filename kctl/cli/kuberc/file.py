"""The kuberc file: where it is, what stands in it, and writing it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

from kctl.apimachinery.yaml import dump, load
from kctl.cli.errors import CommandError

API_VERSION: Final = "kubectl.config.k8s.io/v1beta1"
_VERSIONS: Final = (API_VERSION, "kubectl.config.k8s.io/v1alpha1")
_MOST_BYTES: Final = 1024 * 1024
_FIELDS: Final = ("defaults", "aliases", "credentialPluginPolicy", "credentialPluginAllowlist")

Environment = Mapping[str, str]


class Place(NamedTuple):
    """`named`: by --kuberc or $KUBERC, so that it has to be there."""

    path: Path
    named: bool


def is_off(environment: Environment) -> bool:
    return environment.get("KUBERC") == "off"


def place(flag: str, environment: Environment) -> Place:
    if flag:
        return Place(Path(flag), True)
    if environment.get("KUBERC"):
        return Place(Path(environment["KUBERC"]), True)
    return Place(Path(os.path.expanduser("~")) / ".kube" / "kuberc", False)


def read(where: Path) -> dict[str, Any]:
    """The preferences, sections that are not there left out. Raises OSError, ValueError for what is no kuberc file."""
    with where.open("rb") as file:
        data = file.read(_MOST_BYTES + 1)
    if len(data) > _MOST_BYTES:
        raise ValueError("file is too large")
    try:
        found = load(data)
    except Exception as error:
        raise ValueError(str(error)) from None
    if not isinstance(found, dict) or found.get("kind") != "Preference" or found.get("apiVersion") not in _VERSIONS:
        raise ValueError("no valid preferences")
    return {name: found[name] for name in ("kind", "apiVersion", *_FIELDS) if found.get(name)} | _unknown(found)


def _unknown(found: dict[str, Any]) -> dict[str, Any]:
    """Kept, so that nothing is lost when the file is written again."""
    return {name: value for name, value in found.items() if name not in ("kind", "apiVersion", *_FIELDS)}


def unknown_fields(found: dict[str, Any]) -> list[str]:
    return sorted(_unknown(found))


def read_or_new(where: Path) -> dict[str, Any]:
    """Raises CommandError."""
    try:
        return read(where)
    except FileNotFoundError:
        return {"kind": "Preference", "apiVersion": API_VERSION}
    except (OSError, ValueError) as error:
        raise CommandError(f"error reading kuberc file: {error}") from None


def write(where: Path, preferences: dict[str, Any]) -> None:
    """At once or not at all. Raises CommandError."""
    text = dump({"aliases": None, "defaults": None, **preferences})
    beside = where.with_name(where.name + f".{os.getpid()}")
    try:
        where.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        beside.write_text(text)
        beside.replace(where)
    except OSError as error:
        raise CommandError(f"error writing kuberc file: {error.strerror or error}") from None
