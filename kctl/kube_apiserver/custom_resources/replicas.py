"""Where a custom resource keeps what its scale subresource shows: paths into the object, with accessor errors as unstructured ones have."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from kctl.apimachinery import field_errors
from kctl.apimachinery.field_errors import FieldError
from kctl.apimachinery.objects import Object

_HIGHEST = 2**31 - 1
_GO_TYPES = {bool: "bool", str: "string", int: "int64", float: "float64", list: "[]interface {}", dict: "map[string]interface {}"}


class AccessError(ValueError):
    """What stands at a path is of another type; the text is Go's."""


@dataclass(frozen=True, slots=True)
class ScalePaths:
    """JSON paths of the simple kind: `.spec.replicas`. `selector` is '' where there is none."""

    spec: str
    status: str
    selector: str

    def spec_errors(self, obj: Object) -> list[FieldError]:
        return _count_errors(obj, self.spec)

    def status_errors(self, obj: Object) -> list[FieldError]:
        found = _count_errors(obj, self.status)
        if self.selector:
            try:
                nested(obj, self.selector, str)
            except AccessError as error:
                found.append(field_errors.invalid(self.selector, "", str(error)))
        return found


def _count_errors(obj: Object, path: str) -> list[FieldError]:
    try:
        count = nested(obj, path, int) or 0
    except AccessError as error:
        return [field_errors.invalid(path, 0, str(error))]
    if count < 0:
        return [field_errors.invalid(path, count, "should be a non-negative integer")]
    if count > _HIGHEST:
        return [field_errors.invalid(path, count, f"should be less than or equal to {_HIGHEST}")]
    return []


def nested(obj: Object, path: str, kind: type) -> Any:
    """The value at a path; None where there is none. Raises AccessError where it, or what it should be in, is of another type."""
    steps = path.removeprefix(".").split(".")
    value: Any = obj
    for index, step in enumerate(steps):
        if value is None and index:
            return None
        if not isinstance(value, dict):
            raise AccessError(_error(steps[: index + 1], value, "map[string]interface{}"))
        if step not in value:
            return None
        value = value[step]
    if value.__class__ is not kind:
        raise AccessError(_error(steps, value, _GO_TYPES[kind]))
    return value


def _error(steps: list[str], value: Any, wanted: str) -> str:
    given = _GO_TYPES.get(value.__class__, "<nil>")
    return f".{'.'.join(steps)} accessor error: {go_text(value)} is of the type {given}, expected {wanted}"


def go_text(value: Any) -> str:
    """As Go's %v prints JSON data."""
    if value is None:
        return "<nil>"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return f"map[{' '.join(f'{key}:{go_text(value[key])}' for key in sorted(value))}]"
    if isinstance(value, list):
        return f"[{' '.join(map(go_text, value))}]"
    return str(value)


def put(obj: Object, path: str, value: Any) -> Object:
    """The object with a value at a path, levels made where they are missing. Raises AccessError."""
    steps = path.removeprefix(".").split(".")
    out = dict(obj)
    level = out
    for index, step in enumerate(steps[:-1]):
        below = level.get(step)
        if below is None:
            below = {}
        elif not isinstance(below, dict):
            raise AccessError(f"value cannot be set because .{'.'.join(steps[: index + 1])} is not a map[string]interface{{}}")
        level[step] = dict(below)
        level = level[step]
    level[steps[-1]] = value
    return out
