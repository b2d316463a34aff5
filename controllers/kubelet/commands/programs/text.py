"""cat, tac, rev, head, tail, wc, tee, nl, fold."""

from __future__ import annotations

import re
from collections.abc import Generator

from controllers.kubelet.commands.errors import NotInterpreted
from controllers.kubelet.commands.limits import LINES
from controllers.kubelet.commands.process import Run
from controllers.kubelet.commands.programs.call import Applet, Call, Options, Waits, chunks, lines_of, programs, split, text_of

_WORD = re.compile(rb"\S+")
_MEASURED = 100
"""Bytes whose words are counted in a unit of work."""
_POLL_SECONDS = 1.0
"""How often `tail -f` looks at its file, as the real one does without inotify."""


def _cat(call: Call) -> Run:
    given, names = call.options("nbesvtAETu")
    marks = given.keys() - {"u"}
    code, count = 0, 1
    for name in names or ["-"]:
        if name == "-" and not marks:
            while (data := (yield from chunks(call.process.stdin))) is not None:
                call.process.out(data)
            continue
        failed, contents = yield from call.inputs([name])
        code = code or failed
        for _, data in contents:
            if marks:
                data, count = yield from _marked(call, data, set(given), count)
            call.process.out(data)
    return code


def _marked(call: Call, data: bytes, options: set[str], count: int) -> Generator[Waits, None, tuple[bytes, int]]:
    """-n, -b, -s, -E, -T, -v and what stands for several of them."""
    ends = bool(options & {"E", "e", "A"})
    tabs = bool(options & {"T", "t", "A"})
    shown = bool(options & {"v", "e", "t", "A"})
    lines = split(data, b"\n").split(b"\n")
    whole = lines[-1] == b""
    made, blank = [], False
    for line in lines[:-1] if whole else lines:
        yield from call.pace(1 + len(line) // 3 if shown else 1)
        if "s" in options and not line and blank:
            continue
        blank = not line
        prefix = b""
        if ("b" in options and line) or ("n" in options and "b" not in options):
            prefix, count = f"{count:>6}\t".encode(), count + 1
        if shown:
            line = b"".join(_visible(each) for each in line)
        if tabs:
            line = line.replace(b"\t", b"^I")
        made.append(prefix + line + (b"$" if ends else b""))
    text = b"\n".join(made) + (b"\n" if whole and made else b"")
    if ends and not whole:
        text = text[:-1]
    return text, count


def _visible(byte: int) -> bytes:
    prefix = b"M-" if byte > 127 else b""
    byte &= 127
    if byte == 9 and not prefix:
        return b"\t"
    if byte < 32:
        return prefix + b"^" + bytes([byte + 64])
    return prefix + (b"^?" if byte == 127 else bytes([byte]))


def _tac(call: Call) -> Run:
    _, names = call.options()
    code, contents = yield from call.inputs(names)
    for _, data in contents:
        lines = split(data, b"\n").splitlines(keepends=True)
        call.process.out(b"".join(reversed(lines)))
        yield from call.pace(len(lines) // 4)
    return code


def _rev(call: Call) -> Run:
    _, names = call.options()
    code, contents = yield from call.inputs(names)
    for _, data in contents:
        for line in lines_of(data):
            call.print(line[::-1] + "\n")
            yield from call.pace(2 + len(line) // 500)
    return code


_SIZES = {"": 1, "b": 512, "k": 1024, "K": 1024, "m": 1024**2, "M": 1024**2, "G": 1024**3}


def _count(call: Call, text: str) -> tuple[int, str]:
    """(the number, '-' or '+' before it)"""
    matched = re.fullmatch(r"([-+]?)(\d{1,12})([bkKmMG]?)", text)
    if matched is None:
        raise call.usage(f"invalid number of lines: '{text}'" if call.gnu else f"invalid number '{text}'")
    return int(matched.group(2)) * _SIZES[matched.group(3)], matched.group(1)


def _old_style(call: Call) -> None:
    """head -5 is head -n 5; tail -5f is tail -n 5 -f."""
    for index, word in enumerate(call.arguments):
        old = re.fullmatch(r"([-+])(\d+)(f?)", word) if index == 0 else None
        if old is not None and not (old.group(1) == "+" and call.name == "head"):
            sign = "+" if old.group(1) == "+" else ""
            call.arguments[index : index + 1] = ["-n", sign + old.group(2), *(["-f"] if old.group(3) else [])]
            return


def _headed(call: Call, names: list[str], given: Options) -> bool:
    return "v" in given or (len(names) > 1 and "q" not in given)


def _head(call: Call) -> Run:
    _old_style(call)
    given, names = call.options("qv", "nc", {"lines": "n", "bytes": "c", "quiet": "q", "silent": "q", "verbose": "v"})
    unit = "c" if "c" in given else "n"
    count, sign = _count(call, given.get(unit, "10"))
    code, contents = yield from call.inputs(names, "{}", "cannot open '{}' for reading")
    headed = _headed(call, names, given)
    for index, (name, data) in enumerate(contents):
        if headed:
            call.print(("\n" if index else "") + f"==> {'standard input' if name == '-' else name} <==\n")
        if unit == "n":
            call.process.out(data[: _before_last(data, count) if sign == "-" else _behind_line(data, count)])
        else:
            call.process.out(data[: -count if sign == "-" and count else None if sign == "-" else count])
        yield from call.pace(10)
    return code


def _tail(call: Call) -> Run:
    _old_style(call)
    long = {
        "lines": "n",
        "bytes": "c",
        "follow": "f",
        "quiet": "q",
        "silent": "q",
        "verbose": "v",
        "retry": "r",
        "pid": "p",
        "sleep-interval": "s",
    }
    given, names = call.options("fFqvr", "ncsp", long)
    unit = "c" if "c" in given else "n"
    count, sign = _count(call, given.get(unit, "10"))
    following = "f" in given or "F" in given
    code, contents = yield from call.inputs(names, "can't open '{}'", "cannot open '{}' for reading")
    headed = _headed(call, names, given)
    for index, (name, data) in enumerate(contents):
        if headed:
            call.print(("\n" if index else "") + f"==> {'standard input' if name == '-' else name} <==\n")
        call.process.out(_end(data, unit, count, sign))
    if not following or (not contents and "F" not in given):
        if following or (not contents and not call.gnu):
            call.complain("no files remaining" if call.gnu else "no files")
        return code
    waiting = [name for name in names if name != "-"]
    if set(waiting) <= {"/dev/null"} and "F" not in given:
        while True:
            yield None
    yield from _follow(call, waiting, {name: len(data) for name, data in contents}, headed)
    return code


def _behind_line(data: bytes, count: int) -> int:
    """Where the first `count` lines end."""
    at = 0
    for _ in range(min(count, LINES)):
        at = data.find(b"\n", at) + 1
        if not at:
            return len(data)
    if count > LINES and data.count(b"\n", at):
        raise NotInterpreted(f"more than {LINES} lines of a text")
    return at


def _end(data: bytes, unit: str, count: int, sign: str) -> bytes:
    if unit == "c":
        return data[max(count - 1, 0) :] if sign == "+" else data[-count:] if count else b""
    return data[_behind_line(data, max(count - 1, 0)) if sign == "+" else _before_last(data, count) :]


def _before_last(data: bytes, count: int) -> int:
    """Where the last `count` lines begin."""
    lines = data.count(b"\n") + (not data.endswith(b"\n") and bool(data))
    return _behind_line(data, max(lines - count, 0))


def _follow(call: Call, names: list[str], shown: dict[str, int], headed: bool) -> Run:
    last = names[-1] if names else ""
    while True:
        yield _POLL_SECONDS
        for name in names:
            try:
                data = call.process.read(name)
            except OSError:
                continue
            at = shown.get(name, 0)
            if len(data) < at:  # cut short or made anew
                at = 0
            if len(data) > at:
                if headed and last != name:
                    call.print(f"\n==> {name} <==\n")
                last = name
                call.process.out(data[at:])
            shown[name] = len(data)


def _wc(call: Call) -> Run:
    long = {"lines": "l", "words": "w", "bytes": "c", "chars": "m", "max-line-length": "L"}
    given, names = call.options("lwcmL", long=long)
    code, contents = yield from call.inputs(names, "{}", "{}")
    wanted = [letter for letter in "lwmcL" if letter in given] or ["l", "w", "c"]
    rows = []
    for name, data in contents:
        rows.append(([_measure(call, data, letter) for letter in wanted], name if names else ""))
        yield from call.pace(10)
    if len(names) > 1:
        sums = [
            max(column) if letter == "L" else sum(column)
            for letter, column in zip(wanted, zip(*(row for row, _ in rows), strict=True), strict=False)
        ]
        rows.append((sums or [0] * len(wanted), "total"))
    width = _width(call, rows, contents, wanted, names)
    for numbers, name in rows:
        call.print(" ".join(f"{each:>{width}}" for each in numbers) + (f" {name}" if name else "") + "\n")
    return code


def _width(call: Call, rows: list[tuple[list[int], str]], contents: list[tuple[str, bytes]], wanted: list[str], names: list[str]) -> int:
    """GNU makes columns as wide as the sizes of the files want (7 where it cannot know them), busybox as wide as 9."""
    if len(wanted) == 1 and len(rows) == 1:
        return 1
    if not call.gnu:
        return 9
    if not names or "-" in names:
        return 7
    return len(str(sum(len(data) for _, data in contents)))


def _measure(call: Call, data: bytes, letter: str) -> int:
    if letter == "l":
        return data.count(b"\n")
    call.process.world.work.add(len(data) // _MEASURED)
    if letter == "w":
        return sum(1 for _ in _WORD.finditer(data))
    if letter == "m":
        return len(data.decode("utf-8", "replace"))
    if letter == "L":
        return max((len(line.decode("utf-8", "replace").expandtabs(8)) for line in split(data, b"\n").split(b"\n")), default=0)
    return len(data)


def _tee(call: Call) -> Run:
    given, names = call.options("ai", long={"append": "a"})
    code, kept = 0, []
    for name in names:
        try:
            call.process.write(name, b"", append="a" in given)
            kept.append(name)
        except OSError as error:
            code = call.failed(name, error, "{}", "{}")
    while (data := (yield from chunks(call.process.stdin))) is not None:
        call.process.out(data)
        for name in kept:
            try:
                call.process.write(name, data, append=True)
            except OSError as error:
                code = call.failed(name, error, "{}", "{}")
    return code


def _nl(call: Call) -> Run:
    given, names = call.options("", "bwvs")
    code, contents = yield from call.inputs(names)
    number = int(given.get("v", "1")) if given.get("v", "1").isdigit() else 1
    width = int(given.get("w", "6")) if re.fullmatch(r"\d{1,2}", given.get("w", "6")) else 6
    for _, data in contents:
        for line in lines_of(data):
            yield from call.pace(3)
            if line or given.get("b") == "a":
                call.print(f"{number:>{width}}{given.get('s', chr(9))}{line}\n")
                number += 1
            else:
                call.print(" " * (width + 1) + "\n" if call.gnu else " " * width + "\n")
    return code


def _fold(call: Call) -> Run:
    given, names = call.options("bs", "w")
    if "s" in given:
        raise NotInterpreted('"fold -s"')
    width = int(given.get("w", "80")) if re.fullmatch(r"[1-9]\d{0,5}", given.get("w", "80")) else 80
    code, contents = yield from call.inputs(names)
    for _, data in contents:
        for line in text_of(split(data, b"\n")).splitlines(keepends=True):
            yield from call.pace(2 + len(line) // width // 3)
            body, end = (line[:-1], "\n") if line.endswith("\n") else (line, "")
            call.print("\n".join(body[at : at + width] for at in range(0, max(len(body), 1), width)) + end)
    return code


_APPLETS: dict[str, Applet] = {
    "cat": _cat,
    "tac": _tac,
    "rev": _rev,
    "head": _head,
    "tail": _tail,
    "wc": _wc,
    "tee": _tee,
    "nl": _nl,
    "fold": _fold,
}
program = programs(_APPLETS)
