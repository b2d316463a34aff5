"""Time, processes and small words: sleep, date, timeout, ps, kill, free, uptime, which, true, test, expr, echo and their like."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from controllers.kubelet.commands import builtins, conditions
from controllers.kubelet.commands.errors import Exit, NotInterpreted
from controllers.kubelet.commands.process import LONGEST_SLEEP_SECONDS, Run, run_program
from controllers.kubelet.commands.programs.call import Applet, Call, programs, text_of
from controllers.kubelet.commands.programs.finding import start
from controllers.kubelet.commands.programs.users import user_name

# ---- time

_DURATION = re.compile(r"(\d{1,15}(?:\.\d*)?|\.\d+)([smhd]?)")
_SHORTEST_SLEEP_SECONDS = 0.001
"""About what starting a process takes: a loop around `sleep 0` is none that takes a whole core."""
_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}


def seconds_of(text: str) -> float | None:
    """`sleep`'s way to write a time; None for what is none."""
    if text in ("infinity", "inf"):
        return LONGEST_SLEEP_SECONDS
    matched = _DURATION.fullmatch(text)
    return float(matched.group(1)) * _UNITS[matched.group(2)] if matched else None


def _sleep(call: Call) -> Run:
    if not call.arguments:
        raise call.missing_operand()
    total = 0.0
    for word in call.arguments:
        seconds = seconds_of(word)
        if seconds is None:
            raise call.usage(f"invalid time interval '{word}'" if call.gnu else f"invalid number '{word}'")
        total += seconds
    if total >= LONGEST_SLEEP_SECONDS:
        while True:
            yield LONGEST_SLEEP_SECONDS
    yield max(total, _SHORTEST_SLEEP_SECONDS)
    return 0


def _timeout(call: Call) -> Run:
    _, words = call.options("v", "sk", {"signal": "s", "kill-after": "k", "foreground": "v", "preserve-status": "v"}, permute=False)
    seconds = seconds_of(words[0]) if words else None
    if len(words) < 2:
        raise call.missing_operand()
    if seconds is None:
        raise call.usage(f"invalid time interval '{words[0]}'" if call.gnu else f"invalid number '{words[0]}'", 125 if call.gnu else 1)
    process = call.process.child(words[1:])
    program = process.world.find_program(words[1], process)
    if program is None:
        call.complain(
            f"failed to run command '{words[1]}': No such file or directory"
            if call.gnu
            else f"can't execute '{words[1]}': No such file or directory"
        )
        return 127
    clock = call.process.world.clock
    until = clock.monotonic() + (seconds or LONGEST_SLEEP_SECONDS)
    timer = clock.call_later(seconds, call.process.world.wake) if seconds else None
    run = run_program(program, process)
    try:
        while True:
            try:
                wait = next(run)
            except StopIteration as ended:
                return int(ended.value or 0)
            except Exit as left:
                return left.code
            left_seconds = until - clock.monotonic()
            yield wait if wait is None else min(wait, max(left_seconds, 0.0))
            if clock.monotonic() >= until:
                run.close()
                return 124 if call.gnu else 143
    finally:
        if timer is not None:
            timer.cancel()


_PLAIN = "aAbBcCdDeFgGhHIjklmMnpPrRStTuUVwWxXyYzZ%"


def formatted(moment: datetime, form: str) -> str:
    """strftime as date(1) knows it: with %s, %N and %-d."""

    def value(matched: re.Match[str]) -> str:
        flag, width, letter = matched.group(1), matched.group(2), matched.group(3)
        if letter == "s":
            return str(int(moment.timestamp()))
        if letter == "N":
            return f"{moment.microsecond * 1000:09d}"[: int(width or 9)]
        if letter == "n":
            return "\n"
        if letter == "t":
            return "\t"
        if letter not in _PLAIN:
            return matched.group(0)
        text = moment.strftime(f"%{letter}")
        return text.lstrip("0 ") or "0" if flag == "-" else text.replace(" ", "0") if flag == "0" else text.upper() if flag == "^" else text

    return re.sub(r"%([-_0^]?)(\d?)([a-zA-Z%])", value, form)


