"""Requests as a service account, with tokens that are asked for with another client and renewed before they expire (upstream's
DynamicSimpleControllerClientBuilder)."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping

from kctl.apimachinery.clock import Clock
from kctl.apimachinery.resources import SERVICE_ACCOUNTS
from kctl.apimachinery.status import AlreadyExists, NotFound, Unauthorized
from kctl.client.client import Client
from kctl.client.transport import ApiRequest, ApiResponse, RawResponse, Transport

_log = logging.getLogger(__name__)
TOKEN_SECONDS = 3600
_EARLY_SECONDS = 600.0


class AccountTransport:
    """`make` gives a transport that sends a token. The account is created where there is none."""

    def __init__(self, asking: Client, clock: Clock, namespace: str, name: str, make: Callable[[str], Transport]) -> None:
        self._asking = asking
        self._clock = clock
        self._namespace, self._name = namespace, name
        self._make = make
        self._present: Transport | None = None
        self._renew_at = 0.0
        self._renewing = asyncio.Lock()

    async def request(self, request: ApiRequest) -> ApiResponse:
        transport = await self._transport()
        try:
            return await transport.request(request)
        except Unauthorized:  # the account was deleted and made again, or the server has other keys
            await self._forget(transport)
            return await (await self._transport()).request(request)

    async def raw(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> RawResponse:
        return await (await self._transport()).raw(method, path, query=query, body=body, headers=headers)

    async def close(self) -> None:
        if self._present is not None:
            await self._present.close()

    async def _transport(self) -> Transport:
        async with self._renewing:
            if self._present is None or self._clock.monotonic() >= self._renew_at:
                before = self._present
                self._present = self._make(await self._token())
                self._renew_at = self._clock.monotonic() + TOKEN_SECONDS - _EARLY_SECONDS
                if before is not None:
                    await before.close()
            return self._present

    async def _forget(self, transport: Transport) -> None:
        async with self._renewing:
            if self._present is transport:
                self._renew_at = 0.0

    async def _token(self) -> str:
        try:
            return await self._ask()
        except NotFound:
            try:
                await self._asking.create(SERVICE_ACCOUNTS, {"metadata": {"name": self._name}}, self._namespace)
            except AlreadyExists:
                _log.debug("account %s/%s was made by another", self._namespace, self._name)
            return await self._ask()

    async def _ask(self) -> str:
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": TOKEN_SECONDS}}
        request = ApiRequest("create", SERVICE_ACCOUNTS, self._namespace, self._name, "token", body=body)
        answer = (await self._asking.transport.request(request)).object
        return str(answer["status"]["token"])
