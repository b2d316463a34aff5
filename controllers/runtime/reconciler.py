"""The contract between the loop and a controller's logic (controller-runtime's reconcile.Reconciler).

A reconciler receives a key, never an event: it reads the present state and moves it one step toward the wish, so missed
and merged events do no harm. It returns a verdict; the loop owns retry, timers, logging and panics.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Result:
    """`requeue_after`: look again after so many seconds. `requeue`: look again with back-off, without this being an error."""

    requeue_after: float | None = None
    requeue: bool = False


DONE = Result()


class TerminalError(Exception):
    """Trying again cannot help: logged, not retried until something changes."""


class Reconciler(Protocol):
    async def reconcile(self, key: str) -> Result | None:
        """None and `DONE` mean finished. Any exception but TerminalError is retried with back-off; Conflicts quietly."""
        ...
