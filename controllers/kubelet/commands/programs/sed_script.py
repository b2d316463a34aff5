"""sed's scripts: what is on its command line becomes commands."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from controllers.kubelet.commands.errors import NotInterpreted
from controllers.kubelet.commands.patterns import Expression
from controllers.kubelet.commands.programs.call import Call
from controllers.kubelet.commands.programs.grep import compiled


@dataclass(frozen=True, slots=True)
class Address:
    line: int = 0
    last: bool = False
    step: int = 0
    expression: Expression | None = None
    more: int = -1
    """addr,+N"""


@dataclass(slots=True)
class Command:
    letter: str
    addresses: tuple[Address, ...] = ()
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


class Parser:
    """The script: one list of commands, blocks as jumps."""

    def __init__(self, call: Call, text: str, *, extended: bool) -> None:
        self._call = call
        self._text = text
        self._at = 0
        self._extended = extended
        self.commands: list[Command] = []
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

    def parse(self) -> list[Command]:
        blocks: list[Command] = []
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
            command = Command(letter, addresses, negated)
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

    def _addresses(self) -> tuple[Address, ...]:
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

    def _address(self) -> Address | None:
        number = re.compile(r"(\d{1,9})(?:~(\d{1,9}))?|\+(\d{1,9})").match(self._text, self._at)
        if number is not None:
            self._at = number.end()
            if number.group(3):
                return Address(more=int(number.group(3)))
            if number.group(0) == "0" and self._text[self._at : self._at + 2] not in (",/", ",\\"):
                raise self._fail("invalid usage of line address 0")
            return Address(line=int(number.group(1)), step=int(number.group(2) or 0))
        if self._peek() == "$":
            self._at += 1
            return Address(last=True)
        if self._peek() in ("/", "\\") and self._peek():
            self._at += 1 if self._peek() == "/" else 2
            delimiter = self._text[self._at - 1 : self._at]
            text = self._until(delimiter)
            ignore_case = self._peek() == "I"
            self._at += ignore_case
            return Address(expression=compiled(text, extended=self._extended, ignore_case=ignore_case))
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

    def _rest(self, command: Command) -> None:
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

    def _substitution(self, command: Command) -> None:
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

    def _translation(self, command: Command) -> None:
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


def scripts_of(call: Call) -> list[str]:
    scripts, words = [], call.arguments
    for at, word in enumerate(words):
        if word == "--":
            break
        if re.fullmatch(r"-[nEri]*e", word) and at + 1 < len(words):
            scripts.append(words[at + 1])
        elif word.startswith("--expression="):
            scripts.append(word[13:])
        elif re.fullmatch(r"-[nEr]*e.+", word, re.DOTALL) and not word.startswith("--"):
            scripts.append(word[word.index("e") + 1 :])
    return scripts
