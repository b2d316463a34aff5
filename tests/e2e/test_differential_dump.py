"""cluster-info dump: the same documents in the same files as kubectl's."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.e2e.differential import Pair, pair

__all__ = ["pair"]
pytestmark = pytest.mark.kubectl
NGINX = "manifests/examples/nginx.yaml"


@pytest.fixture(scope="module", autouse=True)
def something(pair: Pair) -> None:
    assert pair.kctl("apply", "-f", NGINX).code == 0


@pytest.mark.parametrize(
    "words", [[], ["-A"], ["--namespaces=default,kube-public"], ["--pod-running-timeout=0"]], ids=["current", "all", "some", "refused"]
)
def test_the_same_stream(pair: Pair, words: list[str]) -> None:
    pair.agree("cluster-info", "dump", "-o", "yaml", *words)


def test_the_same_files(pair: Pair, tmp_path: Path) -> None:
    """JSON is compared as data: kubectl prints fields in the order of Go's types, kctl in the server's."""
    for program in (pair.kubectl, pair.kctl):
        folder = tmp_path / program.__name__
        outcome = program("cluster-info", "dump", f"--output-directory={folder}")
        assert (outcome.code, outcome.out) == (0, f"Cluster info dumped to {folder}\n")
    theirs, ours = ({path.relative_to(root): path.read_text() for path in root.rglob("*.*")} for root in sorted(tmp_path.iterdir())[::-1])
    assert sorted(ours) == sorted(theirs)
    assert {name: json.loads(text) for name, text in ours.items()} == {name: json.loads(text) for name, text in theirs.items()}
