"""`get --watch` on a terminal: the table as it is now, drawn over itself whenever something happens, with ages that go on."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Final

from kctl.apimachinery import times
from kctl.cli.answer import Answer
from kctl.cli.builder import Selection
from kctl.cli.getting import Getting
from kctl.cli.status_colours import painted_rows
from kctl.cli.terminal import size_of, takes_colour
from kctl.client.transport import WatchEvent
from kctl.printers.table import TableWriter

_SECONDS: Final = 1.0
"""How often ages are brought up to date."""
Row = Mapping[str, Any]


class LiveTable:
    """`tell` what has happened, then `draw`."""

    def __init__(self, get: Getting, selection: Selection) -> None:
        self._get = get
        self._selection = selection
        self._out = get.session.streams.out
        self._columns: Sequence[Mapping[str, Any]] = ()
        self._rows: dict[Any, Row] = {}
        self._writer = TableWriter()
        self._drawn = 0

    def tell(self, event: WatchEvent) -> None:
        table = self._get.as_table(Answer(self._selection.resource, event.object, True))
        self._columns = table.get("columnDefinitions") or self._columns
        for row in table.get("rows") or ():
            meta = (row.get("object") or {}).get("metadata") or {}
            key = (meta.get("namespace"), meta.get("name")) if meta.get("name") else row["cells"][0]
            if event.type == "DELETED":
                self._rows.pop(key, None)
            else:
                self._rows[key] = row

    def draw(self) -> None:
        """Over what was drawn before. No more than fits: what has scrolled away cannot be written over."""
        columns, height = size_of(self._out)
        lines = self._lines(columns)
        if len(lines) > height - 1:
            hidden = len(lines) - (height - 2)
            lines = [*lines[: height - 2], f"... and {hidden} more"[:columns]]
        up = f"\x1b[{self._drawn}A" if self._drawn else ""
        self._out.write(f"{up}\r\x1b[J" + "".join(f"{line}\n" for line in lines))
        self._out.flush()
        self._drawn = len(lines)

    def _lines(self, columns: int) -> list[str]:
        printer = self._get.table_printer(self._selection.resource, False)
        rows = printer.rows({"columnDefinitions": self._columns, "rows": [self._with_age(row) for row in self._rows.values()]})
        if not rows:
            where = f" in {self._get.session.namespace} namespace" if self._selection.namespace else ""
            return [f"No resources found{where}."[:columns]]
        self._writer.remembered = []
        text = self._writer.format(rows)
        if self._get.no_headers or not takes_colour(self._out):
            return [line[:columns] for line in text.splitlines()]
        return painted_rows(rows[0], rows[1:], self._writer.remembered, columns)

    def _with_age(self, row: Row) -> Row:
        """The server told the age that was."""
        created = ((row.get("object") or {}).get("metadata") or {}).get("creationTimestamp")
        place = next((index for index, column in enumerate(self._columns) if column.get("name") == "Age"), -1)
        if not created or not 0 <= place < len(row["cells"]):
            return row
        try:
            age = times.human_duration(max(self._get.session.now() - times.parse(created), timedelta(0)))
        except ValueError:
            return row
        cells = list(row["cells"])
        cells[place] = age
        return {**row, "cells": cells}

    async def age(self) -> None:
        """Until it is cancelled."""
        while True:
            await asyncio.sleep(_SECONDS)
            self.draw()
