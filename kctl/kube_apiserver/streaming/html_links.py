"""Links in a page that came through a proxy: those to the server it came from lead through the proxy again.

The page is read as Go's html tokenizer reads it and start tags are written as it writes them (names in lower case, every value quoted);
the rest stays byte for byte.
"""

from __future__ import annotations

import html
import re
import zlib
from collections.abc import Callable

LARGEST_PAGE = 4 * 1024 * 1024
"""What a rewritten page may have; larger ones pass as they are."""
_LINKS = {
    "a": ("href",),
    "applet": ("codebase",),
    "area": ("href",),
    "audio": ("src",),
    "base": ("href",),
    "blockquote": ("cite",),
    "body": ("background",),
    "button": ("formaction",),
    "command": ("icon",),
    "del": ("cite",),
    "embed": ("src",),
    "form": ("action",),
    "frame": ("longdesc", "src"),
    "head": ("profile",),
    "html": ("manifest",),
    "iframe": ("longdesc", "src"),
    "img": ("longdesc", "src", "usemap"),
    "input": ("src", "usemap", "formaction"),
    "ins": ("cite",),
    "link": ("href",),
    "object": ("classid", "codebase", "data", "usemap"),
    "q": ("cite",),
    "script": ("src",),
    "source": ("src",),
    "video": ("poster", "src"),
}
_RAW_TEXT = frozenset({"iframe", "noembed", "noframes", "noscript", "plaintext", "script", "style", "textarea", "title", "xmp"})
_NAME = re.compile(r"[^ \n\r\t\f/>]+")
_SPACE = re.compile(r"[ \n\r\t\f]*")
_KEY = re.compile(r"[^ \n\r\t\f/=>]*")
_UNQUOTED = re.compile(r"[^ \n\r\t\f>]*")
_ESCAPED = str.maketrans({"&": "&amp;", "'": "&#39;", "<": "&lt;", ">": "&gt;", '"': "&#34;", "\r": "&#13;"})
Rewrite = Callable[[str], str]


class CannotRead(Exception):
    """A page that is not compressed as its header says."""


def rewrite_body(body: bytes, encoding: str, rewrite: Rewrite) -> bytes | None:
    """`encoding` as in Content-Encoding; None for one that is not known. Raises CannotRead; what is too large comes back as it is."""
    if encoding not in ("", "gzip", "deflate"):
        return None
    if not encoding:
        return rewrite_page(body.decode("utf-8", "surrogateescape"), rewrite).encode("utf-8", "surrogateescape")
    bits = 31 if encoding == "gzip" else -15
    reader = zlib.decompressobj(bits)
    try:
        page = reader.decompress(body, LARGEST_PAGE)
    except zlib.error as error:
        raise CannotRead(f"{encoding}: invalid header ({error})") from None
    if reader.unconsumed_tail:
        return body
    writer = zlib.compressobj(wbits=bits)
    text = rewrite_page(page.decode("utf-8", "surrogateescape"), rewrite)
    return writer.compress(text.encode("utf-8", "surrogateescape")) + writer.flush()


def rewrite_page(page: str, rewrite: Rewrite) -> str:
    out: list[str] = []
    position, size = 0, len(page)
    while position < size:
        start = page.find("<", position)
        if start < 0 or start + 1 >= size:
            out.append(page[position:])
            break
        out.append(page[position:start])
        letter = page[start + 1]
        if letter.isascii() and letter.isalpha():
            tag = _Tag(page, start)
            if tag.end < 0:
                break  # an unfinished tag is no tag, and the tokenizer gives nothing for it
            out.append(tag.rewritten(rewrite))
            position = tag.end
            if tag.name in _RAW_TEXT:
                end = _raw_text_end(page, position, tag.name)
                out.append(page[position:end])
                position = end
        else:
            position = _markup_end(page, start)
            out.append(page[start:position])
    return "".join(out)


def _raw_text_end(page: str, position: int, name: str) -> int:
    if name == "plaintext":
        return len(page)
    found = re.compile(rf"</{name}(?=[ \n\r\t\f/>])", re.IGNORECASE).search(page, position)
    return found.start() if found else len(page)


def _markup_end(page: str, start: int) -> int:
    """Behind a comment, a declaration, an end tag, or a '<' that begins nothing."""
    if page.startswith("<!--", start):
        end = page.find("-->", start + 4)
        return end + 3 if end >= 0 else len(page)
    if page[start + 1] in "!?/":
        end = page.find(">", start)
        return end + 1 if end >= 0 else len(page)
    return start + 1


class _Tag:
    """The start tag at `start`; `end` -1 where it has none."""

    def __init__(self, page: str, start: int) -> None:
        name = _NAME.match(page, start + 1)
        assert name is not None
        self.name = name[0].lower()
        self.attributes: list[tuple[str, str]] = []
        self.end = self._read(page, _skip(page, name.end()))
        self.closes_itself = self.end > 1 and page[self.end - 2] == "/"

    def _read(self, page: str, position: int) -> int:
        while position < len(page):
            if page[position] == ">":
                return position + 1
            key = _KEY.match(page, position)
            assert key is not None
            position, value = _skip(page, key.end()), ""
            if position < len(page) and page[position] == "/":
                position += 1
            elif position < len(page) and page[position] == "=":
                position, value = _value(page, _skip(page, position + 1))
                if position < 0:
                    return -1
            if key[0]:
                self.attributes.append((key[0].lower(), html.unescape(value.replace("\r\n", "\n").replace("\r", "\n"))))
            position = _skip(page, position)
        return -1

    def rewritten(self, rewrite: Rewrite) -> str:
        links = _LINKS.get(self.name, ())
        shown = [f' {key}="{(rewrite(value) if key in links else value).translate(_ESCAPED)}"' for key, value in self.attributes]
        return f"<{self.name}{''.join(shown)}{'/' if self.closes_itself else ''}>"


def _skip(page: str, position: int) -> int:
    found = _SPACE.match(page, position)
    assert found is not None
    return found.end()


def _value(page: str, position: int) -> tuple[int, str]:
    """Where it ends, and it; -1 for a quote that is never closed."""
    if position >= len(page):
        return -1, ""
    quote = page[position]
    if quote in "\"'":
        end = page.find(quote, position + 1)
        return (end + 1, page[position + 1 : end]) if end >= 0 else (-1, "")
    found = _UNQUOTED.match(page, position)
    assert found is not None
    return found.end(), found[0]
