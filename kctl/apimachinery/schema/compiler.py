"""Compiles a type of the bundle into a closure that does Go's JSON round trip in one pass over a parsed dict.

The closures only detect that something is unknown (they append to a list) or of the wrong type (they raise); which field it
was is found by a second, slow walk (diagnose.py), so the common case pays nothing for paths.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kctl.apimachinery.schema import scalars
from kctl.apimachinery.schema.bundle import Bundle
from kctl.apimachinery.schema.scalars import WrongType

Unknown = list[str]
Decode = Callable[[Any, Unknown], Any]
DROP: Any = object()
"""What a field's decoder answers when Go would leave the field out."""

_SCALARS: dict[str, Callable[[Any], Any]] = {
    "s": scalars.string,
    "i32": scalars.int32,
    "i64": scalars.int64,
    "b": scalars.boolean,
    "n": scalars.number,
    "y": scalars.base64_text,
    "q": scalars.quantity,
    "t": scalars.time,
    "T": scalars.micro_time,
    "x": scalars.int_or_string,
    "r": scalars.raw,
}
ZERO: dict[str, Any] = {"s": "", "i32": 0, "i64": 0, "n": 0, "b": False, "q": "0", "x": 0}
"""What Go writes for an unset field that is always written; null for all others."""
_SCHEMA = "@io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaProps"


class Compiler:
    """Compiled types by name, made on first use."""

    def __init__(self, bundle: Bundle) -> None:
        self._bundle = bundle
        self._structs: dict[str, Decode] = {}

    def struct(self, name: str) -> Decode:
        """The decoder of a type by its full name. Fields find the decoder of theirs when they are first met, so types may be recursive, and
        two threads that want the same one each get a whole one."""
        compiled = self._structs.get(name)
        if compiled is None:
            compiled = self._structs[name] = self._compile(name)
        return compiled

    def _compile(self, name: str) -> Decode:
        fields: dict[str, tuple[int, Decode | None]] = {}
        always: list[tuple[str, Any, Decode | None]] = []
        for rank, row in enumerate(self._bundle.entry(name)):
            field, code, flags = row[0], row[1], row[2]
            plain = code == "s" and not flags
            fields[field] = (rank, None if plain else self._field(code, flags))
            if "a" in flags:
                pointer = "p" in flags
                make = self._lazy(code) if code.startswith("@") and not pointer else None
                always.append((field, None if pointer else ZERO.get(code), make))
        return _struct(fields, tuple(always))

    def _lazy(self, code: str) -> Decode:
        name = code[1:]
        return lambda value, unknown: self.struct(name)(value, unknown)

    def _field(self, code: str, flags: str) -> Decode:
        """A field's decoder, which may answer DROP."""
        if code.startswith("@"):
            return self._lazy(code)
        value = self.value(code)
        if code[0] in "[{":
            if "a" in flags:
                return _nullable(value)
            return value if "p" in flags else _unless_empty(value)
        if flags or code in "qtTxr" or code.startswith("o"):
            return value
        return _unless_empty(value)

    def value(self, code: str) -> Decode:
        """The decoder of a value of this type code."""
        if code.startswith("@"):
            return self._lazy(code)
        if code.startswith("["):
            return _list(self.value(code[1:]), code[1:])
        if code.startswith("{"):
            return _strings_map if code == "{s" else _map(self.value(code[1:]), code[1:])
        if code in ("oa", "ob", "os"):
            return _schema_or(self._lazy(_SCHEMA), self.value("[" + _SCHEMA))
        scalar = _SCALARS[code]
        return lambda value, unknown: scalar(value)


def _struct(fields: dict[str, tuple[int, Decode | None]], always: tuple[tuple[str, Any, Decode | None], ...]) -> Decode:
    get = fields.get

    def decode(value: Any, unknown: Unknown) -> dict[str, Any]:
        if type(value) is not dict:
            raise WrongType
        out: dict[str, Any] = {}
        last = -1
        ordered = True
        for key, item in value.items():
            field = get(key)
            if field is None:
                unknown.append(key)
                continue
            if item is None:
                continue
            rank, inner = field
            if inner is None:
                if type(item) is not str:
                    raise WrongType
                if not item:
                    continue
            else:
                item = inner(item, unknown)
                if item is DROP:
                    continue
            out[key] = item
            if rank < last:
                ordered = False
            last = rank
        for key, zero, make in always:
            if key not in out:
                out[key] = zero if make is None else make({}, unknown)
                ordered = False
        if ordered:
            return out
        return {key: out[key] for key in sorted(out, key=lambda key: fields[key][0])}

    return decode


def _unless_empty(inner: Decode) -> Decode:
    def decode(value: Any, unknown: Unknown) -> Any:
        return inner(value, unknown) or DROP

    return decode


def _nullable(inner: Decode) -> Decode:
    """An empty list that is always written comes back from storage as null."""

    def decode(value: Any, unknown: Unknown) -> Any:
        return inner(value, unknown) or None

    return decode


def _list(inner: Decode, code: str) -> Decode:
    def decode(value: Any, unknown: Unknown) -> list[Any]:
        if type(value) is not list:
            raise WrongType
        return [inner(item, unknown) if item is not None else zero_of(inner, code) for item in value]

    def decode_strings(value: Any, unknown: Unknown) -> list[Any]:
        if type(value) is not list:
            raise WrongType
        for item in value:
            if type(item) is not str and item is not None:
                raise WrongType
        return [item or "" for item in value]

    return decode_strings if code == "s" else decode


def zero_of(inner: Decode, code: str) -> Any:
    """What null becomes inside a list or map."""
    if code.startswith("@"):
        return inner({}, [])
    return "" if code == "y" else ZERO.get(code)


def _map(inner: Decode, code: str) -> Decode:
    def decode(value: Any, unknown: Unknown) -> dict[str, Any]:
        if type(value) is not dict:
            raise WrongType
        items = value.items() if len(value) < 2 else sorted(value.items())  # as Go writes maps
        return {key: inner(item, unknown) if item is not None else zero_of(inner, code) for key, item in items}

    return decode


def _strings_map(value: Any, unknown: Unknown) -> dict[str, str]:
    if type(value) is not dict:
        raise WrongType
    out: dict[str, str] = value.copy() if len(value) < 2 else dict(sorted(value.items()))
    for key, item in value.items():
        if type(item) is not str:
            if item is not None:
                raise WrongType
            out[key] = ""
    return out


def _schema_or(schema: Decode, schemas: Decode) -> Decode:
    """JSONSchemaPropsOrBool, ...OrArray, ...OrStringArray: whichever the JSON is."""

    def decode(value: Any, unknown: Unknown) -> Any:
        if isinstance(value, dict):
            return schema(value, unknown)
        if isinstance(value, list) and value and isinstance(value[0], dict):
            return schemas(value, unknown)
        return value

    return decode
