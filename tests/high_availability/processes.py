"""A cluster of processes: etcds, API servers, controller managers, schedulers, and the kubelets. Each can be killed and comes back."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.contract.etcd_server import Member, free_ports
from tests.crash.daemon_process import ROOT

NAME = "ha"
COMPONENTS = "*,-kube-scheduler,-kube-controller-manager,-kubelet"


class Process:
    """`ready` stands in its log once it does its work; a leader's log has `acts`."""

    def __init__(self, folder: Path, name: str, words: Sequence[str], ready: str) -> None:
        self.name = name
        self._folder, self._words, self._ready = folder, words, ready
        self._starts = 0
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> Path:
        return self._folder / f"{self.name}-{self._starts}.log"

    def start(self) -> None:
        self._starts += 1
        environment = {**os.environ, "HOME": str(self._folder), "XDG_DATA_HOME": str(self._folder), "PYTHONPATH": str(ROOT)}
        environment.pop("KUBECONFIG", None)
        command = [sys.executable, "-m", "kctl", *self._words]
        with self.log.open("wb") as file:
            self._process = subprocess.Popen(command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, stdout=file, stderr=file)

    @property
    def is_ready(self) -> bool:
        return self.alive and self._ready in self.log.read_text(errors="replace")

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def kill(self, number: signal.Signals = signal.SIGKILL) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(number)
            self._process.wait()


class Processes:
    """`url` is where clients and components find the API: a balancer's."""

    def __init__(self, folder: Path, members: Sequence[Member], nodes: int, url: str) -> None:
        self.folder = folder
        self.members = members
        self.directory = folder / "kctl" / NAME
        address = "etcd://" + ",".join(member.address for member in members)
        self.ports = free_ports(2)
        settings = (f"--nodes={nodes}", f"--port={self.ports[0]}", f"--store={address}", "--store-shared", f"--components={COMPONENTS}")
        self.api_servers = [
            Process(folder, "apiserver-0", ("run-cluster", f"--name={NAME}", *settings), "is ready"),
            Process(folder, "apiserver-1", ("apiserver", f"--cluster-name={NAME}", f"--secure-port={self.ports[1]}"), "Serving"),
        ]
        self.controller_managers = self._pair("controller-manager", url, "--use-service-account-credentials")
        self.schedulers = self._pair("scheduler", url)
        self.kubelets = Process(folder, "kubelet", ("kubelet", f"--cluster-name={NAME}", f"--server={url}"), " act")

    def _pair(self, command: str, url: str, *more: str) -> list[Process]:
        kubeconfig = self.directory / f"kube-{command}.kubeconfig"
        words = (command, f"--kubeconfig={kubeconfig}", f"--server={url}", *more)
        return [Process(self.folder, f"{command}-{number}", words, " acts\n") for number in range(2)]

    @property
    def kubeconfig(self) -> Path:
        return self.directory / "kubeconfig"

    def everything(self) -> list[Process]:
        return [*self.controller_managers, *self.schedulers, self.kubelets, *self.api_servers]

    def why(self) -> str:
        """The ends of the logs, for who has to look into it."""
        return json.dumps(
            {process.name: process.log.read_text(errors="replace")[-600:] for process in self.everything() if process.alive}, indent=1
        )
