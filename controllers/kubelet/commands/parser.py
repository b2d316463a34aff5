"""A script into commands: POSIX sh as far as containers' one-liners go, with [[ ]] as bash and busybox know it.

What it does not read it refuses by name (NotInterpreted): background commands, arrays, process substitution, select.
"""

from __future__ import annotations

import re
from functools import lru_cache

from controllers.kubelet.commands.errors import NotInterpreted
from controllers.kubelet.commands.limits import ARGUMENTS
from controllers.kubelet.commands.syntax import (
    NOTHING,
    AndOr,
    Case,
    Command,
    For,
    Function,
    Group,
    If,
    Literal,
    Loop,
    Pipeline,
    Redirect,
    Sequence,
    Simple,
    Word,
)
from controllers.kubelet.commands.words import Scanner, make_word, quoted_word

_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=")
_REDIRECT = re.compile(r"(\d*)(>>|>\||>&|<&|<<-|<<|<>|&>|>|<)")
_FUNCTION = re.compile(r"([A-Za-z_][\w-]*)[ \t]*\([ \t]*\)")
_KEYWORD = re.compile(r"(if|then|else|elif|fi|while|until|for|do|done|case|esac|in|function|select|!|\{|\}|\[\[)(?=[\s;&|()<>]|$)")
_NEWLINES = re.compile(r"(?:[ \t\r\n]|\\\n|#[^\n]*)*")
_ENDS_LIST = ("then", "else", "elif", "fi", "do", "done", "esac", "}")


