"""A strategy on its own: what a create or an update makes of an object, without a server."""

from __future__ import annotations

import random
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from kctl.apimachinery.objects import Object, deep_copy
from kctl.apimachinery.resources import ResourceType, built_in
from kctl.apimachinery.status import ApiError
from kctl.apimachinery.user import User
from kctl.kube_apiserver.allocators import Allocators
from kctl.kube_apiserver.registry import strategies
from kctl.kube_apiserver.registry.strategy import Context, Strategy

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


class Pool:
    """An allocator of cluster IPs or node ports with a memory."""

    def __init__(self, *values: Any) -> None:
        self.free = list(values)
        self.taken: list[Any] = []

    def allocate(self, preferred: Any = None, dry_run: bool = False) -> Any:
        value = preferred or next(value for value in self.free if value not in self.taken)
        if value in self.taken:
            raise ValueError("provided port is already allocated")
        if not dry_run:
            self.taken.append(value)
        return value

    def hold(self, value: Any) -> None:
        self.taken.append(value)

    def release(self, value: Any) -> None:
        self.taken.remove(value)


class Harness:
    def __init__(self, api_version: str, kind: str, cluster_ips: Pool | None = None, node_ports: Pool | None = None) -> None:
        self.resource = built_in(api_version, kind)
        self.strategy: Strategy = strategies.load()[self.resource.group, self.resource.plural]
        self.allocators = Allocators(cluster_ips, node_ports) if cluster_ips and node_ports else None

    def context(self, subresource: str = "", dry_run: bool = False) -> Context:
        def nothing(resource: ResourceType, namespace: str, name: str) -> Object | None:
            return None

        def none(resource: ResourceType, namespace: str) -> Iterable[Object]:
            return ()

        user = User("jane", ("system:authenticated",), "u1")
        space = "default" if self.resource.namespaced else ""
        return Context(self.resource, space, user, NOW, random.Random(1), nothing, none, subresource, dry_run, self.allocators)

    def _complete(self, obj: Object) -> Object:
        meta = {
            "name": "x",
            **({"namespace": "default"} if self.resource.namespaced else {}),
            **(obj.get("metadata") or {}),
        }
        head = {"apiVersion": self.resource.api_version, "kind": self.resource.kind}
        return {**deep_copy(head | obj), "metadata": meta}

    def create(self, obj: Object, dry_run: bool = False) -> Object:
        made = self._complete(obj)
        context = self.context(dry_run=dry_run)
        self.strategy.default(context, made)
        self.strategy.prepare_for_create(context, made)
        return made

    def problems(self, obj: Object) -> list[str]:
        """What a create of `obj` is refused for."""
        try:
            return [str(error) for error in self.strategy.validate(self.context(), self.create(obj))]
        except ApiError as error:
            return [f"{cause['field']}: {cause['message']}" for cause in error.details["causes"]]

    def update(self, old: Object, subresource: str = "", **changes: Any) -> tuple[Object, list[str]]:
        made, context = deep_copy({**old, **changes}), self.context(subresource)
        self.strategy.default(context, made)
        self.strategy.prepare_for_update(context, made, old)
        check = self.strategy.validate_status_update if subresource == "status" else self.strategy.validate_update
        return made, [str(error) for error in check(context, made, old)]
