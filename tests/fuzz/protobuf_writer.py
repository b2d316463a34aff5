"""Objects as Kubernetes' protobuf, by the server's own table of field numbers: for requests only, and as much as requests need."""

from __future__ import annotations

import base64
import json
import struct
from datetime import datetime
from typing import Any

import orjson

from kctl.kube_apiserver import protobuf

_VARINT, _FIXED64, _BYTES = 0, 1, 2


def encode(obj: dict[str, Any]) -> bytes | None:
    """The body; None for kinds that have no protobuf form."""
    api_version, kind = str(obj.get("apiVersion", "")), str(obj.get("kind", ""))
    name = protobuf.message_name(api_version, kind)
    if name is None:
        return None
    kind_of = _bytes(1, api_version.encode()) + _bytes(2, kind.encode())
    return protobuf.MAGIC + _bytes(1, kind_of) + _bytes(2, _message(obj, name))


def json_bytes(value: Any) -> bytes:
    """JSON of any value: orjson refuses half surrogates and what is deep."""
    try:
        return orjson.dumps(value)
    except TypeError:
        return json.dumps(value).encode()


def _varint(number: int) -> bytes:
    number &= 2**64 - 1
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    return bytes((*out, number))


def _bytes(number: int, content: bytes) -> bytes:
    return _varint(number << 3 | _BYTES) + _varint(len(content)) + content


def _message(value: Any, name: str) -> bytes:
    special = _special(value, name)
    if special is not None:
        return special
    if not isinstance(value, dict):
        return b""
    out = b""
    for number, field in protobuf._fields(name).items():
        if field.embedded:
            out += _bytes(number, _message(value, field.type))
        elif value.get(field.name) is not None:
            out += _field(number, field, value[field.name])
    return out


def _field(number: int, field: Any, value: Any) -> bytes:
    if field.map:
        entries = value.items() if isinstance(value, dict) else ()
        return b"".join(
            _bytes(number, _bytes(1, str(key).encode(errors="surrogatepass")) + _one(2, field.type, item)) for key, item in entries
        )
    if field.repeated:
        return b"".join(_one(number, field.type, item) for item in (value if isinstance(value, list) else ()))
    return _one(number, field.type, value)


def _one(number: int, kind: str, value: Any) -> bytes:
    if kind in ("i", "b"):
        whole = int(value) if isinstance(value, int | float) and abs(value) < 2**63 else 0
        return _varint(number << 3 | _VARINT) + _varint(whole)
    if kind == "d":
        return _varint(number << 3 | _FIXED64) + struct.pack("<d", value if isinstance(value, int | float) else 0)
    if kind == "y":
        try:
            content = base64.b64decode(value)
        except (ValueError, TypeError):
            content = b""
        return _bytes(number, content)
    return _bytes(number, str(value).encode(errors="surrogatepass") if kind == "s" else _message(value, kind))


def _special(value: Any, name: str) -> bytes | None:
    """Messages whose JSON is no object of their fields."""
    last = name.rpartition(".")[2]
    if last == "Quantity":
        return _bytes(1, str(value).encode(errors="surrogatepass"))
    if last in ("Time", "MicroTime"):
        try:
            seconds = int(datetime.fromisoformat(str(value)).timestamp())
        except (ValueError, OverflowError):
            seconds = 0
        return _varint(1 << 3) + _varint(seconds)
    if last == "IntOrString":
        if isinstance(value, str):
            return _varint(1 << 3) + _varint(1) + _bytes(3, value.encode(errors="replace"))
        return _varint(1 << 3) + _varint(0) + _one(2, "i", value)
    if last in ("FieldsV1", "RawExtension", "JSON"):
        return _bytes(1, json_bytes(value))
    if last in ("JSONSchemaPropsOrArray", "JSONSchemaPropsOrBool", "JSONSchemaPropsOrStringArray", "Verbs", "ExtraValue", "Duration"):
        return b""
    return None
