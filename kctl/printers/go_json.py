"""JSON as Go's encoding/json writes it."""

from __future__ import annotations

import json
from typing import Any


def escape_html(text: str) -> str:
    """As encoding/json writes inside strings."""
    for letter, code in (
        ("&", "\\u0026"),
        ("<", "\\u003c"),
        (">", "\\u003e"),
        ("\u2028", "\\u2028"),
        ("\u2029", "\\u2029"),
    ):
        if letter in text:
            text = text.replace(letter, code)
    return text


def json_text(obj: Any, *, sort_keys: bool = True) -> str:
    """Indented by four, keys sorted."""
    return escape_html(json.dumps(obj, indent=4, sort_keys=sort_keys, ensure_ascii=False)) + "\n"
