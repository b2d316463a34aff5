"""A transport that hands on the server's warnings: for the in-process server, whose answers carry them as values."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from kctl.client.transport import ApiRequest, ApiResponse, RawResponse, Transport


class ReportingTransport:
    def __init__(self, inner: Transport, warn: Callable[[str], None]) -> None:
        self._inner = inner
        self._warn = warn

    async def request(self, request: ApiRequest) -> ApiResponse:
        response = await self._inner.request(request)
        for warning in response.warnings:
            self._warn(warning)
        return response

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
