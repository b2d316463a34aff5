"""A connection that HTTP has handed over to another protocol, and what a server says that does not hand it over."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, runtime_checkable


class Upgraded(Protocol):
    """Bytes both ways. `headers` of the answer that handed the connection over, names in lower case."""

    headers: Mapping[str, str]

    async def read(self) -> bytes:
        """What has come; b'' once the other side has closed."""
        ...

    async def write(self, data: bytes) -> None:
        """Waits while the other side does not read; raises ConnectionError where it is gone."""
        ...

    def close(self) -> None: ...


class UpgradeRefused(Exception):
    """The server answered as to any request, with this status and body."""

    def __init__(self, status: int, body: bytes) -> None:
        super().__init__(status)
        self.status = status
        self.body = body


@runtime_checkable
class Upgrading(Protocol):
    """A transport that can hand its connections over."""

    async def upgrade(self, method: str, path: str, headers: Mapping[str, str]) -> Upgraded: ...
