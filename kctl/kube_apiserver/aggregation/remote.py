"""An extension API server, as an APIService names it: how this server connects to it and asks it something of its own accord."""

from __future__ import annotations

import base64
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple
from urllib.parse import quote

from kctl.apimachinery import objects
from kctl.apimachinery.clock import timeout
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import SERVICES
from kctl.apimachinery.user import User
from kctl.client.connection_errors import describe
from kctl.client.http_messages import ProtocolError
from kctl.client.kubeconfig import ResolvedConfig
from kctl.client.tls import TlsError, context_for
from kctl.kube_apiserver import service_addresses
from kctl.kube_apiserver.config import ApiServerConfig
from kctl.kube_apiserver.registry.registry import Registry
from kctl.kube_apiserver.streaming.dialing import DialedConnection, SocketDialer, is_own, open_socket
from kctl.kube_apiserver.streaming.http_exchange import Exchange
from kctl.kube_apiserver.streaming.tls import secured

ASK_SECONDS = 5.0
LARGEST_DOCUMENT = 16 * 1024 * 1024
AGGREGATOR = User("system:aggregator", ("system:masters",))
"""As whom documents are fetched."""
CHECKER = User("system:kube-aggregator", ("system:masters",))
"""As whom availability is checked."""
Headers = list[tuple[str, str]]
_TOKEN = "!#$%&'*+-.^_`|~"


class Unanswered(Exception):
    """The message is what stands behind the URL."""


class Fetched(NamedTuple):
    status: int
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes


def identity_headers(user: User) -> Headers:
    """How an extension server is told who asks: it believes this server by its client certificate."""
    headers = [("X-Remote-User", user.name)]
    if user.uid:
        headers.append(("X-Remote-Uid", user.uid))
    headers += [("X-Remote-Group", group) for group in user.groups]
    for key, values in user.extra.items():
        headers += [(f"X-Remote-Extra-{quote(key.lower(), safe=_TOKEN.replace('%', ''))}", value) for value in values]
    return headers


@dataclass(slots=True, eq=False)
class Remote:
    """One group version that an extension server serves. `available` as the APIService's condition says."""

    name: str
    group: str
    version: str
    namespace: str
    service: str
    port: int
    ca_bundle: str
    is_verified: bool
    group_priority: int
    version_priority: int
    spec: Object
    available: bool = False
    error: str = ""
    """Why there is no way to it whatever it does: its authority cannot be read."""

    @classmethod
    def of(cls, api_service: Object) -> Remote | None:
        """None for what this server serves itself."""
        spec = objects.spec(api_service)
        service = spec.get("service")
        if not service:
            return None
        condition = objects.condition(api_service, "Available") or {}
        return cls(
            objects.name(api_service),
            str(spec.get("group") or ""),
            str(spec.get("version") or ""),
            str(service.get("namespace") or ""),
            str(service.get("name") or ""),
            int(service.get("port") or 443),
            str(spec.get("caBundle") or ""),
            not spec.get("insecureSkipTLSVerify"),
            int(spec.get("groupPriorityMinimum") or 0),
            int(spec.get("versionPriority") or 0),
            spec,
            condition.get("status") == "True",
        )

    @property
    def key(self) -> tuple[str, str]:
        return self.group, self.version

    @property
    def path(self) -> str:
        return f"/apis/{self.group}/{self.version}"

    @property
    def server_name(self) -> str:
        return f"{self.service}.{self.namespace}.svc"


