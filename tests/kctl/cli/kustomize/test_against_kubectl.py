"""Kustomizations written for this, built by kctl and by the real kubectl: text, errors and exit code must be the same, byte for byte.

A case is a folder: the manifests beside this file (in every folder of it) and what its section of cases_*.txt adds. What is said about
addresses in memory is left out.
"""

from __future__ import annotations

import io
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from kctl.cli.main import run
from kctl.cli.session import Session, Streams
from tests.e2e.differential import kubectl_binary

HERE = Path(__file__).parent
MANIFESTS = HERE / "manifests"
_ADDRESS = re.compile(r" &\{0x[0-9a-f]+ [^}]*\}|0x[0-9a-f]{8,}")


class Case(NamedTuple):
    title: str
    files: dict[str, str]


class Outcome(NamedTuple):
    code: int
    out: str
    err: str


def cases() -> Iterator[Case]:
    for path in sorted(HERE.glob("cases_*.txt")):
        for section in path.read_text().split("=== ")[1:]:
            title, _, rest = section.partition("\n")
            files = dict(part.partition("\n")[::2] for part in rest.split(">>> ")[1:])
            yield Case(title, files)


CASES = {case.title: case for case in cases()}


def laid_out(case: Case, folder: Path) -> Path:
    shutil.copytree(MANIFESTS, folder)
    for name, content in case.files.items():
        path = folder / name
        if not path.parent.exists():
            shutil.copytree(MANIFESTS, path.parent)
        path.write_text(content)
    return folder


def by_kubectl(*words: str) -> Outcome:
    environment = {"PATH": os.environ["PATH"], "HOME": "/nonexistent"}
    done = subprocess.run([kubectl_binary(), "kustomize", *words], env=environment, capture_output=True, timeout=60, text=True)
    return Outcome(done.returncode, done.stdout, _ADDRESS.sub("", done.stderr))


def by_kctl(*words: str) -> Outcome:
    streams = Streams(io.StringIO(), io.StringIO(), io.StringIO())
    code = run(["kustomize", *words], Session(streams))
    return Outcome(code, streams.out.getvalue(), streams.err.getvalue())


def test_there_are_enough_cases() -> None:
    assert len(CASES) >= 100


@pytest.mark.kubectl
@pytest.mark.parametrize("title", CASES)
def test_the_same_as_kubectl(title: str, tmp_path: Path) -> None:
    folder = str(laid_out(CASES[title], tmp_path / "app"))
    expected, actual = by_kubectl(folder), by_kctl(folder)
    assert actual.out == expected.out
    assert actual == expected
