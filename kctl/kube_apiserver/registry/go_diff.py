"""The difference of two values as upstream's messages about immutable specs print it: indented JSON, unified diff."""

from __future__ import annotations

import difflib
import json
from typing import Any


def unified_diff(old: Any, new: Any) -> str:
    """Without file headers; each line ends with a newline."""
    before, after = (json.dumps(value, indent=1, ensure_ascii=False).splitlines() for value in (old, new))
    lines = list(difflib.unified_diff(before, after, lineterm=""))[2:]
    return "".join(line + "\n" for line in lines)
