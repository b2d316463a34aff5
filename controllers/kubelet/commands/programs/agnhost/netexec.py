"""agnhost netexec: HTTP, UDP and SCTP servers that tests ask who they are, to dial others and to run commands."""

from __future__ import annotations

import errno
import re
import socket
from collections.abc import Callable, Generator, Mapping
from typing import TYPE_CHECKING

from controllers.kubelet.commands.errors import Exit, NotInterpreted
from controllers.kubelet.commands.network import Side, joined
from controllers.kubelet.commands.process import Input, Process, Run, run_program
from controllers.kubelet.commands.programs import http
from controllers.kubelet.commands.programs.fetching import ClientError, Deadline, Limits, TimedOut, connected, get, waiting
from controllers.kubelet.commands.programs.golang import Flag, duration_of, duration_text, quoted
from controllers.kubelet.commands.programs.http import Request, Response
from controllers.kubelet.commands.programs.resolver import lookup
from controllers.kubelet.commands.programs.servers import as_json
from controllers.kubelet.commands.programs.serving import Server, Task, words_of

if TYPE_CHECKING:
    import ssl

Waits = float | None
Answer = Generator[Waits, None, Response]
_DIAL_SECONDS = 5.0
_MOST_TRIES = 1000
_OUTPUT_BYTES = 1024 * 1024


