"""Strategic merge patch: Kubernetes' own patch, which merges lists by the keys the schema names.

Directives: `$patch: delete|replace|merge`, `$retainKeys`, `$deleteFromPrimitiveList/field`, `$setElementOrder/field`.
Nothing is changed in place; unchanged parts are shared. Rules of k8s.io/apimachinery/pkg/util/strategicpatch.
"""

from __future__ import annotations

from collections import deque
from typing import Any

from kctl.apimachinery.schema.patch_meta import PatchMeta, identity

PATCH = "$patch"
RETAIN_KEYS = "$retainKeys"
DELETE_FROM = "$deleteFromPrimitiveList/"
SET_ORDER = "$setElementOrder/"
_DIRECTIVES = (PATCH, RETAIN_KEYS)
_BAD_RETAIN_KEYS = "invalid patch format of retainKeys"
_GO_TYPES = {
    dict: "map[string]interface {}",
    list: "[]interface {}",
    str: "string",
    int: "int64",
    float: "float64",
    bool: "bool",
}
"""What Go calls the types of decoded JSON."""


class StrategicMergeError(ValueError):
    """The patch does not fit the object; the message is the API's."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


def go_text(value: Any) -> str:
    """fmt's %v of JSON data: map[a:1 b:[x y]]."""
    if isinstance(value, dict):
        return "map[" + " ".join(f"{key}:{go_text(value[key])}" for key in sorted(value)) + "]"
    if isinstance(value, list):
        return "[" + " ".join(go_text(item) for item in value) + "]"
    if value is None:
        return "<nil>"
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def apply(original: dict[str, Any], patch: dict[str, Any], meta: PatchMeta) -> dict[str, Any]:
    """The patched object. `meta` is the kind's `PatchMeta` (schema/schemas.py). Raises StrategicMergeError."""
    return _merge_map(original, patch, meta)


def _merge_map(original: dict[str, Any], patch: dict[str, Any], meta: PatchMeta) -> dict[str, Any]:
    directive = patch.get(PATCH)
    if PATCH in patch:
        if directive == "replace":
            return {key: value for key, value in patch.items() if key != PATCH}
        if directive == "delete":
            return {}
        raise StrategicMergeError(f"unknown patch type: {go_text(directive)} in map: {go_text(patch)}")
    out = dict(original)
    if RETAIN_KEYS in patch:
        _retain_keys(out, patch)
    orders = _orders(patch)
    for key, value in patch.items():
        if key in _DIRECTIVES or key.startswith(SET_ORDER):
            continue
        if key.startswith(DELETE_FROM):
            _delete_from(out, key[len(DELETE_FROM) :], value)
            continue
        if value is None:
            out.pop(key, None)
        else:
            _merge_field(out, key, value, meta.field(key), orders.get(key))
    for key, order in orders.items():
        if key not in patch and isinstance(out.get(key), list):
            out[key] = _ordered(out[key], order, out[key], meta.field(key).merge_key)
    return out


def _orders(patch: dict[str, Any]) -> dict[str, list[Any]]:
    """Name of a list -> the order its items are wanted in."""
    orders = {key[len(SET_ORDER) :]: value for key, value in patch.items() if key.startswith(SET_ORDER)}
    for order in orders.values():
        if not isinstance(order, list):
            received = _GO_TYPES.get(type(order), "%!s(<nil>)")
            raise StrategicMergeError(f"expected a {_GO_TYPES[list]}, but received a {received}")
    return orders


def _retain_keys(out: dict[str, Any], patch: dict[str, Any]) -> None:
    if not isinstance(patch[RETAIN_KEYS], list):
        raise StrategicMergeError(_BAD_RETAIN_KEYS)
    keep = {key for key in patch[RETAIN_KEYS] if isinstance(key, str)}
    for key, value in patch.items():
        if key not in _DIRECTIVES and not key.startswith("$") and value is not None and key not in keep:
            raise StrategicMergeError(_BAD_RETAIN_KEYS)
    for key in [key for key in out if key not in keep]:
        del out[key]


def _delete_from(out: dict[str, Any], key: str, values: Any) -> None:
    if isinstance(out.get(key), list) and isinstance(values, list):
        gone = {identity(item) for item in values}
        left = [item for item in out[key] if identity(item) not in gone]
        if left:
            out[key] = left
        else:  # as Go writes a list without items
            del out[key]


def _merge_field(out: dict[str, Any], key: str, value: Any, meta: PatchMeta, order: list[Any] | None) -> None:
    if key not in out:
        if isinstance(value, list) and order is not None:
            _check_order(key, value, order, meta.merge_key)
        out[key] = drop_directives(value)
        return
    old = out[key]
    if isinstance(old, dict) and isinstance(value, dict):
        if "replace" in meta.strategies:
            out[key] = drop_directives(value)
        else:
            out[key] = _merge_map(old, value, meta)
    elif isinstance(old, list) and isinstance(value, list) and meta.merges:
        out[key] = _merge_list(key, old, value, meta, order)
    else:
        out[key] = drop_directives(value)


