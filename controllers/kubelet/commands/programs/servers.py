"""The servers that images run: pause, nginx, httpd, python's http.server, echo servers, what the test images carry."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import quote

from controllers.kubelet.commands.errors import NotInterpreted
from controllers.kubelet.commands.process import SIGTERM, Process, Run
from controllers.kubelet.commands.programs import http
from controllers.kubelet.commands.programs.http import Request, Response
from controllers.kubelet.commands.programs.serving import Handler, Server, Task, words_of
from controllers.kubelet.files.tree import Directory

_TYPES = {
    "html": "text/html",
    "htm": "text/html",
    "css": "text/css",
    "js": "application/javascript",
    "json": "application/json",
    "txt": "text/plain",
}
_TYPES |= {"jpg": "image/jpeg", "jpeg": "image/jpeg", "png": "image/png", "gif": "image/gif", "svg": "image/svg+xml", "xml": "text/xml"}
_NGINX, _APACHE = "nginx/1.27.0", "Apache/2.4.59 (Unix)"


def ending(server: Server, code: int, words: str = "") -> Callable[[int], Task | None]:
    """How a server ends on SIGTERM."""

    def handle(number: int) -> Task | None:
        if number == SIGTERM:
            if words:
                server.process.print(words)
            server.exit(code)
        return None

    return handle


def serve(server: Server, port: int, handler: Handler) -> Run:
    """A Go program whose last line is log.Fatal(http.ListenAndServe)."""
    try:
        server.http(port, handler)
    except OSError as error:
        server.log(f"listen tcp :{port}: bind: {words_of(error)}")
        return 1
    return (yield from server.run())


# ---- files over HTTP


@dataclass(frozen=True, slots=True)
class Content:
    """What is at a path. `listing` None: a folder whose address has no slash at its end."""

    body: bytes | None = None
    listing: list[str] | None = None
    kind: str = ""


def content(process: Process, root: str, path: str, index: str = "index.html") -> Content:
    """Raises OSError."""
    parts = [part for part in path.split("/") if part not in ("", ".")]
    if ".." in parts:
        raise FileNotFoundError(2, "No such file or directory", path)
    full = "/".join([root.rstrip("/"), *parts]) or "/"
    node = process.world.files.node(full, process.who)
    if isinstance(node, Directory):
        if not path.endswith("/"):
            return Content()
        if index and process.world.files.exists(f"{full.rstrip('/')}/{index}", process.who):
            return Content(process.read(f"{full.rstrip('/')}/{index}"), kind="text/html")
        names = process.world.files.names(full, process.who)
        shown = [name + ("/" if isinstance(process.world.files.node(f"{full.rstrip('/')}/{name}"), Directory) else "") for name in names]
        return Content(listing=shown)
    return Content(process.read(full), kind=_TYPES.get(full.rpartition(".")[2], ""))


def go_file_server(process: Process, root: str, request: Request) -> Response:
    """Go's http.FileServer."""
    path = request.path
    if path.endswith("/index.html"):
        return Response(301, b"", [("Location", "./")])
    try:
        there = content(process, root, path)
    except PermissionError:
        return http.error("403 Forbidden", 403)
    except OSError:
        return http.not_found()
    if there.listing is not None:
        rows = "".join(f'<a href="{quote(name)}">{_escaped(name)}</a>\n' for name in there.listing)
        page = f'<!doctype html>\n<meta name="viewport" content="width=device-width">\n<pre>\n{rows}</pre>\n'
        return Response(200, page.encode(), [("Content-Type", "text/html; charset=utf-8")])
    if there.body is None:
        return Response(301, b"", [("Location", path.rpartition("/")[2] + "/")])
    kind = f"{there.kind}; charset=utf-8" if there.kind.startswith("text/") else there.kind
    return Response(200, there.body, [("Content-Type", kind or http.sniffed(there.body)), ("Accept-Ranges", "bytes")])


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&#34;")


def files_at_root(process: Process) -> Run:
    """test-webserver, as nautilus and kitten run it."""
    return test_webserver(process, 80)


_ALLOWED = "DNT,X-Mx-ReqToken,Keep-Alive,User-Agent,X-Requested-With,Cache-Control,Content-Type"
_CORS = [("Cache-Control", "private"), ("Access-Control-Allow-Origin", "*"), ("Access-Control-Allow-Credentials", "true")]
_CORS += [("Access-Control-Allow-Methods", "GET, POST, OPTIONS"), ("Access-Control-Allow-Headers", _ALLOWED)]


