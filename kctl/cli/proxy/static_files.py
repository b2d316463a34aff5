"""`kctl proxy --www`: files of a folder over HTTP, as net/http's FileServer serves them."""

from __future__ import annotations

import mimetypes
from email.utils import formatdate
from html import escape
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

_HTML = ("Content-Type", "text/html; charset=utf-8")
_TEXT = (("Content-Type", "text/plain; charset=utf-8"), ("X-Content-Type-Options", "nosniff"))


class Served(NamedTuple):
    """`body` is what is sent, or the file whose content is."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes | Path


def said(status: int, text: str) -> Served:
    """As http.Error."""
    return Served(status, _TEXT, f"{text}\n".encode())


NOT_FOUND = said(404, "404 page not found")


def moved(to: str, status: int = 301) -> Served:
    return Served(status, (("Location", to),), b"")


def served(folder: Path, path: str, query: str = "") -> Served:
    """`path` below the prefix, cleaned, with a slash at its head."""
    last = path.rstrip("/").rpartition("/")[2]
    if path.endswith("/index.html"):
        return moved("./" + query)
    try:
        place = folder / path.strip("/")
        if place.is_dir():
            if not path.endswith("/"):
                return moved(quote(last) + "/" + query)
            index = place / "index.html"
            return _file(index) if index.is_file() else _listing(place)
        if path.endswith("/") and place.is_file():
            return moved("../" + quote(last) + query)
        return _file(place) if place.is_file() else NOT_FOUND
    except PermissionError:
        return said(403, "403 Forbidden")
    except (OSError, ValueError):
        return NOT_FOUND


def _file(place: Path) -> Served:
    place.open("rb").close()
    about = place.stat()
    kind, coding = mimetypes.guess_type(place.name)
    shown = "application/octet-stream" if kind is None or coding else kind
    shown += "; charset=utf-8" if shown.startswith("text/") else ""
    modified = formatdate(about.st_mtime, usegmt=True)
    return Served(200, (("Content-Type", shown), ("Content-Length", str(about.st_size)), ("Last-Modified", modified)), place)


def _listing(place: Path) -> Served:
    names = sorted(each.name + "/" if each.is_dir() else each.name for each in place.iterdir())
    rows = "".join(f'<a href="{quote(name)}">{escape(name)}</a>\n' for name in names)
    head = '<!doctype html>\n<meta name="viewport" content="width=device-width">\n'
    return Served(200, (_HTML,), f"{head}<pre>\n{rows}</pre>\n".encode())
