"""Strategic merge as kustomize does it, which is not quite the API server's.

Differences that show: what a patch adds to a list comes first, `$retainKeys` and `$setElementOrder` mean nothing, a list entry is told
by all the keys of its list that it has (port and protocol), and the schema is the one of Kubernetes 1.21, so that lists of later fields
are replaced. Nothing is changed in place but what this module made.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from kctl.apimachinery.objects import Object, deep_copy
from kctl.apimachinery.schema.patch_meta import PatchMeta
from kctl.cli.errors import CommandError

_DIRECTIVE: Final = "$patch"
_MISSING: Final[Any] = object()
_NEWER_FIELDS: Final = frozenset({"resourceClaims", "hostUsers", "podIPs", "hostIPs"})
"""Lists with merge keys that Kubernetes 1.21 did not have, or not with a key."""


def merge(target: Object, patch: Object, meta: PatchMeta) -> Object | None:
    """The patched object; None where the patch deletes it. Raises CommandError for a patch whose parts are of other kinds than the
    object's, or with an unknown directive."""
    merged = _walk(target, deep_copy(patch), meta)
    return None if merged is _MISSING else merged


def _is_absent(value: Any) -> bool:
    return value is _MISSING or value is None


def _walk(target: Any, patch: Any, meta: PatchMeta) -> Any:
    first = patch if _is_absent(target) else target
    if _is_absent(first):
        return _MISSING if patch is None or target is _MISSING else None
    kind = dict if isinstance(first, dict) else list if isinstance(first, list) else None
    for value in (target, patch):
        if not _is_absent(value) and (dict if isinstance(value, dict) else list if isinstance(value, list) else None) is not kind:
            raise CommandError(_wrong_kind(kind, value))
    if kind is dict:
        return _walk_map(target, patch, meta)
    if kind is list:
        merges = meta.merges
        return _walk_associative(target, patch, meta) if merges else _replaced(target, patch)
    return _replaced(target, patch)


def _wrong_kind(wanted: type | None, value: Any) -> str:
    from kctl.apimachinery.yaml import dump

    expected, given = _node_kind(wanted), _node_kind(type(value))
    return f"wrong node kind: expected {expected} but got {given}: node contents:\n{dump(value)}".rstrip("\n")


def _node_kind(kind: type | None) -> str:
    return "MappingNode" if kind is dict else "SequenceNode" if kind is list else "ScalarNode"


def _replaced(target: Any, patch: Any) -> Any:
    """A scalar, or a list that is one value."""
    return target if patch is _MISSING else _MISSING if patch is None else patch


def _directive_of(patch: Any) -> str:
    """delete, replace or merge; taken out of the patch."""
    if isinstance(patch, dict) and _DIRECTIVE in patch:
        found = str(patch.pop(_DIRECTIVE))
    elif isinstance(patch, list):
        at = next((i for i, entry in enumerate(patch) if isinstance(entry, dict) and list(entry) == [_DIRECTIVE]), -1)
        if at < 0:
            return "merge"
        found = str(patch[at][_DIRECTIVE])
        patch[:] = [entry for entry in patch if entry != {_DIRECTIVE: found}]
    else:
        return "merge"
    if found not in ("delete", "replace", "merge"):
        raise CommandError(f"unknown patch strategy '{found}'")
    return found


def _started(target: Any, patch: Any) -> tuple[Any, Any]:
    """What the result begins as (_MISSING: it goes), and what is then merged into it. Something new is merged with itself, which
    takes nulls and directives out of it."""
    if _is_absent(target):
        return (_MISSING, patch) if _directive_of(patch) == "delete" else (patch, patch)
    if patch is None:
        return _MISSING, patch
    directive = _directive_of(patch)
    if directive == "delete":
        return _MISSING, patch
    return (patch, patch) if directive == "replace" else (target, patch)


def _walk_map(target: Any, patch: Any, meta: PatchMeta) -> Any:
    base, patch = _started(target, patch)
    if base is _MISSING:
        return _MISSING
    given = patch if isinstance(patch, dict) else {}
    merged = dict(base)
    for key in sorted({*base, *given}):
        value = _walk(base.get(key, _MISSING), given.get(key, _MISSING), _field(meta, key))
        if value is _MISSING:
            merged.pop(key, None)
        else:
            merged[key] = value
    return merged


