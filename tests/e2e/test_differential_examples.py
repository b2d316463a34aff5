"""The examples in the help of every command of the real kubectl, given to kctl and to kubectl, each with an API server of its own.

They run in the order of the help, so that what one creates the next ones find. What waits for a user or for a cluster that does
something is left out; so is what a shell would make of a line.
"""

from __future__ import annotations

import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.differential import Outcome, Pair, api_server, difference, kubectl_binary
from tests.e2e.test_flag_sets import documented

pytestmark = pytest.mark.kubectl

_EXAMPLES = re.compile(r"^Examples:\n((?:  .*\n|\n)+)", re.MULTILINE)
_WAITS = re.compile(
    r"^(proxy|port-forward|edit|attach|completion|options|apply edit-last-applied|rollout status|drain|diff|api-resources|api-versions)\b"
    r"|\\$|^run .*(-i|--attach)\b|(-w|--watch|--watch-only|-f|--follow)$|^logs .*-f\b|^logs -f|--for=create|^create .*--edit|^wait |^plugin"
)
_OF_A_SHELL = re.compile(r"[|<>]|\$\(")
_CHANGES = (
    (re.compile(r"https://127\.0\.0\.1:\d+"), "https://server"),
    (re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"), "TIME"),
    (re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"), "UID"),
    (re.compile(r"\beyJ[\w.-]+"), "TOKEN"),
    (re.compile(r"\b\d+[smh](\d+s)?\b"), "AGE"),
    (re.compile(r"(resourceVersion\"?: )\"\d+\""), r"\1VERSION"),
)
DIFFERENT: dict[str, str] = {}
"""Accepted differences: the beginning of a line, and its reason."""


def examples(path: list[str]) -> Iterator[str]:
    text = subprocess.run([kubectl_binary(), *path, "--help"], capture_output=True, text=True, timeout=60).stdout
    found = _EXAMPLES.search(text)
    for line in found.group(1).splitlines() if found else ():
        if line.startswith("  kubectl ") and not _OF_A_SHELL.search(line):
            yield line.removeprefix("  kubectl ").strip()
    for name in documented(path)[1]:
        yield from examples([*path, name])


def plain(outcome: Outcome, folder: Path) -> Outcome:
    texts = []
    for text in (outcome.out, outcome.err):
        text = text.replace(str(folder), "HOME")
        for pattern, instead in _CHANGES:
            text = pattern.sub(instead, text)
        texts.append(text)
    return Outcome(outcome.code, *texts)


def test_every_example(tmp_path: Path) -> None:
    homes = tmp_path / "left", tmp_path / "right"
    for home in homes:
        home.mkdir()
    with api_server(homes[0]) as left, api_server(homes[1]) as right:
        for each in (left, right):
            assert each.kctl("create", "serviceaccount", "default").code == 0
        lines = [line for line in examples([]) if not _WAITS.search(line)]
        assert len(lines) > 200
        found = [text for line in lines if (text := _compared(line, left, right))]
    unexpected = [text for text in found if not text.startswith(tuple(DIFFERENT))]
    assert not unexpected, f"{len(unexpected)} of {len(lines)}\n\n" + "\n\n".join(unexpected)


def _compared(line: str, left: Pair, right: Pair) -> str:
    """'' where both say the same."""
    words = shlex.split(line)
    actual, expected = plain(left.kctl(*words), left.home), plain(right.kubectl(*words), right.home)
    return "" if actual == expected else difference(words, expected, actual)
