"""Pods that are processes: what passes through a Service, also while its pods are exchanged, and how fast names are answered.

The clients are processes of their own; each figure has the daemon's CPU beside it, for on a busy machine wall time says little.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from typing import Any

from bench.daemon import Daemon
from bench.measures import Figures

_APPS = "/apis/apps/v1/namespaces/default/deployments"
_SERVICES = "/api/v1/namespaces/default/services"
_PATCH = "application/merge-patch+json"
_PORT = 18_080
SERVER = """
import asyncio, os, signal
async def serve(reader, writer):
    try:
        await reader.readuntil(b"\\r\\n\\r\\n")
        writer.write(b"HTTP/1.1 200 OK\\r\\nContent-Length: 3\\r\\nConnection: close\\r\\n\\r\\nok\\n")
        await writer.drain()
    except (OSError, asyncio.IncompleteReadError):
        pass
    writer.close()
async def main():
    server = await asyncio.start_server(serve, os.environ["IP"], 8080, backlog=1024)
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    await ended.wait()
    server.close()
    await asyncio.sleep(0.5)  # for what has begun
asyncio.run(main())
"""
_SMALL_SERVER = """
import os, socket
server = socket.create_server((os.environ["IP"], 8080), backlog=1024)
while True:
    connection, _ = server.accept()
    connection.recv(4096)
    connection.sendall(b"HTTP/1.1 200 OK\\r\\nContent-Length: 3\\r\\nConnection: close\\r\\n\\r\\nok\\n")
    connection.close()
"""
"""Costs little beside what is measured."""
_CLIENT = """
import json, selectors, socket, sys, time
address, port, wanted, at_once = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
selector, begun, done, failed = selectors.DefaultSelector(), 0, 0, {}
def begin():
    global begun
    connection = socket.socket()
    connection.setblocking(False)
    connection.connect_ex((address, port))
    begun += 1
    selector.register(connection, selectors.EVENT_WRITE, bytearray())
def end(connection, why):
    global done
    selector.unregister(connection)
    connection.close()
    done += 1
    if why:
        failed[why] = failed.get(why, 0) + 1
    if begun < wanted:
        begin()
started = time.perf_counter()
for _ in range(at_once):
    begin()
while done < wanted:
    for key, event in selector.select():
        connection = key.fileobj
        try:
            if event & selectors.EVENT_WRITE:
                connection.send(b"GET / HTTP/1.1\\r\\nHost: web\\r\\n\\r\\n")
                selector.modify(connection, selectors.EVENT_READ, key.data)
            elif data := connection.recv(4096):
                key.data.extend(data)
            else:
                end(connection, "" if key.data.endswith(b"ok\\n") else "cut short")
        except OSError as error:
            end(connection, type(error).__name__)
print(json.dumps({"seconds": time.perf_counter() - started, "failed": failed}))
"""
_RESOLVER = """
import json, socket, struct, sys, time
server, wanted, at_once = sys.argv[1], int(sys.argv[2]), 64
names = ["kubernetes.default.svc.cluster.local", "web.default.svc.cluster.local", "none.default.svc.cluster.local"]
def question(name):
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    return b"\\1\\0\\0\\1\\0\\0\\0\\0\\0\\0" + labels + b"\\0\\0\\1\\0\\1"
questions = list(map(question, names))
connection = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
connection.connect((server, 53))
connection.settimeout(1)
sent = answered = lost = 0
started = time.perf_counter()
while answered + lost < wanted:
    while sent - answered - lost < at_once and sent < wanted:
        connection.send(struct.pack("!H", sent & 0xFFFF) + questions[sent % len(questions)])
        sent += 1
    try:
        connection.recv(1500)
        answered += 1
    except TimeoutError:
        lost += sent - answered - lost
