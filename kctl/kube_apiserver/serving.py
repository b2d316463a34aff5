"""What the ways in (the HTTPS port, the in-process transport, the paths that are no resources) see of the API server.

The server makes them and hands itself over; they know it by this protocol alone, so that none of them needs the module that puts all
parts together.
"""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from datetime import datetime
from typing import Protocol

from kctl.apimachinery.clock import Clock
from kctl.apimachinery.resources import ResourceTable
from kctl.apimachinery.user import User
from kctl.client.transport import RawResponse
from kctl.kube_apiserver.config import ApiServerConfig
from kctl.kube_apiserver.registry.registry import Registry
from kctl.kube_apiserver.request import Request, ResourceRequest
from kctl.kube_apiserver.response import Response
from kctl.kube_apiserver.stall_monitor import StallMonitor
from kctl.kube_apiserver.storage import Storage


class Serving(Protocol):
    config: ApiServerConfig
    clock: Clock
    table: ResourceTable
    storage: Storage
    registry: Registry
    stalls: StallMonitor
    bound_port: int
    """0 until the port is open."""
    stopping: bool
    """Whether the end has begun: alive, but no longer ready."""

    def now(self) -> datetime: ...

    async def handle(self, request: Request) -> Response:
        """What came over HTTPS, through the whole chain."""
        ...

    def handle_in_process(self, request: ResourceRequest) -> Awaitable[Response]:
        """From a caller who is who they say."""
        ...

    async def handle_raw(
        self, method: str, path: str, query: Mapping[str, str], body: bytes | None, headers: Mapping[str, str], user: User
    ) -> RawResponse:
        """Any HTTP request, without a socket."""
        ...
