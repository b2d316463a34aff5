"""TLS over a dialed connection, whatever it is made of: the side of the client."""

from __future__ import annotations

import ssl

from kctl.kube_apiserver.streaming.dialing import DialedConnection

HANDSHAKE_SECONDS = 10.0
"""As upstream's transports."""
_PIECE_BYTES = 64 * 1024


def unverified() -> ssl.SSLContext:
    """For what is proxied to a pod: nobody knows who should have signed its certificate, so upstream asks no questions either."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


class TlsConnection:
    """A DialedConnection inside another. One reader and one writer at a time."""

    def __init__(self, connection: DialedConnection, context: ssl.SSLContext, server_name: str) -> None:
        self._connection = connection
        self._received, self._sending = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._received, self._sending, server_hostname=server_name or None)

    async def handshake(self) -> None:
        """Raises OSError (ssl.SSLError is one)."""
        while True:
            try:
                self._tls.do_handshake()
            except ssl.SSLWantReadError:
                await self._flush()
                if not await self._fill():
                    raise ssl.SSLEOFError(ssl.SSL_ERROR_EOF, "EOF") from None
                continue
            except ssl.SSLError:
                await self._flush()  # the alert that says why
                raise
            await self._flush()
            return

    async def read(self, size: int) -> bytes:
        while True:
            try:
                return self._tls.read(size)
            except ssl.SSLWantReadError:
                if not await self._fill():
                    return b""
            except ssl.SSLZeroReturnError:
                return b""

    async def write(self, data: bytes) -> None:
        for start in range(0, len(data), _PIECE_BYTES):
            self._tls.write(data[start : start + _PIECE_BYTES])
            await self._flush()

    async def _fill(self) -> bool:
        data = await self._connection.read(_PIECE_BYTES)
        if data:
            self._received.write(data)
        return bool(data)

    async def _flush(self) -> None:
        if self._sending.pending:
            await self._connection.write(self._sending.read())

    def finish(self) -> None:
        """TLS has no half that could be closed before the other."""

    def close(self) -> None:
        self._connection.close()


async def secured(connection: DialedConnection, context: ssl.SSLContext, server_name: str) -> TlsConnection:
    """Raises OSError; the connection is closed then."""
    made = TlsConnection(connection, context, server_name)
    try:
        await made.handshake()
    except BaseException:
        connection.close()
        raise
    return made
