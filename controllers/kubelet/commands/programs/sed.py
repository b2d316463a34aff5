"""sed: addresses, s y d p a i c = n N D P h H g G x q b t, labels, -n -e -E -i -s. Others are refused by name."""

from __future__ import annotations

import re
from collections.abc import Generator, Sequence

from controllers.kubelet.commands.errors import NotInterpreted
from controllers.kubelet.commands.limits import CAPTURE_BYTES
from controllers.kubelet.commands.patterns import Match
from controllers.kubelet.commands.process import Run
from controllers.kubelet.commands.programs.call import Applet, Call, Waits, lines_of, programs
from controllers.kubelet.commands.programs.sed_script import Address, Command, Parser, scripts_of

_MOST_STEPS = 200_000


class _Editor:
    def __init__(self, call: Call, commands: Sequence[Command], labels: dict[str, int], *, quiet: bool) -> None:
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

    def edit(self, lines: list[str], *, ends_whole: bool) -> Generator[Waits, None, None]:
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
            pattern = yield from self._cycle(pattern)

    def _next(self) -> str:
        self._number += 1
        return self._lines[self._number - 1]

    @property
    def _end(self) -> str:
        return "" if self._number >= len(self._lines) and not self._ends_whole else "\n"

    def _cycle(self, pattern: str) -> Generator[Waits, None, str | None]:
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
            yield from self._call.pace(1 + len(pattern) // 500)
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
                pattern, done = yield from self._substituted(command, pattern)
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

    def _simple(self, command: Command, pattern: str) -> str:
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

    def _selects(self, command: Command, pattern: str) -> bool:
        return self._in_range(command, pattern) is not command.negated

    def _in_range(self, command: Command, pattern: str) -> bool:
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

    def _at_address(self, address: Address, pattern: str) -> bool:
        if address.expression is not None:
            return address.expression.search(pattern) is not None
        if address.last:
            return self._number == len(self._lines)
        if address.step:
            return self._number >= address.line and (self._number - address.line) % address.step == 0
        return self._number == address.line

    def _substituted(self, command: Command, pattern: str) -> Generator[Waits, None, tuple[str, bool]]:
        assert command.expression is not None
        made: list[str] = []
        at = count = start = size = 0
        done = False
        while start <= len(pattern):
            yield from self._call.pace(3 + (len(pattern) - start) // 5000)
            matched = command.expression.search(pattern, start)
            if matched is None:
                break
            count += 1
            if matched.end() == matched.start() and done and matched.start() == at and size:
                start = matched.end() + 1
                continue
            if count >= command.which:
                made.append(pattern[at : matched.start()])
                made += [part if isinstance(part, str) else _group(matched, part) for part in command.replacement]
                size += sum(map(len, made[-1 - len(command.replacement) :]))
                at, done = matched.end(), True
                if "g" not in command.flags:
                    break
            start = matched.end() if matched.end() > matched.start() else matched.end() + 1
            if size > CAPTURE_BYTES:
                raise NotInterpreted("sed with that much text")
        return "".join(made) + pattern[at:], done


def _group(matched: Match, number: int) -> str:
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
    parser = Parser(call, "\n".join(scripts), extended=bool(given.keys() & {"E", "r"}))
    editor = _Editor(call, parser.parse(), parser.labels, quiet="n" in given)
    code, contents = yield from call.inputs(names, "{}", "can't read {}")
    if in_place:
        for name, data in contents:
            editor.output, editor.over = [], False
            yield from editor.edit(lines_of(data), ends_whole=data.endswith(b"\n") or not data)
            if suffix:
                call.process.write(name + suffix, data)
            call.process.write(name, "".join(editor.output).encode("utf-8", "surrogateescape"))
        return editor.code or (2 if code and call.gnu else code)
    data = b"".join(each if each.endswith(b"\n") or at == len(contents) - 1 else each + b"\n" for at, (_, each) in enumerate(contents))
    yield from editor.edit(lines_of(data), ends_whole=data.endswith(b"\n") or not data)
    call.print("".join(editor.output))
    return editor.code or (2 if code and call.gnu else code)


_APPLETS: dict[str, Applet] = {"sed": _sed}
program = programs(_APPLETS)
