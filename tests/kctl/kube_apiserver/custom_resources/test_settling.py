"""Pruning, nulls, defaults: what of an object is stored."""

from __future__ import annotations

from typing import Any

import pytest

from kctl.apimachinery.schema.diagnose import DecodeError
from kctl.kube_apiserver.custom_resources.schema import CustomSchema

HEAD = {"apiVersion": "example.com/v1", "kind": "Widget", "metadata": {"name": "w"}}
PRESERVE = {"x-kubernetes-preserve-unknown-fields": True}


def decoded(properties: dict[str, Any], spec: Any) -> tuple[Any, list[str]]:
    """What becomes of a spec, and which of its fields were unknown."""
    schema = CustomSchema("Widget", {"type": "object", "properties": {"spec": {"type": "object", "properties": properties}}})
    found = schema.decode({**HEAD, "spec": spec})
    return found.object["spec"], found.unknown_fields


@pytest.mark.parametrize(
    ("properties", "spec", "stored", "unknown"),
    [
        ({"a": {"type": "string"}}, {"a": "1", "b": 2}, {"a": "1"}, ["spec.b"]),
        ({"a": {"type": "object"}}, {"a": {"x": {"y": 1}}}, {"a": {}}, ["spec.a.x"]),
        ({"a": {"type": "object", **PRESERVE}}, {"a": {"x": {"y": 1}}}, {"a": {"x": {"y": 1}}}, []),
        (
            {"a": {"type": "object", **PRESERVE, "properties": {"x": {"type": "object", "properties": {"k": {"type": "string"}}}}}},
            {"a": {"x": {"k": "1", "q": 1}, "other": {"q": 1}}},
            {"a": {"x": {"k": "1"}, "other": {"q": 1}}},
            ["spec.a.x.q"],
        ),
        (
            {"a": {"type": "array", "items": {"type": "object", "properties": {"k": {"type": "string"}}}}},
            {"a": [{"k": "1", "q": 1}, {"z": 1}]},
            {"a": [{"k": "1"}, {}]},
            ["spec.a[0].q", "spec.a[1].z"],
        ),
        (
            {"m": {"type": "object", "additionalProperties": {"type": "object", "properties": {"k": {"type": "string"}}}}},
            {"m": {"any": {"k": "1", "q": 1}}},
            {"m": {"any": {"k": "1"}}},
            ["spec.m.any.q"],
        ),
        ({"a": {"type": "integer", "default": 3}}, {}, {"a": 3}, []),
        ({"a": {"type": "integer", "default": 3}}, {"a": None}, {"a": 3}, []),
        ({"a": {"type": "integer", "default": 3, "nullable": True}}, {"a": None}, {"a": None}, []),
        ({"a": {"type": "integer"}}, {"a": None}, {}, []),
        ({"a": {"type": "integer", "nullable": True}}, {"a": None}, {"a": None}, []),
        (
            {"a": {"type": "object", "default": {}, "properties": {"b": {"type": "object", "default": {"c": 1}, **PRESERVE}}}},
            {},
            {"a": {"b": {"c": 1}}},
            [],
        ),
        ({"a": {"type": "object", "properties": {"b": {"type": "integer", "default": 1}}}}, {}, {}, []),
        ({"a": {"type": "array", "items": {"type": "integer", "default": 7}}}, {"a": [1, None]}, {"a": [1, 7]}, []),
        ({"m": {"type": "object", "additionalProperties": {"type": "integer"}}}, {"m": {"a": None, "b": 1}}, {"m": {"b": 1}}, []),
        ({"n": {"type": "number"}}, {"n": 2.0}, {"n": 2}, []),
        ({"n": {"type": "number"}}, {"n": 2.5}, {"n": 2.5}, []),
        ({"s": {"type": "string"}}, {"s": {"not": "a string"}}, {"s": {}}, ["spec.s.not"]),
    ],
)
def test_a_spec_is_pruned_and_completed(properties: dict[str, Any], spec: Any, stored: Any, unknown: list[str]) -> None:
    assert decoded(properties, spec) == (stored, unknown)


def test_keys_come_out_in_order_as_go_writes_maps() -> None:
    spec, _ = decoded(
        {"b": {"type": "object", **PRESERVE}, "a": {"type": "string", "default": "x"}}, {"b": {"z": 1, "y": {"q": 1, "p": 2}}}
    )
    assert list(spec) == ["a", "b"]
    assert list(spec["b"]) == ["y", "z"] and list(spec["b"]["y"]) == ["p", "q"]


def test_defaults_are_not_shared_between_objects() -> None:
    properties = {"a": {"type": "object", "default": {"l": []}, **PRESERVE}}
    schema = CustomSchema("Widget", {"type": "object", "properties": {"spec": {"type": "object", "properties": properties}}})
    first, second = (schema.decode({**HEAD, "spec": {}}).object["spec"]["a"] for _ in range(2))
    assert first == second and first is not second and first["l"] is not second["l"]


def test_metadata_of_an_embedded_resource_is_that_of_any_object() -> None:
    embedded = {"type": "object", "x-kubernetes-embedded-resource": True, **PRESERVE}
    given = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x", "bogus": 1, "labels": {}}, "spec": {"a": 1}}
    stored, unknown = decoded({"e": embedded}, {"e": given})
    assert stored["e"] == {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x"}, "spec": {"a": 1}}
    assert unknown == ["spec.e.metadata.bogus"]
    with pytest.raises(DecodeError, match=r"spec\.e\.metadata: Invalid value"):
        decoded({"e": embedded}, {"e": {"apiVersion": "v1", "kind": "Pod", "metadata": {"labels": {"a": 1}}}})


def test_unknown_metadata_comes_before_unknown_fields() -> None:
    found = CustomSchema("Widget", {"type": "object"}).decode({**HEAD, "metadata": {"name": "w", "zap": 1}, "foo": 1})
    assert found.unknown_fields == ["metadata.zap", "foo"]
