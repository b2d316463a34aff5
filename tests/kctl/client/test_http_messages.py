"""HTTP answers come in pieces of any size; what is no HTTP is refused, and what is endless is bounded."""

from __future__ import annotations

import pytest

from kctl.client.http_codec import WatchLines
from kctl.client.http_messages import HEAD_BYTES, LINE_BYTES, Address, Answer, ProtocolError, quote, request_bytes

ANSWERS = {
    "length": (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", b"hello", True),
    "empty": (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", b"", True),
    "no content": (b"HTTP/1.1 204 No Content\r\n\r\n", b"", True),
    "continue": (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\n{}", b"{}", True),
    "chunked": (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n0A\r\n0123456789\r\n0\r\n\r\n",
        b"abc0123456789",
        True,
    ),
    "trailers": (b"HTTP/1.1 200 OK\r\ntransfer-encoding: Chunked\r\n\r\n1\r\na\r\n0\r\nX: y\r\n\r\n", b"a", True),
    "closing": (b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1\r\n\r\na", b"a", False),
    "until the end": (b"HTTP/1.1 200 OK\r\n\r\nall of it", b"all of it", False),
    "old": (b"HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\na", b"a", False),
}


@pytest.mark.parametrize("name", ANSWERS)
@pytest.mark.parametrize("step", [1, 2, 3, 7, 1000])
def test_in_pieces(name: str, step: int) -> None:
    data, body, reusable = ANSWERS[name]
    answer, parts = Answer(), []
    for position in range(0, len(data), step):
        parts += answer.feed(data[position : position + step])
    if name == "until the end":
        assert not answer.done
        parts += answer.feed(b"")
    assert (b"".join(parts), answer.done, answer.reusable) == (body, True, reusable)


@pytest.mark.parametrize(
    "data",
    [
        b"SSH-2.0-OpenSSH\r\n\r\n",
        b"HTTP/1.1 2000 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-3\r\nabc\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n",
        b"x" * (HEAD_BYTES + 1),
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1" * (LINE_BYTES + 1),
    ],
    ids=["other protocol", "status", "header", "length", "size", "negative size", "no end of chunk", "endless head", "endless size"],
)
def test_refused(data: bytes) -> None:
    with pytest.raises(ProtocolError):
        Answer().feed(data)


@pytest.mark.parametrize("name", ["length", "chunked"])
def test_cut_off(name: str) -> None:
    answer = Answer()
    answer.feed(ANSWERS[name][0][:-3])
    with pytest.raises(EOFError):
        answer.feed(b"")


def test_two_answers_at_once_spoil_the_connection() -> None:
    answer = Answer()
    answer.feed(ANSWERS["chunked"][0] + b"HTTP/1.1 200 OK")
    assert answer.done and not answer.reusable


def test_a_request() -> None:
    data = request_bytes("PUT", "/x?a=b", [("Host", "h"), ("Content-Length", "2")], b"{}")
    assert data == b"PUT /x?a=b HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\n{}"


@pytest.mark.parametrize(("target", "value"), [("/x", "a\r\nInjected: 1"), ("/x y", "a"), ("/x\r\n", "a")])
def test_a_request_that_would_be_two(target: str, value: str) -> None:
    with pytest.raises(ProtocolError):
        request_bytes("GET", target, [("Impersonate-User", value)], None)


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("https://example.com", (True, "example.com", 443, "example.com", "")),
        ("http://127.0.0.1:8001/", (False, "127.0.0.1", 8001, "127.0.0.1:8001", "")),
        ("https://h:6443/k8s/clusters/c-1/", (True, "h", 6443, "h:6443", "/k8s/clusters/c-1")),
        ("https://[::1]:6443", (True, "::1", 6443, "[::1]:6443", "")),
        ("https://[fe80::1]", (True, "fe80::1", 443, "[fe80::1]", "")),
    ],
)
def test_addresses(url: str, address: tuple[bool, str, int, str, str]) -> None:
    assert Address.of(url) == address


def test_quoting_is_the_standard_librarys() -> None:
    from urllib.parse import quote as standard

    for text in ("a-b_c.d~e", "a b/c?d=e&f", "é漢\n\0%", ""):
        assert quote(text) == standard(text, safe="")


def test_watch_lines() -> None:
    lines = WatchLines()
    assert lines.feed(b'{"type":"ADDED","obj') == []
    assert [one.type for one in lines.feed(b'ect":{}}\n\n{"type":"DELETED","object":{}}\n{"t')] == ["ADDED", "DELETED"]
