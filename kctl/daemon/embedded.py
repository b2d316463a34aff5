"""Serving a command from the cluster's own store when no daemon is up: the same API server code, no socket.

What such a command creates is picked up by controllers, scheduler and kubelets at the next `kctl run-cluster`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from pathlib import Path

from kctl.apimachinery import user
from kctl.apimachinery.clock import Clock, RealClock
from kctl.client.transport import ApiRequest, ApiResponse, RawResponse, Transport
from kctl.daemon.api_server_config import api_server_config
from kctl.daemon.cluster_files import make_private
from kctl.daemon.components import API_SERVER_ALONE
from kctl.daemon.config import ClusterConfig
from kctl.daemon.control_plane import ControlPlane
from kctl.daemon.lock import ClusterLock
from kctl.daemon.paths import ClusterPaths
from kctl.daemon.pki import Pki
from kctl.daemon.stores import store_of
from kctl.daemon.supervisor import ComponentCrashed


class EmbeddedTransport:
    """The in-process transport of an API server opened for one command; `close` shuts store and lock."""

    def __init__(self, inner: Transport, close_all: Callable[[], Awaitable[None]], clock: Clock) -> None:
        self._inner = inner
        self._close_all = close_all
        self.clock = clock

    async def request(self, request: ApiRequest) -> ApiResponse:
        return await self._inner.request(request)

    async def raw(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> RawResponse:
        return await self._inner.raw(method, path, query=query, body=body, headers=headers)

    async def close(self) -> None:
        await self._inner.close()
        await self._close_all()


async def open_embedded(directory: Path) -> EmbeddedTransport:
    """Raises lock.AlreadyServed while a daemon or another embedded command has the cluster, damage.DamagedFile, and what store or server
    cannot start for."""
    paths = ClusterPaths(directory)
    keys = Pki(paths.pki)
    if keys.exists:
        keys.check()
    lock = ClusterLock(paths.process_id)
    lock.acquire()
    try:
        make_private(paths)
        settings = ClusterConfig.load(paths.settings) or ClusterConfig(paths.name)
        config = api_server_config(keys, "127.0.0.1", settings=settings)
        clock = _clock(paths)
        plane = ControlPlane(store_of(settings, paths, clock.machine), clock, components=API_SERVER_ALONE, config=config)
        await plane.start()
    except BaseException as error:
        lock.release()
        if isinstance(error, ComponentCrashed) and error.__cause__ is not None:
            raise error.__cause__ from None
        raise

    async def close_all() -> None:
        await plane.stop()
        lock.release()

    return EmbeddedTransport(plane.client(user.ADMIN).transport, close_all, clock)


def _clock(paths: ClusterPaths) -> Clock:
    """The time goes on from where the cluster's was when it was stopped."""
    machine = RealClock()
    if not paths.clock.exists():
        return machine
    from kctl.apimachinery.steerable_clock import SteerableClock
    from kctl.daemon import clock_file

    return SteerableClock(machine, ahead=clock_file.read(paths.clock, machine), settle=partial(asyncio.sleep, 0))
