"""What is told of very many findings, or of very long values, has a bound; all else is told whole, as upstream words it."""

from __future__ import annotations

import json
from unittest import mock

from kctl.apimachinery import field_errors, status
from kctl.apimachinery.field_errors import MOST_TEXT, aggregate, duplicate, forbidden, invalid, not_found, required, unsupported


def test_the_words() -> None:
    assert str(invalid("spec.a", -1, "must be more")) == "spec.a: Invalid value: -1: must be more"
    assert str(required("spec.a")) == "spec.a: Required value" and str(required("a", "why")) == "a: Required value: why"
    assert str(unsupported("a", "x", ("y", "z"))) == 'a: Unsupported value: "x": supported values: "y", "z"'
    assert str(duplicate("", {"b": None})) == 'Duplicate value: {"b":null}'
    assert str(not_found("a", None, lambda: "why")) == "a: Not found: null: why" and str(forbidden("a", "why")) == "a: Forbidden: why"
    assert aggregate([required("a"), required("a"), required("b")]) == "[a: Required value, b: Required value]"
    assert required("a") == required("a") and len({required("a"), required("a"), required("b")}) == 2


def test_many_findings_are_told_as_far_as_they_are_not_too_long() -> None:
    errors = [required(f"spec.items[{number}]") for number in range(100_000)]
    refused = status.invalid("", "Thing", "x", errors).status
    causes = refused["details"]["causes"]
    assert len(refused["message"]) < 2 * MOST_TEXT
    assert refused["message"].endswith(
        f"spec.items[{len(causes) - 1}]: Required value, {100_000 - len(causes)} more errors were truncated]"
    )
    fewer = status.invalid("", "Thing", "x", errors[:1000]).status
    assert len(fewer["details"]["causes"]) == 1000 and fewer["message"].endswith("spec.items[999]: Required value]")


def test_a_list_that_is_the_value_of_each_finding_is_written_a_few_times_only() -> None:
    items = [{"name": f"item-{number}"} for number in range(20_000)]
    with mock.patch.object(json, "dumps", side_effect=json.dumps) as dumped:
        told = status.invalid("", "Thing", "x", [invalid("items", items, "why") for _ in items]).status
    assert dumped.call_count < 10 and len(told["message"]) < 2 * MOST_TEXT


def test_a_long_value_is_cut() -> None:
    text = field_errors.go_value("é" * 3_000_000)
    assert text.startswith('"ééé') and text.endswith("é...") and len(text) < MOST_TEXT
    assert field_errors.go_value("é" * 50_000) == '"' + "é" * 50_000 + '"'
