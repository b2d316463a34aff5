"""What evaluating an expression takes of this machine, beside the costs that cel-go counts: those know the length of a list, not how deep
it is, and not how long a text is that a function makes. Two dozen variables, each a list of the one before twice, are compared in a minute.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from kctl.kube_apiserver.cel.errors import CostExceeded

FOR_EACH_COST = 2
"""Effort that every unit of cost allows."""
LETTERS = 8
"""Characters made for one unit of effort."""


class _Left(threading.local):
    effort = 0


_LEFT = _Left()


@contextmanager
def allowed(cost: int) -> Iterator[None]:
    """Of one evaluation that may cost so much; one within another has its own."""
    before = _LEFT.effort
    _LEFT.effort = FOR_EACH_COST * cost
    try:
        yield
    finally:
        _LEFT.effort = before


def spend(effort: int) -> None:
    """Before it is done. Raises CostExceeded."""
    if effort > _LEFT.effort:
        raise CostExceeded
    _LEFT.effort -= effort


def make_text(length: int) -> None:
    spend(length // LETTERS)
