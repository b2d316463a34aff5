"""YAML as Kubernetes reads and writes it: Go's dialect (sigs.k8s.io/yaml), not PyYAML's.

Reading: no timestamps, no sexagesimal integers, y/n/on/off booleans, 0o17 and 010 octal, keys become text, whole floats
become integers (the value passes through JSON). Writing: keys in Go's natural order, sequences not indented, strings
quoted exactly where Go quotes them. Errors carry Go's words: `yaml: line 6: did not find expected key`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import cmp_to_key
from io import StringIO
from typing import Any

import yaml

from kctl.apimachinery.yaml_documents import _CONSTANTS as _CONSTANTS
from kctl.apimachinery.yaml_documents import TOO_DEEP, DocumentBuilder, go_float, resolve
from kctl.apimachinery.yaml_documents import YamlError as YamlError

try:
    from yaml import CSafeLoader as _BaseLoader
    from yaml.cyaml import CEmitter as _Emitter  # type: ignore[attr-defined]
except ImportError:  # PyYAML without libyaml
    from yaml import SafeLoader as _BaseLoader  # type: ignore[assignment]
    from yaml.emitter import Emitter as _Emitter  # type: ignore[assignment]


_TIMESTAMP = re.compile(r"\d{4}-\d{1,2}-\d{1,2}(?:(?:[Tt]|[ \t]+)\d{1,2}:\d{1,2}:\d{1,2}(?:\.\d+)?(?:[ \t]*(?:Z|[-+]\d\d:\d\d))?)?")
_BASE_60 = re.compile(r"[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?")


def parse(text: str | bytes, resolve: Callable[[str], Any] = resolve) -> tuple[Any, list[str]]:
    """(value of the first document, duplicate keys as `line 10: key "kind" already set in map`). `resolve` gives the value of an
    unquoted scalar, for other dialects. Raises YamlError."""
    reader: Any = None
    try:
        reader = _BaseLoader(text)
        builder = DocumentBuilder(resolve)
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


class _Writer:
    """Hands a value to libyaml's emitter event by event. One call for the whole would be quicker, but nobody else in this process would
    do anything while it lasts."""

    def __init__(self, emitter: Any) -> None:
        self._emit: Callable[[yaml.Event], None] = emitter.emit

    def document(self, value: Any) -> None:
        self._emit(yaml.StreamStartEvent())
        self._emit(yaml.DocumentStartEvent(explicit=False))
        self._value(value)
        self._emit(yaml.DocumentEndEvent(explicit=False))
        self._emit(yaml.StreamEndEvent())

    def _value(self, value: Any) -> None:
        if isinstance(value, dict):
            self._emit(yaml.MappingStartEvent(None, None, True, flow_style=False))
            for key in sorted(value, key=_BY_KEY):
                self._value(key)
                self._value(value[key])
            self._emit(yaml.MappingEndEvent())
        elif isinstance(value, list | tuple):
            self._emit(yaml.SequenceStartEvent(None, None, True, flow_style=False))
            for item in value:
                self._value(item)
            self._emit(yaml.SequenceEndEvent())
        else:
            text, style = _scalar(value)
            self._emit(yaml.ScalarEvent(None, None, (True, True), text, style=style))


def _scalar(value: Any) -> tuple[str, str | None]:
    """The text, and how it is quoted: libyaml's emitter, which Go's is a port of, leaves that to us."""
    match value:
        case str():
            return value, "|" if "\n" in value else None if _plain_is_text(value) else '"'
        case bool():
            return "true" if value else "false", None
        case int():
            return str(value), None
        case float():
            return go_float(value), None
        case None:
            return "null", None
    raise TypeError(f"cannot be written as YAML: {type(value).__name__}")


def _plain_is_text(text: str) -> bool:
    """Whether a reader would take the unquoted text for text."""
    if not text or text in _CONSTANTS:
        return False
    if text[0] in "+-.0123456789":
        if not isinstance(resolve(text), str) or _BASE_60.fullmatch(text):
            return False
        return _TIMESTAMP.fullmatch(text) is None
    return True


def dump(value: Any) -> str:
    """One document, with its final newline, byte for byte as `kubectl get -o yaml` prints it."""
    written = StringIO()
    _Writer(_Emitter(written, width=80, allow_unicode=True)).document(value)
    return written.getvalue().removesuffix("...\n")  # libyaml closes some documents explicitly, Go's port of it does not
