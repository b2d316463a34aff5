"""One cluster in this process: its files, its components, its end. `kctl run-cluster` is a thin shell around it."""

from __future__ import annotations

import asyncio
import gc
import random
import socket
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from kctl.apimachinery import times
from kctl.apimachinery.clock import Clock
from kctl.daemon import admin_kubeconfig, logs, open_files, pki
from kctl.daemon.components import component_list
from kctl.daemon.config import ClusterConfig
from kctl.daemon.lock import ClusterLock
from kctl.daemon.paths import ClusterPaths
from kctl.daemon.static_pods import static_pods
from kctl.daemon.supervisor import ComponentState, Supervisor

_GC_THRESHOLDS = (50_000, 20, 50)
"""Objects are trees of dicts without cycles; collecting as often as Python's default costs a tenth of all CPU."""
_SWITCH_SECONDS = 0.0005
"""How long the store's writer thread waits for a busy event loop: Python's 5 ms would be the latency of every write."""


class Cluster:
    """`run` serves until `stop` is set. Raises lock.AlreadyServed, components.PortInUse, supervisor.ComponentCrashed."""

    def __init__(self, paths: ClusterPaths, config: ClusterConfig, clock: Clock, randomness: random.Random) -> None:
        self._paths = paths
        self._config = config
        self._clock = clock
        self._randomness = randomness
        self.url = ""

    async def run(
        self,
        stop: asyncio.Event,
        *,
        on_component: Callable[[str], None] = lambda name: None,
        on_ready: Callable[[], None] = lambda: None,
        verbose: bool = False,
    ) -> None:
        lock = ClusterLock(self._paths.process_id)
        lock.acquire()
        handler = logs.install(self._paths.logs, verbose=verbose)
        open_files.raise_limit()
        gc.set_threshold(*_GC_THRESHOLDS)
        sys.setswitchinterval(_SWITCH_SECONDS)
        try:
            await self._serve(lock, stop, on_component, on_ready)
        finally:
            lock.release()
            handler.close()

    async def _serve(
        self, lock: ClusterLock, stop: asyncio.Event, on_component: Callable[[str], None], on_ready: Callable[[], None]
    ) -> None:
        keys = pki.ensure(self._paths.pki, now=self._clock.now(), hosts=[socket.gethostname(), self._config.host])
        config = replace(self._config, starts=self._config.starts + 1)
        config.save(self._paths.settings)
        supervisor: Supervisor | None = None

        def state_of(name: str) -> ComponentState | None:
            return supervisor.states[name] if supervisor is not None else None

        pods = static_pods(config, self._paths.logs, self._clock, state_of)
        components, apiserver = component_list(self._paths.state, keys, config, self._clock, self._randomness, pods)
        supervisor = Supervisor(components, self._clock)
        try:
            await supervisor.start(on_component)
            self.url = apiserver.url
            admin_kubeconfig.write(self._paths.kubeconfig, config.name, self.url, keys)
            lock.publish(self.url, times.rfc3339(self._clock.now()))
            gc.collect()
            gc.freeze()
            on_ready()
            await supervisor.wait(stop)
        finally:
            await supervisor.stop()


def delete_files(directory: Path) -> None:
    """Forget a stopped cluster."""
    import shutil

    shutil.rmtree(directory)
