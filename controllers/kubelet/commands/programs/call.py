"""One call of a program: its words taken apart, its messages as the program gives them, the files it reads."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from functools import partial

from controllers.kubelet.commands.errors import Exit, NotInterpreted
from controllers.kubelet.commands.limits import LINES
from controllers.kubelet.commands.process import Input, Process, Run
from controllers.kubelet.files.tree import Directory, FileSystem, Node, Who

Waits = float | None
Options = dict[str, str]
"""Letter > value; '' for an option that takes none."""


class Call:
    """`gnu`: the image carries the GNU tools, else busybox; their messages differ."""

    __slots__ = ("arguments", "gnu", "name", "process")

    def __init__(self, process: Process, name: str, *, gnu: bool = False) -> None:
        self.process = process
        self.name = name
        self.gnu = gnu
        self.arguments = list(process.argv[1:])

    # ---- the world

    @property
    def files(self) -> FileSystem:
        made: FileSystem = self.process.world.files
        return made

    @property
    def who(self) -> Who:
        return self.process.who

    def path(self, path: str) -> str:
        return self.process.path(path)

    def node(self, path: str, *, follow: bool = True) -> Node:
        """Raises OSError."""
        return self.files.node(self.path(path), self.who, follow=follow)

    def pace(self, units: int) -> Sequence[float]:
        """To be yielded from wherever a loop may be long: `work.Work.spend`."""
        paused: Sequence[float] = self.process.world.work.spend(units)
        return paused

    # ---- words

    def options(
        self, flags: str = "", valued: str = "", long: Mapping[str, str] | None = None, *, permute: bool = True
    ) -> tuple[Options, list[str]]:
        """(the options given, the operands). `long` names the letter of a long option. With `permute`, options may follow operands.
        What is not among them is refused by name, for what it would do is not known."""
        given: Options = {}
        operands: list[str] = []
        words = self.arguments
        at = 0
        while at < len(words):
            word = words[at]
            at += 1
            if word == "--":
                return given, operands + words[at:]
            if word.startswith("--"):
                at += self._long(word, words[at : at + 1], given, valued, long or {})
            elif word.startswith("-") and len(word) > 1:
                at += self._short(word, words[at : at + 1], given, flags, valued)
            else:
                operands.append(word)
                if not permute:
                    return given, operands + words[at:]
        return given, operands

    def _long(self, word: str, following: Sequence[str], given: Options, valued: str, long: Mapping[str, str]) -> int:
        name, equals, value = word[2:].partition("=")
        letter = long.get(name)
        if letter is None:
            raise NotInterpreted(f'"{self.name} --{name}"')
        if letter not in valued or equals:
            given[letter] = value
            return 0
        given[letter] = self._value(following, word)
        return 1

    def _short(self, word: str, following: Sequence[str], given: Options, flags: str, valued: str) -> int:
        for index, letter in enumerate(word[1:], 1):
            if letter in valued:
                rest = word[index + 1 :]
                given[letter] = rest or self._value(following, f"-{letter}")
                return 0 if rest else 1
            if letter not in flags:
                raise NotInterpreted(f'"{self.name} -{letter}"')
            given[letter] = ""
        return 0

    def _value(self, following: Sequence[str], option: str) -> str:
        if not following:
            raise self.usage(
                f"option requires an argument -- '{option.lstrip('-')}'"
                if self.gnu
                else f"option requires an argument: {option.lstrip('-')}"
            )
        return following[0]

    def usage(self, message: str, code: int = 1) -> Exit:
        self.complain(message)
        return Exit(code)

    def missing_operand(self, after: str = "") -> Exit:
        if self.gnu:
            return self.usage(f"missing {'file ' if self.name not in ('basename', 'dirname', 'expr') else ''}operand{after}")
        return self.usage("BusyBox v1.36.1: too few arguments")

    # ---- output

    def print(self, text: str) -> None:
        self.process.print(text)

    def complain(self, message: str) -> None:
        self.process.complain(f"{self.name}: {message}\n")

    def failed(self, path: str, error: OSError, busybox: str = "can't open '{}'", gnu: str = "{}") -> int:
        """Says why; the exit code."""
        self.complain(f"{(gnu if self.gnu else busybox).format(path)}: {reason(error)}")
        return 1

    # ---- input

    def inputs(
        self, names: Sequence[str], busybox: str = "can't open '{}'", gnu: str = "{}"
    ) -> Generator[Waits, None, tuple[int, list[tuple[str, bytes]]]]:
        """(1 where one could not be read, which has been said; the name and content of the others). '-' and no name at all are the
        standard input, read to its end."""
        code, contents = 0, []
        for name in names or ("-",):
            if name == "-":
                contents.append(("-", (yield from self.process.stdin.all())))
                continue
            try:
                contents.append((name, self.process.read(name)))
            except OSError as error:
                code = self.failed(name, error, busybox, gnu)
        return code, contents


def reason(error: OSError) -> str:
    return os.strerror(error.errno or 0)


def text_of(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def lines_of(data: bytes) -> list[str]:
    """Without their ends; a last line needs none. Raises NotInterpreted for more lines than a program takes apart."""
    lines = text_of(split(data, b"\n")).split("\n")
    if lines[-1] == "":
        lines.pop()
    return lines


def split(data: bytes, separator: bytes) -> bytes:
    """`data`, where it has not too many parts. Raises NotInterpreted."""
    if len(data) > LINES and data.count(separator) > LINES:
        raise NotInterpreted(f"a text of more than {LINES} lines")
    return data


def chunks(stdin: Input) -> Generator[Waits, None, bytes | None]:
    """What is there next; None at the end."""
    while True:
        data = stdin.take()
        if data:
            return data
        if stdin.closed:
            return None
        yield None


Applet = Callable[[Call], int | Run]


def programs(applets: Mapping[str, Applet]) -> Callable[[str, bool], Callable[[Process], int | Run]]:
    """What a module of programs offers to `find`."""

    def run(name: str, gnu: bool, process: Process) -> int | Run:
        return applets[name](Call(process, name, gnu=gnu))

    def program(name: str, gnu: bool) -> Callable[[Process], int | Run]:
        return partial(run, name, gnu)

    return program


def number(call: Call, text: str, what: str = "number") -> int:
    """Raises Exit with the program's words."""
    digits = text.lstrip("+-")
    if not digits.isdigit() or len(digits) > 15 or not digits.isascii():
        raise call.usage(f"invalid {what}: '{text}'" if call.gnu else f"invalid number '{text}'")
    return int(text)


def walk(call: Call, path: str, *, depth: int = 0) -> Iterator[tuple[str, Node, int]]:
    """`path` and all below it, folders before what is in them, links not followed. Unreadable folders are said and left out."""
    try:
        node = call.node(path, follow=False)
    except OSError as error:
        call.failed(path, error, "{}", "'{}'")
        return
    yield path, node, depth
    if not isinstance(node, Directory) or depth > 64:
        return
    try:
        names = call.files.names(call.path(path), call.who)
    except OSError as error:
        call.failed(path, error, "{}", "'{}'")
        return
    for name in names:
        yield from walk(call, f"{path.rstrip('/')}/{name}", depth=depth + 1)
