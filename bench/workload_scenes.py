"""What each workload controller takes for a great many pods, and what a large cluster costs in which nothing happens."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from bench.daemon import Daemon
from bench.measures import Figures, _ready, deployment_of, settle

_APPS = "/apis/apps/v1/namespaces/default"
_JOBS = "/apis/batch/v1/namespaces/default/jobs"
Status = dict[str, Any]


def _nodes_ready(daemon: Daemon) -> None:
    while sum(map(_ready, daemon.request("GET", "/api/v1/nodes")["items"])) < daemon.nodes:
        time.sleep(0.05)
    settle(daemon)


def _until(daemon: Daemon, path: str, name: str, done: Callable[[Status], bool]) -> None:
    for event in daemon.watch(f"{path}?fieldSelector=metadata.name%3D{name}"):
        if done(event["object"].get("status") or {}):
            return


def _timed(daemon: Daemon, begin: Callable[[], object], path: str, done: Callable[[Status], bool], pods: int) -> Figures:
    cpu, started = daemon.cpu_seconds(), time.perf_counter()
    begin()
    _until(daemon, path, "bench", done)
    took = time.perf_counter() - started
    return {"pods": pods, "seconds": took, "cpu_seconds": daemon.cpu_seconds() - cpu}


def rollover(pods: int = 5000, nodes: int = 100) -> Figures:
    """A Deployment of `pods` pods gets another template (maxSurge and maxUnavailable 25 %): until all are new and available."""
    with Daemon(nodes) as daemon:
        _nodes_ready(daemon)
        path = f"{_APPS}/deployments"
        daemon.request("POST", path, deployment_of(pods))
        _until(daemon, path, "bench", lambda status: status.get("availableReplicas", 0) == pods)
        settle(daemon)
        patch = {"spec": {"template": {"metadata": {"annotations": {"turn": "2"}}}}}

        def done(status: Status) -> bool:
            whole = all(status.get(name) == pods for name in ("replicas", "updatedReplicas", "availableReplicas"))
            return whole and status.get("observedGeneration", 0) > 1

        return _timed(daemon, lambda: daemon.request("PATCH", f"{path}/bench", patch, "application/merge-patch+json"), path, done, pods)


def stateful_set(pods: int = 500, nodes: int = 100) -> Figures:
    """A StatefulSet with podManagementPolicy Parallel: until all are ready."""
    with Daemon(nodes) as daemon:
        _nodes_ready(daemon)
        spec = {**deployment_of(pods)["spec"], "serviceName": "bench", "podManagementPolicy": "Parallel"}
        body = {"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "bench"}, "spec": spec}
        path = f"{_APPS}/statefulsets"
        return _timed(daemon, lambda: daemon.request("POST", path, body), path, lambda status: status.get("readyReplicas") == pods, pods)


def job(completions: int = 5000, parallelism: int = 500, nodes: int = 100) -> Figures:
    """A Job whose pods have nothing to do: until it is complete."""
    with Daemon(nodes) as daemon:
        _nodes_ready(daemon)
        container = {"name": "c", "image": "busybox", "command": ["true"]}
        template = {"spec": {"restartPolicy": "Never", "terminationGracePeriodSeconds": 0, "containers": [container]}}
        spec = {"completions": completions, "parallelism": parallelism, "template": template}
        body = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "bench"}, "spec": spec}
        figures = _timed(
            daemon, lambda: daemon.request("POST", _JOBS, body), _JOBS, lambda status: status.get("succeeded") == completions, completions
        )
        return figures


def daemon_set(nodes: int = 1000) -> Figures:
    """A DaemonSet on every node: until all its pods are available."""
    with Daemon(nodes) as daemon:
        _nodes_ready(daemon)
        template = deployment_of(1)["spec"]["template"]
        spec = {"selector": {"matchLabels": template["metadata"]["labels"]}, "template": template}
        body = {"apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": {"name": "bench"}, "spec": spec}
        path = f"{_APPS}/daemonsets"
        return _timed(
            daemon, lambda: daemon.request("POST", path, body), path, lambda status: status.get("numberAvailable") == nodes, nodes
        )


def idle_large(nodes: int = 1000, pods: int = 10_000, seconds: float = 60.0) -> Figures:
    """Memory and share of a core of a large cluster in which nothing happens but heartbeats."""
    with Daemon(nodes) as daemon:
        _nodes_ready(daemon)
        path = f"{_APPS}/deployments"
        daemon.request("POST", path, deployment_of(pods))
        _until(daemon, path, "bench", lambda status: status.get("availableReplicas", 0) == pods)
        settle(daemon)
        time.sleep(5)
        before, started = daemon.cpu_seconds(), time.perf_counter()
        time.sleep(seconds)
        used = daemon.cpu_seconds() - before
        return {
            "nodes": nodes,
            "pods": pods,
            "memory_mb": daemon.memory_mb(),
            "core_percent": 100 * used / (time.perf_counter() - started),
        }
