"""An upgraded connection, as those who speak over it see it: WebSocket messages, or bytes as they come (SPDY)."""

from __future__ import annotations

from typing import Protocol

MOST_CONNECTIONS = 1_000
"""Upgraded connections of one server; who comes then gets a 429."""
IDLE_SECONDS = 4 * 3600.0
"""Upstream's --streaming-connection-idle-timeout."""
FINISH_SECONDS = 15 * 60.0
"""How long a client may take to read what is left once a command has ended: upstream's finishTimeout."""
MESSAGE_BYTES = 4 * 1024 * 1024
"""Of one WebSocket message; a client that sends its whole input as one message is cut off beyond."""


class Connection(Protocol):
    async def receive(self) -> bytes:
        """The next message (WebSocket), or what has come (SPDY); b'' once the client has closed, or nothing has gone either way for
        IDLE_SECONDS. Empty messages are not told."""
        ...

    async def send(self, data: bytes) -> None:
        """One message, whole. Waits while the client does not read; raises ConnectionError where it is gone."""
        ...

    async def finish(self) -> None:
        """Nothing more will be sent: says so where the protocol can."""
        ...
