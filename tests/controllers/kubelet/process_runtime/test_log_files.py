"""The log of a container on the disk: lines, pieces of lines, rotation, and reading it back from anywhere."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from controllers.kubelet.process_runtime import log_reader
from controllers.kubelet.process_runtime.log_file import LONGEST_LINE, LogFile
from kctl.apimachinery.clock import FakeClock


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[int]:
    descriptor = os.open(tmp_path, os.O_RDONLY)
    yield descriptor
    os.close(descriptor)


async def read(path: Path, **options: str) -> bytes:
    return b"".join([chunk async for chunk in log_reader.stream(path / "log", options, FakeClock(), lambda: True)])


async def test_lines_written_in_pieces(tmp_path: Path, folder: int) -> None:
    log = LogFile(folder, "log", lambda: 1_000_000_000)
    for stream, data in ((b"stdout", b"on"), (b"stderr", b"err\n"), (b"stdout", b"e\ntwo\nth"), (b"stdout", b"ree")):
        log.write(stream, data)
    log.close()
    assert (tmp_path / "log").read_text().splitlines() == [
        "1970-01-01T00:00:01.000000000Z stderr F err",
        "1970-01-01T00:00:01.000000000Z stdout F one",
        "1970-01-01T00:00:01.000000000Z stdout F two",
        "1970-01-01T00:00:01.000000000Z stdout P three",
    ]
    assert await read(tmp_path) == b"err\none\ntwo\nthree"
    assert await read(tmp_path, stream="Stderr") == b"err\n"


async def test_a_long_line_is_one_again(tmp_path: Path, folder: int) -> None:
    log = LogFile(folder, "log", lambda: 0)
    data = b"x" * (LONGEST_LINE * 2 + 7) + b"\nshort\n"
    log.write(b"stdout", data)
    log.close()
    assert await read(tmp_path) == data


async def test_it_is_put_aside(tmp_path: Path, folder: int) -> None:
    log = LogFile(folder, "log", lambda: 0, size=1000, files=3)
    lines = [f"line {number}\n".encode() for number in range(100)]
    for line in lines:
        log.write(b"stdout", line)
    log.close()
    assert sorted(os.listdir(tmp_path)) == ["log", "log.1", "log.2"]
    found = (await read(tmp_path)).splitlines(keepends=True)
    assert len(found) > 40 and found == lines[-len(found) :]
    for count in (1, 5, 20, 40):
        assert await read(tmp_path, tailLines=str(count)) == b"".join(lines[-count:])
    assert await read(tmp_path, tailLines="1000") == b"".join(found)


async def test_one_that_is_followed_while_it_is_put_aside(tmp_path: Path, folder: int) -> None:
    log = LogFile(folder, "log", lambda: 0, size=100, files=5)
    over: list[bool] = []
    clock = FakeClock()
    chunks = log_reader.stream(tmp_path / "log", {"follow": "true"}, clock, lambda: bool(over))
    found = b""
    for number in range(30):
        log.write(b"stdout", f"{number}\n".encode())
        found += await anext(chunks)
        if number == 29:
            over.append(True)
    assert found == b"".join(f"{number}\n".encode() for number in range(30))
    log.close()
