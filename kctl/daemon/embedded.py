"""Serving a command from the cluster's own store when no daemon is up: the same API server code, no socket.

What such a command creates is picked up by controllers, scheduler and kubelets at the next `kctl run-cluster`.
"""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

from kctl.apimachinery import user
from kctl.apimachinery.clock import RealClock
from kctl.client.transport import ApiRequest, ApiResponse, RawResponse, Transport
from kctl.daemon.api_server_config import api_server_config
from kctl.daemon.cluster_files import make_private
from kctl.daemon.lock import ClusterLock
from kctl.daemon.paths import ClusterPaths
from kctl.daemon.pki import Pki


class EmbeddedTransport:
    """The in-process transport of an API server opened for one command; `close` shuts store and lock."""

    def __init__(self, inner: Transport, close_all: Callable[[], Awaitable[None]]) -> None:
        self._inner = inner
        self._close_all = close_all

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
    """Raises lock.AlreadyServed while a daemon or another embedded command has the cluster, damage.DamagedFile."""
    from kctl.kube_apiserver.server import ApiServer
    from store.sqlite import SqliteStore

    paths = ClusterPaths(directory)
    keys = Pki(paths.pki)
    if keys.exists:
        keys.check()
    lock = ClusterLock(paths.process_id)
    lock.acquire()
    make_private(paths)
    store = SqliteStore(paths.state)
    server: ApiServer | None = None
    try:
        await store.start()
        server = ApiServer(store, clock=RealClock(), randomness=random.Random(), config=api_server_config(keys, "127.0.0.1"))
        await server.start()
    except BaseException:
        await store.close()
        lock.release()
        raise

    async def close_all() -> None:
        assert server is not None
        await server.stop()
        await store.close()
        lock.release()

    return EmbeddedTransport(server.transport(user.ADMIN), close_all)
