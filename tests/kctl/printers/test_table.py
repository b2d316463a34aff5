"""Tables are aligned as kubectl aligns them."""

from __future__ import annotations

from typing import Any

import pytest

from kctl.printers.table import TableOptions, TablePrinter, TableWriter

COLUMNS = [
    {"name": "Name", "type": "string", "format": "name"},
    {"name": "Ready", "type": "string"},
    {"name": "Node", "type": "string", "priority": 1},
]
TABLE = {
    "kind": "Table",
    "columnDefinitions": COLUMNS,
    "rows": [
        {
            "cells": ["web-1", "1/1", "n1"],
            "object": {"metadata": {"name": "web-1", "namespace": "a", "labels": {"b": "2", "a": "1"}}},
        },
        {"cells": ["a-much-longer-name", "0/1", None], "object": {"metadata": {"name": "x", "namespace": "default"}}},
    ],
}


def _print(options: TableOptions, table: dict[str, Any] = TABLE) -> str:
    return TableWriter().format(TablePrinter(options).rows(table))


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (TableOptions(), "NAME                 READY\nweb-1                1/1\na-much-longer-name   0/1\n"),
        (TableOptions(no_headers=True), "web-1                1/1\na-much-longer-name   0/1\n"),
        (
            TableOptions(wide=True),
            "NAME                 READY   NODE\nweb-1                1/1     n1\na-much-longer-name   0/1     \n",
        ),
        (
            TableOptions(with_namespace=True, kind="pod"),
            "NAMESPACE   NAME                     READY\na           pod/web-1                1/1\n"
            "default     pod/a-much-longer-name   0/1\n",
        ),
        (
            TableOptions(show_labels=True, label_columns=("x.io/a", "a")),
            "NAME                 READY   A   A   LABELS\n".replace("A   A   LABELS", "A     A     LABELS")
            + "web-1                1/1           1     a=1,b=2\na-much-longer-name   0/1                 <none>\n",
        ),
    ],
    ids=["plain", "no headers", "wide", "namespace and kind", "labels"],
)
def test_layout(options: TableOptions, expected: str) -> None:
    assert _print(options) == expected


def test_widths_are_remembered_between_parts_of_a_watch() -> None:
    printer, writer = TablePrinter(TableOptions()), TableWriter()
    writer.format(printer.rows(TABLE))
    later = {"columnDefinitions": [], "rows": [{"cells": ["b", "1/1", ""], "object": {}}]}
    assert writer.format(printer.rows(later)) == "b                    1/1\n"


@pytest.mark.parametrize(
    ("cell", "text"),
    [("a\nb", "a..."), ("\x1b[31m", "^[[31m"), (3, "3"), (1.5, "1.5"), (True, "true"), (None, ""), ("é", "é")],
)
def test_cells(cell: object, text: str) -> None:
    table = {"columnDefinitions": COLUMNS[:1], "rows": [{"cells": [cell]}]}
    assert _print(TableOptions(no_headers=True), table) == f"{text}\n"


def test_no_rows_no_header() -> None:
    assert _print(TableOptions(), {"columnDefinitions": COLUMNS, "rows": []}) == ""
