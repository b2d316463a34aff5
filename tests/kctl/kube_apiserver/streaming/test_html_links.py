"""Pages as Go's html tokenizer reads and writes them, with their links rewritten."""

from __future__ import annotations

import zlib

import pytest

from kctl.kube_apiserver.streaming.html_links import CannotRead, rewrite_body, rewrite_page


def through(link: str) -> str:
    return f"/proxy{link}" if link.startswith("/") else link


@pytest.mark.parametrize(
    ("page", "rewritten"),
    [
        ("plain text, 1 < 2 <", "plain text, 1 < 2 <"),
        ('<a href="/x">y</a>', '<a href="/proxy/x">y</a>'),
        ("<A HREF=/x CLASS=b>y</A>", '<a href="/proxy/x" class="b">y</A>'),
        ("<img src='/p' usemap=/m alt='a\"b'/>", '<img src="/proxy/p" usemap="/proxy/m" alt="a&#34;b"/>'),
        ("<input disabled formaction = /f >", '<input disabled="" formaction="/proxy/f">'),
        ("<p title='/no'>a", '<p title="/no">a'),
        ("<a href=/x?a&amp;b=<>", '<a href="/proxy/x?a&amp;b=&lt;">'),
        ('<!doctype html><!-- <a href="/no"> --><?x <a?>', '<!doctype html><!-- <a href="/no"> --><?x <a?>'),
        ("<script src=/s>'<a href=\"/no\">'</script><a href=/x>", '<script src="/proxy/s">\'<a href="/no">\'</script><a href="/proxy/x">'),
        ("<title><a href=/no></TITLE ><a href=/x>", '<title><a href=/no></TITLE ><a href="/proxy/x">'),
        ("<plaintext><a href=/no></plaintext>", "<plaintext><a href=/no></plaintext>"),
        ("<a href=/x><a href='/never closed", '<a href="/proxy/x">'),
        ("<video poster=/p src=/v><object data=/d>", '<video poster="/proxy/p" src="/proxy/v"><object data="/proxy/d">'),
        ("<!-- never closed <a href=/no>", "<!-- never closed <a href=/no>"),
    ],
)  # fmt: skip
def test_a_page(page: str, rewritten: str) -> None:
    assert rewrite_page(page, through) == rewritten


def test_bytes_that_are_no_text_stay() -> None:
    assert rewrite_body(b"\xff<a href=/x>\xfe", "", through) == b'\xff<a href="/proxy/x">\xfe'


def test_deflated() -> None:
    packer = zlib.compressobj(wbits=-15)
    packed = packer.compress(b"<a href=/x>") + packer.flush()
    found = rewrite_body(packed, "deflate", through)
    assert found is not None and zlib.decompress(found, -15) == b'<a href="/proxy/x">'


def test_an_encoding_nobody_knows_and_one_that_is_not_what_it_says() -> None:
    assert rewrite_body(b"<a href=/x>", "br", through) is None
    with pytest.raises(CannotRead):
        rewrite_body(b"<a href=/x>", "gzip", through)
