"""CEL expressions: what compiles, and cel-go's words for what does not."""

from __future__ import annotations

import pytest

from kctl.kube_apiserver.registry.admissionregistration.expressions import problem

DECLARED = ("object", "oldObject", "request", "variables")


@pytest.mark.parametrize(
    "expression",
    [
        "true",
        "object.spec.replicas <= 5 && oldObject == null",
        "has(object.spec.x) ? object.spec.x in ['a', \"b\"] : !(1 > 2)",
        "object.spec.containers.all(c, c.image.startsWith('a') || c.name == r'\\d')",
        "object.spec.m.exists(k, v, k == v)",
        "object.metadata.?labels['x'].orValue('') == 'y'",
        "{'a': 1, 'b': [2, 3]}['a'] == -1.5e3",
        "size(object.a) > 1u // how many",
        "cel.bind(x, object.y, x > 1)",
    ],
)
def test_compiles_to_bool(expression: str) -> None:
    assert problem(expression, DECLARED, "bool") == ""


@pytest.mark.parametrize(
    ("expression", "why"),
    [
        ("object.", "compilation failed: ERROR: <input>:1:8: Syntax error: no viable alternative at input '.'\n | object.\n | .......^"),
        (
            "a ||\n b",
            "compilation failed: ERROR: <input>:1:1: undeclared reference to 'a' (in container '')\n | a ||\n | ^\n"
            "ERROR: <input>:2:2: undeclared reference to 'b' (in container '')\n |  b\n | .^",
        ),
        ("(true", "compilation failed: ERROR: <input>:1:6: Syntax error: mismatched input '<EOF>' expecting ')'\n | (true\n | .....^"),
        ("true)", "compilation failed: ERROR: <input>:1:5: Syntax error: extraneous input ')' expecting <EOF>\n | true)\n | ....^"),
        (
            "true ||\n\t'é' == x && 1",
            "compilation failed: ERROR: <input>:2:9: undeclared reference to 'x' (in container '')\n |  'é' == x && 1\n | ..\uff0e.....^",
        ),
        ("é", "compilation failed: ERROR: <input>:1:1: Syntax error: token recognition error at: 'é'\n | é\n | \uff3e"),
        ("a\u2028", "compilation failed: ERROR: <input>:1:2: Syntax error: token recognition error at: '\u2028'\n | a\u2028\n | .\uff3e"),
        ("(true\n", "compilation failed: ERROR: <input>:2:1: Syntax error: mismatched input '<EOF>' expecting ')'\n | \n | ^"),
        ("true\n)\n", "compilation failed: ERROR: <input>:2:1: Syntax error: extraneous input ')' expecting <EOF>\n | )\n | ^"),
        ("1", "must evaluate to bool but got int"),
        ("'a' + 'b'", "must evaluate to bool but got string"),
        ("[1]", "must evaluate to bool but got list"),
        ("b'x'", "must evaluate to bool but got bytes"),
    ],
)
def test_refused(expression: str, why: str) -> None:
    assert problem(expression, DECLARED, "bool") == why


def test_a_macros_variable_is_not_known_outside_of_it() -> None:
    assert "undeclared reference to 'c'" in problem("object.l.all(c, c > 1) && c", DECLARED, "bool")


def test_objects_have_named_fields() -> None:
    assert problem("Object{spec: Object.spec{replicas: object.spec.replicas}}", DECLARED) == ""


def test_a_line_that_is_too_long_is_not_shown() -> None:
    assert problem("b" + " " * 16_384, DECLARED) == "compilation failed: ERROR: <input>:1:1: undeclared reference to 'b' (in container '')"
    assert problem("b" + " " * 16_383, DECLARED).endswith("\n | ^")


def test_errors_repeat_long_lines_a_few_times_only() -> None:
    short, long = (problem(" + ".join([name] * 150), DECLARED) for name in ("b", "b" * 80))
    assert short.count("ERROR") == 100 and short.endswith("\n50 more errors were truncated")
    assert long.count("ERROR") < 30 and long.endswith(" more errors were truncated") and len(long) < 300_000
