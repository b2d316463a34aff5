"""Decoding against the recorded answers of a real API server: errors word for word, and no field too many or too few."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from kctl.apimachinery.schema import schemas

CONVERSATIONS = Path(__file__).parents[5] / "shared" / "oracle" / "conversations"
pytestmark = [
    pytest.mark.oracle,
    pytest.mark.skipif(not CONVERSATIONS.exists(), reason="no recorded answers at ../shared/oracle"),
]


def steps(pattern: str) -> list[dict[str, Any]]:
    found = []
    for path in sorted(CONVERSATIONS.glob(pattern)):
        found += yaml.load(path.read_bytes(), yaml.CSafeLoader)["steps"]
    return found


def body_of(step: dict[str, Any]) -> Any:
    if isinstance(step.get("body"), dict):
        return step["body"]
    raw = step.get("raw") or (step.get("body") if isinstance(step.get("body"), str) else None)
    return json.loads(raw) if isinstance(raw, str) and raw.startswith("{") else None


def test_refused_bodies_are_refused_in_the_same_words() -> None:
    known = schemas.load()
    checked = 0
    wrong = []
    for step in steps("invalid-*.yaml"):
        answer = step["response"].get("body")
        message = answer.get("message", "") if isinstance(answer, dict) else ""
        if step["method"] != "POST" or "cannot be handled as" not in message or "no kind " in message:
            continue
        body = body_of(step)
        if body is None or "duplicate field" in message:
            continue
        schema = known.for_kind(body["apiVersion"], body["kind"])
        assert schema is not None
        try:
            problems = [schemas.unknown_field(path) for path in schema.decode(body).unknown_fields]
            why = "strict decoding error: " + ", ".join(problems)
        except schemas.DecodeError as error:
            why = error.message
        ours = schemas.cannot_be_handled(body["kind"], body["apiVersion"], why)
        checked += 1
        if ours != message:
            wrong.append((step["name"], ours, message))
    assert wrong == []
    assert checked > 50


def without_marks(value: Any) -> Any:
    """Placeholders like <time> as values their types accept."""
    if isinstance(value, dict):
        return {key: without_marks(item) for key, item in value.items()}
    if isinstance(value, list):
        return [without_marks(item) for item in value]
    if isinstance(value, str) and value.startswith("<time"):
        return "2026-01-01T00:00:00Z"
    return 30000 if isinstance(value, str) and value.startswith("<nodeport") else value


def ordered(value: Any) -> Any:
    """Key order made visible to ==."""
    if isinstance(value, dict):
        return [(key, ordered(item)) for key, item in value.items()]
    return [ordered(item) for item in value] if isinstance(value, list) else value


@pytest.mark.parametrize("check_order", [False, True], ids=["content", "order"])
def test_answers_decode_to_themselves(check_order: bool) -> None:
    known = schemas.load()
    checked, wrong = 0, []
    for step in steps("kind-*.yaml"):
        answer = step["response"].get("body")
        if not isinstance(answer, dict) or not isinstance(answer.get("metadata"), dict) or "items" in answer:
            continue
        if step.get("accept") == "application/yaml" or answer["kind"] == "Status":
            continue
        schema = known.for_kind(answer["apiVersion"], answer["kind"])
        if schema is None:
            continue
        expected = without_marks(answer)
        decoded = schema.decode(expected)
        checked += 1
        same = ordered(decoded.object) == ordered(expected) if check_order else decoded.object == expected
        if not same or decoded.unknown_fields:
            wrong.append((answer["kind"], step["name"], decoded.unknown_fields))
    assert wrong == []
    assert checked > 400


def test_unknown_fields_are_the_warnings_sent() -> None:
    known = schemas.load()
    checked = 0
    for step in steps("invalid-*.yaml"):
        warnings = step["response"].get("headers", {}).get("Warning") or []
        expected = [found.group(1) for text in warnings if (found := re.search(r'unknown field \\"(.*)\\"', text))]
        if step["method"] != "POST" or not expected:
            continue
        body = body_of(step)
        schema = known.for_kind(body["apiVersion"], body["kind"])
        assert schema is not None
        assert schema.decode(body).unknown_fields == expected
        checked += 1
    assert checked > 20
