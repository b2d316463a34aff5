"""Expressions that nobody would write: what is said of them stays short, what they make stays small, and they end."""

from __future__ import annotations

import random
from typing import Any

import pytest

from kctl.kube_apiserver.cel import library
from kctl.kube_apiserver.cel.program import CompileError, Program
from kctl.kube_apiserver.cel.types import DYN
from kctl.kube_apiserver.cel.values import CelError, CostExceeded, wrap


def problem(text: str) -> str:
    with pytest.raises(CompileError) as error:
        Program(text, {"self": "dyn"})
    return str(error.value).removeprefix("compilation failed: ")


def failure(text: str) -> str:
    with pytest.raises(CelError) as error:
        Program(text, {"self": "dyn"}).run({"self": None})
    return str(error.value)


def nested(times: int, start: str, step: str, whole: str) -> str:
    """Variables, each made of the one before: P in `step` and `whole`."""
    text, last = "", start
    for number in range(times):
        text += f"cel.bind(v{number}, {step.replace('P', last)}, "
        last = f"v{number}"
    return text + whole.replace("P", last) + ")" * times


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("(true", "ERROR: <input>:1:6: Syntax error: mismatched input '<EOF>' expecting ')'\n | (true\n | .....^"),
        ("(true\n", "ERROR: <input>:2:1: Syntax error: mismatched input '<EOF>' expecting ')'\n | \n | ^"),
        ("true\n)\n", "ERROR: <input>:2:1: Syntax error: extraneous input ')' expecting <EOF>\n | )\n | ^"),
        ("true ||\n\t'é' == x", "ERROR: <input>:2:9: undeclared reference to 'x' (in container '')\n |  'é' == x\n | ..\uff0e.....^"),
        ("é", "ERROR: <input>:1:1: Syntax error: token recognition error at: 'é'\n | é\n | \uff3e"),
        ("a\u2028", "ERROR: <input>:1:2: Syntax error: token recognition error at: '\u2028'\n | a\u2028\n | .\uff3e"),
        ("a\u00a0", "ERROR: <input>:1:2: Syntax error: token recognition error at: '\u00a0'\n | a\u00a0\n | .\uff3e"),
        ("\u0661", "ERROR: <input>:1:1: Syntax error: token recognition error at: '\u0661'\n | \u0661\n | \uff3e"),
        ("1e999", "ERROR: <input>:1:1: invalid double literal\n | 1e999\n | ^"),
        ("18446744073709551616u", "ERROR: <input>:1:1: invalid uint literal\n | 18446744073709551616u\n | ^"),
    ],
)
def test_a_mark_below_the_place(text: str, said: str) -> None:
    assert problem(text) == said


def test_a_number_of_thousands_of_digits() -> None:
    assert problem("9" * 5000).startswith("ERROR: <input>:1:1: invalid int literal\n")
    assert problem("0x" + "f" * 5000).startswith("ERROR: <input>:1:1: invalid int literal\n")


def test_a_line_that_is_too_long_is_not_shown() -> None:
    assert problem("b" + " " * 16_384) == "ERROR: <input>:1:1: undeclared reference to 'b' (in container '')"
    assert problem("b" + " " * 16_383).endswith("\n | ^")
    assert "|" in problem("b" + " " * 16_379 + "'é'") and "|" not in problem("b" + " " * 16_380 + "'é'")


def test_at_most_a_hundred_errors_and_fewer_where_they_are_long() -> None:
    short, long = (problem(" || ".join([name] * 150)) for name in ("b", "b" * 80))
    assert short.count("ERROR") == 100 and short.endswith("\n50 more errors were truncated")
    assert long.count("ERROR") < 25 and long.endswith(f"\n{150 - long.count('ERROR')} more errors were truncated") and len(long) < 300_000


def test_types_that_multiply_are_refused_before_they_are_large() -> None:
    said = problem(nested(30, "1", "[P].map(x, {P: P})", "P + 1"))
    assert "type has more than 250 parts" in said and len(said) < 20_000
    wide = problem(f"size({', '.join(['[[[[[[self]]]]]]'] * 4000)})")
    assert "found no matching overload for 'size'" in wide and len(wide) < 100_000


@pytest.mark.parametrize(
    "text",
    [
        nested(22, "[1, 1]", "[P, P]", "P == P"),
        nested(22, "[1, 1]", "[P, P]", "P in [[P], P]"),
        nested(22, "[1, 1]", "[P, P]", "sets.contains([P], [P])"),
        nested(20, "[1, 1]", "[P, P]", "'%s'.format([P]) == ''"),
        nested(20, "[1, 1]", "[P, P]", "P.flatten(40) == []"),
        nested(20, "{'a': 1}", "{'a': P, 'b': P}", "P != P"),
        nested(6, "'xxxxxxxxxx'", "P.replace('x', P)", "P == ''"),
        nested(6, "'xxxxxxxxxx'", "P.split('').join(P)", "P == ''"),
        nested(30, "[1, 1]", "P + P", "P == []"),
        nested(40, "'aa'", "P + P", "P == ''"),
        "lists.range(100000).map(x, 'a'.replace('a', '" + "b" * 1000 + "')) == []",
        "lists.range(1000).all(x, lists.range(1000).all(y, x * y >= 0))",
    ],
    ids=lambda text: text[-40:],
)
def test_what_multiplies_ends(text: str) -> None:
    with pytest.raises(CostExceeded):
        Program(text, {}).run({})


