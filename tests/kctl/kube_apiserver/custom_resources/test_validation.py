"""Values against schemas, in kube-openapi's words; some of the texts are from recorded answers, the others from its tables of messages."""

from __future__ import annotations

from typing import Any

import pytest

from kctl.kube_apiserver.custom_resources import list_types, validation
from kctl.kube_apiserver.custom_resources.structural import Structural


def problems(schema: dict[str, Any], value: Any, old: Any = validation.NEW) -> list[str]:
    wrapped = {"type": "object", "properties": {"f": schema}}
    was = old if old is validation.NEW else {"f": old}
    return [str(error) for error in validation.validate(wrapped, {"f": value}, old=was)]


@pytest.mark.parametrize(
    ("schema", "value", "expected"),
    [
        ({"type": "integer"}, "x", ['f: Invalid value: "string": f in body must be of type integer: "string"']),
        ({"type": "string"}, 1, ['f: Invalid value: "integer": f in body must be of type string: "integer"']),
        ({"type": "string"}, True, ['f: Invalid value: "boolean": f in body must be of type string: "boolean"']),
        ({"type": "array", "items": {}}, {}, ['f: Invalid value: "object": f in body must be of type array: "object"']),
        ({"type": "object"}, [], ['f: Invalid value: "array": f in body must be of type object: "array"']),
        ({"type": "string"}, None, ['f: Invalid value: "null": f in body must be of type string: "null"']),
        ({"type": "string", "nullable": True}, None, []),
        ({"type": "number"}, 1, []),
        ({"x-kubernetes-int-or-string": True}, "a", []),
        ({"x-kubernetes-int-or-string": True}, 1.5, ['f: Invalid value: "number": f in body must be of type integer,string: "number"']),
        (
            {"type": "integer", "format": "int32"},
            2**31,
            ['<nil>: Invalid value: "": Checked value must be of type integer with format int32 in f'],
        ),
        ({"type": "integer", "minimum": 1}, 0, ["f: Invalid value: 0: f in body should be greater than or equal to 1"]),
        ({"type": "number", "minimum": 0.5}, 0.25, ["f: Invalid value: 0.25: f in body should be greater than or equal to 0.5"]),
        ({"type": "number", "maximum": 1e21}, 1e22, ["f: Invalid value: 1e+22: f in body should be less than or equal to 1e+21"]),
        ({"type": "integer", "maximum": 3, "exclusiveMaximum": True}, 3, ["f: Invalid value: 3: f in body should be less than 3"]),
        ({"type": "integer", "multipleOf": 3}, 7, ["f: Invalid value: 7: f in body should be a multiple of 3"]),
        ({"type": "number", "multipleOf": 0.1}, 0.3, []),
        ({"type": "string", "maxLength": 2}, "äöü", ["f: Too long: may not be more than 2 bytes"]),
        ({"type": "string", "minLength": 2}, "a", ['f: Invalid value: "a": f in body should be at least 2 chars long']),
        ({"type": "string", "pattern": "^a+$"}, "b", ["f: Invalid value: \"b\": f in body should match '^a+$'"]),
        ({"type": "string", "pattern": "a$"}, "a\n", ["f: Invalid value: \"a\\n\": f in body should match 'a$'"]),
        ({"type": "string", "enum": ["a", "b"]}, "c", ['f: Unsupported value: "c": supported values: "a", "b"']),
        ({"type": "integer", "enum": [1, 2]}, 3, ['f: Unsupported value: 3: supported values: "1", "2"']),
        ({"enum": [True], "type": "boolean"}, True, []),
        (
            {"type": "array", "items": {"type": "string"}, "minItems": 2},
            ["a"],
            ["f: Invalid value: 1: f in body should have at least 2 items"],
        ),
        ({"type": "array", "items": {"type": "string"}, "maxItems": 1}, ["a", "b"], ["f: Too many: 2: must have at most 1 items"]),
        ({"type": "object", "minProperties": 1}, {}, ["f: Invalid value: 0: f in body should have at least 1 properties"]),
        ({"type": "object", "required": ["a", "b"]}, {"b": 1}, ["f.a: Required value"]),
        (
            {"type": "array", "items": {"type": "object", "required": ["k"]}},
            [{"k": 1}, {}],
            ["f[1].k: Required value"],
        ),
        ({"type": "string", "format": "ipv4"}, "x", ['f: Invalid value: "x": f in body must be of type ipv4: "x"']),
        ({"type": "string", "format": "made-up"}, "x", []),
        ({"type": "string", "format": "int32"}, "x", []),
        ({"not": {"type": "string"}}, "x", ['<nil>: Invalid value: "": "f" must not validate the schema (not)']),
        (
            {"type": "string", "anyOf": [{"pattern": "^a"}, {"pattern": "^b"}]},
            "c",
            [
                '<nil>: Invalid value: "": "f" must validate at least one schema (anyOf)',
                "f: Invalid value: \"c\": f in body should match '^a'",
            ],
        ),
        (
            {"type": "string", "allOf": [{"maxLength": 1}, {"pattern": "^b"}]},
            "aa",
            [
                "f: Too long: may not be more than 1 bytes",
                "f: Invalid value: \"aa\": f in body should match '^b'",
                '<nil>: Invalid value: "": "f" must validate all the schemas (allOf). None validated',
            ],
        ),
        (
            {"type": "string", "oneOf": [{"maxLength": 3}, {"pattern": "^a"}]},
            "aa",
            ['<nil>: Invalid value: "": "f" must validate one and only one schema (oneOf). Found 2 valid alternatives'],
        ),
    ],
)
def test_problems_are_told_in_upstreams_words(schema: dict[str, Any], value: Any, expected: list[str]) -> None:
    assert problems(schema, value) == expected


