"""What a terminal gets beyond plain lines: colour (not with NO_COLOR), and a line that shows that something is going on."""

from __future__ import annotations

import os
import time
from types import TracebackType
from typing import Final, Literal, TextIO

Colour = Literal["green", "yellow", "red"]
_CODES: Final = {"green": "32", "yellow": "33", "red": "31"}
_ERASE: Final = "\r\x1b[K"


def coloured(stream: TextIO, text: str, colour: Colour) -> str:
    """Plain where `stream` is no terminal, is a dumb one, or NO_COLOR is set."""
    if not stream.isatty() or os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return text
    return f"\x1b[0;{_CODES[colour]}m{text}\x1b[0m"


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
        self._terminal = stream.isatty()

    def show(self, detail: str = "") -> None:
        seconds = int(time.monotonic() - self._started)
        text = self._what + (f": {detail}" if detail else "") + (f" ({seconds} s)" if seconds else "")
        if self._terminal and text != self._shown:
            self._stream.write(_ERASE + text)
            self._stream.flush()
            self._shown = text

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
