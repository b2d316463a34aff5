"""agnhost's smaller servers: pause, serve-hostname, liveness, test-webserver, porter, fake-gitserver, no-snat-test, http-echo, tcp-reset;
and what only writes or waits: logs-generator, stress."""

from __future__ import annotations

import json
from collections.abc import Generator, Mapping

from controllers.kubelet.commands.network import Side
from controllers.kubelet.commands.process import SIGTERM, Process, Run
from controllers.kubelet.commands.programs import http
from controllers.kubelet.commands.programs.fetching import ClientError, get
from controllers.kubelet.commands.programs.golang import Flag, duration_text, quoted
from controllers.kubelet.commands.programs.http import Request, Response
from controllers.kubelet.commands.programs.servers import ending, serve, test_webserver
from controllers.kubelet.commands.programs.serving import Server, Task, words_of

Waits = float | None
_AFTER_SIGTERM_SECONDS = 60.0


def _pause(process: Process, values: Mapping[str, Flag], arguments: list[str]) -> Run:
    process.print("Paused\n")
    server = Server(process)
    server.handle_signals(ending(server, 2))
    return (yield from server.run())


def _said_and_closed(process: Process, side: Side, text: str, log: str, server: Server) -> Task:
    server.log(log)
    side.write(text.encode())
    return
    yield


def _awaiting_deletion(server: Server, seconds: float) -> None:
    """SIGTERM is noted, and answered by going on for a while."""

    def handle(number: int) -> Task | None:
        if number != SIGTERM:
            return None
        server.log("Shutting down after receiving signal: terminated.\n")
        server.log("Awaiting pod deletion.\n")

        def leave() -> Task:
            yield seconds
            server.exit(0)

        return leave()

    server.handle_signals(handle)


def _serve_hostname(process: Process, values: Mapping[str, Flag], arguments: list[str]) -> Run:
    server = Server(process)
    tcp, udp, web, port = bool(values["tcp"]), bool(values["udp"]), bool(values["http"]), int(values["port"])
    if web and (tcp or udp):
        server.log("Can't server TCP/UDP mode and HTTP mode at the same time")
        return 1
    hostname = process.world.hostname

    def handle(request: Request) -> Response:
        server.log(f"HTTP request from {request.peer}")
        return Response(200, hostname.encode(), close=bool(values["close"]))

    def datagrams(side: Side) -> Task:
        while not side.stdin.closed:
            if side.stdin.take():
                server.log(f"UDP request from {side.peer}")
                side.write(hostname.encode())
            yield None

    try:
        if tcp:
            server.listen(port, "TCP", lambda side: _said_and_closed(process, side, hostname, f"TCP request from {side.peer}", server))
        if udp:
            server.listen(port, "UDP", datagrams)
        if web:
            server.http(port, handle)
    except OSError as error:
        server.log(f"Error from net.Listen(): listen tcp :{port}: bind: {words_of(error)}")
        return 1
    server.log(f"Serving on port {port}.\n")
    _awaiting_deletion(server, _AFTER_SIGTERM_SECONDS)
    return (yield from server.run())


def _liveness(process: Process, values: Mapping[str, Flag], arguments: list[str]) -> Run:
    clock = process.world.clock
    start = clock.monotonic()
    server = Server(process)

    def handle(request: Request) -> Response | Generator[Waits, None, Response]:
        age = clock.monotonic() - start
        if request.path == "/started":
            return http.text(duration_text(age))
        if request.path == "/healthz":
            return http.text(f"error: {age}", 500) if age > 10 else http.text("ok")
        if request.path == "/redirect":
            return http.redirect(request.query.get("loc", ""), 302, request)
        if request.path in ("/disconnect-headers", "/disconnect-body"):
            return Response(drop=True)
        if request.path in ("/sleep-headers", "/sleep-body", "/slow-response"):
            return _slow(request)
        return http.not_found()

    return (yield from serve(server, 8080, handle))