def test_webserver(process: Process, port: int) -> Run:
    server = Server(process)

    def handle(request: Request) -> Response:
        response = go_file_server(process, "/", request)
        response.headers += _CORS
        return response

    return (yield from serve(server, port, handle))


# ---- nginx, Apache, python


def _static(process: Process, root: str, index_page: bytes, banner: str, request: Request) -> Response:
    """GET and HEAD of what is below `root`, with the pages of the server that `banner` names for the rest."""
    if request.method not in ("GET", "HEAD"):
        return _page(405, banner)
    try:
        there = content(process, root, request.path)
    except PermissionError:
        return _page(403, banner)
    except OSError:
        if request.path in ("/", "/index.html"):  # the image's own page, where nothing is mounted over it
            return Response(200, index_page, [("Server", banner), ("Content-Type", "text/html")])
        return _page(404, banner)
    if there.body is None and there.listing is None:
        response = _page(301, banner)
        response.headers.append(("Location", f"http://{request.header('Host')}{request.path}/"))
        return response
    if there.body is None:
        return _page(403, banner)
    return Response(
        200, there.body, [("Server", banner), ("Content-Type", there.kind or "application/octet-stream"), ("Accept-Ranges", "bytes")]
    )


def _page(status: int, banner: str) -> Response:
    words = f"{status} {'Not Allowed' if status == 405 and banner == _NGINX else http.STATUS[status]}"
    if banner == _NGINX:
        body = f"<html>\r\n<head><title>{words}</title></head>\r\n<body>\r\n<center><h1>{words}</h1></center>\r\n"
        body += f"<hr><center>{banner}</center>\r\n</body>\r\n</html>\r\n"
    else:
        body = f'<!DOCTYPE HTML PUBLIC "-//IETF//DTD HTML 2.0//EN">\n<html><head>\n<title>{words}</title>\n</head><body>\n'
        body += f"<h1>{http.STATUS[status]}</h1>\n</body></html>\n"
    return Response(status, body.encode(), [("Server", banner), ("Content-Type", "text/html")])


def _listens(process: Process, config: str) -> list[int]:
    """The ports of an nginx configuration: 80 where it names none."""
    ports = []
    try:
        text = process.world.files.read(config).decode("utf-8", "replace")
    except OSError:
        return [80]
    for line in text.splitlines():
        words = line.strip().rstrip(";").split()
        if words[:1] == ["listen"] and len(words) > 1:
            port = words[1].rpartition(":")[2] or words[1]
            if port.isdigit() and int(port) not in ports:
                ports.append(int(port))
    return ports or [80]


def _nginx(process: Process) -> Run:
    words = process.argv[1:]
    if "-v" in words or "-V" in words:
        process.complain(f"nginx version: {_NGINX}\n")
        return 0
    if "-t" in words:
        config = "/etc/nginx/nginx.conf"
        process.complain(f"nginx: the configuration file {config} syntax is ok\nnginx: configuration file {config} test is successful\n")
        return 0
    if "-s" in words:
        return 0
    from controllers.kubelet.commands.programs import images

    page = images.files(process.world.image).get("/usr/share/nginx/html/index.html", b"<h1>Welcome to nginx!</h1>\n")
    server = Server(process)

    def handle(request: Request) -> Response:
        response = _static(process, "/usr/share/nginx/html", page, _NGINX, request)
        now = process.world.clock.now()
        line = (
            f'{request.peer.rpartition(":")[0]} - - [{now:%d/%b/%Y:%H:%M:%S} +0000] "{request.method} {request.target} {request.version}"'
        )
        process.print(f'{line} {response.status} {len(response.body)} "-" "{request.header("User-Agent") or "-"}" "-"\n')
        return response

    server.handle_signals(ending(server, 0))
    for port in _listens(process, "/etc/nginx/conf.d/default.conf"):
        try:
            server.http(port, handle)
        except OSError:
            now = process.world.clock.now()
            process.complain(f"{now:%Y/%m/%d %H:%M:%S} [emerg] 1#1: bind() to 0.0.0.0:{port} failed (98: Address already in use)\n")
            return 1
    return (yield from server.run())


