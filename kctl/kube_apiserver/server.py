"""kube-apiserver: the parts put together, and its life: start (load caches, bootstrap), serve over TLS, stop.

In-process users get a transport from `transport(user)` and need no socket; `serve` may be called, or never.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Mapping, Sequence
from datetime import datetime
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any

from kctl.apimachinery.clock import Clock
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import SERVICES, ResourceTable, ResourceType
from kctl.apimachinery.schema import schemas
from kctl.apimachinery.user import User
from kctl.client.kubelet import KubeletConnector
from kctl.client.transport import RawResponse, Transport
from kctl.kube_apiserver import allocators
from kctl.kube_apiserver.admission import chain as admission_chain
from kctl.kube_apiserver.authentication.authenticator import Authenticator
from kctl.kube_apiserver.authentication.bootstrap_tokens import BootstrapTokens
from kctl.kube_apiserver.authentication.service_account_tokens import ServiceAccountTokens
from kctl.kube_apiserver.authorization.authorization import Authorization
from kctl.kube_apiserver.authorization.settling import Settling
from kctl.kube_apiserver.caller import CANONICAL, WIRE, Body
from kctl.kube_apiserver.config import ApiServerConfig
from kctl.kube_apiserver.filters.max_in_flight import InFlight
from kctl.kube_apiserver.handler_chain import build_handler_chain, build_in_process_chain
from kctl.kube_apiserver.handlers.dispatch import Dispatcher
from kctl.kube_apiserver.in_process import InProcessTransport
from kctl.kube_apiserver.metrics import Metrics
from kctl.kube_apiserver.registry.registry import Registry
from kctl.kube_apiserver.registry.served_resource import ObjectSchema
from kctl.kube_apiserver.request import Handler, Request, ResourceRequest
from kctl.kube_apiserver.response import Response
from kctl.kube_apiserver.server_parts import ServerParts
from kctl.kube_apiserver.stall_monitor import StallMonitor
from kctl.kube_apiserver.storage import Storage

if TYPE_CHECKING:
    import ssl

    from kctl.kube_apiserver.audit.log import AuditLog
    from kctl.kube_apiserver.definitions_follower import Follower
    from kctl.kube_apiserver.filters.audit import Auditing
    from kctl.kube_apiserver.housekeeping import Housekeeping
    from kctl.kube_apiserver.storage import Etcd
    from kctl.kube_apiserver.streaming.dialing import Dialer

_API_SERVICES = ("apiregistration.k8s.io", "apiservices", False)


class ApiServer:
    """`kubelet_connector` may be set any time; without one pods/log answers that the kubelet cannot be reached."""

    def __init__(self, store: Etcd, *, clock: Clock, randomness: random.Random, config: ApiServerConfig | None = None) -> None:
        self.config = config or ApiServerConfig()
        self.clock = clock
        machine = clock.machine
        self.table = ResourceTable()
        self.storage = Storage(store, machine)
        tokens = ServiceAccountTokens(self.storage, clock, randomness, self.config.service_account_key, self.config.service_account_issuer)
        authenticator = Authenticator(self.config, tokens, BootstrapTokens(self.storage, clock))
        self.authorization = Authorization(self.config.authorization_modes, self.storage)
        self.parts = ServerParts(self.config, allocators.empty(self.config, randomness), tokens, authenticator, self.authorization)
        self.registry = Registry(self.storage, admission_chain.load(), _schema_of, clock, randomness, self.parts, self.table)
        self._in_flight = InFlight(self.config.max_requests_inflight, self.config.max_mutating_requests_inflight, machine)
        self.stalls = StallMonitor(self.config.stall_seconds)
        self.metrics = Metrics(self.storage, machine, self._in_flight, self.stalls)
        self._dispatcher = Dispatcher(self.registry)
        self.metrics.more_lines = lambda: self.registry.shared.admission.metric_lines()
        self._audit_log: AuditLog | None = None
        self._audit = self._auditing(randomness)
        self._in_process: Handler = build_in_process_chain(
            self._dispatch, self.metrics, self.config, self.authorization, machine, self._audit
        )
        self._https: Handler | None = None
        self._listener: Any = None
        self._flow_schemas: asyncio.Task[None] | None = None
        self._policy_status: asyncio.Task[None] | None = None
        self._aggregation: asyncio.Task[None] | None = None
        self._local_services: asyncio.Task[None] | None = None
        self._local_services_settled: asyncio.Future[None] | None = None
        self._definitions: Follower | None = None
        self.bound_port = 0
        self._housekeeping: Housekeeping | None = None
        self._roles: Settling | None = None
        self.stopping = False

    @property
    def kubelet_connector(self) -> KubeletConnector | None:
        return self.parts.kubelets.connector

    @kubelet_connector.setter
    def kubelet_connector(self, connector: KubeletConnector | None) -> None:
        self.parts.kubelets.connector = connector

    @property
    def dialer(self) -> Dialer | None:
        """How proxies reach pods and nodes; may be set any time."""
        return self.parts.kubelets.dialer

    @dialer.setter
    def dialer(self, dialer: Dialer | None) -> None:
        self.parts.kubelets.dialer = dialer

    def now(self) -> datetime:
        return self.clock.now()

    async def start(self) -> None:
        """Load what is stored; create what a new cluster contains. Afterwards requests are answered. Raises OSError where the audit log
        cannot be written."""
        if self._audit_log is not None:
            self._audit_log.open()
        await self.storage.start()
        self.authorization.start(with_defaults=self.config.bootstrap)
        allocators.take_what_is_held(self.parts.allocators, self.storage.list_cached(SERVICES, ""))
        if self.config.bootstrap:
            from kctl.kube_apiserver import bootstrap

            await bootstrap.apply(self.registry, self.config)
        from kctl.kube_apiserver import flow_schema_conditions, housekeeping

        self._housekeeping = housekeeping.Housekeeping(self.registry)
        self._housekeeping.start()

        if self.config.bootstrap and self.authorization.is_rbac:
            self._roles = Settling(self.registry, self.authorization)
        if self.config.bootstrap:
            self.authorization.unsettled[_API_SERVICES[0]] = self._settle_local_services
        self._flow_schemas = asyncio.create_task(flow_schema_conditions.keep(self.registry))
        self._policy_status = asyncio.create_task(self._keep_policy_status())
        self._aggregation = asyncio.create_task(self._keep_aggregator())
        from kctl.kube_apiserver import definitions_follower

        self.registry.definitions = self._definitions = definitions_follower.Follower(self.registry)
        await self._definitions.start()

    async def _keep_policy_status(self) -> None:
        """Waits for the first ValidatingAdmissionPolicy before it loads what checks them."""
        cache = self.storage.cache("admissionregistration.k8s.io", "validatingadmissionpolicies", False)
        watcher = cache.subscribe(None, "")
        if not cache.entries and await watcher.next() is None:
            return
        from kctl.kube_apiserver import policy_status

        await policy_status.keep(self.registry, watcher)

    async def _keep_aggregator(self) -> None:
        """Waits for the first APIService of an extension API server before it loads what leads there. Such servers read at their start how
        they know this one, before there is an APIService."""
        cache = self.storage.cache(*_API_SERVICES)
        watcher = cache.subscribe(None, "")
        if self.config.requestheader_client_ca:
            from kctl.kube_apiserver.aggregation import authentication

            await authentication.publish(self.registry)
        seen: Sequence[Object] = [entry.object for entry in cache.entries.values()]
        if self.config.bootstrap and any(obj["spec"].get("service") and obj["metadata"].get("labels") for obj in seen):
            await self._settled()  # a server that starts serves its own groups itself
            seen = [entry.object for entry in cache.entries.values()]
        while not any(obj["spec"].get("service") for obj in seen):
            batch = await watcher.next()
            if batch is None:
                return
            seen = [change.entry.object for change in batch]
        module = await self.clock.beside(partial(import_module, "kctl.kube_apiserver.aggregation.aggregator"))
        await module.Aggregator(self.registry).run(watcher)

    def _settle_local_services(self, verb: str, form: Body) -> Awaitable[None] | None:
        """The first who asks for APIServices, components excepted, has those made that this server keeps."""
        return asyncio.shield(self._settled()) if form is not CANONICAL else None

    def _settled(self) -> asyncio.Future[None]:
        if self._local_services_settled is None:
            loop = asyncio.get_running_loop()
            self._local_services_settled = loop.create_future()
            self._local_services = loop.create_task(self._keep_local_services(self._local_services_settled), name="APIServices")
        return self._local_services_settled

    async def _keep_local_services(self, settled: asyncio.Future[None]) -> None:
        try:
            module = await self.clock.beside(partial(import_module, "kctl.kube_apiserver.aggregation.local_services"))
            services = module.LocalServices(self.registry)
            await services.settle()
        finally:
            self.authorization.unsettled.pop(_API_SERVICES[0], None)
            settled.set_result(None)
        await services.follow()

    def transport(self, user: User) -> Transport:
        """The in-process way in for what a person wrote: bodies are checked as over HTTPS."""
        return InProcessTransport(self, user, WIRE)

    def component_transport(self, user: User) -> Transport:
        """The way in for a component of this daemon: its bodies are canonical objects that nobody changes afterwards."""
        return InProcessTransport(self, user, CANONICAL)

    def _dispatch(self, request: Request) -> Awaitable[Response]:
        match request:
            case ResourceRequest():
                return self._dispatcher.dispatch(request)
        raise AssertionError(f"in-process, and about no resource: {request}")

    def handle_in_process(self, request: ResourceRequest) -> Awaitable[Response]:
        return self._in_process(request)

    async def handle(self, request: Request) -> Response:
        """What came over HTTPS; failures are raised as ApiError by the chain's inner parts and answered by its outermost filter."""
        chain = self._https
        if chain is None:
            chain = self._https = await self.clock.beside(self._https_chain)
        return await chain(request)

    def _https_chain(self) -> Handler:
        from kctl.kube_apiserver.paths import Paths

        handle = Paths(self, self.metrics, self._dispatcher).handle
        return build_handler_chain(handle, self.parts, self.metrics, self._in_flight, self.clock.machine, self._audit)

    def _auditing(self, randomness: random.Random) -> Auditing | None:
        """The filters that log what the policy wants; None where nothing is to be logged."""
        policy = self.config.audit_policy
        if policy is None or not self.config.audit_log_path:
            return None
        from kctl.kube_apiserver.audit.log import AuditLog
        from kctl.kube_apiserver.filters.audit import Auditing

        self._audit_log = log = AuditLog(self.config.audit_log_path, self.clock, self.config.audit_log_rotation)
        identifiers = random.Random(randomness.getrandbits(64))
        return Auditing(policy, log, self.authorization, self.clock, identifiers)

    async def handle_raw(
        self,
        method: str,
        path: str,
        query: Mapping[str, str],
        body: bytes | None,
        headers: Mapping[str, str],
        user: User,
    ) -> RawResponse:
        """Any HTTP request, without a socket."""
        from kctl.kube_apiserver import http

        return await http.in_process(self, method, path, query, body, headers, user)

    async def serve(self, host: str, port: int, ssl_context: ssl.SSLContext | None) -> int:
        """Listen; the port bound (useful with port 0)."""
        from kctl.kube_apiserver import http

        self._listener = http.Listener(self)
        return int(await self._listener.start(host, port, ssl_context))

    async def stop(self) -> None:
        """End the watches, finish what runs, close the port. The store stays open (its owner closes it). Idempotent."""
        if self.stopping:
            return
        self.stopping = True
        if self._housekeeping is not None:
            self._housekeeping.stop()
        if self._roles is not None:
            await self._roles.stop()
        await self.storage.close()
        await self.registry.shared.admission.close()
        if self._flow_schemas is not None:
            self._flow_schemas.cancel()
            await asyncio.wait({self._flow_schemas})
        if self._policy_status is not None:
            await self._policy_status
        if self._aggregation is not None:
            await self._aggregation
        if self._local_services is not None:
            await self._local_services
        if self._definitions is not None:
            await self._definitions.stop()
        if self._listener is not None:
            await self._listener.stop()
        if self._audit_log is not None:
            self._audit_log.flush()
            self._audit_log.close()


def _schema_of(resource: ResourceType, subresource: str) -> ObjectSchema:
    return schemas.load().for_resource(resource, subresource)