def _slow(request: Request) -> Generator[Waits, None, Response]:
    numbers = {}
    for name, default in (("code", 500), ("time", 0), ("size", 0), ("interval", 0)):
        text = request.query.get(name, "")
        if text and not (text.isascii() and text.isdigit() and len(text) < 7):
            return http.error(f"parameter '{name}' is invalid: strconv.Atoi: parsing {quoted(text)}: invalid syntax", 400)
        numbers[name] = int(text or default)
    if numbers["time"]:
        yield float(numbers["time"])
    return http.text(f"Slept for {numbers['time']} secs\n", numbers["code"])


def _test_webserver(process: Process, values: Mapping[str, Flag], arguments: list[str]) -> Run:
    return (yield from test_webserver(process, int(values["port"])))


def _porter(process: Process, values: Mapping[str, Flag], arguments: list[str]) -> Run:
    server = Server(process)
    for name, value in process.env.items():
        for prefix, protocol in (
            ("SERVE_PORT_", "TCP"),
            ("SERVE_TCP_PORT_", "TCP"),
            ("SERVE_UDP_PORT_", "UDP"),
            ("SERVE_SCTP_PORT_", "SCTP"),
            ("SERVE_TLS_PORT_", "TLS"),
        ):
            port = name.removeprefix(prefix)
            if name.startswith(prefix) and port.isdigit():
                _porter_port(server, protocol, int(port), value, as_object=bool(values["json-response"]))
    return (yield from server.run())


def _porter_port(server: Server, protocol: str, port: int, value: str, *, as_object: bool) -> None:
    def handle(request: Request) -> Response:
        if not as_object:
            return http.text(value)
        return http.text(
            json.dumps({"Method": request.method, "Body": value}, separators=(",", ":")), headers=[("Content-Type", "application/json")]
        )

    def answer(side: Side) -> Task:
        while not side.stdin.closed:
            if side.stdin.take():
                side.write(value.encode())
            yield None

    try:
        if protocol == "TCP":
            server.http(port, handle)
        elif protocol == "UDP":
            server.log(f"Started UDP server on port {port}")
            server.listen(port, "UDP", answer)
        elif protocol == "SCTP":
            server.log("Started SCTP server")
            server.listen(port, "SCTP", lambda side: _said_and_closed(server.process, side, value, "Sending response", server))
        else:
            server.https(port, handle)
    except OSError as error:
        server.log(f"server on port {quoted(str(port))} failed: listen tcp 0.0.0.0:{port}: bind: {words_of(error)}")


def _fake_git_server(process: Process, values: Mapping[str, Flag], arguments: list[str]) -> Run:
    return (yield from serve(Server(process), 8000, lambda request: http.text("I am a fake git server")))


def _no_snat_test(process: Process, values: Mapping[str, Flag], arguments: list[str]) -> Run:
    own, node = process.env.get("POD_IP"), process.env.get("NODE_IP")
    for name, value in (("POD_IP", own), ("NODE_IP", node)):
        if value is None:
            process.complain(f"{name} env var was not present in the environment\n")
            return 1

    def check(request: Request) -> Generator[Waits, None, Response]:
        wrong = []
        for address in request.query.get("ips", "").split(",")[:1000]:
            url = f"http://{address}/whoami"
            try:
                answer = yield from get(process, url, 0)
            except ClientError as failed:
                wrong.append(str(failed))
                continue
            seen = answer.body.decode("utf-8", "replace").split(":")[0]
            if seen != own:
                wrong.append(f"Returned ip {quoted(seen)} != my Pod ip {quoted(own or '')}, == my Node ip {quoted(node or '')} - SNAT")
        return http.text(", ".join(wrong), 500 if wrong else 200)

    def handle(request: Request) -> Response | Generator[Waits, None, Response]:
        if request.path == "/whoami":
            return http.text(request.peer)
        return check(request) if request.path == "/checknosnat" else http.not_found()

    return (yield from serve(Server(process), int(values["port"]), handle))


