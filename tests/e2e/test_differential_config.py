"""kctl config and kubectl config: the same words, and the same files afterwards, byte for byte.

Each line runs on two copies of a folder with two kubeconfigs; what kubectl leaves is where the next line starts.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import shlex
import subprocess
from pathlib import Path

import pytest

from kctl.cli.main import run
from kctl.cli.session import Session, Streams
from tests.e2e.differential import Outcome, difference, kubectl_binary

pytestmark = pytest.mark.kubectl

FILES = {
    "ca.crt": "authority",
    "c.crt": "certificate",
    "k.key": "key",
    "a.yaml": """
apiVersion: v1
kind: Config
preferences: {}
clusters:
- name: one
  cluster: {server: "https://one", certificate-authority: ca.crt, proxy-url: "http://p", extensions: [{name: e, extension: {a: b}}]}
- name: two
  cluster: {server: "https://two", insecure-skip-tls-verify: true}
users:
- name: u1
  user: {token: abc, client-certificate: c.crt, client-key: k.key}
- name: u2
  user:
    username: x
    password: pw
    exec: {apiVersion: client.authentication.k8s.io/v1, command: foo, args: [a], env: [{name: A, value: b}]}
contexts:
- name: c1
  context: {cluster: one, user: u1, namespace: ns1}
- name: c2
  context: {cluster: two, user: u2}
current-context: c1
""",
    "b.yaml": """
apiVersion: v1
kind: Config
clusters:
- name: bee
  cluster: {server: "https://bee", certificate-authority-data: eHg=}
- name: two
  cluster: {server: "https://other"}
users:
- name: ub
  user: {token: abc}
contexts:
- name: cb
  context: {cluster: bee, user: ub}
