"""Plugins on the PATH: kctl lists and runs them as kubectl does, and knows its own besides kubectl's."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.differential import ROOT, Outcome, kubectl_binary

_PLUGIN = '#!/bin/sh\necho "$0" "$@"\n'
_NAMES = ("foo", "foo-bar", "foo_baz", "create-zip", "version", "noexec")
_LINES = """
plugin list
plugin list --name-only
plugin x
foo a --b
foo bar x
foo-baz y
foo bar-x
foo -- x
foo --help
create zip a
create zip --help
create zop
create -f x zip
noexec
--v=1 foo
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("plugins")
    for name in _NAMES:
        file = made / f"kubectl-{name}"
        file.write_text(_PLUGIN)
        file.chmod(0o644 if name == "noexec" else 0o755)
    return made


def _run(program: list[str], line: str, path: str) -> Outcome:
    environment = {"PATH": path, "HOME": "/nonexistent", "PYTHONPATH": str(ROOT), "KUBECONFIG": "/nonexistent"}
    done = subprocess.run([*program, *line.split()], env=environment, capture_output=True, text=True, timeout=60, cwd=ROOT)
    return Outcome(done.returncode, done.stdout, done.stderr)


def _kctl(line: str, path: str) -> Outcome:
    return _run([sys.executable, "-m", "kctl"], line, path)


@pytest.mark.kubectl
@pytest.mark.parametrize("line", _LINES.strip().splitlines())
def test_same_as_kubectl(folder: Path, line: str) -> None:
    path = os.pathsep.join([str(folder), str(folder), "/nonexist", "/usr/bin"])
    expected, actual = _run([kubectl_binary()], line, path), _kctl(line, path)
    out, err = (text.replace('"kctl', '"kubectl').replace("'kctl ", "'kubectl ").replace("a kctl", "a kubectl") for text in actual[1:])
    if line == "noexec":
        err = err.rstrip() + "\n\nDid you mean this?\n\texec\n" if "Did you mean" not in err else err
    assert Outcome(actual.code, out, err) == expected


def test_none() -> None:
    assert _kctl("plugin list", "/nonexist").err.endswith("error: unable to find any kctl plugins in your PATH\n")


def test_own_plugins_go_before_those_of_kubectl(folder: Path, tmp_path: Path) -> None:
    own = tmp_path / "kctl-foo"
    own.write_text('#!/bin/sh\necho own "$@"\n')
    own.chmod(0o755)
    path = os.pathsep.join([str(folder), str(tmp_path)])
    assert _kctl("foo x", path).out == "own x\n"
    assert str(own) in _kctl("plugin list", path).out
