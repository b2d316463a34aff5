"""The shell's grammar as values: what the parser makes and the shell runs. Shared by every container with the same script."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Literal:
    text: str
    quoted: bool = False


@dataclass(frozen=True, slots=True)
class Parameter:
    """$name and ${name<operator>word}; operator '' is plain, '#length' is ${#name}."""

    name: str
    operator: str = ""
    word: Word | None = None
    quoted: bool = False


@dataclass(frozen=True, slots=True)
class Substitution:
    """$(...) and backquotes."""

    body: Command
    quoted: bool = False


@dataclass(frozen=True, slots=True)
class Calculation:
    """$((...))"""

    word: Word
    quoted: bool = False


Part = Literal | Parameter | Substitution | Calculation


@dataclass(frozen=True, slots=True)
class Word:
    """`plain` is its value where nothing in it is to be expanded."""

    parts: tuple[Part, ...]
    plain: str | None = None


@dataclass(frozen=True, slots=True)
class Redirect:
    """`operator`: < > >> >& <& and << with the here-document as target."""

    descriptor: int
    operator: str
    target: Word


@dataclass(frozen=True, slots=True)
class Simple:
    """[[ ]] too, whose words are neither split into fields nor matched against files."""

    assignments: tuple[tuple[str, Word], ...]
    words: tuple[Word, ...]
    redirects: tuple[Redirect, ...] = ()


@dataclass(frozen=True, slots=True)
class Pipeline:
    commands: tuple[Command, ...]
    negated: bool = False


@dataclass(frozen=True, slots=True)
class AndOr:
    first: Command
    rest: tuple[tuple[str, Command], ...]


@dataclass(frozen=True, slots=True)
class Sequence:
    items: tuple[Command, ...]


@dataclass(frozen=True, slots=True)
class If:
    branches: tuple[tuple[Command, Command], ...]
    otherwise: Command | None


@dataclass(frozen=True, slots=True)
class Loop:
    condition: Command
    body: Command
    until: bool


@dataclass(frozen=True, slots=True)
class For:
    """`words` None: the positional parameters."""

    name: str
    words: tuple[Word, ...] | None
    body: Command


@dataclass(frozen=True, slots=True)
class Case:
    word: Word
    branches: tuple[tuple[tuple[Word, ...], Command], ...]


@dataclass(frozen=True, slots=True)
class Group:
    body: Command
    subshell: bool
    redirects: tuple[Redirect, ...] = ()


@dataclass(frozen=True, slots=True)
class Function:
    name: str
    body: Command


Command = Simple | Pipeline | AndOr | Sequence | If | Loop | For | Case | Group | Function
NOTHING = Sequence(())