""",
}

SCRIPT = r"""
view
view -o json
view --raw
view --raw -o json
view --flatten
view --flatten --raw -o json
view --minify
view --minify --context=c2
view --minify --context=nope
view -o jsonpath={.contexts[*].name}
view -o 'jsonpath={.clusters[?(@.name=="one")].cluster.server}'
view -o go-template={{.kind}}
view --template={{.kind}}
view -o kyaml
view -o wide
view -o name
view foo
view --merge=false
get-contexts
get-contexts c2
get-contexts nope c1
get-contexts nope nope2
get-contexts -o name
get-contexts -o name c2
get-contexts --no-headers
get-contexts -o json
get-users
use-context nope
use-context
use-context a b
current-context
set-context
set-context a --current
set-context a b
set-context --current --namespace=n2
set-context --current -n n3
set-context c9 --user=foo
set-context c9 --cluster=foo
set-cluster zz --server=https://q
set-cluster zz --certificate-authority=/nope --embed-certs
set-cluster zz --embed-certs
set-cluster zz --certificate-authority=ca.crt --embed-certs
set-cluster zz --certificate-authority=ca.crt
set-cluster zz --insecure-skip-tls-verify=true
set-cluster zz --insecure-skip-tls-verify=true --certificate-authority=ca.crt
set-cluster zz --tls-server-name=foo --proxy-url=http://x
set-cluster one --server=https://new/
set-cluster two --server=new
set-cluster two --server=
set-cluster
set-credentials
set-credentials u1 --token=a --username=b
set-credentials u1 --token=new
set-credentials u1 --username=b --password=c
set-credentials u1 --client-certificate=c.crt --client-key=k.key --embed-certs
set-credentials u1 --client-certificate=c.crt
set-credentials u1 --client-certificate=nope --embed-certs
set-credentials u1 --embed-certs
set-credentials u7 --exec-command=foo --exec-arg=a,b --exec-env=K=V --exec-api-version=client.authentication.k8s.io/v1
set-credentials u7 --exec-arg=c --exec-env=K=W --exec-env=A=B
set-credentials u7 --exec-env=K-
set-credentials u7 --exec-env=foo
set-credentials u7 --exec-interactive-mode=Never --exec-provide-cluster-info=true
set-credentials u8 --exec-arg=a
set-credentials u8 --auth-provider=oidc --auth-provider-arg=client-id=foo --auth-provider-arg=client-secret=bar
set-credentials u8 --auth-provider=oidc --auth-provider-arg=client-secret-
set-credentials u8 --auth-provider=
delete-context
delete-context nope
delete-context c1
delete-cluster nope
delete-cluster
delete-cluster zz
delete-user nope
delete-user
delete-user u7
rename-context
rename-context a
rename-context nope x
rename-context c2 c9
rename-context c2 c3
use-context c3
rename-context c3 c4
current-context
set
set a
set current-context foo
set clusters.one.server https://x
set clusters.new.server https://x
set foo bar
set clusters.one.insecure-skip-tls-verify xx
set clusters.two.insecure-skip-tls-verify false
set clusters.one.certificate-authority-data xx
set clusters.one.certificate-authority-data eHg=
set clusters.one.certificate-authority-data xx --set-raw-bytes
set users.u2.exec.command bar
set contexts.c4.namespace abc
unset
unset nope
unset users.nope
unset users.u2.username
unset clusters.one.extensions
unset users.u2.exec
unset contexts.c4.namespace
unset users.u1
unset current-context
current-context
unset contexts.c4
unset contexts
get-contexts
view
use-context c2
use-context c2
set-context cb --namespace=xx
set-cluster two --server=https://changed
delete-cluster two
delete-context cb
view
foo
"""


class Folder:
    def __init__(self, path: Path) -> None:
        self.path = path
        self.put(FILES)

    def put(self, files: dict[str, str]) -> None:
        for one in self.path.iterdir():
            one.unlink()
        for name, text in files.items():
            (self.path / name).write_text(text)

    def state(self) -> dict[str, str]:
        return {one.name: one.read_text() for one in self.path.iterdir()}


def _kctl(words: list[str], kubeconfig: str, monkeypatch: pytest.MonkeyPatch) -> Outcome:
    monkeypatch.setenv("KUBECONFIG", kubeconfig)
    streams, printed = Streams(io.StringIO(), io.StringIO(), io.StringIO()), io.StringIO()
    with contextlib.redirect_stdout(printed):
        code = run(["config", *words], Session(streams))
    assert isinstance(streams.out, io.StringIO) and isinstance(streams.err, io.StringIO)
    texts = (printed.getvalue() + streams.out.getvalue(), streams.err.getvalue())
    return Outcome(code, *(re.sub(r"\bkctl(?=[ \"'])", "kubectl", text) for text in texts))


def _without_help(outcome: Outcome) -> Outcome:
    """kctl's help has words of its own."""
    return outcome._replace(out="(help)") if "Usage:\n" in outcome.out else outcome


@pytest.mark.parametrize("files", [("a.yaml",), ("nope.yaml", "b.yaml", "a.yaml")], ids=["one", "several"])
def test_same_words_and_files(files: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = Folder(tmp_path)
    kubeconfig = os.pathsep.join(str(tmp_path / name) for name in files)
    environment = {**os.environ, "KUBECONFIG": kubeconfig}
    monkeypatch.chdir(tmp_path)
    differences = []
    for line in SCRIPT.strip().splitlines():
        words = shlex.split(line)
        before = folder.state()
        done = subprocess.run([kubectl_binary(), "config", *words], env=environment, capture_output=True, text=True, cwd=tmp_path)
        expected, left = _without_help(Outcome(done.returncode, done.stdout, done.stderr)), folder.state()
        folder.put(before)
        actual = _without_help(_kctl(words, kubeconfig, monkeypatch))
        if actual != expected:
            differences.append(difference(words, expected, actual))
        elif folder.state() != left:
            differences.append(f"{line}: kubectl leaves {left}, kctl {folder.state()}")
        folder.put(left)
    if differences:
        pytest.fail("\n\n".join(differences), pytrace=False)