def _date(call: Call) -> int:
    given, words = call.options(
        "uRj", "dDrIs", {"utc": "u", "universal": "u", "date": "d", "iso-8601": "?", "rfc-3339": "T", "rfc-email": "R"}
    )
    moment = call.process.world.clock.now()
    if "s" in given or any(not word.startswith("+") for word in words):
        call.complain("cannot set date: Operation not permitted" if call.gnu else "can't set date: Operation not permitted")
        return 1
    if "d" in given:
        parsed = _parsed(given["d"], moment)
        if parsed is None:
            raise call.usage(f"invalid date '{given['d']}'")
        moment = parsed
    if "R" in given:
        form = "%a, %d %b %Y %H:%M:%S +0000"
    elif "I" in given or "?" in given:
        form = {"seconds": "%Y-%m-%dT%H:%M:%S+00:00", "s": "%Y-%m-%dT%H:%M:%S+00:00"}.get(given.get("I", given.get("?", "")), "%Y-%m-%d")
    else:
        form = words[0][1:] if words else "%a %b %e %H:%M:%S %Z %Y"
    call.print(formatted(moment, form) + "\n")
    return 0


_RELATIVE = re.compile(r"([-+]?)\s*(\d{1,9})\s*(sec|second|min|minute|hour|day|week)s?(\s+ago)?")
_STEPS = {"sec": 1, "second": 1, "min": 60, "minute": 60, "hour": 3600, "day": 86400, "week": 7 * 86400}


def _parsed(text: str, now: datetime) -> datetime | None:
    text = text.strip()
    if re.fullmatch(r"@\d{1,11}", text):
        return datetime.fromtimestamp(int(text[1:]), UTC)
    if text in ("now", "today", ""):
        return now
    if text in ("yesterday", "tomorrow"):
        return now + timedelta(days=1 if text == "tomorrow" else -1)
    relative = _RELATIVE.fullmatch(text)
    if relative is not None:
        sign = -1 if (relative.group(1) == "-") is not bool(relative.group(4)) else 1
        return now + timedelta(seconds=sign * int(relative.group(2)) * _STEPS[relative.group(3)])
    try:
        moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


# ---- processes


def _ps(call: Call) -> int:
    words = {"aux": "", "auxw": "", "auxww": "", "ef": "", "-ef": "", "-e": "", "-A": "", "-aux": "", "-w": "", "w": "", "a": "", "ax": ""}
    if any(word not in words for word in call.arguments):
        raise NotInterpreted(f'"ps {" ".join(call.arguments)}"')
    try:
        first = " ".join(text_of(call.files.read("/proc/1/cmdline")).split("\0")).strip()
    except OSError:
        first = ""
    rows = [(1, first)] if first else []
    own = " ".join(call.process.argv)
    if own != first:
        rows.append((7 if rows else 1, own))
    name = user_name(call, call.who.uid)
    if not call.gnu:
        call.print("PID   USER     TIME  COMMAND\n" + "".join(f"{pid:>5} {name:<8}  0:00 {command}\n" for pid, command in rows))
    elif call.arguments[:1] and "u" in call.arguments[0]:
        call.print("USER         PID %CPU %MEM    VSZ   RSS TTY      STAT START   TIME COMMAND\n")
        call.print("".join(f"{name:<8} {pid:>7}  0.0  0.0   2384   760 ?        Ss   00:00   0:00 {command}\n" for pid, command in rows))
    else:
        call.print(
            "    PID TTY          TIME CMD\n" + "".join(f"{pid:>7} ?        00:00:00 {command.split()[0]}\n" for pid, command in rows)
        )
    return 0


def _pidof(call: Call) -> int:
    try:
        first = text_of(call.files.read("/proc/1/cmdline")).split("\0")[0]
    except OSError:
        return 1
    if first and first.rpartition("/")[2] in [name.rpartition("/")[2] for name in call.arguments]:
        call.print("1\n")
        return 0
    return 1


_MEMORY_KIB = (8_000_000, 2_000_000, 4_000_000)


