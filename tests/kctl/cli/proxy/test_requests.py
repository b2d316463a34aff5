"""What `kctl proxy` reads of requests, and which it lets through."""

from __future__ import annotations

import re

import pytest

from kctl.cli.proxy import filters
from kctl.cli.proxy.requests import BadRequest, chunk_size, parse_head

HEAD = b"GET /api/v1/pods?watch=1 HTTP/1.1\r\nHost: localhost:8001\r\n"


def test_a_request() -> None:
    request = parse_head(HEAD + b"Connection: X-Hop, keep-alive\r\nX-Hop: 1\r\nAccept: */*\r\nContent-Length: 3")
    assert (request.method, request.path, request.query, request.length) == ("GET", "/api/v1/pods", "?watch=1", 3)
    assert request.end_to_end() == [("Accept", "*/*")]
    assert request.keeps_connection and not request.upgrade


def test_an_upgrade_and_chunks() -> None:
    request = parse_head(HEAD + b"Connection: Upgrade\r\nUpgrade: websocket\r\nTransfer-Encoding: chunked")
    assert (request.upgrade, request.length) == ("websocket", -1)


@pytest.mark.parametrize(
    "more",
    [
        b"Content-Length: 3\r\nContent-Length: 4",
        b"Content-Length: 3\r\nTransfer-Encoding: chunked",
        b"Content-Length: +3",
        b"Transfer-Encoding: gzip",
        b"A b: c",
        b" folded",
        b"A: b\nC: d",
    ],
)
def test_what_can_be_read_in_two_ways_is_refused(more: bytes) -> None:
    with pytest.raises(BadRequest):
        parse_head(HEAD + more)


@pytest.mark.parametrize("line", [b"GET / HTTP/2.0", b"GET  HTTP/1.1", b"GET x HTTP/1.1", b"G ET / HTTP/1.1", b""])
def test_what_is_no_request(line: bytes) -> None:
    with pytest.raises(BadRequest):
        parse_head(line)


def test_sizes_of_chunks() -> None:
    assert chunk_size(b"1f;name=value") == 31
    for line in (b"", b"-1", b"0x1", b"g", b"f" * 16):
        with pytest.raises(BadRequest):
            chunk_size(line)


@pytest.mark.parametrize(
    ("method", "path", "host", "accepted"),
    [
        ("GET", "/api/v1/pods", "localhost:8001", True),
        ("GET", "/api/v1/pods", "127.0.0.1", True),
        ("GET", "/api/v1/pods", "[::1]:8001", False),  # net.SplitHostPort takes the brackets off, as in kubectl
        ("GET", "/api/v1/pods", "[::1]", True),
        ("GET", "/api/v1/pods", "example.com", False),
        ("GET", "/api/v1/namespaces/x/pods/y/exec", "localhost", False),
        ("POST", "/api/v1/namespaces/x/pods/y/attach", "localhost", False),
        ("DELETE", "/api/v1/pods", "localhost", False),
    ],
)
def test_the_filter(method: str, path: str, host: str, accepted: bool) -> None:
    rules = (filters.ACCEPTED_PATHS, filters.REJECTED_PATHS, filters.ACCEPTED_HOSTS, "^DELETE$")
    assert filters.Filter(*map(filters.patterns, rules)).accepts(method, path, host) is accepted


def test_patterns() -> None:
    assert filters.patterns("") == ()
    with pytest.raises(re.error):
        filters.patterns("(")


@pytest.mark.parametrize(
    ("prefix", "path", "asked"),
    [("/", "/api", "/api"), ("/custom/", "/custom/api/v1", "/api/v1"), ("/api/", "/api/v1", "/api/v1"), ("/k8s-api/", "/k8s-api/", "/")],
)
def test_prefixes(prefix: str, path: str, asked: str) -> None:
    assert filters.api_path(prefix, path) == asked


@pytest.mark.parametrize(("path", "clean"), [("/a//b", "/a/b"), ("/a/../b/", "/b/"), ("/", "/"), ("//x", "/x"), ("/a/./b", "/a/b")])
def test_paths_are_cleaned(path: str, clean: str) -> None:
    assert filters.cleaned(path) == clean
