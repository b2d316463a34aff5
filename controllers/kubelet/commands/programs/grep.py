"""grep, egrep, fgrep."""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass

from controllers.kubelet.commands.errors import NotInterpreted
from controllers.kubelet.commands.patterns import Expression, expression
from controllers.kubelet.commands.process import Run
from controllers.kubelet.commands.programs.call import Applet, Call, Waits, lines_of, programs, walk
from controllers.kubelet.files.tree import Directory

Waiting = Generator[Waits, None, None]
_FLAGS = "EFGPqvcilLnhHoswxrRaIyz"
_VALUED = "efmABC"
_LONG = {
    "extended-regexp": "E",
    "fixed-strings": "F",
    "perl-regexp": "P",
    "quiet": "q",
    "silent": "q",
    "invert-match": "v",
    "count": "c",
    "ignore-case": "i",
    "files-with-matches": "l",
    "files-without-match": "L",
    "line-number": "n",
    "no-filename": "h",
    "with-filename": "H",
    "only-matching": "o",
    "no-messages": "s",
    "word-regexp": "w",
    "line-regexp": "x",
    "recursive": "r",
    "regexp": "e",
    "file": "f",
    "max-count": "m",
    "after-context": "A",
    "before-context": "B",
    "context": "C",
    "text": "a",
    "color": "y0",
    "colour": "y0",
    "line-buffered": "y0",
}


def compiled(text: str, *, extended: bool, ignore_case: bool = False, fixed: bool = False) -> Expression:
    r"""A POSIX expression with GNU's \< and \>."""
    if not fixed:
        text = re.sub(r"\\[<>]", r"\\b", text)
    return expression(text, extended=extended, ignore_case=ignore_case, fixed=fixed)


@dataclass(frozen=True, slots=True)
class _Search:
    expressions: Sequence[Expression]
    given: Mapping[str, str]

    def spans(self, line: str) -> Iterator[tuple[int, int]]:
        """Where it matches: the longest at the leftmost place, then on behind it."""
        at = 0
        while at <= len(line):
            spans = [span for each in self.expressions if (span := self._span(each, line, at)) is not None]
            if not spans:
                return
            start, end = min(spans, key=lambda span: (span[0], -span[1]))
            yield start, end
            at = end if end > start else end + 1

    def _span(self, each: Expression, line: str, at: int) -> tuple[int, int] | None:
        while (matched := each.search(line, at)) is not None:
            start, end = matched.span()
            if "x" in self.given and (start, end) != (0, len(line)):
                return None
            if "w" not in self.given or not (_wordy(line, start - 1) or _wordy(line, end)):
                return start, end
            at = start + 1
        return None

    def selects(self, line: str) -> bool:
        return (next(self.spans(line), None) is not None) is ("v" not in self.given)


def _wordy(line: str, at: int) -> bool:
    return 0 <= at < len(line) and (line[at].isalnum() or line[at] == "_")


def _grep(call: Call) -> Run:
    patterns = _patterns(call)
    given, names = call.options(_FLAGS, _VALUED, _LONG)
    given.pop("y0", None)
    if "z" in given:
        raise NotInterpreted('"grep -z"')
    if "f" in given:
        patterns += lines_of(call.process.read(given["f"]))
    elif "e" not in given:
        if not names:
            call.complain("no pattern") if not call.gnu else call.process.complain("Usage: grep [OPTION]... PATTERNS [FILE]...\n")
            return 2
        patterns = names.pop(0).split("\n")
    extended = call.name == "egrep" or bool(given.keys() & {"E", "P"})
    fixed = call.name == "fgrep" or "F" in given
    search = _Search(
        [compiled(each, extended=extended, ignore_case=bool(given.keys() & {"i", "y"}), fixed=fixed) for each in patterns], given
    )
    recursive = bool(given.keys() & {"r", "R"})
    names = names or (["."] if recursive else ["-"])
    sources = [path for name in names for path in (_below(call, name) if recursive and name != "-" else [name])]
    prefixed = ("H" in given or len(names) > 1 or recursive) and "h" not in given
    failed, any_selected = False, False
    for name in sources:
        try:
            data = (yield from call.process.stdin.all()) if name == "-" else call.process.read(name)
        except OSError as error:
            failed = True
            if "s" not in given:
                if isinstance(error, IsADirectoryError):
                    call.complain(f"{name}: Is a directory" if call.gnu else "read error: Is a directory")
                else:
                    call.failed(name, error, "{}", "{}")
            continue
        selected = yield from _one(call, search, "(standard input)" if name == "-" else name, data, prefixed=prefixed)
        any_selected = any_selected or selected
        if any_selected and "q" in given:
            return 0
    return 2 if failed and not ("q" in given and any_selected) else int(not any_selected)