def _http_echo(process: Process, values: Mapping[str, Flag], arguments: list[str]) -> Run:
    server, port = Server(process), int(values["port"])

    def handle(request: Request) -> Response:
        server.log(f"Echoing back request made to {request.target} to client ({request.peer})\n")
        headers: dict[str, list[str]] = {}
        for name, value in request.headers:
            if name.lower() != "host":
                headers.setdefault("-".join(part.capitalize() for part in name.split("-")), []).append(value)
        payload = {"path": request.target, "host": request.header("Host"), "method": request.method, "proto": request.version}
        shown = payload | {"headers": dict(sorted(headers.items())), "httpPort": str(port)}
        shown |= {"namespace": process.env.get("NAMESPACE", ""), "pod": process.env.get("POD_NAME", "")}
        return http.text(json.dumps(shown, indent=1), headers=[("Content-Type", "application/json"), ("X-Content-Type-Options", "nosniff")])

    try:
        server.http(port, handle)
    except OSError as error:
        server.log(f"listen tcp :{port}: bind: {words_of(error)}")
        return 1
    server.log(f"Serving on port {port}.\n")
    _awaiting_deletion(server, _AFTER_SIGTERM_SECONDS)
    return (yield from server.run())


def _tcp_reset(process: Process, values: Mapping[str, Flag], arguments: list[str]) -> Run:
    server, port = Server(process), int(values["port"])

    def reset(side: Side) -> Task:
        while not side.stdin.take() and not side.stdin.closed:
            yield None
        server.log(f"TCP request from {side.peer}")

    server.listen(port, "TCP", reset)
    server.log(f"Serving on port {port}.\n")
    _awaiting_deletion(server, 0.0)
    return (yield from server.run())


def _logs_generator(process: Process, values: Mapping[str, Flag], arguments: list[str]) -> Run:
    total, seconds = int(values["log-lines-total"]), float(values["run-duration"])
    clock, dice = process.world.clock, process.world.random

    def log(letter: str, message: str, line: int) -> None:
        now = clock.now()
        process.complain(f"{letter}{now:%m%d %H:%M:%S.%f}       1 logs_generator.go:{line}] {message}\n")

    if total <= 0 or seconds <= 0:
        log("F", f"Invalid total number of lines: {total}" if total <= 0 else f"Invalid duration: {duration_text(seconds)}", 71)
        return 255
    letters = "bcdfghjklmnpqrstvwxz2456789"
    for number in range(total):
        pod = "".join(dice.choice(letters) for _ in range(dice.randrange(3, 5)))
        url = f"/api/v1/namespaces/{dice.choice(('kube-system', 'default', 'ns'))}/pods/{pod}"
        log("I", f"{number} {dice.choice(('GET', 'POST', 'PUT'))} {url} {dice.randrange(200, 600)}", 76)
        yield seconds / total
    return 0


def _stress(process: Process, values: Mapping[str, Flag], arguments: list[str]) -> Run:
    """Takes memory and time on a real machine; here it only runs on."""
    while True:
        yield None


FLAGS: Mapping[str, Mapping[str, Flag]] = {
    "serve-hostname": {"tcp": False, "udp": False, "http": True, "close": False, "port": 9376},
    "test-webserver": {"port": 80},
    "porter": {"json-response": False},
    "no-snat-test": {"port": "8080"},
    "http-echo": {"port": 8080},
    "tcp-reset": {"port": 8080},
    "logs-generator": {"log-lines-total": 0, "run-duration": 0.0},
    "stress": {"mem-total": "0", "mem-alloc-size": "4Ki", "mem-alloc-sleep": 0.001, "cpus": 0},
}
SHORT: Mapping[str, Mapping[str, str]] = {"logs-generator": {"t": "log-lines-total", "d": "run-duration"}}
SUBCOMMANDS = {
    "pause": _pause,
    "serve-hostname": _serve_hostname,
    "liveness": _liveness,
    "test-webserver": _test_webserver,
    "porter": _porter,
    "fake-gitserver": _fake_git_server,
    "no-snat-test": _no_snat_test,
    "http-echo": _http_echo,
    "tcp-reset": _tcp_reset,
    "logs-generator": _logs_generator,
    "stress": _stress,
}
