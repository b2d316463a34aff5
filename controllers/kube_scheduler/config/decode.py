"""Reading a KubeSchedulerConfiguration strictly, in the words of upstream's decoder: a field that does not exist, a value of another
type and a key given twice are errors that name where they are. null is as good as nothing."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping
from typing import Any

from controllers.kube_scheduler.config.types import (
    ANYTHING,
    ARGS,
    BOOL,
    BYTES,
    CONFIGURATION,
    DURATION,
    FLOAT32,
    GROUP,
    INT32,
    INT64,
    KIND,
    STRING,
    VERSION,
    Items,
    StringMap,
    Struct,
    Type,
)
from kctl.apimachinery import times, yaml
from kctl.apimachinery.go_text import quote
from kctl.apimachinery.objects import Object

_RANGES = {INT32: 2**31, INT64: 2**63}
_GO_NAMES = {FLOAT32: "float32", BYTES: "[]uint8", DURATION: "string"}
_STRICT = "strict decoding error: "


class InvalidConfiguration(ValueError):
    """What is wrong with a configuration, in one line."""


class WrongType(InvalidConfiguration):
    """A value that its Go type cannot hold."""


def decode(text: str | bytes) -> Object:
    """The configuration as it was written, with durations in seconds and the args of known plugins checked. Raises InvalidConfiguration."""
    try:
        value, duplicates = yaml.parse(text)
    except yaml.YamlError as error:
        raise InvalidConfiguration(f"couldn't get version/kind; json parse error: error converting YAML to JSON: {error}") from None
    _check_kind(value)
    unknown: list[str] = []
    found: Object = _Walk(CONFIGURATION, unknown).value(value, CONFIGURATION, CONFIGURATION, "")
    problems = [yaml.duplicate_error(duplicates)] if duplicates else []
    problems += unknown
    if problems:
        raise InvalidConfiguration(_STRICT + ", ".join(problems))
    _decode_args(found)
    return found


def _check_kind(value: Any) -> None:
    if not isinstance(value, dict):
        raise InvalidConfiguration(f"couldn't get version/kind; json parse error: json: cannot unmarshal {_kind(value)}")
    kind, version = value.get("kind") or "", value.get("apiVersion") or ""
    if not kind:
        raise InvalidConfiguration("Object 'Kind' is missing in the configuration")
    if not version:
        raise InvalidConfiguration("Object 'apiVersion' is missing in the configuration")
    if kind != KIND or version != VERSION:
        raise InvalidConfiguration(f"no kind {quote(str(kind))} is registered for version {quote(str(version))} (there is {VERSION})")


def _decode_args(configuration: Object) -> None:
    """Of plugins that have a type for them; others may have any."""
    strict: list[str] = []
    for number, profile in enumerate(configuration.get("profiles") or ()):
        for index, config in enumerate(profile.get("pluginConfig") or ()):
            name = config.get("name") or ""
            struct = ARGS.get(f"{name}Args")
            if struct is None:
                continue
            where = f"decoding .profiles[{number}].pluginConfig[{index}]: "
            args = config.get("args")
            _check_args_kind(name, struct, args, where)
            unknown: list[str] = []
            try:
                config["args"] = _Walk(struct, unknown).value(args or {}, struct, struct, "")
            except WrongType as error:
                raise InvalidConfiguration(f"{where}decoding args for plugin {name}: {error}") from None
            if unknown:
                strict.append(f"{where}{_STRICT}decoding args for plugin {name}: {_STRICT}{', '.join(unknown)}")
    if strict:
        raise InvalidConfiguration(_STRICT + ", ".join(strict))


def _check_args_kind(name: str, struct: Struct, args: Any, where: str) -> None:
    if not isinstance(args, dict):
        return
    kind, group = args.get("kind") or struct.name, str(args.get("apiVersion") or VERSION).partition("/")[0]
    if (kind, group) != (struct.name, GROUP):
        raise InvalidConfiguration(f"{where}args for plugin {name} were not of type {struct.name}.{GROUP}, got {kind}.{group}")


class _Walk:
    """Through the values of one object; what its types do not have is noted in `unknown`."""

    def __init__(self, root: Struct, unknown: list[str]) -> None:
        self._root = root
        self._unknown = unknown

    def value(self, value: Any, type: Type, owner: Struct, path: str) -> Any:
        if isinstance(type, Struct):
            return self._struct(value, type, owner, path)
        if isinstance(type, Items):
            if not isinstance(value, list):
                raise _wrong(value, type, owner, path)
            return [self.value(each, type.of, owner, f"{path}[{index}]") for index, each in enumerate(value)]
        if isinstance(type, StringMap):
            if not isinstance(value, dict):
                raise _wrong(value, type, owner, path)
            return {key: self.value(each, type.of, owner, path) for key, each in value.items()}
        return self._scalar(value, type, owner, path)

    def _struct(self, value: Any, type: Struct, owner: Struct, path: str) -> Object:
        if not isinstance(value, dict):
            raise _wrong(value, type, owner, path)
        found: Object = {}
        for name, each in value.items():
            field = type.fields.get(name)
            here = f"{path}.{name}" if path else name
            if field is None:
                self._unknown.append(f'unknown field "{here}"')
            elif each is not None:
                found[name] = self.value(each, field, type, here)
        return found

    def _scalar(self, value: Any, type: str, owner: Struct, path: str) -> Any:
        if type == ANYTHING:
            return value
        read = _SCALARS[type]
        try:
            return read(value)
        except _Unreadable as error:
            if error.why:
                raise WrongType(error.why) from None
            raise _wrong(value, type, owner, path) from None


class _Unreadable(Exception):
    def __init__(self, why: str = "") -> None:
        self.why = why


def _integer(limit: int) -> Callable[[Any], int]:
    def read(value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not -limit <= value < limit:
            raise _Unreadable
        return value

    return read


def _of(kind: type) -> Callable[[Any], Any]:
    def read(value: Any) -> Any:
        if not isinstance(value, kind):
            raise _Unreadable
        return value

    return read


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _Unreadable
    return value


def _duration(value: Any) -> float:
    if not isinstance(value, str):
        raise _Unreadable
    try:
        return times.parse_duration(value)
    except ValueError as error:
        raise _Unreadable(str(error)) from None


def _bytes(value: Any) -> bytes:
    if not isinstance(value, str):
        raise _Unreadable
    try:
        return base64.b64decode(value, validate=True)
    except binascii.Error:
        raise _Unreadable("illegal base64 data") from None


_SCALARS: Mapping[str, Callable[[Any], Any]] = {
    STRING: _of(str),
    BOOL: _of(bool),
    INT32: _integer(_RANGES[INT32]),
    INT64: _integer(_RANGES[INT64]),
    FLOAT32: _number,
    DURATION: _duration,
    BYTES: _bytes,
}


def _wrong(value: Any, type: Type, owner: Struct, path: str) -> WrongType:
    """As encoding/json: the innermost struct, and the path to the field without indexes."""
    plain = "".join(part.partition("]")[2] if "]" in part else part for part in path.split("["))
    field = f"Go struct field {owner.name}.{plain}" if path else "Go value"
    return WrongType(f"json: cannot unmarshal {_kind(value)} into {field} of type {_go_type(type)}")


def _go_type(type: Type) -> str:
    if isinstance(type, Struct):
        return f"{type.package}.{type.name}"
    if isinstance(type, Items):
        return f"[]{_go_type(type.of)}"
    if isinstance(type, StringMap):
        return f"map[string]{_go_type(type.of)}"
    return _GO_NAMES.get(type, type)


def _kind(value: Any) -> str:
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int | float):
        return f"number {value}" if isinstance(value, float) or abs(value) >= 2**31 else "number"
    if value is None:
        return "null"
    return "string" if isinstance(value, str) else "array" if isinstance(value, list) else "object"
