"""Errors that help: what was probably meant, behind kubectl's own words, and only on a terminal."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

import pytest

from kctl.cli.hints.close import close, distance
from tests.kctl.cli.console import Console, console

_OBJECTS = """
apiVersion: v1
kind: Namespace
metadata: {name: shop}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: default}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: prices, namespace: shop}
---
apiVersion: v1
kind: Secret
metadata: {name: web-7d9f}
"""
_MISSPELT = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicsa: 2
  selector: {matchLabels: {a: b}}
  template: {metadata: {labels: {a: b}}, spec: {containers: [{name: x, image: i}]}}
"""
_MISPLACED = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  selector: {matchLabels: {a: b}}
  containers: [{name: x, image: i}]
  template: {metadata: {labels: {a: b}}, spec: {containers: [{name: x, image: i}]}}
"""


@pytest.fixture(scope="module")
def prompt(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    with console(tmp_path_factory.mktemp("home")) as made:
        assert made.kctl("apply", "-f", "-", stdin=_OBJECTS).code == 0
        yield made


@pytest.mark.parametrize(
    ("line", "stdin", "hint"),
    [
        ("get pod5", "", 'Did you mean "pods"?'),
        ("get deploymnet", "", 'Did you mean "deployments"?'),
        ("get deployments.batch", "", 'Did you mean "deployments.apps"?'),
        ("explain depolyment", "", 'Did you mean "deployments"?'),
        ("explain pods.spec.contianers.image", "", 'Did you mean "pods.spec.containers"?'),
        ("get configmap setings", "", 'Did you mean "settings"?'),
        ("get secret/web", "", 'Did you mean "web-7d9f"?'),
        ("delete configmap prices", "", 'There is configmap "prices" in namespace shop: use -n shop'),
        ("get pods --context=tset", "", 'Did you mean "test"?'),
        ("config use-context tst", "", 'Did you mean "test"?'),
        ("get pods --cluster=tets", "", 'Did you mean "test"?'),
        ("get pods --show-lables", "", 'Did you mean "--show-labels"?'),
        ("get pods --namepsace=x", "", 'Did you mean "--namespace"?'),
        ("rollout statsu", "", 'Did you mean "status"?'),
        ("apply -f -", _MISSPELT, 'Did you mean "spec.replicas"?'),
        ("create -f -", _MISPLACED, 'Did you mean "spec.template.spec.containers"?'),
        ("apply -f -", "{apiVersion: v1, kind: Deployment, metadata: {name: x}}", "Deployment is in version apps/v1 here."),
        ("apply -f -", "{apiVersion: apps/v1, kind: Deplyoment, metadata: {name: x}}", "Did you mean Deployment, apiVersion: apps/v1?"),
        ("get xylophones", "", ""),
        ("get configmap completely-different", "", ""),
        ("get pods --frobnicate", "", ""),
    ],
)
def test_what_was_meant(prompt: Console, line: str, stdin: str, hint: str) -> None:
    words = shlex.split(line)
    piped, shown = prompt.kctl(*words, stdin=stdin), prompt.kctl(*words, stdin=stdin, terminal=True)
    assert piped.code == shown.code == 1
    assert shown.err == piped.err + (f"{hint}\n" if hint else "")
    assert "Did you mean" not in piped.err and shown.out == piped.out


def test_a_server_that_does_not_answer_leaves_the_error_as_it_is(prompt: Console) -> None:
    line = ("get", "pods", "--server=http://127.0.0.1:1")
    assert prompt.kctl(*line, terminal=True).err == prompt.kctl(*line).err


@pytest.mark.parametrize(
    ("typed", "known", "found"),
    [
        ("pod5", ["pods", "nodes", "pod"], ["pod", "pods"]),
        ("contianers", ["containers", "initContainers"], ["containers"]),
        ("web", ["web-1", "web-2", "other"], ["web-1", "web-2"]),
        ("web-1", ["web-2", "web-11", "web-12"], ["web-11", "web-12", "web-2"]),
        ("get", ["set", "edit"], ["set"]),
        ("zzz", ["pods"], []),
        ("", ["pods"], []),
        ("a", ["apples"], []),
        ("x" * 300, ["x" * 299], []),
    ],
)
def test_closeness(typed: str, known: list[str], found: list[str]) -> None:
    assert close(typed, known) == found


def test_distance() -> None:
    assert [distance("ab", other, 2) for other in ("ab", "ba", "a", "abcd", "abcde")] == [0, 1, 1, 2, 3]
