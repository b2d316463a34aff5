"""Warnings of a request as Warning headers (299), within what a header may carry.

A text with a control character cannot stand in a header and is left out, as upstream does; all of them together may have 4,096
characters, and where they have more each is cut to 256 until that is used up.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator

_ALL_TOGETHER = 4 * 1024
_EACH = 256


def headers(texts: Iterable[str]) -> Iterator[str]:
    """The values of the headers, without repetitions."""
    sent = [text for text in dict.fromkeys(texts) if text and _fits_a_header(text)]
    cutting = sum(map(len, sent)) > _ALL_TOGETHER
    written = 0
    for text in sent:
        if written >= _ALL_TOGETHER:
            return
        shown = text[:_EACH] if cutting else text
        written += len(shown)
        yield _header(shown)


def _fits_a_header(text: str) -> bool:
    return text.isprintable() or not any(unicodedata.category(letter) in ("Cc", "Cs") for letter in text)


def _header(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'299 - "{escaped}"'
