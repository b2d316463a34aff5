"""Commands that compute for ever, or try to make something huge: who simulates them computes in short slices, in bounded memory."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest

from controllers.kubelet.commands import patterns
from controllers.kubelet.commands.limits import SLICE_UNITS, TURN_SECONDS, UNITS_AT_ONCE
from controllers.kubelet.commands.work import Turns, Work
from tests.controllers.kubelet.commands.container import Container, Running

LONG_TEXT = "a" * 1_000_000
LONG_WORD = "a" * 45 + "b"


class Watched(Work):
    """Remembers the longest slice."""

    longest = 0

    def spend(self, units: int) -> tuple[float, ...]:
        made = tuple(super().spend(units))
        self.longest = max(self.longest, self.spent)
        return made

    def add(self, units: int) -> None:
        super().add(units)
        self.longest = max(self.longest, self.spent)


def watched(script: str, seconds: int = 1, **files: str | bytes) -> tuple[Container, Running, Watched]:
    """Started, and `seconds` of simulated time later."""
    container = Container(files={f"/tmp/{name}": content for name, content in files.items()})
    work = Watched(Turns(container.clock))
    container.world._count(work)
    running = container.start(["sh", "-c", script])
    for _ in range(seconds * 100):
        if running.code is not None:
            break
        container.clock.advance(TURN_SECONDS)
    return container, running, work


ENDLESS = (
    "while :; do :; done",
    "while :; do x=$(echo a); done",
    "while :; do echo $(seq 1 1000) > /dev/null; done",
    "x=$(seq 1 9999); while :; do set -- $x; done",
    "x=$(seq 1 9000); for i in $x; do for j in $x; do :; done; done",
    "x=$(cat /tmp/a); while :; do y=$x; done",
    "while :; do cat /tmp/a > /dev/null; done",
    "while :; do sed s/a/b/g /tmp/a > /dev/null; done",
    "while :; do wc -L /tmp/a; done",
    "while :; do grep -c x /tmp/a; done",
    "while :; do gzip -c /tmp/a | zcat | wc -c; done",
    "while :; do od -t x1 /tmp/a; done",
    "while :; do mkdir x; cd x; done",
    "while :; do sort -n /tmp/numbers | uniq -c | sort -rn | head -n 1; done",
    "while :; do awk '{s += $1} END {print s}' /tmp/numbers; done",
    "while read x; do echo $x; done < /tmp/numbers; while :; do :; done",
    "xargs -n 1 echo < /tmp/numbers > /dev/null; while :; do :; done",
    "i=0; while :; do echo > /tmp/$i; i=$((i+1)); ls -l /tmp > /dev/null; find / -name 'x*'; done",
    "trap 'kill -TERM $$' TERM; kill -TERM $$; while :; do :; done",
)


@pytest.mark.parametrize("script", ENDLESS)
def test_an_endless_command_computes_in_short_slices(script: str) -> None:
    _container, running, work = watched(script, a=LONG_TEXT, numbers="".join(f"{number}\n" for number in range(20_000)))
    assert running.code is None
    assert SLICE_UNITS <= work.longest <= UNITS_AT_ONCE


REFUSED = (
    "awk 'BEGIN {while (1) i++}'",
    "awk 'BEGIN {while (1) x = x \"aaaaaaaaaaaaaaaaaaaa\"}'",
    "awk 'BEGIN {while (1) a[i++] = i}'",
    'awk \'BEGIN {while (1) print "a" > "/tmp/x"}\'',
    "awk 'BEGIN {while ((\"yes\" | getline x) > 0);}'",
    "awk 'BEGIN {system(\"while :; do :; done\")}'",
    "awk 'function f() {return f() + f()} BEGIN {f()}'",
    "awk 'BEGIN {printf \"%1000000000d\", 1}'",
    "echo a | sed ':a;ba'",
    "echo a | sed ':a;G;h;ba'",
    "seq 1 1000000000",
    "seq 0 0.0000000001 1",
    "tr a '\\n' < /tmp/a > /tmp/b; awk '{a[NR] = $0}' /tmp/b",
    "tr a '\\n' < /tmp/a > /tmp/b; sort /tmp/b",
    "tr a '\\n' < /tmp/a > /tmp/b; paste -s /tmp/b",
    "cut -c 1,3,5-9 /tmp/a",
    "x=a; while :; do x=$x$x; done",
    "dd if=/dev/zero bs=10G count=1",
    "f() { f; f; }; f",
)


@pytest.mark.parametrize("script", REFUSED)
def test_what_cannot_pause_or_grows_without_end_is_refused(script: str) -> None:
    _container, running, work = watched(script, seconds=20, a=LONG_TEXT)
    assert running.code == 127
    assert b"a simulated container cannot run" in running.error
    assert work.longest <= 2 * UNITS_AT_ONCE


BACKTRACKING = (
    "(a*)*c",
    "^(a|a)*$",
    "^(a|aa)+$",
    "((a+)b?)*c",
    "^(a?){40}a{40}$",
    "a?" * 40 + "a" * 46,
    "(.*.*.*.*.*.*)c",
    "(([a-z])+.)+[A-Z]",
)


@pytest.mark.parametrize("expression", BACKTRACKING)
def test_an_expression_takes_time_linear_in_the_text(expression: str) -> None:
    for script in (f"grep -E '{expression}'", f"sed -E 's/{expression}/X/'", f"awk '/{expression}/'"):
        result = Container().run("sh", "-c", f"echo {LONG_WORD} | {script}")
        assert result.code in (0, 1), result
        assert result.out in ("", f"{LONG_WORD}\n", "X\n", "Xb\n")


@pytest.mark.parametrize("script", ["grep -c 'a*b' /tmp/a", "sed 's/a*b//' /tmp/a | wc -c", "awk '/a*b/' /tmp/a | wc -c"])
def test_an_expression_that_begins_everywhere_does_too(script: str) -> None:
    _, running, _ = watched(script, a=LONG_TEXT)
    assert running.code in (0, 1)


def test_the_longest_match_counts_as_posix_has_it() -> None:
    assert Container().run("grep", "-oE", "ab|abcd", stdin=b"xabcdx\n").out == "abcd\n"
    assert Container().run("sed", "-E", "s/(a|ab)(c|bcd)/[\\1]/", stdin=b"abcd\n").out in ("[a]\n", "[ab]d\n")


def test_bytes_that_are_no_text_are_matched() -> None:
    assert Container().run("grep", "-c", "b+", stdin=b"\xffabb\n\xfe\n").out == "0\n"
    assert Container().run("sed", "-E", "s/b+/x/", stdin=b"\xffabb\xfe\n").out.encode("utf-8", "surrogateescape") == b"\xffax\xfe\n"


def _brute(text: str, pieces: list[patterns.Piece], *, end: bool, longest: bool) -> str:
    places = range(len(text) + 1)
    for at in reversed(places) if longest is not end else places:
        if patterns.matches(text[at:] if end else text[:at], pieces):
            return text[:at] if end else text[at:]
    return text


def test_trimming_and_matching_of_long_values_agree_with_the_plain_way() -> None:
    chance = random.Random(7)
    for _ in range(400):
        text = "".join(chance.choice("ab./-") for _ in range(chance.randrange(8)))
        pieces = [("".join(chance.choice("ab.*?*[!]-/\\") for _ in range(chance.randrange(5))), chance.random() < 0.2)]
        for end, longest in ((False, False), (False, True), (True, False), (True, True)):
            made = patterns.trimmed(text, pieces, end=end, longest=longest)
            assert made == _brute(text, pieces, end=end, longest=longest), (text, pieces, end, longest)
        long = patterns.matches(text + "x" * 300, [*pieces, ("x" * 300, True)])
        assert long == patterns.matches(text, pieces), (text, pieces)


def test_a_field_ends_at_a_mark_with_the_blanks_around_it() -> None:
    assert Container().run("sh", "-c", "IFS=': '; x='a : b:c  d'; set -- $x; echo $#").out == "4\n"


@pytest.fixture
def turns() -> Iterator[tuple[Container, Turns]]:
    container = Container()
    yield container, Turns(container.clock)


def test_turns_are_taken_one_after_the_other_with_time_in_between(turns: tuple[Container, Turns]) -> None:
    container, queue = turns
    taken: list[str] = []
    for name in "abc":
        queue.after_the_others(lambda name=name: taken.append(name))  # type: ignore[misc]
    left = queue.after_the_others(lambda: taken.append("cancelled"))
    queue.after_the_others(lambda: taken.append("d"))
    left.cancel()
    seen = []
    for _ in range(6):
        container.clock.advance(TURN_SECONDS)
        seen.append("".join(taken))
    assert seen == ["a", "ab", "abc", "abcd", "abcd", "abcd"]


def test_many_containers_that_compute_share_one_slice_at_a_time() -> None:
    """However many there are, others wait for one slice."""
    first = Container()
    shared = Turns(first.clock)
    containers = [first, *(Container(clock=first.clock) for _ in range(4))]
    for each in containers:
        each.world._count(Work(shared))
    runs = [each.start(["sh", "-c", "i=0; while [ $i -lt 800 ]; do i=$((i+1)); done; echo done"]) for each in containers]
    assert all(run.code is None for run in runs)
    for _ in range(20_000):
        if all(run.code is not None for run in runs):
            break
        first.clock.advance(TURN_SECONDS)
    assert [run.result.out for run in runs] == ["done\n"] * len(runs)
