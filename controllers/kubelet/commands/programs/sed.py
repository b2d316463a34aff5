"""sed: addresses, s y d p a i c = n N D P h H g G x q b t, labels, -n -e -E -i -s. Others are refused by name."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from controllers.kubelet.commands.errors import NotInterpreted
from controllers.kubelet.commands.limits import CAPTURE_BYTES
from controllers.kubelet.commands.patterns import Expression
from controllers.kubelet.commands.process import Run
from controllers.kubelet.commands.programs.call import Applet, Call, lines_of, programs
from controllers.kubelet.commands.programs.grep import compiled
from controllers.kubelet.commands.programs.sed_words import scripts_of

_MOST_STEPS = 200_000


@dataclass(frozen=True, slots=True)
class _Address:
    line: int = 0
    last: bool = False
    step: int = 0
    expression: Expression | None = None
    more: int = -1
    """addr,+N"""


@dataclass(slots=True)
class _Command:
    letter: str
    addresses: tuple[_Address, ...] = ()
    negated: bool = False
    text: str = ""
    expression: Expression | None = None
    replacement: tuple[str | int, ...] = ()
    flags: str = ""
    which: int = 1
    target: int = -1
    """Where a branch or a block's end is."""
    active_until: int = -1
    """Of a range: its last line where that is known, 0 where an expression ends it."""
    table: dict[int, str] = field(default_factory=dict)


