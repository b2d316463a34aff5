"""The functions a Go template may call, and Go's rules for truth, comparison and printing."""

from __future__ import annotations

import base64
import binascii
import html
import json
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import quote_plus

from kctl.printers.go_json import escape_html


class TemplateError(ValueError):
    """A template that cannot be parsed or executed; `located` once the message says where."""

    def __init__(self, message: str, located: bool = False) -> None:
        super().__init__(message)
        self.located = located


class Break(Exception):
    """{{break}}"""


class Continue(Exception):
    """{{continue}}"""


class GoInt(int):
    """An integer that is no bool."""


def truth(value: Any) -> bool:
    return bool(value)


def show(value: Any, *, top: bool = False) -> str:
    """Go's %v. At the top level nil is `<no value>`, inside a value `<nil>`."""
    if isinstance(value, str):
        return value
    if value is None:
        return "<no value>" if top else "<nil>"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return "map[" + " ".join(f"{key}:{show(value[key])}" for key in sorted(value)) + "]"
    if isinstance(value, list):
        return "[" + " ".join(show(part) for part in value) + "]"
    if isinstance(value, float):
        return number(value)
    return number(float(value)) if abs(value) >= 10**21 else str(int(value))


def number(value: float) -> str:
    if value.is_integer() and abs(value) < 1e21:
        return str(int(value))
    return re.sub(r"e([+-])(\d)$", r"e\g<1>0\2", repr(value))


def _kind(value: Any) -> str:
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int):
        return "int"
    if isinstance(value, float):
        return "float"
    return "string" if isinstance(value, str) else "nil" if value is None else "other"


def _comparable(left: Any, right: Any) -> None:
    if _kind(left) == "other" or _kind(right) == "other":
        raise TemplateError("error calling eq: incompatible types for comparison")
    if _kind(left) != _kind(right) and "nil" not in (_kind(left), _kind(right)):
        raise TemplateError("error calling eq: incompatible types for comparison")


def _eq(first: Any, *others: Any) -> bool:
    if not others:
        raise TemplateError("error calling eq: missing argument for comparison")
    for other in others:
        _comparable(first, other)
        if first == other:
            return True
    return False


