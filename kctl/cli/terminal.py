"""What a terminal gets beyond plain lines: colour (not with NO_COLOR), and a line that shows that something is going on."""

from __future__ import annotations

import os
import time
from collections.abc import Awaitable
from types import TracebackType
from typing import Any, Final, Literal, Protocol, TextIO, TypeVar

_T = TypeVar("_T")

Colour = Literal["green", "yellow", "red"]
_CODES: Final = {"green": "32", "yellow": "33", "red": "31"}
_ERASE: Final = "\r\x1b[K"
_BAR: Final = 20
"""Columns of a bar of progress."""


def takes_colour(stream: TextIO) -> bool:
    """Not where `stream` is no terminal, is a dumb one, or NO_COLOR is set."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def takes_drawing(stream: TextIO) -> bool:
    """Whether what is shown there can be written over."""
    return stream.isatty() and os.environ.get("TERM") != "dumb"


def coloured(stream: TextIO, text: str, colour: Colour) -> str:
    return painted(text, colour) if takes_colour(stream) else text


def painted(text: str, colour: Colour) -> str:
    return f"\x1b[0;{_CODES[colour]}m{text}\x1b[0m"


def size_of(stream: TextIO) -> tuple[int, int]:
    """Columns and lines of a terminal; 80 and 24 of one that does not say, and of what is none."""
    try:
        columns, lines = os.get_terminal_size(stream.fileno())
    except (OSError, ValueError):
        columns, lines = 0, 0
    return columns or 80, lines or 24


def bar(done: int, total: int) -> str:
    """[#####-----] 1/2; '' of nothing."""
    if total <= 0:
        return ""
    filled = min(_BAR * max(done, 0) // total, _BAR)
    return f"[{'#' * filled}{'-' * (_BAR - filled)}] {done}/{total}"


class Progress:
    """One line on a terminal, written over as things go on and gone at the end; nothing elsewhere.

    with Progress(sys.stderr, 'Stopping cluster "kctl"') as progress:
        progress.show()              # Stopping cluster "kctl" (3 s)
    """

    def __init__(self, stream: TextIO, what: str) -> None:
        self._stream = stream
        self._what = what
        self._started = time.monotonic()
        self._shown = ""
        self._detail = ""
        self.on_terminal = takes_drawing(stream)

    def show(self, detail: str = "") -> None:
        """In one line of the terminal, however narrow it is: a longer one could not be written over."""
        self._detail = detail
        if not self.on_terminal:
            return
        seconds = int(time.monotonic() - self._started)
        elapsed = f" ({seconds} s)" if seconds else ""
        text = self._what + (f": {detail}" if detail else "")
        text = text[: max(size_of(self._stream)[0] - 1 - len(elapsed), 0)] + elapsed
        if text != self._shown:
            self._stream.write(_ERASE + text)
            self._stream.flush()
            self._shown = text

    def tick(self) -> None:
        """Show how much time has gone, where anything is shown."""
        if self._shown:
            self.show(self._detail)

    def end(self) -> None:
        if self._shown:
            self._stream.write(_ERASE)
            self._stream.flush()
            self._shown = ""

    def __enter__(self) -> Progress:
        self.show()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.end()


class Printing(Protocol):
    """What a command prints with: its streams, and the progress that gives way to what is printed."""

    streams: Any
    progress: Progress | None


class Steps(Progress):
    """How many of several things are done: `Waiting: [#####-----] 1/2 pods/web-1 (4 s)`. It gives way to whatever the command prints."""

    def __init__(self, session: Printing, what: str, total: int) -> None:
        super().__init__(session.streams.err, what)
        self._session = session
        self._total = total
        self._count = 0

    def at(self, what: str) -> None:
        """What is under way now."""
        self._now = what
        self.show(f"{bar(self._count, self._total)} {what}")

    def done(self) -> None:
        self._count += 1
        self.at(self._now)

    def __enter__(self) -> Steps:
        self._now = ""
        self._session.progress = self
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._session.progress = None
        self.end()


async def ticking(progress: Progress, work: Awaitable[_T]) -> _T:
    """Do `work` while the seconds are counted, where somebody sees it. On an event loop."""
    if not progress.on_terminal:
        return await work
    import asyncio

    async def tick() -> None:
        while True:
            await asyncio.sleep(1.0)
            progress.tick()

    counting = asyncio.ensure_future(tick())
    try:
        return await work
    finally:
        counting.cancel()
