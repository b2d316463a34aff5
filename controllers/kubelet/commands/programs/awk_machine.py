"""Runs the programs that `awk_syntax` reads. What a command writes that it starts (system, pipes) must be there at once; a program
that computes for ever ends the interpretation."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator, Sequence
from datetime import datetime
from typing import Any

from controllers.kubelet.commands.errors import Exit, NotInterpreted
from controllers.kubelet.commands.limits import CAPTURE_BYTES, LINES
from controllers.kubelet.commands.process import Input, run_program
from controllers.kubelet.commands.programs import awk_values as values
from controllers.kubelet.commands.programs.awk_expressions import EXPRESSIONS
from controllers.kubelet.commands.programs.awk_syntax import Function, Node, Program, Rule
from controllers.kubelet.commands.programs.awk_tokens import unescaped
from controllers.kubelet.commands.programs.awk_values import UNSET, Array, Value, number, string
from controllers.kubelet.commands.programs.call import Call, reason, text_of
from controllers.kubelet.commands.work import PAUSE, Work

_MOST_STEPS = 1_000_000
_STEPS_COUNTED = 200
"""After so many they are added to the work done."""
Waiting = Generator[float | None, None, None]
_DEEPEST = 100
_MOST_FIELDS = 10_000


class _Next(Exception):
    pass


class _NextFile(Exception):
    pass


class _Break(Exception):
    pass


class _Continue(Exception):
    pass


class _Return(Exception):
    def __init__(self, value: Value) -> None:
        super().__init__()
        self.value = value


class _Ended(Exception):
    """exit"""


class Interpreter:
    def __init__(self, call: Call, program: Program, separator: str, assigned: Sequence[tuple[str, str]]) -> None:
        self.call = call
        self.program = program
        self.code = 0
        self.random = call.process.world.random
        self.seed = 0.0
        self.lines: list[str] = []
        """Of the file that is read now, those that are not read yet, last one first."""
        self.variables: dict[str, Any] = {
            "FS": separator, "OFS": " ", "ORS": "\n", "RS": "\n", "NR": 0.0, "FNR": 0.0, "SUBSEP": "\x1c", "CONVFMT": "%.6g",
            "OFMT": "%.6g", "RSTART": 0.0, "RLENGTH": -1.0, "FILENAME": "",
        }  # fmt: skip
        self.variables["ENVIRON"] = {name: values.given(value) for name, value in call.process.env.items()}
        self.locals: list[dict[str, Any]] = []
        self._record = ""
        self._fields: list[Value] | None = []
        self._steps = self._all_steps = 0
        self.work: Work = call.process.world.work
        self._pipes: dict[str, bytearray] = {}
        self._sources: dict[str, list[str]] = {}
        self._written: set[str] = set()
        self._active: dict[int, bool] = {}
        self._arrays = _array_parameters(program.functions)
        for name, value in assigned:
            self.set(name, values.given(unescaped(value)))

    # ---- variables

    def get(self, name: str) -> Value:
        if self.locals and name in self.locals[-1]:
            found = self.locals[-1][name]
        elif name == "NF":
            return float(len(self.fields))
        else:
            found = self.variables.get(name, UNSET)
        if isinstance(found, dict):
            raise NotInterpreted(f"an awk program that uses the array {name} as a value")
        value: Value = found
        return value

    def set(self, name: str, value: Value) -> None:
        if self.locals and name in self.locals[-1]:
            self.locals[-1][name] = value
        elif name == "NF":
            self._set_count(int(number(value)))
        else:
            self.variables[name] = value

    def array(self, name: str) -> Array:
        scope = self.locals[-1] if self.locals and name in self.locals[-1] else self.variables
        found = scope.get(name, UNSET)
        if found is UNSET:
            found = scope[name] = {}
        if not isinstance(found, dict):
            raise NotInterpreted(f"an awk program that uses the value {name} as an array")
        return found

    def text(self, value: Value) -> str:
        return string(value, string(self.variables["CONVFMT"]))

    # ---- the record

    @property
    def fields(self) -> list[Value]:
        if self._fields is None:
            split = values.splitter(self._separator())
            self._fields = [values.given(each) for each in split(self._record)[:_MOST_FIELDS]]
        return self._fields

    def _separator(self) -> str:
        separator = string(self.variables["FS"])
        if string(self.variables["RS"]) == "" and separator != " ":
            return f"(\n|{'[' + separator + ']' if len(separator) == 1 else separator})"
        return separator

    def set_record(self, text: str) -> None:
        self._record, self._fields = text, None

    def field(self, index: int) -> Value:
        if index < 0:
            raise NotInterpreted("an awk program with a field of a negative number")
        if index == 0:
            return values.given(self._record)
        return self.fields[index - 1] if index <= len(self.fields) else UNSET

    def set_field(self, index: int, value: Value) -> None:
        if index == 0:
            self.set_record(self.text(value))
            return
        if index > len(self.fields):
            self._set_count(index)
        self.fields[index - 1] = value
        self._rebuild()

    def _set_count(self, count: int) -> None:
        if not 0 <= count <= _MOST_FIELDS:
            raise NotInterpreted("an awk program with that many fields")
        fields = self.fields
        del fields[count:]
        fields += [""] * (count - len(fields))
        self._rebuild()

    def _rebuild(self) -> None:
        self._record = self.bounded(string(self.variables["OFS"]).join(self.text(each) for each in self.fields))

    # ---- the program

    def run(self, inputs: Sequence[tuple[str, list[str]]]) -> Waiting:
        """`inputs`: what is read after BEGIN, (name, records); assignments among the arguments come as ('=', [name, value])."""
        try:
            self._rules("BEGIN")
            if any(rule.kind != "BEGIN" for rule in self.program.rules):
                yield from self._inputs(inputs)
        except _Ended:
            pass
        yield from self.call.pace(1)
        self._finish()

    def _finish(self) -> None:
        with contextlib.suppress(_Ended):
            self._rules("END")
        for target in list(self._pipes):
            self.close(target)

    def _rules(self, kind: str) -> None:
        for rule in self.program.rules:
            if rule.kind == kind and rule.body is not None:
                self.execute(rule.body)

    def _inputs(self, inputs: Sequence[tuple[str, list[str]]]) -> Waiting:
        for name, content in inputs:
            if name == "=":
                self.set(content[0], values.given(unescaped(content[1])))
                continue
            self.variables["FILENAME"], self.variables["FNR"] = name, 0.0
            self.lines = values.records(content[0], string(self.variables["RS"]))
            if len(self.lines) > LINES:
                raise NotInterpreted(f"a text of more than {LINES} records")
            self.lines.reverse()
            try:
                while self.lines:
                    self.set_record(self.lines.pop())
                    self.count("NR", "FNR")
                    yield from self.call.pace(4 + len(self._record) // 100)
                    self._one()
            except _NextFile:
                self.lines = []

    def count(self, *names: str) -> None:
        for name in names:
            self.variables[name] = number(self.variables[name]) + 1

    def _one(self) -> None:
        try:
            for place, rule in enumerate(self.program.rules):
                if rule.kind not in ("BEGIN", "END") and self._chosen(place, rule):
                    if rule.body is None:
                        self.write("", "", self._record + string(self.variables["ORS"]))
                    else:
                        self.execute(rule.body)
        except _Next:
            return

    def _chosen(self, place: int, rule: Rule) -> bool:
        if rule.kind == "always":
            return True
        if rule.kind == "pattern":
            return values.truth(self.evaluate(rule.patterns[0]))
        if not self._active.get(place):
            if not values.truth(self.evaluate(rule.patterns[0])):
                return False
            self._active[place] = True
        if values.truth(self.evaluate(rule.patterns[1])):
            self._active[place] = False
        return True

    # ---- statements

    def execute(self, node: Node) -> None:
        self._steps += 1
        if self._steps >= _STEPS_COUNTED:
            self._count()
        _STATEMENTS[node[0]](self, node)

    def _block(self, node: Node) -> None:
        for each in node[1]:
            self.execute(each)

    def _expression(self, node: Node) -> None:
        self.evaluate(node[1])

    def _if(self, node: Node) -> None:
        if values.truth(self.evaluate(node[1])):
            self.execute(node[2])
        elif node[3] is not None:
            self.execute(node[3])

    def _body(self, node: Node) -> bool:
        """Whether the loop goes on."""
        try:
            self.execute(node)
        except _Continue:
            return True
        except _Break:
            return False
        return True

    def _while(self, node: Node) -> None:
        while values.truth(self.evaluate(node[1])) and self._body(node[2]):
            pass

    def _do(self, node: Node) -> None:
        while self._body(node[1]) and values.truth(self.evaluate(node[2])):
            pass

    def _for(self, node: Node) -> None:
        _, start, condition, step, body = node
        if start is not None:
            self.execute(start)
        while (condition is None or values.truth(self.evaluate(condition))) and self._body(body):
            if step is not None:
                self.execute(step)

    def _for_in(self, node: Node) -> None:
        for key in list(self.array(node[2])):
            self.set(node[1], values.given(key))
            if not self._body(node[3]):
                return

    def _next(self, node: Node) -> None:
        raise {"next": _Next, "nextfile": _NextFile, "break": _Break, "continue": _Continue}[node[0]]

    def _exit(self, node: Node) -> None:
        if node[1] is not None:
            self.code = int(number(self.evaluate(node[1]))) & 255
        raise _Ended

    def _return(self, node: Node) -> None:
        raise _Return(UNSET if node[1] is None else self.evaluate(node[1]))

    def _delete(self, node: Node) -> None:
        array = self.array(node[1])
        if node[2] is None:
            array.clear()
        else:
            array.pop(self.key(node[2]), None)

    def _print(self, node: Node) -> None:
        word, arguments, operator, target = node
        given = [self.evaluate(each) for each in arguments]
        if word == "printf":
            if not given:
                raise NotInterpreted("an awk program with a printf of nothing")
            text = values.formatted(self.text(given[0]), given[1:], string(self.variables["CONVFMT"]))
        else:
            form = string(self.variables["OFMT"])
            shown = [string(each, form) for each in given] if arguments else [self._record]
            text = string(self.variables["OFS"]).join(shown) + string(self.variables["ORS"])
        self.write(operator, self.text(self.evaluate(target)) if target is not None else "", self.bounded(text))

    # ---- what goes out and comes in

    def write(self, operator: str, target: str, text: str) -> None:
        process = self.call.process
        self._steps += 2
        if not operator or target in ("/dev/stdout", "-"):
            process.print(text)
        elif target == "/dev/stderr":
            process.complain(text)
        elif operator == "|":
            waiting = self._pipes.setdefault(target, bytearray())
            waiting += text.encode("utf-8", "surrogateescape")
            if len(waiting) > CAPTURE_BYTES:
                raise NotInterpreted("an awk program with that much in a pipe")
        else:
            append = operator == ">>" or target in self._written
            self._written.add(target)
            try:
                process.write(target, text.encode("utf-8", "surrogateescape"), append=append)
            except OSError as error:
                raise self.failed(f"can't redirect to {target} ({reason(error)})") from None

    def failed(self, message: str) -> Exit:
        self.call.process.complain(f"{self.call.name}: {message}\n")
        return Exit(2)

    def command(self, line: str, stdin: bytes, out: Callable[[bytes], None]) -> int:
        """Runs it to its end. What would have to wait is not interpreted."""
        process = self.call.process.child(["sh", "-c", line], out, None, Input(stdin))
        program = process.world.find_program("sh", process)
        if program is None or process.depth > _DEEPEST:
            raise NotInterpreted(f'awk with the command "{line}"')
        run = run_program(program, process)
        try:
            while next(run) == PAUSE:
                self.work.add(1)
        except StopIteration as ended:
            return int(ended.value or 0)
        except Exit as left:
            return left.code
        run.close()
        raise NotInterpreted("an awk program that waits for a command")

    def system(self, line: str) -> float:
        return float(self.command(line, b"", self.call.process.out))

    def now(self) -> datetime:
        moment: datetime = self.call.process.world.clock.now()
        return moment

    def close(self, target: str) -> float:
        self._written.discard(target)
        known = self._sources.pop(target, None) is not None
        waiting = self._pipes.pop(target, None)
        if waiting is not None:
            return float(self.command(target, bytes(waiting), self.call.process.out))
        return 0.0 if known else -1.0

    def read_line(self, kind: str, source: str) -> tuple[float, str]:
        """(1, the record), (0, '') at the end, (-1, '') where it cannot be read."""
        if kind == "input":
            return (1.0, self.lines.pop()) if self.lines else (0.0, "")
        waiting = self._sources.get(source)
        if waiting is None:
            data = bytearray()
            try:
                if kind == "command":
                    self.command(source, b"", data.extend)
                else:
                    data += self.call.process.stdin.take() if source == "-" else self.call.process.read(source)
            except OSError:
                return -1.0, ""
            separator = string(self.variables["RS"])
            waiting = self._sources[source] = list(reversed(values.records(text_of(bytes(data)), separator)))
        return (1.0, waiting.pop()) if waiting else (0.0, "")

    # ---- expressions

    def bounded(self, text: str) -> str:
        """The text; what is long costs more than a step."""
        self._steps += len(text) >> 9
        return values.bounded(text)

    def _count(self) -> None:
        """Raises NotInterpreted where it computes for too long."""
        self.work.add(self._steps >> 1)
        self._all_steps += self._steps
        self._steps = 0
        if self._all_steps > _MOST_STEPS:
            raise NotInterpreted("an awk program that runs that long")

    def evaluate(self, node: Node) -> Value:
        self._steps += 1
        if self._steps >= _STEPS_COUNTED:
            self._count()
        return EXPRESSIONS[node[0]](self, node)

    def key(self, subscripts: Sequence[Node]) -> str:
        given = [self.evaluate(each) for each in subscripts]
        if len(given) == 1:
            return self.text(given[0])
        return string(self.variables["SUBSEP"]).join(self.text(each) for each in given)

    def call_function(self, name: str, arguments: Sequence[Node]) -> Value:
        function = self.program.functions.get(name)
        if function is None or len(arguments) > len(function.parameters):
            raise NotInterpreted(f"awk's function {name}()")
        if len(self.locals) >= _DEEPEST:
            raise NotInterpreted("an awk program with functions that deep")
        frame: dict[str, Any] = dict.fromkeys(function.parameters, UNSET)
        for parameter, argument in zip(function.parameters, arguments, strict=False):
            if argument[0] == "variable" and (parameter in self._arrays[name] or self.is_array(argument[1])):
                frame[parameter] = self.array(argument[1])
            else:
                frame[parameter] = self.evaluate(argument)
        self.locals.append(frame)
        try:
            self.execute(function.body)
        except _Return as returned:
            return returned.value
        finally:
            self.locals.pop()
        return UNSET

    def is_array(self, name: str) -> bool:
        scope = self.locals[-1] if self.locals and name in self.locals[-1] else self.variables
        return isinstance(scope.get(name), dict)


_STATEMENTS: dict[str, Callable[[Interpreter, Node], None]] = {
    "block": Interpreter._block,
    "expression": Interpreter._expression,
    "if": Interpreter._if,
    "while": Interpreter._while,
    "do": Interpreter._do,
    "for": Interpreter._for,
    "forin": Interpreter._for_in,
    "next": Interpreter._next,
    "nextfile": Interpreter._next,
    "break": Interpreter._next,
    "continue": Interpreter._next,
    "exit": Interpreter._exit,
    "return": Interpreter._return,
    "delete": Interpreter._delete,
    "print": Interpreter._print,
    "printf": Interpreter._print,
}


def _array_parameters(functions: dict[str, Function]) -> dict[str, set[str]]:
    """Of each function those parameters that are arrays: by how its body, or what it calls, uses them."""
    found: dict[str, set[str]] = {name: set() for name in functions}
    changed = True
    while changed:
        changed = False
        for name, function in functions.items():
            used = {each for each in _arrays_in(function.body, functions, found) if each in function.parameters}
            changed = changed or not used <= found[name]
            found[name] |= used
    return found


def _arrays_in(node: Any, functions: dict[str, Function], known: dict[str, set[str]]) -> set[str]:
    used: set[str] = set()
    waiting = [node]
    while waiting:
        each = waiting.pop()
        if isinstance(each, list):
            waiting += each
        if not isinstance(each, tuple):
            continue
        waiting += each[1:]
        if each[:1] in (("element",), ("delete",)):
            used.add(each[1])
        elif each[:1] in (("in",), ("forin",)):
            used.add(each[2])
        elif each[:2] == ("builtin", "split") and len(each[2]) > 1 and each[2][1][0] == "variable":
            used.add(each[2][1][1])
        elif each[:1] == ("call",) and each[1] in functions:
            for parameter, argument in zip(functions[each[1]].parameters, each[2], strict=False):
                if argument[0] == "variable" and parameter in known[each[1]]:
                    used.add(argument[1])
    return used