class Parser(Scanner):
    def __init__(self, text: str, depth: int = 0) -> None:
        super().__init__(text, depth)
        self._here_documents: list[tuple[int, str, bool, list[Redirect]]] = []

    # ---- lists

    def commands_until(self, closing: str) -> Command:
        self.deeper()
        commands = self._list()
        self.depth -= 1
        if closing:
            self.expect(closing)
        elif self.at < len(self.text):
            raise NotInterpreted(f'a script with a syntax error (unexpected "{self.peek()}")')
        return commands

    def _list(self) -> Command:
        items: list[Command] = []
        while True:
            self._separators()
            if not self.peek() or self.peek() == ")" or self.peek(2) == ";;" or self._keyword() in _ENDS_LIST:
                break
            items.append(self._and_or())
            if len(items) > ARGUMENTS:
                raise NotInterpreted(f"a script of more than {ARGUMENTS} commands in one list")
        return items[0] if len(items) == 1 else Sequence(tuple(items))

    def _separators(self) -> None:
        """Newlines and semicolons, but not the ;; of a case."""
        while True:
            self.skip_blanks()
            if self.peek() == "\n" or (self.peek() == ";" and self.peek(2) != ";;"):
                self.at += 1
            else:
                return

    def _keyword(self) -> str:
        """The reserved word that is next, without reading it."""
        matched = _KEYWORD.match(self.text, self.at)
        return matched.group(1) if matched else ""

    def _take_keyword(self, keyword: str) -> None:
        self._separators()
        if self._keyword() != keyword:
            raise NotInterpreted(f'a script with a syntax error (expecting "{keyword}")')
        self.at += len(keyword)

    def _and_or(self) -> Command:
        first = self._pipeline()
        rest: list[tuple[str, Command]] = []
        while True:
            self.skip_blanks()
            operator = self.peek(2)
            if operator not in ("&&", "||"):
                break
            self.at += 2
            self.run(_NEWLINES)
            rest.append((operator, self._pipeline()))
        if self.peek() == "&" and self.peek(2) != "&>":
            raise NotInterpreted("a background command (&)")
        return AndOr(first, tuple(rest)) if rest else first

    def _pipeline(self) -> Command:
        self.skip_blanks()
        negated = self._keyword() == "!"
        if negated:
            self.at += 1
        commands = [self._command()]
        while True:
            self.skip_blanks()
            if self.peek() != "|" or self.peek(2) == "||":
                break
            self.at += 1
            if self.peek() == "&":
                raise NotInterpreted("a script with |&")
            self.run(_NEWLINES)
            commands.append(self._command())
        return Pipeline(tuple(commands), negated) if negated or len(commands) > 1 else commands[0]

    # ---- commands

    def _command(self) -> Command:
        self.skip_blanks()
        keyword = self._keyword()
        if self.peek() == "(" or keyword in ("{", "if", "while", "until", "for", "case"):
            self.deeper()
            compound = self._compound(keyword)
            self.depth -= 1
            redirects = self._trailing_redirects()
            return Group(compound, False, redirects) if redirects else compound
        if keyword == "[[":
            return self._double_bracket()
        if keyword:
            raise NotInterpreted(f'a script with "{keyword}" here')
        named = _FUNCTION.match(self.text, self.at)
        if named:
            self.at = named.end()
            self.run(_NEWLINES)
            return Function(named.group(1), self._command())
        return self._simple()

    def _compound(self, keyword: str) -> Command:
        if not keyword:
            if self.peek(2) == "((":
                raise NotInterpreted("a script with ((...))")
            self.at += 1
            return Group(self.commands_until(")"), True)
        self.at += len(keyword)
        if keyword == "{":
            body = self._list()
            self._take_keyword("}")
            return Group(body, False)
        if keyword == "if":
            return self._if()
        if keyword == "for":
            return self._for()
        if keyword == "case":
            return self._case()
        condition = self._list()
        return Loop(condition, self._do_block(), keyword == "until")

    def _do_block(self) -> Command:
        self._take_keyword("do")
        body = self._list()
        self._take_keyword("done")
        return body

    def _if(self) -> Command:
        branches: list[tuple[Command, Command]] = []
        otherwise: Command | None = None
        while True:
            condition = self._list()
            self._take_keyword("then")
            branches.append((condition, self._list()))
            self._separators()
            keyword = self._keyword()
            if keyword == "elif":
                self.at += 4
                continue
            if keyword == "else":
                self.at += 4
                otherwise = self._list()
            self._take_keyword("fi")
            return If(tuple(branches), otherwise)

    def _for(self) -> Command:
        name = self.word()
        if name is None or name.plain is None or not name.plain.isidentifier():
            raise NotInterpreted("a script with a for loop over no name")
        self.run(_NEWLINES)
        words: list[Word] | None = None
        if self._keyword() == "in":
            self.at += 2
            words = []
            while (word := self.word()) is not None:
                words.append(word)
        return For(name.plain, None if words is None else tuple(words), self._do_block())

    def _case(self) -> Command:
        word = self.word()
        if word is None:
            raise NotInterpreted("a script with a case of nothing")
        self._take_keyword("in")
        branches: list[tuple[tuple[Word, ...], Command]] = []
        while True:
            self._separators()
            if self._keyword() == "esac":
                self.at += 4
                return Case(word, tuple(branches))
            self.takes("(")
            patterns = []
            while (pattern := self.word()) is not None:
                patterns.append(pattern)
                self.skip_blanks()
                if not self.takes("|"):
                    break
            self.expect(")")
            branches.append((tuple(patterns), self._list()))
            self._separators()
            if not self.takes(";;") and self._keyword() != "esac":
                raise NotInterpreted('a script with a syntax error (expecting ";;")')

    def _double_bracket(self) -> Command:
        """[[ ... ]] as one command, whose && and || are words of it."""
        words = [make_word([Literal("[[")])]
        self.at += 2
        while True:
            self.run(_NEWLINES)
            operator = next((each for each in ("&&", "||", "<", ">", "(", ")") if self.takes(each)), "")
            word = make_word([Literal(operator, True)]) if operator else self.word()
            if word is None or len(words) > ARGUMENTS:
                raise NotInterpreted("a script with an unterminated [[")
            words.append(word)
            if word.plain == "]]" and not operator:
                return Simple((), tuple(words), self._trailing_redirects())

    def _simple(self) -> Command:
        assignments: list[tuple[str, Word]] = []
        words: list[Word] = []
        redirects: list[Redirect] = []
        while True:
            self.skip_blanks()
            if self._redirect(redirects):
                continue
            assignment = None if words else _ASSIGNMENT.match(self.text, self.at)
            if assignment:
                self.at = assignment.end()
                if self.peek() == "(":
                    raise NotInterpreted("a script with an array")
                value = self.word() if self.peek() not in " \t\n;" else None
                assignments.append((assignment.group(0)[:-1], value or make_word([Literal("", True)])))
                continue
            word = self.word()
            if word is None:
                break
            words.append(word)
            if len(words) > ARGUMENTS:
                raise NotInterpreted(f"a command with more than {ARGUMENTS} arguments")
        if not (words or assignments or redirects):
            raise NotInterpreted(f'a script with a syntax error (unexpected "{self.peek() or "end of file"}")')
        self._finish_here_documents()
        return Simple(tuple(assignments), tuple(words), tuple(redirects))

    # ---- redirections

    def _trailing_redirects(self) -> tuple[Redirect, ...]:
        redirects: list[Redirect] = []
        self.skip_blanks()
        while self._redirect(redirects):
            self.skip_blanks()
        self._finish_here_documents()
        return tuple(redirects)

    def _redirect(self, redirects: list[Redirect]) -> bool:
        matched = _REDIRECT.match(self.text, self.at)
        if matched is None:
            return False
        number, operator = matched.groups()
        self.at = matched.end()
        if self.peek() == "(":
            raise NotInterpreted("process substitution")
        if operator == "<>" or self.text.startswith("<<<", matched.start(2)):
            raise NotInterpreted(f'a redirection with "{operator}"')
        target = self.word()
        if target is None:
            raise NotInterpreted("a redirection to nothing")
        descriptor = int(number) if number else (0 if operator.startswith("<") else 1)
        if descriptor > 2:
            raise NotInterpreted(f"file descriptor {descriptor}")
        if operator.startswith("<<"):
            delimiter = "".join(part.text for part in target.parts if isinstance(part, Literal))
            raw = any(isinstance(part, Literal) and part.quoted for part in target.parts)
            self._here_documents.append((descriptor, ("-" if operator == "<<-" else "") + delimiter, raw, redirects))
        elif operator == "&>":
            redirects += [Redirect(1, ">", target), Redirect(2, ">&", make_word([Literal("1")]))]
        else:
            redirects.append(Redirect(descriptor, ">" if operator == ">|" else operator, target))
        return True

    def _finish_here_documents(self) -> None:
        """Their text begins on the next line; it is read now, since the command needs it, and left out of what follows."""
        for descriptor, delimiter, raw, redirects in self._here_documents:
            line_end = self.text.find("\n", self.at)
            if line_end < 0:
                raise NotInterpreted("a here-document without an end")
            resume, self.at = self.at, line_end + 1
            redirects.append(Redirect(descriptor, "<<", self._here_document(delimiter, raw)))
            self.text = self.text[: line_end + 1] + self.text[self.at :]
            self.at = resume
        self._here_documents = []

    def _here_document(self, delimiter: str, raw: bool) -> Word:
        tabs = delimiter.startswith("-")
        delimiter = delimiter[1:] if tabs else delimiter
        lines: list[str] = []
        while self.at < len(self.text):
            end = self.text.find("\n", self.at)
            end = len(self.text) if end < 0 else end
            line = self.text[self.at : end]
            self.at = min(end + 1, len(self.text))
            line = line.lstrip("\t") if tabs else line
            if line == delimiter:
                body = "".join(f"{each}\n" for each in lines)
                return make_word([Literal(body, True)]) if raw else quoted_word(body, type(self), self.depth + 1)
            lines.append(line)
        raise NotInterpreted("a here-document without an end")


@lru_cache(maxsize=512)
def parse(script: str) -> Command:
    """Raises NotInterpreted."""
    if "\0" in script:
        raise NotInterpreted("a script with a NUL character")
    return Parser(script).commands_until("") if script.strip() else NOTHING
