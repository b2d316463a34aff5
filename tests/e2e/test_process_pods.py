"""Pods that are processes, with a whole cluster and the real kubectl: exec, cp, port-forward, a daemon that is killed, an end without
leftovers."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from controllers.kubelet.process_runtime import process_tree, reaping
from tests.e2e.clusters import folder_of, start
from tests.e2e.differential import kubectl_binary
from tests.e2e.live import eventually, kctl, stop_all

pytestmark = [pytest.mark.process, pytest.mark.kubectl]
POD = """
apiVersion: v1
kind: Pod
metadata: {name: web}
spec:
  terminationGracePeriodSeconds: 5
  containers:
  - name: c
    image: python:3.12
    command: [sh, -c, 'echo page > /srv/index.html; cd /srv; exec python3 -m http.server 18081']
    readinessProbe: {httpGet: {path: /index.html, port: 18081}, periodSeconds: 1}
"""


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path
    runs = reaping.runs_below(folder_of(tmp_path, "test") / "processes")
    stop_all(tmp_path)
    reaping.stop_all(runs, 0.0)


def kubectl(home: Path, *words: str, stdin: str = "") -> str:
    command = [kubectl_binary(), "--kubeconfig", str(folder_of(home, "test") / "kubeconfig"), *words]
    environment = {"PATH": os.environ["PATH"], "HOME": str(home)}
    done = subprocess.run(command, env=environment, input=stdin, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def shims(home: Path) -> list[int]:
    found = []
    for run in reaping.runs_below(folder_of(home, "test") / "processes"):
        state = reaping.as_found(run / "state.json")
        if state and process_tree.is_alive(state["shim"], state["shim_started"]):
            found.append(int(state["shim"]))
    return found


def daemon(home: Path) -> int:
    return int(json.loads((folder_of(home, "test") / "run.pid").read_text())["pid"])


def test_a_pod_from_the_first_start_to_the_last(home: Path) -> None:
    started = start(home, "test", "--port", "0", "--runtime", "process")
    assert started.returncode == 0, started.stderr
    assert kubectl(home, "get", "runtimeclasses", "-o", "name").split() == [
        "runtimeclass.node.k8s.io/process",
        "runtimeclass.node.k8s.io/simulated",
    ]
    kubectl(home, "apply", "-f", "-", stdin=POD)
    kubectl(home, "wait", "--for=condition=Ready", "pod/web", "--timeout=60s")
    assert kubectl(home, "exec", "web", "--", "cat", "/srv/index.html") == "page\n"
    assert kubectl(home, "exec", "-i", "web", "--", "cat", stdin="typed") == "typed"
    (home / "sent").write_text("by kubectl cp\n")
    kubectl(home, "cp", str(home / "sent"), "web:/srv/received")
    assert kubectl(home, "exec", "web", "--", "cat", "/srv/received") == "by kubectl cp\n"
    check_port_forward(home)

    os.kill(daemon(home), signal.SIGKILL)
    [shim] = shims(home)
    assert start(home, "test").returncode == 0
    assert shims(home) == [shim]
    assert kubectl(home, "exec", "web", "--", "cat", "/srv/index.html") == "page\n"
    kubectl(home, "wait", "--for=condition=Ready", "pod/web", "--timeout=60s")
    assert kubectl(home, "get", "pod", "web", "-o", "jsonpath={.status.containerStatuses[0].restartCount}") == "0"

    assert kctl(home, "cluster", "stop", "test").returncode == 0
    assert not shims(home)
    assert start(home, "test").returncode == 0
    eventually(lambda: bool(shims(home)), "the container is started again")
    kubectl(home, "delete", "pod", "web")
    eventually(lambda: not shims(home) and not os.listdir(folder_of(home, "test") / "processes" / "pods"), "nothing of the pod is left")


def check_port_forward(home: Path) -> None:
    command = [kubectl_binary(), "--kubeconfig", str(folder_of(home, "test") / "kubeconfig"), "port-forward", "web", ":18081"]
    forwarding = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={"PATH": os.environ["PATH"], "HOME": str(home)})
    try:
        assert forwarding.stdout is not None
        found = re.search(r"127\.0\.0\.1:(\d+)", forwarding.stdout.readline())
        assert found is not None
        with urllib.request.urlopen(f"http://127.0.0.1:{found.group(1)}/index.html", timeout=30) as answer:
            assert answer.read() == b"page\n"
    finally:
        forwarding.kill()
        forwarding.communicate()


def test_a_cluster_whose_daemon_was_killed_is_deleted_with_its_processes(home: Path) -> None:
    assert start(home, "test", "--port", "0").returncode == 0
    pod = POD.replace("spec:\n", "spec:\n  runtimeClassName: process\n", 1)
    kubectl(home, "apply", "-f", "-", stdin=pod)
    kubectl(home, "wait", "--for=condition=Ready", "pod/web", "--timeout=60s")
    os.kill(daemon(home), signal.SIGKILL)
    [shim] = shims(home)
    eventually(lambda: kctl(home, "cluster", "delete", "test").returncode == 0, "it can be deleted")
    found = process_tree.process(shim)
    assert found is None or found.state == "Z"
    assert not folder_of(home, "test").exists()


@pytest.mark.parametrize(
    ("entry", "words"),
    [("nginx", "want NAME=PATH"), ("Nginx=/", "must be lowercase"), ("nginx=/no/such", "there is no folder or tarball /no/such")],
)
def test_wrong_image_maps_are_refused(home: Path, entry: str, words: str) -> None:
    refused = start(home, "test", "--image", entry)
    assert refused.returncode == 1 and f"error: invalid --image {entry!r}: " in refused.stderr and words in refused.stderr