class _Netexec:
    def __init__(self, process: Process, values: Mapping[str, Flag]) -> None:
        self.process = process
        self.server = Server(process)
        self.ready = False
        self._override = str(values["http-override"])
        self._uploads = 0
        self._routes: Mapping[str, Callable[[Request], Response | Answer]] = {
            "/": self._root,
            "/clientip": self._client_ip,
            "/dial": self._dial,
            "/echo": self._echo,
            "/exit": self._exit,
            "/healthz": self._health,
            "/hostname": self._hostname,
            "/hostName": self._hostname,
            "/redirect": self._redirect,
            "/shell": self._shell,
            "/upload": self._upload,
            "/shutdown": self._shutdown,
        }

    def handle(self, request: Request) -> Response | Answer:
        if self._override:
            request = Request("GET", self._override, request.version, request.headers, b"", request.peer)
        route = self._routes.get(request.path) or self._routes["/"]
        return route(request)

    # ---- small answers

    def _root(self, request: Request) -> Response:
        self.server.log("GET /")
        now = self.process.world.clock.now()
        return http.text(f"NOW: {now:%Y-%m-%d %H:%M:%S}.{now.microsecond * 1000:09d} +0000 UTC m=+0.000000001")

    def _client_ip(self, request: Request) -> Response:
        self.server.log("GET /clientip")
        return http.text(request.peer)

    def _echo(self, request: Request) -> Response:
        message, code = request.form.get("msg", ""), request.form.get("code", "")
        self.server.log(f"GET /echo?msg={message}&code={code}")
        if code and not re.fullmatch(r"\d{3}", code):
            return http.text(f"argument 'code' must be an integer or empty, got {quoted(code)}\n")
        return http.text(message, int(code or 200))

    def _health(self, request: Request) -> Response:
        self.server.log("GET /healthz")
        return Response(200 if self.ready else 412)

    def _hostname(self, request: Request) -> Response:
        self.server.log(f"GET {request.path}")
        return http.text(self.process.world.hostname)

    def _redirect(self, request: Request) -> Response:
        location, code = request.form.get("location", ""), request.form.get("code", "")
        self.server.log(f"{request.method} /redirect?msg={location}&code={code}")
        if code and not re.fullmatch(r"\d{3}", code):
            return http.text(f"argument 'code' must be an integer or empty, got {quoted(code)}\n")
        return http.redirect(location, int(code or 302), request)

    def _shutdown(self, request: Request) -> Response:
        self.server.log("GET /shutdown")
        self.server.exit(0)
        return Response(drop=True)

    def _exit(self, request: Request) -> Response | Answer:
        form = request.form
        wait, limit, code = form.get("wait", ""), form.get("timeout", ""), form.get("code", "")
        self.server.log(f"GET /exit?code={code}&timeout={limit}&wait={wait}")
        seconds = {}
        for name, text in (("timeout", limit), ("wait", wait)):
            try:
                seconds[name] = duration_of(text) if text else 0.0
            except ValueError:
                return http.text(f"argument '{name}' must be a valid golang duration or empty, got {quoted(text)}\n")
        if code and not re.fullmatch(r"[-+]?\d{1,9}", code):
            return http.text(f"argument 'code' must be an integer [0-127] or empty, got {quoted(code)}\n")
        return self._leave(seconds["wait"], seconds["timeout"], int(code or 0) & 255)

    def _leave(self, wait: float, limit: float, code: int) -> Answer:
        limited = f"allowing {duration_text(limit)} for connections to close"
        self.server.log(f"Will begin shutdown in {duration_text(wait)}, {limited}, then will exit with {code}")
        if wait > 0:
            yield wait
        if limit <= 0:
            self.server.exit(code)
            return Response(drop=True)

        def leave() -> None:
            self.server.log("Graceful shutdown completed with: <nil>")
            self.server.exit(code)

        return Response(200, close=True, then=leave)

    # ---- /dial

    def _dial(self, request: Request) -> Response | Answer:
        query = request.query
        host, port, what = query.get("host", ""), query.get("port", ""), query.get("request", "")
        protocol, tries = query.get("protocol", ""), query.get("tries", "")
        self.server.log(f"GET /dial?host={host}&protocol={protocol}&port={port}&request={what}&tries={tries}")
        if tries and not re.fullmatch(r"[-+]?\d{1,9}", tries):
            return http.error(f"tries parameter is invalid. strconv.Atoi: parsing {quoted(tries)}: invalid syntax", 400)
        if not what:
            return http.error("request parameter not specified. <nil>", 400)
        if protocol.lower() not in ("", "http", "udp", "sctp"):
            return http.error(f"unsupported protocol. {protocol}", 400)
        try:
            address = lookup(self.process, host)[0]
            if not port.isdigit() or not int(port) < 65536:
                raise ValueError(f"address {joined(host, 0)[:-2]}: unknown port")
        except socket.gaierror:
            return http.error(f"host and/or port param are invalid. lookup {host}: no such host", 400)
        except ValueError as wrong:
            return http.error(f"host and/or port param are invalid. {wrong}", 400)
        return self._dialled(protocol.lower() or "http", address, int(port), what, min(int(tries or 1), _MOST_TRIES))

    def _dialled(self, protocol: str, address: str, port: int, what: str, tries: int) -> Answer:
        errors: list[str] = []
        responses: list[str] = []
        last = ""
        for _ in range(tries):
            try:
                if protocol == "http":
                    answer = yield from get(self.process, f"http://{joined(address, port)}/{what}", _DIAL_SECONDS)
                    last = answer.body.decode("utf-8", "replace")
                else:
                    last = yield from datagram(self.process, address, port, protocol.upper(), what.encode(), _DIAL_SECONDS)
                responses.append(last)
            except ClientError as failed:
                last = ""
                errors.append(str(failed))
        output = ({"responses": responses} if last else {}) | ({"errors": errors} if errors else {})
        return http.text(as_json(output))

    # ---- /shell, /upload

    def _shell(self, request: Request) -> Answer:
        command = request.form.get("shellCommand", "") or request.form.get("cmd", "")
        self.server.log(f"GET /shell?cmd={command}")
        taken = bytearray()

        def write(data: bytes) -> None:
            if len(taken) < _OUTPUT_BYTES:
                taken.extend(data)

        code = yield from self._run(["/bin/sh", "-c", command], write)
        output = {"output": taken.decode("utf-8", "replace")} if taken else {}
        if code:
            output["error"] = f"exit status {code}"
        self.server.log(f"Output: map[{' '.join(f'{name}:{value}' for name, value in sorted(output.items()))}]")
        return http.text(as_json(output))

    def _run(self, words: list[str], write: Callable[[bytes], None]) -> Generator[Waits, None, int]:
        child = self.process.child(words, write, write, Input())
        program = self.process.world.find_program(words[0], child)
        if program is None:
            return 127
        try:
            return (yield from run_program(program, child))
        except Exit as left:
            return left.code
        except NotInterpreted as refused:
            write(f"sh: a simulated container cannot run {refused}\n".encode())
            return 127

    def _upload(self, request: Request) -> Response:
        self.server.log("GET /upload")
        data = _form_file(request)
        if data is None:
            self.server.log("Unable to upload file: request Content-Type isn't multipart/form-data")
            return http.text(as_json({"error": "Unable to upload file."}))
        self._uploads += 1
        name = f"/uploads/upload{self.process.world.random.randrange(10**9):09d}"
        files, who = self.process.world.files, self.process.who
        try:
            if not files.exists("/uploads"):
                files.make_directory("/uploads", who)
            files.write(name, data, who, mode=0o700)
        except OSError as error:
            self.server.log(f"Unable to open file for write: open {name}: {words_of(error)}")
            return http.text(as_json({"error": "Unable to open file for write"}))
        self.server.log(f"Wrote upload to {name}")
        return http.text(as_json({"output": name}), 201)

    # ---- UDP and SCTP

    def datagrams(self, side: Side, protocol: str) -> Task:
        while True:
            data = side.stdin.take()
            if data:
                answer = self._answered(data.decode("utf-8", "replace").strip().lower(), side.peer, protocol)
                if answer is not None:
                    side.write(answer.encode())
                if protocol == "SCTP":
                    return
            elif side.stdin.closed:
                return
            else:
                yield None

    def _answered(self, text: str, peer: str, protocol: str) -> str | None:
        shown = protocol if protocol == "SCTP" else protocol.lower()
        if text == "hostname":
            self.server.log(f"Sending {shown} hostName response")
            hostname: str = self.process.world.hostname
            return hostname
        if text.startswith("echo "):
            self.server.log(f"Echoing {text[5:]} to {protocol} client {peer}")
            return text[5:]
        if text == "clientip":
            self.server.log(f"Sending clientip back to {protocol} client {peer}")
            return peer
        if text:
            self.server.log(f"Unknown {protocol} command received from {peer}: {text}")
        return None


