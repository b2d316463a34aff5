"""The line discipline of a terminal: what is typed is shown, and handed on line by line. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator

_LONGEST_LINE = 4096
_INTERRUPT, _END, _ERASE, _KILL = 3, 4, (8, 127), 21


class TerminalLine:
    """`echo` shows what was typed; it makes line ends of newlines itself."""

    def __init__(self, echo: Callable[[bytes], None]) -> None:
        self._echo = echo
        self._line = bytearray()

    def typed(self, data: bytes) -> Iterator[bytes | None]:
        """Whole lines; b'' for an interrupt (^C), None for the end of input (^D on an empty line)."""
        for code in data:
            if code in (10, 13):
                self._echo(b"\n")
                line, self._line = bytes(self._line) + b"\n", bytearray()
                yield line
            elif code == _INTERRUPT:
                self._echo(b"^C\n")
                self._line.clear()
                yield b""
            elif code == _END:
                if not self._line:
                    yield None
            elif code in _ERASE:
                if self._line:
                    self._line.pop()
                    self._echo(b"\b \b")
            elif code == _KILL:
                self._echo(b"\b \b" * len(self._line))
                self._line.clear()
            elif code >= 32 and len(self._line) < _LONGEST_LINE:
                self._line.append(code)
                self._echo(bytes([code]))
