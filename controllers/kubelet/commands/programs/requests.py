"""curl and wget (busybox's and GNU's)."""

from __future__ import annotations

import base64
import errno
import re
import socket
from collections.abc import Generator
from dataclasses import dataclass, field, replace
from urllib.parse import quote, urljoin

from controllers.kubelet.commands.errors import NotInterpreted
from controllers.kubelet.commands.network import Side
from controllers.kubelet.commands.process import Run
from controllers.kubelet.commands.programs import http
from controllers.kubelet.commands.programs.call import Applet, Call, programs
from controllers.kubelet.commands.programs.fetching import Exchange, Limits, TimedOut, Url, fetch, parse_url
from controllers.kubelet.commands.programs.http import Response
from controllers.kubelet.commands.tls import TlsFailed, of_client

Waits = float | None
_MOST_REDIRECTS = 50
_MOST_RETRIES = 100

# ---- curl

_FLAGS = "gqskSfLiIvN46GOj#"
_VALUED = "XHdoAuwemTbcFxKrC"
_LONG = {
    "silent": "s",
    "show-error": "S",
    "fail": "f",
    "location": "L",
    "include": "i",
    "head": "I",
    "verbose": "v",
    "insecure": "k",
    "globoff": "g",
    "disable": "q",
    "no-buffer": "N",
    "ipv4": "4",
    "ipv6": "6",
    "get": "G",
    "remote-name": "O",
    "progress-bar": "#",
    "request": "X",
    "header": "H",
    "data": "d",
    "data-raw": "d",
    "data-binary": "d",
    "output": "o",
    "user-agent": "A",
    "user": "u",
    "write-out": "w",
    "referer": "e",
    "max-time": "m",
    "upload-file": "T",
    "cookie": "b",
    "cookie-jar": "c",
    "form": "F",
    "proxy": "x",
}
_VALUED_LONG = frozenset(
    [
        "connect-timeout",
        "retry",
        "retry-delay",
        "retry-max-time",
        "url",
        "json",
        "resolve",
        "interface",
        "cacert",
        "cert",
        "key",
        "max-redirs",
        "noproxy",
        "data-urlencode",
    ]
)
_FLAG_LONG = frozenset(
    [
        "compressed",
        "http1.1",
        "http1.0",
        "http2",
        "retry-connrefused",
        "retry-all-errors",
        "fail-with-body",
        "no-keepalive",
        "tcp-nodelay",
        "raw",
        "no-progress-meter",
    ]
)


@dataclass
class _Options:
    flags: set[str] = field(default_factory=set)
    values: dict[str, str] = field(default_factory=dict)
    headers: list[tuple[str, str]] = field(default_factory=list)
    data: list[str] = field(default_factory=list)
    forms: list[str] = field(default_factory=list)
    urls: list[str] = field(default_factory=list)


def _parsed(call: Call) -> _Options:
    options, words, at = _Options(), call.arguments, 0

    def value(word: str) -> str:
        nonlocal at
        if at >= len(words):
            raise call.usage(f"option {word}: requires parameter\ncurl: try 'curl --help' or 'curl --manual' for more information", 2)
        at += 1
        return words[at - 1]

    while at < len(words):
        word = words[at]
        at += 1
        if word.startswith("--") and len(word) > 2:
            name = word[2:]
            if name in _VALUED_LONG:
                _take(options, name, value(word))
            elif name in _FLAG_LONG:
                options.flags.add(name)
            elif name not in _LONG:
                raise NotInterpreted(f'"curl {word}"')
            elif _LONG[name] in _VALUED:
                _take(options, _LONG[name], value(word))
            else:
                options.flags.add(_LONG[name])
        elif word.startswith("-") and len(word) > 1:
            for index, letter in enumerate(word[1:], 1):
                if letter in _VALUED:
                    _take(options, letter, word[index + 1 :] or value(f"-{letter}"))
                    break
                if letter not in _FLAGS:
                    raise NotInterpreted(f'"curl -{letter}"')
                options.flags.add(letter)
        else:
            options.urls.append(word)
    return options


def _take(options: _Options, name: str, value: str) -> None:
    if name == "H":
        header, _, content = value.partition(":")
        options.headers.append((header.strip(), content.strip()))
    elif name in ("d", "json"):
        options.data.append(value)
        if name == "json":
            options.headers += [("Content-Type", "application/json"), ("Accept", "application/json")]
    elif name == "data-urlencode":
        key, equals, content = value.partition("=")
        options.data.append(f"{key}={quote(content, safe='')}" if equals else quote(value, safe=""))
    elif name == "F":
        options.forms.append(value)
    elif name == "url":
        options.urls.append(value)
    else:
        options.values[name] = value


class CurlError(Exception):
    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


