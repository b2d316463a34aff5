"""What the supervisor starts: a named part of the control plane that says when it is ready and stops when told."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol


class Component(Protocol):
    name: str
    """Kubernetes' own name: etcd, kube-apiserver, kube-scheduler, ..."""
    dependencies: tuple[str, ...]
    """Names of components that must be ready before this one starts."""

    async def run(self, ready: Callable[[], None], stop: asyncio.Event) -> None:
        """Call `ready()` once when serving; return soon after `stop` is set. Any exception is a crash of the cluster."""
        ...
