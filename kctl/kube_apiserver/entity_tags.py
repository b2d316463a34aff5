"""Entity tags: whether a client that says If-None-Match has what it asks for."""

from __future__ import annotations


def matches(known: str, tag: str) -> bool:
    """`known`: an If-None-Match header, a list of tags, weak ones among them, or `*`. `tag`: the answer's ETag, with its quotes; '' for an
    answer without one, which matches nothing."""
    if not known or not tag:
        return False
    return known.strip() == "*" or tag.removeprefix("W/") in (each.strip().removeprefix("W/") for each in known.split(","))
