"""`kctl run-cluster --speed` and `kctl cluster clock`: the time of a cluster of its own process, seen by kctl and the real kubectl."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from kctl.apimachinery.clock import RealClock
from tests.e2e.differential import kubectl_binary
from tests.e2e.live import eventually, kctl, stop_all

pytestmark = pytest.mark.process
EVERY_MINUTE = {
    "apiVersion": "batch/v1",
    "kind": "CronJob",
    "metadata": {"name": "tick", "namespace": "default"},
    "spec": {
        "schedule": "* * * * *",
        "successfulJobsHistoryLimit": 100,
        "jobTemplate": {
            "spec": {
                "template": {
                    "spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "busybox", "command": ["sleep", "5"]}]}
                }
            }
        },
    },
}


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path
    stop_all(tmp_path)


def start(home: Path, *more: str) -> subprocess.CompletedProcess[str]:
    return kctl(home, "run-cluster", "--detach", "--name", "test", "--port", "0", *more)


def clock(home: Path, *words: str) -> str:
    done = kctl(home, "cluster", "clock", *words)
    assert done.returncode == 0, (words, done.stderr)
    return done.stdout


def state(home: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(clock(home, "-o", "json"))
    return found


def time_of(home: Path) -> datetime:
    return datetime.fromisoformat(state(home)["time"])


def run(home: Path, *words: str, stdin: str = "") -> str:
    done = kctl(home, *words, stdin=stdin)
    assert done.returncode == 0, (words, done.stderr)
    return done.stdout


def kubectl(home: Path, *words: str) -> str:
    kubeconfig = home / "data" / "kctl" / "test" / "kubeconfig"
    done = subprocess.run([kubectl_binary(), "--kubeconfig", str(kubeconfig), *words], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, (words, done.stderr)
    return done.stdout


def whoami(home: Path, token: str) -> subprocess.CompletedProcess[str]:
    """With nothing but the token."""
    folder = home / "data" / "kctl" / "test"
    server = json.loads((folder / "run.pid").read_text())["server"]
    words = ("auth", "whoami", "--server", server, "--certificate-authority", str(folder / "pki" / "ca.crt"), "--token", token)
    return subprocess.run([kubectl_binary(), "--kubeconfig", "/dev/null", *words], capture_output=True, text=True, timeout=60)


def test_an_hour_is_stepped_with_all_that_falls_due_in_it(home: Path) -> None:
    assert start(home).returncode == 0
    run(home, "apply", "-f", "-", stdin=json.dumps(EVERY_MINUTE))
    clock(home, "pause")
    before = time_of(home)
    clock(home, "step", "1h")
    assert time_of(home) - before == timedelta(hours=1) and state(home)["paused"] is True
    jobs = json.loads(run(home, "get", "jobs", "-o", "json"))["items"]
    ended = [job for job in jobs if job["status"].get("succeeded")]
    assert 59 <= len(ended) <= 60 and len(jobs) <= 61
    starts = sorted(datetime.fromisoformat(job["status"]["startTime"]) for job in jobs)
    assert {after - earlier for earlier, after in pairwise(starts)} == {timedelta(minutes=1)}
    nodes = json.loads(run(home, "get", "nodes", "-o", "json"))["items"]
    ready = [condition for node in nodes for condition in node["status"]["conditions"] if condition["type"] == "Ready"]
    assert [condition["status"] for condition in ready] == ["True"] * 3
    lease = json.loads(kubectl(home, "get", "lease", "-n", "kube-node-lease", nodes[0]["metadata"]["name"], "-o", "json"))
    assert time_of(home) - datetime.fromisoformat(lease["spec"]["renewTime"]) <= timedelta(seconds=11)
    # ages are told by the cluster's time: by the server to both programs, and by kctl where it reckons itself
    for table in (run(home, "get", "cronjob", "tick"), kubectl(home, "get", "cronjob", "tick")):
        assert re.search(r" 6[01]m\n", table)
    assert re.search(r"over (5\d|60)m\) +cronjob-controller", run(home, "describe", "cronjob", "tick")) is not None
    # a token of the hour before has expired, and one of now is good although the machine's time is not there yet
    token = run(home, "create", "token", "default", "--duration", "10m").strip()
    assert "system:serviceaccount:default:default" in whoami(home, token).stdout
    clock(home, "step", "20m")
    assert "Unauthorized" in whoami(home, token).stderr


def test_time_does_not_go_back_when_the_cluster_is_started_again(home: Path) -> None:
    assert start(home, "--nodes", "1").returncode == 0
    clock(home, "step", "2h")
    run(home, "create", "configmap", "made")
    before = time_of(home)
    run(home, "cluster", "stop")
    stopped = run(home, "get", "configmap", "made", "-o", "jsonpath={.metadata.creationTimestamp}")
    assert datetime.fromisoformat(stopped) >= before - timedelta(seconds=30)
    run(home, "create", "configmap", "later")
    later = run(home, "get", "configmap", "later", "-o", "jsonpath={.metadata.creationTimestamp}")
    assert datetime.fromisoformat(later) >= before.replace(microsecond=0)
    assert "is stopped, and its time with it" in kctl(home, "cluster", "clock").stderr
    assert start(home).returncode == 0
    assert before <= time_of(home) <= before + timedelta(hours=1)
    run(home, "cluster", "stop")
    run(home, "cluster", "delete")
    assert not (home / "data" / "kctl" / "test").exists()


def test_a_cluster_lives_faster(home: Path) -> None:
    assert start(home, "--nodes", "1", "--speed", "600").returncode == 0
    assert state(home)["speed"] == 600
    machine, born = RealClock().now(), time_of(home)
    eventually(lambda: time_of(home) - born >= timedelta(hours=1), "an hour has passed")
    lived = time_of(home) - born
    catching_up = timedelta(seconds=1)  # of the machine's time: so far behind it may have been when it was asked first
    assert lived <= 600 * (RealClock().now() - machine + catching_up)
    assert "60 times as fast" in clock(home, "speed", "60")
    clock(home, "speed", "1")
    assert " Ready " in kubectl(home, "get", "nodes")
    run(home, "cluster", "stop")
    assert start(home).returncode == 0
    assert state(home)["speed"] == 600, "as it was started with"


def test_refusals(home: Path) -> None:
    for speed in ("0", "-1", "nan", "200000"):
        done = start(home, f"--speed={speed}")
        assert done.returncode == 1 and "must be between 0.001 and 100000" in done.stderr
    assert not (home / "data" / "kctl" / "test").exists()
    assert start(home, "--nodes", "1").returncode == 0
    for words, says in (
        (("step", "1d"), 'Error from server (BadRequest): step: Invalid value: "1d": time: invalid duration "1d"'),
        (("step", "9000h"), "must be greater than 0 and at most 8784h"),
        (("speed", "0"), "speed: Invalid value: 0.0: must be between 0.001 and 100000"),
        (("speed", "inf"), "invalid speed inf: it must be a number"),
    ):
        done = kctl(home, "cluster", "clock", *words)
        assert done.returncode == 1 and says in done.stderr, done.stderr