def _seconds(text: str) -> float:
    return float(text) if re.fullmatch(r"\d{1,9}(\.\d{1,6})?", text) else 0.0


def _curl(call: Call) -> Run:
    if call.arguments[:1] in (["--version"], ["-V"]):
        call.print("curl 8.9.1 (x86_64-alpine-linux-musl) libcurl/8.9.1\nProtocols: http\n")
        return 0
    options = _parsed(call)
    if not options.urls:
        raise call.usage("(2) no URL specified\ncurl: try 'curl --help' or 'curl --manual' for more information", 2)
    code = 0
    for url in options.urls:
        code = yield from _one(call, options, url)
    return code


def _one(call: Call, options: _Options, text: str) -> Generator[Waits, None, int]:
    retries = int(options.values.get("retry", "0")) if options.values.get("retry", "0").isdigit() else 0
    for attempt in range(min(retries, _MOST_RETRIES) + 1):
        try:
            exchange = yield from _exchange(call, options, text)
            response, side, url = yield from _fetched(call, options, exchange)
        except CurlError as failed:
            again = failed.code == 28 or ("retry-connrefused" in options.flags and failed.code == 7) or "retry-all-errors" in options.flags
            if again and attempt < retries:
                yield _seconds(options.values.get("retry-delay", "")) or float(min(2**attempt, 600))
                continue
            if "s" not in options.flags or "S" in options.flags:
                call.process.complain(f"curl: ({failed.code}) {failed}\n")
            _written(call, options, None, None, text)
            return failed.code
        return _shown(call, options, response, side, url)
    return 0


def _exchange(call: Call, options: _Options, text: str) -> Generator[Waits, None, Exchange]:
    try:
        url = parse_url(text)
    except ValueError:
        scheme = text.partition("://")[0] if "://" in text else ""
        if scheme and scheme not in ("http", "https"):
            raise CurlError(1, f'Protocol "{scheme}" not supported') from None
        raise CurlError(3, "URL rejected: Malformed input to a URL function") from None
    body = yield from _body(call, options)
    headers = [("User-Agent", options.values.get("A", "curl/8.9.1")), ("Accept", "*/*")]
    headers = [each for each in headers if not any(name.lower() == each[0].lower() for name, _ in options.headers)]
    if "u" in options.values:
        headers.append(("Authorization", "Basic " + base64.b64encode(options.values["u"].encode()).decode()))
    if "b" in options.values:
        headers.append(("Cookie", options.values["b"]))
    if "e" in options.values:
        headers.append(("Referer", options.values["e"]))
    headers += [each for each in options.headers if each[1] or each[0].endswith(";")]
    method = "HEAD" if "I" in options.flags else "PUT" if "T" in options.values else "POST" if options.data or options.forms else "GET"
    if "G" in options.flags and options.data:
        url, body, method = replace(url, target=url.target + ("&" if "?" in url.target else "?") + body.decode()), b"", "GET"
    elif options.forms:
        boundary = "------------------------d74496d66958873e"
        headers.append(("Content-Type", f"multipart/form-data; boundary={boundary}"))
        body = _multipart(call, options.forms, boundary)
    elif options.data and not http.value_of(headers, "Content-Type"):
        headers.append(("Content-Type", "application/x-www-form-urlencoded"))
    if options.data and not body and method == "POST":
        headers.append(("Content-Length", "0"))
    authority = None
    if "cacert" in options.values:
        try:
            authority = call.process.read(options.values["cacert"])
            of_client(authority)
        except OSError:
            raise CurlError(77, f"error setting certificate file: {options.values['cacert']}") from None
    limits = Limits(_seconds(options.values.get("connect-timeout", "")) or Limits().connect_seconds, _seconds(options.values.get("m", "")))
    return Exchange(url, options.values.get("X", method), headers, body, limits, "k" not in options.flags, authority)


def _tls_error(failed: TlsFailed) -> CurlError:
    """As curl with OpenSSL words it."""
    if failed.unverified:
        return CurlError(60, f"SSL certificate problem: {failed.unverified}")
    if failed.plain:
        return CurlError(35, "TLS connect error: error:0A00010B:SSL routines::wrong version number")
    return CurlError(35, f"TLS connect error: {failed}")


def _body(call: Call, options: _Options) -> Generator[Waits, None, bytes]:
    parts = []
    sources = [f"@{options.values['T']}"] if "T" in options.values else options.data
    for text in sources:
        if not text.startswith("@"):
            parts.append(text.encode("utf-8", "surrogateescape"))
        elif text == "@-":
            parts.append((yield from call.process.stdin.all()))
        else:
            try:
                parts.append(call.process.read(text[1:]))
            except OSError:
                raise CurlError(26, f"Failed to open {text[1:]}") from None
    return b"&".join(parts)


