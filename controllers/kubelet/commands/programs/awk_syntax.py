"""awk's language: a program text into rules and functions. POSIX awk, with `length array`, `delete array`, `nextfile`, `**` and `func`.

Nodes are tuples whose first member names them; what it is followed by stands at each `return` here and is read in `awk_machine`.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from controllers.kubelet.commands.errors import NotInterpreted
from controllers.kubelet.commands.programs.awk_tokens import BUILTINS, FOREIGN, KEYWORDS, AwkSyntaxError, Token, tokens, unescaped

Node = tuple[Any, ...]
_LONGEST_PROGRAM = 64 * 1024
_DEEPEST = 60


class Rule(NamedTuple):
    """`kind`: BEGIN, END, always, pattern (one expression) or range (two)."""

    kind: str
    patterns: tuple[Node, ...]
    body: Node | None


class Function(NamedTuple):
    parameters: tuple[str, ...]
    body: Node


class Program(NamedTuple):
    rules: tuple[Rule, ...]
    functions: dict[str, Function]


class Parser:
    def __init__(self, text: str) -> None:
        if len(text) > _LONGEST_PROGRAM:
            raise NotInterpreted("an awk program of that length")
        self._tokens = tokens(text)
        self._at = 0
        self._depth = 0
        self._no_in = self._no_greater = False

    # ---- tokens

    @property
    def _now(self) -> Token:
        return self._tokens[self._at]

    def _is(self, *texts: str) -> bool:
        return self._now.kind in ("op", "name") and self._now.text in texts

    def _take(self, *texts: str) -> bool:
        if self._is(*texts):
            self._at += 1
            return True
        return False

    def _expect(self, text: str) -> None:
        if not self._take(text):
            raise self._wrong()

    def _wrong(self) -> AwkSyntaxError:
        return AwkSyntaxError(self._now.text.replace("\n", "\\n"), self._now.line)

    def _newlines(self) -> None:
        while self._now.kind == "newline":
            self._at += 1

    def _ends(self) -> None:
        while self._now.kind == "newline" or self._is(";"):
            self._at += 1

    # ---- the program

    def program(self) -> Program:
        rules: list[Rule] = []
        functions: dict[str, Function] = {}
        self._ends()
        while self._now.kind != "end":
            if self._take("function", "func"):
                name, function = self._function()
                functions[name] = function
            else:
                rules.append(self._rule())
            self._ends()
        return Program(tuple(rules), functions)

    def _function(self) -> tuple[str, Function]:
        if self._now.kind not in ("name", "call"):
            raise self._wrong()
        name = self._now.text
        self._at += 1
        self._expect("(")
        parameters: list[str] = []
        while not self._take(")"):
            if self._now.kind != "name" or self._now.text in KEYWORDS:
                raise self._wrong()
            parameters.append(self._now.text)
            self._at += 1
            if self._take(","):
                self._newlines()
        self._newlines()
        return name, Function(tuple(parameters), self._block())

    def _rule(self) -> Rule:
        for word in ("BEGIN", "END"):
            if self._take(word):
                self._newlines()
                return Rule(word, (), self._block())
        if self._is("{"):
            return Rule("always", (), self._block())
        patterns = [self._expression()]
        if self._take(","):
            self._newlines()
            patterns.append(self._expression())
        return Rule("range" if len(patterns) > 1 else "pattern", tuple(patterns), self._block() if self._is("{") else None)

    # ---- statements

    def _block(self) -> Node:
        self._expect("{")
        body: list[Node] = []
        self._ends()
        while not self._take("}"):
            body.append(self._statement())
            self._ends()
        return ("block", body)

    def _statement(self) -> Node:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise NotInterpreted("an awk program that deeply nested")
        try:
            return self._one_statement()
        finally:
            self._depth -= 1

    def _one_statement(self) -> Node:
        if self._is("{"):
            return self._block()
        if self._is(";"):
            self._at += 1
            return ("block", [])
        if self._take("if"):
            return self._if()
        if self._take("while"):
            condition = self._parenthesized()
            return ("while", condition, self._body())
        if self._take("do"):
            body = self._body()
            self._ends()
            self._expect("while")
            made: Node = ("do", body, self._parenthesized())
        elif self._take("for"):
            return self._for()
        else:
            made = self._simple()
        if not (self._is("}", ";") or self._now.kind in ("newline", "end")):
            raise self._wrong()
        return made

    def _if(self) -> Node:
        condition = self._parenthesized()
        then = self._body()
        at = self._at
        self._ends()
        if self._take("else"):
            return ("if", condition, then, self._body())
        self._at = at
        return ("if", condition, then, None)

    def _parenthesized(self) -> Node:
        self._expect("(")
        made = self._expression()
        self._expect(")")
        return made

    def _body(self) -> Node:
        self._newlines()
        return self._statement()

    def _for(self) -> Node:
        self._expect("(")
        names = [token.text for token in self._tokens[self._at : self._at + 4]]
        if len(names) == 4 and self._now.kind == "name" and names[1] == "in" and names[3] == ")":
            self._at += 4
            return ("forin", names[0], names[2], self._body())
        start = None if self._is(";") else self._simple()
        self._expect(";")
        self._newlines()
        condition = None if self._is(";") else self._expression()
        self._expect(";")
        self._newlines()
        step = None if self._is(")") else self._simple()
        self._expect(")")
        if self._take(";"):
            return ("for", start, condition, step, ("block", []))
        return ("for", start, condition, step, self._body())

    def _simple(self) -> Node:
        for word in ("next", "nextfile", "break", "continue"):
            if self._take(word):
                return (word,)
        for word in ("exit", "return"):
            if self._take(word):
                nothing = self._is("}", ";") or self._now.kind in ("newline", "end")
                return (word, None if nothing else self._expression())
        if self._take("delete"):
            name = self._name()
            return ("delete", name, self._subscripts() if self._take("[") else None)
        for word in ("print", "printf"):
            if self._take(word):
                return self._print(word)
        return ("expression", self._expression())

    def _name(self) -> str:
        if self._now.kind != "name" or self._now.text in KEYWORDS:
            raise self._wrong()
        self._at += 1
        return self._tokens[self._at - 1].text

    def _print(self, word: str) -> Node:
        kept, self._no_greater = self._no_greater, True
        arguments: list[Node] = []
        try:
            if not (self._is("}", ";", ">", ">>", "|") or self._now.kind in ("newline", "end")):
                arguments = self._list()
                if len(arguments) == 1 and arguments[0][0] == "grouping":
                    arguments = list(arguments[0][1])
            operator = next((each for each in (">", ">>", "|") if self._take(each)), "")
            target = self._concatenation() if operator else None
        finally:
            self._no_greater = kept
        return (word, arguments, operator, target)

    def _list(self) -> list[Node]:
        made = [self._expression()]
        while self._take(","):
            self._newlines()
            made.append(self._expression())
        return made

    # ---- expressions, loosest first

    def _expression(self) -> Node:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise NotInterpreted("an awk program that deeply nested")
        left = self._ternary()
        if self._is("=", "+=", "-=", "*=", "/=", "%=", "^=", "**=") and left[0] in ("variable", "field", "element"):
            operator = self._now.text[:-1].replace("**", "^")
            self._at += 1
            self._newlines()
            left = ("assign", operator, left, self._expression())
        self._depth -= 1
        return left

    def _ternary(self) -> Node:
        condition = self._or()
        if not self._take("?"):
            return condition
        self._newlines()
        first = self._expression()
        self._newlines()
        self._expect(":")
        self._newlines()
        return ("ternary", condition, first, self._expression())

    def _or(self) -> Node:
        left = self._and()
        while self._take("||"):
            self._newlines()
            left = ("or", left, self._and())
        return left

    def _and(self) -> Node:
        left = self._membership()
        while self._take("&&"):
            self._newlines()
            left = ("and", left, self._membership())
        return left

    def _membership(self) -> Node:
        left = self._match()
        while not self._no_in and self._take("in"):
            left = ("in", list(left[1]) if left[0] == "grouping" else [left], self._name())
        return left

    def _match(self) -> Node:
        left = self._comparison()
        while self._is("~", "!~"):
            negated = self._now.text == "!~"
            self._at += 1
            left = ("match", negated, left, self._comparison())
        return left

    def _comparison(self) -> Node:
        left = self._concatenation()
        if self._is("<", "<=", "==", "!=", ">=") or (self._is(">") and not self._no_greater):
            operator = self._now.text
            self._at += 1
            left = ("compare", operator, left, self._concatenation())
        while self._is("|") and self._tokens[self._at + 1].text == "getline":
            self._at += 2
            left = ("getline", "command", left, self._target())
        return left

    def _concatenation(self) -> Node:
        left = self._sum()
        while self._starts_operand():
            left = ("concatenate", left, self._sum())
        return left

    def _starts_operand(self) -> bool:
        now = self._now
        if now.kind in ("number", "string", "regex", "call"):
            return True
        if now.kind == "name":
            return now.text in BUILTINS or now.text not in KEYWORDS
        return now.kind == "op" and now.text in ("$", "!", "(", "-", "+", "++", "--")

    def _sum(self) -> Node:
        left = self._product()
        while self._is("+", "-"):
            operator = self._now.text
            self._at += 1
            left = ("arithmetic", operator, left, self._product())
        return left

    def _product(self) -> Node:
        left = self._unary()
        while self._is("*", "/", "%"):
            operator = self._now.text
            self._at += 1
            left = ("arithmetic", operator, left, self._unary())
        return left

    def _unary(self) -> Node:
        for operator in ("!", "-", "+"):
            if self._take(operator):
                self._depth += 1
                if self._depth > _DEEPEST:
                    raise NotInterpreted("an awk program that deeply nested")
                made: Node = ("unary", operator, self._unary())
                self._depth -= 1
                return made
        return self._power()

    def _power(self) -> Node:
        left = self._increment()
        if self._take("^", "**"):
            right: Node = ("unary", "-", self._power()) if self._take("-") else self._power()
            return ("arithmetic", "^", left, right)
        return left

    def _increment(self) -> Node:
        for operator in ("++", "--"):
            if self._take(operator):
                return ("before", operator, self._assignable(self._primary()))
        made = self._primary()
        if made[0] in ("variable", "field", "element") and self._is("++", "--"):
            self._at += 1
            return ("after", self._tokens[self._at - 1].text, made)
        return made

    def _assignable(self, node: Node) -> Node:
        if node[0] not in ("variable", "field", "element"):
            raise self._wrong()
        return node

    def _primary(self) -> Node:
        token = self._now
        if token.kind == "end" or token.kind == "newline":
            raise self._wrong()
        self._at += 1
        if token.kind == "number":
            return ("value", float(int(token.text, 16)) if token.text[:2] in ("0x", "0X") else float(token.text))
        if token.kind == "string":
            return ("value", unescaped(token.text[1:-1]))
        if token.kind == "regex":
            return ("regex", token.text)
        if token.kind == "call":
            if token.text in FOREIGN:
                raise NotInterpreted(f"awk's {token.text}()")
            return ("call", token.text, self._arguments())
        if token.text == "$":
            return ("field", self._increment())
        if token.text == "(":
            return self._grouping()
        if token.kind == "name":
            return self._named(token)
        self._at -= 1
        raise self._wrong()

    def _grouping(self) -> Node:
        kept = self._no_in, self._no_greater
        self._no_in = self._no_greater = False
        made = self._list()
        self._expect(")")
        self._no_in, self._no_greater = kept
        if len(made) > 1:
            return ("grouping", tuple(made))
        return ("inner", made[0])

    def _named(self, token: Token) -> Node:
        name = token.text
        if name == "getline":
            target = self._target()
            if self._take("<"):
                return ("getline", "file", self._increment(), target)
            return ("getline", "input", None, target)
        if name in BUILTINS:
            if name == "length" and not self._is("("):
                return ("builtin", name, [])
            return ("builtin", name, self._arguments())
        if name in KEYWORDS:
            self._at -= 1
            raise self._wrong()
        if self._take("["):
            return ("element", name, self._subscripts())
        return ("variable", name)

    def _target(self) -> Node | None:
        """What getline reads into."""
        if self._is("$") or (self._now.kind == "name" and self._now.text not in KEYWORDS and self._now.text not in BUILTINS):
            return self._primary()
        return None

    def _arguments(self) -> list[Node]:
        self._expect("(")
        kept = self._no_in, self._no_greater
        self._no_in = self._no_greater = False
        self._newlines()
        made = [] if self._is(")") else self._list()
        self._newlines()
        self._expect(")")
        self._no_in, self._no_greater = kept
        return made

    def _subscripts(self) -> list[Node]:
        kept = self._no_in, self._no_greater
        self._no_in = self._no_greater = False
        made = self._list()
        self._expect("]")
        self._no_in, self._no_greater = kept
        return made


def parse(text: str) -> Program:
    """Raises AwkSyntaxError, NotInterpreted."""
    return Parser(text).program()
