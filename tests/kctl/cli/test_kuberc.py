"""Preferences: what a kuberc file makes of a command line, and what `kctl kuberc` writes."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest

from kctl.cli.errors import Exit
from kctl.cli.kuberc.preferences import applied
from kctl.cli.main import Root, run
from kctl.cli.session import Session, Streams

FILE = """
apiVersion: kubectl.config.k8s.io/v1beta1
kind: Preference
aliases:
- {name: getn, command: get, prependArgs: [nodes], options: [{name: output, default: wide}]}
- {name: runx, command: run, options: [{name: image, default: nginx}], appendArgs: ["--", "sleep"]}
- {name: get, command: run}
defaults:
- {command: delete, options: [{name: interactive, default: "true"}]}
- {command: set env, options: [{name: output, default: yaml}]}
"""


@pytest.fixture(autouse=True)
def kuberc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("KUBERC", "KUBECTL_KUBERC"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    path = tmp_path / ".kube" / "kuberc"
    path.parent.mkdir()
    path.write_text(FILE)
    return path


def session() -> Session:
    return Session(Streams(io.StringIO(), io.StringIO(), io.StringIO()))


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("getn", "get nodes --output=wide"),
        ("getn -o json", "get nodes -o json"),
        ("runx web --dry-run=client", "run web --dry-run=client --image=nginx -- sleep"),
        ("get pods", "get pods"),
        ("delete pod web", "delete pod web --interactive=true"),
        ("delete pod web -i=false", "delete pod web -i=false"),
        ("-n x delete pod web", "-n x delete pod web --interactive=true"),
        ("set env deploy/web A=b", "set env deploy/web A=b --output=yaml"),
        ("set image deploy/web a=b", "set image deploy/web a=b"),
        ("frobnicate", "frobnicate"),
        ("delete --nope", "delete --nope"),
    ],
)
def test_what_is_meant(typed: str, meant: str) -> None:
    assert applied(Root, typed.split(), session()) == meant.split()


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("a: b", "no valid preferences found"),
        (FILE + "- {command: label, options: [{name: nope, default: x}]}", "invalid flag nope for command label"),
        (FILE.replace("command: run}", "command: nope}"), 'command "nope" not found to set alias "get": [nope]'),
        (FILE + "credentialPluginPolicy: DenyAll\ncredentialPluginAllowlist: [{command: x}]", 'plugin policy is "DenyAll" but allowlist'),
    ],
)
def test_what_cannot_be_used(kuberc: Path, text: str, complaint: str) -> None:
    kuberc.write_text(text)
    made = session()
    with pytest.raises(Exit):
        applied(Root, ["label", "pod", "web", "a=b"], made)
    error: Any = made.streams.err
    assert error.getvalue().startswith("error occurred while applying preferences ") and complaint in error.getvalue()


def test_a_named_file_has_to_be_there(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Exit):
        applied(Root, ["--kuberc=nofile", "version"], session())
    monkeypatch.setenv("KUBERC", "off")
    assert applied(Root, ["getn"], session()) == ["getn"]
    with pytest.raises(Exit):
        applied(Root, ["--kuberc=x", "version"], session())


@pytest.mark.parametrize(("policy", "allowed"), [("DenyAll", False), ("Allowlist", True), ("AllowAll", True)])
def test_credential_plugins(kuberc: Path, policy: str, allowed: bool) -> None:
    listed = "\ncredentialPluginAllowlist: [{command: helper}]" if policy == "Allowlist" else ""
    kuberc.write_text(FILE + f"credentialPluginPolicy: {policy}{listed}")
    made = session()
    applied(Root, ["version"], made)
    assert made.may_run_plugin("helper") is allowed
    assert made.may_run_plugin("other") is (policy == "AllowAll")


def kctl(*words: str) -> tuple[int, str, str]:
    streams = Streams(io.StringIO(), io.StringIO(), io.StringIO())
    code = run(words, Session(streams))
    return code, *(stream.getvalue() for stream in streams[:2])  # type: ignore[attr-defined, return-value]


def test_set_and_view(kuberc: Path) -> None:
    kuberc.unlink()
    assert kctl("kuberc", "set", "--section", "defaults", "--command", "get", "--option", "output=wide") == (0, f"Updated {kuberc}\n", "")
    entry = "- command: get\n  options:\n  - default: wide\n    name: output\n"
    head = "aliases: null\napiVersion: kubectl.config.k8s.io/v1beta1\n"
    assert kuberc.read_text() == f"{head}defaults:\n{entry}kind: Preference\n"
    again = kctl("kuberc", "set", "--section", "defaults", "--command", "get", "--option", "output=json")
    assert again == (1, "", 'error: defaults for command "get" already exist, use --overwrite to replace\n')
    assert kctl("kuberc", "set", "--section=aliases", "--name=pods", "--command=get", "--prependarg=pods")[0] == 0
    assert "- command: get\n  name: pods\n  prependArgs:\n  - pods\n" in kuberc.read_text()
    assert kctl("kuberc", "view", "-o", "jsonpath={.aliases[0].name}")[1] == "pods"
