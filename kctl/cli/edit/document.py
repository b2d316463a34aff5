"""The text that stands in the editor: its heading, what is a comment in it, and whether anything in it has changed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

_OBJECT = """\
# Please edit the object below. Lines beginning with a '#' will be ignored,
# and an empty file will abort the edit. If an error occurs while saving this file will be
# reopened with the relevant failures.
#
"""
_LAST_APPLIED = """\
# Please edit the 'last-applied-configuration' annotations below.
# Lines beginning with a '#' will be ignored, and an empty file will abort the edit.
#
"""


class Reason(NamedTuple):
    """Why the editor opens again: what was wrong, and the causes one by one."""

    head: str
    causes: Sequence[str] = ()


def heading(reasons: Sequence[Reason], *, last_applied: bool) -> str:
    lines = [_LAST_APPLIED if last_applied else _OBJECT]
    for reason in reasons:
        lines.append(f"# {_commented(reason.head)}{':' if reason.causes else ''}\n")
        lines += [f"# * {_commented(cause)}\n" for cause in reason.causes]
        lines.append("#\n")
    return "".join(lines)


def _commented(text: str) -> str:
    """Every line of it a comment."""
    first, *rest = text.split("\n")
    return "\n".join([first, *(line if line.startswith("#") or not line else f"# {line}" for line in rest)])


def without_comment_lines(text: bytes) -> bytes:
    """The lines that do not begin with `#`; `#!` is none (cmdutil.ManualStrip)."""
    return b"\n".join(line for line in text.split(b"\n") if not line.strip().startswith(b"#") or line.strip().startswith(b"#!"))


def content(text: bytes) -> Any:
    """What the text says, to be compared and checked: the value where it is YAML, else the text without comments."""
    from kctl.apimachinery import yaml

    try:
        return yaml.load(text)
    except ValueError:
        return without_comment_lines(text)


def has_content(text: bytes) -> bool:
    """Whether a line holds more than a comment."""
    return any(line.strip() and not line.strip().startswith(b"#") for line in text.split(b"\n"))
