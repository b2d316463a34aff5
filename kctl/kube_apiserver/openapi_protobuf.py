"""OpenAPI v2 in protobuf, which kubectl asks for when it meets a kind it does not know or explains with plaintext-openapiv2.

A small encoder of gnostic's openapi.v2.Document (field numbers below): the definitions whole, paths left out, since clients
of the protobuf form read schemas only.
"""

from __future__ import annotations

from typing import Any

import orjson

CONTENT_TYPE = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"
MEDIA_TYPES = (
    "application/com.github.proto-openapi.spec.v2@v1.0+protobuf",
    "application/com.github.proto-openapi.spec.v2.v1.0+protobuf",
)

_LENGTH_DELIMITED = 2
_VARINT = 0


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def _field(number: int, content: bytes) -> bytes:
    return _varint(number << 3 | _LENGTH_DELIMITED) + _varint(len(content)) + content


def _text(number: int, value: Any) -> bytes:
    return _field(number, str(value).encode()) if value else b""


def _named(name: str, content: bytes) -> bytes:
    """NamedSchema, NamedAny: name = 1, value = 2."""
    return _field(1, name.encode()) + _field(2, content)


def _any(value: Any) -> bytes:
    """Any: yaml = 2; JSON is YAML."""
    return _field(2, orjson.dumps(value) + b"\n")


def schema(value: dict[str, Any]) -> bytes:
    """Schema: _ref 1, format 2, description 4, default 5, required 19, enum 20, additional_properties 21, type 22, items 23,
    all_of 24, properties 25, vendor_extension 31."""
    parts = [_text(1, value.get("$ref")), _text(2, value.get("format")), _text(4, value.get("description"))]
    if value.get("default") is not None:
        parts.append(_field(5, _any(value["default"])))
    parts += [_field(19, str(name).encode()) for name in value.get("required") or ()]
    parts += [_field(20, _any(inner)) for inner in value.get("enum") or ()]
    additional = value.get("additionalProperties")
    if isinstance(additional, dict):
        parts.append(_field(21, _field(1, schema(additional))))
    elif additional is True:
        parts.append(_field(21, _varint(2 << 3 | _VARINT) + b"\x01"))
    if value.get("type"):
        kinds = value["type"] if isinstance(value["type"], list) else [value["type"]]
        parts.append(_field(22, b"".join(_field(1, str(kind).encode()) for kind in kinds)))
    if isinstance(value.get("items"), dict):
        parts.append(_field(23, _field(1, schema(value["items"]))))
    parts += [_field(24, schema(inner)) for inner in value.get("allOf") or ()]
    if value.get("properties"):
        named = (_field(1, _named(name, schema(inner))) for name, inner in value["properties"].items())
        parts.append(_field(25, b"".join(named)))
    parts += [_field(31, _named(name, _any(inner))) for name, inner in value.items() if name.startswith("x-")]
    return b"".join(parts)


def document(swagger: dict[str, Any]) -> bytes:
    """Document: swagger 1, info 2 (title 1, version 2), paths 8, definitions 9 (additional_properties 1)."""
    info = swagger.get("info") or {}
    definitions = b"".join(_field(1, _named(name, schema(definition))) for name, definition in (swagger.get("definitions") or {}).items())
    return b"".join(
        (
            _field(1, b"2.0"),
            _field(2, _text(1, info.get("title")) + _text(2, info.get("version"))),
            _field(8, b""),
            _field(9, definitions),
        )
    )
