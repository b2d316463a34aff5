"""A `kctl run-cluster` process of its own under measurement, reached over HTTPS with nothing but the standard library."""

from __future__ import annotations

import base64
import http.client
import json
import os
import shutil
import signal
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

import yaml

START_SECONDS = 300.0
_TICKS = os.sysconf("SC_CLK_TCK")


class Daemon:
    """Started on enter, stopped and forgotten on exit. `started` is the moment just before the process was made."""

    def __init__(self, nodes: int = 3, *options: str, program: str = "kctl") -> None:
        self._options = ["--nodes", str(nodes), "--port", "0", *options]
        self._program = program
        self.home = Path(tempfile.mkdtemp(prefix="kctl-bench-"))
        self.nodes = nodes
        self.started = 0.0
        self._has_account = False

    def __enter__(self) -> Daemon:
        self.environment = {
            **os.environ,
            "XDG_DATA_HOME": str(self.home),
            "HOME": str(self.home),
            "BENCH_CENSUS": str(self.home / "census.json"),
        }
        for unwanted in ("KUBECONFIG", "PYTHONDONTWRITEBYTECODE"):  # a start that compiles is not what users see
            self.environment.pop(unwanted, None)
        self.started = time.perf_counter()
        command = [sys.executable, "-m", self._program, "run-cluster", *self._options]
        checkout = os.environ.get("BENCH_CHECKOUT")  # measure the code of another checkout, for comparisons
        self.process = subprocess.Popen(command, cwd=checkout, env=self.environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        self.kubeconfig = self.home / "kctl" / "kctl" / "kubeconfig"
        deadline = time.monotonic() + START_SECONDS
        while not self.kubeconfig.is_file():
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.process.kill()  # or its end of the pipe would stay open, and be read for ever
                raise RuntimeError(f"the cluster did not start: {self.process.communicate()[1]!r}")
            time.sleep(0.001)
        self._connect()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(30)
        shutil.rmtree(self.home, ignore_errors=True)

    def _connect(self) -> None:
        config = yaml.safe_load(self.kubeconfig.read_text())
        cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
        self.server = cluster["server"]
        self.context = ssl.create_default_context(cadata=base64.b64decode(cluster["certificate-authority-data"]).decode())
        with tempfile.NamedTemporaryFile() as pem:
            pem.write(base64.b64decode(user["client-certificate-data"]) + base64.b64decode(user["client-key-data"]))
            pem.flush()
            self.context.load_cert_chain(pem.name)
        self.connection = self.connect()

    @property
    def address(self) -> tuple[str, int]:
        host, port = self.server.removeprefix("https://").rsplit(":", 1)
        return host, int(port)

    def connect(self) -> http.client.HTTPSConnection:
        return http.client.HTTPSConnection(*self.address, context=self.context, timeout=300)

    def token(self) -> str:
        """A token of a service account that may get, list, watch and create what the scenes do, as clients in a cluster send it."""
        self._account()
        wanted = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": 36000}}
        answer = self.request("POST", "/api/v1/namespaces/default/serviceaccounts/bench/token", wanted)
        return str(answer["status"]["token"])

    def _account(self) -> None:
        if self._has_account:
            return
        self._has_account = True
        self.request("POST", "/api/v1/namespaces/default/serviceaccounts", {"metadata": {"name": "bench"}})
        rbac = "/apis/rbac.authorization.k8s.io/v1"
        resources = ["namespaces", "configmaps", "events", "pods"]
        rule = {"apiGroups": [""], "resources": resources, "verbs": ["get", "list", "watch", "create"]}
        self.request("POST", f"{rbac}/clusterroles", {"metadata": {"name": "bench"}, "rules": [rule]})
        binding = {
            "metadata": {"name": "bench"},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "bench"},
            "subjects": [{"kind": "ServiceAccount", "name": "bench", "namespace": "default"}],
        }
        self.request("POST", f"{rbac}/clusterrolebindings", binding)

    def request(self, method: str, path: str, body: Any = None, content_type: str = "application/json") -> Any:
        data = None if body is None else json.dumps(body)
        self.connection.request(method, path, data, {"Content-Type": content_type})
        response = self.connection.getresponse()
        text = response.read()
        if response.status >= 400:
            raise RuntimeError(f"{method} {path}: {response.status} {text.decode()[:300]}")
        return json.loads(text) if text[:1] in (b"{", b"[") else text

    def watch(self, path: str) -> Iterator[dict[str, Any]]:
        """Events from the present state on, over a connection of its own."""
        connection = self.connect()
        connection.request("GET", f"{path}{'&' if '?' in path else '?'}watch=true")
        response = connection.getresponse()
        while line := response.readline():
            yield json.loads(line)

    def cpu_seconds(self) -> float:
        """User and system time of the daemon so far."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS

    def memory_mb(self) -> float:
        """Resident memory now, in MB (10^6 bytes)."""
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024 / 1e6
        raise RuntimeError("no VmRSS")