def _free(call: Call) -> int:
    given, _ = call.options("bkmght", long={"human": "h", "mega": "m", "giga": "g"})
    scale = 1 if "b" in given else 1024 * 1024 if "m" in given else 1024**3 if "g" in given else 1024
    total, used, free = (str(each * 1024 // scale) for each in _MEMORY_KIB)
    call.print(f"{'':<14}{'total':>12}{'used':>12}{'free':>12}{'shared':>12}{'buff/cache':>12}{'available':>12}\n")
    call.print(f"{'Mem:':<14}{total:>12}{used:>12}{free:>12}{'0':>12}{used:>12}{free:>12}\n{'Swap:':<14}{'0':>12}{'0':>12}{'0':>12}\n")
    return 0


def _uptime(call: Call) -> int:
    call.print(f" {call.process.world.clock.now():%H:%M:%S} up 1 day,  0:00,  load average: 0.00, 0.00, 0.00\n")
    return 0


# ---- other programs


def _prefix(call: Call) -> Run:
    """nice, nohup: what they run is all there is to see."""
    _, words = call.options("", "n", permute=False)
    if not words:
        raise call.missing_operand()
    return (yield from start(call, words))


def _watch(call: Call) -> Run:
    given, words = call.options("tex", "n", {"interval": "n"}, permute=False)
    seconds = seconds_of(given.get("n", "2")) or 2.0
    if not words:
        raise call.missing_operand()
    while True:
        yield from start(call, ["sh", "-c", " ".join(words)])
        yield max(seconds, 0.1)


def _which(call: Call) -> int:
    _, names = call.options("a")
    code = 0
    for name in names:
        if call.process.world.find_program(name, call.process) is None:
            code = 1
            continue
        call.print((name if "/" in name else f"/usr/bin/{name}" if call.gnu else f"/bin/{name}") + "\n")
    return code


def _nothing(call: Call) -> int:
    return 0


def _false(call: Call) -> int:
    return 1


def _test(call: Call) -> int:
    words = call.arguments
    if call.name == "[":
        if not words or words[-1] != "]":
            call.complain("missing ']'")
            return 2
        words = words[:-1]
    return conditions.evaluate(call.process, words, call.name, lambda text: call.process.complain(text + "\n"))


def _echo(call: Call) -> int:
    call.print(builtins.echo(call.arguments))
    return 0


def _printf(call: Call) -> int:
    if not call.arguments:
        raise call.missing_operand()
    call.print(builtins.printf(call.arguments))
    return 0


def _pwd(call: Call) -> int:
    call.print(call.process.cwd + "\n")
    return 0


# ---- expr


class _Expr:
    """expr(1): precedence climbs from | to :."""

    def __init__(self, call: Call) -> None:
        self._call = call
        self._words = list(call.arguments)

    def whole(self) -> str:
        if not self._words:
            raise self._call.missing_operand()
        value = self._level(0)
        if self._words:
            raise self._call.usage("syntax error" if not self._call.gnu else f"syntax error: unexpected argument '{self._words[0]}'", 2)
        return value

    _LEVELS = (("|",), ("&",), ("<", "<=", "=", "==", "!=", ">=", ">"), ("+", "-"), ("*", "/", "%"), (":",))

    def _level(self, depth: int) -> str:
        if depth == len(self._LEVELS):
            return self._primary()
        value = self._level(depth + 1)
        while self._words and self._words[0] in self._LEVELS[depth]:
            operator = self._words.pop(0)
            value = self._applied(operator, value, self._level(depth + 1))
        return value

    def _applied(self, operator: str, left: str, right: str) -> str:
        if operator == "|":
            return left if left not in ("", "0") else right
        if operator == "&":
            return left if left not in ("", "0") and right not in ("", "0") else "0"
        if operator == ":":
            return self._matched(left, right)
        if operator in self._LEVELS[2]:
            return str(int(_compared(operator, left, right)))
        numbers = [self._integer(each) for each in (left, right)]
        if operator in "/%" and numbers[1] == 0:
            raise self._call.usage("division by zero", 2)
        quotient = abs(numbers[0]) // abs(numbers[1]) * (1 if (numbers[0] < 0) is (numbers[1] < 0) else -1) if operator in "/%" else 0
        results: dict[str, Callable[[], int]] = {
            "+": lambda: numbers[0] + numbers[1],
            "-": lambda: numbers[0] - numbers[1],
            "*": lambda: numbers[0] * numbers[1],
            "/": lambda: quotient,
            "%": lambda: numbers[0] - quotient * numbers[1],
        }
        return str(results[operator]())

    def _integer(self, text: str) -> int:
        if not re.fullmatch(r"-?\d{1,18}", text):
            raise self._call.usage("non-integer argument" if self._call.gnu else "non-numeric argument", 2)
        return int(text)

    def _matched(self, text: str, pattern: str) -> str:
        from controllers.kubelet.commands.programs.grep import compiled

        matched = compiled("^" + pattern.removeprefix("^"), extended=False).search(text)
        grouped = "\\(" in pattern
        if matched is None:
            return "" if grouped else "0"
        return matched.group(1) or "" if grouped else str(matched.end())

    def _primary(self) -> str:
        if not self._words:
            raise self._call.usage("syntax error" if not self._call.gnu else "syntax error: missing argument", 2)
        word = self._words.pop(0)
        if word == "(":
            value = self._level(0)
            if self._words[:1] != [")"]:
                raise self._call.usage("syntax error", 2)
            self._words.pop(0)
            return value
        if word == "length" and self._words:
            return str(len(self._primary()))
        if word == "substr" and len(self._words) > 2:
            text, start_at, count = self._primary(), self._integer(self._primary()), self._integer(self._primary())
            return text[start_at - 1 : start_at - 1 + count] if start_at > 0 else ""
        if word == "index" and len(self._words) > 1:
            text, characters = self._primary(), self._primary()
            return str(min((text.find(each) + 1 for each in characters if each in text), default=0))
        if word == "match" and len(self._words) > 1:
            return self._matched(self._primary(), self._primary())
        return word


def _compared(operator: str, left: str, right: str) -> bool:
    numeric = all(re.fullmatch(r"-?\d{1,18}", each) for each in (left, right))
    before: int | str = int(left) if numeric else left
    after: int | str = int(right) if numeric else right
    if operator in ("=", "=="):
        return before == after
    if operator == "!=":
        return before != after
    less, equal = before < after, before == after  # type: ignore[operator]
    return {"<": less, "<=": less or equal, ">": not (less or equal), ">=": not less}[operator]


def _expr(call: Call) -> int:
    value = _Expr(call).whole()
    call.print(value + "\n")
    return int(value in ("", "0"))


def _kill(call: Call) -> int:
    words = list(call.arguments)
    number = 15
    if words and words[0] in ("-l", "-L"):
        call.print("\n".join(_SIGNALS) + "\n")
        return 0
    if words and words[0] in ("-s", "-n") and len(words) > 1:
        words[:2] = [f"-{words[1]}"]
    if words and words[0].startswith("-") and len(words[0]) > 1 and words[0] != "--":
        name = words.pop(0)[1:].upper().removeprefix("SIG")
        known = _SIGNALS.get(name, int(name) if name.isdigit() and int(name) < 65 else None)
        if known is None:
            raise call.usage(f"'{name}': invalid signal" if call.gnu else f"bad signal name '{name}'")
        number = known
    if not words:
        raise call.usage("you need to specify whom to kill")
    code = 0
    for word in words:
        if not re.fullmatch(r"-?\d{1,9}", word):
            call.complain(f"invalid number '{word}'")
            code = 1
        elif int(word) in (1, -1, 0):
            if number:
                call.process.world.signalled(number)
        else:
            call.complain(f"({word}): No such process" if call.gnu else f"can't kill pid {word}: No such process")
            code = 1
    return code


_SIGNALS = {
    "HUP": 1,
    "INT": 2,
    "QUIT": 3,
    "KILL": 9,
    "USR1": 10,
    "USR2": 12,
    "PIPE": 13,
    "ALRM": 14,
    "TERM": 15,
    "CHLD": 17,
    "CONT": 18,
    "STOP": 19,
}

_QUIET: dict[str, Applet] = dict.fromkeys(("true", "sync", "stty", "clear", "reset"), _nothing)
_APPLETS: dict[str, Applet] = {
    **_QUIET,
    "sleep": _sleep,
    "date": _date,
    "timeout": _timeout,
    "ps": _ps,
    "pidof": _pidof,
    "kill": _kill,
    "free": _free,
    "uptime": _uptime,
    "nice": _prefix,
    "nohup": _prefix,
    "watch": _watch,
    "which": _which,
    "test": _test,
    "[": _test,
    "expr": _expr,
    "echo": _echo,
    "printf": _printf,
    "pwd": _pwd,
    "false": _false,
}
program = programs(_APPLETS)
