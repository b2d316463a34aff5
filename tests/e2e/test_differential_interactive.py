"""`delete --interactive`: kctl and kubectl ask the same and take the same for an answer."""

from __future__ import annotations

import shlex

import pytest

from tests.e2e.differential import Outcome, Pair, difference, pair

__all__ = ["pair"]
pytestmark = pytest.mark.kubectl

LINES = r"""
n         | delete cm a --interactive
          | delete cm a -i
y x       | delete cm a -i
yes       | delete cm a -i
\n\ny     | delete cm a -i
n         | delete cm a nope -i
Y         | delete cm a nope -i
 y        | delete cm/b deploy/web -i
y         | delete cm -l x=y -i
y         | delete cm c -i --dry-run=client
n         | delete cm c -i --dry-run=server -o name
y         | delete cm,deploy --all -i
y         | delete -i
y         | delete -i --raw=/api/v1/namespaces/default/configmaps/zzz
n         | delete cm c
"""


def test_the_same_questions(pair: Pair) -> None:
    outcomes: dict[str, list[Outcome]] = {}
    lines = [line.split(" | ") for line in LINES.strip("\n").splitlines()]
    for program, space in (("kubectl", "interactive-one"), ("kctl", "interactive-two")):
        pair.kctl("create", "namespace", space)
        for name in "abc":
            pair.kctl("-n", space, "create", "configmap", name)
        pair.kctl("-n", space, "create", "deployment", "web", "--image=nginx", "--replicas=0")
        outcomes[program] = []
        for answer, command in lines:
            stdin = answer.rstrip().replace(r"\n", "\n") + "\n"
            code, out, err = getattr(pair, program)("-n", space, *shlex.split(command), stdin=stdin)
            outcomes[program].append(Outcome(code, out.replace(space, "SPACE"), err.replace(space, "SPACE")))
    for (_, command), expected, actual in zip(lines, *outcomes.values(), strict=True):
        assert expected == actual, difference(shlex.split(command), expected, actual)
