"""How a component that runs alone reaches the API server: as the user of a kubeconfig, and its controllers as their service accounts."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import cached_property

from controllers.runtime.informer import InformerFactory
from kctl.apimachinery.clock import Clock
from kctl.apimachinery.kubernetes_version import KUBERNETES_VERSION
from kctl.apimachinery.user import SYSTEM_SERVICEACCOUNTS, User
from kctl.client.client import Client
from kctl.client.credentials import authorization
from kctl.client.https_transport import HttpsTransport
from kctl.client.kubeconfig import ResolvedConfig
from kctl.client.tls import context_for
from kctl.client.transport import Transport
from kctl.daemon.standalone.account_transport import AccountTransport

_ACCOUNT = "system:serviceaccount:"
_MOST_REQUESTS = 16
"""Of one identity at a time, each on a connection of its own: as many as a transport keeps. Others wait for their turn."""


class Clients:
    """`configuration` says where and as whom. With `accounts` a controller writes as its service account in kube-system
    (--use-service-account-credentials), else everything is written as the one user. The constructor raises tls.TlsError and
    credentials.CredentialError."""

    def __init__(self, configuration: ResolvedConfig, clock: Clock, component: str, *, accounts: bool = False) -> None:
        self._server = configuration.server
        self._server_name = str(configuration.cluster.get("tls-server-name") or "")
        self._configuration = configuration
        self._authorization = authorization(configuration.user)
        self._clock = clock
        self._component = component
        self._accounts = accounts
        self._transports: dict[str, Transport] = {}
        self.own = Client(self._transport(_context(configuration), self._authorization))

    def client_for(self, who: User) -> Client:
        if not self._accounts or SYSTEM_SERVICEACCOUNTS not in who.groups:
            return Client(self.own.transport)
        transport = self._transports.get(who.name)
        if transport is None:
            namespace, _, name = who.name.removeprefix(_ACCOUNT).partition(":")
            transport = AccountTransport(
                self.own, self._clock, namespace, name, lambda token: self._transport(self._with_token, f"Bearer {token}")
            )
            self._transports[who.name] = transport
        return Client(transport)

    @cached_property
    def _with_token(self) -> ssl.SSLContext | None:
        """Made for the first account: most have none."""
        return _context(self._configuration._replace(user={}))

    @asynccontextmanager
    async def informers(self) -> AsyncIterator[InformerFactory]:
        """Caches, filled by reading as the kubeconfig's user."""
        factory = InformerFactory(self.own, self._clock)
        try:
            yield factory
        finally:
            await factory.stop()

    async def close(self) -> None:
        for transport in (*self._transports.values(), self.own.transport):
            await transport.close()

    def _transport(self, context: ssl.SSLContext | None, credentials: str) -> HttpsTransport:
        headers: Mapping[str, str] = {"User-Agent": f"{self._component}/{KUBERNETES_VERSION} (linux/python) kubernetes"}
        if credentials:
            headers = {**headers, "Authorization": credentials}
        return HttpsTransport(self._server, context, headers=headers, server_name=self._server_name, most_requests=_MOST_REQUESTS)


def _context(configuration: ResolvedConfig) -> ssl.SSLContext | None:
    return context_for(configuration) if configuration.server.startswith("https://") else None
