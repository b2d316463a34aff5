"""YAML as Kubernetes reads and writes it: Go's dialect (sigs.k8s.io/yaml), not PyYAML's.

Reading: no timestamps, no sexagesimal integers, y/n/on/off booleans, 0o17 and 010 octal, keys become text, whole floats
become integers (the value passes through JSON). Writing: keys in Go's natural order, sequences not indented, strings
quoted exactly where Go quotes them. Errors carry Go's words: `yaml: line 6: did not find expected key`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from functools import cmp_to_key
from typing import Any

import yaml

try:
    from yaml import CSafeDumper as _BaseDumper
    from yaml import CSafeLoader as _BaseLoader
except ImportError:  # PyYAML without libyaml
    from yaml import SafeDumper as _BaseDumper  # type: ignore[assignment]
    from yaml import SafeLoader as _BaseLoader  # type: ignore[assignment]


class YamlError(ValueError):
    """Text that is not YAML or has no JSON form; the message is Go's, without `error converting YAML to JSON: `."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


_CONSTANTS: dict[str, Any] = {"": None, "~": None, "null": None, "Null": None, "NULL": None}
_CONSTANTS |= dict.fromkeys(("y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"), True)
_CONSTANTS |= dict.fromkeys(("n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"), False)
_CONSTANTS |= dict.fromkeys((".nan", ".NaN", ".NAN"), math.nan)
_CONSTANTS |= dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), math.inf)
_CONSTANTS |= dict.fromkeys(("-.inf", "-.Inf", "-.INF"), -math.inf)
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_INTEGER = re.compile(r"([-+]?)(?:0[xX]([0-9a-fA-F]+)|0[bB]([01]+)|0[oO]?([0-7]+)|([0-9]|[1-9][0-9]+))")
_TIMESTAMP = re.compile(r"\d{4}-\d{1,2}-\d{1,2}(?:(?:[Tt]|[ \t]+)\d{1,2}:\d{1,2}:\d{1,2}(?:\.\d+)?(?:[ \t]*(?:Z|[-+]\d\d:\d\d))?)?")
_BASE_60 = re.compile(r"[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?")


def resolve(text: str) -> Any:
    """The value of an unquoted scalar."""
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if text[0] not in "+-.0123456789":
        return text
    plain = text.replace("_", "")
    found = _INTEGER.fullmatch(plain)
    if found is not None:
        sign, hexadecimal, binary, octal, decimal = found.groups()
        if decimal is not None:
            value = int(decimal)
        elif hexadecimal is not None:
            value = int(hexadecimal, 16)
        else:
            value = int(binary, 2) if binary is not None else int(octal, 8)
        value = -value if sign == "-" else value
        if -(2**63) <= value < 2**64:
            return value
        return _number(float(value))
    if _FLOAT.fullmatch(plain):
        number = float(plain)
        return text if math.isinf(number) else _number(number)
    return text


def _number(value: float) -> int | float:
    """A float as it comes out of Go's JSON: 1e3 is 1000."""
    return int(value) if value.is_integer() and abs(value) < 2**63 else value


_PLAIN = "plain"
_STR = "tag:yaml.org,2002:str"


class _Loader(_BaseLoader):
    """Builds JSON data; notes duplicate keys instead of refusing them."""

    def __init__(self, text: str | bytes) -> None:
        super().__init__(text)
        self.duplicates: list[str] = []

    def resolve(self, kind: type[yaml.Node], value: Any, implicit: Any) -> str:
        """The tag of an untagged node; unquoted scalars get one of our own."""
        if kind is yaml.ScalarNode:
            return _PLAIN if implicit[0] else _STR
        return "tag:yaml.org,2002:map" if kind is yaml.MappingNode else "tag:yaml.org,2002:seq"


def _key(loader: _Loader, node: yaml.Node, value: Any) -> str:
    key = loader.construct_object(node, deep=True)
    if isinstance(key, str):
        return key
    if isinstance(key, bool):
        return "true" if key else "false"
    if isinstance(key, int | float):
        return go_float(key) if isinstance(key, float) else str(key)
    shown = "<nil>" if key is None else str(key)
    kind = "%!s(<nil>)" if key is None else "map[interface {}]interface {}" if isinstance(key, dict) else "[]interface {}"
    raise YamlError(f"unsupported map key of type: {kind}, key: {shown}, value: {value}")


def _mapping(loader: _Loader, node: yaml.MappingNode) -> dict[str, Any]:
    out: dict[str, Any] = {}
    merged: dict[str, Any] = {}
    for key_node, value_node in node.value:
        value = loader.construct_object(value_node, deep=True)
        if isinstance(key_node, yaml.ScalarNode) and key_node.value == "<<" and key_node.tag == _PLAIN:
            for part in reversed(value) if isinstance(value, list) else (value,):
                if not isinstance(part, dict):
                    raise YamlError("yaml: map merge requires map or sequence of maps as the value")
                merged.update(part)
            continue
        key = _key(loader, key_node, value)
        if key in out:
            loader.duplicates.append(f'line {key_node.start_mark.line + 1}: key "{key}" already set in map')
        out[key] = value
    return {**merged, **out} if merged else out


