"""Changes that nobody would make: to values, to bytes, to headers, to targets."""

from __future__ import annotations

import random
from typing import Any

_TEXTS = (
    "",
    " ",
    "\x00",
    "\u0001\r\n",
    "\ud800",
    "é",
    "²",
    "١",
    "../..",
    "%2e",
    "a" * 64,
    "a" * 254,
    "x" * 5000,
    "9" * 5000,
    "1e99999999",
    "-9223372036854775809",
    "0" * 300 + "x",
    "a," * 400,
    "1:" * 200,
    "2026-02-31T00:00:00Z",
    "0000-01-01T00:00:00Z",
    "9999-12-31T23:59:59-14:00",
    "{}",
    "null",
    "a/b/c",
    "-",
    "*",
    "$(A)" * 200,
    ".metadata.name",
    "[" * 300,
    "((((((((((a+)+)+)+)+)+)+)+)+)+)$",
    "http://[::1",
    "::ffff:1.2.3.4/129",
    "e3b0c442" * 8,
)
_NUMBERS = (0, -1, 1, 2**31, -(2**31) - 1, 2**63 - 1, -(2**63), 2**64 - 1, 1.5, -0.0, 1e308, 10**18)
_VALUES: tuple[Any, ...] = (None, True, False, [], {}, [None], {"": None}, [[]], {"a": {"b": ["c"]}})
_PIECES = (b"\x00", b"\xff\xfe", b"{", b"[" * 300, b'"', b"\\ud800", b"\\u0000", b"&a *a", b": ", b"\n- ")
_WORDS = (b"9" * 400, b"1e999", b"!!python/object:x ", b"<<: *a\n", b"\x80" * 12, b"%TAG ! x\n---\n")
_MANY = (2, 50, 400)
_MOST = 300_000
"""Weight that repeating a part adds at most: four changes of one value stay within what can be sent."""


def weight(value: Any) -> int:
    """About the characters it takes when written; counting ends where there are too many."""
    found, waiting = 0, [value]
    while waiting and found < _MOST:
        part = waiting.pop()
        found += 4
        if isinstance(part, str):
            found += len(part)
        elif isinstance(part, dict):
            waiting += part.values()
            found += sum(map(len, part))
        elif isinstance(part, list):
            waiting += part
    return found


class Mutator:
    def __init__(self, randomness: random.Random) -> None:
        self._random = randomness

    def odd(self) -> Any:
        """A value of any type."""
        source = self._random.choice((_TEXTS, _NUMBERS, _VALUES))
        return self._random.choice(source)

    def text(self) -> str:
        return self._random.choice(_TEXTS)

    def _many(self, part: Any) -> int:
        """How often to repeat the part."""
        return min(self._random.choice(_MANY), max(2, _MOST // weight(part)))

    def structure(self, value: Any) -> Any:
        """The value with one part replaced, dropped, repeated, renamed, moved or nested; a new value."""
        places = self._places(value)
        path = self._random.choice(places)
        return self._change(value, path)

    def _places(self, value: Any) -> list[tuple[Any, ...]]:
        found: list[tuple[Any, ...]] = [()]
        for path in found:
            if len(found) > 400:
                break
            part = value
            for step in path:
                part = part[step]
            steps: Any = part.keys() if isinstance(part, dict) else range(len(part)) if isinstance(part, list) else ()
            found += [(*path, step) for step in steps]
        return found[1:] or found

    def _change(self, value: Any, path: tuple[Any, ...]) -> Any:
        if not path:
            return self._replaced(value)
        step, rest = path[0], path[1:]
        if rest:
            changed: Any = dict(value) if isinstance(value, dict) else list(value)
            changed[step] = self._change(value[step], rest)
            return changed
        if isinstance(value, dict):
            return self._change_map(value, step)
        return self._change_list(value, step)

    def _replaced(self, value: Any) -> Any:
        choice = self._random.random()
        if choice < 0.6:
            return self.odd()
        if choice < 0.7:
            return [value] * self._many(value)
        if choice < 0.8:
            return {f"k{number}": value for number in range(self._many(value))}
        if choice < 0.9 and isinstance(value, str):
            return value + self.text()
        deep = value
        for _ in range(self._random.choice((1, 30, 150, 260))):
            deep = [deep] if self._random.random() < 0.5 else {"a": deep}
        return deep

    def _change_map(self, value: dict[str, Any], key: str) -> dict[str, Any]:
        changed = dict(value)
        choice = self._random.random()
        if choice < 0.6:
            changed[key] = self._replaced(value[key])
        elif choice < 0.75:
            del changed[key]
        elif choice < 0.9:
            changed[self.text()] = changed.pop(key)
        else:
            changed |= {f"{key}{number}": value[key] for number in range(self._many(value[key]))}
        return changed

    def _change_list(self, value: list[Any], index: int) -> list[Any]:
        changed = list(value)
        choice = self._random.random()
        if choice < 0.5:
            changed[index] = self._replaced(value[index])
        elif choice < 0.65:
            del changed[index]
        else:
            changed[index:index] = [value[index]] * self._many(value[index])
        return changed

    def bytes(self, raw: bytes) -> bytes:
        """Some bytes changed, cut, repeated, or replaced by what parsers trip over."""
        changed = bytearray(raw)
        for _ in range(self._random.choice((1, 1, 2, 8))):
            at = self._random.randrange(len(changed) + 1)
            match self._random.randrange(6):
                case 0:
                    changed[at : at + 1] = bytes((self._random.randrange(256),))
                case 1:
                    del changed[at : at + self._random.choice((1, 4, 40))]
                case 2:
                    changed[at:at] = changed[at : at + self._random.choice((1, 10, 100))] * self._random.choice((1, 20))
                case 3:
                    changed[at:at] = self._random.choice(_PIECES)
                case 4:
                    del changed[at:]
                case _:
                    changed[at:at] = self._random.choice(_WORDS)
        return bytes(changed)

    def target(self, target: str) -> str:
        """A path and query no client would send, but every HTTP library lets through."""
        pieces = ("%00", "%ff", "%2f", "/", "//", "..", "?", "&", "=", "%", "%zz", ";", "+", "é", "a" * 300, "%0d%0a", "#")
        at = self._random.randrange(1, len(target) + 1)
        if self._random.random() < 0.3:
            return target[:at]
        return target[:at] + self._random.choice(pieces) + target[at:]
