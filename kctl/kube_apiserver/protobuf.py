"""Request bodies in Kubernetes' protobuf encoding (application/vnd.kubernetes.protobuf), which kubectl and helm send.

An envelope (`k8s\\0`, then runtime.Unknown with apiVersion, kind and the message), decoded by a table of field numbers into
what the same object is as JSON. Zero values of fields that are no pointers come along; schema decoding drops them.
"""

from __future__ import annotations

import base64
import math
import struct
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from kctl.apimachinery import bounds
from kctl.apimachinery import schema as schema_package
from kctl.apimachinery.objects import Object
from kctl.apimachinery.schema import bundle

MAGIC = b"k8s\x00"
_META = "k8s.io.apimachinery.pkg.apis.meta.v1."
_UNKNOWN = "k8s.io.apimachinery.pkg.runtime.Unknown"
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


class ProtobufError(ValueError):
    """Bytes that are not what their content type says."""


class _Field(NamedTuple):
    name: str
    type: str
    """s i b y d, or the full name of a message."""
    repeated: bool
    map: bool
    embedded: bool


def decode(data: bytes) -> Object:
    """The object of a request body. Raises ProtobufError."""
    if not data.startswith(MAGIC):
        raise ProtobufError("provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]")
    try:
        envelope = _message(memoryview(data)[len(MAGIC) :], _UNKNOWN)
        kind_of = envelope.get("typeMeta") or {}
        api_version, kind = kind_of.get("apiVersion", ""), kind_of.get("kind", "")
        name = message_name(api_version, kind)
        if name is None:
            raise ProtobufError(f'no kind "{kind}" is registered for version "{api_version}"')
        body = _message(memoryview(base64.b64decode(envelope.get("raw", ""))), name)
    except RecursionError:
        raise ProtobufError(bounds.EXCEEDED) from None
    except (IndexError, UnicodeDecodeError, orjson.JSONDecodeError) as error:
        raise ProtobufError(f"proto: illegal wireType or unexpected end of data ({error})") from None
    if bounds.too_deep(body):
        raise ProtobufError(bounds.EXCEEDED)
    return {"kind": kind, "apiVersion": api_version, **body}


def load() -> None:
    """Read the table, which the first body needs."""
    _lines()


def message_name(api_version: str, kind: str) -> str | None:
    """apps/v1, Deployment -> k8s.io.api.apps.v1.Deployment."""
    if kind == "DeleteOptions":
        return _META + kind
    type_name = bundle.types().header["kinds"].get(f"{api_version}/{kind}")
    if type_name is None:
        return None
    name = str(type_name).replace("io.k8s.", "k8s.io.", 1).replace("-", "_")
    return name if name in _lines() else None


@cache
def _lines() -> dict[str, str]:
    """Message name -> its line of the table."""
    path = Path(schema_package.__file__).with_name("protobuf_fields.txt")
    by_type: dict[str, str] = {}
    package = ""
    for line in path.read_text().splitlines():
        if line.startswith(" "):
            name, _, fields = line[1:].partition(" ")
            by_type[f"{package}.{name}"] = fields
        elif not line.startswith("#"):
            package = line
    return by_type


@cache
def _fields(name: str) -> dict[int, _Field]:
    package = name.rpartition(".")[0]
    fields = {}
    for described in _lines()[name].split():
        left, _, right = described.partition("=")
        number, _, code = right.partition(":")
        is_map, code = code.startswith("%"), code.removeprefix("%")
        repeated, code = code.startswith("*"), code.removeprefix("*")
        code = code.replace("meta/", _META).replace("core/", "k8s.io.api.core.v1.")
        target = code if len(code) == 1 or "." in code else f"{package}.{code}"
        fields[int(number)] = _Field(left.removeprefix("~"), target, repeated, is_map, left.startswith("~"))
    return fields


def _varint(data: memoryview, at: int) -> tuple[int, int]:
    result = shift = 0
    while True:
        byte = data[at]
        at += 1
        result |= (byte & 0x7F) << shift
        if byte < 0x80:
            return result, at
        shift += 7
        if shift > 63:
            raise ProtobufError("proto: integer overflow")


def _records(data: memoryview) -> Iterator[tuple[int, int, Any]]:
    """(field number, wire type, value): an integer, or a slice of the data."""
    at, end = 0, len(data)
    while at < end:
        key, at = _varint(data, at)
        wire = key & 7
        if wire == _VARINT:
            value, at = _varint(data, at)
            yield key >> 3, wire, value
            continue
        if wire == _BYTES:
            length, at = _varint(data, at)
        elif wire in (_FIXED64, _FIXED32):
            length = 8 if wire == _FIXED64 else 4
        else:
            raise ProtobufError(f"proto: illegal wireType {wire}")
        if at + length > end:
            raise ProtobufError("unexpected EOF")
        yield key >> 3, wire, data[at : at + length]
        at += length


