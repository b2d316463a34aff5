"""kctl history, undo and get --at against an API server in this process, whose clock is moved by hand."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from kctl.cli.errors import CommandError
from kctl.cli.past import moments
from tests.kctl.cli.console import Console, console

NOW = datetime(2026, 11, 28, 12, 0, tzinfo=UTC)


@pytest.fixture(scope="module")
def prompt(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    """One server for all: each test has an object of its own."""
    with console(tmp_path_factory.mktemp("past")) as made:
        yield made


def said(prompt: Console, *words: str) -> str:
    code, out, err = prompt.kctl(*words)
    assert (code, err) == (0, ""), err
    return out


def refused(prompt: Console, *words: str) -> str:
    code, out, err = prompt.kctl(*words)
    assert (code, out) == (1, "")
    return err


def three_writes(prompt: Console, name: str) -> str:
    """The name as history tells it."""
    said(prompt, "create", "configmap", name, "--from-literal=mode=slow")
    prompt.later(60)
    said(prompt, "patch", "configmap", name, "--type=merge", "-p", '{"data":{"mode":"fast","more":"1"}}')
    prompt.later(60)
    said(prompt, "label", "configmap", name, "a=b")
    return f"configmap/{name}"


def test_every_revision_tells_who_what_and_when(prompt: Console) -> None:
    name = three_writes(prompt, "told")
    rows = [line.split() for line in said(prompt, "history", name, "-o", "short").splitlines()[1:]]
    assert [row[1:] for row in rows] == [
        ["2m", "kubectl-create", "created"],
        ["60s", "kubectl-patch", "data.mode,", "data.more"],
        ["0s", "kubectl-label", "metadata.labels"],
    ]
    text = said(prompt, "history", "configmap", "told")
    assert '~ data.mode: "slow" -> "fast"' in text and '+ data.more: "1"' in text
    names = said(prompt, "history", name, "-o", "name").split()
    first = names[0].partition("@")[2]
    assert names[0].startswith("configmap/told@")
    text = said(prompt, "history", name, "--revision", first, "-o", "yaml")
    assert "mode: slow" in text and "managedFields" not in text
    assert said(prompt, "history", name, "--limit", "1", "-o", "name").split() == names[-1:]


def test_a_deleted_object_has_a_history_and_comes_back(prompt: Console) -> None:
    name = three_writes(prompt, "deleted")
    said(prompt, "delete", name)
    assert said(prompt, "history", name, "-o", "short").splitlines()[-1].endswith("deleted")
    assert "restored as of revision" in said(prompt, "undo", name)
    assert said(prompt, "get", name, "-o", "jsonpath={.data.mode} {.metadata.labels.a}") == "fast b"


def test_undo_takes_back_the_last_change_or_goes_where_it_is_sent(prompt: Console) -> None:
    name = three_writes(prompt, "undone")
    labels = ("get", name, "-o", "jsonpath={.metadata.labels.a}")
    said(prompt, "undo", name, "--dry-run=server")
    assert said(prompt, *labels) == "b"
    assert said(prompt, "undo", name).startswith("configmap/undone put back to revision ")
    assert said(prompt, *labels) == ""
    first = said(prompt, "history", name, "-o", "name").split()[0].partition("@")[2]
    said(prompt, "undo", name, "--to-revision", first)
    assert said(prompt, "get", name, "-o", "jsonpath={.data}") == '{"mode":"slow"}'
    missing = "error: unable to find the specified revision 999999 of configmap/undone\n"
    assert refused(prompt, "undo", name, "--to-revision", "999999") == missing


def test_what_never_was_has_no_history(prompt: Console) -> None:
    for command in ("history", "undo"):
        unknown = "error: no revision of configmap/nope is known: it does not exist, and was not deleted lately\n"
        assert refused(prompt, command, "configmap/nope") == unknown


def test_get_shows_the_cluster_as_it_was(prompt: Console) -> None:
    name = three_writes(prompt, "past")
    said(prompt, "delete", name)
    mode = ("get", name, "-o", "jsonpath={.data.mode}", "--at")
    assert said(prompt, *mode, "90s ago") == "slow"
    assert said(prompt, *mode, "30s") == "fast"
    assert "past" in said(prompt, "get", "configmaps", "--at", "30s ago")
    assert "past" not in said(prompt, "get", "configmaps", "-o", "name")
    text = said(prompt, "get", "configmaps,namespaces", "-A", "--at", "90s ago")
    assert "configmap/past" in text and "namespace/default" in text
    revision = said(prompt, "history", name, "-o", "name").split()[0].partition("@")[2]
    assert said(prompt, *mode, revision) == "slow"
    missing = f'Error from server (NotFound): configmaps "past" not found at {int(revision) - 1}\n'
    assert refused(prompt, *mode, str(int(revision) - 1)) == missing


def test_what_has_no_past_is_refused(prompt: Console) -> None:
    for words in (("pods", "--watch"), ("--raw=/api",), ("pods", "--subresource=status")):
        message = "error: --at may not be specified with --raw, --watch, --watch-only or --subresource\n"
        assert refused(prompt, "get", "--at", "1", *words) == message
    assert "Too large resource version" in refused(prompt, "get", "configmaps", "--at", "100000000")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("4711", 4711),
        ("10m ago", NOW - timedelta(minutes=10)),
        ("1h30m", NOW - timedelta(minutes=90)),
        ("2d ago", NOW - timedelta(days=2)),
        ("2026-11-28T07:00:00Z", datetime(2026, 11, 28, 7, tzinfo=UTC)),
        ("07:30", datetime(2026, 11, 28, 7, 30, tzinfo=UTC)),
        ("13:00:05", datetime(2026, 11, 27, 13, 0, 5, tzinfo=UTC)),
    ],
)
def test_moments(text: str, expected: int | datetime) -> None:
    assert moments.parse(text, NOW) == expected


@pytest.mark.parametrize("text", ["", "foo", "-1", "10 minutes", "25:00", "9" * 400 + "h", "10m 5s ago", "2026-13-01T00:00:00Z"])
def test_moments_that_are_none(text: str) -> None:
    with pytest.raises(CommandError, match="for --at"):
        moments.parse(text, NOW)
