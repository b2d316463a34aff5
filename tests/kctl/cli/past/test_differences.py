"""What changed between two revisions, field by field."""

from __future__ import annotations

from typing import Any

import pytest

from kctl.cli.past.differences import LONGEST, differences, shown

CASES: dict[str, tuple[dict[str, Any], dict[str, Any], list[str]]] = {
    "a number": ({"spec": {"replicas": 1}}, {"spec": {"replicas": 3}}, ["~ spec.replicas: 1 -> 3"]),
    "true is not one": ({"a": 1}, {"a": True}, ["~ a: 1 -> true"]),
    "added and removed": ({"a": 1}, {"b": {"c": 2}}, ["- a: 1", '+ b: {"c":2}']),
    "a key with dots": (
        {"metadata": {"labels": {}}},
        {"metadata": {"labels": {"app.kubernetes.io/name": "x"}}},
        ['+ metadata.labels["app.kubernetes.io/name"]: "x"'],
    ),
    "entries with names": (
        {"containers": [{"name": "a", "image": "a:1"}, {"name": "b"}]},
        {"containers": [{"name": "a", "image": "a:2"}, {"name": "c"}]},
        ['~ containers[name=a].image: "a:1" -> "a:2"', '- containers[name=b]: {"name":"b"}', '+ containers[name=c]: {"name":"c"}'],
    ),
    "conditions": (
        {"conditions": [{"type": "Ready", "status": "False"}]},
        {"conditions": [{"type": "Ready", "status": "True"}]},
        ['~ conditions[type=Ready].status: "False" -> "True"'],
    ),
    "another order": ({"c": [{"name": "a"}, {"name": "b"}]}, {"c": [{"name": "b"}, {"name": "a"}]}, ['~ c: ["a","b"] -> ["b","a"]']),
    "plain lists": ({"args": ["a"]}, {"args": ["a", "b"]}, ['~ args: ["a"] -> ["a","b"]']),
    "lists without names": ({"rules": [{"verbs": ["get"]}]}, {"rules": [{"verbs": ["list"]}]}, ['~ rules[0].verbs: ["get"] -> ["list"]']),
    "what every write changes": (
        {"metadata": {"resourceVersion": "1", "generation": 1, "managedFields": []}},
        {"metadata": {"resourceVersion": "2", "generation": 2, "managedFields": [{}]}},
        [],
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_differences(name: str) -> None:
    old, new, expected = CASES[name]
    assert [str(one) for one in differences(old, new)] == expected


def test_long_values_are_cut() -> None:
    assert len(shown("x" * 1000)) == LONGEST
