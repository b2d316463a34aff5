"""Flags as kubectl parses them: pflag's rules, and pflag's words for what is wrong.

kubectl's users rely on what other parsers do not know: `--wait=false`, `-n=default`, flags anywhere on the line,
comma-separated slices, `--dry-run` with an optional value.

Kinds: string, bool, int, duration (seconds as float), slice (a,b or repeated), array (repeated only), count of nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from kctl.cli.errors import FlagError

_TRUE = {"1", "t", "T", "true", "TRUE", "True"}
_FALSE = {"0", "f", "F", "false", "FALSE", "False"}


class Flag:
    """`opts` are its spellings, `name` the long one with underscores, `initial` the value where it is not given. `bare` is the
    value of the flag given without one (pflag's NoOptDefVal); bool flags have "true"."""

    __slots__ = ("bare", "help", "hidden", "initial", "kind", "long", "name", "opts")

    def __init__(self, opts: Sequence[str], kind: str, initial: Any, bare: str | None, help: str, hidden: bool) -> None:
        self.opts = opts
        self.long = next(name for name in opts if name.startswith("--"))
        self.name = self.long[2:].replace("-", "_")
        self.kind = kind
        self.initial = initial
        self.bare = "true" if kind == "bool" else bare
        self.help = help
        self.hidden = hidden

    @property
    def short(self) -> str:
        return next((name for name in self.opts if not name.startswith("--")), "")

    @property
    def title(self) -> str:
        """`-w, --watch`"""
        return f"{self.short}, {self.long}" if self.short else self.long


_ZERO: Mapping[str, Any] = {"string": "", "bool": False, "int": 0, "duration": 0.0, "slice": (), "array": ()}


def flag(
    *names: str,
    kind: str = "string",
    default: Any = None,
    bare: str | None = None,
    help: str = "",
    hidden: bool = False,
) -> Any:
    """A flag as the field of a command class. It says Any since the field is, in an instance, the flag's value."""
    return Flag(names, kind, _ZERO[kind] if default is None else default, bare, help, hidden)


class Parsed:
    """values: every flag by parameter name; changed: those given; arguments; dash: how many arguments came before `--`
    (-1 without one), as cobra's ArgsLenAtDash."""

    def __init__(self, flags: Sequence[Flag]) -> None:
        self.values: dict[str, Any] = {option.name: option.initial for option in flags}
        self.changed: set[str] = set()
        self.arguments: list[str] = []
        self.dash = -1


def parse(flags: Sequence[Flag], words: Sequence[str], *, interspersed: bool = True) -> Parsed:
    """Read the words of a command line. With interspersed=False the first argument ends the flags (for command groups)."""
    by_long = {name: option for option in flags for name in option.opts if name.startswith("--")}
    by_short = {option.short: option for option in flags if option.short}
    parsed = Parsed(flags)
    rest = list(words)
    while rest:
        word = rest.pop(0)
        if word == "--":
            parsed.dash = len(parsed.arguments)
            parsed.arguments += rest
            break
        if word.startswith("--"):
            _long(by_long, word, rest, parsed)
        elif word.startswith("-") and len(word) > 1:
            _shorts(by_short, word, rest, parsed)
        else:
            parsed.arguments.append(word)
            if not interspersed:
                parsed.arguments += rest
                break
    return parsed


def _long(known: Mapping[str, Flag], word: str, rest: list[str], parsed: Parsed) -> None:
    name, equals, value = word.partition("=")
    if len(name) == 2 or name[2] == "-":
        raise FlagError(f"bad flag syntax: {word}")
    flag = known.get(name)
    if flag is None:
        raise FlagError(f"unknown flag: {name}")
    if equals:
        _set(parsed, flag, value)
    elif flag.bare is not None:
        _set(parsed, flag, flag.bare)
    elif rest:
        _set(parsed, flag, rest.pop(0))
    else:
        raise FlagError(f"flag needs an argument: {name}")


def _shorts(known: Mapping[str, Flag], word: str, rest: list[str], parsed: Parsed) -> None:
    letters = word[1:]
    while letters:
        letter, tail = letters[0], letters[1:]
        flag = known.get("-" + letter)
        if flag is None:
            raise FlagError(f"unknown shorthand flag: '{letter}' in -{letters}")
        if len(tail) > 1 and tail[0] == "=":
            _set(parsed, flag, tail[1:])
            return
        if flag.bare is not None:
            _set(parsed, flag, flag.bare)
            letters = tail
            continue
        if tail:
            _set(parsed, flag, tail)
        elif rest:
            _set(parsed, flag, rest.pop(0))
        else:
            raise FlagError(f"flag needs an argument: '{letter}' in -{letters}")
        return


def _set(parsed: Parsed, flag: Flag, text: str) -> None:
    name = flag.name
    try:
        value = _CONVERT[flag.kind](text)
    except ValueError as error:
        raise FlagError(f'invalid argument "{text}" for "{flag.title}" flag: {error}') from None
    if flag.kind in ("slice", "array"):
        before = parsed.values[name] if name in parsed.changed else ()
        value = (*before, *value)
    parsed.values[name] = value
    parsed.changed.add(name)


def _bool(text: str) -> bool:
    if text in _TRUE:
        return True
    if text in _FALSE:
        return False
    raise ValueError(f'strconv.ParseBool: parsing "{text}": invalid syntax')


def _int(text: str) -> int:
    if re.fullmatch(r"[+-]?(0[xX][0-9a-fA-F]+|0[bB][01]+|0[oO]?[0-7]+|[1-9]\d*|0)", text) is None:
        raise ValueError(f'strconv.ParseInt: parsing "{text}": invalid syntax')
    bare = text.lstrip("+-")
    octal = len(bare) > 1 and bare[0] == "0" and bare[1].isdigit()
    return int(text, 8) if octal else int(text, 0)


def _slice(text: str) -> tuple[str, ...]:
    """One CSV record, as pflag's stringSlice."""
    if '"' not in text:
        return tuple(text.split(",")) if text else ()
    import csv

    return tuple(next(csv.reader([text]), ()))


def _duration(text: str) -> float:
    from kctl.apimachinery.times import parse_duration

    return parse_duration(text)


_CONVERT: Mapping[str, Callable[[str], Any]] = {
    "string": str,
    "bool": _bool,
    "int": _int,
    "duration": _duration,
    "slice": _slice,
    "array": lambda text: (text,),
}