def _field(meta: PatchMeta, key: str) -> PatchMeta:
    return PatchMeta.none() if key in _NEWER_FIELDS else meta.field(key)


def _walk_associative(target: Any, patch: Any, meta: PatchMeta) -> Any:
    base, patch = _started(target, patch)
    if base is _MISSING:
        return _MISSING
    given = patch if isinstance(patch, list) else []
    keys = meta.list_map_keys or ((meta.merge_key,) if meta.merge_key else ())
    if not keys:
        return _united(given, base)
    if len(keys) > 1:
        return _walk_by_several_keys(base, given, keys, meta)
    merged: list[Any] = []
    for value_of_key in _values(keys[0], given, base):
        named = {keys[0]: value_of_key}
        value = _merged_entry(_entry(base, named), _entry(given, named), meta)
        if not _is_gone(value):
            _put(merged, value, named)
    return merged + [entry for entry in base if isinstance(entry, dict) and not _text(entry.get(keys[0]))]


def _is_gone(value: Any) -> bool:
    return _is_absent(value) or value == {}


def _merged_entry(base: Any, given: Any, meta: PatchMeta) -> Any:
    """kustomize puts the old entry back in the place of one that says `$patch: replace`."""
    if base is not _MISSING and isinstance(given, dict) and given.get(_DIRECTIVE) == "replace":
        return base
    return _walk(base, given, meta)


def _walk_by_several_keys(base: list[Any], given: list[Any], keys: tuple[str, ...], meta: PatchMeta) -> list[Any]:
    """New entries come first; the others stay where they are. An entry that has some keys of an old one and lacks others (a port without
    protocol) is neither that one nor a new one, and is dropped."""
    patched = [entry for entry in given if isinstance(entry, dict)]
    merged: list[Any] = []
    used: list[int] = []
    for entry in base:
        at = next((i for i, one in enumerate(patched) if _keys_of(one, keys) == _keys_of(entry, keys)), -1)
        used += [at] if at >= 0 else []
        value = _merged_entry(entry, patched[at] if at >= 0 else _MISSING, meta)
        merged += [] if _is_gone(value) else [value]
    fresh: list[Any] = []
    for i, one in enumerate(patched):
        own = _keys_of(one, keys)
        if i in used or any(_overlap(own, _keys_of(other, keys)) for other in (*base, *patched[:i])):
            continue
        value = _walk(_MISSING, one, meta)
        fresh += [] if _is_gone(value) else [value]
    return fresh + merged


def _keys_of(entry: Any, keys: tuple[str, ...]) -> dict[str, str]:
    return {key: text for key in keys if (text := _text(entry.get(key)))} if isinstance(entry, dict) else {}


def _overlap(left: dict[str, str], right: dict[str, str]) -> bool:
    shared = left.keys() & right.keys()
    return bool(shared) and all(left[key] == right[key] for key in shared)


def _united(patch: Iterable[Any], target: Iterable[Any]) -> list[Any]:
    """A list of plain values (finalizers)."""
    united: list[Any] = []
    for value in (*patch, *target):
        if value not in united:
            united.append(value)
    return united


def _values(key: str, *lists: list[Any]) -> list[str]:
    seen: dict[str, None] = {}
    for entries in lists:
        for entry in entries:
            if isinstance(entry, dict) and _text(entry.get(key)):
                seen.setdefault(_text(entry[key]))
    return list(seen)


def _text(value: Any) -> str:
    """As it is written in YAML."""
    if value is None or isinstance(value, dict | list):
        return ""
    return ("true" if value else "false") if isinstance(value, bool) else str(value)


def _is_named(entry: Any, named: dict[str, str]) -> bool:
    return isinstance(entry, dict) and all(key in entry and _text(entry[key]) == value for key, value in named.items())


def _entry(entries: list[Any], named: dict[str, str]) -> Any:
    return next((entry for entry in entries if _is_named(entry, named)), _MISSING)


def _put(entries: list[Any], value: Any, named: dict[str, str]) -> None:
    """In the place of those of that name, else at the end."""
    found = [i for i, entry in enumerate(entries) if _is_named(entry, named)]
    for i in found:
        entries[i] = value
    if not found:
        entries.append(value)
