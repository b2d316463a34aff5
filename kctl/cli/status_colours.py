"""Colour by meaning in tables on terminals: green for what is as it should be, yellow for what is on its way, red for what is wrong."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from kctl.cli.terminal import Colour, painted

_GREEN: Final = frozenset(
    [
        "Active",
        "Approved",
        "Available",
        "Bound",
        "Complete",
        "Completed",
        "Established",
        "Healthy",
        "Issued",
        "Ready",
        "Running",
        "Succeeded",
    ]
)
_YELLOW: Final = frozenset(
    [
        "ContainerCreating",
        "ContainerStatusUnknown",
        "NotTriggerScaleUp",
        "Pending",
        "PodInitializing",
        "Released",
        "SchedulingDisabled",
        "SchedulingGated",
        "Suspended",
        "Terminating",
        "Unknown",
        "Warning",
    ]
)
_RED: Final = re.compile(
    r"(^|:)(Err|Failed|NotReady|Evicted|Lost|OOMKilled|Denied|DeadlineExceeded|Unschedulable|ExitCode:|Signal:)|Error|BackOff|Invalid|Cannot"
)
_COUNTED: Final = re.compile(r"(\d+)/(\d+)")
_COLUMNS: Final = frozenset(["STATUS", "READY", "PHASE", "CONDITION", "TYPE", "WHY"])


def colour_of(column: str, cell: str, *, over: bool = False) -> Colour | None:
    """`over`: the object has completed, and nothing of it needs to be ready any more."""
    if column not in _COLUMNS or not cell or cell == "<none>":
        return None
    if column == "TYPE":
        return "yellow" if cell == "Warning" else None
    counted = _COUNTED.fullmatch(cell)
    if counted is not None:
        if over:
            return None
        return "green" if int(counted[1]) >= int(counted[2]) else "yellow"
    if column == "WHY":
        return "red" if _RED.search(cell) else "yellow"
    words = cell.split(",")
    if any(_RED.search(word) for word in words):
        return "red"
    if any(word in _YELLOW or word.startswith("Init:") for word in words):
        return "yellow"
    return "green" if any(word in _GREEN for word in words) else None


def painted_rows(header: Sequence[str], rows: Sequence[Sequence[str]], widths: Sequence[int], columns: int = 0) -> list[str]:
    """Lines of a table, the header first. `widths` are those of all columns but the last; `columns`: no line is longer, 0 for any."""
    status = header.index("STATUS") if "STATUS" in header else -1
    lines = []
    for number, row in enumerate([header, *rows]):
        over = 0 <= status < len(row) and row[status] in ("Completed", "Succeeded", "Complete")
        parts: list[str] = []
        left = columns or sum(map(len, row)) + sum(widths) + 1
        for index, cell in enumerate(row):
            text = cell[:left]
            padding = " " * (min(widths[index], left) - len(text)) if index < len(row) - 1 and index < len(widths) else ""
            left -= len(text) + len(padding)
            colour = colour_of(header[index], cell, over=over) if number and index < len(header) and text else None
            parts += [painted(text, colour) if colour else text, padding]
        lines.append("".join(parts))
    return lines