def _multipart(call: Call, forms: list[str], boundary: str) -> bytes:
    made = b""
    for form in forms:
        name, _, value = form.partition("=")
        disposition = f'form-data; name="{name}"'
        content, kind = value.encode("utf-8", "surrogateescape"), ""
        if value.startswith("@"):
            path = value[1:].partition(";")[0]
            try:
                content = call.process.read(path)
            except OSError:
                raise CurlError(26, "Failed to open/read local data from file/application") from None
            disposition += f'; filename="{path.rpartition("/")[2]}"'
            kind = "\r\nContent-Type: application/octet-stream"
        made += f"--{boundary}\r\nContent-Disposition: {disposition}{kind}\r\n\r\n".encode() + content + b"\r\n"
    return made + f"--{boundary}--\r\n".encode()


def _fetched(call: Call, options: _Options, exchange: Exchange) -> Generator[Waits, None, tuple[Response, Side, Url]]:
    for _ in range(_MOST_REDIRECTS):
        response, side = yield from _sent(call, exchange)
        location = response.header("Location")
        if "L" not in options.flags or not 300 <= response.status < 400 or not location:
            return response, side, exchange.url
        scheme = f"{exchange.url.scheme}://{exchange.url.host_header}{exchange.url.target}"
        exchange = replace(exchange, url=parse_url(urljoin(scheme, location)))
        if response.status in (301, 302, 303) and exchange.method == "POST" and "X" not in options.values:
            exchange = replace(exchange, method="GET", body=b"")
    raise CurlError(47, f"Maximum ({_MOST_REDIRECTS}) redirects followed")


def _sent(call: Call, exchange: Exchange) -> Generator[Waits, None, tuple[Response, Side]]:
    url, limits = exchange.url, exchange.limits
    start = call.process.world.clock.monotonic()
    try:
        return (yield from fetch(call.process, exchange))
    except TlsFailed as failed:
        raise _tls_error(failed) from None
    except socket.gaierror:
        raise CurlError(6, f"Could not resolve host: {url.host}") from None
    except TimedOut as late:
        took = round((call.process.world.clock.monotonic() - start) * 1000)
        if late.connecting:
            raise CurlError(28, f"Failed to connect to {url.host} port {url.port} after {took} ms: Timeout was reached") from None
        raise CurlError(28, f"Operation timed out after {round(limits.total_seconds * 1000)} milliseconds with 0 bytes received") from None
    except OSError as error:
        if error.errno == errno.EPIPE:
            raise CurlError(52, "Empty reply from server") from None
        words = "Could not connect to server" if error.errno == errno.ECONNREFUSED else error.strerror
        raise CurlError(7, f"Failed to connect to {url.host} port {url.port} after 0 ms: {words}") from None
    except http.BadMessage as bad:
        if str(bad) == "EOF":
            raise CurlError(52, "Empty reply from server") from None
        if "malformed" in str(bad):
            raise CurlError(1, "Received HTTP/0.9 when not allowed") from None
        raise CurlError(18, "transfer closed with outstanding read data remaining") from None


def _head_of(response: Response) -> str:
    lines = "".join(f"{name}: {value}\r\n" for name, value in response.headers)
    return f"HTTP/1.1 {response.status} {http.STATUS.get(response.status, '')}\r\n{lines}\r\n"


def _shown(call: Call, options: _Options, response: Response, side: Side, url: Url) -> int:
    failed = "f" in options.flags and response.status >= 400
    body = b"" if failed else response.body
    if options.flags & {"i", "I"}:
        body = _head_of(response).encode("utf-8", "surrogateescape") + body
    target = options.values.get("o") or (url.target.partition("?")[0].rpartition("/")[2] if "O" in options.flags else "")
    if target and target != "-":
        try:
            call.process.write(target, body)
        except OSError:
            call.process.complain("curl: (23) Failure writing output to destination\n")
            return 23
    else:
        call.process.out(body)
    _written(call, options, response, side, f"{url.scheme}://{url.host_header}{url.target}")
    if failed:
        if "s" not in options.flags or "S" in options.flags:
            call.process.complain(f"curl: (22) The requested URL returned error: {response.status}\n")
        return 22
    return 0


