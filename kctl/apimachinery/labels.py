"""Label selectors: parsed once, then matched against label maps.

Syntax and error wording follow k8s.io/apimachinery/pkg/labels.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from kctl.apimachinery import go_numbers
from kctl.apimachinery.status import BadRequest


@dataclass(frozen=True, slots=True)
class Requirement:
    """operator: one of = in notin exists ! gt lt (`==` is stored as `=`; `!=` as notin with one value)."""

    key: str
    operator: str
    values: tuple[str, ...] = ()

    def matches(self, labels: Mapping[str, str]) -> bool:
        value = labels.get(self.key)
        match self.operator:
            case "=" | "in":
                return value is not None and value in self.values
            case "notin":
                return value is None or value not in self.values
            case "exists":
                return value is not None
            case "!":
                return value is None
            case _:
                return _compares(self.operator, value, self.values[0])


def _compares(operator: str, value: str | None, bound: str) -> bool:
    left, right = go_numbers.saturated(value or ""), go_numbers.saturated(bound)
    if left is None or right is None:
        return False
    return left > right if operator == "gt" else left < right


@dataclass(frozen=True, slots=True)
class Selector:
    """All requirements must hold; none at all match everything. `nothing` matches nothing."""

    requirements: tuple[Requirement, ...] = ()
    nothing: bool = False
    _index: _Index | None = field(init=False, compare=False, repr=False, default=None)

    def __post_init__(self) -> None:
        if len(self.requirements) > _FEW or any(len(requirement.values) > _FEW for requirement in self.requirements):
            object.__setattr__(self, "_index", _Index(self.requirements))

    def matches(self, labels: Mapping[str, str]) -> bool:
        if self.nothing:
            return False
        if self._index is not None:
            return self._index.matches(labels)
        return all(requirement.matches(labels) for requirement in self.requirements)

    @property
    def empty(self) -> bool:
        return not self.nothing and not self.requirements


_FEW = 8


_ALL_NUMBERS = (-(2**64), 2**64)


class _Index:
    """The requirements of a long selector by key, as sets of values: what one object costs is bounded by its own labels."""

    def __init__(self, requirements: Sequence[Requirement]) -> None:
        self._allowed: dict[str, frozenset[str]] = {}
        self._refused: dict[str, set[str]] = {}
        self._present: set[str] = set()
        self._absent: set[str] = set()
        self._between: dict[str, tuple[int, int]] = {}
        for requirement in requirements:
            self._add(requirement)

    def _add(self, requirement: Requirement) -> None:
        key = requirement.key
        match requirement.operator:
            case "=" | "in":
                values = frozenset(requirement.values)
                self._allowed[key] = self._allowed[key] & values if key in self._allowed else values
                self._present.add(key)
            case "notin":
                self._refused.setdefault(key, set()).update(requirement.values)
            case "exists":
                self._present.add(key)
            case "!":
                self._absent.add(key)
            case _:
                self._between[key] = _narrowed(*self._between.get(key, _ALL_NUMBERS), requirement)
                self._present.add(key)

    def matches(self, labels: Mapping[str, str]) -> bool:
        if not (self._present <= labels.keys() and self._absent.isdisjoint(labels)):
            return False
        return all(self._accepts(key, value) for key, value in labels.items())

    def _accepts(self, key: str, value: str) -> bool:
        if key in self._allowed and value not in self._allowed[key]:
            return False
        if key in self._refused and value in self._refused[key]:
            return False
        if key not in self._between:
            return True
        (low, high), number = self._between[key], go_numbers.saturated(value)
        return number is not None and low < number < high


def _narrowed(low: int, high: int, requirement: Requirement) -> tuple[int, int]:
    """What is left between two bounds: nothing where the new one is no number."""
    bound = go_numbers.saturated(requirement.values[0])
    if bound is None:
        return 0, 0
    return (max(low, bound), high) if requirement.operator == "gt" else (low, min(high, bound))


EVERYTHING = Selector()
NOTHING = Selector(nothing=True)

_TOKEN = re.compile(r"!=|==|[=!(),<>]|[^\s!=(),<>]+")


class _Tokens:
    def __init__(self, text: str) -> None:
        self.items = [found.group() for found in _TOKEN.finditer(text)]  # findall would let nobody else work meanwhile
        self.index = 0

    def peek(self) -> str:
        return self.items[self.index] if self.index < len(self.items) else ""

    def take(self) -> str:
        token = self.peek()
        self.index += 1
        return token


_SYMBOLS = frozenset({"!=", "==", "=", "!", "(", ")", ",", "<", ">"})


def _cannot_parse(why: str) -> BadRequest:
    return BadRequest(f"unable to parse requirement: {why}")


def parse(text: str) -> Selector:
    """`a=b,c!=d,e in (f,g),h notin (i),j,!k,l>1`. Raises BadRequest with upstream's wording."""
    tokens = _Tokens(text)
    requirements: list[Requirement] = []
    if not tokens.items:
        return EVERYTHING
    while True:
        if not requirements and tokens.peek() in _SYMBOLS and tokens.peek() != "!":
            raise BadRequest(f"found '{tokens.peek()}', expected: !, identifier, or 'end of string'")
        requirements.append(_requirement(tokens))
        separator = tokens.take()
        if separator == "":
            break
        if separator != ",":
            raise BadRequest(f"found '{separator}', expected: ',' or 'end of string'")
        if tokens.peek() == "":
            raise _cannot_parse("found '', expected: identifier after ','")
    return Selector(tuple(sorted(requirements, key=lambda requirement: requirement.key)))


