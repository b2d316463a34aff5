"""Reading one word of a script: quotes, escapes, $expansions. The parser, which reads commands with it, fills in
`commands_until` for $(...)."""

from __future__ import annotations

import re

from controllers.kubelet.commands.errors import NotInterpreted
from controllers.kubelet.commands.limits import NESTING, SCRIPT_CHARACTERS
from controllers.kubelet.commands.syntax import Calculation, Command, Literal, Parameter, Part, Substitution, Word

ENDS_WORD = " \t\n;&|()<>"
_PLAIN_RUN = re.compile(r"[^\s;&|()<>'\"\\$`]+")
_QUOTED_RUN = re.compile(r"[^\"\\$`\0]+")
_NAME = re.compile(r"[A-Za-z_]\w*")
_PARAMETER = re.compile(r"([A-Za-z_]\w*|[0-9]+|[@*#?$!-])")
_OPERATOR = re.compile(r":?[-=+?]|%%|%|##|#")
_GLOB = re.compile(r"[*?]|\[.+\]")


class Scanner:
    """A position in a script. Raises NotInterpreted for what it cannot read."""

    def __init__(self, text: str, depth: int = 0) -> None:
        if len(text) > SCRIPT_CHARACTERS:
            raise NotInterpreted(f"a script of {len(text)} characters")
        self.text = text
        self.at = 0
        self.depth = depth - 1
        self.deeper()

    def deeper(self) -> None:
        self.depth += 1
        if self.depth > NESTING:
            raise NotInterpreted("a script with deeply nested commands")

    def commands_until(self, closing: str) -> Command:
        """A list of commands up to `closing`, which is read too; '' is the end of the script."""
        raise NotImplementedError

    # ---- characters

    def peek(self, length: int = 1) -> str:
        return self.text[self.at : self.at + length]

    def takes(self, expected: str) -> bool:
        if self.text.startswith(expected, self.at):
            self.at += len(expected)
            return True
        return False

    def expect(self, expected: str) -> None:
        if not self.takes(expected):
            present = self.peek() or "end of file"
            raise NotInterpreted(f'a script with a syntax error (unexpected "{present.strip() or "newline"}", expecting "{expected}")')

    def run(self, pattern: re.Pattern[str]) -> str:
        matched = pattern.match(self.text, self.at)
        if matched is None:
            return ""
        self.at = matched.end()
        return matched.group(0)

    def skip_blanks(self) -> None:
        while True:
            self.run(_BLANKS)
            if self.peek() == "#":
                self.run(_COMMENT)
            else:
                return

    # ---- words

    def word(self) -> Word | None:
        """None where no word begins."""
        self.skip_blanks()
        parts: list[Part] = []
        while (character := self.peek()) and character not in ENDS_WORD:
            self._part(parts)
        return make_word(parts) if parts else None

    def _part(self, parts: list[Part]) -> None:
        character = self.peek()
        if character == "'":
            end = self.text.find("'", self.at + 1)
            if end < 0:
                raise NotInterpreted("a script with an unterminated quoted string")
            parts.append(Literal(self.text[self.at + 1 : end], True))
            self.at = end + 1
        elif character == '"':
            self.at += 1
            self._double_quoted(parts, '"')
        elif character == "\\":
            if self.peek(2) != "\\\n":
                parts.append(Literal(self.text[self.at + 1 : self.at + 2], True))
            self.at += 2
        elif character in "$`":
            self._expansion(parts, quoted=False)
        else:
            parts.append(Literal(self.run(_PLAIN_RUN)))

    def _double_quoted(self, parts: list[Part], closing: str) -> None:
        """Up to `closing`, which is read too."""
        before = len(parts)
        while True:
            character = self.peek()
            if not character or character == closing:
                if character != closing:
                    raise NotInterpreted("a script with an unterminated quoted string")
                self.at += len(closing)
                break
            if character == "\\":
                following = self.text[self.at + 1 : self.at + 2]
                if following != "\n":
                    parts.append(Literal(following if following and following in '$`"\\' else "\\" + following, True))
                self.at += 2
            elif character in "$`":
                self._expansion(parts, quoted=True)
            elif character == '"':  # in a here-document
                parts.append(Literal(character, True))
                self.at += 1
            else:
                parts.append(Literal(self.run(_QUOTED_RUN), True))
        if len(parts) == before:
            parts.append(Literal("", True))

    def _expansion(self, parts: list[Part], *, quoted: bool) -> None:
        if self.takes("`"):
            parts.append(Substitution(self._backquoted(), quoted))
        elif self.takes("$(("):
            parts.append(Calculation(self._calculation(), quoted))
        elif self.takes("$("):
            parts.append(Substitution(self.commands_until(")"), quoted))
        elif self.takes("${"):
            parts.append(self._braced(quoted))
        elif self.peek(2) == "$'":
            raise NotInterpreted("a script with $'...' quoting")
        else:
            self.at += 1
            name = self._short_name()
            parts.append(Parameter(name, quoted=quoted) if name else Literal("$", quoted))

    def _short_name(self) -> str:
        name = self.run(_NAME)
        if name or not self.peek() or self.peek() not in "0123456789@*#?$!-":
            return name
        self.at += 1
        return self.text[self.at - 1]

    def _backquoted(self) -> Command:
        end = self.at
        while end < len(self.text) and self.text[end] != "`":
            end += 2 if self.text[end] == "\\" else 1
        if end >= len(self.text):
            raise NotInterpreted("a script with an unterminated backquote")
        inner = re.sub(r"\\([$`\\])", r"\1", self.text[self.at : end])
        self.at = end + 1
        scanner = type(self)(inner, self.depth + 1)
        return scanner.commands_until("")

    def _calculation(self) -> Word:
        """Up to the )) that closes it."""
        start, level = self.at, 0
        while self.at < len(self.text):
            character = self.text[self.at]
            if character == ")" and level == 0 and self.peek(2) == "))":
                inner = self.text[start : self.at]
                self.at += 2
                return quoted_word(inner, type(self), self.depth + 1)
            level += (character == "(") - (character == ")")
            self.at += 1
        raise NotInterpreted("a script with an unterminated $((")

    def _braced(self, quoted: bool) -> Parameter:
        if self.peek() == "#" and self.peek(2) not in ("#}", "#:", "#-", "##", "#%"):
            self.at += 1
            name = self.run(_PARAMETER)
            self.expect("}")
            return Parameter(name, "#length", quoted=quoted)
        name = self.run(_PARAMETER)
        if not name:
            raise NotInterpreted(f'a script with "${{{self.peek(8)}"')
        if self.takes("}"):
            return Parameter(name, quoted=quoted)
        operator = self.run(_OPERATOR)
        if not operator:
            raise NotInterpreted(f'a script with "${{{name}{self.peek(4)}"')
        parts: list[Part] = []
        while self.peek() != "}":
            if not self.peek():
                raise NotInterpreted('a script with an unterminated "${"')
            if self.peek() in ENDS_WORD:
                parts.append(Literal(self.peek(), quoted))
                self.at += 1
            elif self.peek() not in "'\"\\$`":
                parts.append(Literal(self.run(_BRACED_RUN), quoted))
            else:
                self._part(parts)
        self.at += 1
        return Parameter(name, operator, make_word(parts), quoted)


_BLANKS = re.compile(r"(?:[ \t\r]|\\\n)*")
_COMMENT = re.compile(r"#[^\n]*")
_BRACED_RUN = re.compile(r"[^\s;&|()<>'\"\\$`}]+")


def make_word(parts: list[Part]) -> Word:
    plain: str | None = ""
    for part in parts:
        if not isinstance(part, Literal) or (not part.quoted and _GLOB.search(part.text)):
            plain = None
            break
        assert plain is not None
        plain += part.text
    return Word(tuple(parts), plain)


def quoted_word(text: str, scanner_type: type[Scanner], depth: int) -> Word:
    """As between double quotes: calculations and here-documents."""
    scanner = scanner_type(text + "\0", depth)
    parts: list[Part] = []
    scanner._double_quoted(parts, "\0")
    return make_word(parts)