def _sequence(loader: _Loader, node: yaml.SequenceNode) -> list[Any]:
    return [loader.construct_object(item, deep=True) for item in node.value]


def _tagged(loader: _Loader, suffix: str, node: yaml.Node) -> Any:
    """Unknown tags say nothing to Go either."""
    if isinstance(node, yaml.MappingNode):
        return _mapping(loader, node)
    if isinstance(node, yaml.SequenceNode):
        return _sequence(loader, node)
    return node.value


def _resolved(loader: _Loader, node: yaml.ScalarNode) -> Any:
    return resolve(node.value)


def _text(loader: _Loader, node: yaml.ScalarNode) -> Any:
    return node.value


_Loader.yaml_constructors = {
    _PLAIN: _resolved,
    _STR: _text,
    "tag:yaml.org,2002:map": _mapping,
    "tag:yaml.org,2002:seq": _sequence,
    "tag:yaml.org,2002:binary": _text,
    "tag:yaml.org,2002:int": _resolved,
    "tag:yaml.org,2002:float": _resolved,
    "tag:yaml.org,2002:bool": _resolved,
    "tag:yaml.org,2002:null": _resolved,
}
_Loader.yaml_multi_constructors = {"": _tagged}


def parse(text: str | bytes) -> tuple[Any, list[str]]:
    """(value of the first document, duplicate keys as `line 10: key "kind" already set in map`). Raises YamlError."""
    loader: _Loader | None = None
    try:
        loader = _Loader(text)
        node = loader.get_node() if loader.check_node() else None
        value = loader.construct_document(node) if node is not None else None
        _check_json(value)
        return value, loader.duplicates
    except yaml.YAMLError as error:
        raise YamlError(_wording(error, text)) from None
    except RecursionError:
        raise YamlError("yaml: exceeded max depth") from None
    finally:
        if loader is not None:
            loader.dispose()


def _check_json(value: Any) -> None:
    if isinstance(value, dict):
        for item in value.values():
            _check_json(item)
    elif isinstance(value, list):
        for item in value:
            _check_json(item)
    elif isinstance(value, float) and not math.isfinite(value):
        shown = "NaN" if math.isnan(value) else "+Inf" if value > 0 else "-Inf"
        raise YamlError(f"json: unsupported value: {shown}")


def load(text: str | bytes, *, strict: bool = False) -> Any:
    """One document. `strict` refuses duplicate keys, as Go's UnmarshalStrict; otherwise the last one wins."""
    value, duplicates = parse(text)
    if strict and duplicates:
        raise YamlError(duplicate_error(duplicates))
    return value


def duplicate_error(duplicates: list[str]) -> str:
    return "yaml: unmarshal errors:\n" + "\n".join(f"  {line}" for line in duplicates)


_SEPARATOR = re.compile(r"\n---[^\n]*(?:\n|$)")


def documents(text: str) -> list[str]:
    """The texts between `---` lines, split as Go's YAML reader splits them."""
    return _SEPARATOR.split(text)


def load_all(text: str | bytes, *, strict: bool = False) -> Iterator[Any]:
    """Every document that is not empty. Line numbers in errors count from the document's start, as kubectl's do."""
    if isinstance(text, bytes):
        try:
            text = text.decode("utf-8")
        except UnicodeDecodeError:
            raise YamlError("yaml: invalid leading UTF-8 octet") from None
    for document in documents(text):
        value = load(document, strict=strict)
        if value is not None:
            yield value


def _wording(error: yaml.YAMLError, text: str | bytes) -> str:
    if isinstance(error, yaml.reader.ReaderError):
        control = "special characters" in str(error.reason) or "control" in str(error.reason)
        return "yaml: control characters are not allowed" if control else f"yaml: {error.reason}"
    if isinstance(error, yaml.composer.ComposerError) and error.problem_mark is not None:
        lines = (text.decode("utf-8", "replace") if isinstance(text, bytes) else text).splitlines()
        found = re.match(r"\*([\w-]+)", lines[error.problem_mark.line][error.problem_mark.column :])
        if found:
            return f"yaml: unknown anchor '{found.group(1)}' referenced"
    if not isinstance(error, yaml.MarkedYAMLError):
        return f"yaml: {error}"
    line = 0
    if error.problem_mark is not None and error.problem_mark.line:
        line = error.problem_mark.line + (1 if isinstance(error, yaml.scanner.ScannerError) else 0)
    elif error.context_mark is not None and error.context_mark.line:
        line = error.context_mark.line
    where = f"line {line}: " if line else ""
    return f"yaml: {where}{error.problem or 'unknown problem parsing YAML content'}"


# ---------------------------------------------------------------- writing