def test_ordinary_work_is_within_the_effort() -> None:
    wide = {"self": "dyn"}
    assert Program("lists.range(20000).map(x, [x]) == lists.range(20000).map(x, [x])", wide).run({})[0] is True
    assert Program("lists.range(2000).map(x, 'item-' + string(x)).join(',').size() > 0", wide).run({})[0] is True


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("uint('²')", 'strconv.ParseUint: parsing "²": invalid syntax'),
        ("int('٣')", 'strconv.ParseInt: parsing "٣": invalid syntax'),
        ("int('9223372036854775808')", 'strconv.ParseInt: parsing "9223372036854775808": value out of range'),
        (f"uint('{'9' * 5000}')", f'strconv.ParseUint: parsing "{"9" * 5000}": value out of range'),
        (f"int('-{'9' * 5000}')", f'strconv.ParseInt: parsing "-{"9" * 5000}": value out of range'),
        ("double('1_0')", 'strconv.ParseFloat: parsing "1_0": invalid syntax'),
        ("timestamp('0001-01-01T00:00:00Z').getHours('-10:00')", "timestamp overflow"),
        ("timestamp('2020-01-01T00:00:00Z').getHours('99:99')", "unknown time zone 99:99"),
        (f"timestamp('2020-01-01T00:00:00Z').getHours('{'a' * 5000}')", f"unknown time zone {'a' * 5000}"),
        ("'%.1001f'.format([1.0])", "could not parse formatting clause: precision exceeds 1000"),
        (f"'%.{'9' * 5000}f'.format([1.0])", "could not parse formatting clause: precision exceeds 1000"),
        ("math.abs('a')", "no such overload"),
        ("dyn([1])[0.0 / 0.0]", "unsupported index type 'double' in list"),
        ("dyn([1])[1.0 / 0.0]", "unsupported index type 'double' in list"),
        ("{null: 1}", "unsupported key type: null_type"),
        ("[[1], [2]].sum()", "no such overload"),
    ],
    ids=lambda text: text[:40],
)
def test_odd_arguments(text: str, said: str) -> None:
    assert failure(text) == said


WORDS = r"""0 1 -1 9223372036854775807 -9223372036854775808 1u 18446744073709551615u 0.5 -1.5 1e308 (0.0/0.0)
'' 'a' '²' '%s%d%.3f%x' '1h' '10.0.0.1' '10.0.0.0/8' 'https://a.b/c?d=e' '2020-01-01T00:00:00Z' '1.2.3' '(a+)+$' '-23:59'
b'\xff' true null [] {} int self self.m self.l self.t optional.none() optional.of(1) [1,'a',[2u],{'k':null}] {'a':[1.0],'b':{}}
timestamp('9999-12-31T23:59:59Z') timestamp('0001-01-01T00:00:00Z') duration('2562047h') quantity('1e9') url('http://a')
ip('::1') cidr('::/0') semver('1.0.0') format.uri()
"""


class Writer:
    """Expressions of every function and macro, with arguments of any type."""

    LEAVES = tuple(WORDS.split())
    OPERATORS = ("+", "-", "*", "/", "%", "==", "!=", "<", "<=", ">", ">=", "&&", "||", "in")
    MACROS = ("all", "exists", "exists_one", "filter", "map", "transformList", "transformMap", "optMap", "optFlatMap")

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._methods = sorted(library.METHODS)
        self._plain = sorted(name for name in {**library.GLOBAL, **library.QUALIFIED} if name[:1].isalpha())

    def write(self, depth: int) -> str:
        if depth == 0:
            return f"dyn({self._random.choice(self.LEAVES)})"
        match self._random.randrange(9):
            case 0 | 1 | 2:
                args = [self.write(depth - 1) for _ in range(self._random.choice((0, 0, 1, 1, 2)))]
                return f"{self.write(depth - 1)}.{self._random.choice(self._methods)}({', '.join(args)})"
            case 3 | 4:
                args = [self.write(depth - 1) for _ in range(self._random.choice((0, 1, 1, 2, 3)))]
                return f"{self._random.choice(self._plain)}({', '.join(args)})"
            case 5:
                return f"({self.write(depth - 1)} {self._random.choice(self.OPERATORS)} {self.write(depth - 1)})"
            case 6:
                return f"{self.write(depth - 1)}[{self._random.choice(('', '?'))}{self.write(depth - 1)}]"
            case 7:
                names = self._random.choice(("x", "x, y"))
                return f"{self.write(depth - 1)}.{self._random.choice(self.MACROS)}({names}, {self.write(depth - 1)})"
        return f"[{self.write(depth - 1)}, {self.write(depth - 1)}]"


def test_any_expression_ends_in_a_value_or_an_error_of_cels_own() -> None:
    writer, outcomes = Writer(20261126), {"value": 0, "failed": 0, "refused": 0}
    variables: dict[str, Any] = {"self": wrap({"m": {"k": [1, "a"]}, "l": [3, 1, 2], "t": "text"})}
    for number in range(6000):
        text = writer.write(1 + number % 3)
        try:
            Program(text, {"self": DYN}).run(variables, 20_000)
            outcomes["value"] += 1
        except CelError:
            outcomes["failed"] += 1
        except CompileError:
            outcomes["refused"] += 1
    assert min(outcomes.values()) > 100, outcomes
