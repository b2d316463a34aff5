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

    @property
    def is_init(self) -> bool:
        return self in (ContainerKind.INIT, ContainerKind.SIDECAR)

    @property
    def group(self) -> str:
        """The field of a pod's spec."""
        return "initContainers" if self.is_init else "containers" if self is ContainerKind.REGULAR else "ephemeralContainers"


class ContainerPhase(Enum):
    IDLE = "idle"
    """Its turn has not come, or never will."""
    PULLING = "pulling"
    WAITING = "waiting"
    """For an object, or for the end of a back-off."""
    STARTING = "starting"
    RUNNING = "running"
    EXITED = "exited"
