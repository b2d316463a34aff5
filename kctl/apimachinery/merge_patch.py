"""JSON merge patch (RFC 7386): applying one, and making one (two-way, and three-way as `kubectl apply` does for kinds without a
built-in schema)."""

from __future__ import annotations

from typing import Any


def apply(target: Any, patch: Any) -> Any:
    """The patched value; neither argument is changed, unchanged parts are shared."""
    if not isinstance(patch, dict):
        return patch
    out = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            out.pop(key, None)
        elif isinstance(value, dict):
            out[key] = apply(out.get(key), value)
        else:
            out[key] = value
    return out


def diff(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    """The patch that makes `new` of `old`."""
    patch: dict[str, Any] = {}
    for key, value in new.items():
        if key not in old:
            patch[key] = value
        elif isinstance(value, dict) and isinstance(old[key], dict):
            inner = diff(old[key], value)
            if inner:
                patch[key] = inner
        elif value != old[key] or isinstance(value, bool) != isinstance(old[key], bool):
            patch[key] = value
    for key in old:
        if key not in new:
            patch[key] = None
    return patch


def three_way(original: dict[str, Any], modified: dict[str, Any], current: dict[str, Any]) -> dict[str, Any]:
    """What was added or changed since `current`, and what was removed since `original` (the last applied)."""
    changes = _without_nulls(diff(current, modified))
    deletions = _only_nulls(diff(original, modified))
    return _combine(deletions, changes)


def _without_nulls(patch: dict[str, Any]) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for key, value in patch.items():
        if isinstance(value, dict) and value:
            inner = _without_nulls(value)
            if inner:
                out[key] = inner
        elif value is not None:
            out[key] = value
    return out


def _only_nulls(patch: dict[str, Any]) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for key, value in patch.items():
        if value is None:
            out[key] = None
        elif isinstance(value, dict):
            inner = _only_nulls(value)
            if inner:
                out[key] = inner
    return out


def _combine(first: dict[str, Any], second: dict[str, Any]) -> dict[str, Any]:
    out = dict(first)
    for key, value in second.items():
        both = isinstance(value, dict) and isinstance(out.get(key), dict)
        out[key] = _combine(out[key], value) if both else value
    return out
