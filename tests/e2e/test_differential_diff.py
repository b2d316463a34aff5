"""kctl diff and the real kubectl's: the same differences, texts and exit codes."""

from __future__ import annotations

import re
import shlex

import pytest

from tests.e2e.differential import Outcome, Pair, difference, pair

__all__ = ["pair"]
pytestmark = pytest.mark.kubectl

NGINX = "manifests/examples/nginx.yaml"
CHANGED = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: nginx, labels: {app: nginx}}
spec:
  replicas: 7
  selector: {matchLabels: {app: nginx}}
  template:
    metadata: {labels: {app: nginx}}
    spec: {containers: [{name: nginx, image: "nginx:9"}, {name: side, image: car}]}
---
apiVersion: v1
kind: Namespace
metadata: {name: new}
"""
SECRETS = """
apiVersion: v1
kind: Secret
metadata: {name: sec}
data: {a: Yg==, c: ZA==, d: ZmZm}
---
apiVersion: v1
kind: Secret
metadata: {name: other}
data: {a: Yg==}
"""
INVALID = """
apiVersion: v1
kind: Pod
metadata: {name: BAD}
spec: {containers: []}
"""
IMMUTABLE = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: nginx}
spec:
  selector: {matchLabels: {app: other}}
  template: {metadata: {labels: {app: other}}, spec: {containers: [{name: nginx, image: nginx}]}}
"""
_VARYING = re.compile(
    r"(?:/\S*)?/(LIVE|MERGED)-\w+|(?<=\t)\d{4}-\d\d-\d\d [\d:.]+ [+-]\d{4}|uid: [\w-]{36}|creationTimestamp: \"[^\"]*\"|10\.\d+\.\d+\.\d+"
)

LINES = [
    (f"diff -f {NGINX}", ""),
    ("diff -f -", CHANGED),
    ("diff -f - --server-side --force-conflicts", CHANGED),
    ("diff -f - -l a=b", CHANGED),
    ("diff -f -", SECRETS),
    ("diff -f - --show-secrets", SECRETS),
    ("diff -f -", INVALID),
    ("diff -f -", CHANGED + "---" + INVALID),
    ("diff -f -", IMMUTABLE),
    ("diff", ""),
    ("diff -f nosuch.yaml", ""),
    ("diff -f - x", CHANGED),
    ("diff -f - --force-conflicts", CHANGED),
    ("diff -f - --concurrency=4", CHANGED),
    ("diff -f -", "a: b"),
    ("diff -f -", ""),
]


@pytest.fixture(scope="module")
def objects(pair: Pair) -> None:
    for line in ("create sa default", f"apply -f {NGINX}", "create secret generic sec --from-literal=a=b --from-literal=d=e"):
        done = pair.kubectl(*shlex.split(line))
        assert done.code == 0, done.err


def _plain(outcome: Outcome) -> Outcome:
    return outcome._replace(out=_VARYING.sub(r"\1", outcome.out), err=_VARYING.sub(r"\1", outcome.err))


@pytest.mark.parametrize(("line", "stdin"), LINES)
def test_line(pair: Pair, objects: None, line: str, stdin: str) -> None:
    words = shlex.split(line)
    expected, actual = _plain(pair.kubectl(*words, stdin=stdin)), _plain(pair.kctl(*words, stdin=stdin))
    assert expected == actual, difference(words, expected, actual)


@pytest.mark.parametrize("program", ["diff -U1 -N", "echo x ; y", "nosuch x", "diff --nosuch", "false"])
def test_another_program(pair: Pair, objects: None, program: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBECTL_EXTERNAL_DIFF", program)
    expected, actual = (_plain(run("diff", "-f", "-", stdin=CHANGED)) for run in (pair.kubectl, pair.kctl))
    assert expected == actual, difference([program], expected, actual)
