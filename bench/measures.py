"""The measured scenes: cold start, idling, a Deployment of many pods, one command against 1,000 pods."""

from __future__ import annotations

import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from bench.daemon import Daemon

Figures = dict[str, float]


def cold_start(runs: int = 5) -> Figures:
    """Seconds from starting the process to /readyz answering ok and 3 nodes Ready; the median of `runs`."""
    readyz, nodes_ready = [], []
    for _ in range(runs):
        with Daemon(3) as daemon:
            assert daemon.request("GET", "/readyz") == b"ok"
            readyz.append(time.perf_counter() - daemon.started)
            while sum(map(_ready, daemon.request("GET", "/api/v1/nodes")["items"])) < 3:
                time.sleep(0.005)
            nodes_ready.append(time.perf_counter() - daemon.started)
    return {"readyz_seconds": statistics.median(readyz), "three_nodes_ready_seconds": statistics.median(nodes_ready)}


def _ready(node: dict[str, Any]) -> bool:
    conditions = node.get("status", {}).get("conditions") or ()
    return any(entry["type"] == "Ready" and entry["status"] == "True" for entry in conditions)


def idle(seconds: float = 30.0) -> Figures:
    """Memory and share of one core of a cluster of 3 nodes in which nothing happens."""
    with Daemon(3) as daemon:
        time.sleep(5)
        before, started = daemon.cpu_seconds(), time.perf_counter()
        time.sleep(seconds)
        used = daemon.cpu_seconds() - before
        return {"memory_mb": daemon.memory_mb(), "core_percent": 100 * used / (time.perf_counter() - started)}


def deployment(pods: int, nodes: int) -> Figures:
    """A Deployment of `pods` pods: seconds from its POST to all available, and from its DELETE to no pod left; the daemon's
    CPU time for each pod; memory with all pods running."""
    with Daemon(nodes) as daemon:
        while sum(map(_ready, daemon.request("GET", "/api/v1/nodes")["items"])) < nodes:
            time.sleep(0.02)
        time.sleep(1)
        base = "/apis/apps/v1/namespaces/default/deployments"
        cpu, started = daemon.cpu_seconds(), time.perf_counter()
        daemon.request("POST", base, deployment_of(pods))
        for event in daemon.watch(f"{base}?fieldSelector=metadata.name%3Dbench"):
            if event["object"].get("status", {}).get("availableReplicas", 0) >= pods:
                break
        available = time.perf_counter() - started
        to_available = daemon.cpu_seconds() - cpu
        settle(daemon)
        memory, whole = daemon.memory_mb(), daemon.cpu_seconds() - cpu
        cpu, started = daemon.cpu_seconds(), time.perf_counter()
        daemon.request("DELETE", f"{base}/bench", {"propagationPolicy": "Background", "gracePeriodSeconds": 0})
        while daemon.request("GET", "/api/v1/namespaces/default/pods?limit=1")["items"]:
            time.sleep(0.02)
        gone = time.perf_counter() - started
        return {
            "pods": pods,
            "nodes": nodes,
            "available_seconds": available,
            "gone_seconds": gone,
            "memory_mb": memory,
            "cpu_ms_per_pod_to_available": 1000 * to_available / pods,
            "cpu_ms_per_pod_with_events": 1000 * whole / pods,
            "cpu_ms_per_pod_delete": 1000 * (daemon.cpu_seconds() - cpu) / pods,
        }


def settle(daemon: Daemon) -> None:
    """Until events and late status writes are done: less than 5 % of a core over half a second."""
    for _ in range(120):
        before = daemon.cpu_seconds()
        time.sleep(0.5)
        if daemon.cpu_seconds() - before < 0.025:
            return


def deployment_of(pods: int) -> dict[str, Any]:
    labels = {"app": "bench"}
    container = {
        "name": "web",
        "image": "nginx:1.27",
        "ports": [{"containerPort": 80}],
        "resources": {"requests": {"cpu": "10m"}},
    }
    spec = {"terminationGracePeriodSeconds": 0, "containers": [container]}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "bench"},
        "spec": {
            "replicas": pods,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": spec},
        },
    }


def get_pods(kubectl: str, pods: int = 1000, runs: int = 10) -> Figures:
    """Median wall seconds of `kctl get pods` and `kubectl get pods` in turn against the same server with `pods` pods."""
    with Daemon(20) as daemon:
        daemon.request("POST", "/apis/apps/v1/namespaces/default/deployments", deployment_of(pods))
        path = "/apis/apps/v1/namespaces/default/deployments/bench"
        while daemon.request("GET", path)["status"].get("availableReplicas", 0) < pods:
            time.sleep(0.1)
        settle(daemon)
        ours = [sys.executable, "-m", "kctl", "get", "pods"]
        theirs = [kubectl, "get", "pods"]
        environment = {**daemon.environment, "KUBECONFIG": str(daemon.kubeconfig)}
        times: dict[str, list[float]] = {"kctl": [], "kubectl": []}
        for turn in range(runs + 1):
            for name, command in (("kctl", ours), ("kubectl", theirs)):
                started = time.perf_counter()
                done = subprocess.run(command, env=environment, capture_output=True, check=True)
                if turn:
                    times[name].append(time.perf_counter() - started)
                assert done.stdout.count(b"\n") == pods + 1
        ours_median, theirs_median = statistics.median(times["kctl"]), statistics.median(times["kubectl"])
        return {"kctl_seconds": ours_median, "kubectl_seconds": theirs_median, "ratio": ours_median / theirs_median}


STARTS = (("version", "--client"), ("--help",), ("get", "pods"), ("get", "deployment", "bench"))


def start_up(kubectl: str, runs: int = 30) -> Figures:
    """Median milliseconds of short commands, of kctl and of kubectl in turn: of wall time, and of CPU time, which others on the machine
    change less."""
    figures: Figures = {}
    with Daemon(1) as daemon:
        daemon.request("POST", "/apis/apps/v1/namespaces/default/deployments", deployment_of(3))
        settle(daemon)
        environment = {**daemon.environment, "KUBECONFIG": str(daemon.kubeconfig)}
        for words in STARTS:
            taken: dict[str, list[tuple[float, float]]] = {"kctl": [], "kubectl": []}
            for turn in range(runs + 1):
                for name, command in (("kctl", [str(Path(sys.executable).parent / "kctl")]), ("kubectl", [kubectl])):
                    one = _timed([*command, *words], environment)
                    if turn:
                        taken[name].append(one)
            for index, kind in enumerate(("wall", "cpu")):
                ours, theirs = (statistics.median(one[index] for one in taken[name]) * 1000 for name in ("kctl", "kubectl"))
                what = "_".join(words).replace("--", "")
                figures |= {f"{what}_{kind}_kctl_ms": ours, f"{what}_{kind}_kubectl_ms": theirs, f"{what}_{kind}_ratio": ours / theirs}
    return figures


def _timed(command: list[str], environment: dict[str, str]) -> tuple[float, float]:
    """Seconds of wall time and of CPU time."""
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(command, env=environment, stdout=subprocess.DEVNULL, check=True)
    wall, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
