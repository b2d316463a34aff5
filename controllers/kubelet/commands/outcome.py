"""What a container's command does, known before it runs: how long it takes, its exit code, what it writes and when. Pure.

Commands that depend on nothing but themselves have one outcome for ever, so it is found once and shared by every container
with the same command line. Whatever reads files, variables, time or the network is not interpreted here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from controllers.kubelet.commands import syntax
from controllers.kubelet.commands.errors import Exit, NotInterpreted
from controllers.kubelet.commands.limits import ARGUMENTS, OUTPUT_BYTES, STEPS
from controllers.kubelet.commands.parser import parse

TERMINATION_LOG = "/dev/termination-log"
_PLACES = ("/bin/", "/usr/bin/", "/usr/local/bin/")
_SLEEP = re.compile(r"(\d+(?:\.\d*)?|\.\d+)([smhd]?)")
_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}
_LONGEST_SECONDS = 100 * 365 * 86400.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """`seconds` None: it runs until it is stopped. `output`: what it writes, each with the seconds since its start; `files`: what it
    leaves in the files a container is asked for afterwards (its termination log), by path."""

    seconds: float | None
    exit_code: int
    output: tuple[tuple[float, str], ...] = ()
    files: tuple[tuple[str, str], ...] = ()

    @property
    def text(self) -> str:
        return "".join(text for _, text in self.output)

    def file(self, path: str) -> str:
        return dict(self.files).get(path, "")


class _Endless(Exception):
    """It waits until it is stopped."""


class _Run:
    """One walk through a command; time is added up."""

    def __init__(self, termination_log: str) -> None:
        self.seconds = 0.0
        self.output: list[tuple[float, str]] = []
        self.files: dict[str, str] = {}
        self._known_files = (termination_log,)
        self._steps = self._bytes = self._written = 0
        self._depth = 0

    # ---- commands

    def execute(self, node: syntax.Command) -> int:
        self._steps += 1
        if self._steps > STEPS:
            raise NotInterpreted(f"more than {STEPS} commands")
        if isinstance(node, syntax.Simple):
            return self._simple(node)
        if isinstance(node, syntax.Sequence):
            code = 0
            for item in node.items:
                code = self.execute(item)
            return code
        if isinstance(node, syntax.AndOr):
            return self._and_or(node)
        if isinstance(node, syntax.Pipeline) and len(node.commands) == 1:
            return int(not self.execute(node.commands[0]))
        if isinstance(node, syntax.If):
            return self._if(node)
        if isinstance(node, syntax.Loop):
            return self._loop(node)
        if isinstance(node, syntax.Group) and not node.redirects:
            return self._group(node)
        raise NotInterpreted(f"a script with a {type(node).__name__.lower()}")

    def _and_or(self, node: syntax.AndOr) -> int:
        code = self.execute(node.first)
        for operator, command in node.rest:
            if (operator == "&&") == (code == 0):
                code = self.execute(command)
        return code

    def _if(self, node: syntax.If) -> int:
        for condition, body in node.branches:
            if self.execute(condition) == 0:
                return self.execute(body)
        return self.execute(node.otherwise) if node.otherwise is not None else 0

    def _loop(self, node: syntax.Loop) -> int:
        """Nothing here can change the condition: it ends before its first round or never."""
        written = self._written
        if (self.execute(node.condition) == 0) == node.until:
            return 0
        self.execute(node.body)
        if self._written > written:
            raise NotInterpreted("an endless loop that writes")
        raise _Endless

    def _group(self, node: syntax.Group) -> int:
        if not node.subshell:
            return self.execute(node.body)
        try:
            return self.execute(node.body)
        except Exit as ended:
            return ended.code

    def _simple(self, node: syntax.Simple) -> int:
        if node.assignments:
            raise NotInterpreted("a script with variables")
        words = []
        for word in node.words:
            if word.plain is None and word.parts != (syntax.Literal("["),):
                raise NotInterpreted("a script with expansions")
            words.append(word.plain or "")
        if not words:
            raise NotInterpreted("a redirection without a command")
        return self.command(words, self._writer(node.redirects))

    def _writer(self, redirects: Sequence[syntax.Redirect]) -> Callable[[str], None]:
        """Where the standard output goes."""
        write: Callable[[str], None] = self._to_log
        for redirect in redirects:
            target = redirect.target.plain
            if redirect.operator == ">&" and target in ("1", "2"):
                continue  # both are the log
            if redirect.descriptor != 1 or redirect.operator not in (">", ">>"):
                raise NotInterpreted(f"a redirection with {redirect.operator}")
            if target == "/dev/null":
                write = _discard
            elif target in self._known_files:
                write = self._file_writer(target, append=redirect.operator == ">>")
            else:
                raise NotInterpreted(f"the file {target or 'of an expansion'}")
        return write

    def _file_writer(self, path: str, *, append: bool) -> Callable[[str], None]:
        self.files[path] = self.files.get(path, "") if append else ""

        def write(text: str) -> None:
            self._count(text)
            self.files[path] += text

        return write

    def _to_log(self, text: str) -> None:
        self._count(text)
        if text:
            self.output.append((self.seconds, text))

    def _count(self, text: str) -> None:
        self._written += 1
        self._bytes += len(text.encode(errors="replace"))
        if self._bytes > OUTPUT_BYTES:
            raise NotInterpreted(f"more than {OUTPUT_BYTES} bytes of output")

    def command(self, words: Sequence[str], write: Callable[[str], None]) -> int:
        name, arguments = _program(words[0]), words[1:]
        if name in ("true", ":"):
            return 0
        if name == "false":
            return 1
        if name == "echo":
            write(_echo(arguments))
            return 0
        if name == "sleep":
            return self._sleep(arguments)
        if name == "pause":
            raise _Endless
        if name == "tail" and list(arguments) == ["-f", "/dev/null"]:
            raise _Endless
        if words[0] == "exit":
            raise Exit(_number(arguments[0]) if arguments else 0)
        if name in ("sh", "ash", "bash", "dash") and len(arguments) == 2 and arguments[0] == "-c":
            return self._shell(arguments[1])
        raise NotInterpreted(f'the command "{words[0]}"')

    def _shell(self, script: str) -> int:
        self._depth += 1
        if self._depth > 10:
            raise NotInterpreted("shells in shells")
        try:
            return self.execute(parse(script))
        except Exit as ended:
            return ended.code
        finally:
            self._depth -= 1

    def _sleep(self, arguments: Sequence[str]) -> int:
        if not arguments:
            raise NotInterpreted("sleep without a time")
        for text in arguments:
            if text in ("infinity", "inf"):
                raise _Endless
            duration = _SLEEP.fullmatch(text)
            if duration is None:
                raise NotInterpreted(f'sleep "{text}"')
            self.seconds += float(duration.group(1)) * _UNITS[duration.group(2)]
            if self.seconds > _LONGEST_SECONDS:
                raise _Endless
        return 0


def _program(word: str) -> str:
    """The name of a program where such programs are; other paths are the image's."""
    for place in _PLACES:
        if word.startswith(place):
            return word[len(place) :]
    return word


def _echo(arguments: Sequence[str]) -> str:
    newline, rest = "\n", list(arguments)
    if rest and rest[0] == "-n":
        newline, rest = "", rest[1:]
    text = " ".join(rest)
    if "\\" in text or (rest and re.fullmatch(r"-[neE]+", rest[0])):
        raise NotInterpreted("echo with escapes")
    return text + newline


def _number(text: str) -> int:
    if not re.fullmatch(r"\d{1,9}", text):
        raise NotInterpreted(f"exit {text}")
    return int(text)


def _discard(text: str) -> None:
    """/dev/null"""


@lru_cache(maxsize=1024)
def outcome_of(command_line: tuple[str, ...], termination_log: str = TERMINATION_LOG) -> Outcome | None:
    """None: it is not interpreted. `command_line` is the container's command and args."""
    if not command_line or len(command_line) > ARGUMENTS or any("$(" in word for word in command_line):
        return None
    run = _Run(termination_log)
    try:
        code, seconds = run.command(command_line, run._to_log), run.seconds
    except _Endless:
        return Outcome(None, 0, tuple(run.output), tuple(run.files.items()))
    except (NotInterpreted, Exit, RecursionError):
        return None
    return Outcome(seconds, code, tuple(run.output), tuple(run.files.items()))
