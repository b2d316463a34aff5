"""exec and attach to containers that are real processes: `kubectl exec -it` gets a terminal of its own, which follows the client's size."""

from __future__ import annotations

import asyncio
import contextlib
import os
import struct
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from controllers.kubelet.process_runtime.connection import Attachment, Command, CommandFailed, readable, write_all
from controllers.kubelet.process_runtime.shim_clients import END_OF_INPUT, ENDED, RESIZE, STDERR, STDIN, resize
from kctl.apimachinery.clock import Clock
from kctl.apimachinery.objects import Object
from kctl.client.kubelet import CannotRun, Process, Terminal, TerminalSize

_READ = 64 * 1024
_LOOK_SECONDS = 0.2
"""How often the client's terminal is asked for its size."""


def exec_in(folder: Path, command: Sequence[str], clock: Clock) -> Process:
    async def run(terminal: Terminal) -> int:
        session = _Session(folder, command, terminal, clock)
        try:
            return await session.run()
        finally:
            session.close()

    return run


class _Session:
    """One command with the streams of who runs it."""

    def __init__(self, folder: Path, argv: Sequence[str], terminal: Terminal, clock: Clock) -> None:
        self._folder = folder
        self._argv = argv
        self._terminal = terminal
        self._clock = clock
        self._command: Command | None = None
        self._open: list[int] = []
        self._over = asyncio.Event()

    def close(self) -> None:
        """What is left of the command ends."""
        if self._command is not None:
            self._command.close()
        for each in self._open:
            os.close(each)
        self._open.clear()

    async def run(self) -> int:
        given, outputs, self._input = self._streams()
        try:
            self._command = Command(self._folder, self._argv, given, {"TERM": "xterm"} if self._terminal.tty else None)
            await self._command.started()
        except (CommandFailed, OSError) as failed:
            why = str(failed) if isinstance(failed, CommandFailed) else (failed.strerror or str(failed)).lower()
            raise CannotRun(f"failed to exec in container: failed to start exec: OCI runtime exec failed: {why}") from None
        finally:
            for each in given:
                os.close(each)
        work = [self._pump(descriptor, write) for descriptor, write in outputs]
        async with _beside([self._feed(), *([self._follow_size(outputs[0][0])] if self._terminal.tty else ())]):
            pumps = asyncio.gather(*work)
            try:
                code = await self._command.ended()
                self._over.set()
                await pumps
            finally:
                pumps.cancel()
                await asyncio.gather(pumps, return_exceptions=True)
        return code

    def _streams(self) -> tuple[list[int], list[tuple[int, Callable[[bytes], Coroutine[Any, Any, None]]]], int]:
        """(what the command gets, what of it is read and where that goes, its standard input or -1)"""
        if self._terminal.tty:
            master, slave = os.openpty()
            os.set_blocking(master, False)
            self._open.append(master)
            self._resize(master, self._terminal.size())
            return [slave], [(master, self._terminal.write)], master
        ends: list[tuple[int, int]] = [os.pipe2(os.O_CLOEXEC) for _ in range(3)]
        (first, first_end), (out, out_end), (error, error_end) = ends
        for each in (first_end, out, error):
            os.set_blocking(each, False)
        self._open += [out, error]
        if self._terminal.has_input:
            self._open.append(first_end)
        else:
            os.close(first_end)
            first_end = -1
        return [first, out_end, error_end], [(out, self._terminal.write), (error, self._terminal.write_error)], first_end

    async def _pump(self, descriptor: int, write: Callable[[bytes], Coroutine[Any, Any, None]]) -> None:
        """To its end, or to the command's: what it has left running may hold its streams for long."""
        while True:
            try:
                data = os.read(descriptor, _READ)
            except BlockingIOError:
                if self._over.is_set():
                    return
                await _first([readable(descriptor), self._over.wait()])
                continue
            except OSError:  # a terminal that nobody has any more
                return
            if not data:
                return
            await write(data)

    async def _feed(self) -> None:
        if not self._terminal.has_input:
            return
        with contextlib.suppress(OSError):
            while data := await self._terminal.read():
                await write_all(self._input, data)
        if not self._terminal.tty:
            self._open.remove(self._input)
            os.close(self._input)

    async def _follow_size(self, master: int) -> None:
        shown: TerminalSize | None = None
        while True:
            size = self._terminal.size()
            if size != shown:
                shown = size
                self._resize(master, size)
            await self._clock.sleep(_LOOK_SECONDS)

    @staticmethod
    def _resize(master: int, size: TerminalSize | None) -> None:
        if size is not None:
            resize(master, size.width, size.height)


async def _first(work: Sequence[Coroutine[Any, Any, Any]]) -> None:
    tasks = [asyncio.get_running_loop().create_task(each) for each in work]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@asynccontextmanager
async def _beside(work: Sequence[Coroutine[Any, Any, None]]) -> AsyncIterator[None]:
    """Goes on while what is inside does."""
    tasks = [asyncio.get_running_loop().create_task(each) for each in work]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def attach_to(folder: Path, spec: Object, clock: Clock) -> Process:
    async def run(terminal: Terminal) -> int:
        try:
            attachment = Attachment(folder)
        except OSError as error:
            raise CannotRun(f"failed to attach to the container: {(error.strerror or str(error)).lower()}") from None
        follows = [_follow_size(attachment, terminal, clock)] if terminal.tty and spec.get("tty") else []
        feeds = [_feed(attachment, terminal)] if terminal.has_input and spec.get("stdin") else []
        try:
            async with _beside([*feeds, *follows]):
                while (frame := await attachment.frame()) is not None:
                    kind, data = frame
                    if kind == ENDED:  # how, its pod's status says
                        return 0
                    await (terminal.write_error(data) if kind == STDERR else terminal.write(data))
            return 0
        finally:
            attachment.close()

    return run


async def _feed(attachment: Attachment, terminal: Terminal) -> None:
    with contextlib.suppress(OSError):
        while data := await terminal.read():
            await attachment.send(STDIN, data)
        await attachment.send(END_OF_INPUT, b"")


async def _follow_size(attachment: Attachment, terminal: Terminal, clock: Clock) -> None:
    shown: TerminalSize | None = None
    while True:
        size = terminal.size()
        if size is not None and size != shown:
            shown = size
            await attachment.send(RESIZE, struct.pack("!HH", size.height, size.width))
        await clock.sleep(_LOOK_SECONDS)
