"""find and xargs."""

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass

from controllers.kubelet.commands.errors import NotInterpreted
from controllers.kubelet.commands.limits import ARGUMENTS, LINES
from controllers.kubelet.commands.patterns import matches
from controllers.kubelet.commands.process import Run, run_program
from controllers.kubelet.commands.programs.call import Applet, Call, Waits, programs, text_of, walk
from controllers.kubelet.files.tree import Device, Directory, File, Node, Symlink, mode_text, size_of


@dataclass(frozen=True, slots=True)
class _Item:
    path: str
    node: Node
    depth: int

    @property
    def name(self) -> str:
        return self.path.rstrip("/").rpartition("/")[2] or "/"


Test = Callable[[_Item], Generator[Waits, None, bool]]
_KINDS = {"f": File, "d": Directory, "l": Symlink, "c": Device}


def start(call: Call, words: list[str]) -> Generator[Waits, None, int]:
    """Runs another program with the streams of this one."""
    process = call.process.child(words)
    program = process.world.find_program(words[0], process)
    if program is None:
        call.complain(f"{words[0]}: No such file or directory")
        return 127
    return (yield from run_program(program, process))


class _Expression:
    """Tests and actions, left to right, with -o, -a, ! and brackets."""

    def __init__(self, call: Call, words: list[str]) -> None:
        self._call = call
        self._words = words
        self._at = 0
        self.acts = False
        self.deepest = 64
        self.shallowest = 0
        self.test = self._or()
        if self._at < len(words):
            raise call.usage(f"paths must precede expression: '{words[self._at]}'" if call.gnu else f"unrecognized: {words[self._at]}")

    def _peek(self) -> str:
        return self._words[self._at] if self._at < len(self._words) else ""

    def _value(self, option: str) -> str:
        self._at += 1
        if self._at > len(self._words):
            raise self._call.usage(f"missing argument to '{option}'" if self._call.gnu else f"option requires an argument: {option}")
        return self._words[self._at - 1]

    def _or(self) -> Test:
        tests = [self._and()]
        while self._peek() in ("-o", "-or"):
            self._at += 1
            tests.append(self._and())

        def run(item: _Item) -> Generator[Waits, None, bool]:
            for test in tests:
                if (yield from test(item)):
                    return True
            return False

        return tests[0] if len(tests) == 1 else run

    def _and(self) -> Test:
        tests: list[Test] = []
        while self._peek() and self._peek() not in ("-o", "-or", ")"):
            if self._peek() in ("-a", "-and"):
                self._at += 1
            tests.append(self._not())

        def run(item: _Item) -> Generator[Waits, None, bool]:
            for test in tests:
                if not (yield from test(item)):
                    return False
            return True

        return run

    def _not(self) -> Test:
        if self._peek() in ("!", "-not"):
            self._at += 1
            inner = self._not()

            def negated(item: _Item) -> Generator[Waits, None, bool]:
                return not (yield from inner(item))

            return negated
        if self._peek() in ("(", "\\("):
            self._at += 1
            grouped = self._or()
            self._at += 1
            return grouped
        return self._primary()

    def _primary(self) -> Test:
        word = self._value("")
        if word in ("-print", "-print0", "-delete", "-exec", "-quit", "-ls"):
            self.acts = True
            return self._action(word)
        if word in ("-maxdepth", "-mindepth"):
            number = self._value(word)
            if not number.isdigit():
                raise self._call.usage(f"invalid number '{number}'")
            if word == "-maxdepth":
                self.deepest = int(number)
            else:
                self.shallowest = int(number)
            return _always
        if word in ("-xdev", "-mount", "-depth", "-follow", "-true"):
            return _always
        return _pure(self._question(word))

    def _question(self, word: str) -> Callable[[_Item], bool]:
        if word in ("-name", "-iname", "-path", "-ipath", "-wholename"):
            return _named(word, self._value(word))
        if word == "-type":
            kind = self._value(word)
            return lambda item: (
                isinstance(item.node, _KINDS.get(kind[:1], Device)) or (kind == "f" and type(item.node).__name__ == "Computed")
            )
        if word == "-empty":
            return lambda item: not item.node.look() if isinstance(item.node, Directory) else size_of(item.node) == 0
        if word == "-perm":
            text = self._value(word)
            matched = re.fullmatch(r"([-/]?)([0-7]{1,4})", text)
            if matched is None:
                raise NotInterpreted(f'"find -perm {text}"')
            bits = int(matched.group(2), 8)
            how = matched.group(1)
            return lambda item: (
                item.node.mode & bits == bits if how == "-" else bool(item.node.mode & bits) if how == "/" else item.node.mode == bits
            )
        if word == "-size":
            return _sized(self._value(word))
        if word in ("-uid", "-gid"):
            number = int(self._value(word))
            return lambda item: (item.node.uid if word == "-uid" else item.node.gid) == number
        if word in (
            "-mtime",
            "-mmin",
            "-newer",
            "-atime",
            "-ctime",
            "-user",
            "-group",
            "-regex",
            "-links",
            "-inum",
            "-printf",
            "-execdir",
            "-prune",
        ):
            raise NotInterpreted(f'"find {word}"')
        raise self._call.usage(f"unknown predicate '{word}'" if self._call.gnu else f"unrecognized: {word}")

    def _action(self, word: str) -> Test:
        call = self._call
        if word == "-exec":
            return self._exec()

        def run(item: _Item) -> Generator[Waits, None, bool]:
            if word == "-delete":
                try:
                    if isinstance(item.node, Directory):
                        call.files.remove_directory(call.path(item.path), call.who)
                    else:
                        call.files.remove(call.path(item.path), call.who)
                except OSError as error:
                    call.failed(item.path, error, "{}", "cannot delete '{}'")
                    return False
            elif word == "-ls":
                call.print(f"{mode_text(item.node)} {item.path}\n")
            elif word == "-quit":
                raise Quit
            else:
                call.print(item.path + ("\0" if word == "-print0" else "\n"))
            return True
            yield

        return run

    def _exec(self) -> Test:
        words: list[str] = []
        while True:
            word = self._value("-exec")
            if word == ";" or (word == "+" and words and words[-1] == "{}"):
                break
            words.append(word)
        if not words:
            raise self._call.usage("missing argument to '-exec'")

        def run(item: _Item) -> Generator[Waits, None, bool]:
            return (yield from start(self._call, [each.replace("{}", item.path) for each in words])) == 0

        return run