class Way:
    """To one extension server. TLS contexts are made when first needed."""

    def __init__(self, registry: Registry, remote: Remote) -> None:
        self._registry = registry
        self.remote = remote
        self._contexts: dict[bool, ssl.SSLContext] = {}

    def context(self, *, verified: bool) -> ssl.SSLContext:
        """With this server's client certificate. Raises TlsError."""
        found = self._contexts.get(verified)
        if found is None:
            found = self._contexts[verified] = context_for(_tls_config(self._registry.parts.config, self.remote, verified=verified))
        return found

    def address(self) -> tuple[str, int]:
        """As messages show it: the Service's own. Raises CannotResolve."""
        remote = self.remote
        host, port = service_addresses.resolve(self._registry, remote.service, remote.namespace, remote.port)
        service = self._registry.get_cached(SERVICES, remote.namespace, remote.service) or {}
        own = objects.spec(service).get("clusterIP")
        return (str(own), remote.port) if own and own != "None" else (host, port)

    async def dial(self) -> DialedConnection:
        """Raises OSError, CannotResolve."""
        remote = self.remote
        host, port = service_addresses.resolve(self._registry, remote.service, remote.namespace, remote.port)
        service = self._registry.get_cached(SERVICES, remote.namespace, remote.service) or {}
        if objects.spec(service).get("type") == "ExternalName":
            return await open_socket(host, port)
        dialer = self._registry.parts.kubelets.dialer
        if dialer is None or is_own(host):
            return await SocketDialer().dial(host, port)
        return await dialer.dial(host, port)

    async def get(self, path: str, accept: str, user: User, *, verified: bool = True, known: str = "") -> Fetched:
        """`known`: an ETag. Raises Unanswered."""
        try:
            host, port = self.address()
            async with timeout(self._registry.clock.machine, ASK_SECONDS):
                return await self._get(path, accept, user, verified=verified and self.remote.is_verified, known=known)
        except service_addresses.CannotResolve as error:
            raise Unanswered(str(error)) from None
        except TimeoutError:
            raise Unanswered(f'Get "{self.url(path)}": context deadline exceeded') from None
        except (OSError, EOFError, ProtocolError, TlsError) as error:
            why = str(error) if isinstance(error, ProtocolError | TlsError) else describe(error, host, port)
            raise Unanswered(f'Get "{self.url(path)}": {why}') from None

    def url(self, path: str) -> str:
        host, port = self.address()
        return f"https://{f'[{host}]' if ':' in host else host}:{port}{path}"

    async def _get(self, path: str, accept: str, user: User, *, verified: bool, known: str) -> Fetched:
        context = self.context(verified=verified)
        connection = await secured(await self.dial(), context, self.remote.server_name)
        exchange = Exchange(connection)
        try:
            headers = [("Host", self.remote.server_name), ("Accept", accept), ("User-Agent", "kube-aggregator"), *identity_headers(user)]
            if known:
                headers.append(("If-None-Match", known))
            head = await exchange.ask("GET", path, headers, None, None)
            body = bytearray()
            async for chunk in exchange.chunks():
                body += chunk
                if len(body) > LARGEST_DOCUMENT:
                    raise ProtocolError("the answer is too large")
        finally:
            exchange.close()
        return Fetched(head.status, {name.decode("latin-1"): value.decode("latin-1") for name, value in head.headers}, bytes(body))


def _tls_config(config: ApiServerConfig, remote: Remote, *, verified: bool) -> ResolvedConfig:
    cluster: dict[str, Any] = {"insecure-skip-tls-verify": True}
    if verified:
        cluster = {"certificate-authority-data": remote.ca_bundle} if remote.ca_bundle else {}
    user: dict[str, Any] = {}
    if config.proxy_client_certificate:
        user["client-certificate-data"] = base64.b64encode(config.proxy_client_certificate).decode()
        user["client-key-data"] = base64.b64encode(config.proxy_client_key).decode()
    return ResolvedConfig("", cluster, user)


def ordered(remotes: Sequence[Remote]) -> list[Remote]:
    """The versions of a group: by priority, then the newer and more stable first."""
    return sorted(remotes, key=lambda remote: (-remote.version_priority, *_kube_version(remote.version)))


def _kube_version(version: str) -> tuple[int, int, int, str]:
    """v2 before v1 before v1beta2 before v1beta1 before v1alpha1, then what is no such version by name."""
    import re

    found = re.fullmatch(r"v(\d+)(?:(alpha|beta)(\d+))?", version)
    if found is None:
        return 3, 0, 0, version
    return {None: 0, "beta": 1, "alpha": 2}[found[2]], -int(found[1]), -int(found[3] or 0), version
