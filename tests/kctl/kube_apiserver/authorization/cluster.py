"""An API server in memory with the default policy, and people who use it."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from kctl.apimachinery import user
from kctl.apimachinery.clock import RealClock
from kctl.apimachinery.objects import Object
from kctl.apimachinery.rbac.names import CLUSTER_ROLE_BINDINGS, CLUSTER_ROLES, GROUP, ROLE_BINDINGS, ROLES
from kctl.apimachinery.user import SYSTEM_AUTHENTICATED, User
from kctl.client.client import Client
from kctl.kube_apiserver.config import ApiServerConfig
from kctl.kube_apiserver.server import ApiServer
from store.memory import MemoryStore

JANE = User("jane", ("dev", SYSTEM_AUTHENTICATED))


class Cluster:
    def __init__(self, server: ApiServer) -> None:
        self.server = server
        self.admin = self.as_user(user.ADMIN)

    def as_user(self, who: User) -> Client:
        return Client(self.server.transport(who))

    async def role(self, name: str, *rules: dict[str, Any], namespace: str = "", **more: Any) -> Object:
        role = {"metadata": {"name": name}, "rules": list(rules), **more}
        return await self.admin.create(ROLES if namespace else CLUSTER_ROLES, role, namespace)

    async def bind(self, role: str, *subjects: str, namespace: str = "", kind: str = "ClusterRole", name: str = "") -> Object:
        """A subject reads User:jane, Group:dev or ServiceAccount:namespace/name."""
        binding = {
            "metadata": {"name": name or role.replace(":", "-")},
            "roleRef": {"apiGroup": GROUP, "kind": kind, "name": role},
            "subjects": [subject(text) for text in subjects],
        }
        return await self.admin.create(ROLE_BINDINGS if namespace else CLUSTER_ROLE_BINDINGS, binding, namespace)


def subject(text: str) -> dict[str, str]:
    kind, _, name = text.partition(":")
    if kind != "ServiceAccount":
        return {"kind": kind, "name": name}
    namespace, _, name = name.partition("/")
    return {"kind": kind, "name": name, "namespace": namespace}


def rule(verbs: str, resources: str, group: str = "", names: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {"verbs": verbs.split(), "apiGroups": [group], "resources": resources.split()}
    return {**found, "resourceNames": names.split()} if names else found


@asynccontextmanager
async def cluster(store: MemoryStore | None = None, **config: Any) -> AsyncIterator[Cluster]:
    """The caller's `store` stays open."""
    used = store or MemoryStore()
    if store is None:
        await used.start()
    server = ApiServer(used, clock=RealClock(), randomness=random.Random(1), config=ApiServerConfig(**config))
    await server.start()
    try:
        yield Cluster(server)
    finally:
        await server.stop()
        if store is None:
            await used.close()
