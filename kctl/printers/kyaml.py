"""-o kyaml: YAML in flow style, with every string quoted and a `---` before each document."""

from __future__ import annotations

import json
import re
from typing import Any

from kctl.apimachinery.objects import Object

_BARE_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_./-]*")
_AMBIGUOUS = {"y", "n", "yes", "no", "on", "off", "true", "false", "null", "~"}


class KyamlPrinter:
    """`sort_keys=False` keeps the order of the object, as objects of known Go types are shown."""

    def __init__(self, *, sort_keys: bool = True) -> None:
        self._sort = sort_keys

    def print(self, obj: Object) -> str:
        return "---\n" + _value(_sorted(obj) if self._sort else obj, "") + "\n"


def _sorted(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _sorted(value[key]) for key in sorted(value)}
    return [_sorted(part) for part in value] if isinstance(value, list) else value


def _value(value: Any, indent: str) -> str:
    if isinstance(value, dict):
        if not value:
            return "{}"
        inner = indent + "  "
        lines = [f"{inner}{_key(key)}: {_value(value[key], inner)},\n" for key in value]
        return "{\n" + "".join(lines) + indent + "}"
    if isinstance(value, list):
        return _list(value, indent)
    if isinstance(value, str):
        return _string(value, indent)
    return json.dumps(value)


def _list(value: list[Any], indent: str) -> str:
    if not value:
        return "[]"
    if all(isinstance(part, dict | list) and part for part in value):
        return "[" + ", ".join(_value(part, indent) for part in value) + "]"
    inner = indent + "  "
    return "[\n" + "".join(f"{inner}{_value(part, inner)},\n" for part in value) + indent + "]"


def _key(key: str) -> str:
    return key if _BARE_KEY.fullmatch(key) and key.lower() not in _AMBIGUOUS else json.dumps(key, ensure_ascii=False)


def _string(text: str, indent: str) -> str:
    """Text of several lines is folded at its line ends, each line continued with a backslash."""
    if "\n" not in text.rstrip("\n") and not text.endswith("\n"):
        return json.dumps(text, ensure_ascii=False)
    inner = indent + "  "
    lines = text.split("\n")
    tail = lines.pop() if not lines[-1] else ""
    body = [json.dumps(line, ensure_ascii=False)[1:-1] for line in lines]
    parts = "".join(f"{inner}{_lead(line)}\\n\\\n" for line in body[: None if not tail and text.endswith("\n") else -1])
    last = "" if text.endswith("\n") else f"{inner}{_lead(body[-1])}\\\n"
    return '"\\\n' + parts + last + f'{indent}  "'


def _lead(line: str) -> str:
    return "\\" + line if line.startswith(" ") else " " + line
