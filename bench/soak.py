"""Half an hour of churn as kubectl users cause it: create, roll over, list, watch, delete, each command over connections of its own.
What the daemon holds must stay what it was: its memory, its file, its Python objects.

Each user begins at most a turn every TURN_SECONDS and deletes his namespaces after five. So figures that are a whole number of such rounds
apart are taken at the same load and the same population; else a figure says when in a round it was taken, and a busy machine that comes
free fills caches late that a steady load fills in the first minutes.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import Any

from bench.daemon import Daemon
from bench.measures import Figures, deployment_of

MINUTES = 30.0
TURN_SECONDS = 30.0
"""A turn takes a second or two. Five minutes are two rounds of five turns."""
FIGURES = 6
"""So many times in the whole."""
_DEPLOYMENTS = "/apis/apps/v1/namespaces/{}/deployments"
_TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"


class Churn:
    """One user in a namespace of his own; `turns` counts what he has done."""

    def __init__(self, daemon: Daemon, name: str, pods: int) -> None:
        self._daemon = daemon
        self._name = name
        self._pods = pods
        self.turns = 0

    def _ask(self, method: str, path: str, body: Any = None, content_type: str = "application/json", accept: str = "") -> Any:
        """Over a new connection, as a command does."""
        connection = self._daemon.connect()
        try:
            headers = {"Content-Type": content_type, "Accept": accept or "application/json", "Accept-Encoding": "identity"}
            connection.request(method, path, None if body is None else json.dumps(body), headers)
            answer = connection.getresponse()
            text = answer.read()
            if answer.status >= 400 and answer.status not in (404, 409):
                raise RuntimeError(f"{method} {path}: {answer.status} {text[:300]!r}")
            return json.loads(text)
        finally:
            connection.close()

    def _until(self, path: str, check: Any) -> None:
        """A watch until `check` holds of an event's object, then the connection is dropped."""
        connection = self._daemon.connect()
        try:
            connection.request("GET", f"{path}&watch=true&allowWatchBookmarks=true&timeoutSeconds=60")
            answer = connection.getresponse()
            while line := answer.readline():
                if check(json.loads(line)["object"]):
                    return
        finally:
            connection.close()

    def turn(self) -> None:
        space = f"{self._name}-{self.turns % 5}"
        base = _DEPLOYMENTS.format(space)
        one = f"{base}?fieldSelector=metadata.name%3Dbench"
        self._ask("POST", "/api/v1/namespaces", {"metadata": {"name": space}})
        self._ask("POST", base, {**deployment_of(self._pods)})
        self._until(one, self._available)
        image = {"spec": {"template": {"metadata": {"annotations": {"turn": str(self.turns)}}}}}
        self._ask("PATCH", f"{base}/bench", image, "application/strategic-merge-patch+json")
        self._until(one, self._available)
        for path in ("/api/v1/pods", "/api/v1/events?limit=500", "/api/v1/nodes", "/apis/apps/v1/replicasets"):
            self._ask("GET", path, accept=_TABLE)
        self._ask("GET", "/api/v1/pods")
        for index in range(20):
            self._ask("POST", f"/api/v1/namespaces/{space}/configmaps", {"metadata": {"name": f"c{index}"}, "data": {"a": "b" * 1000}})
        self._ask("DELETE", f"{base}/bench", {"propagationPolicy": "Background"})
        self._ask("DELETE", f"/api/v1/namespaces/{space}/configmaps")
        if self.turns % 5 == 4:
            for number in range(5):
                self._ask("DELETE", f"/api/v1/namespaces/{self._name}-{number}")
            for number in range(5):
                while self._ask("GET", f"/api/v1/namespaces/{self._name}-{number}")["kind"] == "Namespace":
                    time.sleep(0.2)
        self.turns += 1

    def _available(self, deployment: dict[str, Any]) -> bool:
        status = deployment.get("status", {})
        seen = status.get("observedGeneration") == deployment["metadata"].get("generation")
        return bool(seen and status.get("updatedReplicas") == self._pods == status.get("availableReplicas"))


@contextmanager
def _users(daemon: Daemon, number: int, pods: int) -> Iterator[list[Churn]]:
    stop, users, failures = threading.Event(), [Churn(daemon, f"user{index}", pods) for index in range(number)], list[BaseException]()

    def work(user: Churn, first: float) -> None:
        due = first
        while not stop.wait(max(due - time.monotonic(), 0)):
            due = max(due + TURN_SECONDS, time.monotonic())  # what a busy machine has missed is not made up for in haste
            try:
                user.turn()
            except (OSError, ValueError, RuntimeError) as error:
                failures.append(error)
                print(f"  {error!r}", file=sys.stderr)
                time.sleep(1)

    now = time.monotonic()
    threads = [threading.Thread(target=work, args=(user, now + index * TURN_SECONDS / number)) for index, user in enumerate(users)]
    for thread in threads:
        thread.start()
    try:
        yield users
    finally:
        stop.set()
        for thread in threads:
            thread.join()
        if len(failures) > sum(user.turns for user in users) / 100:
            raise RuntimeError(f"{len(failures)} turns failed: {failures[0]!r}")


def soak(minutes: float = MINUTES, users: int = 3, pods: int = 30) -> Figures:
    """Figures at each sixth of the time. The turns per figure tell whether the load was the same."""
    with Daemon(20, program="bench.census") as daemon:
        census = daemon.home / "census.json"
        figures: Figures = {"minutes": minutes}
        memory: list[float] = []
        with _users(daemon, users, pods) as busy:
            for number in range(1, FIGURES + 1):
                time.sleep(minutes * 60 / FIGURES)
                found = {"turns": sum(user.turns for user in busy), **_figures(daemon)}
                memory.append(found["memory_mb"])
                figures |= {f"{number}_{name}": value for name, value in found.items()}
                print(f"  figure {number}:", ", ".join(f"{name} {value:.1f}" for name, value in found.items()), file=sys.stderr, flush=True)
                for name, alive in _alive(daemon, census):
                    print(f"      {alive:8} {name}", file=sys.stderr, flush=True)
        figures["growth_since_second_percent"] = 100 * (max(memory[1:]) / memory[1] - 1)
        return figures


def _figures(daemon: Daemon) -> Figures:
    data = daemon.kubeconfig.parent
    size = sum(file.stat().st_size for file in data.glob("state.db*"))
    daemon.connection.close()  # it has been idle for longer than the server waits
    metrics = daemon.request("GET", "/metrics").decode()
    stored = sum(int(line.rsplit(" ", 1)[1]) for line in metrics.splitlines() if line.startswith("apiserver_storage_objects{"))
    logs = sum(file.stat().st_size for file in (data / "logs").iterdir())
    return {"memory_mb": daemon.memory_mb(), "database_mb": size / 1e6, "stored_objects": stored, "log_mb": logs / 1e6}


def _alive(daemon: Daemon, census: Path) -> list[tuple[str, int]]:
    """Our own types and the thirty most frequent of others."""
    with suppress(FileNotFoundError):
        census.unlink()
    os.kill(daemon.process.pid, signal.SIGUSR2)
    for _ in count():
        if census.is_file():
            break
        time.sleep(0.05)
    counts: dict[str, int] = json.loads(census.read_text())
    ours = {name: number for name, number in counts.items() if name.startswith(("kctl.", "store.", "controllers.")) and number > 50}
    others = sorted(counts.items(), key=lambda entry: -entry[1])[:30]
    return sorted((ours | dict(others)).items(), key=lambda entry: -entry[1])
