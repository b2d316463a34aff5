"""kubectl's human-readable table from a meta.k8s.io/v1 Table: which columns, which cells, and the aligned text.

The widths are those of text/tabwriter with kubectl's settings: at least 6, padded by 3, the last column ragged. Widths are
remembered between the parts of a watch, so that later rows stay in line with the header.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

MINIMUM_WIDTH = 6
PADDING = 3
_BREAKS = ("\n", "\r", "\f")


class TableOptions(NamedTuple):
    """`kind` is the prefix of names (`pod`, `deployment.apps`) where several kinds are shown."""

    wide: bool = False
    no_headers: bool = False
    with_namespace: bool = False
    kind: str = ""
    show_labels: bool = False
    label_columns: Sequence[str] = ()


class TableWriter:
    """Aligns rows of cells. `remembered` holds the widths of earlier flushes."""

    def __init__(self) -> None:
        self.remembered: list[int] = []

    def format(self, rows: Sequence[Sequence[str]]) -> str:
        """The rows as text, with a newline after each."""
        if not rows:
            return ""
        widths = self._widths(rows)
        if len({len(row) for row in rows}) == 1 and len(widths) == len(rows[0]) - 1:
            template = "".join(f"%-{width}s" for width in widths) + "%s\n"
            return "".join([template % tuple(row) for row in rows])
        lines = []
        for row in rows:
            cells = [cell.ljust(width) for cell, width in zip(row[:-1], widths, strict=False)]
            lines.append("".join(cells) + (row[-1] if row else "") + "\n")
        return "".join(lines)

    def _widths(self, rows: Sequence[Sequence[str]]) -> list[int]:
        count = max(len(row) for row in rows) - 1
        widths = []
        for index in range(count):
            longest = max((len(row[index]) for row in rows if len(row) > index + 1), default=0)
            before = self.remembered[index] if index < len(self.remembered) else 0
            widths.append(max(MINIMUM_WIDTH, longest + PADDING, before))
        self.remembered = widths + self.remembered[count:]
        return widths


class TablePrinter:
    """Prints Tables of one kind; the header once. Tables of a watch after the first may come without columns."""

    def __init__(self, options: TableOptions) -> None:
        self._options = options
        self._columns: Sequence[Mapping[str, Any]] = ()
        self._header_printed = options.no_headers

    def rows(self, table: Mapping[str, Any]) -> list[list[str]]:
        """The cells to show, the header first where it is due."""
        columns = table.get("columnDefinitions") or ()
        if columns:
            self._columns = columns
        options = self._options
        shown = [index for index, column in enumerate(self._columns) if options.wide or not column.get("priority")]
        printed: list[list[str]] = []
        rows = table.get("rows") or ()
        if not self._header_printed and rows:
            self._header_printed = True
            printed.append(self._header(shown))
        before = self._before
        after = self._after
        name_index = self._name_index() if options.kind else -1
        for row in rows:
            cells = [_cell(cell) for cell in row["cells"]]
            if name_index >= 0:
                cells[name_index] = f"{options.kind}/{cells[name_index]}"
            count = len(cells)
            picked = [cells[index] for index in shown if index < count]
            if options.with_namespace or options.show_labels or options.label_columns:
                meta = (row.get("object") or {}).get("metadata") or {}
                picked = [*before(meta), *picked, *after(meta)]
            printed.append(picked)
        return printed

    def _name_index(self) -> int:
        for index, column in enumerate(self._columns):
            if column.get("format") == "name" and column.get("type") == "string":
                return index
        return -1

    def _header(self, shown: Iterable[int]) -> list[str]:
        options = self._options
        header = ["NAMESPACE"] if options.with_namespace else []
        header += [str(self._columns[index]["name"]).upper() for index in shown]
        header += [label.rsplit("/", 1)[-1].upper() for label in options.label_columns]
        return [*header, "LABELS"] if options.show_labels else header

    def _before(self, meta: Mapping[str, Any]) -> list[str]:
        return [str(meta.get("namespace") or "")] if self._options.with_namespace else []

    def _after(self, meta: Mapping[str, Any]) -> list[str]:
        labels = meta.get("labels") or {}
        cells = [str(labels.get(label) or "") for label in self._options.label_columns]
        return [*cells, format_labels(labels)] if self._options.show_labels else cells


def format_labels(labels: Mapping[str, str]) -> str:
    return ",".join(f"{key}={labels[key]}" for key in sorted(labels)) or "<none>"


def _cell(value: Any) -> str:
    if isinstance(value, str):
        if value.isprintable():
            return value
        return _single_line(value)
    if value is None:
        return ""
    if value is True or value is False:
        return "true" if value else "false"
    if isinstance(value, float):
        return _number(value)
    if isinstance(value, list | dict):
        return _go(value)
    return str(value)


def _single_line(value: str) -> str:
    """Only the first line, marked; terminal escapes made visible."""
    cut = min((position for mark in _BREAKS if (position := value.find(mark)) >= 0), default=-1)
    text = value if cut < 0 else value[:cut] + "..."
    return text.replace("\x1b", "^[")


def _number(value: float) -> str:
    return str(int(value)) if value.is_integer() and abs(value) < 1e21 else repr(value)


def _go(value: Any) -> str:
    """Go's %v."""
    if isinstance(value, list):
        return "[" + " ".join(_go(part) for part in value) + "]"
    if isinstance(value, dict):
        return "map[" + " ".join(f"{key}:{_go(value[key])}" for key in sorted(value)) + "]"
    return "<nil>" if value is None else _cell(value)


def generic_table(objects: Sequence[Mapping[str, Any]], age: Callable[[Any], str]) -> dict[str, Any]:
    """A Table with name and age, for answers that are no Table (--server-print=false, older servers)."""
    rows = []
    for obj in objects:
        meta = obj.get("metadata") or {}
        rows.append({"cells": [meta.get("name", ""), age(meta.get("creationTimestamp"))], "object": obj})
    columns = [{"name": "Name", "type": "string", "format": "name"}, {"name": "Age", "type": "string"}]
    return {"columnDefinitions": columns, "rows": rows}
