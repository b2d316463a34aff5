"""The column that `kctl get pods --why` adds to the server's table."""

from __future__ import annotations

from typing import Any, Final

from kctl.cli.tree.why import why_not_running

_COLUMN: Final = {"name": "Why", "type": "string", "format": "", "description": "Why the pod is not running.", "priority": 0}


def with_reasons(table: dict[str, Any]) -> dict[str, Any]:
    """A new Table; its rows carry whole pods (includeObject=Object)."""
    columns = table.get("columnDefinitions") or []
    place = next((index for index, column in enumerate(columns) if column.get("priority")), len(columns))
    rows = [
        {**row, "cells": [*row["cells"][:place], why_not_running(row.get("object") or {}) or "<none>", *row["cells"][place:]]}
        for row in table.get("rows") or ()
    ]
    return {**table, "columnDefinitions": [*columns[:place], _COLUMN, *columns[place:]] if columns else [], "rows": rows}
