"""Commands that the kubelet itself runs in a container: of exec probes and of lifecycle hooks."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from pathlib import Path

from controllers.kubelet.process_runtime.connection import Command, CommandFailed, readable

_MOST_OUTPUT = 10 * 1024
"""What is shown of it; the rest is read and dropped."""
_READ = 64 * 1024


async def run_command(folder: Path, argv: Sequence[str]) -> tuple[int, str]:
    """(exit code, what it wrote to both of its outputs). Cancelled, it is killed."""
    read_end, write_end = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
    nothing = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
    os.set_blocking(write_end, True)
    command: Command | None = None
    try:
        try:
            command = Command(folder, argv, (nothing, write_end, write_end))
            await command.started()
        except CommandFailed as failed:
            return 126, f"failed to exec in container: {failed}"
        except OSError as error:
            return 126, f"failed to exec in container: {(error.strerror or str(error)).lower()}"
        finally:
            os.close(nothing)
            os.close(write_end)
        return await _followed(command, read_end)
    finally:
        if command is not None:
            command.close()
        os.close(read_end)


async def _followed(command: Command, descriptor: int) -> tuple[int, str]:
    output = bytearray()
    ending = asyncio.get_running_loop().create_task(command.ended())
    reading = asyncio.get_running_loop().create_task(_gather(descriptor, output))
    try:
        code = await ending
        _drain(descriptor, output)
        return code, output.decode(errors="replace")
    finally:
        for task in (ending, reading):
            task.cancel()
        await asyncio.gather(ending, reading, return_exceptions=True)


async def _gather(descriptor: int, output: bytearray) -> None:
    while not _drain(descriptor, output):
        await readable(descriptor)


def _drain(descriptor: int, output: bytearray) -> bool:
    """All that is there now. True at the end."""
    while True:
        try:
            data = os.read(descriptor, _READ)
        except BlockingIOError:
            return False
        if not data:
            return True
        output += data[: max(_MOST_OUTPUT - len(output), 0)]
