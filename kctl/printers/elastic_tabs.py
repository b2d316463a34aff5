"""Elastic tab stops: aligns tab-terminated cells as Go's text/tabwriter does, which is how kubectl lays out `describe`.

A column is a run of consecutive lines that have a tab-terminated cell there; its width is that of its widest cell plus the
padding, at least `minimum`. The text after the last tab of a line belongs to no column.
"""

from __future__ import annotations

from collections.abc import Sequence


def align(text: str, *, minimum: int = 0, padding: int = 2) -> str:
    """Widths are counted in characters. `text` may lack a final newline."""
    lines = [line.split("\t") for line in text.split("\n")]
    widths: list[list[int]] = [[0] * (len(cells) - 1) for cells in lines]
    _measure(lines, widths, 0, len(lines), 0, minimum, padding)
    aligned = []
    for cells, columns in zip(lines, widths, strict=True):
        parts = [cell.ljust(width) for cell, width in zip(cells, columns, strict=False)]
        aligned.append("".join(parts) + cells[-1])
    return "\n".join(aligned)


def _measure(
    lines: Sequence[Sequence[str]],
    widths: list[list[int]],
    start: int,
    end: int,
    column: int,
    minimum: int,
    padding: int,
) -> None:
    """Find the blocks of `column` between two lines, set their width, and go on with the next column inside each."""
    line = start
    while line < end:
        if column >= len(lines[line]) - 1:
            line += 1
            continue
        block = line
        while block < end and column < len(lines[block]) - 1:
            block += 1
        widest = max(len(lines[number][column]) for number in range(line, block))
        width = max(minimum, widest + padding)
        for number in range(line, block):
            widths[number][column] = width
        _measure(lines, widths, line, block, column + 1, minimum, padding)
        line = block
