"""What evaluating an expression fails with."""

from __future__ import annotations


class CelError(Exception):
    """An evaluation that failed; the text is cel-go's."""

    cost = 0
    """What had been spent by then."""


class CostExceeded(CelError):
    def __init__(self) -> None:
        super().__init__("operation cancelled: actual cost limit exceeded")


def no_such_overload() -> CelError:
    return CelError("no such overload")
