"""Definitions and a client for tests of custom resources: an API server on a port, and what a person would send it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import orjson

from tests.kctl.kube_apiserver.served import Answer, Served, served

CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
GROUP = "example.com"


def version(name: str = "v1", schema: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    """Served and stored unless `more` says otherwise."""
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True} if schema is None else schema
    return {"name": name, "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}, **more}


def definition(
    *versions: dict[str, Any], plural: str = "widgets", kind: str = "Widget", scope: str = "Namespaced", **more: Any
) -> dict[str, Any]:
    names = {"plural": plural, "kind": kind, **more.pop("names", {})}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{GROUP}"},
        "spec": {"group": GROUP, "scope": scope, "names": names, "versions": list(versions or (version(),)), **more},
    }


def spec_schema(**properties: Any) -> dict[str, Any]:
    """Of an object whose spec has these properties."""
    return {"type": "object", "properties": {"spec": {"type": "object", "properties": properties}}}


def widget(name: str = "w", spec: dict[str, Any] | None = None, api_version: str = f"{GROUP}/v1", **more: Any) -> dict[str, Any]:
    return {"apiVersion": api_version, "kind": "Widget", "metadata": {"name": name, **more.pop("metadata", {})}, "spec": spec or {}, **more}


class Api:
    """Requests over one connection; bodies are JSON unless `content_type` says otherwise."""

    def __init__(self, served: Served, connection: Any) -> None:
        self.served = served
        self._connection = connection

    async def __call__(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        raw = b"" if body is None else body if isinstance(body, bytes) else orjson.dumps(body)
        if raw and "content_type" not in headers:
            headers["content_type"] = "application/json"
        answer: Answer = await self._connection.ask(path, method, raw, **headers)
        return answer

    def path(self, name: str = "", *, api_version: str = "v1", plural: str = "widgets", space: str = "default", tail: str = "") -> str:
        where = f"/namespaces/{space}" if space else ""
        return f"/apis/{GROUP}/{api_version}{where}/{plural}" + (f"/{name}" if name else "") + (f"/{tail}" if tail else "")

    async def define(self, obj: dict[str, Any]) -> None:
        """Create a definition and wait until it is served."""
        answer = await self("POST", CRDS, obj)
        assert answer.status == 201, answer.json()
        await self.until_served(obj)

    async def until_served(self, obj: dict[str, Any], served: bool = True) -> None:
        plural = obj["spec"]["names"]["plural"]
        table = self.served.server.table
        async with asyncio.timeout(10):
            while any(entry.plural == plural for entry in table if entry.storage_version) is not served:
                await self("GET", "/livez")

    async def until(self, path: str, status: int) -> Answer:
        async with asyncio.timeout(10):
            answer = await self("GET", path)
            while answer.status != status:
                answer = await self("GET", path)
        return answer


@asynccontextmanager
async def api(**config: Any) -> AsyncIterator[Api]:
    async with served(**config) as running:
        connected = Api(running, await running.connect())
        space = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "default"}}
        assert (await connected("POST", "/api/v1/namespaces", space)).status == 201
        yield connected
