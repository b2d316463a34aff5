"""exec, attach and port-forward of the real kubectl, over WebSocket and over SPDY, and of the official Python client."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import pytest

from tests.e2e.differential import kubectl_binary
from tests.e2e.live import LivePair, live

__all__ = ["live"]
pytestmark = [pytest.mark.process, pytest.mark.kubectl]
OVER: dict[str, dict[str, str]] = {
    "websocket": {},
    "spdy": {"KUBECTL_REMOTE_COMMAND_WEBSOCKETS": "false", "KUBECTL_PORT_FORWARD_WEBSOCKETS": "false"},
}


class Kubectl:
    def __init__(self, kubeconfig: Path, over: dict[str, str]) -> None:
        self.command = [kubectl_binary(), "--kubeconfig", str(kubeconfig)]
        self.environment = {"PATH": os.environ["PATH"], "HOME": str(kubeconfig.parent), **over}

    def __call__(self, *words: str, stdin: str = "") -> tuple[int, str, str]:
        done = subprocess.run([*self.command, *words], env=self.environment, input=stdin, capture_output=True, text=True, timeout=60)
        return done.returncode, done.stdout, done.stderr


@pytest.fixture(scope="module")
def pod(live: LivePair) -> Iterator[str]:
    assert live.kubectl("run", "web", "--image=nginx:1.27", "--port=80").code == 0
    assert live.kubectl("wait", "--for=condition=Ready", "pod/web", "--timeout=60s").code == 0
    yield "web"


@pytest.fixture(params=OVER, ids=OVER)
def kubectl(live: LivePair, request: pytest.FixtureRequest) -> Kubectl:
    return Kubectl(live.kubeconfig, OVER[request.param])


def test_output_and_exit_code(kubectl: Kubectl, pod: str) -> None:
    assert kubectl("exec", pod, "--", "echo", "hello") == (0, "hello\n", "")
    assert kubectl("exec", pod, "--", "sh", "-c", "echo a; exit 3") == (3, "a\n", "command terminated with exit code 3\n")


def test_refusals(kubectl: Kubectl, pod: str) -> None:
    code, _, error = kubectl("exec", pod, "--", "no-such-program")
    assert code == 1 and "error executing command in container" in error and '"no-such-program"' in error
    assert kubectl("exec", "nope", "--", "true")[2] == 'Error from server (NotFound): pods "nope" not found\n'


@contextlib.contextmanager
def forwarded(kubectl: Kubectl, pod: str, port: int) -> Iterator[tuple[socket.socket, IO[str]]]:
    """(a connection, what kubectl complains of)"""
    command = [*kubectl.command, "port-forward", pod, f":{port}"]
    process = subprocess.Popen(command, env=kubectl.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None and process.stderr is not None
        local = int(process.stdout.readline().split(":")[1].split()[0])
        with socket.create_connection(("127.0.0.1", local), timeout=30) as client:
            yield client, process.stderr
    finally:
        process.kill()
        process.communicate()


def test_a_port_that_is_served(kubectl: Kubectl, pod: str) -> None:
    with forwarded(kubectl, pod, 80) as (client, _):
        client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        got = b"".join(iter(lambda: client.recv(65536), b""))
    assert got.startswith(b"HTTP/1.1 200 OK\r\n") and b"Welcome to nginx!" in got


def test_a_port_nothing_listens_on(kubectl: Kubectl, pod: str) -> None:
    with forwarded(kubectl, pod, 81) as (client, complaints):
        assert client.recv(100) == b""
        assert "an error occurred forwarding 81 -> 81" in complaints.readline()


def test_the_python_client(live: LivePair, pod: str) -> None:
    kubernetes = pytest.importorskip("kubernetes")
    from kubernetes.stream import stream

    client: Any = kubernetes.config.new_client_from_config(str(live.kubeconfig))
    core = kubernetes.client.CoreV1Api(client)
    said = stream(core.connect_get_namespaced_pod_exec, pod, "default", command=["echo", "hello"], stdout=True, stderr=True)
    assert said == "hello\n"
    running = stream(
        core.connect_get_namespaced_pod_exec, pod, "default", command=["sh", "-c", "exit 5"], stdout=True, _preload_content=False
    )
    running.run_forever(timeout=30)
    assert running.returncode == 5
    client.close()
