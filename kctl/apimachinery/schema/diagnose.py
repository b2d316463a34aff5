"""The slow walk: which fields are unknown and which value is of the wrong type, in the words of Go's JSON decoder.

Runs only on objects the compiled decoder has complained about. Go reports the first wrong value in document order, with the
struct that holds the field and the path from the top (list positions left out); unknown fields carry positions.
"""

from __future__ import annotations

import json
from typing import Any

from kctl.apimachinery.schema import scalars
from kctl.apimachinery.schema.bundle import Bundle
from kctl.apimachinery.schema.compiler import _SCALARS, _SCHEMA

_GO_SCALARS = {
    "s": "string",
    "i32": "int32",
    "i64": "int64",
    "b": "bool",
    "n": "float64",
    "y": "[]uint8",
    "t": "string",
    "T": "string",
    "x": "int32",
}


class DecodeError(Exception):
    """An object that its Go type refuses; the text is Go's."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


def json_kind(value: Any) -> str:
    """How encoding/json calls a value in its errors."""
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int | float):
        return "number"
    if isinstance(value, str):
        return "string"
    if value is None:
        return "null"
    return "array" if isinstance(value, list) else "object"


def go_type(code: str, string_type: str = "string") -> str:
    """The Go type of a type code: v1.PodSpec, []v1.Container, map[string]string."""
    if code.startswith("@"):
        package, _, name = code[1:].rpartition(".")
        return f"{package.rpartition('.')[2]}.{name}"
    if code == "{q":
        return "v1.ResourceList"
    if code.startswith("["):
        return "[]" + go_type(code[1:], string_type)
    if code.startswith("{"):
        return "map[string]" + go_type(code[1:], string_type)
    if code == "q":
        return "resource.Quantity"
    if code == "s":
        return string_type
    return _GO_SCALARS.get(code, "interface {}")


def _conversion_error(value: Any, code: str) -> str:
    kinds = {"array": "slice", "object": "map", "number": "float64" if isinstance(value, float) else "int64"}
    what = kinds.get(json_kind(value), json_kind(value))
    if code.startswith("@"):
        return f"cannot restore struct from: {what}"
    if code.startswith("["):
        return f"cannot restore slice from {what}"
    if code.startswith("{"):
        return f"cannot restore map from {what}"
    return f"unrecognized type: {'slice' if code == 'y' else _GO_SCALARS.get(code, 'interface')}"


class Walk:
    """One walk over one object. `unknown` fills with paths in document order; a wrong type raises DecodeError."""

    def __init__(self, bundle: Bundle, root: str = "", *, patched: bool = False) -> None:
        """`patched` words type errors as the converter behind strategic merge patches does."""
        self._bundle = bundle
        self._patched = patched
        self._rows: dict[str, dict[str, list[Any]]] = {}
        self._root = root
        self.unknown: list[str] = []

    def struct(self, name: str, value: Any, path: str, steps: tuple[str, ...], holder: str) -> None:
        """`path` is for unknown fields; `steps` and `holder` (struct name) for type errors."""
        code = "@" + name
        if not isinstance(value, dict):
            raise self._mismatch(value, code, steps, holder, "string")
        rows = self._rows.get(name)
        if rows is None:
            rows = self._rows[name] = {row[0]: row for row in self._bundle.entry(name)}
        me = name.rpartition(".")[2]
        for field, item in value.items():
            where = f"{path}.{field}" if path else field
            row = rows.get(field)
            if row is None:
                self.unknown.append(where)
            elif item is not None:
                patch = row[3] if len(row) > 3 else {}
                self.value(row[1], item, where, (*steps, field), me, patch.get("go", "string"))

    def value(self, code: str, value: Any, path: str, steps: tuple[str, ...], holder: str, string_type: str = "string") -> None:
        if code.startswith("@"):
            self.struct(code[1:], value, path, steps, holder)
        elif code in ("oa", "ob", "os"):
            self._schema_or(value, path, steps, holder)
        elif code[0] in "[{":
            kind = list if code[0] == "[" else dict
            if not isinstance(value, kind):
                raise self._mismatch(value, code, steps, holder, string_type)
            entries = enumerate(value) if isinstance(value, list) else value.items()
            for key, item in entries:
                if item is not None:
                    at = f"{path}[{key}]" if isinstance(value, list) else f"{path}.{key}"
                    self.value(code[1:], item, at, steps, holder, string_type)
        else:
            try:
                _SCALARS[code](value)
            except scalars.WrongType:
                raise self._mismatch(value, code, steps, holder, string_type) from None
            except scalars.Malformed as error:
                raise DecodeError(str(error)) from None

    def _schema_or(self, value: Any, path: str, steps: tuple[str, ...], holder: str) -> None:
        if isinstance(value, dict):
            self.struct(_SCHEMA[1:], value, path, steps, holder)
        elif isinstance(value, list) and value and isinstance(value[0], dict):
            self.value("[" + _SCHEMA, value, path, steps, holder)

    def _mismatch(self, value: Any, code: str, steps: tuple[str, ...], holder: str, string_type: str) -> DecodeError:
        if self._patched:
            return DecodeError(_conversion_error(value, code))
        what = json_kind(value)
        if what == "number" and code in ("i32", "i64", "x"):
            what += " " + json.dumps(value)
        target = go_type(code, string_type)
        if not steps:
            return DecodeError(f"json: cannot unmarshal {what} into Go value of type {target}")
        field = ".".join((self._root, *steps) if self._root else steps)
        return DecodeError(f"json: cannot unmarshal {what} into Go struct field {holder}.{field} of type {target}")