print(json.dumps({"seconds": time.perf_counter() - started, "lost": lost}))
"""


def _objects(replicas: int, program: str, *, waits: bool) -> list[tuple[str, dict[str, Any]]]:
    container: dict[str, Any] = {
        "name": "web",
        "image": "python",
        "command": ["python3", "-c", program],
        "env": [{"name": "IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}],
        "readinessProbe": {"tcpSocket": {"port": 8080}, "periodSeconds": 1},
    }
    if waits:
        container["lifecycle"] = {"preStop": {"sleep": {"seconds": 1}}}
    template = {
        "metadata": {"labels": {"app": "web"}},
        "spec": {"runtimeClassName": "process", "automountServiceAccountToken": False, "containers": [container]},
    }
    spec = {"replicas": replicas, "selector": {"matchLabels": {"app": "web"}}, "template": template}
    ports = [{"port": _PORT, "targetPort": 8080}]
    return [
        (_APPS, {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": spec}),
        (
            _SERVICES,
            {
                "apiVersion": "v1",
                "kind": "Service",
                "metadata": {"name": "web"},
                "spec": {"type": "NodePort", "selector": {"app": "web"}, "ports": ports},
            },
        ),
    ]


def _begin(daemon: Daemon, replicas: int, program: str = SERVER, *, waits: bool = True) -> int:
    """The node port, once all pods are ready and it can be connected to."""
    for path, body in _objects(replicas, program, waits=waits):
        daemon.request("POST", path, body)
    _until_rolled(daemon, replicas)
    service = daemon.request("GET", f"{_SERVICES}/web")
    port = int(service["spec"]["ports"][0]["nodePort"])
    while (
        subprocess.run([sys.executable, "-c", _CLIENT, "127.0.0.1", str(port), "1", "1"], capture_output=True, text=True).stdout.count("{}")
        < 1
    ):
        time.sleep(0.1)
    return port


def _until_rolled(daemon: Daemon, replicas: int) -> None:
    while True:
        found = daemon.request("GET", f"{_APPS}/web")
        status = found.get("status") or {}
        whole = all(status.get(name) == replicas for name in ("replicas", "updatedReplicas", "availableReplicas"))
        if whole and status.get("observedGeneration") == found["metadata"]["generation"]:
            return
        time.sleep(0.05)


def rolling_update(requests: int = 100_000, replicas: int = 3, *, waits: bool = True) -> Figures:
    """Requests, each over a connection of its own, through a Service whose Deployment gets one template after another meanwhile. `waits`:
    its pods have a preStop hook that sleeps a second, as they should anywhere."""
    with Daemon(1, "--runtime", "process") as daemon:
        port = _begin(daemon, replicas, waits=waits)
        cpu = daemon.cpu_seconds()
        client = subprocess.Popen(
            [sys.executable, "-c", _CLIENT, "127.0.0.1", str(port), str(requests), "16"], stdout=subprocess.PIPE, text=True
        )
        rolls = 0
        while client.poll() is None:
            rolls += 1
            patch = {"spec": {"template": {"metadata": {"annotations": {"turn": str(rolls)}}}}}
            daemon.request("PATCH", f"{_APPS}/web", patch, _PATCH)
            _until_rolled(daemon, replicas)
        found = json.loads(client.communicate()[0])
        cpu = daemon.cpu_seconds() - cpu
    failed = sum(found["failed"].values())
    return {
        "requests": requests,
        "failed": failed,
        "updates": rolls,
        "requests_per_second": requests / found["seconds"],
        "daemon_cpu_seconds": cpu,
    }


def connections(requests: int = 50_000) -> Figures:
    """New connections through a Service, each with one small request."""
    with Daemon(1, "--runtime", "process") as daemon:
        port = _begin(daemon, 2, _SMALL_SERVER)
        cpu = daemon.cpu_seconds()
        done = subprocess.run(
            [sys.executable, "-c", _CLIENT, "127.0.0.1", str(port), str(requests), "32"], capture_output=True, text=True, check=True
        )
        cpu = daemon.cpu_seconds() - cpu
        found = json.loads(done.stdout)
    return {
        "connections_per_second": requests / found["seconds"],
        "failed": sum(found["failed"].values()),
        "daemon_cpu_microseconds_each": cpu / requests * 1e6,
    }


def names(questions: int = 200_000) -> Figures:
    """Answers of cluster DNS by UDP, a third of them NXDOMAIN."""
    with Daemon(1, "--runtime", "process") as daemon:
        _begin(daemon, 1)
        path = "/apis/discovery.k8s.io/v1/namespaces/kube-system/endpointslices/kube-dns"
        address = daemon.request("GET", path)["endpoints"][0]["addresses"][0]
        cpu = daemon.cpu_seconds()
        done = subprocess.run([sys.executable, "-c", _RESOLVER, address, str(questions)], capture_output=True, text=True, check=True)
        cpu = daemon.cpu_seconds() - cpu
        found = json.loads(done.stdout)
    return {
        "answers_per_second": questions / found["seconds"],
        "lost": found["lost"],
        "daemon_cpu_microseconds_each": cpu / questions * 1e6,
    }
