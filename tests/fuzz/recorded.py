"""Requests recorded with a real API server (../shared/oracle), where they are here: more to begin with."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from tests.fuzz.requests import Case

CONVERSATIONS = Path(__file__).parents[3] / "shared" / "oracle" / "conversations"
_LARGEST = 20_000


def cases() -> tuple[Case, ...]:
    """All of them; none where the recordings are not here."""
    found = []
    for file in sorted(CONVERSATIONS.glob("*.yaml")) if CONVERSATIONS.is_dir() else ():
        for step in yaml.load(file.read_text(), Loader=yaml.CSafeLoader)["steps"]:
            case = _case(step)
            if case is not None:
                found.append(case)
    return tuple(found)


def _case(step: dict[str, Any]) -> Case | None:
    if "path" not in step or "{{" in str(step.get("query", "")) or "auth" in step or "raw_repeat" in step:
        return None
    query = [(str(name), str(value)) for name, value in (step.get("query") or {}).items()]
    if any(name == "watch" for name, _ in query):
        query = [(name, value) for name, value in query if name != "timeoutSeconds"] + [("timeoutSeconds", "1")]
    headers = [("Accept", str(step["accept"]))] if step.get("accept") else []
    raw = str(step["raw"]).encode("utf-8", "replace") if "raw" in step else None
    if raw is not None and len(raw) > _LARGEST:
        return None
    has_body = raw is not None or "body" in step
    kind = str(step.get("content_type") or ("application/json" if has_body else ""))
    path = re.sub(r"/namespaces/[^/]+/", "/namespaces/default/", str(step["path"]))
    return Case(str(step["method"]), path, query, headers, kind, step.get("body"), raw)