class _Parser:
    """The script: one list of commands, blocks as jumps."""

    def __init__(self, call: Call, text: str, *, extended: bool) -> None:
        self._call = call
        self._text = text
        self._at = 0
        self._extended = extended
        self.commands: list[_Command] = []
        self.labels: dict[str, int] = {}

    def _fail(self, message: str) -> Exception:
        if self._call.gnu:
            return self._call.usage(f"-e expression #1, char {self._at}: {message}")
        return self._call.usage(message)

    def _peek(self) -> str:
        return self._text[self._at : self._at + 1]

    def _skip(self, characters: str) -> None:
        while self._peek() and self._peek() in characters:
            self._at += 1

    def parse(self) -> list[_Command]:
        blocks: list[_Command] = []
        while True:
            self._skip(" \t\n;")
            if not self._peek():
                break
            if self._peek() == "#":
                self._line()
                continue
            addresses = self._addresses()
            self._skip(" \t")
            negated = self._peek() == "!"
            self._skip("! \t")
            letter = self._peek()
            self._at += 1
            command = _Command(letter, addresses, negated)
            if letter == "{":
                blocks.append(command)
            elif letter == "}":
                if not blocks:
                    raise self._fail("unexpected `}'")
                blocks.pop().target = len(self.commands)
            else:
                self._rest(command)
            if letter != "}" and letter != ":":
                self.commands.append(command)
        if blocks:
            raise self._fail("unmatched `{'")
        return self.commands

    def _line(self) -> str:
        end = self._text.find("\n", self._at)
        end = len(self._text) if end < 0 else end
        text, self._at = self._text[self._at : end], end + 1
        return text

    def _addresses(self) -> tuple[_Address, ...]:
        first = self._address()
        if first is None:
            return ()
        self._skip(" \t")
        if self._peek() != ",":
            return (first,)
        self._at += 1
        self._skip(" \t")
        second = self._address()
        if second is None:
            raise self._fail("unexpected `,'")
        return first, second

    def _address(self) -> _Address | None:
        number = re.compile(r"(\d{1,9})(?:~(\d{1,9}))?|\+(\d{1,9})").match(self._text, self._at)
        if number is not None:
            self._at = number.end()
            if number.group(3):
                return _Address(more=int(number.group(3)))
            if number.group(0) == "0" and self._text[self._at : self._at + 2] not in (",/", ",\\"):
                raise self._fail("invalid usage of line address 0")
            return _Address(line=int(number.group(1)), step=int(number.group(2) or 0))
        if self._peek() == "$":
            self._at += 1
            return _Address(last=True)
        if self._peek() in ("/", "\\") and self._peek():
            self._at += 1 if self._peek() == "/" else 2
            delimiter = self._text[self._at - 1 : self._at]
            text = self._until(delimiter)
            ignore_case = self._peek() == "I"
            self._at += ignore_case
            return _Address(expression=compiled(text, extended=self._extended, ignore_case=ignore_case))
        return None

    def _until(self, delimiter: str, *, keep: bool = False) -> str:
        """What stands before the delimiter, which a backslash protects."""
        made, bracket = "", False
        while True:
            character = self._peek()
            if not character or (character == "\n" and not keep):
                raise self._fail("unterminated address regex" if not keep else "unterminated `s' command")
            self._at += 1
            if character == "\\":
                following = self._peek()
                self._at += 1
                made += following if following == delimiter and delimiter not in "\\&" else "\\" + following
            elif character == delimiter and not bracket:
                return made
            else:
                bracket = (character == "[" and not keep) or (bracket and not (character == "]" and not made.endswith(("[", "[^"))))
                made += character

    def _rest(self, command: _Command) -> None:
        letter = command.letter
        if letter == "s":
            self._substitution(command)
        elif letter == "y":
            self._translation(command)
        elif letter in "aic" and letter:
            command.text = self._inserted()
        elif letter in "bt" and letter:
            self._skip(" \t")
            command.text = re.split(r"[;\n}]", self._text[self._at :], maxsplit=1)[0].strip()
            self._at += len(re.split(r"[;\n}]", self._text[self._at :], maxsplit=1)[0])
        elif letter == ":":
            label = re.split(r"[;\n]", self._text[self._at :], maxsplit=1)[0]
            self._at += len(label)
            self.labels[label.strip()] = len(self.commands)
        elif letter in "qQ" and letter:
            self._skip(" \t")
            digits = re.compile(r"\d{0,3}").match(self._text, self._at)
            command.text = digits.group(0) if digits else ""
            self._at += len(command.text)
        elif letter not in "dDpPnNhHgGx=" or not letter:
            if letter in "rRwWelFzv":
                raise NotInterpreted(f'the sed command "{letter}"')
            raise self._fail(f"unknown command: `{letter}'" if self._call.gnu else f"unsupported command {letter}")

    def _inserted(self) -> str:
        self._skip(" \t")
        if self._peek() == "\\":
            self._at += 1
            self._skip(" \t")
            if self._peek() == "\n":
                self._at += 1
        lines = []
        while True:
            line = self._line()
            if line.endswith("\\"):
                lines.append(line[:-1])
                continue
            lines.append(line)
            break
        return re.sub(r"\\(.)", r"\1", "\n".join(lines))

    def _substitution(self, command: _Command) -> None:
        delimiter = self._peek()
        self._at += 1
        pattern = self._until(delimiter, keep=True)
        replacement = self._until(delimiter, keep=True)
        flags = re.compile(r"[gpiIm0-9]*").match(self._text, self._at)
        text = flags.group(0) if flags else ""
        self._at += len(text)
        if self._peek() in ("w", "e"):
            raise NotInterpreted(f'the sed flag "{self._peek()}"')
        numbers = re.findall(r"\d{1,6}", text)
        command.which = int(numbers[0]) if numbers else 1
        command.flags = text
        pattern = pattern.replace("\\n", "\n")
        command.expression = compiled(pattern, extended=self._extended, ignore_case=bool(set(text) & {"i", "I"}))
        command.replacement = _replacement(replacement)

    def _translation(self, command: _Command) -> None:
        delimiter = self._peek()
        self._at += 1
        source, target = (
            re.sub(r"\\(.)", lambda each: "\n" if each.group(1) == "n" else each.group(1), self._until(delimiter, keep=True)) for _ in "ab"
        )
        if len(source) != len(target):
            raise self._fail("strings for `y' command are different lengths")
        command.table = {ord(before): after for before, after in zip(source, target, strict=True)}


def _replacement(text: str) -> tuple[str | int, ...]:
    parts: list[str | int] = []
    for part in re.findall(r"\\\d|\\.|&|[^\\&]+", text, re.DOTALL):
        if part == "&":
            parts.append(0)
        elif part[0] == "\\" and part[1:].isdigit():
            parts.append(int(part[1]))
        elif part[0] == "\\":
            if part[1] in "ULEul":
                raise NotInterpreted(f'the sed replacement "{part}"')
            parts.append({"n": "\n", "t": "\t", "r": "\r"}.get(part[1], part[1]))
        else:
            parts.append(part)
    return tuple(parts)


