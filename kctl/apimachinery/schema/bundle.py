"""Reads the schema bundles: an index of types, each decoded only when somebody asks for it.

A source checkout without bundles builds them on the fly when kubernetes-validate is importable.
"""

from __future__ import annotations

import importlib.util
import zlib
from functools import cache
from pathlib import Path
from typing import Any

import orjson

HERE = Path(__file__).resolve().parent
COLUMNS = HERE.parents[1] / "kube_apiserver" / "columns"


class BundleMissing(RuntimeError):
    """The schema bundles were not built with the package."""


class Bundle:
    """Entries by name. Holds the compact JSON text; parsed entries are the caller's to keep."""

    def __init__(self, packed: bytes) -> None:
        data = zlib.decompress(packed)
        start = 4 + int.from_bytes(data[:4], "big")
        self.header: dict[str, Any] = orjson.loads(data[4:start])
        self._index: dict[str, list[int]] = self.header["index"]
        self._body = data[start:]

    def __contains__(self, name: str) -> bool:
        return name in self._index

    def names(self) -> list[str]:
        return list(self._index)

    def text(self, name: str) -> bytes:
        """The entry's JSON. KeyError where there is none."""
        offset, length = self._index[name]
        return self._body[offset : offset + length]

    def entry(self, name: str) -> Any:
        return orjson.loads(self.text(name))


def _build() -> None:
    from kctl.apimachinery.schema import build_hook

    try:
        build_hook.write()
    except ImportError:
        raise BundleMissing(
            "the schema bundles are missing: reinstall kctl (pip install --force-reinstall kctl), "
            "or in a source checkout: pip install kubernetes-validate==1.37.0 && "
            "python kctl/apimachinery/schema/build_hook.py"
        ) from None


def _stale(path: Path) -> bool:
    """Missing, or in a source checkout older than the tables it is made of."""
    if not path.exists():
        return True
    sources = [HERE / name for name in ("build_hook.py", "go_types.py", "protobuf_fields.txt")]
    if path.name == "columns.bundle":
        sources = [sources[0], *COLUMNS.glob("*.py")]
    newest = max((source.stat().st_mtime for source in sources if source.exists()), default=0.0)
    return path.stat().st_mtime < newest and importlib.util.find_spec("kubernetes_validate") is not None


@cache
def types() -> Bundle:
    """Fields of every type, small; kept for the life of the process."""
    path = HERE / "types.bundle"
    if _stale(path):
        _build()
    return Bundle(path.read_bytes())


@cache
def columns() -> Bundle:
    """The documentation of the fields that Table columns show, by field."""
    path = HERE / "columns.bundle"
    if _stale(path):
        _build()
    return Bundle(path.read_bytes())


def descriptions() -> Bundle:
    """The OpenAPI definitions; not kept: about 2 MB that only /openapi needs."""
    path = HERE / "descriptions.bundle"
    if not path.exists():
        _build()
    return Bundle(path.read_bytes())
