"""Shell completion: what may come next, and the scripts that ask for it."""

from __future__ import annotations

import io
import shutil
import subprocess

import pytest

from kctl.cli.completion_candidates import candidates
from kctl.cli.main import run
from kctl.cli.session import Session, Streams


def _session() -> Session:
    return Session(Streams(io.StringIO(), io.StringIO(), io.StringIO()))


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("rol", {"rollout"}),
        ("rollout st", {"status"}),
        ("get deploym", {"deployments"}),
        ("get pods -o js", {"json", "jsonpath=", "jsonpath-as-json=", "jsonpath-file="}),
        ("get pods --show-l", {"--show-labels"}),
        ("-n default get nod", {"nodes"}),
        ("completion z", {"zsh"}),
        ("create secr", {"secret"}),
        ("create secret doc", {"docker-registry"}),
        ("delete --cascade=o", {"--cascade=orphan"}),
        ("config use-c", {"use-context"}),
        ("nonsense x", set()),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_what_may_come_next(line: str, expected: set[str]) -> None:
    assert set(await candidates(_session(), line.split(" "))) == expected


async def test_a_new_word_offers_every_command_but_hidden_ones() -> None:
    found = await candidates(_session(), [""])
    assert {"get", "apply", "run-cluster"} <= set(found) and "__complete" not in found


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_is_valid_for_its_shell(shell: str) -> None:
    session = _session()
    assert run(["completion", shell], session) == 0
    assert isinstance(session.streams.out, io.StringIO)
    script = session.streams.out.getvalue()
    assert "kctl __complete" in script
    binary = shutil.which(shell)
    if binary is None:
        pytest.skip(f"{shell} is not installed")
    if subprocess.run([binary, "-n"], input="", capture_output=True, text=True, timeout=30).returncode:
        pytest.skip(f"{shell} does not even read an empty script here")
    checked = subprocess.run([binary, "-n"], input=script, capture_output=True, text=True, timeout=30)
    assert checked.returncode == 0, checked.stderr


def test_other_shells_are_refused_by_name() -> None:
    session = _session()
    assert run(["completion", "tcsh"], session) == 1
    assert isinstance(session.streams.err, io.StringIO)
    assert 'Unsupported shell type "tcsh"' in session.streams.err.getvalue()
