"""What the shell does itself: variables, tests, echo, traps, jumps."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Generator, Mapping, Sequence
from typing import Protocol

from controllers.kubelet.commands import conditions, syntax
from controllers.kubelet.commands.errors import Break, Continue, Exit, NotInterpreted, Return
from controllers.kubelet.commands.limits import ARGUMENTS
from controllers.kubelet.commands.parser import parse
from controllers.kubelet.commands.process import Process, Streams

Waits = float | None


class Shell(Protocol):
    """What built-in commands ask of their shell (`shell.Shell`)."""

    process: Process
    name: str
    positional: list[str]
    variables: dict[str, str]
    exported: set[str]
    functions: dict[str, syntax.Command]
    status: int
    no_unset: bool
    stop_on_error: bool
    trace: bool
    pipe_fail: bool

    def execute(self, node: syntax.Command, streams: Streams) -> Generator[Waits, None, int]: ...

    def run(self, words: list[str], streams: Streams) -> Generator[Waits, None, int]: ...

    def set_trap(self, action: str | None, signal: str) -> bool: ...


Result = int | Generator[float | None, None, int]
_NAME = re.compile(r"[A-Za-z_]\w*")
_SAFE = re.compile(r"[\w@%+=:,./-]+")


def quoted(text: str) -> str:
    """As a shell shows a word that could be typed again."""
    return text if _SAFE.fullmatch(text) else "'" + text.replace("'", "'\"'\"'") + "'"


def _say(streams: Streams, text: str) -> None:
    streams.out(text.encode("utf-8", "surrogateescape"))


def _complain(shell: Shell, streams: Streams, text: str) -> None:
    streams.error(f"{shell.name}: {text}\n".encode("utf-8", "surrogateescape"))


# ---- output

_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "a": "\a", "b": "\b", "f": "\f", "v": "\v", "\\": "\\", "e": "\x1b"}
_ESCAPE = re.compile(r"\\(x[0-9a-fA-F]{1,2}|0?[0-7]{1,3}|.)", re.DOTALL)


def unescaped(text: str) -> str:
    """Backslash escapes as echo -e and printf know them; \\c is left to the caller."""

    def value(escape: re.Match[str]) -> str:
        code = escape.group(1)
        if code[0] == "x" and len(code) > 1:
            return chr(int(code[1:], 16))
        if code[0] in "01234567":
            return chr(int(code, 8) & 255)
        return _ESCAPES.get(code, "\\" + code)

    return _ESCAPE.sub(value, text)


def echo(arguments: Sequence[str]) -> str:
    newline, escapes, words = "\n", False, list(arguments)
    while words and re.fullmatch(r"-[neE]+", words[0]):
        option = words.pop(0)
        newline = "" if "n" in option else newline
        escapes = "e" in option or (escapes and "E" not in option)
    text = " ".join(words)
    if escapes:
        before, cut, _ = text.partition("\\c")
        text, newline = unescaped(before), "" if cut else newline
    return text + newline


def _echo(shell: Shell, arguments: list[str], streams: Streams) -> int:
    _say(streams, echo(arguments))
    return 0


_DIRECTIVE = re.compile(r"%([-+ 0#]*)(\*|\d+)?(?:\.(\*|\d+))?([sdiouxXcbfgeEG%])")


def printf(arguments: Sequence[str]) -> str:
    """The format is used again while there are arguments."""
    form, values = arguments[0], list(arguments[1:])
    text = ""
    for _ in range(ARGUMENTS):
        before = len(values)
        text += _DIRECTIVE.sub(lambda directive: _directive(directive, values), unescaped(form))
        if not values or len(values) == before:
            break
    return text


def _directive(directive: re.Match[str], values: list[str]) -> str:
    flags, width, precision, kind = directive.groups()
    if kind == "%":
        return "%"
    if width == "*":
        width = values.pop(0) if values else "0"
    if precision == "*" or any(not each.lstrip("-").isdigit() or abs(int(each[:9])) > 10_000 for each in (width, precision) if each):
        raise NotInterpreted("printf of that width")
    value = values.pop(0) if values else ""
    spec = f"%{flags}{width or ''}{'.' + precision if precision else ''}"
    if kind in "sb":
        return (spec + "s") % (unescaped(value) if kind == "b" else value)
    if kind == "c":
        return value[:1]
    try:
        if kind in "fgeEG":
            return (spec + kind) % float(value or 0)
        number = ord(value[1]) if value[:1] in ("'", '"') and len(value) > 1 else int(value or "0", 0)
    except ValueError:
        number = 0
    return (spec + kind.replace("i", "d").replace("u", "d")) % number


def _printf(shell: Shell, arguments: list[str], streams: Streams) -> int:
    if not arguments:
        _complain(shell, streams, "printf: usage: printf FORMAT [ARG]...")
        return 2
    _say(streams, printf(arguments[1:] if arguments[0] == "--" else arguments))
    return 0


# ---- variables and options


def _export(shell: Shell, arguments: list[str], streams: Streams) -> int:
    if not arguments or arguments == ["-p"]:
        for name in sorted(shell.exported & shell.variables.keys()):
            _say(streams, f"export {name}={quoted(shell.variables[name])}\n")
        return 0
    for argument in arguments:
        name, equals, value = argument.partition("=")
        if not _NAME.fullmatch(name):
            _complain(shell, streams, f"export: {argument}: bad variable name")
            return 2
        if equals:
            shell.variables[name] = value
        shell.exported.add(name)
    return 0


def _local(shell: Shell, arguments: list[str], streams: Streams) -> int:
    """Kept for the whole script: functions that need a variable of their own under a name in use are rare."""
    for argument in arguments:
        if argument.startswith("-"):
            continue
        name, equals, value = argument.partition("=")
        if equals:
            shell.variables[name] = value
    return 0


def _unset(shell: Shell, arguments: list[str], streams: Streams) -> int:
    for name in arguments:
        if name == "-f":
            continue
        shell.variables.pop(name, None)
        shell.exported.discard(name)
        shell.functions.pop(name, None)
    return 0


def _shift(shell: Shell, arguments: list[str], streams: Streams) -> int:
    count = _number(arguments[0]) if arguments else 1
    if count > len(shell.positional):
        return 1
    del shell.positional[:count]
    return 0


def _number(text: str) -> int:
    return int(text) if re.fullmatch(r"\d{1,9}", text) else 0


def set_option(shell: Shell, option: str) -> None:
    """-eux, -o pipefail."""
    on = option.startswith("-")
    letters = option[1:]
    if letters.startswith("o"):
        named = {"pipefail": "p", "errexit": "e", "nounset": "u", "xtrace": "x"}
        letters = named.get(letters[1:].strip(), "")
    for letter in letters:
        if letter == "e":
            shell.stop_on_error = on
        elif letter == "u":
            shell.no_unset = on
        elif letter == "x":
            shell.trace = on
        elif letter == "p":
            shell.pipe_fail = on


def _set(shell: Shell, arguments: list[str], streams: Streams) -> int:
    if not arguments:
        for name in sorted(shell.variables):
            _say(streams, f"{name}={quoted(shell.variables[name])}\n")
        return 0
    words = list(arguments)
    while words and words[0][:1] in ("-", "+") and len(words[0]) > 1:
        option = words.pop(0)
        if option == "--":
            shell.positional = words
            return 0
        if option[-1] == "o" and words:
            set_option(shell, option[:-1])
            option = f"{option[0]}o{words.pop(0)}"
        set_option(shell, option)
    if words:
        shell.positional = words
    return 0


def _read(shell: Shell, arguments: list[str], streams: Streams) -> Result:
    raw = False
    names = []
    for argument in arguments:
        if argument.startswith("-"):
            raw = raw or "r" in argument
        else:
            names.append(argument)
    line = yield from streams.stdin.line()
    text = (line or b"").decode("utf-8", "surrogateescape")
    if not raw:
        text = re.sub(r"\\(.)", r"\1", text)
    names = names or ["REPLY"]
    separators = shell.variables.get("IFS", " \t\n")
    fields = re.split(f"[{re.escape(separators)}]+", text.strip(separators), maxsplit=len(names) - 1) if separators else [text]
    for index, name in enumerate(names):
        shell.variables[name] = fields[index] if index < len(fields) else ""
    return 1 if line is None else 0


# ---- places and programs


def _cd(shell: Shell, arguments: list[str], streams: Streams) -> int:
    process = shell.process
    target = arguments[0] if arguments else shell.variables.get("HOME", "/")
    if target == "-":
        target = shell.variables.get("OLDPWD", process.cwd)
    try:
        files = process.world.files
        real = files.real_path(process.path(target), process.who)
        files.names(real, process.who) if files.node(real).mode & 0o444 else None
    except OSError as error:
        _complain(shell, streams, f"cd: can't cd to {target}: {os.strerror(error.errno or 0)}")
        return 2
    shell.variables["OLDPWD"], process.cwd = process.cwd, real
    return 0


def _pwd(shell: Shell, arguments: list[str], streams: Streams) -> int:
    _say(streams, shell.process.cwd + "\n")
    return 0


def _eval(shell: Shell, arguments: list[str], streams: Streams) -> Result:
    return (yield from shell.execute(parse(" ".join(arguments)), streams))


def _source(shell: Shell, arguments: list[str], streams: Streams) -> Result:
    try:
        text = shell.process.read(arguments[0] if arguments else "").decode("utf-8", "surrogateescape")
    except OSError as error:
        _complain(shell, streams, f".: can't open '{''.join(arguments[:1])}': {os.strerror(error.errno or 0)}")
        raise Exit(2) from None
    try:
        return (yield from shell.execute(parse(text), streams))
    except Return as returned:
        return returned.code


def _exec(shell: Shell, arguments: list[str], streams: Streams) -> Result:
    if not arguments:
        return 0
    raise Exit((yield from shell.run(arguments, streams)))


def _command(shell: Shell, arguments: list[str], streams: Streams) -> Result:
    if arguments and arguments[0] in ("-v", "-V"):
        return _type(shell, arguments[1:], streams)
    if not arguments:
        return 0
    builtin = BUILTINS.get(arguments[0])
    if builtin is not None:
        result = builtin(shell, arguments[1:], streams)
        return result if isinstance(result, int) else (yield from result)
    return (yield from shell.run(arguments, streams))


def _type(shell: Shell, arguments: list[str], streams: Streams) -> int:
    code = 0
    for name in arguments:
        if name in shell.functions or name in BUILTINS:
            _say(streams, name + "\n")
        elif shell.process.world.find_program(name, shell.process) is not None:
            _say(streams, (name if "/" in name else f"/bin/{name}") + "\n")
        else:
            code = 127
    return code


def _type_words(shell: Shell, arguments: list[str], streams: Streams) -> int:
    code = 0
    for name in arguments:
        if name in shell.functions:
            _say(streams, f"{name} is a function\n")
        elif name in BUILTINS:
            _say(streams, f"{name} is a shell builtin\n")
        elif shell.process.world.find_program(name, shell.process) is not None:
            _say(streams, f"{name} is /bin/{name}\n")
        else:
            _say(streams, f"{name}: not found\n")
            code = 127
    return code


def _umask(shell: Shell, arguments: list[str], streams: Streams) -> int:
    if arguments and re.fullmatch(r"[0-7]{1,4}", arguments[0]):
        shell.process.umask = int(arguments[0], 8) & 0o777
    else:
        _say(streams, f"{shell.process.umask:04o}\n")
    return 0


# ---- jumps


def _exit(shell: Shell, arguments: list[str], streams: Streams) -> int:
    raise Exit(_number(arguments[0]) if arguments else shell.status)


def _return(shell: Shell, arguments: list[str], streams: Streams) -> int:
    raise Return(_number(arguments[0]) if arguments else shell.status)


def _break(shell: Shell, arguments: list[str], streams: Streams) -> int:
    raise Break(max(_number(arguments[0]), 1) if arguments else 1)


def _continue(shell: Shell, arguments: list[str], streams: Streams) -> int:
    raise Continue(max(_number(arguments[0]), 1) if arguments else 1)


def _trap(shell: Shell, arguments: list[str], streams: Streams) -> int:
    words = [word for word in arguments if word != "--"]
    if len(words) < 2:
        if words and shell.set_trap(None, words[0]):
            return 0
        return 0 if not words else 1
    for signal in words[1:]:
        if not shell.set_trap(words[0], signal):
            _complain(shell, streams, f"trap: {signal}: invalid signal specification")
            return 1
    return 0


def _wait(shell: Shell, arguments: list[str], streams: Streams) -> int:
    return 0


# ---- tests


def _test(shell: Shell, arguments: list[str], streams: Streams) -> int:
    return conditions.evaluate(shell.process, arguments, "test", lambda text: _complain(shell, streams, text))


def _bracket(shell: Shell, arguments: list[str], streams: Streams) -> int:
    if not arguments or arguments[-1] != "]":
        _complain(shell, streams, "[: missing ]")
        return 2
    return conditions.evaluate(shell.process, arguments[:-1], "[", lambda text: _complain(shell, streams, text))


def _true(shell: Shell, arguments: list[str], streams: Streams) -> int:
    return 0


def _false(shell: Shell, arguments: list[str], streams: Streams) -> int:
    return 1


BUILTINS: Mapping[str, Callable[[Shell, list[str], Streams], Result]] = {
    ":": _true,
    "true": _true,
    "false": _false,
    "echo": _echo,
    "printf": _printf,
    "cd": _cd,
    "pwd": _pwd,
    "export": _export,
    "readonly": _export,
    "local": _local,
    "declare": _local,
    "unset": _unset,
    "set": _set,
    "shift": _shift,
    "read": _read,
    "eval": _eval,
    ".": _source,
    "source": _source,
    "exec": _exec,
    "command": _command,
    "type": _type_words,
    "umask": _umask,
    "exit": _exit,
    "return": _return,
    "break": _break,
    "continue": _continue,
    "trap": _trap,
    "wait": _wait,
    "test": _test,
    "[": _bracket,
}
