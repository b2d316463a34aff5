"""Everything under /: resources go to their handlers, the rest is answered here (health, version, discovery, OpenAPI, metrics)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from importlib import import_module
from typing import Any, cast

import orjson

from kctl.kube_apiserver import health
from kctl.kube_apiserver.handlers.dispatch import Dispatcher
from kctl.kube_apiserver.metrics import Metrics
from kctl.kube_apiserver.request import AggregatedRequest, Request, ResourceRequest, UnservedRequest
from kctl.kube_apiserver.request_info import no_such_resource, not_allowed
from kctl.kube_apiserver.response import ObjectAnswer, RawAnswer, Response
from kctl.kube_apiserver.serving import Serving

_TEXT = "text/plain; charset=utf-8"


class Paths:
    """`dispatcher` answers what is about resources."""

    def __init__(self, server: Serving, metrics: Metrics, dispatcher: Dispatcher) -> None:
        self._server = server
        self._metrics = metrics
        self._dispatcher = dispatcher
        self._loaded: set[str] = set()
        self._aggregated_documents: dict[bool, tuple[int, bytes]] = {}
        """By whether they are of the core group: for which state of the table, as JSON."""

    async def handle(self, request: Request) -> Response:
        match request:
            case ResourceRequest():
                return await self._dispatcher.dispatch(request)
            case AggregatedRequest():
                return await self._aggregated(request)
            case UnservedRequest():
                if request.error is not None:
                    raise request.error
                return not_found()
        return await self._other(request)

    async def _aggregated(self, request: AggregatedRequest) -> Response:
        await self._load("aggregation.passing")
        from kctl.kube_apiserver.aggregation import passing

        registry = self._server.registry
        return await passing.handle(registry, cast(Any, registry.aggregated), request)

    async def _other(self, request: Request) -> Response:
        if not request.path.startswith("/"):  # CONNECT host:port
            return not_found()
        path = request.path.rstrip("/") or "/"
        first = path.split("/")[1]
        if path == "/kctl.dev/clock":
            return await self._clock(request)
        if first == "kctl.dev":
            await self._load("virtual_resources.scheduling")
            from kctl.kube_apiserver.virtual_resources import scheduling

            return await scheduling.handle(self._server.registry, request, path) or not_found()
        answer = _ANSWERS.get(first)
        if answer is None:
            return not_found()
        if request.method not in ("GET", "HEAD"):
            if first in ("api", "apis", "version") and path.count("/") < 4:
                raise not_allowed()
            return not_found()
        return await answer(self, request, path)

    async def _load(self, module: str) -> None:
        """Import it beside the event loop, where that is to be done."""
        if module not in self._loaded:
            await self._server.clock.beside(partial(import_module, f"kctl.kube_apiserver.{module}"))
            self._loaded.add(module)

    async def _health(self, request: Request, path: str) -> Response:
        return health.answer(self._server, request, path)

    async def _prometheus(self, request: Request, path: str) -> Response:
        if path != "/metrics":
            return not_found()
        return RawAnswer((await self._metrics.text()).encode(), "text/plain; version=0.0.4; charset=utf-8")

    async def _clock(self, request: Request) -> Response:
        await self._load("clock_control")
        from kctl.kube_apiserver import clock_control

        return await clock_control.answer(self._server.clock, request)

    async def _version(self, request: Request, path: str) -> Response:
        await self._load("version")
        from kctl.kube_apiserver import version

        return ObjectAnswer(version.info()) if path == "/version" else not_found()

    async def _discovery(self, request: Request, path: str) -> Response:
        """/api, /apis, /apis/GROUP, /api/v1, /apis/GROUP/VERSION; the first two aggregated where the client prefers that."""
        await self._load("discovery")
        from kctl.kube_apiserver import discovery

        table, parts = self._server.table, path[1:].split("/")
        more = await self._extension("discovery") if parts[0] == "apis" and len(parts) < 3 else None
        if len(parts) == 1:
            aggregated = discovery.wants_aggregated(request.accept)
            if aggregated:
                if more is None:
                    return RawAnswer(self._own_discovery(core=parts[0] == "api"), aggregated)
                document = discovery.aggregated(table, core=False)
                return RawAnswer(orjson.dumps(more.aggregated(document, self._extensions)), aggregated)
            legacy = discovery.api_versions(self._address()) if parts[0] == "api" else discovery.api_group_list(table)
            return ObjectAnswer(legacy if more is None else more.group_list(legacy, self._extensions))
        found = None
        if parts[0] == "api" and len(parts) == 2:
            found = discovery.api_resource_list(table, "", parts[1])
        elif parts[0] == "apis" and len(parts) == 2:
            found = discovery.api_group(table, parts[1])
            if more is not None:
                found = more.group(found, parts[1], self._extensions)
        elif parts[0] == "apis" and len(parts) == 3:
            found = discovery.api_resource_list(table, parts[1], parts[2])
            if found is None and table.versions(parts[1]) and not table.is_custom(parts[1]):
                raise no_such_resource()
        return ObjectAnswer(found) if found is not None else not_found()

    def _own_discovery(self, *, core: bool) -> bytes:
        """Controllers ask every half minute: the document is made anew when there are other resources."""
        from kctl.kube_apiserver import discovery

        table = self._server.table
        changes, made = self._aggregated_documents.get(core, (-1, b""))
        if changes != table.changes:
            made = orjson.dumps(discovery.aggregated(table, core=core))
            self._aggregated_documents[core] = table.changes, made
        return made

    async def _openapi(self, request: Request, path: str) -> Response:
        await self._load("openapi")
        from kctl.kube_apiserver import openapi

        # documents of megabytes: beside the loop
        table, custom = tuple(self._server.table), self._server.registry.custom
        known = request.headers.get("if-none-match", "")
        more = await self._extension("openapi")
        if more is not None and (theirs := await self._extensions_openapi(more, request, path, known)) is not None:
            return theirs
        found = await asyncio.to_thread(openapi.answer, table, path, request.accept, request.query, custom, known)
        return found if found is not None else not_found()

    @property
    def _extensions(self) -> Any:
        """The Aggregator, which is loaded with the first extension API server."""
        return self._server.registry.aggregated

    async def _extension(self, module: str) -> Any:
        """What merges their documents with ours; None where there is no extension API server."""
        if self._extensions is None:
            return None
        await self._load(f"aggregation.{module}")
        return import_module(f"kctl.kube_apiserver.aggregation.{module}")

    async def _extensions_openapi(self, more: Any, request: Request, path: str, known: str) -> Response | None:
        from kctl.kube_apiserver import openapi

        table, custom, wire = tuple(self._server.table), self._server.registry.custom, request.wire
        parts = path.split("/")[2:]
        if parts[0] == "v3" and len(parts) == 4 and parts[1] == "apis":
            raw_query = wire.raw_query if wire is not None else ""
            found: Response | None = await more.document(self._extensions, parts[2], parts[3], raw_query, request.accept, known)
            return found
        if parts == ["v3"]:
            own = await asyncio.to_thread(openapi.answer, table, path, request.accept, request.query, custom, "")
            return more.index(own, self._extensions) if own is not None else None
        if parts == ["v2"] and "protobuf" not in request.accept:
            own = await asyncio.to_thread(openapi.answer, table, path, request.accept, request.query, custom, "")
            return await asyncio.to_thread(more.merged_v2, own, self._extensions) if own is not None else None
        return None

    async def _openid(self, request: Request, path: str) -> Response:
        await self._load("openid")
        from kctl.kube_apiserver import openid

        tokens = self._server.registry.parts.service_account_tokens
        if not tokens.is_loaded:
            await self._server.clock.beside(tokens.load)
        return openid.answer(tokens, path, self._address()) or not_found()

    def _address(self) -> str:
        return f"{self._server.config.advertise_address}:{self._server.bound_port or self._server.config.secure_port}"

    async def _root(self, request: Request, path: str) -> Response:
        await self._load("discovery")
        from kctl.kube_apiserver import discovery

        return (
            ObjectAnswer({"paths": sorted([*discovery.paths(self._server.table), *health.paths(), *_OTHER_PATHS])})
            if path == "/"
            else not_found()
        )


def not_found() -> Response:
    return RawAnswer(b"404 page not found\n", _TEXT, 404)


_OTHER_PATHS = (
    "/.well-known/openid-configuration",
    "/metrics",
    "/openapi/v2",
    "/openapi/v3",
    "/openapi/v3/",
    "/openid/v1/jwks",
    "/version",
)

_ANSWERS: dict[str, Callable[[Paths, Request, str], Awaitable[Response]]] = {
    "": Paths._root,
    "healthz": Paths._health,
    "livez": Paths._health,
    "readyz": Paths._health,
    "metrics": Paths._prometheus,
    "version": Paths._version,
    "api": Paths._discovery,
    "apis": Paths._discovery,
    "openapi": Paths._openapi,
    ".well-known": Paths._openid,
    "openid": Paths._openid,
}
