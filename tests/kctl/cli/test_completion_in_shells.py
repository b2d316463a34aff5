"""Completion where it happens: in bash, zsh and fish themselves, with the objects of a server. A shell that is not installed is skipped."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kctl.cli.console import ROOT, Console, console

_OBJECTS = """
apiVersion: v1
kind: ServiceAccount
metadata: {name: default}
---
apiVersion: v1
kind: Namespace
metadata: {name: shop}
---
apiVersion: v1
kind: Pod
metadata: {name: web-1}
spec: {initContainers: [{name: first, image: i}], containers: [{name: nginx, image: i}, {name: side, image: i}]}
---
apiVersion: v1
kind: Pod
metadata: {name: web-2}
spec: {containers: [{name: c, image: i}]}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
---
apiVersion: v1
kind: Node
metadata: {name: node-1}
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: widgets.acme.io}
spec:
  group: acme.io
  scope: Namespaced
  names: {plural: widgets, singular: widget, kind: Widget, shortNames: [wd]}
  versions: [{name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object}}}]
"""
# words is what the shell has split; the last is the one at the cursor
_BASH = """
source {script}
COMP_WORDS=(kctl {words}); COMP_CWORD={index}
compopt() {{ :; }}
__kctl_complete
printf '%s\\n' "${{COMPREPLY[@]}}"
"""
_ZSH = """
compdef() {{ :; }}
compadd() {{ shift; print -l -- "$@"; }}
_files() {{ print files; }}
source {script}
words=(kctl {words}); CURRENT={index}
(( CURRENT++ ))
_kctl
"""
_FISH = """
source {script}
complete -C {line}
"""


@pytest.fixture(scope="module")
def prompt(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    with console(tmp_path_factory.mktemp("home")) as made:
        assert made.kctl("apply", "-f", "-", stdin=_OBJECTS).code == 0
        yield made


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("get widg", ["widgets"]),
        ("get pods ", ["web-1", "web-2"]),
        ("get pods web-1 ", ["web-2"]),
        ("describe pod/web-", ["pod/web-1", "pod/web-2"]),
        ("get -n sh", ["shop"]),
        ("get pods --namespace=sh", ["--namespace=shop"]),
        ("exec web-1 -c ", ["first", "nginx", "side"]),
        ("logs web-1 s", ["side"]),
        ("logs pod/web-2", ["pod/web-2"]),
        ("attach web-2", ["web-2"]),
        ("port-forward web-", ["web-1", "web-2"]),
        ("cp web-1", ["web-1:"]),
        ("top pod web-2", ["web-2"]),
        ("drain ", ["node-1"]),
        ("cordon no", ["node-1"]),
        ("--context t", ["test"]),
        ("get --cluster=te", ["--cluster=test"]),
        ("get --user ", ["test"]),
        ("config use-context ", ["test"]),
        ("config delete-cluster t", ["test"]),
        ("config delete-user t", ["test"]),
        ("rollout restart dep", ["deployments"]),
        ("scale stat", ["statefulsets"]),
        ("wait --for=con", ["--for=condition="]),
        ("apply --validate=s", ["--validate=strict"]),
        ("create service clusterip x --dry-run=c", ["--dry-run=client"]),
        ("patch pod web-1 --type=m", ["--type=merge"]),
        ("expose pod web-1 --type L", ["LoadBalancer"]),
        ("api-resources -o ", ["name", "wide"]),
        ("version -o ", ["json", "yaml"]),
        ("explain -o plaintext-", ["plaintext-openapiv2"]),
        ("auth can-i li", ["list"]),
        ("auth can-i list widg", ["widgets"]),
        ("apply view-last-applied configmap ", ["kube-root-ca.crt", "settings"]),
        ("cluster snap", ["snapshot"]),
        ("cluster replay x --to", ["--to-revision"]),
        ("run-cluster --node-m", ["--node-memory"]),
        ("apply ", ["edit-last-applied", "set-last-applied", "view-last-applied"]),
        ("describe nothing ", []),
    ],
)
def test_what_may_come_next(prompt: Console, line: str, expected: list[str]) -> None:
    *_, found = _complete(prompt, line)
    assert [one for one in found if one != "kube-root-ca.crt" or one in expected] == [
        one for one in expected if one != "kube-root-ca.crt" or one in found
    ]


def _complete(prompt: Console, line: str) -> tuple[int, list[str]]:
    outcome = prompt.kctl("__complete", *line.split(" "))
    return outcome.code, outcome.out.splitlines()


def _run(shell: str, text: str, prompt: Console, tmp_path: Path) -> list[str]:
    """What the shell offers for a line."""
    binary = shutil.which(shell)
    if binary is None:
        pytest.skip(f"{shell} is not installed")
    script = tmp_path / "completion"
    script.write_text(prompt.kctl("completion", shell).out)
    program = tmp_path / "kctl"
    program.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m kctl "$@"\n')
    program.chmod(0o755)
    words = text.split(" ")
    source = {"bash": _BASH, "zsh": _ZSH, "fish": _FISH}[shell].format(
        script=script, words=" ".join(map(shlex.quote, words)), index=len(words), line=shlex.quote(f"kctl {text}")
    )
    environment = {
        "PATH": f"{tmp_path}:{os.environ['PATH']}",
        "HOME": str(prompt.home),
        "KUBECONFIG": str(prompt.kubeconfig),
        "PYTHONPATH": str(ROOT),
    }
    plain = {"bash": ["--norc", "--noprofile"], "zsh": ["-f"], "fish": ["--no-config"]}[shell]
    done = subprocess.run([binary, *plain, "-c", source], capture_output=True, text=True, timeout=60, env=environment, cwd=ROOT)
    assert done.returncode in (0, 1) and not done.stderr, done.stderr
    return [line.partition("\t")[0] for line in done.stdout.splitlines() if line]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
@pytest.mark.parametrize(
    ("line", "expected"),
    [("rollo", ["rollout"]), ("get pods web-", ["web-1", "web-2"]), ("delete --cascade=o", ["--cascade=orphan"])],
    ids=["a command", "names", "a value"],
)
def test_in_the_shell(shell: str, line: str, expected: list[str], prompt: Console, tmp_path: Path) -> None:
    assert _run(shell, line, prompt, tmp_path) == expected
