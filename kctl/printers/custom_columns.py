"""-o custom-columns=HEADER:PATH,... and custom-columns-file: one row for each object, cells from JSONPath."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from kctl.apimachinery import jsonpath
from kctl.apimachinery.objects import Object
from kctl.printers.printer import OutputError, Printer, items_of
from kctl.printers.table import TableWriter, _go


class _Column(NamedTuple):
    header: str
    path: jsonpath.JSONPath


def printer(text: str, *, from_file: bool, no_headers: bool) -> Printer:
    columns = _from_file(text) if from_file else _from_specification(text)
    writer = TableWriter()
    pending_header = not no_headers

    def show(obj: Object) -> str:
        nonlocal pending_header
        rows = [[column.header for column in columns]] if pending_header else []
        pending_header = False
        rows += [[_cell(column.path, item) for column in columns] for item in items_of(obj)]
        return writer.format(rows)

    return show


def _cell(path: jsonpath.JSONPath, obj: Object) -> str:
    try:
        nested = path.find(obj)
    except jsonpath.JSONPathError as error:
        raise OutputError(str(error)) from None
    values = [value for values in nested for value in values]
    return ",".join(_go(value) if not isinstance(value, str) else value for value in values) if values else "<none>"


def _column(header: str, path: str) -> _Column:
    try:
        return _Column(header, jsonpath.parse(jsonpath.relaxed(path)))
    except jsonpath.JSONPathError as error:
        raise OutputError(str(error)) from None


def _from_specification(text: str) -> list[_Column]:
    columns = []
    for part in text.split(","):
        header, colon, path = part.partition(":")
        if not colon or (":" in path and not _is_quoted_colon(path)):
            raise OutputError(f"unexpected custom-columns spec: {part}, expected <header>:<json-path-expr>")
        columns.append(_column(header, path))
    return columns


def _is_quoted_colon(path: str) -> bool:
    """Colons belong to slices and filters inside brackets."""
    return ":" not in re.sub(r"\[[^\]]*\]", "", path)


def _from_file(text: str) -> Sequence[_Column]:
    lines = text.split("\n")
    headers = lines[0].split()
    paths = lines[1].split() if len(lines) > 1 else []
    if not headers or len(headers) != len(paths):
        raise OutputError(f"number of headers ({len(headers)}) and field specifications ({len(paths)}) don't match")
    return [_column(header, path) for header, path in zip(headers, paths, strict=True)]
