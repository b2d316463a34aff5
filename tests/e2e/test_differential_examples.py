"""The examples in the help of every command of the real kubectl, given to kctl and to kubectl, each with an API server of its own.

They run in the order of the help, so that what one creates the next ones find. Editors change nothing. Left out are what never ends
(proxies, watches, waiting for what nobody does here), texts that are our own (completion scripts, the list of options), and what a
shell would make of a line.
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
_ENDLESS = re.compile(
    r"^(proxy|completion|options)\b|^run .*(-i|--attach)\b|(-w|--watch|--watch-only)$|--for=create\b|^rollout status deployment/nginx"
)
_OF_A_SHELL = re.compile(r"[|<>]|\$\(|&$")
_CHANGES = (
    (re.compile(r"https://127\.0\.0\.1:\d+"), "https://server"),
    (re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"), "TIME"),
    (re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"), "UID"),
    (re.compile(r"\beyJ[\w.-]+"), "TOKEN"),
    (re.compile(r"\b\d+[smh](\d+s)?\b"), "AGE"),
    (re.compile(r"(resourceVersion\"?: )\"\d+\""), r"\1VERSION"),
    (re.compile(r"\b10\.96\.\d+\.\d+\b"), "CLUSTER-IP"),
    (re.compile(r":3\d{4}/"), ":NODE-PORT/"),
    (re.compile(r" {3,}"), "   "),  # columns are as wide as what is in them
)
DIFFERENT = {
    "cluster-info dump": "kubectl prints what its types know, in their order; kctl what the server sent",
    "kustomize https://": "bases at URLs are refused by name: kctl fetches nothing from the network",
}
"""Accepted differences: the beginning of a line, and its reason."""
REMAINDER = 0.03
"""Of the lines, how many may differ at most."""


def examples(path: list[str]) -> Iterator[str]:
    """Without the program's name; lines that go on after a backslash as one."""
    text = subprocess.run([kubectl_binary(), *path, "--help"], capture_output=True, text=True, timeout=60).stdout
    found = _EXAMPLES.search(text)
    for line in re.sub(r"\\\n\s*", "", found.group(1)).splitlines() if found else ():
        if line.startswith("  kubectl ") and not _OF_A_SHELL.search(line.replace("<none>", "")):
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


def test_every_example(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBECTL_EDITOR", "true")
    monkeypatch.setenv("KUBE_EDITOR", "true")
    homes = tmp_path / "left", tmp_path / "right"
    for home in homes:
        home.mkdir()
    with api_server(homes[0]) as left, api_server(homes[1]) as right:
        for each in (left, right):
            assert each.kctl("create", "serviceaccount", "default").code == 0
        lines = [line for line in dict.fromkeys(examples([])) if not _ENDLESS.search(line)]
        assert len(lines) > 300
        found = [text for line in lines if (text := _compared(line, left, right))]
    unexpected = [text for text in found if not text.startswith(tuple(DIFFERENT))]
    assert not unexpected, f"{len(unexpected)} of {len(lines)}\n\n" + "\n\n".join(unexpected)
    assert len(found) <= REMAINDER * len(lines)


def _compared(line: str, left: Pair, right: Pair) -> str:
    """'' where both say the same."""
    words = shlex.split(line)
    actual, expected = plain(left.kctl(*words), left.home), plain(right.kubectl(*words, variables={"KUBE_EDITOR": "true"}), right.home)
    return "" if actual == expected else difference(words, expected, actual)
