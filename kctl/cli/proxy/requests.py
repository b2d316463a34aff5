"""A client's requests as `kctl proxy` reads them: the head, how long the body is, and whether the connection stays. No I/O.

What could be read in two ways is refused (two lengths, a length beside chunks, folded lines): the API server behind must see exactly the
request that the filters saw.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote

HEAD_BYTES: Final = 1024 * 1024
"""As net/http's DefaultMaxHeaderBytes."""
_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_FIRST_LINE = re.compile(r"([!#$%&'*+\-.^_`|~0-9A-Za-z]+) (\S+) (HTTP/1\.[01])")
_HOP_BY_HOP: Final = frozenset(
    [
        "connection",
        "proxy-connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "expect",
        "host",
        "content-length",
    ]
)


class BadRequest(Exception):
    """Not HTTP/1.1, or ambiguous."""


@dataclass(frozen=True)
class ClientRequest:
    """`target` as it came; `headers` in order, names as given. `length` is the body's, -1 where it comes in chunks."""

    method: str
    target: str
    version: str
    headers: tuple[tuple[str, str], ...]
    length: int

    @property
    def path(self) -> str:
        """Decoded, without the query."""
        return unquote(self.raw_path)

    @property
    def raw_path(self) -> str:
        return self.target.partition("?")[0]

    @property
    def query(self) -> str:
        """With its question mark."""
        _, mark, query = self.target.partition("?")
        return mark + query

    def header(self, name: str) -> str:
        return next((value for key, value in self.headers if key.lower() == name), "")

    @property
    def keeps_connection(self) -> bool:
        said = self.header("connection").lower()
        return "close" not in said and (self.version == "HTTP/1.1" or "keep-alive" in said)

    @property
    def upgrade(self) -> str:
        """The protocol that the client wants to change to."""
        return self.header("upgrade") if "upgrade" in self.header("connection").lower() else ""

    @property
    def waits_for_continue(self) -> bool:
        return self.header("expect").lower() == "100-continue"

    def end_to_end(self) -> list[tuple[str, str]]:
        """The headers that go on to the server."""
        named = {name.strip().lower() for name in self.header("connection").split(",")}
        return [(name, value) for name, value in self.headers if name.lower() not in _HOP_BY_HOP and name.lower() not in named]


def parse_head(data: bytes) -> ClientRequest:
    """Of a request's head without its empty line. Raises BadRequest."""
    first, *lines = data.decode("latin-1").split("\r\n")
    found = _FIRST_LINE.fullmatch(first)
    if found is None:
        raise BadRequest("malformed request line")
    headers = tuple(map(_header, lines))
    method, target, version = found.groups()
    if "://" in target:  # the absolute form that is sent to proxies
        target = "/" + target.partition("://")[2].partition("/")[2]
    if not target.startswith("/"):
        raise BadRequest("malformed request target")
    return ClientRequest(method, target, version, headers, _length(headers))


def _header(line: str) -> tuple[str, str]:
    name, colon, value = line.partition(":")
    if not colon or _TOKEN.fullmatch(name) is None or "\r" in value or "\n" in value or "\0" in value:
        raise BadRequest("malformed header")
    return name, value.strip(" \t")


def _length(headers: tuple[tuple[str, str], ...]) -> int:
    lengths = {value for name, value in headers if name.lower() == "content-length"}
    codings = [value.lower() for name, value in headers if name.lower() == "transfer-encoding"]
    if codings:
        if codings != ["chunked"] or lengths:
            raise BadRequest("unsupported transfer encoding")
        return -1
    if not lengths:
        return 0
    text = lengths.pop()
    if lengths or not (text.isascii() and text.isdigit()) or len(text) > 18:
        raise BadRequest("bad Content-Length")
    return int(text)


def chunk_size(line: bytes) -> int:
    """Of a chunk's first line. Raises BadRequest."""
    digits = line.partition(b";")[0].strip()
    if re.fullmatch(rb"[0-9A-Fa-f]{1,15}", digits) is None:
        raise BadRequest("invalid byte in chunk length")
    return int(digits, 16)
