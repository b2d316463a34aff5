"""Makes strategic merge patches: two-way, and three-way as `kubectl apply` and `kubectl edit` send them.

Rules of k8s.io/apimachinery/pkg/util/strategicpatch: lists with a merge key are compared item by item, the wanted order goes
along as `$setElementOrder/field`, removed items as `$patch: delete`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from kctl.apimachinery.schema.patch_meta import PatchMeta
from kctl.apimachinery.strategic_merge import DELETE_FROM, PATCH, RETAIN_KEYS, SET_ORDER

Map = dict[str, Any]


@dataclass(frozen=True, slots=True)
class _Options:
    changes: bool = True
    deletions: bool = True
    order: bool = True
    retain_keys: bool = False


def two_way(original: Map, modified: Map, meta: PatchMeta) -> Map:
    """The patch that makes `modified` of `original`."""
    return _diff_maps(original, modified, meta, _Options(order=True))


def three_way(original: Map, modified: Map, current: Map, meta: PatchMeta) -> Map:
    """What `modified` adds to or changes in `current`, and what it drops of `original` (the last applied)."""
    changes = _diff_maps(current, modified, meta, _Options(deletions=False))
    deletions = _diff_maps(original, modified, meta, _Options(changes=False))
    return _combine(deletions, changes, meta)


def _equal(left: Any, right: Any) -> bool:
    if isinstance(left, bool) != isinstance(right, bool):
        return False
    return bool(left == right)


def _diff_maps(original: Map, modified: Map, meta: PatchMeta, options: _Options) -> Map:
    patch: Map = {}
    for key, new in modified.items():
        if key not in original:
            if options.changes:
                patch[key] = new
            continue
        old = original[key]
        field = meta.field(key)
        inner = replace(options, retain_keys=field.retain_keys)
        if isinstance(old, dict) and isinstance(new, dict) and "replace" in field.strategies:
            if options.changes:  # even when nothing changed, as upstream: a PodDisruptionBudget is always "configured"
                patch[key] = new
        elif isinstance(old, dict) and isinstance(new, dict):
            below = _diff_maps(old, new, field, inner)
            if below:
                patch[key] = below
        elif isinstance(old, list) and isinstance(new, list) and field.merges:
            _diff_merging_lists(patch, key, old, new, field, inner)
        elif options.changes and not _equal(old, new):
            patch[key] = new
    if options.deletions:
        patch.update({key: None for key in original if key not in modified})
    kept = sorted(key for key, value in modified.items() if value is not None)
    if options.retain_keys and kept and (patch or any(key not in modified for key in original)):
        patch[RETAIN_KEYS] = kept
    return patch


def _diff_merging_lists(patch: Map, key: str, old: list[Any], new: list[Any], meta: PatchMeta, options: _Options) -> None:
    if not old:
        if new and options.changes:
            patch[key] = new
        return
    if isinstance((old + new)[0], dict):
        items, order = _diff_items(old, new, meta, options)
    else:
        added = [item for item in new if item not in old] if options.changes else []
        removed = sorted((item for item in old if item not in new), key=str) if options.deletions else []
        if removed:
            patch[DELETE_FROM + key] = removed
        items = added
        # Upstream compares with its sorted copy of the old list; kubectl's patches show it, so do ours.
        order = new if options.order and (removed or (options.changes and sorted(old, key=str) != new)) else None
    if items:
        patch[key] = items
    if order:
        patch[SET_ORDER + key] = order


def _diff_items(old: list[Any], new: list[Any], meta: PatchMeta, options: _Options) -> tuple[list[Any], list[Any] | None]:
    merge_key = meta.merge_key
    before = {_name(item, merge_key): item for item in old}
    after = {_name(item, merge_key) for item in new}
    items: list[Any] = []
    for item in new:
        previous = before.get(_name(item, merge_key))
        if previous is None:
            if options.changes:
                items.append(item)
            continue
        below = _diff_maps(previous, item, meta, options)
        if below:
            items.append({**below, merge_key: item.get(merge_key)})
    if options.deletions:
        gone = sorted((item for item in old if _name(item, merge_key) not in after), key=lambda i: _name(i, merge_key))
        items += [{PATCH: "delete", merge_key: item.get(merge_key)} for item in gone]
    same = [_name(item, merge_key) for item in old] == [_name(item, merge_key) for item in new]
    wanted = (options.changes and (items or not same)) or (options.deletions and items)
    return items, [{merge_key: item.get(merge_key)} for item in new] if options.order and wanted else None


def _name(item: Any, merge_key: str) -> str:
    return str(item.get(merge_key)) if isinstance(item, dict) else str(item)


def _combine(first: Map, second: Map, meta: PatchMeta) -> Map:
    """Two patches as one; the second wins."""
    out = dict(first)
    for key, value in second.items():
        old = out.get(key)
        if isinstance(old, dict) and isinstance(value, dict):
            out[key] = _combine(old, value, meta.field(key))
        elif isinstance(old, list) and isinstance(value, list) and not key.startswith("$") and meta.field(key).merge_key:
            out[key] = _combine_items(old, value, meta.field(key), second.get(SET_ORDER + key) or first.get(SET_ORDER + key))
        elif value is not None or key not in out:
            out[key] = value
    return out


def _combine_items(first: list[Any], second: list[Any], meta: PatchMeta, order: list[Any] | None) -> list[Any]:
    merge_key = meta.merge_key
    merged = {_name(item, merge_key): item for item in second}
    deleted = []
    for item in first:
        name = _name(item, merge_key)
        if item.get(PATCH) == "delete":
            deleted.append(item)
        else:
            merged[name] = _combine(item, merged[name], meta) if name in merged else item
    ranks = {_name(item, merge_key): rank for rank, item in enumerate(order or ())}
    return sorted(merged.values(), key=lambda item: ranks.get(_name(item, merge_key), len(ranks))) + deleted