class Quit(Exception):
    """-quit"""


def _pure(question: Callable[[_Item], bool]) -> Test:
    def run(item: _Item) -> Generator[Waits, None, bool]:
        return question(item)
        yield

    return run


_always = _pure(lambda item: True)


def _named(word: str, pattern: str) -> Callable[[_Item], bool]:
    lower = word in ("-iname", "-ipath")
    pieces = [(pattern.lower() if lower else pattern, False)]

    def named(item: _Item) -> bool:
        text = item.name if word.endswith("name") and word != "-wholename" else item.path
        return matches(text.lower() if lower else text, pieces)

    return named


def _sized(text: str) -> Callable[[_Item], bool]:
    matched = re.fullmatch(r"([-+]?)(\d{1,12})([bckMG]?)", text)
    if matched is None:
        raise NotInterpreted(f'"find -size {text}"')
    unit = {"c": 1, "k": 1024, "M": 1024**2, "G": 1024**3}.get(matched.group(3), 512)
    wanted = int(matched.group(2))
    sign = matched.group(1)

    def sized(item: _Item) -> bool:
        size = -(-size_of(item.node) // unit)
        return size > wanted if sign == "+" else size < wanted if sign == "-" else size == wanted

    return sized


def _find(call: Call) -> Run:
    words = list(call.arguments)
    while words and words[0] in ("-H", "-L", "-P"):
        words.pop(0)
    roots = []
    while words and not words[0].startswith(("-", "(", "!")):
        roots.append(words.pop(0))
    expression = _Expression(call, words)
    code = 0
    try:
        for root in roots or ["."]:
            items = []
            for each in walk(call, root):
                items.append(_Item(*each))
                yield from call.pace(5)
            code = code if items else 1
            if "-delete" in words or "-depth" in words:
                items.reverse()
            for item in items:
                yield from call.pace(3)
                if not expression.shallowest <= item.depth <= expression.deepest:
                    continue
                if (yield from expression.test(item)) and not expression.acts:
                    call.print(item.path + "\n")
    except Quit:
        return code
    return code


def _xargs(call: Call) -> Run:
    given, words = call.options("0rtpx", "nILPsde", permute=False)
    data = text_of((yield from call.process.stdin.all()))
    if "0" in given:
        items = [each for each in data.split("\0") if each]
    elif "d" in given:
        items = [each for each in data.rstrip("\n").split(given["d"].replace("\\n", "\n").replace("\\0", "\0")) if each]
    elif "I" in given or "L" in given:
        items = [line.strip() for line in data.split("\n") if line.strip()]
    else:
        items = []
        for each in re.finditer(r"(?:\"[^\"]*\"|'[^']*'|\\.|\S)+", data):
            items.append(re.sub(r"[\"'\\]", "", each.group(0)))
            yield from call.pace(2)
    command = words or ["echo"]
    calls: Iterator[list[str]]
    if "I" in given:
        calls = ([word.replace(given["I"], item) for word in command] for item in items)
    else:
        size = int(given.get("n", given.get("L", ""))) if given.get("n", given.get("L", "")).isdigit() else ARGUMENTS
        calls = (command + items[at : at + max(size, 1)] for at in range(0, len(items), max(size, 1)))
        if not items and "r" not in given:
            calls = iter((command,))
    if len(items) > LINES:
        raise NotInterpreted(f"xargs with more than {LINES} items")
    code = 0
    for words in calls:
        yield from call.pace(12 + len(words) // 20)
        if "t" in given:
            call.process.complain(" ".join(words) + "\n")
        result = yield from start(call, words)
        if result in (126, 127):
            return result
        code = 123 if result else code
    return code


_APPLETS: dict[str, Applet] = {"find": _find, "xargs": _xargs}
program = programs(_APPLETS)
