"""awk: its options, its arguments and its files."""

from __future__ import annotations

from collections.abc import Generator, Sequence

from controllers.kubelet.commands.errors import Exit, NotInterpreted
from controllers.kubelet.commands.process import Run
from controllers.kubelet.commands.programs import awk_values as values
from controllers.kubelet.commands.programs.awk_machine import Interpreter
from controllers.kubelet.commands.programs.awk_syntax import parse
from controllers.kubelet.commands.programs.awk_tokens import AwkSyntaxError, unescaped
from controllers.kubelet.commands.programs.call import Call, programs, reason, text_of

Waits = float | None


def _awk(call: Call) -> Run:
    given, separator, assigned, words = _options(call)
    if given is None:
        if not words:
            raise call.usage("no program given" if call.gnu else "BusyBox v1.36.1: too few arguments", 2 if call.gnu else 1)
        given = words.pop(0)
    try:
        program = parse(given)
    except AwkSyntaxError as wrong:
        if call.gnu:
            call.process.complain(f"{call.name}: line {wrong.line}: syntax error at or near {wrong.token}\n")
            return 2
        call.process.complain(f"{call.name}: cmd. line:{wrong.line}: Unexpected token\n")
        return 1
    made = Interpreter(call, program, separator, assigned)
    made.variables["ARGV"] = {str(index): values.given(word) for index, word in enumerate(["awk", *words])}
    made.variables["ARGC"] = float(len(words) + 1)
    inputs: list[tuple[str, list[str]]] = []
    if any(rule.kind != "BEGIN" for rule in program.rules):
        yield from _read(made, words, inputs)
    yield from made.run(inputs)
    return made.code


def _options(call: Call) -> tuple[str | None, str, list[tuple[str, str]], list[str]]:
    """(the program of -f, FS, assignments of -v, the other words)"""
    words = list(call.arguments)
    program: str | None = None
    separator = " "
    assigned: list[tuple[str, str]] = []
    while words and words[0].startswith("-") and words[0] != "-":
        word = words.pop(0)
        if word == "--":
            break
        letter, value = word[1], word[2:]
        if letter not in "fFv" or word.startswith("--"):
            raise NotInterpreted(f'"awk {word}"')
        if not value:
            if not words:
                raise call.usage(f"option requires an argument: {letter}")
            value = words.pop(0)
        if letter == "F":
            separator = "\t" if value == "t" else unescaped(value)
        elif letter == "v":
            name, _, text = value.partition("=")
            assigned.append((name, text))
        else:
            try:
                program = (program or "") + text_of(call.process.read(value)) + "\n"
            except OSError as error:
                call.process.complain(f"{call.name}: cannot open {value} ({reason(error)})\n")
                raise Exit(2 if call.gnu else 1) from None
    return program, separator, assigned, words


def _read(made: Interpreter, words: Sequence[str], inputs: list[tuple[str, list[str]]]) -> Generator[Waits, None, None]:
    call = made.call
    files = 0
    for word in words:
        name, equals, value = word.partition("=")
        if equals and name.isidentifier():
            inputs.append(("=", [name, value]))
            continue
        files += 1
        if word == "-":
            inputs.append(("", [text_of((yield from call.process.stdin.all()))]))
            continue
        try:
            inputs.append((word, [text_of(call.process.read(word))]))
        except OSError as error:
            if call.gnu:
                raise made.failed(f"cannot open {word} ({reason(error)})") from None
            call.process.complain(f"{call.name}: {word}: {reason(error)}\n")
            made.code = 1
    if not files:
        inputs.append(("", [text_of((yield from call.process.stdin.all()))]))


program = programs(dict.fromkeys(("awk", "gawk", "mawk"), _awk))
