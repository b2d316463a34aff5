"""A cluster that runs no programs of this machine (`run-cluster --runtime simulated-only`): what an earlier start has left of them goes."""

from __future__ import annotations

import contextlib
from pathlib import Path

from kctl.apimachinery.clock import Clock
from kctl.apimachinery.resources import built_in
from kctl.apimachinery.status import NotFound
from kctl.client.client import Client


async def forbid(client: Client, folder: Path, clock: Clock) -> None:
    """The RuntimeClass goes, so that a pod which asks for it is refused as upstream refuses it, and processes that a killed daemon left."""
    with contextlib.suppress(NotFound):
        await client.delete(built_in("node.k8s.io/v1", "RuntimeClass"), "process")
    await clock.beside(lambda: _end_all(folder))


def _end_all(folder: Path) -> None:
    if folder.is_dir():
        from controllers.kubelet.process_runtime import reaping

        reaping.stop_all(reaping.runs_below(folder), 0.0)
