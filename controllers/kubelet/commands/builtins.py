"""What the shell does itself: variables, tests, echo, traps, jumps."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Generator, Mapping, Sequence
from typing import TYPE_CHECKING

from controllers.kubelet.commands import patterns
from controllers.kubelet.commands.errors import Break, Continue, Exit, NotInterpreted, Return
from controllers.kubelet.commands.limits import ARGUMENTS
from controllers.kubelet.commands.parser import parse
from controllers.kubelet.commands.process import Process
from controllers.kubelet.files.tree import Device, Directory, Symlink, size_of

if TYPE_CHECKING:
    from controllers.kubelet.commands.shell import Shell, Streams

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

_FILE_TESTS = "bcdefghLprsSuwxkOG"
_INTEGERS: Mapping[str, Callable[[int, int], bool]] = {
    "-eq": lambda a, b: a == b,
    "-ne": lambda a, b: a != b,
    "-gt": lambda a, b: a > b,
    "-ge": lambda a, b: a >= b,
    "-lt": lambda a, b: a < b,
    "-le": lambda a, b: a <= b,
}
_TEXTS: Mapping[str, Callable[[str, str], bool]] = {
    "=": lambda a, b: a == b,
    "==": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
    "<": lambda a, b: a < b,
    ">": lambda a, b: a > b,
}


class TestError(Exception):
    """The message is the shell's."""


def file_test(process: Process, kind: str, path: str) -> bool:
    files, absolute = process.world.files, process.path(path)
    try:
        node = files.node(absolute, process.who, follow=kind not in "hL")
    except OSError:
        return False
    if kind == "d":
        return isinstance(node, Directory)
    if kind == "f":
        return not isinstance(node, Directory | Device | Symlink)
    if kind in "hL":
        return isinstance(node, Symlink)
    if kind == "c":
        return isinstance(node, Device)
    if kind == "s":
        return size_of(node) > 0
    if kind in "rwx":
        if kind == "w" and files.mount_of(files.real_path(absolute, process.who)).read_only:
            return False
        if kind == "x" and process.who.uid == 0 and not isinstance(node, Directory):
            return bool(node.mode & 0o111)
        return process.who.may(node, {"r": 4, "w": 2, "x": 1}[kind])
    if kind in "ug":
        return bool(node.mode & (0o4000 if kind == "u" else 0o2000))
    return kind == "e" or (kind == "O" and node.uid == process.who.uid) or (kind == "G" and node.gid == process.who.gid)


def _integer(text: str) -> int:
    if not re.fullmatch(r"\s*[-+]?\d{1,18}\s*", text):
        raise TestError(f"{text}: bad number" if text else ": out of range")
    return int(text)


class _Test:
    """test and [: a small grammar over whole words."""

    def __init__(self, process: Process, words: Sequence[str]) -> None:
        self._process = process
        self._words = list(words)
        self._at = 0

    def whole(self) -> bool:
        if not self._words:
            return False
        value = self._or()
        if self._at < len(self._words):
            raise TestError(f"{self._words[self._at]}: unexpected operator")
        return value

    def _left(self) -> int:
        return len(self._words) - self._at

    def _or(self) -> bool:
        value = self._and()
        while self._left() and self._words[self._at] == "-o":
            self._at += 1
            value = self._and() or value
        return value

    def _and(self) -> bool:
        value = self._not()
        while self._left() and self._words[self._at] == "-a":
            self._at += 1
            value = self._not() and value
        return value

    def _not(self) -> bool:
        negated = False
        while self._left() > 1 and self._words[self._at] == "!":
            self._at += 1
            negated = not negated
        return self._primary() is not negated

    def _primary(self) -> bool:
        if not self._left():
            raise TestError("argument expected")
        words = self._words[self._at : self._at + 3]
        if len(words) == 3 and (words[1] in _TEXTS or words[1] in _INTEGERS):
            self._at += 3
            return compared(words[0], words[1], words[2])
        if words[0] == "(" and len(words) > 1:
            self._at += 1
            value = self._or()
            if not self._left() or self._words[self._at] != ")":
                raise TestError("closing paren expected")
            self._at += 1
            return value
        if len(words) > 1 and re.fullmatch(f"-[{_FILE_TESTS}nzt]", words[0]):
            self._at += 2
            return unary(self._process, words[0][1], words[1])
        self._at += 1
        return bool(words[0])


def compared(left: str, operator: str, right: str) -> bool:
    if operator in _TEXTS:
        return _TEXTS[operator](left, right)
    return _INTEGERS[operator](_integer(left), _integer(right))


def unary(process: Process, kind: str, operand: str) -> bool:
    if kind in "nz":
        return bool(operand) is (kind == "n")
    if kind == "t":
        return process.world.terminal
    return file_test(process, kind, operand)


def evaluate(process: Process, words: Sequence[str], name: str, say: Callable[[str], None]) -> int:
    try:
        return int(not _Test(process, words).whole())
    except TestError as error:
        say(f"{name}: {error}")
        return 2


def _test(shell: Shell, arguments: list[str], streams: Streams) -> int:
    return evaluate(shell.process, arguments, "test", lambda text: _complain(shell, streams, text))


def _bracket(shell: Shell, arguments: list[str], streams: Streams) -> int:
    if not arguments or arguments[-1] != "]":
        _complain(shell, streams, "[: missing ]")
        return 2
    return evaluate(shell.process, arguments[:-1], "[", lambda text: _complain(shell, streams, text))


def double_bracket(process: Process, words: Sequence[tuple[str, list[patterns.Piece]]]) -> int:
    """[[ ... ]]: patterns on the right of = and !=, expressions on that of =~."""
    if not words:
        raise NotInterpreted("a script with an empty [[ ]]")
    value, index, negated = True, 0, False
    operator = "&&"
    while index < len(words):
        text = words[index][0]
        if text == "!":
            negated, index = not negated, index + 1
            continue
        if text in ("(", ")"):
            raise NotInterpreted("a script with [[ ( ) ]]")
        result, index = _bracket_term(process, words, index)
        value = _combined(value, operator, result is not negated)
        negated = False
        if index < len(words):
            operator, index = words[index][0], index + 1
            if operator not in ("&&", "||"):
                raise NotInterpreted(f"a script with [[ ... {operator} ]]")
    return int(not value)


def _combined(value: bool, operator: str, result: bool) -> bool:
    return (value and result) if operator == "&&" else (value or result)


def _bracket_term(process: Process, words: Sequence[tuple[str, list[patterns.Piece]]], index: int) -> tuple[bool, int]:
    text = words[index][0]
    following = words[index + 1][0] if index + 1 < len(words) else ""
    if index + 2 < len(words) and following in ("=", "==", "!=", "=~", *_INTEGERS, "<", ">"):
        right, pieces = words[index + 2]
        if following == "=~":
            return patterns.expression(right).search(text) is not None, index + 3
        if following in ("=", "==", "!="):
            return patterns.matches(text, pieces) is (following != "!="), index + 3
        try:
            return compared(text, following, right), index + 3
        except TestError:
            return False, index + 3
    if re.fullmatch(f"-[{_FILE_TESTS}nzt]", text) and index + 1 < len(words):
        return unary(process, text[1], following), index + 2
    return bool(text), index + 1


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
