"""CEL expressions: what compiles, and cel-go's words for what does not."""

from __future__ import annotations

import pytest

from kctl.kube_apiserver.admission.cel_environment import OBJECT, Environment


def problem(expression: str, *wanted: object, patches: bool = False) -> str:
    program = Environment().compile(expression, *wanted, patches=patches)
    return program if isinstance(program, str) else ""


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
    assert problem(expression, "bool") == ""


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
        ("1", "must evaluate to bool but got int"),
        ("'a' + 'b'", "must evaluate to bool but got string"),
        ("[1]", "must evaluate to bool but got list(int)"),
        ("b'x'", "must evaluate to bool but got bytes"),
    ],
)
def test_refused(expression: str, why: str) -> None:
    assert problem(expression, "bool") == why


def test_a_macros_variable_is_not_known_outside_of_it() -> None:
    assert "undeclared reference to 'c'" in problem("object.l.all(c, c > 1) && c", "bool")


def test_objects_have_named_fields() -> None:
    assert problem("Object{spec: Object.spec{replicas: object.spec.replicas}}", OBJECT, patches=True) == ""
