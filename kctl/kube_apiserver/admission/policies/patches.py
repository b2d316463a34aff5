"""What an expression of a mutation makes of an object: an apply configuration merged into it, or a JSON patch applied to it (upstream's
plugin/policy/mutating/patch)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from kctl.apimachinery import json_patch
from kctl.apimachinery.field_ownership import merge, typed
from kctl.apimachinery.field_ownership.field_schema import FieldType
from kctl.apimachinery.objects import Object
from kctl.kube_apiserver.cel import effort
from kctl.kube_apiserver.cel.values import ListValue, MadeObject, MapValue, type_name

_PARTS = ("op", "path", "from")


class PatchError(Exception):
    """What the expression made cannot be applied; the text is upstream's."""


def apply_configuration(made: Any, obj: Object, field_type: FieldType) -> Object:
    """The object, a value, with what was made (an Object) merged into it. Raises PatchError, and CostExceeded where what was made has more
    parts than the effort allowed."""
    if not isinstance(made, MadeObject):
        raise PatchError(f"unsupported return type from ApplyConfiguration expression: {type_name(made)}")
    _check_names(made)
    configuration = {**plain(made), "apiVersion": obj.get("apiVersion"), "kind": obj.get("kind")}
    try:
        typed.check(configuration, field_type)
    except typed.TypedError as error:
        raise PatchError(f"error applying patch: failed to convert patch object to typed object: {error}") from None
    atomics = list(_atomics(configuration, field_type, ""))
    if atomics:
        why = f"may not mutate atomic arrays, maps or structs: {', '.join(atomics)}"
        raise PatchError(f"error applying patch: invalid ApplyConfiguration: {why}")
    merged: Object = merge.merge(obj, configuration, field_type)
    return merged


def json_patched(made: Any, obj: Object) -> Object:
    """The object, a value, after the operations that were made (a list of JSONPatches). Raises PatchError, and CostExceeded."""
    if not isinstance(made, ListValue):
        raise PatchError("type mismatch: JSONPatchType.expression should evaluate to array")
    try:
        patched: Object = json_patch.apply(obj, [_operation(each) for each in made])
    except json_patch.FailedTest:
        return obj
    except json_patch.JsonPatchError as error:
        raise PatchError(f"JSONPath: {error.message}") from None
    return patched


def _operation(made: Any) -> dict[str, Any]:
    if not isinstance(made, MadeObject) or made.cel_type != "JSONPatch":
        why = f"got element of {type_name(made)}"
        raise PatchError(f"type mismatch: JSONPatchType.expression should evaluate to array of JSONPatch, {why}")
    operation: dict[str, Any] = {"op": "", "path": ""}
    for name in _PARTS:
        if name in made.entries:
            if not isinstance(made[name], str):
                raise PatchError(f"unexpected type {type_name(made[name])} for JSONPatchType '{name}' field")
            if name != "from" or made[name]:
                operation[name] = made[name]
    if "value" in made.entries:
        value = made["value"]
        if isinstance(value, MadeObject):
            _check_names(value, root=value.cel_type)
        operation["value"] = plain(value)
    return operation


def _check_names(made: MadeObject, root: str = "Object") -> None:
    """Object.spec{...} belongs into the field spec of an Object. Raises PatchError."""
    problems = list(_misnamed(made, root))
    if problems:
        raise PatchError("type mismatch: " + "\n".join(problems))


def _misnamed(value: Any, path: str) -> Iterator[str]:
    if isinstance(value, MadeObject):
        if value.cel_type != path:
            why = "which matches field name path from root Object type"
            yield f'unexpected type name "{value.cel_type}", expected "{path}", {why}'
        effort.spend(1 + len(value))
        for name, part in value.items():
            yield from _misnamed(part, f"{path}.{name}")
    elif isinstance(value, ListValue):
        effort.spend(1 + len(value))
        for item in value:
            yield from _misnamed(item, path)
    elif isinstance(value, MapValue):
        effort.spend(1 + len(value))
        for item in value.values():
            yield from _misnamed(item, path)


def plain(value: Any) -> Any:
    """A value of CEL as JSON has it. Raises PatchError."""
    match value:
        case MapValue():
            effort.spend(1 + len(value))
            for name in value:
                if not isinstance(name, str):
                    raise PatchError(f'map key "{name}" is of type {type_name(name)}, not string')
            return {name: plain(part) for name, part in value.items()}
        case ListValue():
            effort.spend(1 + len(value))
            return [plain(item) for item in value]
        case None | bool() | str() | float():
            return value
        case int():
            return int(value)
        case datetime():
            return value.strftime("%Y-%m-%dT%H:%M:%SZ")
        case timedelta():
            return f"{value.total_seconds():g}s"
    raise PatchError(f"a value of type {type_name(value)} could not marshal to JSON")


def _atomics(value: Any, field_type: FieldType, path: str) -> Iterator[str]:
    """Where there is something that would be replaced as a whole; paths as upstream writes them."""
    form = field_type.form_of(value)
    if isinstance(value, dict) and form == "map":
        if field_type.is_leaf_map:
            yield path
        for name, part in value.items():
            inner = field_type.fields.get(name)
            if inner is not None:
                yield from _atomics(part, inner, f"{path}.{name}")
    elif isinstance(value, list) and form == "list":
        if field_type.is_leaf_list:
            yield path
        for index, item in enumerate(value):
            if field_type.item is not None:
                yield from _atomics(item, field_type.item, f"{path}[{index}]")
