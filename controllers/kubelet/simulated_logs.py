"""Log lines that are computed, not kept: line n of a container appears n intervals after its start.

So a log costs nothing until somebody reads it, and reading it twice gives the same lines. `select` applies the options of
`kubectl logs`, for simulated lines and for those of static pods.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from controllers.kubelet.node_config import LogLine
from kctl.apimachinery import times
from kctl.apimachinery.clock import Clock
from kctl.apimachinery.objects import Object

if TYPE_CHECKING:
    from controllers.kubelet.commands.outcome import Outcome

_MOST_LINES = 10_000
"""As a rotated log file: only the newest of an endless log are kept."""
_CHUNK_LINES = 500


def select(lines: Sequence[LogLine], options: Mapping[str, str], now: datetime) -> Sequence[LogLine]:
    """tailLines, sinceSeconds and sinceTime."""
    since: datetime | None = None
    if options.get("sinceSeconds"):
        since = now - timedelta(seconds=int(options["sinceSeconds"]))
    elif options.get("sinceTime"):
        since = times.parse(options["sinceTime"])
    if since is not None:
        lines = [line for line in lines if line.time >= since]
    tail = options.get("tailLines")
    if tail is not None and tail != "":
        count = int(tail)
        lines = lines[-count:] if count > 0 else []
    return lines


def encode(lines: Iterable[LogLine], options: Mapping[str, str]) -> bytes:
    if options.get("timestamps") in ("true", "1"):
        return "".join(f"{line.time.strftime('%Y-%m-%dT%H:%M:%S.%f')}000Z {line.text}\n" for line in lines).encode()
    return "".join(f"{line.text}\n" for line in lines).encode()


class Limit:
    """limitBytes: the stream ends in the middle of a line where it must."""

    def __init__(self, options: Mapping[str, str]) -> None:
        text = options.get("limitBytes")
        self._left = int(text) if text else None

    @property
    def reached(self) -> bool:
        return self._left is not None and self._left <= 0

    def cut(self, chunk: bytes) -> bytes:
        if self._left is None:
            return chunk
        chunk = chunk[: self._left]
        self._left -= len(chunk)
        return chunk


def follows(options: Mapping[str, str]) -> bool:
    return options.get("follow") in ("true", "1")


async def stream_lines(lines: Callable[[], Sequence[LogLine]], options: Mapping[str, str], clock: Clock) -> AsyncIterator[bytes]:
    """A log held as lines, oldest first; `follow` looks again twice a second."""
    limit = Limit(options)
    present = lines()
    yield limit.cut(encode(select(present, options, clock.now()), options))
    last = present[-1] if present else None
    while follows(options) and not limit.reached:
        await clock.sleep(0.5)
        present = lines()
        fresh = len(present)
        while fresh > 0 and present[fresh - 1] is not last and present[fresh - 1] != last:
            fresh -= 1
        if fresh < len(present):
            yield limit.cut(encode(present[fresh:], options))
            last = present[-1]


class LogSource:
    """`count` None is an endless log; `finished` says when the container ended, None while it runs."""

    def __init__(
        self,
        clock: Clock,
        started: datetime,
        finished: Callable[[], datetime | None],
        count: int | None,
        interval_seconds: float,
        template: str,
    ) -> None:
        self._clock = clock
        self._started = started
        self._finished = finished
        self._count = count
        self._interval = max(interval_seconds, 0.0)
        self._template = template

    def _available(self) -> int:
        """How many lines have been written by now."""
        until = self._finished() or self._clock.now()
        if until < self._started:
            return 0
        if self._interval <= 0:
            return self._count if self._count is not None else _MOST_LINES
        written = int((until - self._started).total_seconds() / self._interval + 1e-6) + 1
        return written if self._count is None else min(written, self._count)

    def _lines(self, begin: int, end: int) -> list[LogLine]:
        return [
            LogLine(self._started + timedelta(seconds=index * self._interval), self._template.replace("{n}", str(index + 1)))
            for index in range(begin, end)
        ]

    def _first_wanted(self, available: int, options: Mapping[str, str]) -> int:
        begin = max(available - _MOST_LINES, 0)
        tail = options.get("tailLines")
        if tail:
            begin = max(begin, available - int(tail))
        return begin

    async def stream(self, options: Mapping[str, str]) -> AsyncIterator[bytes]:
        limit = Limit(options)
        available = self._available()
        lines = select(self._lines(self._first_wanted(available, options), available), options, self._clock.now())
        for begin in range(0, len(lines), _CHUNK_LINES):
            if not limit.reached:
                yield limit.cut(encode(lines[begin : begin + _CHUNK_LINES], options))
        if not follows(options):
            return
        sent = available
        while not limit.reached:
            available = self._available()
            if available > sent:
                yield limit.cut(encode(self._lines(sent, available), options))
                sent = available
            if self._finished() is not None:
                return
            await self._clock.sleep(self._wait_seconds(sent))

    def _wait_seconds(self, sent: int) -> float:
        """Until the next line is due, at most a second, since the container may end meanwhile."""
        if self._interval <= 0 or (self._count is not None and sent >= self._count):
            return 1.0
        due = self._started + timedelta(seconds=sent * self._interval)
        return min(max((due - self._clock.now()).total_seconds(), 0.01), 1.0)


class OutputLog(LogSource):
    """The output of a command that is known beforehand: (seconds since its start, text), oldest first."""

    def __init__(
        self, clock: Clock, started: datetime, finished: Callable[[], datetime | None], output: Sequence[tuple[float, str]]
    ) -> None:
        self._written = [LogLine(started + timedelta(seconds=seconds), line) for seconds, line in _lines_of(output)]
        super().__init__(clock, started, finished, len(self._written), 0.0, "")

    def _available(self) -> int:
        until = self._finished() or self._clock.now()
        return sum(line.time <= until for line in self._written)

    def _lines(self, begin: int, end: int) -> list[LogLine]:
        return self._written[begin:end]


def known_output(container: Object, outcome: Outcome | None) -> tuple[tuple[float, str], ...] | None:
    """What it writes, (seconds since its start, text): as its command's `outcome`, or as what its image runs of itself; None where
    neither is known."""
    if outcome is not None:
        return outcome.output
    if container.get("command") or container.get("args"):
        return None
    from controllers.kubelet.commands.programs.images import says

    text = says(str(container.get("image") or ""))
    return ((0.0, text),) if text else None


def _lines_of(output: Sequence[tuple[float, str]]) -> list[tuple[float, str]]:
    """A line that is written in pieces appears with its last."""
    lines: list[tuple[float, str]] = []
    ended = True
    for seconds, text in output:
        for piece in text.splitlines(keepends=True):
            if ended:
                lines.append((seconds, ""))
            ended = piece.endswith("\n")
            lines[-1] = (seconds, lines[-1][1] + piece.removesuffix("\n"))
    return lines
