"""What the official tests of sig-cli stand on: a program (kctl, or the real kubectl) in a namespace of its own, on a running cluster."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.e2e.differential import Outcome
from tests.e2e.live import LivePair, eventually

PROGRAMS = ("kctl", "kubectl")


class CommandLine:
    """Called with the words of a command."""

    def __init__(self, live: LivePair, program: str, namespace: str) -> None:
        self.live = live
        self.program = program
        self.namespace = namespace

    def __call__(self, *words: str, stdin: str = "") -> Outcome:
        run = self.live.kctl if self.program == "kctl" else self.live.kubectl
        outcome: Outcome = run("-n", self.namespace, *words, stdin=stdin)
        return outcome

    def must(self, *words: str, stdin: str = "") -> str:
        """What it prints; it must succeed."""
        done = self(*words, stdin=stdin)
        assert done.code == 0, (words, done)
        return done.out

    def create(self, obj: dict[str, Any]) -> None:
        self.must("create", "-f", "-", stdin=json.dumps(obj))

    def running(self, labels: str, count: int) -> list[str]:
        """The names of so many pods, once all of them run and are ready."""
        seen: list[str] = []

        def all_run() -> bool:
            pods = json.loads(self.must("get", "pods", "-l", labels, "-o", "json"))["items"]
            seen[:] = [pod["metadata"]["name"] for pod in pods]
            return len(pods) == count and all(_ready(pod) for pod in pods)

        eventually(all_run, f"{count} pods of {labels} run")
        return seen

    def says(self, words: tuple[str, ...], *lines: tuple[str, ...]) -> None:
        """Of each of `lines`, a line of what is printed has all the words in this order."""
        text = self.must(*words)
        for wanted in lines:
            assert re.search(".*".join(map(re.escape, wanted)), text), (wanted, text)


def _ready(pod: dict[str, Any]) -> bool:
    conditions = {each["type"]: each["status"] for each in pod["status"].get("conditions", ())}
    return pod["status"].get("phase") == "Running" and conditions.get("Ready") == "True"


@contextmanager
def command_line(live: LivePair, request: pytest.FixtureRequest) -> Iterator[CommandLine]:
    """For one test, with its namespace, which goes after it."""
    test = re.sub(r"[^a-z0-9]+", "-", request.node.name.removeprefix("test_").lower()).strip("-")
    test = test.removesuffix(f"-{request.param}") + ("-a" if request.param == "kctl" else "-b")  # a program's name is translated
    made = CommandLine(live, request.param, test[-60:].strip("-"))
    created = live.kctl("create", "namespace", made.namespace)
    assert created.code == 0, created
    account = ("get", "sa", "default", "-n", made.namespace)
    eventually(lambda: live.kctl(*account).code == 0, "there is a service account")
    yield made
    live.kctl("delete", "namespace", made.namespace, "--wait=false")