def _order(name: str, test: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    def compare(left: Any, right: Any) -> bool:
        if _kind(left) != _kind(right) or _kind(left) in ("bool", "nil", "other"):
            raise TemplateError(f"error calling {name}: incompatible types for comparison")
        return test(left, right)

    return compare


def _len(value: Any) -> GoInt:
    if isinstance(value, str):
        return GoInt(len(value.encode()))
    if isinstance(value, list | dict):
        return GoInt(len(value))
    if value is None:
        raise TemplateError("error calling len: len of nil pointer")
    raise TemplateError(f"error calling len: len of type {'bool' if isinstance(value, bool) else 'float64'}")


def _index(value: Any, *keys: Any) -> Any:
    for key in keys:
        if isinstance(value, dict):
            if not isinstance(key, str):
                raise TemplateError("error calling index: value has type int; should be string")
            value = value.get(key)
        elif isinstance(value, list | str):
            if not isinstance(key, int):
                raise TemplateError("error calling index: cannot index slice/array with type string")
            if not 0 <= key < len(value):
                raise TemplateError("error calling index: reflect: slice index out of range")
            value = value[key] if isinstance(value, list) else GoInt(value.encode()[key])
        else:
            raise TemplateError("error calling index: index of untyped nil")
    return value


def _slice(value: Any, *bounds: int) -> Any:
    start = bounds[0] if bounds else 0
    end = bounds[1] if len(bounds) > 1 else len(value)
    if start < 0 or end > len(value) or start > end:
        raise TemplateError(f"error calling slice: index out of range: {max(start, end)}")
    return value[start:end]


_VERB = re.compile(r"%([-+# 0]*)(\d+)?(?:\.(\d+))?([a-zA-Z%])")


def _printf(text: str, *arguments: Any) -> str:
    rest = list(arguments)

    def formatted(match: re.Match[str]) -> str:
        flags, width, precision, verb = match.groups()
        if verb == "%":
            return "%"
        if not rest:
            return f"%!{verb}(MISSING)"
        return _pad(_verb(verb, rest.pop(0), precision, flags), flags, width)

    out = _VERB.sub(formatted, text)
    if rest:
        out += "%!(EXTRA " + ", ".join(f"{_go_type(value)}={show(value)}" for value in rest) + ")"
    return out


def _pad(text: str, flags: str, width: str | None) -> str:
    size = int(width or 0)
    if "-" in flags:
        return text.ljust(size)
    return text.zfill(size) if "0" in flags else text.rjust(size)


def _go_type(value: Any) -> str:
    if isinstance(value, dict | list):
        return "map[string]interface {}" if isinstance(value, dict) else "[]interface {}"
    return {"bool": "bool", "int": "int", "float": "float64", "string": "string", "nil": "<nil>"}[_kind(value)]


def _verb(verb: str, value: Any, precision: str | None, flags: str) -> str:
    kind = _kind(value)
    if verb == "v" or (verb == "s" and kind in ("string", "other")):
        text = show(value)
        return text[: int(precision)] if precision and verb == "s" else text
    if verb == "q" and kind == "string":
        return json.dumps(value, ensure_ascii=False)
    if verb in ("d", "x", "X", "o", "b", "c") and kind == "int":
        return chr(value) if verb == "c" else format(int(value), verb)
    if verb in ("f", "F", "e", "g") and kind == "float":
        return f"{float(value):.{precision or 6}{verb}}" if verb != "g" else number(float(value))
    if verb == "t" and kind == "bool":
        return show(value)
    if verb == "T":
        return _go_type(value)
    if verb in ("x", "X") and kind == "string":
        digits = str(value).encode().hex()
        return digits if verb == "x" else digits.upper()
    return f"%!{verb}({_go_type(value)}={show(value)})"


def _print(*values: Any) -> str:
    """Spaces between operands when neither is a string."""
    out = ""
    for index, value in enumerate(values):
        if index and not isinstance(value, str) and not isinstance(values[index - 1], str):
            out += " "
        out += show(value)
    return out


def _base64decode(text: Any) -> str:
    try:
        return base64.b64decode(str(text), validate=True).decode(errors="replace")
    except (binascii.Error, ValueError):
        raise TemplateError("error calling base64decode: base64 decode failed: illegal base64 data at input byte 0") from None


def _exists(value: Any, *keys: Any) -> bool:
    for key in keys:
        if (isinstance(value, dict) and key in value) or (isinstance(value, list) and isinstance(key, int) and 0 <= key < len(value)):
            value = value[key]
        else:
            return False
    return True


def _js(*values: Any) -> str:
    text = json.dumps(_print(*values), ensure_ascii=False)[1:-1]
    return escape_html(text).replace("'", "\\'").replace("=", "\\u003D").upper() if False else escape_html(text).replace("'", "\\'")


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "and": lambda *values: values[-1],
    "or": lambda *values: values[-1],
    "not": lambda value: not truth(value),
    "eq": _eq,
    "ne": lambda left, right: not _eq(left, right),
    "lt": _order("lt", lambda left, right: bool(left < right)),
    "le": _order("le", lambda left, right: bool(left <= right)),
    "gt": _order("gt", lambda left, right: bool(left > right)),
    "ge": _order("ge", lambda left, right: bool(left >= right)),
    "len": _len,
    "index": _index,
    "slice": _slice,
    "print": _print,
    "println": lambda *values: " ".join(show(value) for value in values) + "\n",
    "printf": _printf,
    "html": lambda *values: html.escape(_print(*values)).replace("&quot;", "&#34;").replace("&#x27;", "&#39;"),
    "js": _js,
    "urlquery": lambda *values: quote_plus(_print(*values)),
    "base64decode": _base64decode,
    "exists": _exists,
}