def _httpd(process: Process) -> Run:
    """Apache, and busybox's httpd with its -p and -h."""
    busybox = process.argv[0].rpartition("/")[2] == "httpd" and any(word.startswith(("-p", "-h", "-f")) for word in process.argv[1:])
    port, root = 80, "/usr/local/apache2/htdocs"
    if busybox:
        root = process.cwd
        words = process.argv[1:]
        for at, word in enumerate(words):
            value = word[2:] or (words[at + 1] if at + 1 < len(words) else "")
            if word.startswith("-p"):
                number = value.rpartition(":")[2]
                port = int(number) if number.isdigit() else 80
            elif word.startswith("-h"):
                root = process.path(value)
    page = b"<html><body><h1>It works!</h1></body></html>\n"
    server = Server(process)
    if not busybox:
        server.handle_signals(ending(server, 0))
    try:
        server.http(port, lambda request: _static(process, root, page, _APACHE, request))
    except OSError:
        process.complain(
            "httpd: bind: Address already in use\n"
            if busybox
            else f"(98)Address in use: AH00072: make_sock: could not bind to address 0.0.0.0:{port}\n"
        )
        return 1
    if not busybox:
        now = process.world.clock.now()
        process.complain(f"[{now:%a %b %d %H:%M:%S.%f %Y}] [core:notice] [pid 1:tid 1] AH00094: Command line: 'httpd -D FOREGROUND'\n")
    return (yield from server.run())


def _python(process: Process) -> Run:
    """python -m http.server is all of Python that is known here."""
    words = [word for word in process.argv[1:] if word != "-u"]
    if words[:1] in (["-V"], ["--version"]):
        process.print("Python 3.12.3\n")
        return 0
    if words[:2] not in (["-m", "http.server"], ["-m", "SimpleHTTPServer"]):
        raise NotInterpreted(f'"{" ".join(process.argv[:3])}"')
    rest = words[2:]
    port = next((int(word) for word in rest if word.isdigit()), 8000)
    root = next((rest[at + 1] for at, word in enumerate(rest[:-1]) if word in ("-d", "--directory")), process.cwd)
    server = Server(process)

    def handle(request: Request) -> Response:
        now = process.world.clock.now()
        response = _python_file(process, root, request)
        line = f'{request.peer.rpartition(":")[0]} - - [{now:%d/%b/%Y %H:%M:%S}] "{request.method} {request.target} {request.version}"'
        process.complain(f"{line} {response.status} -\n")
        response.close = True
        return response

    try:
        server.http(port, handle)
    except OSError as error:
        process.complain(f"OSError: [Errno {error.errno}] {error.strerror}\n")
        return 1
    process.print(f"Serving HTTP on 0.0.0.0 port {port} (http://0.0.0.0:{port}/) ...\n")
    return (yield from server.run())


def _python_file(process: Process, root: str, request: Request) -> Response:
    banner = ("Server", "SimpleHTTP/0.6 Python/3.12.3")
    if request.method not in ("GET", "HEAD"):
        return Response(501, b"", [banner])
    try:
        there = content(process, root, request.path)
    except OSError:
        return Response(
            404,
            b"<!DOCTYPE HTML>\n<html><body><h1>Error response</h1><p>Error code: 404</p></body></html>\n",
            [banner, ("Content-Type", "text/html;charset=utf-8")],
        )
    if there.listing is not None:
        rows = "".join(f'<li><a href="{quote(name)}">{_escaped(name)}</a></li>\n' for name in there.listing)
        title = f"Directory listing for {_escaped(request.path)}"
        head = f'<!DOCTYPE HTML>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>{title}</title>\n</head>\n'
        page = f"{head}<body>\n<h1>{title}</h1>\n<hr>\n<ul>\n{rows}</ul>\n<hr>\n</body>\n</html>\n"
        return Response(200, page.encode(), [banner, ("Content-Type", "text/html; charset=utf-8")])
    if there.body is None:
        return Response(301, b"", [banner, ("Location", request.path + "/")])
    return Response(200, there.body, [banner, ("Content-Type", there.kind or "application/octet-stream")])


# ---- small ones


def pause(process: Process) -> Run:
    """registry.k8s.io/pause"""
    server = Server(process)
    server.handle_signals(ending(server, 0, "Shutting down, got signal: Terminated\n"))
    return (yield from server.run())


def perl(process: Process) -> Run:
    raise NotInterpreted("a Perl program")
    yield


def no_new_privileges(process: Process) -> int:
    """The nonewprivs image: a program with set-uid that says who it runs as, root unless allowPrivilegeEscalation is false."""
    held = b"NoNewPrivs:\t1" in process.world.files.read("/proc/self/status")
    process.print(f"Effective uid: {process.who.uid if held else 0}\n")
    return 0


