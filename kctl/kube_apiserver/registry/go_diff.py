"""The difference of two values as upstream's messages about immutable specs print it: indented JSON, unified diff."""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping
from typing import Any

from kctl.apimachinery.schema.go_form import go_form


def form_diff(type_name: str, old: Mapping[str, Any], new: Mapping[str, Any], only: frozenset[str] | None = None) -> str:
    """Of two values of a type in Go's form; without file headers, each line ends with a newline."""
    forms = (go_form(type_name, value, only=only) for value in (old, new))
    before, after = (json.dumps(form, indent=1, ensure_ascii=False).splitlines() for form in forms)
    lines = list(difflib.unified_diff(before, after, lineterm=""))[2:]
    return "".join(line + "\n" for line in lines)
