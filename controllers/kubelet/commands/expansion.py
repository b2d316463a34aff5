"""Words of a script become arguments: parameters, command substitutions, calculations, fields, names of files."""

from __future__ import annotations

import re
from collections.abc import Generator, Sequence
from functools import lru_cache
from typing import Protocol

from controllers.kubelet.commands import patterns, syntax
from controllers.kubelet.commands.arithmetic import ArithmeticError_, calculate
from controllers.kubelet.commands.errors import Exit, NotInterpreted
from controllers.kubelet.commands.limits import CAPTURE_BYTES, FIELDS
from controllers.kubelet.commands.patterns import Piece
from controllers.kubelet.commands.process import Process

Waits = float | None


class Scope(Protocol):
    """What expansions ask of their shell."""

    process: Process
    variables: dict[str, str]
    positional: list[str]
    name: str
    status: int
    no_unset: bool

    def capture(self, body: syntax.Command) -> Generator[Waits, None, str]: ...


@lru_cache(maxsize=64)
def _separator(separators: str, white: str) -> re.Pattern[str]:
    """What is between two fields: one separator that is no blank with all blanks around it, or blanks."""
    blanks = f"[{re.escape(white)}]" if white else ""
    marks = "".join(each for each in separators if each not in white)
    if not marks:
        return re.compile(f"{blanks}+")
    around = f"{blanks}*" if blanks else ""
    return re.compile(f"{around}[{re.escape(marks)}]{around}" + (f"|{blanks}+" if blanks else ""))


_BREAK = object()
"""Between two fields."""


