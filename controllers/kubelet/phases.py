"""Where a container of a pod stands, and which of its pod's four sorts it is."""

from __future__ import annotations

from enum import Enum, StrEnum


class ContainerKind(StrEnum):
    INIT = "init"
    """Runs to its end before the next one starts."""
    SIDECAR = "sidecar"
    """An init container with restartPolicy Always: runs beside the others and ends after them."""
    REGULAR = "regular"
    EPHEMERAL = "ephemeral"
    """Added to a pod that runs: starts whatever the others do, never again, and nothing waits for it."""


class ContainerPhase(Enum):
    IDLE = "idle"
    """Its turn has not come, or never will."""
    PULLING = "pulling"
    WAITING = "waiting"
    """For an object, or for the end of a back-off."""
    STARTING = "starting"
    RUNNING = "running"
    EXITED = "exited"
