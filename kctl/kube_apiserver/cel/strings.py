"""The library of texts (cel-go's ext.Strings), Kubernetes' regular expressions and named formats."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from kctl.apimachinery import names
from kctl.apimachinery.go_patterns import GoPatternError, compiled
from kctl.kube_apiserver.cel import effort
from kctl.kube_apiserver.cel.function import Function, Functions, contains_cost, match_cost, traverse
from kctl.kube_apiserver.cel.standard import text_of
from kctl.kube_apiserver.cel.values import CelError, ListValue, MapValue, Optional, TypeValue, Uint, equal, no_such_overload

_ASCII_LOWER = {code: code + 32 for code in range(ord("A"), ord("Z") + 1)}
_ASCII_UPPER = {code: code - 32 for code in range(ord("a"), ord("z") + 1)}
_SPACES = " \t\n\v\f\r\x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000"


def _check(value: Any, kind: type) -> Any:
    if not isinstance(value, kind) or isinstance(value, bool):
        raise no_such_overload()
    return value


def _char_at(text: Any, index: Any) -> str:
    text, index = _check(text, str), _check(index, int)
    if not 0 <= index <= len(text):
        raise CelError(f"index out of range: {index}")
    return str(text[index : index + 1])


def _index_of(text: Any, part: Any, start: Any = 0) -> int:
    text, part, start = _check(text, str), _check(part, str), _check(start, int)
    if part == "":
        return int(start)
    if not 0 <= start < max(len(text), 1):
        raise CelError(f"index out of range: {start}")
    return int(text.find(part, start))


def _last_index_of(text: Any, part: Any, end: Any = None) -> int:
    text, part = _check(text, str), _check(part, str)
    if part == "":
        return len(text) if end is None else int(end)
    if end is None:
        return int(text.rfind(part))
    if not 0 <= _check(end, int) < max(len(text), 1):
        raise CelError(f"index out of range: {end}")
    return int(text.rfind(part, 0, end + len(part)))


def _any_index_of(value: Any, *rest: Any) -> int:
    if isinstance(value, ListValue):
        return next((index for index, each in enumerate(value) if equal(each, rest[0])), -1)
    return _index_of(value, *rest)


def _any_last_index_of(value: Any, *rest: Any) -> int:
    if isinstance(value, ListValue):
        return next((index for index in range(len(value) - 1, -1, -1) if equal(value[index], rest[0])), -1)
    return _last_index_of(value, *rest)


def _replace(text: Any, old: Any, new: Any, count: Any = -1) -> str:
    text, old, new, count = _check(text, str), _check(old, str), _check(new, str), _check(count, int)
    times = text.count(old) if count < 0 else min(count, text.count(old))
    effort.make_text(len(text) + times * len(new))
    return str(text.replace(old, new, times))


def _split(text: Any, separator: Any, limit: Any = -1) -> ListValue:
    text, separator, limit = _check(text, str), _check(separator, str), _check(limit, int)
    if limit == 0:
        return ListValue([])
    effort.spend(text.count(separator) if limit < 0 else min(limit, text.count(separator)))
    if separator == "":
        parts = list(text) if limit < 0 or limit >= len(text) else [*text[: limit - 1], text[limit - 1 :]]
        return ListValue(parts)
    return ListValue(text.split(separator, limit - 1) if limit > 0 else text.split(separator))


def _substring(text: Any, start: Any, end: Any = None) -> str:
    text, start = _check(text, str), _check(start, int)
    if end is None:
        if not 0 <= start <= len(text):
            raise CelError(f"index out of range: {start}")
        return str(text[start:])
    if start > _check(end, int):
        raise CelError(f"invalid substring range. start: {start}, end: {end}")
    for index in (start, end):
        if not 0 <= index <= len(text):
            raise CelError(f"index out of range: {index}")
    return str(text[start:end])


def _join(values: Any, separator: Any = "") -> str:
    texts = [_check(item, str) for item in _check(values, ListValue)]
    effort.make_text(sum(map(len, texts)) + len(texts) * len(_check(separator, str)))
    return str(separator.join(texts))


def _quote(text: Any) -> str:
    names_of = {"\a": "\\a", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\v": "\\v", "\\": "\\\\", '"': '\\"'}
    return '"' + "".join(names_of.get(letter, letter) for letter in _check(text, str)) + '"'


def _pattern(pattern: Any) -> Any:
    try:
        return compiled(_check(pattern, str))
    except GoPatternError as error:
        raise CelError(str(error)) from None


def _find(text: Any, pattern: Any) -> str:
    found = _pattern(pattern).search(_check(text, str))
    return found.group(0) if found is not None else ""


def _find_all(text: Any, pattern: Any, limit: Any = -1) -> ListValue:
    expression = _pattern(pattern)
    found: list[str] = []
    for match in expression.finditer(_check(text, str)):
        if 0 <= limit <= len(found):
            break
        effort.spend(1)
        found.append(match.group(0))
    return ListValue(found)


_FORMATS: dict[str, Callable[[str], list[str]]] = {
    "dns1123Label": names.dns1123_label,
    "dns1123Subdomain": names.dns1123_subdomain,
    "dns1035Label": names.dns1035_label,
    "qualifiedName": names.qualified_name,
    "dns1123LabelPrefix": lambda text: names.dns1123_label(_without_dash(text)),
    "dns1123SubdomainPrefix": lambda text: names.dns1123_subdomain(_without_dash(text)),
    "dns1035LabelPrefix": lambda text: names.dns1035_label(_without_dash(text)),
    "labelValue": names.label_value,
}


def _without_dash(text: str) -> str:
    """As a generated name is checked: what follows stands for the dash at its end."""
    return text[:-1] + "a" if text.endswith("-") else text


class Format:
    """format.dns1123Label()"""

    cel_type = "kubernetes.NamedFormat"
    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Format) and self.name == other.name

    def __hash__(self) -> int:
        return hash(self.name)


def _check_format(name: str, text: str) -> list[str]:
    if name in _FORMATS:
        return _FORMATS[name](text)
    from kctl.kube_apiserver.custom_resources import formats

    wanted = {"uri": "uri", "uuid": "uuid", "byte": "byte", "date": "date", "datetime": "date-time"}[name]
    return [] if formats.matches(wanted, text) else [f"does not match format {name}"]


def _named(name: Any) -> Optional:
    known = isinstance(name, str) and (name in _FORMATS or name in ("uri", "uuid", "byte", "date", "datetime"))
    return Optional(Format(name)) if known else Optional(present=False)


def _validate(format: Any, text: Any) -> Any:
    problems = _check_format(_check(format, Format).name, _check(text, str))
    return Optional(ListValue(problems)) if problems else Optional(present=False)


_MOST_PRECISE = 1000
"""Digits behind the point that a clause may ask for; a double has fewer than that."""
_CLAUSE = re.compile(r"%(?:(%)|(?:\.([0-9]+))?([a-zA-Z])|(.?))", re.DOTALL)


def _formatted(template: Any, args: Any) -> str:
    """ "%s and %d".format([x, 3])"""
    values, position = list(_check(args, ListValue)), 0

    def one(found: re.Match[str]) -> str:
        nonlocal position
        if found.group(1):
            return "%"
        verb = found.group(3)
        if not verb:
            raise CelError(
                "could not parse formatting clause: unexpected end of string"
                if not found.group(4)
                else f'could not parse formatting clause: unrecognized formatting clause "{found.group(4)}"'
            )
        if position >= len(values):
            raise CelError(f"index {position} out of range")
        value = values[position]
        position += 1
        text = _clause(verb, value, _precision(found.group(2)))
        effort.make_text(len(text))
        return text

    return _CLAUSE.sub(one, _check(template, str))


def _precision(digits: str | None) -> int | None:
    if digits is None:
        return None
    if len(digits) > len(str(_MOST_PRECISE)) or int(digits) > _MOST_PRECISE:
        raise CelError(f"could not parse formatting clause: precision exceeds {_MOST_PRECISE}")
    return int(digits)


def _clause(verb: str, value: Any, precision: int | None) -> str:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    whole = number and not isinstance(value, float)
    match verb:
        case "s":
            return shown(value)
        case "d" if whole:
            return str(int(value))
        case "f" if number:
            return f"{value:.{6 if precision is None else precision}f}"
        case "e" if number:
            return f"{value:.{6 if precision is None else precision}e}"
        case "b" if whole or isinstance(value, bool):
            return f"{int(value):b}"
        case "o" if whole:
            return f"{value:o}"
        case "x" | "X" if whole:
            return f"{value:{verb}}"
        case "x" | "X" if isinstance(value, str | bytes):
            text = (value.encode() if isinstance(value, str) else value).hex()
            return text.upper() if verb == "X" else text
    if verb in "sdfeboxX":
        raise CelError(f"error during formatting: {_CLAUSE_ERRORS.get(verb, 'no formatting function for this type')}")
    raise CelError(f'could not parse formatting clause: unrecognized formatting clause "{verb}"')


_CLAUSE_ERRORS = {
    "d": "decimal clause can only be used on integers",
    "f": "fixed-point clause can only be used on doubles",
    "e": "scientific clause can only be used on doubles",
    "b": "only integers and bools can be formatted as binary",
    "o": "octal clause can only be used on integers",
    "x": "only integers, byte buffers, and strings can be formatted as hex",
    "X": "only integers, byte buffers, and strings can be formatted as hex",
}


_SHOWN = 4
"""Effort for each part of a value that becomes text."""


def shown(value: Any) -> str:
    """A value in %s: texts bare, lists and maps with what they hold."""
    match value:
        case None:
            return "null"
        case str():
            effort.make_text(len(value))
            return value
        case ListValue():
            effort.spend(_SHOWN * (1 + len(value)))
            return f"[{', '.join(map(shown, value))}]"
        case MapValue():
            effort.spend(_SHOWN * (1 + len(value)))
            pairs = sorted((shown(key), shown(item)) for key, item in value.items())
            return f"{{{', '.join(f'{key}: {item}' for key, item in pairs)}}}"
        case TypeValue():
            return value.name
        case bool() | int() | float() | bytes() | datetime() | timedelta() | Uint():
            return text_of(value)
    raise CelError(f"error during formatting: no formatting function for {getattr(value, 'cel_type', type(value).__name__)}")


def _escape_key(value: Any) -> str:
    """A key as a JSON Patch path has it."""
    if not isinstance(value, str):
        raise no_such_overload()
    return value.replace("~", "~0").replace("/", "~1")


GLOBAL: Functions = {}
METHODS: Functions = {
    "charAt": Function(_char_at),
    "indexOf": Function(_any_index_of, contains_cost),
    "lastIndexOf": Function(_any_last_index_of, contains_cost),
    "lowerAscii": Function(lambda text: _check(text, str).translate(_ASCII_LOWER), traverse),
    "upperAscii": Function(lambda text: _check(text, str).translate(_ASCII_UPPER), traverse),
    "replace": Function(_replace, lambda text, *_: traverse(text)),
    "split": Function(_split, lambda text, *_: traverse(text)),
    "substring": Function(_substring, lambda text, *_: traverse(text)),
    "trim": Function(lambda text: _check(text, str).strip(_SPACES), traverse),
    "join": Function(_join, lambda values, *_: traverse(values)),
    "reverse": Function(lambda value: ListValue(value[::-1]) if isinstance(value, ListValue) else _check(value, str)[::-1], traverse),
    "format": Function(_formatted, lambda template, args: traverse(template)),
    "find": Function(_find, match_cost),
    "findAll": Function(_find_all, match_cost),
    "validate": Function(_validate, lambda format, text: traverse(text)),
}
QUALIFIED: Functions = {
    "strings.quote": Function(_quote, traverse),
    "jsonpatch.escapeKey": Function(_escape_key, traverse),
    "format.named": Function(_named),
    **{f"format.{name}": Function(lambda name=name: Format(name)) for name in (*_FORMATS, "uri", "uuid", "byte", "date", "datetime")},
}
