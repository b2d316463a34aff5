"""Asking for a streaming connection as kubectl does: over WebSocket, and over SPDY where the server knows no WebSocket."""

from __future__ import annotations

from collections.abc import Callable

import orjson

from kctl.client.streaming.upgrade import Upgraded, UpgradeRefused, Upgrading
from kctl.client.streaming.websocket import WebSocket, handshake

SPDY = "SPDY/3.1"


class StreamingError(Exception):
    """A streaming connection that cannot be had, or that broke off, in client-go's words."""


class Dialer:
    """`websockets` False goes straight to SPDY. `random_bytes(n)` as os.urandom."""

    def __init__(self, transport: Upgrading, *, websockets: bool, random_bytes: Callable[[int], bytes]) -> None:
        self._transport = transport
        self._websockets = websockets
        self._random = random_bytes

    async def websocket(self, path: str, protocols: str) -> WebSocket | None:
        """None where the server does not change over to it (or is not asked): SPDY is next."""
        if not self._websockets:
            return None
        try:
            connection = await self._transport.upgrade("GET", path, handshake(protocols, self._random))
        except UpgradeRefused:
            return None
        return WebSocket(connection, self._random)

    async def spdy(self, path: str, protocols: str) -> Upgraded:
        """Raises StreamingError with what the server says."""
        try:
            return await self._transport.upgrade(
                "POST", path, {"Upgrade": SPDY, "X-Stream-Protocol-Version": protocols, "Content-Length": "0"}
            )
        except UpgradeRefused as refused:
            raise _refusal(refused) from None


def _refusal(refused: UpgradeRefused) -> StreamingError:
    try:
        status = orjson.loads(refused.body)
    except orjson.JSONDecodeError:
        status = None
    if isinstance(status, dict) and status.get("kind") == "Status":
        return StreamingError(str(status.get("message") or ""))
    return StreamingError(f"unable to upgrade connection: {refused.body.decode(errors='replace').strip()}")
