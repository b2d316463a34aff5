"""How Go words things: quoted strings, durations, system calls' errors, command line flags of cobra."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence

Flag = str | int | bool | float
"""By its default: text, number, switch, or a duration in seconds (a float)."""


def quoted(text: str) -> str:
    """%q"""
    named = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t", "\r": "\\r", "\a": "\\a", "\b": "\\b", "\f": "\\f", "\v": "\\v"}
    made = ""
    for character in text:
        if character in named:
            made += named[character]
        elif 0xDC80 <= ord(character) <= 0xDCFF:  # a byte that is not UTF-8
            made += f"\\x{ord(character) - 0xDC00:02x}"
        elif ord(character) < 32 or ord(character) == 127:
            made += f"\\x{ord(character):02x}"
        else:
            made += character
    return f'"{made}"'


def reason(error: OSError) -> str:
    return os.strerror(error.errno or 0).lower()


def path_error(operation: str, path: str, error: OSError) -> str:
    """open /x: no such file or directory"""
    return f"{'read' if isinstance(error, IsADirectoryError) and operation == 'open' else operation} {path}: {reason(error)}"


_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_PART = re.compile(r"(\d{1,15}(?:\.\d{0,15})?|\.\d{1,15})(ns|us|µs|ms|s|m|h)")


def duration_of(text: str) -> float:
    """Seconds. Raises ValueError."""
    body = text.lstrip("+-")
    if body == "0":
        return 0.0
    if not body or not re.fullmatch(f"(?:{_PART.pattern})+", body):
        raise ValueError(f"time: invalid duration {quoted(text)}")
    return sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(body)) * (-1 if text.startswith("-") else 1)


def duration_text(seconds: float) -> str:
    """Duration.String()"""
    nanoseconds = round(seconds * 1e9)
    if nanoseconds == 0:
        return "0s"
    sign, nanoseconds = ("-", -nanoseconds) if nanoseconds < 0 else ("", nanoseconds)
    for unit, size in (("ns", 1), ("µs", 1000), ("ms", 1_000_000)):
        if nanoseconds < size * 1000:
            return f"{sign}{_trimmed(nanoseconds, size)}{unit}"
    minutes, rest = divmod(nanoseconds, 60_000_000_000)
    hours, minutes = divmod(minutes, 60)
    text = f"{_trimmed(rest, 1_000_000_000)}s"
    return sign + (f"{hours}h{minutes}m{text}" if hours else f"{minutes}m{text}" if minutes else text)


def _trimmed(value: int, size: int) -> str:
    whole, part = divmod(value, size)
    digits = f"{part:0{len(str(size)) - 1}d}".rstrip("0") if size > 1 else ""
    return f"{whole}.{digits}" if digits else str(whole)


class UsageError(Exception):
    """The message is cobra's."""


_LOGGING: dict[str, Flag] = {
    "v": 0,
    "logtostderr": True,
    "alsologtostderr": False,
    "stderrthreshold": "2",
    "vmodule": "",
    "log_dir": "",
    "log-dir": "",
    "add_dir_header": False,
}
_LOGGING |= {
    "one_output": False,
    "skip_headers": False,
    "skip_log_headers": False,
    "log_file": "",
    "log_file_max_size": 1800,
    "log_backtrace_at": "",
}


def flags(words: Sequence[str], known: Mapping[str, Flag], short: Mapping[str, str] | None = None) -> tuple[dict[str, Flag], list[str]]:
    """(the flags with their values, the arguments). Raises UsageError."""
    defaults: dict[str, Flag] = {**_LOGGING, **known}
    values = dict(defaults)
    arguments: list[str] = []
    at = 0
    while at < len(words):
        word = words[at]
        at += 1
        if word == "--":
            arguments += words[at:]
            break
        if not word.startswith("-") or word == "-":
            arguments.append(word)
            continue
        name, equals, text = word.lstrip("-").partition("=")
        if not word.startswith("--"):
            if not equals and len(name) > 1 and name[0] in (short or {}):
                name, equals, text = name[0], "=", name[1:]
            name = (short or {}).get(name, name)
        if name not in defaults:
            raise UsageError(
                f"unknown flag: --{name}" if word.startswith("--") else f"unknown shorthand flag: {quoted(name[:1])[1:-1]!r} in {word}"
            )
        if not equals and isinstance(defaults[name], bool):
            text = "true"
        elif not equals:
            if at >= len(words):
                raise UsageError(f"flag needs an argument: --{name}")
            text = words[at]
            at += 1
        values[name] = _value(name, text, defaults[name])
    return values, arguments


def _value(name: str, text: str, default: Flag) -> Flag:
    try:
        if isinstance(default, bool):
            if text.lower() not in ("true", "false", "1", "0", "t", "f"):
                raise ValueError(f"strconv.ParseBool: parsing {quoted(text)}: invalid syntax")
            return text.lower() in ("true", "1", "t")
        if isinstance(default, int):
            if not re.fullmatch(r"[-+]?\d{1,18}", text):
                raise ValueError(f"strconv.ParseInt: parsing {quoted(text)}: invalid syntax")
            return int(text)
        if isinstance(default, float):
            return duration_of(text)
    except ValueError as wrong:
        raise UsageError(f"invalid argument {quoted(text)} for {quoted('--' + name)} flag: {wrong}") from None
    return text
