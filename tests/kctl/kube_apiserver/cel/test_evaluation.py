"""What expressions evaluate to, what they fail with, and what they cost."""

from __future__ import annotations

from typing import Any

import pytest

from kctl.kube_apiserver.cel.program import CompileError, Program
from kctl.kube_apiserver.cel.values import CelError, CostExceeded, ListValue, MapValue, wrap

SELF = {"x": {"y": 5, "name": "abc"}, "l": [1, 2, 3], "s": ["a", "b"], "m": {"k": "v"}}


def plain(value: Any) -> Any:
    if isinstance(value, ListValue):
        return [plain(item) for item in value]
    if isinstance(value, MapValue):
        return {key: plain(item) for key, item in value.items()}
    return value


def evaluated(text: str) -> Any:
    return plain(Program(text, {"self": "dyn"}).run({"self": wrap(SELF)})[0])


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1 + 2 * 3", 7),
        ("-7 / 2", -3),
        ("-7 % 3", -1),
        ("7.0 / 2.0", 3.5),
        ("1u + 2u == 3u", True),
        ("'a' + 'b'", "ab"),
        ("[1] + [2]", [1, 2]),
        ("b'a\\x00' == bytes('a\\x00')", True),
        ("self.x.y > 4 ? 'more' : 'less'", "more"),
        ("has(self.x.y) && !has(self.x.z)", True),
        ("self.?x.?z.orValue('none')", "none"),
        ("self.x[?'y'].value()", 5),
        ("[1, ?optional.none(), ?optional.of(2)]", [1, 2]),
        ("optional.of(1).optMap(v, v + 1).value()", 2),
        ("self.l.all(i, i > 0)", True),
        ("self.l.exists(i, i == 3)", True),
        ("self.l.exists_one(i, i > 2)", True),
        ("self.l.filter(i, i > 1)", [2, 3]),
        ("self.l.map(i, i > 1, i * 10)", [20, 30]),
        ("self.m.all(k, v, k != v)", True),
        ("[3, 4].transformList(i, v, i + v)", [3, 5]),
        ("{'a': 1}.transformMap(k, v, v + 1)", {"a": 2}),
        ("cel.bind(n, size(self.l), n * n)", 9),
        ("true || 1 / 0 > 0", True),
        ("1 / 0 > 0 || true", True),
        ("false && 1 / 0 > 0", False),
        ("[1, 0].exists(i, 1 / i > 0)", True),
        ("2 in self.l && 'k' in self.m", True),
        ("size('äö') + size([1]) + size({'a': 1})", 4),
        ("type(1) == int && type('') == string", True),
        ("int('12') + int(3.9) + int(timestamp('1970-01-01T00:00:05Z'))", 20),
        ("string(1.5) + string(true) + string(2)", "1.5true2"),
        ("timestamp('2020-01-01T00:00:00Z') + duration('36h') == timestamp('2020-01-02T12:00:00Z')", True),
        ("timestamp('2020-03-01T10:20:30Z').getMonth()", 2),
        ("timestamp('2020-03-01T23:00:00Z').getDayOfWeek('Europe/Berlin')", 1),
        ("duration('1h30m').getMinutes()", 90),
        ("'abc'.matches('^a.c$') && 'xabcx'.matches('b')", True),
        ("'a,b,c'.split(',').join('-')", "a-b-c"),
        ("'hello'.substring(1, 3) + 'hello'.charAt(4)", "elo"),
        ("'tacocat'.lastIndexOf('c') - 'tacocat'.indexOf('c')", 2),
        ("' x '.trim().upperAscii()", "X"),
        ("'%s has %d of %.2f and %x'.format(['a', 3, 1.0, 255])", "a has 3 of 1.00 and ff"),
        ("'%s'.format([[1, 'a', true]])", "[1, a, true]"),
        ("'a1b22'.findAll('[0-9]+')", ["1", "22"]),
        ("'abc'.find('z')", ""),
        ("[1, 2, 3].sum() + [4, 2].max() - [4, 2].min()", 8),
        ("[1, 2, 2].isSorted() && ['b', 'a'].indexOf('a') == 1", True),
        ("sets.contains([1, 2], [2]) && sets.equivalent([1, 1, 2], [2, 1]) && !sets.intersects([1], [2])", True),
        ("quantity('1Gi').isGreaterThan(quantity('1000Mi')) && quantity('500m').add(quantity('0.5')).asInteger() == 1", True),
        ("quantity('1.5').isInteger()", False),
        ("isQuantity('10') && !isQuantity('ten')", True),
        ("ip('10.0.0.1').family() == 4 && ip('::1').isLoopback() && !isIP('10.0.0.256')", True),
        ("cidr('10.1.2.3/8').masked() == cidr('10.0.0.0/8') && cidr('10.0.0.0/8').containsIP('10.9.9.9')", True),
        ("cidr('10.0.0.0/8').containsCIDR('10.1.0.0/16') && string(cidr('10.0.0.0/8').ip()) == '10.0.0.0'", True),
        ("url('https://u@h.example:81/p%20q?a=1&a=2').getHost() + url('https://h/p%20q').getEscapedPath()", "h.example:81/p%20q"),
        ("url('https://h/?a=1&a=2').getQuery()['a']", ["1", "2"]),
        ("isURL('/only/path') && !isURL('nothing')", True),
        ("format.dns1123Label().validate('Bad').hasValue() && !format.dns1123Label().validate('good').hasValue()", True),
        ("format.named('uuid').value().validate('x').hasValue()", True),
        ("semver('1.2.3').isLessThan(semver('1.10.0')) && isSemver('1.0.0-rc.1') && semver('v1.0', true).major() == 1", True),
        ("base64.decode('aGk=') == b'hi'", True),
        ("math.greatest(1, 3, 2)", 3),
    ],
)
def test_values(text: str, value: Any) -> None:
    found = evaluated(text)
    assert found == value and type(found) is type(value)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("1 / 0", "division by zero"),
        ("1 % 0", "modulus by zero"),
        ("9223372036854775807 + 1", "integer overflow"),
        ("self.nothing", "no such key: nothing"),
        ("self.l[7]", "index out of bounds: 7"),
        ("self.x.y + self.x.name", "no such overload"),
        ("optional.none().value()", "optional.none() dereference"),
        ("int('x')", 'strconv.ParseInt: parsing "x": invalid syntax'),
        ("'a'.substring(3)", "index out of range: 3"),
        ("'a'.matches('(')", "error parsing regexp: missing closing ): `(`"),
        ("1 / 0 > 0 || false", "division by zero"),
        ("{'a': 1, 'a': 2}", "duplicate key: a"),
        ("quantity('x')", "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"),
    ],
)
def test_failures(text: str, why: str) -> None:
    with pytest.raises(CelError) as failed:
        evaluated(text)
    assert str(failed.value) == why


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("self.a.b.c.", "Syntax error: no viable alternative at input '.'"),
        ("1 +", "Syntax error: mismatched input '<EOF>' expecting {"),
        ("for", "reserved identifier: for"),
        ("other.x", "undeclared reference to 'other' (in container '')"),
        ("self.f(1)", "undeclared reference to 'f' (in container '')"),
        ("1 + 'a'", "found no matching overload for '_+_' applied to '(int, string)'"),
        ("'a'.contains(1)", "found no matching overload for 'contains' applied to 'string.(int)'"),
        ("[1].all(1, true)", "argument must be a simple name"),
        ("5.all(x, x)", "expression of type 'int' cannot be range of a comprehension (must be list, map, or dynamic)"),
        ("has(1)", "invalid argument to has() macro"),
    ],
)
def test_what_does_not_compile(text: str, why: str) -> None:
    with pytest.raises(CompileError) as failed:
        Program(text, {"self": "dyn"})
    assert why in str(failed.value)


def test_where_a_problem_is_is_shown() -> None:
    with pytest.raises(CompileError) as failed:
        Program("1 == 1 &&\nself.sise > 2", {"self": ("object", "T", {"size": "int"})})
    assert str(failed.value) == "compilation failed: ERROR: <input>:2:5: undefined field 'sise'\n | self.sise > 2\n | ....^"


def test_costs_are_counted_and_limited() -> None:
    many = {"self": ListValue(list(range(1000)))}
    quadratic = Program("self.all(a, self.all(b, a + b >= 0))", {"self": ("list", "int")}, "bool")
    assert quadratic.run({"self": ListValue([1, 2])})[1] < 60
    with pytest.raises(CostExceeded):
        quadratic.run(many, 100_000)
    long = Program("self.contains(self)", {"self": "string"}, "bool")
    assert long.run({"self": "a" * 1000})[1] > 5_000


def test_a_pattern_takes_time_linear_in_the_text() -> None:
    pytest.importorskip("re2")
    assert evaluated(f"'{'a' * 5000}b'.matches('^(a+)+$')") is False


def test_deep_expressions_are_refused() -> None:
    with pytest.raises(CompileError, match="expression recursion limit exceeded"):
        Program("(" * 500 + "1" + ")" * 500, {})
