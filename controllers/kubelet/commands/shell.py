"""A POSIX shell over simulated files and programs: runs what the parser read, as generators that wait where the script waits.

Everything runs one after the other: the parts of a pipeline too, each with what the part before it wrote. What that cannot do (endless
output into a pipe) is refused by name.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import replace

from controllers.kubelet.commands import builtins, conditions, patterns, syntax
from controllers.kubelet.commands.errors import Break, Continue, Exit, NotInterpreted, Return
from controllers.kubelet.commands.expansion import Expander
from controllers.kubelet.commands.limits import CAPTURE_BYTES, NESTING
from controllers.kubelet.commands.parser import parse
from controllers.kubelet.commands.process import SIGTERM, Input, Process, Run, Streams, run_program

Waits = float | None
_COMMAND, _PROGRAM = 8, 12
"""What executing one costs, in units of work."""
_SIGNALS = {"EXIT": 0, "0": 0, "HUP": 1, "1": 1, "INT": 2, "2": 2, "QUIT": 3, "3": 3, "TERM": SIGTERM, "15": SIGTERM}


class Shell:
    """`positional` are $1 and on; `name` is $0, and what messages begin with."""

    def __init__(self, process: Process, name: str = "sh", positional: Sequence[str] = ()) -> None:
        self.process = process
        self.name = name
        self.positional = list(positional)
        self.variables = dict(process.env)
        self.exported = set(process.env)
        self.functions: dict[str, syntax.Command] = {}
        self.status = 0
        self.no_unset = self.stop_on_error = self.trace = self.pipe_fail = False
        self.traps: dict[int, str] = {}
        self._pending: list[int] = []
        self._work = process.world.work
        self._expander = Expander(self)
        self._tested = 0
        """How many conditions it is in: there a failure does not end the script (set -e)."""
        self._depth = process.depth

    # ---- scripts

    def script(self, text: str) -> Run:
        """Runs it to its end. The exit code."""
        code = 0
        try:
            code = yield from self.execute(parse(text), Streams(self.process.stdin, self.process.out, self.process.error))
        except (Exit, Return) as ended:
            code = ended.code
        except Break:
            code = self.status
        action = self.traps.pop(0, "")
        if action:
            self.status = code
            code = (yield from self._finish(action)) or code
        return code

    def _finish(self, action: str) -> Generator[Waits, None, int]:
        try:
            yield from self.execute(parse(action), Streams(self.process.stdin, self.process.out, self.process.error))
        except Exit as ended:
            return ended.code
        return 0

    def signal(self, number: int) -> bool:
        """Whether the script handles it: when its present command is done."""
        if number in self.traps:
            self._pending.append(number)
            return True
        return False

    def _handle_signals(self, streams: Streams) -> Generator[Waits, None, None]:
        while self._pending:
            action = self.traps.get(self._pending.pop(0), "")
            if action:
                status = self.status
                yield from self.execute(parse(action), streams)
                self.status = status

    def set_trap(self, action: str | None, signal: str) -> bool:
        number = _SIGNALS.get(signal.upper().removeprefix("SIG"))
        if number is None:
            return signal.upper().removeprefix("SIG").isalnum()
        if action is None or action == "-":
            self.traps.pop(number, None)
        else:
            self.traps[number] = action
        self.process.world.handler(self if SIGTERM in self.traps else None)
        return True

    # ---- commands

    def execute(self, node: syntax.Command, streams: Streams) -> Generator[Waits, None, int]:
        yield from self._work.spend(_COMMAND)
        if self._pending:
            yield from self._handle_signals(streams)
        self._depth += 1
        if self._depth > NESTING:
            raise NotInterpreted("a script with deeply nested commands")
        try:
            code = yield from self._dispatch(node, streams)
        finally:
            self._depth -= 1
        self.status = code
        ends = isinstance(node, syntax.Simple | syntax.Group) or (isinstance(node, syntax.Pipeline) and not node.negated)
        if code and self.stop_on_error and not self._tested and ends:
            raise Exit(code)
        return code

    def _dispatch(self, node: syntax.Command, streams: Streams) -> Generator[Waits, None, int]:
        if isinstance(node, syntax.Simple):
            return (yield from self._simple(node, streams))
        if isinstance(node, syntax.Sequence):
            code = 0
            for item in node.items:
                code = yield from self.execute(item, streams)
            return code
        if isinstance(node, syntax.AndOr):
            return (yield from self._and_or(node, streams))
        if isinstance(node, syntax.Pipeline):
            return (yield from self._pipeline(node, streams))
        if isinstance(node, syntax.If):
            return (yield from self._if(node, streams))
        if isinstance(node, syntax.Loop | syntax.For):
            return (yield from self._loop(node, streams))
        if isinstance(node, syntax.Case):
            return (yield from self._case(node, streams))
        if isinstance(node, syntax.Function):
            self.functions[node.name] = node.body
            return 0
        return (yield from self._group(node, streams))

    @contextmanager
    def _condition(self) -> Generator[None, None, None]:
        self._tested += 1
        try:
            yield
        finally:
            self._tested -= 1

    def _and_or(self, node: syntax.AndOr, streams: Streams) -> Generator[Waits, None, int]:
        parts = [("", node.first), *node.rest]
        code = 0
        for index, (operator, command) in enumerate(parts):
            if operator and (operator == "&&") != (code == 0):
                continue
            if index < len(parts) - 1:
                with self._condition():
                    code = yield from self.execute(command, streams)
            else:
                code = yield from self.execute(command, streams)
        return code

    def _pipeline(self, node: syntax.Pipeline, streams: Streams) -> Generator[Waits, None, int]:
        if len(node.commands) == 1:
            with self._condition():
                code = yield from self.execute(node.commands[0], streams)
            return int(not code) if node.negated else code
        stdin, codes = streams.stdin, []
        for command in node.commands[:-1]:
            captured = Captured()
            codes.append((yield from self.subshell(command, replace(streams, stdin=stdin, out=captured.write))))
            stdin = Input(bytes(captured.data))
        codes.append((yield from self.subshell(node.commands[-1], replace(streams, stdin=stdin))))
        code = codes[-1] or (next((each for each in reversed(codes) if each), 0) if self.pipe_fail else 0)
        return int(not code) if node.negated else code

    def subshell(self, node: syntax.Command, streams: Streams) -> Generator[Waits, None, int]:
        """With variables and place of its own."""
        kept = dict(self.variables), set(self.exported), list(self.positional), self.process.cwd, dict(self.functions)
        options = self.no_unset, self.stop_on_error, self.trace, self.pipe_fail
        try:
            return (yield from self.execute(node, streams))
        except (Exit, Return) as ended:
            return ended.code
        finally:
            self.variables, self.exported, self.positional, self.process.cwd, self.functions = kept
            self.no_unset, self.stop_on_error, self.trace, self.pipe_fail = options

    def capture(self, body: syntax.Command) -> Generator[Waits, None, str]:
        captured = Captured()
        self.status = yield from self.subshell(body, Streams(self.process.stdin, captured.write, self.process.error))
        return captured.data.replace(b"\0", b"").decode("utf-8", "surrogateescape")

    def _if(self, node: syntax.If, streams: Streams) -> Generator[Waits, None, int]:
        for condition, body in node.branches:
            with self._condition():
                code = yield from self.execute(condition, streams)
            if code == 0:
                return (yield from self.execute(body, streams))
        return (yield from self.execute(node.otherwise, streams)) if node.otherwise is not None else 0

    def _loop(self, node: syntax.Loop | syntax.For, streams: Streams) -> Generator[Waits, None, int]:
        code = 0
        try:
            if isinstance(node, syntax.For):
                words: list[str] = list(self.positional) if node.words is None else []
                for word in node.words or ():
                    words += yield from self._expander.fields(word)
                for value in words:
                    self.variables[node.name] = value
                    code = yield from self._body(node.body, streams)
                return code
            while True:
                with self._condition():
                    met = yield from self.execute(node.condition, streams)
                if (met == 0) == node.until:
                    return code
                code = yield from self._body(node.body, streams)
        except Break as left:
            if left.loops > 1:
                raise type(left)(left.loops - 1) from None
            return 0

    def _body(self, body: syntax.Command, streams: Streams) -> Generator[Waits, None, int]:
        try:
            return (yield from self.execute(body, streams))
        except Continue as again:
            if again.loops > 1:
                raise Continue(again.loops - 1) from None
            return 0

    def _case(self, node: syntax.Case, streams: Streams) -> Generator[Waits, None, int]:
        value = yield from self._expander.text(node.word)
        for alternatives, body in node.branches:
            for alternative in alternatives:
                if patterns.matches(value, (yield from self._expander.pattern(alternative))):
                    return (yield from self.execute(body, streams))
        return 0

    def _group(self, node: syntax.Group, streams: Streams) -> Generator[Waits, None, int]:
        redirected = yield from self._redirected(node.redirects, streams)
        if redirected is None:
            return 1
        if node.subshell:
            return (yield from self.subshell(node.body, redirected))
        return (yield from self.execute(node.body, redirected))

    # ---- simple commands

    def _simple(self, node: syntax.Simple, streams: Streams) -> Generator[Waits, None, int]:
        self.status_of_substitution = 0
        double_bracket = bool(node.words) and node.words[0].plain == "[["
        words: list[str] = []
        if double_bracket:
            return (yield from self._double_bracket(node, streams))
        for word in node.words:
            words += yield from self._expander.fields(word)
        before = self.status
        assigned: dict[str, str] = {}
        for name, word in node.assignments:
            assigned[name] = yield from self._expander.text(word)
        redirected = yield from self._redirected(node.redirects, streams)
        if redirected is None:
            return 1
        if self.trace and (words or assigned):
            shown = [f"{name}={value}" for name, value in assigned.items()] + [builtins.quoted(word) for word in words]
            streams.error(f"+ {' '.join(shown)}\n".encode("utf-8", "surrogateescape"))
        if not words:
            self.variables |= assigned
            substituted = any(isinstance(part, syntax.Substitution) for _, word in node.assignments for part in word.parts)
            return self.status if substituted and self.status != before else 0
        return (yield from self._command(words, assigned, redirected))

    def _double_bracket(self, node: syntax.Simple, streams: Streams) -> Generator[Waits, None, int]:
        words: list[tuple[str, list[patterns.Piece]]] = []
        for word in node.words[1:-1]:
            pieces = yield from self._expander.pattern(word)
            words.append(("".join(text for text, _ in pieces), pieces))
        return conditions.double_bracket(self.process, words)

    def _command(self, words: list[str], assigned: dict[str, str], streams: Streams) -> Generator[Waits, None, int]:
        name = words[0]
        body = self.functions.get(name)
        if body is not None:
            return (yield from self._call(body, words[1:], streams))
        builtin = builtins.BUILTINS.get(name)
        if builtin is not None:
            self.variables |= assigned
            result = builtin(self, words[1:], streams)
            return result if isinstance(result, int) else (yield from result)
        return (yield from self.run(words, streams, assigned))

    def _call(self, body: syntax.Command, arguments: list[str], streams: Streams) -> Generator[Waits, None, int]:
        kept, self.positional = self.positional, arguments
        try:
            return (yield from self.execute(body, streams))
        except Return as returned:
            return returned.code
        finally:
            self.positional = kept

    def run(self, words: list[str], streams: Streams, assigned: dict[str, str] | None = None) -> Generator[Waits, None, int]:
        """A program that is not part of the shell."""
        yield from self._work.spend(_PROGRAM)
        process = self.process.child(words, streams.out, streams.error, streams.stdin)
        process.env = {name: self.variables[name] for name in sorted(self.exported) if name in self.variables} | (assigned or {})
        if process.depth > NESTING:
            raise NotInterpreted("programs that start programs that deep")
        program = self.process.world.find_program(words[0], process)
        if program is None:
            if self.process.world.strict:
                raise NotInterpreted(f'the command "{words[0]}"')
            exists = "/" in words[0] and self.process.world.files.exists(self.process.path(words[0]), self.process.who)
            streams.error(f"{self.name}: {words[0]}: {'Permission denied' if exists else 'not found'}\n".encode())
            return 126 if exists else 127
        try:
            return (yield from run_program(program, process))
        except Exit as ended:
            return ended.code

    # ---- redirections

    def _redirected(self, redirects: Sequence[syntax.Redirect], streams: Streams) -> Generator[Waits, None, Streams | None]:
        """None where a file cannot be opened, which has been said."""
        for redirect in redirects:
            target = yield from self._expander.text(redirect.target)
            if redirect.operator == "<<":
                streams = replace(streams, stdin=Input(target.encode("utf-8", "surrogateescape")))
                continue
            if redirect.operator in (">&", "<&"):
                streams = _duplicated(streams, redirect, target)
                continue
            try:
                streams = self._opened(streams, redirect, target)
            except OSError as error:
                verb = "can't open" if redirect.operator == "<" else "can't create"
                reason = (
                    "nonexistent directory" if error.errno == errno.ENOENT and verb == "can't create" else os.strerror(error.errno or 0)
                )
                if redirect.operator == "<" and error.errno == errno.ENOENT:
                    reason = "no such file"
                streams.error(f"{self.name}: {verb} {target}: {reason}\n".encode("utf-8", "surrogateescape"))
                return None
        return streams

    def _opened(self, streams: Streams, redirect: syntax.Redirect, target: str) -> Streams:
        process = self.process
        if redirect.operator == "<":
            return replace(streams, stdin=Input(process.read(target)))
        process.write(target, b"", append=redirect.operator == ">>")
        path = process.path(target)

        def write(data: bytes) -> None:
            process.write(path, data, append=True)

        return replace(streams, error=write) if redirect.descriptor == 2 else replace(streams, out=write)


def _duplicated(streams: Streams, redirect: syntax.Redirect, target: str) -> Streams:
    if target == "-":
        if redirect.descriptor == 0:
            return replace(streams, stdin=Input())
        return replace(streams, error=_discard) if redirect.descriptor == 2 else replace(streams, out=_discard)
    if target not in ("1", "2") or redirect.descriptor == 0:
        raise NotInterpreted(f"a redirection to descriptor {target}")
    write = streams.out if target == "1" else streams.error
    return replace(streams, error=write) if redirect.descriptor == 2 else replace(streams, out=write)


def _discard(data: bytes) -> None:
    """Closed."""


class Captured:
    """What a pipe or a substitution takes up."""

    def __init__(self) -> None:
        self.data = bytearray()

    def write(self, data: bytes) -> None:
        self.data += data
        if len(self.data) > CAPTURE_BYTES:
            raise NotInterpreted("a pipe of that much output")


def main(process: Process) -> Run:
    """The programs sh, ash, dash and bash."""
    arguments = process.argv[1:]
    options: list[str] = []
    while arguments and arguments[0][:1] in ("-", "+") and len(arguments[0]) > 1:
        option = arguments.pop(0)
        if option == "--":
            break
        if option.startswith("--"):
            continue
        options.append(option)
        if option in ("-o", "+o") and arguments:
            options[-1] = f"{option}{arguments.pop(0)}"
    command = any("c" in option and not option[1:].startswith("o") for option in options)
    name = process.argv[0]
    text = ""
    if command:
        if not arguments:
            process.complain(f"{name}: -c requires an argument\n")
            return 2
        text = arguments.pop(0)
        if arguments:
            name = arguments.pop(0)
    elif arguments:
        name = arguments.pop(0)
        try:
            text = process.read(name).decode("utf-8", "surrogateescape")
        except OSError as error:
            process.complain(f"{process.argv[0]}: can't open '{name}': {os.strerror(error.errno or 0)}\n")
            return 2
    shell = Shell(process, name, arguments)
    for option in options:
        builtins.set_option(shell, option.replace("c", "").replace("l", "").replace("i", ""))
    if command or name != process.argv[0]:
        return (yield from shell.script(text))
    return (yield from _interactive(shell))


def _interactive(shell: Shell) -> Run:
    """Commands from the standard input, each as soon as it is whole."""
    process, pending = shell.process, ""
    code = 0
    streams = Streams(process.stdin, process.out, process.error)
    prompt = process.world.terminal
    if prompt:
        process.print(_PROMPT.format(process.cwd))
    while True:
        line = yield from process.stdin.line()
        if line is None:
            break
        pending += line.decode("utf-8", "surrogateescape").rstrip("\r") + "\n"
        try:
            script = parse(pending)
        except NotInterpreted as unfinished:
            if "end of file" in str(unfinished) or "unterminated" in str(unfinished) or "without an end" in str(unfinished):
                continue
            process.complain(f"{shell.name}: {unfinished}\n")
            pending, code = "", 2
            continue
        pending = ""
        try:
            code = yield from shell.execute(script, streams)
        except (Exit, Return) as ended:
            return ended.code
        except Break:
            code = 0
        if prompt:
            process.print(_PROMPT.format(process.cwd))
    return code


_PROMPT = "{} # "