def drop_directives(value: Any) -> Any:
    """What remains of a patch where there is nothing to merge it with: directives and nulls go."""
    if isinstance(value, dict):
        if value.get(PATCH) == "delete":
            return {}
        return {
            key: drop_directives(item)
            for key, item in value.items()
            if item is not None and not key.startswith((PATCH, RETAIN_KEYS, DELETE_FROM, SET_ORDER))
        }
    if isinstance(value, list):
        kept = [item for item in value if not (isinstance(item, dict) and item.get(PATCH) in ("delete", "replace", "merge"))]
        return [drop_directives(item) for item in kept]
    return value


def _merge_list(key: str, old: list[Any], patch: list[Any], meta: PatchMeta, order: list[Any] | None) -> list[Any]:
    merge_key = meta.merge_key
    if _type_of_items(old, patch) is not dict:
        known = {identity(item) for item in old}
        merged = [*old, *{identity(item): item for item in patch if identity(item) not in known}.values()]
        return _ordered(merged, order if order is not None else patch, old, "")
    if order is not None:
        _check_order(key, patch, order, merge_key)
    base, patch, replaced = _special_items(old, patch, merge_key)
    if replaced:
        return [drop_directives(item) for item in patch]
    merged = list(base)
    places = _places(merged, merge_key)
    for item in patch:
        value = identity(_key_of(item, merge_key))
        at = places.get(value)
        if at is None:
            places[value] = len(merged)
            merged.append(drop_directives(item))
        else:
            merged[at] = _merge_map(merged[at], item, meta)
    return _ordered(merged, order if order is not None else patch, old, merge_key)


def _type_of_items(*lists: list[Any]) -> type | None:
    """The one type that all items have; None where there are none."""
    types = list(dict.fromkeys(type(item) for items in lists for item in items))
    if types and types[0] is list:
        raise StrategicMergeError("lists of lists are not supported")
    if len(types) > 1:
        raise StrategicMergeError(f"list element types are not identical: {go_text(list(lists))}")
    return types[0] if types else None


def _special_items(old: list[Any], patch: list[Any], merge_key: str) -> tuple[list[Any], list[Any], bool]:
    """Carries out `$patch` items: (what is left of the list, ordinary patch items, whether they replace the list)."""
    plain: list[Any] = []
    gone: set[Any] = set()
    replaced = False
    for item in patch:
        directive = item.get(PATCH)
        if PATCH not in item:
            plain.append(item)
        elif directive == "replace":
            replaced = True
        elif directive == "delete":
            gone.add(identity(_key_of(item, merge_key)))
        elif directive == "merge":
            raise StrategicMergeError("merging lists cannot yet be specified in the patch")
        else:
            raise StrategicMergeError(f"unknown patch type: {go_text(directive)} in map: {go_text(item)}")
    base = [kept for kept in old if _name(kept, merge_key) not in gone] if gone else old
    return base, plain, replaced


def _key_of(item: dict[str, Any], merge_key: str) -> Any:
    if merge_key not in item:
        raise StrategicMergeError(f"map: {go_text(item)} does not contain declared merge key: {merge_key}")
    return item[merge_key]


def _name(item: Any, merge_key: str) -> Any:
    """What tells an item from the others of its list."""
    if not merge_key:
        return identity(item)
    return identity(item.get(merge_key)) if isinstance(item, dict) else ("no map", identity(item))


def _places(items: list[Any], merge_key: str) -> dict[Any, int]:
    """Name of an item -> where it stands first."""
    places: dict[Any, int] = {}
    for index, item in enumerate(items):
        places.setdefault(_name(item, merge_key), index)
    return places


def _check_order(key: str, patch: list[Any], order: list[Any], merge_key: str) -> None:
    """Every patched item must be in the order list, in the same relative order."""
    wanted = [item for item in patch if not (isinstance(item, dict) and item.get(PATCH) == "delete")]
    names = [_name(item, merge_key) for item in wanted]
    at = 0
    for ordered in order:
        if at < len(names) and names[at] == _name(ordered, merge_key):
            at += 1
    if at < len(names):
        raise StrategicMergeError(f"The order in patch list:\n{go_text(wanted)}\n doesn't match {SET_ORDER[:-1]} list:\n{go_text(order)}\n")


def _ordered(merged: list[Any], order: list[Any], server: list[Any], merge_key: str) -> list[Any]:
    """Items named by `order` in its order; the others keep the server's, slotted in where they stood before."""
    wanted = _places(order, merge_key)
    before = _places(server, merge_key)
    names = [_name(item, merge_key) for item in merged]
    named = deque(sorted((wanted[name], index) for index, name in enumerate(names) if name in wanted))
    others = deque(sorted((before.get(name, -1), index) for index, name in enumerate(names) if name not in wanted))
    out: list[Any] = []
    while named and others:
        left, right = others[0][0], before.get(names[named[0][1]], -1)
        out.append(merged[(others if 0 <= left < right else named).popleft()[1]])
    return out + [merged[index] for _, index in (*others, *named)]
