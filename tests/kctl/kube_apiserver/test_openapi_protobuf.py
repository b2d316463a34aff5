"""OpenAPI v2 in protobuf: the bytes say what the document says."""

from __future__ import annotations

from kctl.kube_apiserver import openapi_protobuf


def _fields(data: bytes) -> list[tuple[int, bytes]]:
    """Field number and content of every length-delimited field."""
    found, position = [], 0

    def number() -> int:
        nonlocal position
        value = shift = 0
        while True:
            byte = data[position]
            position += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    while position < len(data):
        tag, length = number(), number()
        found.append((tag >> 3, data[position : position + length]))
        position += length
    return found


def test_a_document_holds_its_definitions() -> None:
    properties = {"name": {"type": "string"}, "items": {"type": "array", "items": {"$ref": "#/definitions/B"}}}
    definition = {"description": "x" * 200, "required": ["name"], "properties": properties, "x-kubernetes-y": [1]}
    swagger = {"info": {"title": "Kubernetes", "version": "v1"}, "definitions": {"A": definition}}
    document = dict(_fields(openapi_protobuf.document(swagger)))
    assert document[1] == b"2.0" and dict(_fields(document[2])) == {1: b"Kubernetes", 2: b"v1"}
    ((_, named),) = _fields(document[9])
    entry = dict(_fields(named))
    schema = _fields(entry[2])
    assert entry[1] == b"A" and (4, b"x" * 200) in schema and (19, b"name") in schema
    names = [dict(_fields(content))[1] for _, content in _fields(dict(schema)[25])]
    assert names == [b"name", b"items"]
    extension = dict(_fields(dict(schema)[31]))
    assert extension[1] == b"x-kubernetes-y" and dict(_fields(extension[2]))[2] == b"[1]\n"
