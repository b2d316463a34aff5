"""Clients as a process of their own, so that their CPU time is not the daemon's: `python -m bench.load KIND HOST PORT TOKEN COUNT PATH`.

Prints one line of JSON. `list`: COUNT connections each GET the path at the same moment. `watch`: COUNT watches of the path; `ready` is
printed when all are open, then for each line on stdin nothing happens but the next event on every watch being awaited; the last one's
arrival is printed. Raw asyncio streams, because a client library would be what is measured.
"""

from __future__ import annotations

import asyncio
import json
import ssl
import sys
import time

Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]


def _context() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


class Load:
    def __init__(self, host: str, port: int, token: str, count: int, path: str) -> None:
        self._host, self._port, self._count = host, port, count
        self._request = f"GET {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n\r\n".encode()
        self._context = _context()

    async def _open(self) -> list[Stream]:
        streams: list[Stream] = []
        for start in range(0, self._count, 50):
            some = range(start, min(start + 50, self._count))
            opening = (asyncio.open_connection(self._host, self._port, ssl=self._context, limit=1 << 20) for _ in some)
            streams += await asyncio.gather(*opening)
        return streams

    async def list(self) -> None:
        streams = await self._open()
        print("ready", flush=True)
        await asyncio.to_thread(sys.stdin.readline)
        began = time.monotonic()
        answers = await asyncio.gather(*(self._read(stream) for stream in streams))
        seconds = time.monotonic() - began
        failed = sum(not first.startswith(b"HTTP/1.1 200") for first, _ in answers)
        print(json.dumps({"seconds": seconds, "failed": failed, "bytes": sum(size for _, size in answers)}), flush=True)

    async def _read(self, stream: Stream) -> tuple[bytes, int]:
        reader, writer = stream
        writer.write(self._request)
        first, size = await reader.readline(), 0
        while chunk := await reader.read(1 << 18):
            size += len(chunk)
        writer.close()
        return first, size

    async def watch(self) -> None:
        streams = await self._open()
        for _, writer in streams:
            writer.write(self._request)
        for reader, _ in streams:
            while (await reader.readline()) != b"\r\n":
                pass
        print("ready", flush=True)
        while (await asyncio.to_thread(sys.stdin.readline)).strip():
            print(json.dumps(await asyncio.gather(*(self._arrival(reader) for reader, _ in streams))), flush=True)
        for _, writer in streams:
            writer.transport.abort()

    @staticmethod
    async def _arrival(reader: asyncio.StreamReader) -> float:
        """When the next event is there."""
        while not (await reader.readline()).startswith(b'{"type"'):
            pass
        return time.time()


if __name__ == "__main__":
    kind, host, port, token, count, path = sys.argv[1:]
    load = Load(host, int(port), token, int(count), path)
    asyncio.run(load.list() if kind == "list" else load.watch())
