"""Commands on a real pseudo-terminal of 80 columns and in a pipe: the same text but for colour, tables that are drawn over themselves, and
lines of progress that leave nothing behind."""

from __future__ import annotations

import io
import os
import shlex
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from kctl.apimachinery.resources import PODS
from kctl.cli.builder import Selection
from kctl.cli.get import Get
from kctl.cli.live_table import LiveTable
from kctl.cli.main import COMMANDS, run
from kctl.cli.session import Session, Streams
from kctl.cli.status_colours import colour_of, painted_rows
from kctl.cli.terminal import Progress, Steps, bar
from kctl.client.transport import WatchEvent
from tests.kctl.cli.console import Console, console
from tests.kctl.cli.screen import COLOUR, Screen, Terminal

NOW = datetime(2026, 1, 1, tzinfo=UTC)
_OBJECTS = """
apiVersion: v1
kind: ServiceAccount
metadata: {name: default}
---
apiVersion: v1
kind: Pod
metadata: {name: web, labels: {app: web}}
spec: {containers: [{name: c, image: "nginx:1.27"}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template: {metadata: {labels: {app: web}}, spec: {containers: [{name: c, image: "nginx:1.27"}]}}
---
apiVersion: v1
kind: Node
metadata: {name: node-1}
"""
_LINES = """
get pods
get pods -o wide
get pods,deployments,nodes -A
get pods --why
get all --no-headers
get pod web -o yaml
get nothing
get pods nope
describe pod web
describe deployment web
tree deployment/web
api-resources
explain pods.spec
events
config view
config get-contexts
cluster-info
version
auth can-i --list
rollout history deployment/web
rollout status deployment/web --watch=false
scale deployment web --replicas=2
label pod web app=web --overwrite
annotate pod web --list
set image deployment/web c=nginx:1.27
taint nodes node-1 a=b:NoSchedule --overwrite
uncordon node-1
apply view-last-applied pod/web
create configmap x --dry-run=client -o yaml
wait --for=jsonpath={.metadata.name}=web pod/web
top pods
options
plugin list
""".strip().splitlines()


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[Terminal]:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    made = Terminal()
    yield made
    made.close()


