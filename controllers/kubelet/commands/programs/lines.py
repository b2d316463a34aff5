"""cut, tr, sort, uniq, seq, paste."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Generator, Sequence
from decimal import Decimal, InvalidOperation

from controllers.kubelet.commands.errors import NotInterpreted
from controllers.kubelet.commands.limits import LINES, LIVE_OUTPUT_BYTES
from controllers.kubelet.commands.process import Run
from controllers.kubelet.commands.programs.call import Applet, Call, Waits, lines_of, programs

# ---- cut

_RANGE = re.compile(r"(\d{1,9})?(-)?(\d{1,9})?")


def _ranges(call: Call, text: str) -> list[tuple[int, int | None]]:
    made: list[tuple[int, int | None]] = []
    for part in text.split(","):
        matched = _RANGE.fullmatch(part)
        if matched is None or not (matched.group(1) or matched.group(3)):
            raise call.usage(f"invalid field value '{part}'" if call.gnu else f"invalid range '{part}'")
        first = int(matched.group(1) or 1)
        last = int(matched.group(3)) if matched.group(3) else None if matched.group(2) else first
        if first < 1:
            raise call.usage("fields are numbered from 1" if call.gnu else f"invalid range '{part}'")
        made.append((first, last))
    return made


def _cut(call: Call) -> Run:
    long = {
        "fields": "f",
        "delimiter": "d",
        "characters": "c",
        "bytes": "b",
        "only-delimited": "s",
        "complement": "C",
        "output-delimiter": "O",
    }
    given, names = call.options("snC", "fdcbO", long)
    unit = next((letter for letter in "fcb" if letter in given), "")
    if not unit:
        raise call.usage(
            "you must specify a list of bytes, characters, or fields" if call.gnu else "expected a list of bytes, characters, or fields"
        )
    ranges = _ranges(call, given[unit])
    delimiter = given.get("d", "\t")
    code, contents = yield from call.inputs(names, "{}", "{}")

    def wanted(position: int) -> bool:
        return any(first <= position and (last is None or position <= last) for first, last in ranges) is not ("C" in given)

    for _, data in contents:
        for line in lines_of(data):
            yield from call.pace(2 + len(line) // (50 if unit == "f" else 3))
            if unit == "f":
                if delimiter not in line:
                    if "s" not in given:
                        call.print(line + "\n")
                    continue
                fields = line.split(delimiter)
                call.print(given.get("O", delimiter).join(field for at, field in enumerate(fields, 1) if wanted(at)) + "\n")
            elif unit == "b":
                raw = line.encode("utf-8", "surrogateescape")
                call.process.out(bytes(byte for at, byte in enumerate(raw, 1) if wanted(at)) + b"\n")
            else:
                call.print("".join(character for at, character in enumerate(line, 1) if wanted(at)) + "\n")
    return code


# ---- tr

_CLASSES: dict[str, Callable[[int], bool]] = {
    "alpha": lambda byte: chr(byte).isalpha(),
    "digit": lambda byte: chr(byte).isdigit(),
    "alnum": lambda byte: chr(byte).isalnum(),
    "upper": lambda byte: chr(byte).isupper(),
    "lower": lambda byte: chr(byte).islower(),
    "space": lambda byte: byte in b" \t\n\r\f\v",
    "blank": lambda byte: byte in b" \t",
    "punct": lambda byte: 32 < byte < 127 and not chr(byte).isalnum(),
    "cntrl": lambda byte: byte < 32 or byte == 127,
    "print": lambda byte: 32 <= byte < 127,
    "graph": lambda byte: 32 < byte < 127,
    "xdigit": lambda byte: byte in b"0123456789ABCDEFabcdef",
}
_ESCAPES = {"n": 10, "t": 9, "r": 13, "a": 7, "b": 8, "f": 12, "v": 11, "\\": 92}
_ELEMENT = re.compile(r"\[:(\w+):\]|\\([0-7]{1,3})|\\(.)|(.)", re.DOTALL)


def _set(call: Call, text: str) -> list[int]:
    made: list[int] = []
    elements: list[int | list[int]] = []
    for element in _ELEMENT.finditer(text):
        named, octal, escape, plain = element.groups()
        if named:
            if named not in _CLASSES:
                raise call.usage(f"invalid character class '{named}'")
            elements.append([byte for byte in range(128) if _CLASSES[named](byte)])
        elif octal:
            elements.append(int(octal, 8) & 255)
        elif escape:
            elements.append(_ESCAPES.get(escape, ord(escape) & 255))
        else:
            raw = plain.encode("utf-8", "surrogateescape")
            elements += [*raw[:-1], raw[-1]] if plain != "-" else [-1]
    at = 0
    while at < len(elements):
        each = elements[at]
        following = elements[at + 2] if at + 2 < len(elements) and elements[at + 1] == -1 else None
        if isinstance(each, list):
            made += each
        elif isinstance(following, int) and each != -1:
            if following < each:
                raise call.usage(f"range-endpoints of '{chr(each)}-{chr(following)}' are in reverse collating sequence order")
            made += range(each, following + 1)
            at += 2
        else:
            made.append(45 if each == -1 else each)
        at += 1
    return made


def _tr(call: Call) -> Run:
    given, sets = call.options("dscC", long={"delete": "d", "squeeze-repeats": "s", "complement": "c"}, permute=False)
    if not sets:
        raise call.missing_operand()
    first = _set(call, sets[0])
    if "c" in given or "C" in given:
        members = set(first)
        first = [byte for byte in range(256) if byte not in members]
    second = _set(call, sets[1]) if len(sets) > 1 else []
    if not second and not given.keys() & {"d", "s"}:
        raise call.usage(f"missing operand after '{sets[0]}'" if call.gnu else "BusyBox v1.36.1: too few arguments")
    data = yield from call.process.stdin.all()
    if "d" in given:
        data = data.translate(None, bytes(set(first)))
        squeezed = set(second)
    else:
        if second:
            padded = second + [second[-1]] * max(len(first) - len(second), 0)
            table = bytearray(range(256))
            for source, target in zip(first, padded, strict=False):
                table[source] = target
            data = data.translate(bytes(table))
        squeezed = set(second or first)
    if "s" in given:
        call.process.world.work.add(len(data) // 20)
        data = re.sub(b"([" + b"".join(b"\\x%02x" % byte for byte in squeezed) + rb"])\1+", rb"\1", data) if squeezed else data
    call.process.out(data)
    return 0


# ---- sort, uniq

Key = Callable[[str], object]
_NUMBER = re.compile(r"\s*(-?\d*(?:\.\d*)?)")
_SUFFIXES = "KMGTPE"


def _numeric(text: str) -> Decimal:
    matched = _NUMBER.match(text)
    try:
        return Decimal(matched.group(1)) if matched and matched.group(1) not in ("", "-", ".", "-.") else Decimal(0)
    except InvalidOperation:
        return Decimal(0)


def _human(text: str) -> tuple[int, Decimal]:
    value = _numeric(text)
    suffix = text.strip().lstrip("-0123456789.")[:1].upper()
    power = _SUFFIXES.find(suffix) + 1 if suffix else 0
    return (power if value >= 0 else -power), value


def _version(text: str) -> list[tuple[int, int | str]]:
    return [(0, int(part)) if part.isdigit() else (1, part) for part in re.findall(r"\d{1,18}|\D+", text)]


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _ordering(letters: str) -> Key:
    prepare: list[Callable[[str], str]] = []
    if "b" in letters:
        prepare.append(str.lstrip)
    if "f" in letters:
        prepare.append(str.upper)
    if "d" in letters:
        prepare.append(lambda text: "".join(each for each in text if each.isalnum() or each in " \t"))
    last: Key = _numeric if "n" in letters or "g" in letters else _human if "h" in letters else _version if "V" in letters else _bytes

    def key(text: str) -> object:
        for each in prepare:
            text = each(text)
        return last(text)

    return key


_KEY = re.compile(r"(\d+)(?:\.(\d+))?([bdfgnhrV]*)(?:,(\d+)(?:\.(\d+))?([bdfgnhrV]*))?")


def _key(call: Call, text: str, separator: str | None, letters: str) -> tuple[Key, bool]:
    matched = _KEY.fullmatch(text)
    if matched is None or matched.group(1) == "0":
        raise call.usage(
            f"invalid number at field start: invalid count at start of '{text}'" if call.gnu else f"bad field specification '{text}'", 2
        )
    first, offset, own, last, end, more = matched.groups()
    options = (own or "") + (more or "") or letters
    order = _ordering(options)

    def key(line: str) -> object:
        spans = _fields(line, separator)
        start = spans[int(first) - 1][0] if int(first) <= len(spans) else len(line)
        start += int(offset or 1) - 1
        stop = len(line)
        if last and int(last) <= len(spans):
            begin, stop = spans[int(last) - 1]
            stop = begin + int(end) if end and int(end) else stop
        return order(line[start:stop])

    return key, "r" in options


def _fields(line: str, separator: str | None) -> list[tuple[int, int]]:
    """(start, end) of each; without a separator the blanks before a field belong to it."""
    if separator is None:
        return [matched.span() for matched in re.finditer(r"[ \t]*[^ \t]+", line)]
    spans, at = [], 0
    for part in line.split(separator):
        spans.append((at, at + len(part)))
        at += len(part) + len(separator)
    return spans


def _sort(call: Call) -> Run:
    long = {"reverse": "r", "numeric-sort": "n", "unique": "u", "key": "k", "field-separator": "t", "output": "o", "version-sort": "V"}
    long |= {"human-numeric-sort": "h", "ignore-case": "f", "stable": "s", "check": "c"}
    keys = _repeated(call, "k")
    given, names = call.options("rnuVhfsbdgcz", "tok", long)
    if "z" in given:
        raise NotInterpreted('"sort -z"')
    letters = "".join(letter for letter in "bdfgnhV" if letter in given)
    code, contents = yield from call.inputs(names, "{}", "cannot read: {}")
    if code:
        return 2 if call.gnu else 1
    lines = [line for _, data in contents for line in lines_of(data)]
    separator = given.get("t")
    orders = [_key(call, text, separator, letters + ("r" if "r" in given else "")) for text in keys] or [(_ordering(letters), "r" in given)]
    if len(lines) > LINES:
        raise NotInterpreted(f"a text of more than {LINES} lines")
    if "c" in given:
        return (yield from _checked(call, lines, orders, names))
    keys_of = yield from _keys(call, lines, orders)
    places = list(range(len(lines)))
    if "s" not in given and "u" not in given:
        raw = [_bytes(line) for line in lines]
        places.sort(key=raw.__getitem__, reverse="r" in given)
        yield from call.pace(len(lines) // 3)
    for of_lines, (_, reverse) in reversed(list(zip(keys_of, orders, strict=True))):
        places.sort(key=of_lines.__getitem__, reverse=reverse)  # type: ignore[arg-type]
        yield from call.pace(len(lines) // 3)
    if "u" in given:
        places = [
            place for at, place in enumerate(places) if not at or any(of_lines[place] != of_lines[places[at - 1]] for of_lines in keys_of)
        ]
    text = "".join(lines[place] + "\n" for place in places)
    if "o" in given:
        try:
            call.process.write(given["o"], text.encode("utf-8", "surrogateescape"))
        except OSError as error:
            return call.failed(given["o"], error, "can't open '{}'", "open failed: {}") and 2
    else:
        call.print(text)
    return 0


def _keys(call: Call, lines: Sequence[str], orders: Sequence[tuple[Key, bool]]) -> Generator[Waits, None, list[list[object]]]:
    """Of each order, what it compares each line by."""
    keys_of: list[list[object]] = []
    for key, _ in orders:
        of_lines: list[object] = []
        for line in lines:
            of_lines.append(key(line))
            yield from call.pace(3 + len(line) // 50)
        keys_of.append(of_lines)
    return keys_of


def _repeated(call: Call, letter: str) -> list[str]:
    """The values of an option that may be given several times."""
    values = []
    for at, word in enumerate(call.arguments):
        if word == "--":
            break
        if word == f"-{letter}" and at + 1 < len(call.arguments):
            values.append(call.arguments[at + 1])
        elif word.startswith(f"-{letter}") and len(word) > 2:
            values.append(word[2:])
        elif word.startswith("--key="):
            values.append(word[6:])
    return values


def _checked(call: Call, lines: Sequence[str], orders: Sequence[tuple[Key, bool]], names: Sequence[str]) -> Run:
    for at in range(1, len(lines)):
        yield from call.pace(8)
        for key, reverse in orders:
            before, after = key(lines[at - 1]), key(lines[at])
            if before == after:
                continue
            if (before > after) is not reverse:  # type: ignore[operator]
                call.complain(f"{names[0] if names else '-'}:{at + 1}: disorder: {lines[at]}")
                return 1
            break
    return 0


def _uniq(call: Call) -> Run:
    long = {"count": "c", "repeated": "d", "unique": "u", "ignore-case": "i", "skip-fields": "f", "skip-chars": "s", "check-chars": "w"}
    given, names = call.options("cdui", "fsw", long)
    code, contents = yield from call.inputs(names[:1], "can't open '{}'", "{}")
    groups: list[tuple[str, int]] = []
    same = functools.partial(_comparable, given)
    for line in (line for _, data in contents for line in lines_of(data)):
        yield from call.pace(3 + len(line) // 100)
        if groups and same(groups[-1][0]) == same(line):
            groups[-1] = groups[-1][0], groups[-1][1] + 1
        else:
            groups.append((line, 1))
    text = "".join(
        (f"{count:>7} " if "c" in given else "") + line + "\n"
        for line, count in groups
        if not (("d" in given and count == 1) or ("u" in given and count > 1))
    )
    yield from call.pace(len(groups) // 4)
    if len(names) > 1:
        call.process.write(names[1], text.encode("utf-8", "surrogateescape"))
    else:
        call.print(text)
    return code


def _comparable(given: dict[str, str], line: str) -> str:
    for _ in range(int(given["f"]) if given.get("f", "").isdigit() else 0):
        line = re.sub(r"^\s*\S+", "", line)
    if given.get("s", "").isdigit():
        line = line[int(given["s"]) :]
    if given.get("w", "").isdigit():
        line = line[: int(given["w"])]
    return line.lower() if "i" in given else line


# ---- seq, paste


def _seq(call: Call) -> Run:
    words = list(call.arguments)
    separator, equal = "\n", False
    while words and words[0] in ("-s", "-w", "-f"):
        option = words.pop(0)
        if option == "-f":
            raise NotInterpreted('"seq -f"')
        if option == "-s":
            separator = words.pop(0) if words else separator
        else:
            equal = True
    if not 1 <= len(words) <= 3:
        raise call.missing_operand()
    numbers = []
    for word in words:
        if not re.fullmatch(r"[-+]?(\d{1,15}(\.\d{0,15})?|\.\d{1,15})", word):
            raise call.usage(f"invalid floating point argument: '{word}'" if call.gnu else f"invalid number '{word}'")
        numbers.append(Decimal(word))
    first = numbers[0] if len(numbers) > 1 else Decimal(1)
    step = numbers[1] if len(numbers) > 2 else Decimal(1)
    if step == 0:
        raise call.usage(f"invalid Zero increment value: '{words[1]}'" if call.gnu else "infinite loop refused")
    places = max(-int(each.as_tuple().exponent) for each in (first, step))
    values, value, size = [], first, 0
    while (value <= numbers[-1]) if step > 0 else (value >= numbers[-1]):
        yield from call.pace(2)
        values.append(f"{value:.{max(places, 0)}f}")
        size += len(values[-1]) + 1
        if size > LIVE_OUTPUT_BYTES:
            raise NotInterpreted("seq with that much output")
        value += step
    if equal and values:
        width = max(len(each) for each in values)
        values = [each.zfill(width) for each in values]
    call.print(separator.join(values) + ("\n" if values else ""))
    return 0


def _paste(call: Call) -> Run:
    given, names = call.options("s", "d", {"serial": "s", "delimiters": "d"})
    delimiters = given.get("d", "\t").replace("\\n", "\n").replace("\\t", "\t") or "\0"
    code, contents = yield from call.inputs(names, "can't open '{}'", "{}")
    columns = [lines_of(data) for _, data in contents]
    rows = (
        columns
        if "s" in given
        else [[column[at] if at < len(column) else "" for column in columns] for at in range(max(map(len, columns), default=0))]
    )
    for row in rows:
        parts: list[str] = []
        for at, value in enumerate(row):
            parts += [delimiters[(at - 1) % len(delimiters)].strip("\0") if at else "", value]
            yield from call.pace(1)
        call.print("".join(parts) + "\n")
        yield from call.pace(1)
    return code


_APPLETS: dict[str, Applet] = {"cut": _cut, "tr": _tr, "sort": _sort, "uniq": _uniq, "seq": _seq, "paste": _paste}
program = programs(_APPLETS)
