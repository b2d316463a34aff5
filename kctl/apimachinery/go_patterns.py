"""Go's regular expressions. Whoever defines a custom resource brings patterns along, and CEL's `matches` takes them at run time: they are
matched by RE2, which Go's engine is too, so that a pattern means what it means in Kubernetes and takes time linear in the text.

Python's engine backtracks and may take for ever; it stands in where RE2 is not installed.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any, Protocol


class GoPatternError(ValueError):
    """The text is `error parsing regexp: ...`, as regexp/syntax has it."""


class Match(Protocol):
    def start(self) -> int: ...

    def end(self) -> int: ...

    def group(self, index: int = 0, /) -> Any: ...


class Pattern(Protocol):
    def search(self, text: str, /) -> Any: ...


_GO_WORDS = {
    "missing ]": "missing closing ]",
    "missing )": "missing closing )",
    "trailing \\": "trailing backslash at end of expression",
    "no argument for repetition operator": "missing argument to repetition operator",
    "invalid repetition size": "invalid repeat count",
    "bad repetition operator": "invalid nested repetition operator",
    "invalid perl operator": "invalid or unsupported Perl syntax",
    "invalid named capture group": "invalid named capture",
}
"""What Go says where RE2 says this."""


@lru_cache(maxsize=4096)
def compiled(pattern: str) -> Pattern:
    """Raises GoPatternError."""
    try:
        import re2
    except ImportError:
        return _backtracking(pattern)
    options = re2.Options()
    options.log_errors = False
    try:
        return re2.compile(pattern, options)  # type: ignore[no-any-return]
    except re2.error as error:
        told = error.args[0]
        text = told.decode("utf-8", "replace") if isinstance(told, bytes) else str(told)
        code, _, part = text.partition(": ")
        raise GoPatternError(f"error parsing regexp: {_GO_WORDS.get(code, code)}: `{part}`") from None


def _backtracking(pattern: str) -> Pattern:
    text = re.sub(r"(?<!\\)\$\Z", r"\\Z", pattern).replace(r"\z", r"\Z")
    try:
        return re.compile(text, re.ASCII)
    except (re.error, RecursionError, OverflowError) as error:
        raise GoPatternError(f"error parsing regexp: {error}: `{pattern}`") from None
