"""An API server in memory, without controllers, whose namespace `default` has its service account."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from kctl.apimachinery.clock import RealClock
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import PODS, ResourceType, built_in
from kctl.apimachinery.user import ADMIN
from kctl.client.client import Client
from kctl.client.transport import STRATEGIC_MERGE_PATCH
from kctl.kube_apiserver.server import ApiServer
from store.memory import MemoryStore


@dataclass(slots=True)
class Api:
    server: ApiServer
    client: Client
    store: MemoryStore

    async def create(self, api_version: str, kind: str, name: str, namespace: str = "default", **parts: Any) -> Object:
        resource = built_in(api_version, kind)
        space = namespace if resource.namespaced else ""
        body = {"apiVersion": api_version, "kind": kind, "metadata": {"name": name, **parts.pop("metadata", {})}, **parts}
        return await self.client.create(resource, body, space)

    async def pod(self, name: str = "p", namespace: str = "default", **spec: Any) -> Object:
        return await self.create("v1", "Pod", name, namespace, spec={"containers": [{"name": "c", "image": "i"}], **spec})

    async def namespace(self, name: str, **labels: str) -> None:
        await self.create("v1", "Namespace", name, metadata={"labels": {key.replace("__", "/"): value for key, value in labels.items()}})
        await self.create("v1", "ServiceAccount", "default", name)

    async def resize(self, name: str, containers: list[Object]) -> Object:
        body = {"spec": {"containers": containers}}
        return await self.client.patch(PODS, name, body, "default", subresource="resize", patch_type=STRATEGIC_MERGE_PATCH)

    async def get(self, resource: ResourceType, name: str, namespace: str = "default") -> Object:
        return await self.client.get(resource, name, namespace if resource.namespaced else "")


class UnhurriedStore(MemoryStore):
    """Others have their turn while it writes, as with one on a disk. `updated`: the keys, in order."""

    def __init__(self) -> None:
        super().__init__()
        self.updated: list[str] = []

    async def update(self, key: str, value: bytes, mod_revision: int, *, tag: object = None) -> int:
        for _ in range(10):
            await asyncio.sleep(0)
        self.updated.append(key)
        return await super().update(key, value, mod_revision, tag=tag)


@asynccontextmanager
async def _serving(store: MemoryStore) -> AsyncIterator[Api]:
    await store.start()
    server = ApiServer(store, clock=RealClock(), randomness=random.Random(3))
    await server.start()
    made = Api(server, Client(server.transport(ADMIN)), store)
    await made.create("v1", "ServiceAccount", "default")
    yield made
    await server.stop()
    await store.close()


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    async with _serving(MemoryStore()) as serving:
        yield serving


@pytest.fixture
async def unhurried_api() -> AsyncIterator[Api]:
    async with _serving(UnhurriedStore()) as serving:
        yield serving