def _patterns(call: Call) -> list[str]:
    """Of every -e, of which there may be several."""
    patterns, words, at = [], call.arguments, 0
    while at < len(words):
        word = words[at]
        if word == "--":
            break
        if word.startswith("--regexp="):
            patterns += word[9:].split("\n")
        elif re.fullmatch(f"-[{_FLAGS}]*e.*", word, re.DOTALL) and not word.startswith("--"):
            rest = word[word.index("e") + 1 :]
            if not rest and at + 1 < len(words):
                at += 1
                rest = words[at]
            patterns += rest.split("\n")
        at += 1
    return patterns


def _below(call: Call, name: str) -> list[str]:
    return [path for path, node, depth in walk(call, name) if not isinstance(node, Directory)]


def _one(call: Call, search: _Search, name: str, data: bytes, *, prefixed: bool) -> Generator[Waits, None, bool]:
    """Looks through one file and prints what was asked for; whether something was selected."""
    given = search.given
    lines = lines_of(data)
    most = int(given["m"]) if given.get("m", "").isdigit() else len(lines)
    chosen: list[int] = []
    for at, line in enumerate(lines):
        if len(chosen) >= most:
            break
        yield from call.pace(2 + (3 + len(line) // 300) * len(search.expressions))
        if search.selects(line):
            chosen.append(at)
            if given.keys() & {"q", "l", "L"}:
                break
    prefix = f"{name}:" if prefixed else ""
    if "q" in given:
        return bool(chosen)
    if "l" in given or "L" in given:
        if bool(chosen) is ("l" in given):
            call.print(name + "\n")
        return bool(chosen)
    if "c" in given:
        call.print(f"{prefix}{len(chosen)}\n")
        return bool(chosen)
    if b"\0" in data and "a" not in given and chosen and call.gnu:
        call.print(f"grep: {name}: binary file matches\n")
        return True
    yield from _print(call, search, lines, chosen, name, prefixed=prefixed)
    return bool(chosen)


def _print(call: Call, search: _Search, lines: Sequence[str], chosen: Sequence[int], name: str, *, prefixed: bool) -> Waiting:
    given = search.given

    def shown(at: int, text: str, mark: str) -> str:
        return (f"{name}{mark}" if prefixed else "") + (f"{at + 1}{mark}" if "n" in given else "") + text + "\n"

    if "o" in given:
        for at in chosen if "v" not in given else ():
            for start, end in search.spans(lines[at]):
                if end > start:
                    call.print(shown(at, lines[at][start:end], ":"))
                yield from call.pace(5 + len(lines[at]) // 300)
        return
    both = given.get("C", "0")
    before, after = (int(given.get(letter, both)) if given.get(letter, both).isdigit() else 0 for letter in "BA")
    selected = set(chosen)
    last = -1
    for at in chosen:
        first = max(at - before, last + 1)
        if (before or after) and last >= 0 and first > last + 1:
            call.print("--\n")
        yield from call.pace(2 * (after + before + 1))
        stop = min(at + after, len(lines) - 1)
        for each in range(first, stop + 1):
            call.print(shown(each, lines[each], ":" if each in selected else "-"))
        last = max(last, stop)


_APPLETS: dict[str, Applet] = {"grep": _grep, "egrep": _grep, "fgrep": _grep}
program = programs(_APPLETS)