def out_of_window(process: Process) -> Run:
    """regression-issue-74839: it would inject packets out of a connection's window; here there are none to drop."""
    server = Server(process)
    addresses = process.env.get("POD_IPS") or process.env.get("POD_IP", "")
    if not addresses:
        process.complain("panic: No valid IP found\n")
        return 2
    for address in addresses.split(","):
        server.log(f"external ip: {address}")
        server.log(f"probing {address}")
    server.log("listen on 0.0.0.0:9000")

    def connection(side: object) -> Task:
        yield 10.0

    server.listen(9000, "TCP", connection)
    return (yield from server.run())


def echo_server(process: Process) -> Run:
    """What registry.k8s.io/echoserver tells about a request."""

    def handle(request: Request) -> Response:
        headers = "".join(f"\t{name.lower()}={value}\n" for name, value in sorted(request.headers))
        pod = process.world.pod
        text = f"\n\nHostname: {process.world.hostname}\n\nPod Information:\n\tnode name:\t{pod.node}\n"
        text += f"\tpod name:\t{pod.name}\n\tpod namespace:\t{pod.namespace}\n"
        text += f"\nRequest Information:\n\tclient_address={request.peer.rpartition(':')[0]}\n"
        text += f"\tmethod={request.method}\n\treal path={request.target}\n"
        body = request.body.decode("utf-8", "replace") or "\t-no body in request-"
        text += f"\nRequest Headers:\n{headers}\nRequest Body:\n{body}\n\n"
        return http.text(text)

    return (yield from serve(Server(process), 8080, handle))


def http_echo(process: Process) -> Run:
    """hashicorp/http-echo -text=... -listen=:5678"""
    text, port = process.env.get("ECHO_TEXT", ""), 5678
    words = process.argv[1:]
    for at, word in enumerate(words):
        name, equals, value = word.lstrip("-").partition("=")
        value = value if equals else words[at + 1] if at + 1 < len(words) else ""
        if name == "text":
            text = value
        elif name == "listen" and value.rpartition(":")[2].isdigit():
            port = int(value.rpartition(":")[2])
    if not text:
        process.complain("Missing -text option!\n")
        return 127
    server = Server(process)
    server.log(f"[INFO] server is listening on :{port}")
    return (yield from serve(server, port, lambda request: http.text(text + "\n", headers=[("X-App-Name", "http-echo")])))


def who_am_i(process: Process) -> Run:
    """traefik/whoami"""

    def handle(request: Request) -> Response:
        network = process.world.network
        addresses = ["127.0.0.1", *(network.addresses if network is not None else ())]
        text = f"Hostname: {process.world.hostname}\n" + "".join(f"IP: {address}\n" for address in addresses)
        text += f"RemoteAddr: {request.peer}\n{request.method} {request.target} HTTP/1.1\n"
        return http.text(text + "".join(f"{name}: {value}\n" for name, value in request.headers) + "\n")

    server = Server(process)
    server.log("Starting up on port 80")
    return (yield from serve(server, 80, handle))


def hello_app(process: Process) -> Run:
    """google-samples/hello-app"""
    port = process.env.get("PORT", "8080")
    version = "2.0.0" if process.world.image.endswith(":2.0") else "1.0.0"
    server = Server(process)
    server.log(f"Server listening on port {port}")

    def handle(request: Request) -> Response:
        server.log(f"Serving request: {request.path}")
        return http.text(f"Hello, world!\nVersion: {version}\nHostname: {process.world.hostname}\n")

    return (yield from serve(server, int(port) if port.isdigit() else 8080, handle))


def _redis(process: Process) -> Run:
    process.print(f"1:M {process.world.clock.now():%d %b %Y %H:%M:%S.000} * Ready to accept connections tcp\n")
    server = Server(process)
    server.handle_signals(ending(server, 0))
    server.listen(6379, "TCP", lambda side: _redis_connection(side))
    return (yield from server.run())


def _redis_connection(side: object) -> Task:
    """Refused by name: its protocol is not spoken here."""
    from controllers.kubelet.commands.network import Side

    assert isinstance(side, Side)
    side.write(b"-ERR this redis is simulated\r\n")
    return
    yield


def _redis_cli(process: Process) -> Run:
    raise NotInterpreted('"redis-cli"')
    yield


def program(name: str, gnu: bool) -> Callable[[Process], int | Run]:
    return {
        "pause": pause,
        "nginx": _nginx,
        "httpd": _httpd,
        "httpd-foreground": _httpd,
        "python": _python,
        "python3": _python,
        "redis-server": _redis,
        "redis-cli": _redis_cli,
    }[name]


def as_json(value: object) -> str:
    """Go's json.Marshal of maps: keys in order, HTML escaped, no spaces."""
    text = json.dumps(value, separators=(",", ":"), sort_keys=True, ensure_ascii=False)
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")