def test_what_an_update_leaves_as_it_was_is_no_problem() -> None:
    schema = {"type": "object", "properties": {"a": {"type": "integer", "maximum": 3}, "b": {"type": "string", "maxLength": 1}}}
    assert problems(schema, {"a": 5, "b": "x"}, {"a": 5, "b": "y"}) == []
    assert problems(schema, {"a": 6, "b": "x"}, {"a": 5, "b": "x"}) == [
        "f.a: Invalid value: 6: f.a in body should be less than or equal to 3"
    ]
    assert problems(schema, {"a": 5}, validation.NEW) == ["f.a: Invalid value: 5: f.a in body should be less than or equal to 3"]


def test_items_are_the_same_by_their_keys_and_those_of_other_lists_by_nothing() -> None:
    item = {"type": "object", "properties": {"k": {"type": "string"}, "v": {"type": "integer", "maximum": 3}}}
    by_key = {"type": "array", "items": item, "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["k"]}
    old, new = [{"k": "a", "v": 9}], [{"k": "b", "v": 1}, {"k": "a", "v": 9}]
    assert problems(by_key, new, old) == []
    assert problems({"type": "array", "items": item}, new, old) != []


def test_repeated_items() -> None:
    schema = Structural(
        {
            "type": "object",
            "properties": {
                "s": {"type": "array", "items": {"type": "string"}, "x-kubernetes-list-type": "set"},
                "m": {
                    "type": "array",
                    "items": {"type": "object", "properties": {"a": {"type": "string"}, "b": {"type": "integer"}}},
                    "x-kubernetes-list-type": "map",
                    "x-kubernetes-list-map-keys": ["a", "b"],
                },
            },
        }
    )
    value = {"s": ["x", "y", "x", "x"], "m": [{"a": "1", "b": 1}, {"a": "1", "b": 2}, {"a": "1", "b": 1, "c": 3}]}
    assert [str(error) for error in list_types.errors(value, schema)] == [
        's[2]: Duplicate value: "x"',
        'm[2]: Duplicate value: {"a":"1","b":1}',
    ]


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("date-time", "2020-01-01T00:00:00Z", "yesterday"),
        ("date", "2020-02-29", "2021-02-29"),
        ("duration", "1h30m", "soon"),
        ("email", "a@b.example", "a.example"),
        ("hostname", "a-b.example", "a..b"),
        ("ipv4", "10.0.0.1", "10.0.0.256"),
        ("ipv6", "::1", "10.0.0.1"),
        ("cidr", "10.0.0.0/8", "10.0.0.0"),
        ("mac", "00:00:5e:00:53:01", "00:00"),
        ("uri", "https://a.example/x", "nope"),
        ("uuid", "123e4567-e89b-12d3-a456-426614174000", "123"),
        ("uuid4", "123e4567-e89b-42d3-a456-426614174000", "123e4567-e89b-12d3-a456-426614174000"),
        ("byte", "aGk=", "!"),
        ("quantity", "10Gi", "ten"),
        ("k8s-short-name", "a-b", "A"),
        ("hexcolor", "#fff", "#ff"),
        ("rgbcolor", "rgb(1,2,3)", "rgb(1,2)"),
        ("isbn10", "0321751043", "0321751044"),
        ("isbn13", "978-0321751041", "978-0321751042"),
        ("creditcard", "4111 1111 1111 1111", "4111 1111 1111 1112"),
        ("ssn", "111-11-1111", "1111"),
        ("bsonobjectid", "507f1f77bcf86cd799439011", "xyz"),
    ],
)
def test_formats(name: str, good: str, bad: str) -> None:
    schema = {"type": "string", "format": name}
    assert problems(schema, good) == []
    assert problems(schema, bad) == [f'f: Invalid value: "{bad}": f in body must be of type {name}: "{bad}"']