class Expander:
    def __init__(self, scope: Scope) -> None:
        self._scope = scope

    # ---- whole words

    def fields(self, word: syntax.Word) -> Generator[Waits, None, list[str]]:
        """The arguments a word makes: none, one or many."""
        if word.plain is not None and not word.plain.startswith("~"):
            return [word.plain]
        fields = yield from self._pieces(word, split=True)
        made: list[str] = []
        for pieces in fields:
            yield from self._scope.process.world.work.spend(1 + len(pieces))
            names = self._names(pieces) if patterns.has_pattern(pieces) else []
            made += names or ["".join(text for text, _ in pieces)]
        if len(made) > FIELDS:
            raise NotInterpreted("a command with that many arguments")
        return made

    def text(self, word: syntax.Word) -> Generator[Waits, None, str]:
        """One value, neither split nor matched against files: of assignments, redirections, cases."""
        if word.plain is not None and not word.plain.startswith("~"):
            return word.plain
        fields = yield from self._pieces(word, split=False)
        return " ".join("".join(text for text, _ in pieces) for pieces in fields)

    def pattern(self, word: syntax.Word) -> Generator[Waits, None, list[Piece]]:
        fields = yield from self._pieces(word, split=False)
        return [piece for pieces in fields for piece in pieces]

    # ---- parts

    def _pieces(self, word: syntax.Word, *, split: bool) -> Generator[Waits, None, list[list[Piece]]]:
        fields: list[list[Piece]] = []
        current: list[Piece] | None = None
        size = 0
        for index, part in enumerate(word.parts):
            values: Sequence[object]
            if isinstance(part, syntax.Literal):
                text = part.text
                if index == 0 and not part.quoted and (text == "~" or text.startswith("~/")):
                    text = self._scope.variables.get("HOME", "/root") + text[1:]
                values = [(text, part.quoted)]
            else:
                values = yield from self._expanded(part, split)
            yield from self._scope.process.world.work.spend(len(values))
            for value in values:
                if value is _BREAK:
                    if current is not None:
                        fields.append(current)
                    current = None
                    continue
                assert isinstance(value, tuple)
                size += len(value[0])
                if size > CAPTURE_BYTES:
                    raise NotInterpreted("an expansion of that length")
                if current is None:
                    current = [value]
                else:
                    current.append(value)
        if current is not None:
            fields.append(current)
        yield from self._scope.process.world.work.spend(size >> 10)
        return fields

    def _expanded(self, part: syntax.Part, split: bool) -> Generator[Waits, None, Sequence[object]]:
        if isinstance(part, syntax.Substitution):
            text = (yield from self._scope.capture(part.body)).rstrip("\n")
        elif isinstance(part, syntax.Calculation):
            text = str((yield from self._calculated(part.word)))
        elif isinstance(part, syntax.Parameter):
            if part.name in "@*" and not part.operator:
                return self._all_positional(part, split)
            text, quoted_word = yield from self._parameter(part)
            if quoted_word is not None:
                return quoted_word
        else:
            return [(part.text, part.quoted)]
        if part.quoted:
            return [(text, True)]
        return self._split(text) if split else [(text, False)]

    def _all_positional(self, part: syntax.Parameter, split: bool) -> Sequence[object]:
        positional = self._scope.positional
        if part.quoted and part.name == "*":
            return [(" ".join(positional), True)]
        values: list[object] = []
        for index, argument in enumerate(positional):
            if index:
                values.append(_BREAK)
            values += [(argument, True)] if part.quoted or not split else self._split(argument)
        return values

    def _split(self, text: str) -> Sequence[object]:
        separators = self._scope.variables.get("IFS", " \t\n")
        if not separators:
            return [(text, False)] if text else []
        white = "".join(each for each in separators if each.isspace())
        values: list[object] = [_BREAK] if text and text[0] in white else []
        rest = text.lstrip(white)
        self._scope.process.world.work.add(len(rest) >> 9)
        parts = _separator(separators, white).split(rest, FIELDS + 1)
        if len(parts) > FIELDS:
            raise NotInterpreted("a command with that many arguments")
        for part in parts[:-1]:
            values += [(part, False), _BREAK]
        return [*values, (parts[-1], False)] if parts[-1] else values

    # ---- parameters

    def value(self, name: str) -> str | None:
        scope = self._scope
        if name.isdigit():
            number = int(name[:6])
            if number == 0:
                return scope.name
            return scope.positional[number - 1] if number <= len(scope.positional) else None
        special = {"?": str(scope.status), "#": str(len(scope.positional)), "$": "1", "!": "", "-": ""}
        if name in special:
            return special[name]
        if name in ("@", "*"):
            return " ".join(scope.positional) if scope.positional else None
        if name == "PWD":
            return scope.process.cwd
        return scope.variables.get(name)

    def _parameter(self, part: syntax.Parameter) -> Generator[Waits, None, tuple[str, Sequence[object] | None]]:
        """(the text, or the pieces of a word that stands in for it)"""
        value, operator = self.value(part.name), part.operator
        if operator == "#length":
            return str(len(value or "")), None
        if not operator:
            if value is None and self._scope.no_unset and part.name not in "@*":
                self._scope.process.complain(f"{self._scope.name}: {part.name}: parameter not set\n")
                raise Exit(2)
            return value or "", None
        missing = value is None or (operator.startswith(":") and not value)
        word = part.word or syntax.Word((), "")
        if operator[-1] == "+":
            return ("", [] if not part.quoted else None) if missing else ("", (yield from self._word_pieces(word, part.quoted)))
        if operator[-1] in "-=?" and not missing:
            return value or "", None
        if operator[-1] == "-":
            return "", (yield from self._word_pieces(word, part.quoted))
        if operator[-1] == "=":
            self._scope.variables[part.name] = text = yield from self.text(word)
            return text, None
        if operator[-1] == "?":
            text = yield from self.text(word)
            self._scope.process.complain(f"{self._scope.name}: {part.name}: {text or 'parameter not set'}\n")
            raise Exit(2)
        return (yield from self._trimmed(value or "", operator, word)), None

    def _word_pieces(self, word: syntax.Word, quoted: bool) -> Generator[Waits, None, Sequence[object]]:
        fields = yield from self._pieces(word, split=not quoted)
        values: list[object] = []
        for index, pieces in enumerate(fields):
            if index:
                values.append(_BREAK)
            values += [(text, quoted or was) for text, was in pieces]
        return values or ([("", True)] if quoted else [])

    def _trimmed(self, value: str, operator: str, word: syntax.Word) -> Generator[Waits, None, str]:
        pieces = tuple((yield from self.pattern(word)))
        yield from self._scope.process.world.work.spend(10)
        self._scope.process.world.work.add(len(value) >> 4)
        return patterns.trimmed(value, pieces, end=operator[0] == "%", longest=len(operator) > 1)

    def _calculated(self, word: syntax.Word) -> Generator[Waits, None, int]:
        text = yield from self.text(word)
        try:
            return calculate(text, self._scope.variables)
        except ArithmeticError_ as error:
            self._scope.process.complain(f"{self._scope.name}: {error}\n")
            raise Exit(2) from None

    # ---- names of files

    def _names(self, pieces: list[Piece]) -> list[str]:
        """What files a pattern stands for; none where no file matches."""
        parts: list[list[Piece]] = [[]]
        for text, quoted in pieces:
            first, *others = text.split("/")
            parts[-1].append((first, quoted))
            parts += [[(each, quoted)] for each in others]
        process = self._scope.process
        found = [""]
        for index, part in enumerate(parts):
            last = index == len(parts) - 1
            plain = "".join(text for text, _ in part)
            if not patterns.has_pattern(part):
                found = [prefix + plain + ("" if last else "/") for prefix in found]
                continue
            matched: list[str] = []
            for prefix in found:
                try:
                    names = process.world.files.names(process.path(prefix or "."), process.who)
                except OSError:
                    continue
                visible = [name for name in names if not name.startswith(".") or plain.startswith(".")]
                matched += [prefix + name + ("" if last else "/") for name in visible if patterns.matches(name, part)]
            found = matched[:FIELDS]
        return sorted(name for name in found if process.world.files.exists(process.path(name), process.who, follow=False))