def _requirement(tokens: _Tokens) -> Requirement:
    key = tokens.take()
    if key == "!":
        key = _identifier(tokens.take())
        return Requirement(key, "!")
    key = _identifier(key)
    operator = tokens.peek()
    if operator in ("", ","):
        return Requirement(key, "exists")
    tokens.take()
    match operator:
        case "=" | "==":
            return Requirement(key, "=", (_value(tokens),))
        case "!=":
            return Requirement(key, "notin", (_value(tokens),))
        case "in" | "notin":
            return Requirement(key, operator, _values(tokens))
        case ">" | "<":
            bound = _value(tokens)
            if go_numbers.saturated(bound) is None:
                raise _cannot_parse("for 'Gt', 'Lt' operators, the value must be an integer")
            return Requirement(key, "gt" if operator == ">" else "lt", (bound,))
    raise _cannot_parse(f"found '{operator}', expected: in, notin, =, ==, !=, gt, lt")


def _identifier(token: str) -> str:
    if token == "" or token in _SYMBOLS:
        raise _cannot_parse(f"found '{token}', expected: identifier")
    problems = validate_key(token)
    if problems:
        raise _cannot_parse(f'key: Invalid value: "{token}": ' + "; ".join(problems))
    return token


def _value(tokens: _Tokens) -> str:
    """A value after = may be missing, which means the empty string."""
    if tokens.peek() in ("", ","):
        return ""
    token = tokens.take()
    if token in _SYMBOLS:
        raise _cannot_parse(f"found '{token}', expected: identifier")
    return _checked_value(token)


def _checked_value(token: str) -> str:
    problems = validate_value(token)
    if problems:
        raise _cannot_parse(f'values[0][]: Invalid value: "{token}": ' + "; ".join(problems))
    return token


def _values(tokens: _Tokens) -> tuple[str, ...]:
    if tokens.take() != "(":
        raise _cannot_parse(f"found '{tokens.items[tokens.index - 1] if tokens.index <= len(tokens.items) else ''}', expected: '('")
    values: list[str] = []
    expect_value = True
    while True:
        token = tokens.take()
        if token == ")":
            if expect_value:
                values.append("")
            return tuple(sorted(set(values)))
        if token == ",":
            if expect_value:
                values.append("")
            expect_value = True
        elif token == "" or token in _SYMBOLS or not expect_value:
            raise _cannot_parse(f"found '{token}', expected: ',' or ')'")
        else:
            values.append(_checked_value(token))
            expect_value = False


_NAME_PART = re.compile(r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]")
_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_NAME_RULE = (
    "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character "
    "(e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
)
_VALUE_RULE = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end "
    "with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is "
    "'(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
)
_SUBDOMAIN_RULE = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end "
    "with an alphanumeric character (e.g. 'example.com', regex used for validation is "
    "'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)


def validate_key(key: str) -> list[str]:
    """Problems of a qualified name (IsQualifiedName); empty when valid."""
    prefix, slash, part = key.rpartition("/")
    problems: list[str] = []
    if "/" in prefix:
        return ["a qualified name " + _NAME_RULE + " with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')"]
    if slash:
        if not prefix:
            problems.append("prefix part must be non-empty")
        elif len(prefix) > 253:
            problems.append("prefix part must be no more than 253 bytes")
        elif not _SUBDOMAIN.fullmatch(prefix):
            problems.append("prefix part " + _SUBDOMAIN_RULE)
    if not part:
        problems.append("name part must be non-empty")
    elif len(part) > 63:
        problems.append("name part must be no more than 63 bytes")
    if not _NAME_PART.fullmatch(part):
        problems.append("name part " + _NAME_RULE)
    return problems


def validate_value(value: str) -> list[str]:
    """Problems of a label value (IsValidLabelValue); empty when valid."""
    problems: list[str] = []
    if len(value) > 63:
        problems.append("must be no more than 63 bytes")
    if value and not _NAME_PART.fullmatch(value):
        problems.append(_VALUE_RULE)
    return problems


_OPERATORS = {"In": "in", "NotIn": "notin", "Exists": "exists", "DoesNotExist": "!"}


def from_label_selector(selector: Mapping[str, Any] | None) -> Selector:
    """A metav1.LabelSelector as a Selector: null matches nothing, {} everything (LabelSelectorAsSelector)."""
    if selector is None:
        return NOTHING
    requirements = [Requirement(key, "=", (value,)) for key, value in (selector.get("matchLabels") or {}).items()]
    for expression in selector.get("matchExpressions") or ():
        operator = _OPERATORS.get(expression["operator"])
        if operator is None:
            raise BadRequest(f'"{expression["operator"]}" is not a valid label selector operator')
        requirements.append(Requirement(expression["key"], operator, tuple(expression.get("values") or ())))
    return Selector(tuple(requirements))


def from_map(pairs: Mapping[str, str] | None) -> Selector:
    """Every pair must match, as in a Service's spec.selector; an empty map matches everything."""
    return Selector(tuple(Requirement(key, "=", (value,)) for key, value in (pairs or {}).items()))


def format_selector(selector: Mapping[str, Any] | None) -> str:
    """A metav1.LabelSelector as kubectl prints it (metav1.FormatLabelSelector); '<none>' when it selects everything."""
    if selector is None:
        return "<none>"
    parts = []
    for requirement in sorted(from_label_selector(selector).requirements, key=lambda r: r.key):
        match requirement.operator:
            case "=":
                parts.append(f"{requirement.key}={requirement.values[0]}")
            case "in" | "notin":
                parts.append(f"{requirement.key} {requirement.operator} ({','.join(sorted(requirement.values))})")
            case "exists":
                parts.append(requirement.key)
            case "!":
                parts.append(f"!{requirement.key}")
    return ",".join(parts) or "<none>"
