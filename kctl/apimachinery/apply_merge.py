"""Merging an applied configuration (server-side apply) into the live object, by the schema's list types.

Maps merge key by key, lists of type map merge by their keys, sets are joined, atomic values are replaced. Who owns which field
is not tracked here: nothing that the configuration leaves out is removed.
"""

from __future__ import annotations

from typing import Any

from kctl.apimachinery.schema.patch_meta import PatchMeta, identity

_DEFAULTS = {"protocol": "TCP"}
"""Keys that the API defaults: an applied port without a protocol is the TCP one."""


def apply(live: dict[str, Any], configuration: dict[str, Any], meta: PatchMeta) -> dict[str, Any]:
    """A new object; unchanged parts are shared."""
    out = dict(live)
    for key, value in configuration.items():
        out[key] = _merge(out[key], value, meta.field(key)) if key in out else value
    return out


def _merge(old: Any, new: Any, meta: PatchMeta) -> Any:
    if isinstance(old, dict) and isinstance(new, dict) and not meta.is_atomic_map:
        return apply(old, new, meta)
    if isinstance(old, list) and isinstance(new, list):
        if meta.list_type == "set":
            known = {identity(item) for item in old}
            return old + [item for item in new if identity(item) not in known]
        keys = meta.list_map_keys
        if meta.list_type == "map" and keys:
            return _merge_items(old, new, keys, meta)
    return new


def _merge_items(old: list[Any], new: list[Any], keys: tuple[str, ...], meta: PatchMeta) -> list[Any]:
    out = list(old)
    positions = {_identity(item, keys): index for index, item in enumerate(out)}
    for item in new:
        at = positions.get(_identity(item, keys))
        if at is None:
            out.append(item)
        else:
            out[at] = _merge(out[at], item, meta)
    return out


def _identity(item: Any, keys: tuple[str, ...]) -> tuple[Any, ...]:
    return tuple(identity(item.get(key, _DEFAULTS.get(key))) for key in keys) if isinstance(item, dict) else (identity(item),)
