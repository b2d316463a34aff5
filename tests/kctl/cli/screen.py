"""A terminal as a user sees it: what kctl writes, put on a screen of so many columns."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import termios
import threading
from queue import SimpleQueue
from typing import TextIO

_PART = re.compile(r"\x1b\[(\d*)([A-Za-z])|\x1b\[([\d;]*)m|[\r\n]|[^\x1b\r\n]")
COLOUR = re.compile(r"\x1b\[[\d;]*m")


class Screen:
    """`show` takes what a program writes; `lines` is what stands there. Sequences that kctl has no use for are an error."""

    def __init__(self, columns: int = 80) -> None:
        self._columns = columns
        self._lines: list[list[str]] = [[]]
        self._row = self._column = 0

    @property
    def lines(self) -> list[str]:
        return ["".join(line).rstrip() for line in self._lines]

    def show(self, text: str) -> Screen:
        position = 0
        for found in _PART.finditer(text):
            assert found.start() == position, f"unknown sequence at {text[position : position + 20]!r}"
            position = found.end()
            if found[2] is not None and found[2] != "m":
                self._command(found[2], int(found[1] or 1))
            elif found[0] == "\r":
                self._column = 0
            elif found[0] == "\n":
                self._next()
            elif not found[0].startswith("\x1b"):
                self._put(found[0])
        assert position == len(text), f"unknown sequence at {text[position : position + 20]!r}"
        return self

    def _next(self) -> None:
        self._row, self._column = self._row + 1, 0
        if self._row == len(self._lines):
            self._lines.append([])

    def _put(self, letter: str) -> None:
        if self._column == self._columns:
            self._next()
        line = self._lines[self._row]
        line += [" "] * (self._column + 1 - len(line))
        line[self._column] = letter
        self._column += 1

    def _command(self, name: str, count: int) -> None:
        if name == "A":
            self._row = max(self._row - count, 0)
        elif name == "K":
            del self._lines[self._row][self._column :]
        elif name == "J":
            del self._lines[self._row][self._column :]
            del self._lines[self._row + 1 :]
        else:
            raise AssertionError(f"unknown command {name}")


_END = "\x00"


class Terminal:
    """A real pseudo-terminal of so many columns: `stream` is the program's end of it. A thread reads what is written, for a terminal holds
    little."""

    def __init__(self, columns: int = 80, lines: int = 24) -> None:
        self._end, other = pty.openpty()
        fcntl.ioctl(other, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
        attributes = termios.tcgetattr(other)
        attributes[1] &= ~termios.OPOST  # lines end as they are written
        termios.tcsetattr(other, termios.TCSANOW, attributes)
        self.stream: TextIO = os.fdopen(other, "w")
        self._read: SimpleQueue[bytes] = SimpleQueue()
        self._reader = threading.Thread(target=self._pass_on, daemon=True)
        self._reader.start()

    def _pass_on(self) -> None:
        while True:
            try:
                self._read.put(os.read(self._end, 65536))
            except OSError:  # the program's end is closed
                return

    def taken(self) -> str:
        """What has been written since the last time."""
        self.stream.write(_END)
        self.stream.flush()
        text = b""
        while not text.endswith(_END.encode()):
            text += self._read.get(timeout=30)
        return text[:-1].decode()

    def close(self) -> None:
        self.stream.close()
        self._reader.join(30)
        os.close(self._end)