def go_float(value: float) -> str:
    """strconv.FormatFloat(value, 'g', -1, 64), as the YAML encoder prints numbers: 1.5, 1e-07, 1.5e+06."""
    mantissa, _, exponent = f"{value:e}".partition("e")
    if -4 <= int(exponent) < 6:
        text = repr(value)
        return text.removesuffix(".0")
    digits = repr(value).partition("e")[0].replace(".", "").lstrip("-0")
    digits = digits.rstrip("0") or "0"
    sign = "-" if mantissa.startswith("-") else ""
    point = f".{digits[1:]}" if len(digits) > 1 else ""
    return f"{sign}{digits[0]}{point}e{exponent[0]}{exponent[1:].zfill(2)}"


def _is_digit(character: str) -> bool:
    return character.isdecimal()


def _compare(left: str, right: str) -> int:
    """Go's order of keys: letters by code, numbers inside keys by value, other characters before letters."""
    for i, (a, b) in enumerate(zip(left, right, strict=False)):
        if a == b:
            continue
        a_letter, b_letter = a.isalpha(), b.isalpha()
        if a_letter and b_letter:
            return -1 if a < b else 1
        if a_letter or b_letter:
            return -1 if b_letter else 1
        return _compare_numbers(left, right, i)
    return (len(left) > len(right)) - (len(left) < len(right))


def _compare_numbers(left: str, right: str, i: int) -> int:
    a_number = b_number = 0
    if left[i] == "0" or right[i] == "0":
        j = i - 1
        while j >= 0 and _is_digit(left[j]):
            if left[j] != "0":
                a_number = b_number = 1
                break
            j -= 1
    a_end = b_end = i
    while a_end < len(left) and _is_digit(left[a_end]):
        a_number = a_number * 10 + int(left[a_end])
        a_end += 1
    while b_end < len(right) and _is_digit(right[b_end]):
        b_number = b_number * 10 + int(right[b_end])
        b_end += 1
    if a_number != b_number:
        return -1 if a_number < b_number else 1
    if a_end != b_end:
        return -1 if a_end < b_end else 1
    return -1 if left[i] < right[i] else 1


_BY_KEY = cmp_to_key(_compare)


class _Dumper(_BaseDumper):
    """libyaml's emitter, which Go's is a port of; only the choice of quotes is ours."""

    def ignore_aliases(self, data: Any) -> bool:
        return True

    def resolve(self, kind: type[yaml.Node], value: Any, implicit: Any) -> str:
        """Every scalar may stand plain: quotes are chosen by the representers below."""
        if kind is yaml.ScalarNode:
            return _STR
        return "tag:yaml.org,2002:map" if kind is yaml.MappingNode else "tag:yaml.org,2002:seq"


def _plain_is_text(text: str) -> bool:
    """Whether a reader would take the unquoted text for text."""
    if not text or text in _CONSTANTS:
        return False
    if text[0] in "+-.0123456789":
        if not isinstance(resolve(text), str) or _BASE_60.fullmatch(text):
            return False
        return _TIMESTAMP.fullmatch(text) is None
    return True


def _string(dumper: Any, text: str) -> yaml.Node:
    if "\n" in text:
        style: str | None = "|"
    else:
        style = None if _plain_is_text(text) else '"'
    return dumper.represent_scalar(_STR, text, style)  # type: ignore[no-any-return]


def _dict(dumper: Any, value: dict[str, Any]) -> yaml.Node:
    pairs = [(key, value[key]) for key in sorted(value, key=_BY_KEY)]
    return dumper.represent_mapping("tag:yaml.org,2002:map", pairs)  # type: ignore[no-any-return]


def _float(dumper: Any, value: float) -> yaml.Node:
    return dumper.represent_scalar(_STR, go_float(value))  # type: ignore[no-any-return]


def _integer(dumper: Any, value: int) -> yaml.Node:
    return dumper.represent_scalar(_STR, str(value))  # type: ignore[no-any-return]


def _boolean(dumper: Any, value: bool) -> yaml.Node:
    return dumper.represent_scalar(_STR, "true" if value else "false")  # type: ignore[no-any-return]


def _null(dumper: Any, value: None) -> yaml.Node:
    return dumper.represent_scalar(_STR, "null")  # type: ignore[no-any-return]


_Dumper.add_representer(str, _string)
_Dumper.add_representer(dict, _dict)
_Dumper.add_representer(float, _float)
_Dumper.add_representer(int, _integer)
_Dumper.add_representer(bool, _boolean)
_Dumper.add_representer(type(None), _null)


def dump(value: Any) -> str:
    """One document, with its final newline, byte for byte as `kubectl get -o yaml` prints it."""
    text: str = yaml.dump(value, Dumper=_Dumper, default_flow_style=False, allow_unicode=True, width=80)
    return text.removesuffix("...\n")  # libyaml closes some documents explicitly, Go's port of it does not
