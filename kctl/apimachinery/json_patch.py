"""JSON patch (RFC 6902), with the errors of the library the API server uses."""

from __future__ import annotations

from typing import Any

import orjson

from kctl.apimachinery import bounds, go_numbers
from kctl.apimachinery.objects import deep_copy
from kctl.apimachinery.schema.diagnose import json_kind


class JsonPatchError(ValueError):
    """The patch does not apply."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class FailedTest(JsonPatchError):
    """A value is not what an operation `test` says it is."""


class MalformedPatch(JsonPatchError):
    """What was sent is no JSON patch."""


class TooManyOperations(JsonPatchError):
    """More than MAX_OPERATIONS."""


_MISSING = object()
MAX_OPERATIONS = 10_000
MAX_COPIED_BYTES = 3 * 1024 * 1024
"""What the copy operations of one patch may add together (upstream's limit)."""


def apply(document: Any, operations: Any) -> Any:
    """The patched document, a new value; `document` is not changed. Raises JsonPatchError."""
    _check_form(operations)
    patch = _Patch(deep_copy(document))
    for operation in operations:
        patch.apply(operation)
    if bounds.too_deep(patch.document):
        raise JsonPatchError(bounds.EXCEEDED)
    return patch.document


def may_grow(operations: Any) -> bool:
    """Whether a small patch may make a large object of a small one."""
    return isinstance(operations, list) and any(isinstance(entry, dict) and entry.get("op") == "copy" for entry in operations)


def _check_form(operations: Any) -> None:
    if not isinstance(operations, list):
        raise MalformedPatch(f"json: cannot unmarshal {json_kind(operations)} into Go value of type jsonpatch.Patch")
    for operation in operations:
        if not isinstance(operation, dict):
            kind = json_kind(operation)
            raise MalformedPatch(f"error decoding patch: json: cannot unmarshal {kind} into Go value of type handlers.jsonPatchOp")
        for field in ("op", "path", "from"):
            value = operation.get(field)
            if value is not None and not isinstance(value, str):
                what = f"json: cannot unmarshal {json_kind(value)} into Go struct field jsonPatchOp.{field} of type string"
                raise MalformedPatch(f"error decoding patch: {what}")
    if len(operations) > MAX_OPERATIONS:
        raise TooManyOperations(f"The allowed maximum operations in a JSON patch is {MAX_OPERATIONS}, got {len(operations)}")


class _Patch:
    """One patch at work on a document of its own."""

    def __init__(self, document: Any) -> None:
        self.document = document
        self._copied = 0

    def apply(self, operation: dict[str, Any]) -> None:
        name, path = operation.get("op"), operation.get("path")
        if path is None:
            raise JsonPatchError(f"{name} operation failed to decode path: missing field 'path'")
        if path.count("/") > bounds.MAX_DEPTH:
            raise JsonPatchError(bounds.EXCEEDED)
        if name == "add":
            self.document = _add(self.document, path, deep_copy(operation.get("value")))
        elif name == "remove":
            self.document = _remove(self.document, path)
        elif name == "replace":
            if _get(self.document, path) is _MISSING:
                holder = _get(self.document, path.rpartition("/")[0])
                what = "key" if isinstance(holder, dict | list) else "path"
                raise JsonPatchError(f"replace operation does not apply: doc is missing {what}: {path}: missing value")
            self.document = _put(self.document, path, deep_copy(operation.get("value")))
        elif name == "test":
            self._test(path, operation.get("value"))
        elif name in ("move", "copy"):
            self._transfer(name, operation.get("from"), path)
        else:
            raise JsonPatchError(f"Unexpected kind: {name}")

    def _test(self, path: str, wanted: Any) -> None:
        present = _get(self.document, path)
        if (None if present is _MISSING else present) != wanted or isinstance(present, bool) != isinstance(wanted, bool):
            raise FailedTest(f"testing value {path} failed: test failed")

    def _transfer(self, name: str, source: str | None, path: str) -> None:
        if source is None:
            raise JsonPatchError(f"{name} operation failed to decode from: missing field 'from'")
        value = _get(self.document, source)
        if value is _MISSING:
            raise JsonPatchError(f"error in {name} for path: '{source}': missing value")
        if name == "move":
            if path.startswith(source + "/"):
                raise JsonPatchError(f"add operation does not apply: doc is missing path: {_quote(path)}: missing value")
            self.document = _remove(self.document, source) if source else self.document
        else:
            if bounds.too_deep(value):
                raise JsonPatchError(bounds.EXCEEDED)
            self._copied += len(orjson.dumps(value))
            if self._copied > MAX_COPIED_BYTES:
                size = f"the accumulated size increase of copy is {self._copied}, exceeding the limit {MAX_COPIED_BYTES}"
                raise JsonPatchError(f"Unable to complete the copy, {size}")
            value = deep_copy(value)
        self.document = _add(self.document, path, value)


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
        index = go_numbers.parse_int(part, "Atoi")
    except go_numbers.GoNumberError as error:
        raise JsonPatchError(str(error)) from None
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
    if path == "":
        raise JsonPatchError('remove operation does not apply: doc is missing path: "": missing value')
    holder, last = _parent(document, path, "remove")
    if isinstance(holder, list):
        del holder[_index(last, len(holder), path)]
    elif last in holder:
        del holder[last]
    else:
        raise JsonPatchError(f"error in remove for path: '{path}': Unable to remove nonexistent key: {last}: missing value")
    return document