class _Editor:
    def __init__(self, call: Call, commands: Sequence[_Command], labels: dict[str, int], *, quiet: bool) -> None:
        self._call = call
        self._commands = commands
        self._labels = labels
        self._quiet = quiet
        self._hold = ""
        self._steps = 0
        self.output: list[str] = []
        self.code = 0
        self.over = False
        self._size = 0

    def _emit(self, text: str, end: str = "\n") -> None:
        self._size += len(text) + 1
        if self._size > CAPTURE_BYTES:
            raise NotInterpreted("sed with that much output")
        self.output.append(text + end)

    def edit(self, lines: list[str], *, ends_whole: bool) -> None:
        self._lines, self._number = lines, 0
        self._ends_whole = ends_whole
        for command in self._commands:
            command.active_until = -1
        pattern: str | None = None
        while not self.over:
            if pattern is None:
                if self._number >= len(lines):
                    return
                pattern = self._next()
            pattern = self._cycle(pattern)

    def _next(self) -> str:
        self._number += 1
        return self._lines[self._number - 1]

    @property
    def _end(self) -> str:
        return "" if self._number >= len(self._lines) and not self._ends_whole else "\n"

    def _cycle(self, pattern: str) -> str | None:
        """One round through the script. What D left, to begin again with."""
        after: list[str] = []
        replaced = False
        at = 0
        self._restart: str | None = None
        printed = not self._quiet
        while at < len(self._commands):
            self._steps += 1
            if self._steps > _MOST_STEPS:
                raise NotInterpreted("a sed script that runs that long")
            command = self._commands[at]
            at += 1
            chosen = self._selects(command, pattern)
            if command.letter == "{":
                at = at if chosen else command.target
                continue
            if not chosen:
                continue
            letter = command.letter
            if letter == "s":
                pattern, done = _substituted(command, pattern)
                replaced = replaced or done
                if done and "p" in command.flags:
                    self._emit(pattern)
            elif letter == "d":
                printed = False
                break
            elif letter == "D":
                printed = False
                if "\n" in pattern:
                    self._restart = pattern.partition("\n")[2]
                break
            elif letter in "qQ":
                self.code, self.over = int(command.text or 0), True
                printed = printed and letter == "q"
                break
            elif letter in "nN":
                if self._number >= len(self._lines):
                    self.over = True
                    break
                if letter == "n":
                    if not self._quiet:
                        self._emit(pattern)
                    pattern = self._next()
                else:
                    pattern += "\n" + self._next()
            elif letter in "bt":
                if letter == "b" or replaced:
                    replaced = False if letter == "t" else replaced
                    if not command.text:
                        break
                    if command.text not in self._labels:
                        raise self._call.usage(f"can't find label for jump to `{command.text}'")
                    at = self._labels[command.text]
            elif letter == "a":
                after.append(command.text)
            elif letter == "i":
                self._emit(command.text)
            elif letter == "c":
                printed = False
                if len(command.addresses) < 2 or command.negated or command.active_until < 0 or command.active_until == self._number:
                    self._emit(command.text)
                break
            else:
                pattern = self._simple(command, pattern)
        if printed:
            self._emit(pattern, self._end)
        for text in after:
            if self.output and not self.output[-1].endswith("\n"):
                self.output[-1] += "\n"
            self._emit(text)
        return self._restart

    def _simple(self, command: _Command, pattern: str) -> str:
        letter = command.letter
        if letter == "p":
            self._emit(pattern)
        elif letter == "P":
            self._emit(pattern.partition("\n")[0])
        elif letter == "=":
            self._emit(str(self._number))
        elif letter == "y":
            return pattern.translate(command.table)
        elif letter == "h":
            self._hold = pattern
        elif letter == "H":
            self._hold += "\n" + pattern
        elif letter == "g":
            return self._hold
        elif letter == "G":
            return pattern + "\n" + self._hold
        elif letter == "x":
            pattern, self._hold = self._hold, pattern
        if len(pattern) > CAPTURE_BYTES:
            raise NotInterpreted("sed with that much text")
        return pattern

    def _selects(self, command: _Command, pattern: str) -> bool:
        return self._in_range(command, pattern) is not command.negated

    def _in_range(self, command: _Command, pattern: str) -> bool:
        if not command.addresses:
            return True
        if len(command.addresses) == 1:
            return self._at_address(command.addresses[0], pattern)
        second = command.addresses[1]
        if command.active_until < 0:
            if not self._at_address(command.addresses[0], pattern):
                return False
            if second.more >= 0:
                command.active_until = self._number + second.more
            elif second.line:
                command.active_until = second.line
            else:
                command.active_until = len(self._lines) if second.last else 0
                return True
            if command.active_until <= self._number:
                command.active_until = -1
            return True
        if command.active_until:
            if self._number >= command.active_until:
                command.active_until = -1 if self._number > command.active_until or command.letter != "c" else command.active_until
                if command.active_until < 0 and second.line and self._number > second.line:
                    return False
                if command.letter != "c":
                    command.active_until = -1
            return True
        if self._at_address(second, pattern):
            command.active_until = -1
        return True

    def _at_address(self, address: _Address, pattern: str) -> bool:
        if address.expression is not None:
            return address.expression.search(pattern) is not None
        if address.last:
            return self._number == len(self._lines)
        if address.step:
            return self._number >= address.line and (self._number - address.line) % address.step == 0
        return self._number == address.line