def _form_file(request: Request) -> bytes | None:
    """The file of a multipart form."""
    matched = re.search(r'boundary="?([^";]{1,200})"?', request.header("Content-Type"))
    if matched is None or not request.header("Content-Type").startswith("multipart/form-data"):
        return None
    for part in request.body.split(b"--" + matched.group(1).encode()):
        head, blank, body = part.partition(b"\r\n\r\n")
        if blank and re.search(rb'name="file"', head):
            return body.removesuffix(b"\r\n")
    return None


def datagram(process: Process, address: str, port: int, protocol: str, data: bytes, seconds: float) -> Generator[Waits, None, str]:
    """What is answered to one. Raises ClientError."""
    shown = protocol.lower()
    try:
        side, _ = yield from connected(process, address, port, protocol, Limits(seconds))
    except TimedOut:
        raise ClientError(f"{shown} dial failed. err:dial {shown} {joined(address, port)}: i/o timeout") from None
    except OSError as error:
        raise ClientError(f"{shown} dial failed. err:dial {shown} {joined(address, port)}: connect: {words_of(error)}") from None
    deadline = Deadline(process, seconds)
    try:
        try:
            side.write(data)
        except OSError as error:
            where = f"read {shown} {side.local}->{joined(address, port)}"
            refused = "connection refused" if error.errno == errno.ECONNREFUSED else words_of(error)
            raise ClientError(f"reading from {shown} connection failed. err:'{where}: read: {refused}'") from None

        def late() -> Exception:
            return ClientError(
                f"reading from {shown} connection failed. err:'read {shown} {side.local}->{joined(address, port)}: i/o timeout'"
            )

        answer = yield from waiting(_first(side), deadline, late)
        return bytes(answer).decode("utf-8", "replace") if isinstance(answer, bytes) else ""
    finally:
        deadline.cancel()
        side.close()


def _first(side: Side) -> Generator[Waits, None, bytes]:
    while True:
        data = side.stdin.take()
        if data or side.stdin.closed:
            return data
        yield None


def _certificate(process: Process, certificate: str, key: str) -> ssl.SSLContext:
    """That of the container's files; the image's own is made when it is used. Raises OSError."""
    from controllers.kubelet.commands import tls

    if (certificate, key) == ("/localhost.crt", "/localhost.key"):
        return tls.self_signed()
    return tls.loaded(process.read(certificate), process.read(key))


def _run(process: Process, values: Mapping[str, Flag], arguments: list[str]) -> Run:
    netexec = _Netexec(process, values)
    server = netexec.server
    port, udp, sctp = int(values["http-port"]), int(values["udp-port"]), int(values["sctp-port"])
    try:
        if values["tls-cert-file"]:
            context = _certificate(process, str(values["tls-cert-file"]), str(values["tls-private-key-file"]))
            server.log(f"Started HTTPS server on port {port}")
            server.https(port, netexec.handle, context)
        else:
            server.log(f"Started HTTP server on port {port}")
            server.http(port, netexec.handle)
        if udp != -1:
            server.listen(udp, "UDP", lambda side: netexec.datagrams(side, "UDP"))
            server.log(f"Started UDP server on port  {udp}")
            netexec.ready = True
        if sctp != -1:
            server.listen(sctp, "SCTP", lambda side: netexec.datagrams(side, "SCTP"))
            server.log("Started SCTP server")
            netexec.ready = True
    except OSError as error:
        server.log(f"listen tcp :{port}: bind: {words_of(error)}")
        return 1
    return (yield from server.run())


FLAGS: Mapping[str, Mapping[str, Flag]] = {
    "netexec": {
        "http-port": 8080,
        "tls-cert-file": "",
        "tls-private-key-file": "",
        "udp-port": 8081,
        "sctp-port": -1,
        "http-override": "",
        "udp-listen-addresses": "",
    }
}
SHORT: Mapping[str, Mapping[str, str]] = {}
SUBCOMMANDS = {"netexec": _run}
