"""agnhost's servers that end-to-end tests of nodes ask: nettest and grpc-health-checking."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from controllers.kubelet.commands.network import Side
from controllers.kubelet.commands.process import Process, Run
from controllers.kubelet.commands.programs import http
from controllers.kubelet.commands.programs.golang import Flag, duration_text
from controllers.kubelet.commands.programs.grpc import NOT_FOUND, Checked, HealthServer, NotHttp2
from controllers.kubelet.commands.programs.http import Request, Response
from controllers.kubelet.commands.programs.servers import serve
from controllers.kubelet.commands.programs.serving import Server, Task, words_of

_SERVING, _NOT_SERVING = 1, 2
_MOST_SOURCES = 1000


def _nettest(process: Process, values: Mapping[str, Flag], arguments: list[str]) -> Run:
    """Its server alone: it would look for its peers through the API, of which nobody here asks."""
    server, hostname, peers = Server(process), process.world.hostname, int(values["peers"])
    received: dict[str, int] = {}
    errors: list[str] = []

    def write(request: Request) -> Response:
        try:
            posted: Any = json.loads(request.body)
        except (ValueError, RecursionError) as error:
            posted = {}
            errors.append(str(error))
        source = str(posted.get("Source") or "") if isinstance(posted, dict) else ""
        if not source:
            errors.append(f"{hostname}: Got request with no source")
        elif source in received or len(received) < _MOST_SOURCES:
            received[source] = received.get(source, 0) + 1
        del errors[:-500]
        return http.text(json.dumps({"Hostname": hostname}, separators=(",", ":")) + "\n")

    def handle(request: Request) -> Response:
        if request.path == "/read":
            state = {"Hostname": hostname, "Sent": None, "Received": received or None, "Errors": errors or None, "Log": None}
            return http.text(json.dumps({**state, "StillContactingPeers": True}, indent="\t"))
        if request.path == "/write":
            return write(request)
        if request.path == "/status":
            return http.text("pass" if not peers else "running")
        if request.path == "/quit":
            server.exit(0)
            return Response(drop=True)
        return http.not_found()

    return (yield from serve(server, int(values["port"]), handle))


def _grpc_health_checking(process: Process, values: Mapping[str, Flag], arguments: list[str]) -> Run:
    clock = process.world.clock
    start = clock.monotonic()
    server, port, web = Server(process), int(values["port"]), int(values["http-port"])
    service, delay = str(values["service"]), int(values["delay-unhealthy-sec"])
    forced: list[bool] = [False]

    def check(name: str) -> Checked:
        server.log(f"Serving the Check request for health check, started at {process.world.clock.now():%Y-%m-%d %H:%M:%S}")
        if name != service:
            return Checked(NOT_FOUND, "unknown service")
        late = 0 <= delay <= clock.monotonic() - start
        return Checked(0, state=_NOT_SERVING if forced[-1] or late else _SERVING)

    def connection(side: Side) -> Task:
        health = HealthServer(check)
        while not side.stdin.closed:
            data = side.stdin.take()
            try:
                answer = health.received(data) if data else b""
            except NotHttp2:
                return
            if answer:
                side.write(answer)
            yield None

    def handle(request: Request) -> Response:
        if request.path not in ("/make-serving", "/make-not-serving"):
            return http.not_found()
        forced[-1] = request.path == "/make-not-serving"
        server.log("Mark as unhealthy" if forced[-1] else "Mark as healthy")
        return http.text(duration_text(clock.monotonic() - start))

    server.log(f"Http server starting to listen on :{web}")
    try:
        server.http(web, handle)
        server.listen(port, "TCP", connection)
    except OSError as error:
        server.log(f"Error while starting the listening service listen tcp :{port}: bind: {words_of(error)}")
        return 1
    server.log(f"gRPC server starting to listen on :{port}")
    return (yield from server.run())


FLAGS: Mapping[str, Mapping[str, Flag]] = {
    "nettest": {"port": 8080, "peers": 8, "service": "nettest", "namespace": "default", "delay-shutdown": 0},
    "grpc-health-checking": {"port": 5000, "http-port": 8080, "delay-unhealthy-sec": -1, "service": ""},
}
SHORT: Mapping[str, Mapping[str, str]] = {}
SUBCOMMANDS = {"nettest": _nettest, "grpc-health-checking": _grpc_health_checking}
