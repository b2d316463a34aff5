"""awk's expressions and built-in functions, over whatever runs the program."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, Protocol

from controllers.kubelet.commands.errors import NotInterpreted
from controllers.kubelet.commands.limits import CAPTURE_BYTES
from controllers.kubelet.commands.patterns import Expression
from controllers.kubelet.commands.programs import awk_values as values
from controllers.kubelet.commands.programs.awk_syntax import Node
from controllers.kubelet.commands.programs.awk_values import UNSET, Array, Value, number, string
from controllers.kubelet.commands.work import Work

_MOST_PIECES = 100_000


class Machine(Protocol):
    """A running program."""

    variables: dict[str, Any]
    random: random.Random
    seed: float
    work: Work

    def bounded(self, text: str) -> str: ...
    def evaluate(self, node: Node) -> Value: ...
    def get(self, name: str) -> Value: ...
    def set(self, name: str, value: Value) -> None: ...
    def array(self, name: str) -> Array: ...
    def is_array(self, name: str) -> bool: ...
    def text(self, value: Value) -> str: ...
    def key(self, subscripts: Sequence[Node]) -> str: ...
    def field(self, index: int) -> Value: ...
    def set_field(self, index: int, value: Value) -> None: ...
    def set_record(self, text: str) -> None: ...
    def count(self, *names: str) -> None: ...
    def call_function(self, name: str, arguments: Sequence[Node]) -> Value: ...
    def read_line(self, kind: str, source: str) -> tuple[float, str]: ...
    def now(self) -> datetime: ...
    def system(self, line: str) -> float: ...
    def close(self, target: str) -> float: ...


def _texts(machine: Machine, nodes: Sequence[Node]) -> list[str]:
    return [machine.text(machine.evaluate(each)) for each in nodes]


def _expression_of(machine: Machine, node: Node) -> Expression:
    """A regular expression, written as one or computed."""
    return values.regex(node[1] if node[0] == "regex" else machine.text(machine.evaluate(node)))


def _whole(value: Value) -> int:
    given = number(value)
    return 0 if math.isinf(given) or math.isnan(given) else int(given)


def get(machine: Machine, target: Node) -> Value:
    if target[0] == "variable":
        return machine.get(target[1])
    if target[0] == "field":
        return machine.field(_whole(machine.evaluate(target[1])))
    return machine.array(target[1]).setdefault(machine.key(target[2]), UNSET)


def put(machine: Machine, target: Node, value: Value) -> None:
    if target[0] == "variable":
        machine.set(target[1], value)
    elif target[0] == "field":
        machine.set_field(_whole(machine.evaluate(target[1])), value)
    elif target[0] == "element":
        machine.array(target[1])[machine.key(target[2])] = value
    else:
        raise NotInterpreted("an awk program that changes what is no variable")


def _arithmetic(operator: str, left: float, right: float) -> float:
    try:
        if operator == "+":
            return left + right
        if operator == "-":
            return left - right
        if operator == "*":
            return left * right
        if operator == "/":
            return left / right
        if operator == "%":
            return math.fmod(left, right)
        return float(left**right)
    except (ZeroDivisionError, ValueError):
        return math.nan if operator == "%" or left == 0 else math.copysign(math.inf, left)
    except OverflowError:
        return math.inf
    except TypeError:  # a root of a negative number
        return math.nan


def _assign(machine: Machine, node: Node) -> Value:
    _, operator, target, expression = node
    value = machine.evaluate(expression)
    if operator:
        value = _arithmetic(operator, number(get(machine, target)), number(value))
    put(machine, target, value)
    return value


def _step(machine: Machine, node: Node) -> Value:
    before = number(get(machine, node[2]))
    after = before + (1 if node[1] == "++" else -1)
    put(machine, node[2], after)
    return after if node[0] == "before" else before


def _compare(machine: Machine, node: Node) -> Value:
    order = values.compared(machine.evaluate(node[2]), machine.evaluate(node[3]), string(machine.variables["CONVFMT"]))
    met = {"<": order < 0, "<=": order <= 0, "==": order == 0, "!=": order != 0, ">": order > 0, ">=": order >= 0}
    return float(met[node[1]])


def _match(machine: Machine, node: Node) -> Value:
    text = machine.text(machine.evaluate(node[2]))
    found = _expression_of(machine, node[3]).search(text)
    return float((found is not None) is not node[1])


def _unary(machine: Machine, node: Node) -> Value:
    value = machine.evaluate(node[2])
    if node[1] == "!":
        return float(not values.truth(value))
    return -number(value) if node[1] == "-" else number(value)


def _in(machine: Machine, node: Node) -> Value:
    return float(machine.key(node[1]) in machine.array(node[2]))


def _getline(machine: Machine, node: Node) -> Value:
    _, kind, source, target = node
    answer, text = machine.read_line(kind, "" if source is None else machine.text(machine.evaluate(source)))
    if answer == 1:
        if kind != "file":
            machine.count("NR", *(["FNR"] if kind == "input" else []))
        if target is None:
            machine.set_record(text)
        else:
            put(machine, target, values.given(text))
    return answer


# ---- functions


def _length(machine: Machine, arguments: list[Node]) -> Value:
    if arguments and arguments[0][0] == "variable" and machine.is_array(arguments[0][1]):
        return float(len(machine.array(arguments[0][1])))
    return float(len(machine.text(machine.evaluate(arguments[0]) if arguments else machine.field(0))))


def _substr(machine: Machine, arguments: list[Node]) -> Value:
    text = machine.text(machine.evaluate(arguments[0]))
    start = _rounded(number(machine.evaluate(arguments[1])))
    end = start + _rounded(number(machine.evaluate(arguments[2]))) if len(arguments) > 2 else math.inf
    first, last = max(start, 1), min(end, len(text) + 1)
    return text[int(first) - 1 : int(last) - 1] if last > first else ""


def _rounded(value: float) -> float:
    return value if math.isinf(value) else 0.0 if math.isnan(value) else float(round(value))


def _index(machine: Machine, arguments: list[Node]) -> Value:
    text, part = _texts(machine, arguments[:2])
    return float(text.find(part) + 1)


def _split(machine: Machine, arguments: list[Node]) -> Value:
    text = machine.text(machine.evaluate(arguments[0]))
    if len(arguments) > 2:
        separator = arguments[2][1] if arguments[2][0] == "regex" else machine.text(machine.evaluate(arguments[2]))
        if arguments[2][0] == "regex" and len(separator) == 1:
            separator = f"[{separator}]" if separator not in "^\\" else f"\\{separator}"
    else:
        separator = string(machine.variables["FS"])
    pieces = values.splitter(separator)(text)
    if len(pieces) > _MOST_PIECES:
        raise NotInterpreted("an awk program that splits that finely")
    array = machine.array(arguments[1][1])
    array.clear()
    array.update({str(index): values.given(piece) for index, piece in enumerate(pieces, 1)})
    return float(len(pieces))


def _substitute(machine: Machine, arguments: list[Node], *, every: bool) -> Value:
    pattern = _expression_of(machine, arguments[0])
    replacement = _replacement(machine.text(machine.evaluate(arguments[1])))
    target: Node = arguments[2] if len(arguments) > 2 else ("field", ("value", 0.0))
    if target[0] == "inner":
        target = target[1]
    assignable = target[0] in ("variable", "field", "element")
    text = machine.text(get(machine, target) if assignable else machine.evaluate(target))
    parts: list[str] = []
    at, count, ended, size = 0, 0, -1, 0
    while at <= len(text) and (every or not count):
        machine.work.add(2 + (len(text) - at) // 5000)
        found = pattern.search(text, at)
        if found is None:
            break
        empty = found.end() == found.start()
        parts.append(text[at : found.start()])
        if not empty or found.start() != ended:  # nothing is matched once more right behind a match
            count += 1
            parts.append("".join(found.group(0) if piece is None else piece for piece in replacement))
            size += len(parts[-1])
            if size > CAPTURE_BYTES:
                raise NotInterpreted("an awk program with strings that long")
        at = ended = found.end()
        if empty:
            parts.append(text[at : at + 1])
            at += 1
    if count and assignable:
        put(machine, target, machine.bounded("".join(parts) + text[at:]))
    return float(count)


def _replacement(text: str) -> list[str | None]:
    """Pieces; None: what was matched."""
    pieces: list[str | None] = []
    at = 0
    while at < len(text):
        if text[at] == "\\" and text[at + 1 : at + 2] in ("&", "\\"):
            pieces.append(text[at + 1])
            at += 2
            continue
        pieces.append(None if text[at] == "&" else text[at])
        at += 1
    return pieces


def _match_function(machine: Machine, arguments: list[Node]) -> Value:
    if len(arguments) > 2:
        raise NotInterpreted("awk's match() with an array")
    found = _expression_of(machine, arguments[1]).search(machine.text(machine.evaluate(arguments[0])))
    start = float(found.start() + 1) if found else 0.0
    machine.set("RSTART", start)
    machine.set("RLENGTH", float(found.end() - found.start()) if found else -1.0)
    return start


def _sprintf(machine: Machine, arguments: list[Node]) -> Value:
    given = [machine.evaluate(each) for each in arguments]
    return machine.bounded(values.formatted(machine.text(given[0]), given[1:], string(machine.variables["CONVFMT"])))


def _computed(function: Callable[..., float]) -> Callable[[Machine, list[Node]], Value]:
    def run(machine: Machine, arguments: list[Node]) -> Value:
        try:
            return float(function(*(number(machine.evaluate(each)) for each in arguments)))
        except ValueError:
            return math.nan
        except OverflowError:
            return math.inf

    return run


def _logarithm(value: float) -> float:
    return -math.inf if value == 0 else math.log(value)


def _int(value: float) -> float:
    return value if math.isinf(value) or math.isnan(value) else float(int(value))


def _seed(machine: Machine, arguments: list[Node]) -> Value:
    before = machine.seed
    machine.seed = number(machine.evaluate(arguments[0])) if arguments else float(int(machine.now().timestamp()))
    machine.random.seed(machine.seed)
    return before


def _time(machine: Machine, arguments: list[Node]) -> Value:
    from controllers.kubelet.commands.programs.system import formatted

    form = machine.text(machine.evaluate(arguments[0])) if arguments else "%c"
    moment = datetime.fromtimestamp(number(machine.evaluate(arguments[1])), UTC) if len(arguments) > 1 else machine.now()
    return formatted(moment, form)


_FUNCTIONS: dict[str, tuple[int, int, Callable[[Machine, list[Node]], Value]]] = {
    "length": (0, 1, _length),
    "substr": (2, 3, _substr),
    "index": (2, 2, _index),
    "split": (2, 3, _split),
    "sub": (2, 3, lambda machine, arguments: _substitute(machine, arguments, every=False)),
    "gsub": (2, 3, lambda machine, arguments: _substitute(machine, arguments, every=True)),
    "match": (2, 3, _match_function),
    "sprintf": (1, 1000, _sprintf),
    "sin": (1, 1, _computed(math.sin)),
    "cos": (1, 1, _computed(math.cos)),
    "atan2": (2, 2, _computed(math.atan2)),
    "exp": (1, 1, _computed(math.exp)),
    "log": (1, 1, _computed(_logarithm)),
    "sqrt": (1, 1, _computed(math.sqrt)),
    "int": (1, 1, _computed(_int)),
    "rand": (0, 0, lambda machine, arguments: machine.random.random()),
    "srand": (0, 1, _seed),
    "tolower": (1, 1, lambda machine, arguments: machine.text(machine.evaluate(arguments[0])).lower()),
    "toupper": (1, 1, lambda machine, arguments: machine.text(machine.evaluate(arguments[0])).upper()),
    "system": (1, 1, lambda machine, arguments: machine.system(machine.text(machine.evaluate(arguments[0])))),
    "close": (1, 1, lambda machine, arguments: machine.close(machine.text(machine.evaluate(arguments[0])))),
    "fflush": (0, 1, lambda machine, arguments: 0.0),
    "systime": (0, 0, lambda machine, arguments: float(int(machine.now().timestamp()))),
    "strftime": (0, 2, _time),
}
"""Name > (fewest, most arguments, what it does)."""


def _builtin(machine: Machine, node: Node) -> Value:
    fewest, most, function = _FUNCTIONS[node[1]]
    if not fewest <= len(node[2]) <= most:
        raise NotInterpreted(f"awk's {node[1]}() with {len(node[2])} arguments")
    return function(machine, node[2])


def _ternary(machine: Machine, node: Node) -> Value:
    return machine.evaluate(node[2] if values.truth(machine.evaluate(node[1])) else node[3])


def _both(machine: Machine, node: Node) -> Value:
    return float(values.truth(machine.evaluate(node[1])) and values.truth(machine.evaluate(node[2])))


def _either(machine: Machine, node: Node) -> Value:
    return float(values.truth(machine.evaluate(node[1])) or values.truth(machine.evaluate(node[2])))


def _concatenated(machine: Machine, node: Node) -> Value:
    return machine.bounded(machine.text(machine.evaluate(node[1])) + machine.text(machine.evaluate(node[2])))


def _computation(machine: Machine, node: Node) -> Value:
    return _arithmetic(node[1], number(machine.evaluate(node[2])), number(machine.evaluate(node[3])))


def _alone(machine: Machine, node: Node) -> Value:
    """A regular expression by itself: whether the record has it."""
    return float(values.regex(node[1]).search(machine.text(machine.field(0))) is not None)


EXPRESSIONS: dict[str, Callable[[Machine, Node], Value]] = {
    "value": lambda machine, node: node[1],
    "regex": _alone,
    "variable": get,
    "field": get,
    "element": get,
    "inner": lambda machine, node: machine.evaluate(node[1]),
    "grouping": lambda machine, node: machine.key(node[1]),
    "assign": _assign,
    "before": _step,
    "after": _step,
    "ternary": _ternary,
    "and": _both,
    "or": _either,
    "in": _in,
    "match": _match,
    "compare": _compare,
    "concatenate": _concatenated,
    "arithmetic": _computation,
    "unary": _unary,
    "getline": _getline,
    "call": lambda machine, node: machine.call_function(node[1], node[2]),
    "builtin": _builtin,
}
