"""sig-cli: what kubectl says of the server, proxies to it and reads of its logs; with kctl and with the real kubectl."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from tests.conformance.command_line import PROGRAMS, CommandLine, command_line
from tests.conformance.running import AGNHOST
from tests.e2e.differential import ROOT
from tests.e2e.live import eventually, live

__all__ = ["live"]
pytestmark = [pytest.mark.kubectl, pytest.mark.process]


@pytest.fixture(params=PROGRAMS)
def cli(live: Any, request: pytest.FixtureRequest) -> Iterator[CommandLine]:
    with command_line(live, request) as made:
        yield made


def test_v1_is_an_api_version(cli: CommandLine) -> None:
    """[sig-cli] Kubectl client Kubectl api-versions should check if v1 is in available api versions [Conformance]"""
    assert "v1" in cli.must("api-versions").splitlines()


def test_the_control_plane_runs(cli: CommandLine) -> None:
    """[sig-cli] Kubectl client Kubectl cluster-info should check if Kubernetes control plane services is included in cluster-info
    [Conformance]"""
    assert re.search("Kubernetes control plane.* is running at .*https://", cli.must("cluster-info"))


def test_both_versions_are_told(cli: CommandLine) -> None:
    """[sig-cli] Kubectl client Kubectl version should check is all data is printed [Conformance]"""
    assert all(title in cli.must("version") for title in ("Client Version: ", "Server Version: "))
    told = json.loads(cli.must("version", "-o", "json"))
    for which in ("clientVersion", "serverVersion"):
        assert all(told[which][field] for field in ("major", "minor", "gitVersion", "buildDate", "platform")), told
        assert "gitCommit" in told[which]


@contextmanager
def proxy(cli: CommandLine, *words: str) -> Iterator[str]:
    """A proxy of the program as a process; where it serves."""
    pair = cli.live
    command = [sys.executable, "-m", "kctl"] if cli.program == "kctl" else [pair.binary]
    environment = {**os.environ, "HOME": str(pair.home), "KUBECONFIG": str(pair.kubeconfig), "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen([*command, "proxy", *words], env=environment, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line.startswith("Starting to serve on "), line
        yield line.removeprefix("Starting to serve on ").strip()
    finally:
        process.terminate()
        process.wait(10)
        process.stdout.close()  # type: ignore[union-attr]


def versions(connection: socket.socket) -> list[str]:
    """Of the API, asked over a connection to a proxy."""
    with connection:
        connection.sendall(b"GET /api HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        answer = b""
        while part := connection.recv(65536):
            answer += part
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 "), answer
    text = body.decode()
    found: list[str] = json.loads(text[text.index("{") : text.rindex("}") + 1])["versions"]
    return found


def test_a_proxy_takes_a_free_port(cli: CommandLine) -> None:
    """[sig-cli] Kubectl client Proxy server should support proxy with --port 0 [Conformance]"""
    with proxy(cli, "-p", "0", "--disable-filter") as address:
        host, _, port = address.rpartition(":")
        assert versions(socket.create_connection((host, int(port)))) == ["v1"]


def test_a_proxy_takes_a_socket(cli: CommandLine, tmp_path: Path) -> None:
    """[sig-cli] Kubectl client Proxy server should support --unix-socket=/path [Conformance]"""
    path = tmp_path / "test"
    with proxy(cli, f"--unix-socket={path}") as address:
        assert address == str(path)
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(str(path))
        assert versions(connection) == ["v1"]


def test_logs_are_filtered(cli: CommandLine) -> None:
    """[sig-cli] Kubectl logs logs should be able to retrieve and filter logs [Conformance]"""
    name = "logs-generator"
    command = ("logs-generator", "--log-lines-total", "100", "--run-duration", "20s")
    cli.must("run", name, f"--image={AGNHOST}", "--restart=Never", "--pod-running-timeout=2m0s", "--", *command)
    eventually(lambda: len(cli("logs", name, name).out.splitlines()) > 1, "there are lines")
    assert all("/api/v1/namespaces/" in line for line in cli.must("logs", name, name).splitlines())
    (last,) = cli.must("logs", name, name, "--tail=1").splitlines()
    assert last
    assert len(cli.must("logs", name, name, "--limit-bytes=1")) == 1
    (stamped,) = cli.must("logs", name, name, "--tail=1", "--timestamps").splitlines()
    stamp = re.fullmatch(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d{1,9})?(Z|[+-]\d\d:\d\d)", stamped.split(" ")[0])
    assert stamp, stamped
    datetime.fromisoformat(stamp.group(1))

    def fewer_are_recent() -> bool:
        recent, older = (len(cli.must("logs", name, name, f"--since={span}").splitlines()) for span in ("1s", "24h"))
        return recent < older

    eventually(fewer_are_recent, "fewer lines are of the last second than of the last day")