@pytest.fixture(scope="module")
def prompt(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    with console(tmp_path_factory.mktemp("home")) as made:
        assert made.kctl("apply", "-f", "-", stdin=_OBJECTS).code == 0
        yield made


def on(prompt: Console, terminal: Terminal, *words: str) -> tuple[int, str]:
    with prompt._environment():
        os.environ["TERM"] = "xterm"
        code = run(list(words), Session(Streams(terminal.stream, terminal.stream, io.StringIO()), now=prompt.clock.now))
    return code, terminal.taken()


@pytest.mark.parametrize("line", _LINES)
def test_the_same_text_but_for_colour(prompt: Console, terminal: Terminal, line: str) -> None:
    words = shlex.split(line)
    code, out, err = prompt.kctl(*words)
    shown_code, shown = on(prompt, terminal, *words)
    assert shown_code == code and "\x1b" not in out + err
    hints = ("Did you mean", "There is ")
    plain = [text for text in COLOUR.sub("", shown).splitlines() if not text.startswith(hints)]
    expected = (out + err).replace("http://server", prompt.server).replace("/home", str(prompt.home)).splitlines()
    after = Screen(10_000).show(shown).lines  # progress that was shown is gone again
    assert sorted(expected) == sorted(text for text in after if text and not text.startswith(hints)) or plain == expected


def test_the_help_of_every_command_is_the_same(prompt: Console, terminal: Terminal) -> None:
    for name in COMMANDS:
        if not name.startswith("__") and COMMANDS[name].module not in ("kctl.cli.run_cluster", "kctl.cli.cluster", "kctl.cli.store"):
            assert on(prompt, terminal, name, "--help")[1] == prompt.kctl(name, "--help").out


def test_colour_tells_how_things_are(prompt: Console, terminal: Terminal) -> None:
    _, shown = on(prompt, terminal, "get", "pods,nodes")
    assert "\x1b[0;33mPending\x1b[0m" in shown and "\x1b[0;33m0/1\x1b[0m" in shown


@pytest.mark.parametrize(
    ("column", "cell", "colour"),
    [
        ("STATUS", "Running", "green"),
        ("STATUS", "Ready", "green"),
        ("STATUS", "Ready,SchedulingDisabled", "yellow"),
        ("STATUS", "NotReady", "red"),
        ("STATUS", "NotReady,SchedulingDisabled", "red"),
        ("STATUS", "CrashLoopBackOff", "red"),
        ("STATUS", "Init:0/2", "yellow"),
        ("STATUS", "Init:CrashLoopBackOff", "red"),
        ("STATUS", "Init:ErrImagePull", "red"),
        ("STATUS", "ContainerCreating", "yellow"),
        ("STATUS", "Completed", "green"),
        ("STATUS", "Error", "red"),
        ("STATUS", "SomethingElse", None),
        ("READY", "1/2", "yellow"),
        ("READY", "2/2", "green"),
        ("NAME", "Running", None),
        ("TYPE", "Warning", "yellow"),
        ("TYPE", "ClusterIP", None),
        ("WHY", "<none>", None),
        ("WHY", "container c: CrashLoopBackOff", "red"),
    ],
)
def test_what_a_cell_means(column: str, cell: str, colour: str | None) -> None:
    assert colour_of(column, cell) == colour
    assert colour_of("READY", "0/1", over=True) is None


def test_painted_rows_are_as_wide_as_plain_ones() -> None:
    header, rows = ["NAME", "STATUS", "AGE"], [["a", "Running", "5s"], ["a-long-name", "Failed", "7m"]]
    lines = painted_rows(header, rows, [14, 10])
    assert [COLOUR.sub("", line) for line in lines] == [
        "NAME          STATUS    AGE",
        "a             Running   5s",
        "a-long-name   Failed    7m",
    ]
    assert "\x1b[0;32mRunning\x1b[0m   5s" in lines[1] and "\x1b[0;31mFailed\x1b[0m" in lines[2]
    assert [COLOUR.sub("", line) for line in painted_rows(header, rows, [14, 10], 16)][1:] == ["a             Ru", "a-long-name   Fa"]


def table(name: str, status: str, seconds: int, *, columns: bool = True) -> dict[str, Any]:
    created = (NOW - timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")
    meta = {"name": name, "namespace": "default", "creationTimestamp": created}
    head = [{"name": "Name", "type": "string", "format": "name"}, {"name": "Status", "type": "string"}, {"name": "Age", "type": "string"}]
    row = {"cells": [name, status, "?"], "object": {"metadata": meta}}
    return {"kind": "Table", "columnDefinitions": head if columns else [], "rows": [row]}


@pytest.fixture
def live(terminal: Terminal) -> Iterator[tuple[LiveTable, Callable[[float], None]]]:
    moment = [NOW]
    session = Session(Streams(terminal.stream, terminal.stream, io.StringIO()), now=lambda: moment[0])

    def later(seconds: float) -> None:
        moment[0] += timedelta(seconds=seconds)

    session.kubeconfig  # noqa: B018 - none
    get = Get(session, ("pods",), watch=True)
    assert get.drawn and get.query() == {}
    yield LiveTable(get, Selection(PODS, "default")), later


def test_a_table_is_drawn_over_itself(live: tuple[LiveTable, Callable[[float], None]], terminal: Terminal) -> None:
    drawn, later = live
    screen = Screen()
    drawn.tell(WatchEvent("ADDED", table("web-1", "Pending", 5)))
    drawn.tell(WatchEvent("ADDED", table("web-2", "Running", 65, columns=False)))
    drawn.draw()
    assert screen.show(terminal.taken()).lines == [
        "NAME    STATUS    AGE",
        "web-1   Pending   5s",
        "web-2   Running   65s",
        "",
    ]
    later(60)
    drawn.tell(WatchEvent("MODIFIED", table("web-1", "CrashLoopBackOff", 5)))
    drawn.draw()
    text = terminal.taken()
    assert "\x1b[0;31mCrashLoopBackOff\x1b[0m" in text
    assert screen.show(text).lines == [
        "NAME    STATUS             AGE",
        "web-1   CrashLoopBackOff   65s",
        "web-2   Running            2m5s",
        "",
    ]
    drawn.tell(WatchEvent("DELETED", table("web-1", "x", 5)))
    drawn.draw()
    assert screen.show(terminal.taken()).lines == ["NAME    STATUS    AGE", "web-2   Running   2m5s", ""]


def test_no_more_is_drawn_than_the_terminal_has_room_for(live: tuple[LiveTable, Callable[[float], None]], terminal: Terminal) -> None:
    drawn, _ = live
    screen = Screen()
    for number in range(100):
        drawn.tell(WatchEvent("ADDED", table(f"{number:03}-{'x' * 100}", "Running", 5)))
    for _ in range(2):
        drawn.draw()
        lines = screen.show(terminal.taken()).lines
        assert len(lines) == 24 and lines[22] == "... and 79 more" and lines[0].startswith("NAME")
        assert max(map(len, lines)) == 80 and lines[21].startswith("020-xxx")


def test_progress_stays_in_one_line_and_goes(terminal: Terminal) -> None:
    session = Session(Streams(terminal.stream, terminal.stream, io.StringIO()))
    screen = Screen()
    with Steps(session, "Waiting", 2) as steps:
        steps.at("pods/web-1")
        assert screen.show(terminal.taken()).lines == ["Waiting: [--------------------] 0/2 pods/web-1"]
        session.print("pod/web-1 condition met")
        steps.done()
        assert screen.show(terminal.taken()).lines == ["pod/web-1 condition met", "Waiting: [##########----------] 1/2 pods/web-1"]
        steps.at("pods/" + "x" * 200)
        lines = screen.show(terminal.taken()).lines
        assert len(lines) == 2 and len(lines[1]) == 79
    assert screen.show(terminal.taken()).lines == ["pod/web-1 condition met", ""]
    assert session.progress is None


def test_nothing_is_shown_where_there_is_no_terminal(monkeypatch: pytest.MonkeyPatch, terminal: Terminal) -> None:
    out = io.StringIO()
    with Steps(Session(Streams(out, out, out)), "Waiting", 2) as steps:
        steps.at("x")
        steps.done()
    assert out.getvalue() == ""
    monkeypatch.setenv("TERM", "dumb")
    with Progress(terminal.stream, "Stopping") as progress:
        progress.show("x")
    assert terminal.taken() == ""


@pytest.mark.parametrize(("done", "total", "shown"), [(0, 0, ""), (0, 3, "[" + "-" * 20 + "] 0/3"), (5, 3, "[" + "#" * 20 + "] 5/3")])
def test_bars(done: int, total: int, shown: str) -> None:
    assert bar(done, total) == shown
