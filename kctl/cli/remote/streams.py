"""This machine's ends of a command that runs in a container: standard input read beside the event loop, output as bytes, and the
terminal, which is raw while a remote one has it."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, Protocol, TextIO

from kctl.client.kubelet import TerminalSize

_READ_BYTES: Final = 32 * 1024
_WAITING: Final = 4


def is_terminal(stream: TextIO) -> bool:
    return stream.isatty()


def writer(stream: TextIO) -> Callable[[bytes], None]:
    """Writes bytes to a text stream: as they are where it has a binary one below."""
    binary = getattr(stream, "buffer", None)
    if binary is None:
        return lambda data: (stream.write(data.decode(errors="replace")), None)[1]

    def write(data: bytes) -> None:
        stream.flush()
        binary.write(data)
        binary.flush()

    return write


class Source(Protocol):
    async def read(self) -> bytes:
        """b'' at the end."""
        ...


class Input:
    """A text stream's bytes, read by a thread that nobody waits for: a read of a terminal cannot be taken back."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._parts: asyncio.Queue[bytes] | None = None
        self._room = threading.Semaphore(_WAITING)

    async def read(self) -> bytes:
        """b'' at the end."""
        if self._parts is None:
            self._parts = asyncio.Queue()
            loop, parts = asyncio.get_running_loop(), self._parts
            threading.Thread(target=self._run, args=(loop, parts), daemon=True).start()
        data = await self._parts.get()
        self._room.release()
        return data

    def _run(self, loop: asyncio.AbstractEventLoop, parts: asyncio.Queue[bytes]) -> None:
        read = _reader(self._stream)
        while True:
            self._room.acquire()
            try:
                data = read()
            except (OSError, ValueError):
                data = b""
            try:
                loop.call_soon_threadsafe(parts.put_nowait, data)
            except RuntimeError:  # the command is over
                return
            if not data:
                return


def _reader(stream: TextIO) -> Callable[[], bytes]:
    try:
        descriptor = stream.fileno()
    except (OSError, ValueError):
        return lambda: stream.read(_READ_BYTES).encode()
    return lambda: os.read(descriptor, _READ_BYTES)


class NoInput:
    async def read(self) -> bytes:
        return b""


class DetachableInput:
    """Ends once the keys have been typed that detach; what of them is the beginning of something else goes on."""

    def __init__(self, source: Source, keys: bytes) -> None:
        self._source: Source = source
        self._keys = keys
        self._held = b""

    async def read(self) -> bytes:
        while True:
            data = await self._source.read()
            if not data:
                held, self._held = self._held, b""
                return held
            data = self._held + data
            at = data.find(self._keys)
            if at >= 0:
                self._held, self._keys = b"", b"\0\0no more"
                self._source = NoInput()
                return data[:at]
            kept = next((length for length in range(len(self._keys) - 1, 0, -1) if data.endswith(self._keys[:length])), 0)
            self._held = data[len(data) - kept :] if kept else b""
            if passed := data[: len(data) - kept]:
                return passed


def detach_keys(text: str) -> bytes:
    """`ctrl-p,ctrl-q` as the bytes that a terminal sends. Raises ValueError."""
    keys = bytearray()
    for word in text.split(","):
        if len(word) == 1 and word.isascii():
            keys += word.encode()
        elif word.startswith("ctrl-") and len(word) == 6 and 0x40 <= ord(word[5].upper()) < 0x60:
            keys.append(ord(word[5].upper()) - 64)
        else:
            raise ValueError(f"Unknown character: '{word}'")
    return bytes(keys)


class Sizes:
    """A terminal's size at first, and when SIGWINCH says that it is another."""

    def __init__(self, stream: TextIO, *, redraw: bool = False) -> None:
        self._stream = stream
        self._changes: asyncio.Queue[TerminalSize] | None = None
        self._redraw = redraw

    async def next(self) -> TerminalSize | None:
        if self._changes is None:
            import signal

            self._changes = asyncio.Queue()
            asyncio.get_running_loop().add_signal_handler(signal.SIGWINCH, self._tell)
            now = self._now()
            if self._redraw and now is not None:  # another size first, so that the program over there draws its screen anew
                self._changes.put_nowait(TerminalSize(now.width + 1, now.height + 1))
            self._tell()
        return await self._changes.get()

    def _now(self) -> TerminalSize | None:
        try:
            size = os.get_terminal_size(self._stream.fileno())
        except (OSError, ValueError):
            return None
        return TerminalSize(size.columns, size.lines)

    def _tell(self) -> None:
        size = self._now()
        if size is not None and self._changes is not None:
            self._changes.put_nowait(size)


class Ends:
    """kctl.client.streaming.remote_command.LocalStreams."""

    def __init__(self, source: Source, out: Callable[[bytes], None], err: Callable[[bytes], None], sizes: Sizes | None = None) -> None:
        self._source = source
        self.write = out
        self.write_error = err
        self._sizes = sizes

    async def read(self) -> bytes:
        return await self._source.read()

    async def resized(self) -> TerminalSize | None:
        return None if self._sizes is None else await self._sizes.next()


@contextmanager
def raw(stream: TextIO) -> Iterator[None]:
    """The terminal hands every key over as it comes, and is put back at the end."""
    import termios
    import tty

    descriptor = stream.fileno()
    before = termios.tcgetattr(descriptor)
    tty.setraw(descriptor)
    try:
        yield
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)
