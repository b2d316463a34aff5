"""`kctl get` may not import what it does not use: that is most of its time."""

from __future__ import annotations

import subprocess
import sys

import pytest

_CODE = """
import sys, io
from kctl.cli.main import run
from kctl.cli.session import Session, Streams
session = Session(Streams(io.StringIO(), io.StringIO(), io.StringIO()))
code = run({words!r}, session)
print(code, *sorted(set({modules!r}) & set(sys.modules)))
"""


@pytest.mark.parametrize(
    ("words", "modules"),
    [
        (
            ["-s", "http://127.0.0.1:1", "get", "pods"],
            ["asyncio", "h11", "yaml", "aiohttp", "tabulate", "kctl.cli.apply", "kctl.cli.create", "kctl.daemon", "store"],
        ),
        (["get", "--help"], ["asyncio", "ssl", "socket", "yaml"]),
        (["--help"], ["asyncio", "ssl", "yaml", "kctl.cli.get"]),
    ],
    ids=["get", "help of get", "help"],
)
def test_what_is_not_imported(words: list[str], modules: list[str]) -> None:
    code = _CODE.format(words=words, modules=modules)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30)
    assert done.stdout.splitlines()[-1].split()[1:] == [], done.stderr
