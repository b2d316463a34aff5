"""Hashes that name revisions: of pod templates and of ControllerRevisions (controller.ComputeHash, history.HashControllerRevision).

A hash is in the name of the object made for a revision. Where that name is taken by something else, the owner's collision count
goes up and gives another hash.
"""

from __future__ import annotations

import json
from typing import Any

_SAFE = "bcdfghjklmnpqrstvwxz2456789"


def safe_encode(text: str) -> str:
    """In characters that spell no words (rand.SafeEncodeString)."""
    return "".join(_SAFE[ord(character) % len(_SAFE)] for character in text)


def fnv32a(text: str) -> int:
    value = 2166136261
    for byte in text.encode():
        value = ((value ^ byte) * 16777619) & 0xFFFFFFFF
    return value


def hash_of(value: Any, collision_count: int | None) -> str:
    """A short name for JSON data."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return safe_encode(str(fnv32a(text + str(collision_count) if collision_count else text)))
