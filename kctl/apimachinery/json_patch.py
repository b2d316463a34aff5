"""JSON patch (RFC 6902), with the errors of the library the API server uses."""

from __future__ import annotations

from typing import Any

from kctl.apimachinery.objects import deep_copy


class JsonPatchError(ValueError):
    """The patch is malformed or does not apply. `decoding` tells which: 400 for the former, 422 for the latter."""

    def __init__(self, message: str, *, decoding: bool = False) -> None:
        super().__init__(message)
        self.message = message
        self.decoding = decoding


_MISSING = object()
MAX_OPERATIONS = 10_000


def apply(document: Any, operations: Any) -> Any:
    """The patched document, a new value; `document` is not changed. Raises JsonPatchError."""
    if not isinstance(operations, list):
        raise JsonPatchError("json: cannot unmarshal object into Go value of type jsonpatch.Patch", decoding=True)
    if len(operations) > MAX_OPERATIONS:
        raise JsonPatchError(f"The allowed maximum operations in a JSON patch is {MAX_OPERATIONS}, got {len(operations)}")
    result = deep_copy(document)
    for operation in operations:
        if not isinstance(operation, dict):
            raise JsonPatchError("json: cannot unmarshal into Go value of type jsonpatch.Operation", decoding=True)
        result = _apply_one(result, operation)
    return result


def _apply_one(document: Any, operation: dict[str, Any]) -> Any:
    name = operation.get("op")
    path = operation.get("path")
    if not isinstance(path, str):
        raise JsonPatchError(f"{name} operation failed to decode path: missing field 'path'")
    if name == "add":
        return _add(document, path, deep_copy(operation.get("value")))
    if name == "remove":
        return _remove(document, path)
    if name == "replace":
        if _get(document, path) is _MISSING:
            raise JsonPatchError(f"replace operation does not apply: doc is missing key: {path}: missing value")
        return _put(document, path, deep_copy(operation.get("value")))
    if name == "test":
        found = _get(document, path)
        wanted = operation.get("value")
        if (None if found is _MISSING else found) != wanted or isinstance(found, bool) != isinstance(wanted, bool):
            raise JsonPatchError(f"testing value {path} failed: test failed")
        return document
    if name in ("move", "copy"):
        source = operation.get("from")
        if not isinstance(source, str):
            raise JsonPatchError(f"{name} operation failed to decode from: missing field 'from'")
        value = _get(document, source)
        if value is _MISSING:
            raise JsonPatchError(f"error in {name} for path: '{source}': missing value")
        value = deep_copy(value)
        return _add(_remove(document, source) if name == "move" else document, path, value)
    raise JsonPatchError(f"Unexpected kind: {name}")


def _parts(path: str) -> list[str]:
    if path == "":
        return []
    if not path.startswith("/"):
        raise JsonPatchError(f"unable to parse path {path}")
    return [part.replace("~1", "/").replace("~0", "~") for part in path[1:].split("/")]


def _index(part: str, length: int, path: str, *, inserting: bool = False) -> int:
    if inserting and part == "-":
        return length
    try:
        index = int(part)
    except ValueError:
        raise JsonPatchError(f'strconv.Atoi: parsing "{part}": invalid syntax') from None
    if index < 0:
        if index < -length:
            raise JsonPatchError(f"Unable to access invalid index: {index}: invalid index referenced")
        index += length + (1 if inserting else 0)
    if index > length or (index == length and not inserting):
        raise JsonPatchError(f"Unable to access invalid index: {index}: invalid index referenced")
    return index


def _get(document: Any, path: str) -> Any:
    value = document
    for part in _parts(path):
        if isinstance(value, dict):
            value = value.get(part, _MISSING)
        elif isinstance(value, list):
            try:
                value = value[_index(part, len(value), path)]
            except JsonPatchError:
                return _MISSING
        else:
            return _MISSING
        if value is _MISSING:
            return _MISSING
    return value


def _parent(document: Any, path: str, verb: str) -> tuple[Any, str]:
    *head, last = _parts(path)
    value = document
    for part in head:
        if isinstance(value, dict) and part in value:
            value = value[part]
        elif isinstance(value, list):
            value = value[_index(part, len(value), path)]
        else:
            raise JsonPatchError(f"{verb} operation does not apply: doc is missing path: {_quote(path)}: missing value")
    if not isinstance(value, dict | list):
        raise JsonPatchError(f"{verb} operation does not apply: doc is missing path: {_quote(path)}: missing value")
    return value, last


def _quote(path: str) -> str:
    return f'"{path}"'


def _add(document: Any, path: str, value: Any) -> Any:
    if path == "":
        return value
    holder, last = _parent(document, path, "add")
    if isinstance(holder, list):
        holder.insert(_index(last, len(holder), path, inserting=True), value)
    else:
        holder[last] = value
    return document


def _put(document: Any, path: str, value: Any) -> Any:
    if path == "":
        return value
    holder, last = _parent(document, path, "replace")
    if isinstance(holder, list):
        holder[_index(last, len(holder), path)] = value
    else:
        holder[last] = value
    return document


def _remove(document: Any, path: str) -> Any:
    holder, last = _parent(document, path, "remove")
    if isinstance(holder, list):
        del holder[_index(last, len(holder), path)]
    elif last in holder:
        del holder[last]
    else:
        raise JsonPatchError(f"remove operation does not apply: doc is missing path: {_quote(path)}: missing value")
    return document
