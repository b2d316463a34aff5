"""`kctl get` may not import what it does not use: that is most of its time."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.kctl.cli.console import ROOT, Console, console

_CODE = """
import sys, io
before = len(sys.modules)
from kctl.cli.main import run
from kctl.cli.session import Session, Streams
session = Session(Streams(io.StringIO(), io.StringIO(), io.StringIO(), ))
code = run({words!r}, session)
print(code, len(sys.modules) - before, *sorted(set({modules!r}) & set(sys.modules)))
"""
_NEVER = ["asyncio", "click", "dataclasses", "inspect", "orjson", "uuid", "yaml", "aiohttp", "tabulate", "kctl.daemon", "store"]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    with console(tmp_path_factory.mktemp("startup")) as prompt:
        yield prompt


def imported(server: Console, words: list[str], modules: list[str]) -> list[str]:
    """How many modules a command imports, and which of `modules` are among them."""
    environment = {"PATH": os.environ["PATH"], "HOME": str(server.home), "KUBECONFIG": str(server.kubeconfig), "PYTHONPATH": str(ROOT)}
    code = _CODE.format(words=words, modules=modules)
    command = [sys.executable, "-S", "-c", _PATHS + code]  # -S: not what an environment's .pth files import
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, env=environment, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()[-1].split()


_PATHS = f"import sys; sys.path[:] = {[*sys.path]!r}\n"


@pytest.mark.parametrize(
    ("words", "modules", "most"),
    [
        (["version", "--client"], [*_NEVER, "ssl", "socket", "datetime", "kctl.apimachinery.status"], 52),
        (["--help"], [*_NEVER, "ssl", "socket", "datetime", "kctl.cli.get", "kctl.apimachinery.status"], 52),
        (["get", "--help"], [*_NEVER, "ssl", "socket"], 72),
        (["get", "namespace", "default"], [*_NEVER, "kctl.cli.apply", "kctl.cli.create", "kctl.cli.help"], 102),
    ],
    ids=["version", "help", "help of get", "get"],
)
def test_what_is_not_imported(server: Console, words: list[str], modules: list[str], most: int) -> None:
    """`most` is a bound with a little room; a command that goes beyond it has become slower to start."""
    code, count, *found = imported(server, words, modules)
    assert (code, found) == ("0", [])
    assert int(count) <= most
