"""--append-hash: a name that changes with the content, as kustomize and kubectl compute it."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from kctl.printers.go_json import escape_html


def hashed_name(obj: dict[str, Any], name: str) -> str:
    """name-<10 letters> from kind, name and data."""
    parts: dict[str, Any] = {"kind": obj["kind"], "name": name, "data": dict(sorted((obj.get("data") or {}).items()))}
    if obj["kind"] == "Secret":
        parts["type"] = obj.get("type", "")
    elif obj.get("binaryData"):
        parts["binaryData"] = obj["binaryData"]
    if obj["kind"] == "ConfigMap":
        parts["data"] = parts["data"] or ""
    if obj.get("immutable"):
        parts["immutable"] = True
    encoded = escape_html(json.dumps(dict(sorted(parts.items())), separators=(",", ":"), ensure_ascii=False))
    digest = hashlib.sha256(encoded.encode()).hexdigest()[:10]
    letters = digest.translate(str.maketrans("013ae", "ghkmt"))
    return f"{name}-{letters}"
