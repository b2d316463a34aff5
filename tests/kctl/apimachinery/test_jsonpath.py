"""kubectl's JSONPath: what an expression finds and how it is printed."""

from __future__ import annotations

import pytest

from kctl.apimachinery import jsonpath

DATA = {
    "kind": "List",
    "items": [
        {"metadata": {"name": "a", "labels": {"x.y/z": "1"}}, "n": 3, "c": [{"t": "R", "s": "True"}]},
        {"metadata": {"name": "b"}, "n": 5, "c": [{"t": "R", "s": "False"}, {"t": "Q", "s": "True"}]},
    ],
    "html": "<&>",
    "no": None,
}


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("plain", "plain"),
        ("{.kind}", "List"),
        ("{$.kind}", "List"),
        ("{@.kind}", "List"),
        ("{['kind']}", "List"),
        ("{.nope}", ""),
        ("{.items[*].metadata.name}", "a b"),
        ("{.items[0].n}", "3"),
        ("{.items[-1].n}", "5"),
        ("{.items[0:2].n}", "3 5"),
        ("{.items[:1].n}", "3"),
        ("{.items[::2].n}", "3"),
        ("{.items[0,1].n}", "3 5"),
        ("{..name}", "a b"),
        ("{.items[*]['metadata.name','n']}", "a b 3 5"),
        (r"{.items[0].metadata.labels.x\.y/z}", "1"),
        (r"{.items[0].metadata.labels['x\.y/z']}", "1"),
        ("{.items[?(@.n>3)].metadata.name}", "b"),
        ("{.items[?(@.n<=3)].metadata.name}", "a"),
        ('{.items[?(@.metadata.name=="b")].n}', "5"),
        ('{.items[?(@.metadata.name!="b")].n}', "3"),
        ("{.items[?(@.metadata.labels)].metadata.name}", "a"),
        ('{.items[*].c[?(@.t=="R")].s}', "True False"),
        ('{range .items[*]}{.metadata.name}{"\\t"}{.n}{"\\n"}{end}', "a\t3\nb\t5\n"),
        ("{range .items[*]}{range .c[*]}{.t}{end};{end}", "R;RQ;"),
        ("{.items[0].c}", '[{"s":"True","t":"R"}]'),
        ("{.html}", "<&>"),
        ("{.items[0].metadata.*}", '{"x.y/z":"1"} a'),
        ("a{.kind}b{.kind}c", "aListbListc"),
    ],
)
def test_render(template: str, text: str) -> None:
    assert jsonpath.parse(template).render(DATA) == text


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("{.a", "unclosed action"),
        ('{"a}', "unterminated quoted string"),
        ("{.items[0}", "unterminated array"),
        ("{.items[x]}", "invalid array index x"),
        ("{foo}", "unrecognized identifier foo"),
        ("{range .items[*]}{.n}", "unmatched range, missing end"),
        ("{.items[5]}", "array index out of bounds: index 5, length 2"),
        ("{.items[1:0]}", "starting index 1 is greater than ending index 0"),
        ("{.kind[0]}", "string is not array or slice"),
        ("{.items[?(@.n==)]}", None),
    ],
)
def test_errors(template: str, message: str | None) -> None:
    if message is None:
        assert jsonpath.parse(template).render(DATA) == ""
        return
    with pytest.raises(jsonpath.JSONPathError) as caught:
        jsonpath.parse(template).render(DATA)
    assert str(caught.value) == message


def test_missing_keys_can_be_errors() -> None:
    with pytest.raises(jsonpath.JSONPathError, match="nope is not found"):
        jsonpath.parse("{.nope}", allow_missing_keys=False).render(DATA)


@pytest.mark.parametrize("text", ["metadata.name", ".metadata.name", "{metadata.name}", "{.metadata.name}"])
def test_relaxed_paths(text: str) -> None:
    assert jsonpath.relaxed(text) == "{.metadata.name}"