def _message(data: memoryview, name: str) -> dict[str, Any]:
    fields = _fields(name)
    out: dict[str, Any] = {}
    for number, wire, value in _records(data):
        field = fields.get(number)
        if field is None:
            continue
        if wire != _WIRES.get(field.type, _BYTES) and not (field.repeated and wire == _BYTES):
            raise ProtobufError(f"proto: wrong wireType = {wire} for field {field.name[:1].upper()}{field.name[1:]}")
        if field.embedded:
            out.update(_message(value, field.type))
        elif field.map:
            key, item = _map_entry(value, field.type)
            out.setdefault(field.name, {})[key] = item
        elif field.repeated:
            out.setdefault(field.name, []).extend(_items(value, wire, field.type))
        else:
            out[field.name] = _value(value, field.type)
    return out


def _items(value: Any, wire: int, kind: str) -> list[Any]:
    """One element; or many, where numbers come packed."""
    if wire == _BYTES and kind in ("i", "b"):
        items, at = [], 0
        while at < len(value):
            number, at = _varint(value, at)
            items.append(_value(number, kind))
        return items
    return [_value(value, kind)]


def _map_entry(data: memoryview, kind: str) -> tuple[str, Any]:
    key, item = "", _ZERO.get(kind)
    for number, wire, value in _records(data):
        if number in (1, 2) and wire != (_BYTES if number == 1 else _WIRES.get(kind, _BYTES)):
            raise ProtobufError(f"proto: wrong wireType = {wire} in a map")
        if number == 1:
            key = str(value, "utf-8")
        elif number == 2:
            item = _value(value, kind)
    return key, item if item is not None else _value(memoryview(b""), kind)


_WIRES = {"i": _VARINT, "b": _VARINT, "d": _FIXED64}
"""How a field of a type is written; all others as bytes."""
_ZERO: dict[str, Any] = {"s": "", "i": 0, "b": False, "y": "", "d": 0.0}


def _value(value: Any, kind: str) -> Any:
    if kind == "s":
        return str(value, "utf-8")
    if kind == "i":
        return value - 2**64 if value >= 2**63 else value
    if kind == "b":
        return bool(value)
    if kind == "y":
        return base64.b64encode(value).decode()
    if kind == "d":
        return _finite(struct.unpack("<d", value)[0])
    special = _SPECIAL.get(kind)
    if special is not None:
        return special(_message(value, kind))
    return _message(value, kind)


def _finite(number: float) -> float:
    if not math.isfinite(number):
        raise ProtobufError("json: unsupported value: " + ("NaN" if math.isnan(number) else "+Inf" if number > 0 else "-Inf"))
    return number


def _time(digits: str) -> Callable[[dict[str, Any]], str | None]:
    from datetime import UTC, datetime, timedelta

    start = datetime(1970, 1, 1, tzinfo=UTC)

    def text(parts: dict[str, Any]) -> str | None:
        if not parts:
            return None
        try:
            moment = start + timedelta(seconds=parts.get("seconds", 0), microseconds=parts.get("nanos", 0) // 1000)
        except OverflowError:
            raise ProtobufError("time is out of range") from None
        return f"{moment.year:04}-" + moment.strftime(f"%m-%dT%H:%M:%S{digits}Z")

    return text


def _int_or_string(parts: dict[str, Any]) -> Any:
    return parts.get("strVal", "") if parts.get("type") else parts.get("intVal", 0)


def _raw(field: str) -> Callable[[dict[str, Any]], Any]:
    def value(parts: dict[str, Any]) -> Any:
        text = base64.b64decode(parts.get(field, ""))
        return orjson.loads(text) if text else None

    return value


def _duration(parts: dict[str, Any]) -> str:
    seconds = parts.get("duration", 0) / 1e9
    hours, rest = divmod(seconds, 3600)
    minutes, seconds = divmod(rest, 60)
    text = f"{hours:.0f}h{minutes:.0f}m" if hours else f"{minutes:.0f}m" if minutes else ""
    return f"{text}{seconds:g}s"


def _schema_or(other: str) -> Callable[[dict[str, Any]], Any]:
    return lambda parts: parts["schema"] if "schema" in parts else parts.get(other)


_CRD = "k8s.io.apiextensions_apiserver.pkg.apis.apiextensions.v1."
_SPECIAL: dict[str, Callable[[dict[str, Any]], Any]] = {
    "k8s.io.apimachinery.pkg.api.resource.Quantity": lambda parts: parts.get("string") or "0",
    _META + "Time": _time(""),
    _META + "MicroTime": _time(".%f"),
    _META + "Duration": _duration,
    _META + "FieldsV1": _raw("Raw"),
    _META + "Verbs": lambda parts: parts.get("items", []),
    "k8s.io.apimachinery.pkg.util.intstr.IntOrString": _int_or_string,
    "k8s.io.apimachinery.pkg.runtime.RawExtension": _raw("raw"),
    _CRD + "JSON": _raw("raw"),
    _CRD + "JSONSchemaPropsOrArray": _schema_or("jSONSchemas"),
    _CRD + "JSONSchemaPropsOrBool": _schema_or("allows"),
    _CRD + "JSONSchemaPropsOrStringArray": _schema_or("property"),
}
for _group in ("authentication", "authorization", "certificates"):
    _SPECIAL[f"k8s.io.api.{_group}.v1.ExtraValue"] = lambda parts: parts.get("items", [])
"""Messages whose JSON form is not an object of their fields."""
