"""Finding the local cluster costs a command next to nothing, and what it finds is the cluster that was meant."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from kctl.daemon.config import ClusterConfig
from kctl.daemon.lock import ClusterLock
from kctl.daemon.paths import ClusterPaths

_CODE = """
import sys, io
from kctl.cli.main import run
from kctl.cli.session import Session, Streams
session = Session(Streams(io.StringIO(), io.StringIO(), io.StringIO()))
code = run({words!r}, session)
print(session.streams.err.getvalue().strip())
print(code, *sorted(set({modules!r}) & set(sys.modules)))
"""
_HEAVY = [
    "asyncio",
    "yaml",
    "aiohttp",
    "tabulate",
    "cryptography",
    "store",
    "kctl.kube_apiserver",
    "kctl.daemon.embedded",
    "kctl.daemon.pki",
]
_KUBECONFIG = """\
apiVersion: v1
kind: Config
clusters:
- name: kctl-dev
  cluster:
    certificate-authority-data: eA==
    extensions:
    - extension:
        cluster: "dev"
      name: kctl.dev/cluster
    server: http://127.0.0.1:1
contexts:
- name: kctl-dev
  context:
    cluster: kctl-dev
    user: kctl-dev
current-context: kctl-dev
users:
- name: kctl-dev
  user:
    token: abc
"""


@pytest.fixture
def running(tmp_path: Path) -> Iterator[ClusterPaths]:
    """A cluster that says it is served at a port where nobody listens."""
    paths = ClusterPaths.of("dev", {"XDG_DATA_HOME": str(tmp_path)})
    ClusterConfig("dev").save(paths.settings)
    paths.pki.mkdir()
    (paths.pki / "ca.crt").write_bytes(b"x")
    paths.kubeconfig.write_text(_KUBECONFIG)
    with ClusterLock(paths.process_id) as lock:
        lock.publish("http://127.0.0.1:2", "")
        yield paths


@pytest.mark.parametrize("exported", [False, True], ids=["current cluster", "exported kubeconfig"])
def test_a_command_on_a_running_cluster_imports_nothing_heavy_and_asks_the_cluster_where_it_is(
    running: ClusterPaths, exported: bool
) -> None:
    environment = {
        **os.environ,
        "XDG_DATA_HOME": str(running.directory.parent.parent),
        "KUBECONFIG": str(running.kubeconfig) if exported else "",
    }
    code = _CODE.format(words=["get", "pods"], modules=_HEAVY)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, env=environment)
    said, last = done.stdout.splitlines()[-2:]
    assert said == "The connection to the server 127.0.0.1:2 was refused - did you specify the right host or port?", done.stderr
    assert last == "1"
