"""`kctl run-cluster` as a process in a home of its own, to be killed and started again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from kctl.client import kubeconfig
from kctl.client.client import Client
from kctl.client.https_transport import HttpsTransport
from kctl.client.tls import context_for

ROOT = Path(__file__).resolve().parents[2]


class Daemon:
    def __init__(self, home: Path) -> None:
        self.home = home
        self.process: subprocess.Popen[str] | None = None

    @property
    def folder(self) -> Path:
        return self.home / "data" / "kctl" / "crash"

    def start(self) -> None:
        environment = {**os.environ, "HOME": str(self.home), "XDG_DATA_HOME": str(self.home / "data")}
        environment.pop("KUBECONFIG", None)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "kctl", "run-cluster", "--name", "crash", "--nodes", "3", "--port", "0"],
            cwd=ROOT,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert self.process.stdout is not None
        said = ""
        while "is ready" not in said:
            line = self.process.stdout.readline()
            assert line, f"the cluster did not start: {said}"
            said += line

    def kill(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self._ended()

    def _ended(self, seconds: float | None = None) -> None:
        assert self.process is not None and self.process.stdout is not None
        self.process.wait(seconds)
        self.process.stdout.close()

    def stop(self) -> None:
        """As Ctrl-C does; kills what does not stop."""
        if self.process is None or self.process.poll() is not None:
            return
        self.process.send_signal(signal.SIGINT)
        try:
            self._ended(120)
        except subprocess.TimeoutExpired:
            self.kill()
            raise

    def client(self) -> Client:
        config = kubeconfig.resolve(kubeconfig.load(self.folder / "kubeconfig"), kubeconfig.Overrides())
        return Client(HttpsTransport(config.server, context_for(config)))
