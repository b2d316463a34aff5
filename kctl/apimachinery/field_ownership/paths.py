"""Path elements: one step from a field to one below it, in the text form of FieldsV1.

`f:name` a field of a struct or map, `k:{"port":80,"protocol":"TCP"}` an item of a list map by its keys (sorted by name), `v:"x"` an item
of a set, `i:0` an item by its index.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

import orjson

from kctl.apimachinery.field_ownership.field_schema import FieldType


class ElementError(ValueError):
    """An item of a list has no path element; the text is upstream's."""


def of_item(field_type: FieldType, item: Any) -> str:
    """The path element of an item of a list map or set. Raises ElementError."""
    if field_type.list_kind == "map":
        return _of_keys(field_type, item)
    if isinstance(item, dict):
        raise ElementError("associative list without keys has an element that's a map type")
    if isinstance(item, list):
        raise ElementError("not supported: associative list with lists as elements")
    if item is None:
        raise ElementError("associative list without keys has an element that's an explicit null")
    return "v:" + _json(item)


def _of_keys(field_type: FieldType, item: Any) -> str:
    if item is None:
        raise ElementError("associative list with keys may not have a null element")
    if not isinstance(item, dict):
        raise ElementError("associative list with keys may not have non-map elements")
    keys: dict[str, Any] = {}
    for name in field_type.keys:
        if name in item:
            keys[name] = item[name]
        elif name in field_type.key_defaults:
            keys[name] = field_type.key_defaults[name]
        else:
            why = f'associative list with keys has an element that omits key field "{name}" (and doesn\'t have default value)'
            raise ElementError(why)
    if len(keys) == 1 and type(item_key := keys[name]) is str and item_key.isalnum():
        return f'k:{{"{name}":"{item_key}"}}'  # most are
    return "k:" + _json(keys)


def _json(value: Any) -> str:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()


def normalized(element: str) -> str:
    """A path element as a client wrote it in the form it has here. Raises ValueError where it is none."""
    kind, text = element[:2], element[2:]
    if kind == "f:":
        return element
    if kind == "i:":
        return f"i:{int(text)}"
    if kind in ("k:", "v:"):
        value = orjson.loads(text)
        if kind == "k:" and not isinstance(value, dict):
            raise ValueError("a key is a map")
        return kind + _json(value)
    raise ValueError("unknown path element type")


def sort_key(element: str) -> tuple[Any, ...]:
    """Fields before keys before values before indexes; numbers by their value."""
    kind, text = element[:2], element[2:]
    if kind == "f:":
        return (0, text)
    if kind == "i:":
        return (3, int(text))
    value = orjson.loads(text)
    if kind == "k:":
        return (1, *((name, *_value_order(part)) for name, part in value.items()))
    return (2, *_value_order(value))


def _value_order(value: Any) -> tuple[Any, ...]:
    if isinstance(value, bool):
        return (2, value)
    if isinstance(value, int | float):
        return (0, value)
    return (1, value) if isinstance(value, str) else (3, _json(value))


def text(path: Iterable[str]) -> str:
    """`.spec.containers[name="c"].image`"""
    return "".join(map(element_text, path))


def element_text(element: str) -> str:
    kind, rest = element[:2], element[2:]
    if kind == "f:":
        return f".{rest}"
    if kind == "i:":
        return f"[{rest}]"
    value = orjson.loads(rest)
    if kind == "k:":
        return "[" + ",".join(f"{name}={_shown(part)}" for name, part in value.items()) + "]"
    return f"[={_shown(value)}]"


def _shown(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def fields(*names: str) -> tuple[str, ...]:
    """The path of these nested fields."""
    return tuple(f"f:{name}" for name in names)


def starts_with(path: Sequence[str], prefix: Sequence[str]) -> bool:
    return tuple(path[: len(prefix)]) == tuple(prefix)