def _substituted(command: _Command, pattern: str) -> tuple[str, bool]:
    assert command.expression is not None
    made, at, count, done = "", 0, 0, False
    start = 0
    while start <= len(pattern):
        matched = command.expression.search(pattern, start)
        if matched is None:
            break
        count += 1
        if matched.end() == matched.start() and done and matched.start() == at and made:
            start = matched.end() + 1
            continue
        if count >= command.which:
            made += pattern[at : matched.start()]
            made += "".join(part if isinstance(part, str) else _group(matched, part) for part in command.replacement)
            at, done = matched.end(), True
            if "g" not in command.flags:
                break
        start = matched.end() if matched.end() > matched.start() else matched.end() + 1
        if len(made) > CAPTURE_BYTES:
            raise NotInterpreted("sed with that much text")
    return made + pattern[at:], done


def _group(matched: re.Match[str], number: int) -> str:
    try:
        return matched.group(number) or ""
    except IndexError:
        raise NotInterpreted(f"the sed replacement \\{number}") from None


def _sed(call: Call) -> Run:
    scripts = scripts_of(call)
    in_place = any(re.fullmatch(r"-[nEr]*i.*|--in-place.*", word) for word in call.arguments)
    suffix = next((word.partition("i")[2] for word in call.arguments if re.fullmatch(r"-[nEr]*i.+", word)), "")
    call.arguments = [re.sub(r"^(-[nEr]*)i.*$", r"\1i", word) if re.fullmatch(r"-[nEr]*i.*", word) else word for word in call.arguments]
    long = {
        "quiet": "n",
        "silent": "n",
        "expression": "e",
        "regexp-extended": "E",
        "in-place": "i",
        "separate": "s",
        "file": "f",
        "unbuffered": "u",
    }
    given, names = call.options("nErisuz", "ef", long)
    if "z" in given:
        raise NotInterpreted('"sed -z"')
    if "f" in given:
        scripts.append(call.process.read(given["f"]).decode("utf-8", "surrogateescape"))
    if not scripts:
        if not names:
            call.process.complain("Usage: sed [OPTION]... {script-only-if-no-other-script} [input-file]...\n")
            return 1
        scripts = [names.pop(0)]
    parser = _Parser(call, "\n".join(scripts), extended=bool(given.keys() & {"E", "r"}))
    editor = _Editor(call, parser.parse(), parser.labels, quiet="n" in given)
    code, contents = yield from call.inputs(names, "{}", "can't read {}")
    if in_place:
        for name, data in contents:
            editor.output, editor.over = [], False
            editor.edit(lines_of(data), ends_whole=data.endswith(b"\n") or not data)
            if suffix:
                call.process.write(name + suffix, data)
            call.process.write(name, "".join(editor.output).encode("utf-8", "surrogateescape"))
        return editor.code or (2 if code and call.gnu else code)
    data = b"".join(each if each.endswith(b"\n") or at == len(contents) - 1 else each + b"\n" for at, (_, each) in enumerate(contents))
    editor.edit(lines_of(data), ends_whole=data.endswith(b"\n") or not data)
    call.print("".join(editor.output))
    return editor.code or (2 if code and call.gnu else code)


_APPLETS: dict[str, Applet] = {"sed": _sed}
program = programs(_APPLETS)