def _written(call: Call, options: _Options, response: Response | None, side: Side | None, url: str) -> None:
    """-w"""
    form = options.values.get("w")
    if form is None:
        return
    peer = (side.peer if side is not None else "").rpartition(":")
    values = {
        "http_code": f"{response.status if response else 0:03d}",
        "response_code": f"{response.status if response else 0:03d}",
        "size_download": str(len(response.body) if response else 0),
        "content_type": response.header("Content-Type") if response else "",
        "url_effective": url,
        "remote_ip": peer[0].strip("[]"),
        "remote_port": peer[2] or "0",
        "local_ip": (side.local if side is not None else "").rpartition(":")[0].strip("[]"),
        "num_redirects": "0",
        "redirect_url": response.header("Location") if response else "",
    }

    def value(matched: re.Match[str]) -> str:
        name = matched.group(1)
        return values.get(name, "0.000100" if name.startswith("time_") else "0")

    text = re.sub(r"%\{(\w+)\}", value, form.replace("\\n", "\n").replace("\\t", "\t").replace("\\r", "\r"))
    call.print(text)


# ---- wget


def _wget(call: Call) -> Run:
    long = {"quiet": "q", "output-document": "O", "timeout": "T", "tries": "t", "spider": "s", "no-check-certificate": "k"}
    long |= {"server-response": "S", "post-data": "d", "header": "h", "user-agent": "U", "no-verbose": "v"}
    headers = [_header(each.partition("=")[2]) for each in call.arguments if each.startswith("--header=")]
    call.arguments = ["-q" if each == "-nv" else each for each in call.arguments]
    given, urls = call.options("qcSskv", "OTtPUhd", long)
    if not urls:
        raise call.usage("missing URL" if call.gnu else "BusyBox v1.36.1: too few arguments")
    if "h" in given and not headers:
        headers = [_header(given["h"])]
    code = 0
    for text in urls:
        code = (yield from _downloaded(call, given, text, headers)) or code
    return code


def _header(text: str) -> tuple[str, str]:
    name, _, value = text.partition(":")
    return name.strip(), value.strip()


def _downloaded(call: Call, given: dict[str, str], text: str, headers: list[tuple[str, str]]) -> Generator[Waits, None, int]:
    seconds = _seconds(given.get("T", "")) or 900.0
    try:
        url = parse_url(text)
    except ValueError:
        call.complain(f"{text}: Unsupported scheme." if call.gnu else f"not an http or ftp url: {text}")
        return 1
    method = "POST" if "d" in given else "HEAD" if "s" in given and call.gnu else "GET"
    for _ in range(20):
        sent = [("User-Agent", given.get("U", "Wget/1.21.4" if call.gnu else "Wget")), *headers, ("Connection", "close")]
        verifies = call.gnu and "k" not in given
        if url.scheme == "https" and not call.gnu and "q" not in given:
            call.complain("note: TLS certificate validation not implemented")
        exchange = Exchange(url, method, sent, given.get("d", "").encode(), Limits(seconds, seconds), verifies)
        try:
            response, side = yield from fetch(call.process, exchange)
        except socket.gaierror:
            call.complain(f"unable to resolve host address '{url.host}'" if call.gnu else f"bad address '{url.host}'")
            return 4 if call.gnu else 1
        except TlsFailed as failed:
            call.complain(f"cannot verify {url.host}'s certificate: {failed.unverified}" if failed.unverified else f"SSL error: {failed}")
            return 5 if call.gnu else 1
        except TimedOut:
            call.complain("download timed out")
            return 4 if call.gnu else 1
        except OSError as error:
            words = (error.strerror or "").capitalize()
            call.complain(f"can't connect to remote host ({url.host}): {words}" if not call.gnu else f"failed: {words}.")
            return 4 if call.gnu else 1
        except http.BadMessage:
            call.complain("error getting response")
            return 4 if call.gnu else 1
        if "q" not in given:
            call.process.complain(f"Connecting to {url.host_header} ({side.peer})\n")
        location = response.header("Location")
        if not 300 <= response.status < 400 or not location:
            break
        url = parse_url(urljoin(f"{url.scheme}://{url.host_header}{url.target}", location))
    if response.status >= 400:
        reason = f"{response.status} {http.STATUS.get(response.status, '')}"
        call.complain(f"server returned error: HTTP/1.1 {reason}" if not call.gnu else f"ERROR {reason}.")
        return 8 if call.gnu else 1
    return _saved(call, given, url, response)


def _saved(call: Call, given: dict[str, str], url: Url, response: Response) -> int:
    if "s" in given:
        if "q" not in given and not call.gnu:
            call.process.complain("remote file exists\n")
        return 0
    target = given.get("O") or url.target.partition("?")[0].rpartition("/")[2] or "index.html"
    if target == "-":
        call.process.out(response.body)
        return 0
    try:
        call.process.write(f"{given['P'].rstrip('/')}/{target}" if "P" in given and "O" not in given else target, response.body)
    except OSError as error:
        return call.failed(target, error)
    if "q" not in given:
        call.process.complain(f"saving to '{target}'\n'{target}' saved\n")
    return 0


_APPLETS: dict[str, Applet] = {"curl": _curl, "wget": _wget}
program = programs(_APPLETS)
