"""Text as Go prints it: strconv.Quote, which is %q in the messages of Kubernetes."""

from __future__ import annotations

import re

_NAMED = {"\a": "\\a", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\v": "\\v", "\\": "\\\\", '"': '\\"'}
_PLAIN = re.compile(r"[ !#-\[\]-~]*")


def quote(text: str) -> str:
    """Between double quotes, with escapes for what cannot be printed."""
    if _PLAIN.fullmatch(text):
        return f'"{text}"'
    return '"' + "".join(_NAMED.get(letter) or _shown(letter) for letter in text) + '"'


def _shown(letter: str) -> str:
    code = ord(letter)
    if letter.isprintable() or letter == " ":
        return letter
    if code < 0x80:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
