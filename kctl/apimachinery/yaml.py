"""YAML as Kubernetes reads and writes it: Go's dialect (sigs.k8s.io/yaml), not PyYAML's.

Reading: no timestamps, no sexagesimal integers, y/n/on/off booleans, 0o17 and 010 octal, keys become text, whole floats
become integers (the value passes through JSON). Writing: keys in Go's natural order, sequences not indented, strings
quoted exactly where Go quotes them. Errors carry Go's words: `yaml: line 6: did not find expected key`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cmp_to_key
from typing import Any

import yaml

from kctl.apimachinery.yaml_documents import _CONSTANTS as _CONSTANTS
from kctl.apimachinery.yaml_documents import TOO_DEEP, DocumentBuilder, go_float, resolve
from kctl.apimachinery.yaml_documents import YamlError as YamlError

try:
    from yaml import CSafeDumper as _BaseDumper
    from yaml import CSafeLoader as _BaseLoader
except ImportError:  # PyYAML without libyaml
    from yaml import SafeDumper as _BaseDumper  # type: ignore[assignment]
    from yaml import SafeLoader as _BaseLoader  # type: ignore[assignment]


_TIMESTAMP = re.compile(r"\d{4}-\d{1,2}-\d{1,2}(?:(?:[Tt]|[ \t]+)\d{1,2}:\d{1,2}:\d{1,2}(?:\.\d+)?(?:[ \t]*(?:Z|[-+]\d\d:\d\d))?)?")
_BASE_60 = re.compile(r"[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?")
_STR = "tag:yaml.org,2002:str"


def parse(text: str | bytes) -> tuple[Any, list[str]]:
    """(value of the first document, duplicate keys as `line 10: key "kind" already set in map`). Raises YamlError."""
    reader: Any = None
    try:
        reader = _BaseLoader(text)
        builder = DocumentBuilder()
        return builder.build(reader.get_event), builder.duplicates
    except yaml.YAMLError as error:
        raise YamlError(_wording(error, text)) from None
    finally:
        if reader is not None:
            reader.dispose()


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


_OWN_LIMIT = "exceeded maximum nesting depth"
"""What libyaml from 0.2.6 on says before we count ourselves; readers of the message need not know which one is installed."""


def _wording(error: yaml.YAMLError, text: str | bytes) -> str:
    if isinstance(error, yaml.reader.ReaderError):
        control = "special characters" in str(error.reason) or "control" in str(error.reason)
        return "yaml: control characters are not allowed" if control else f"yaml: {error.reason}"
    if _OWN_LIMIT in str(error):
        return TOO_DEEP
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
    before = ""
    if left[i] == "0" or right[i] == "0":
        j = i - 1
        while j >= 0 and _is_digit(left[j]):
            if left[j] != "0":
                before = "1"
                break
            j -= 1
    a_end = b_end = i
    while a_end < len(left) and _is_digit(left[a_end]):
        a_end += 1
    while b_end < len(right) and _is_digit(right[b_end]):
        b_end += 1
    a_number, b_number = ((before + digits).lstrip("0") for digits in (left[i:a_end], right[i:b_end]))
    if a_number != b_number:
        return -1 if (len(a_number), a_number) < (len(b_number), b_number) else 1
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
