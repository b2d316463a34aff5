"""One admission plugin: may change an object on its way in (`admit`), then may refuse it (`validate`).

Plugins run in the order of chain.py, all `admit` first (on a private copy, after defaulting), all `validate` after the kind's own
validation. They refuse by raising an ApiError, usually status.forbidden(...).
"""

from __future__ import annotations

import random
from collections.abc import Awaitable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple, Protocol

from kctl.apimachinery.clock import Clock
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import ResourceTable, ResourceType
from kctl.kube_apiserver.registry.strategy import Context
from kctl.kube_apiserver.server_parts import ServerParts
from kctl.kube_apiserver.storage import Storage


class Operation(NamedTuple):
    """What is being done. `name` and `operation` (CREATE, UPDATE, DELETE, CONNECT) as admission reviews have them.
    `subresource` is '' for the object itself. `options` are the request's DeleteOptions for DELETE."""

    operation: str
    resource: ResourceType
    namespace: str
    name: str
    subresource: str = ""
    options: Any = None


class Server(Protocol):
    """What a plugin may have of the registry that it works for, beyond what the context of a request lets it read."""

    storage: Storage
    clock: Clock
    randomness: random.Random
    parts: ServerParts
    table: ResourceTable

    def endpoint(self, resource: ResourceType) -> Any:
        """A registry.endpoint.Endpoint, for a plugin that writes."""

    def get_cached(self, resource: ResourceType, namespace: str, name: str) -> Object | None: ...

    def list_cached(self, resource: ResourceType, namespace: str) -> Iterable[Object]: ...


class AdmissionPlugin:
    """Subclass, override what applies, and list the instance's module, with the resources it is about, in chain.py."""

    name: str = ""
    """Upstream's registered name, e.g. ServiceAccount."""
    operations: tuple[str, ...] = ("CREATE", "UPDATE")
    subresources: frozenset[str] = frozenset({""})
    """Which it wants to see; '' is the object itself."""
    admits_on: tuple[str, ...] = ("CREATE", "UPDATE", "DELETE", "CONNECT")
    validates_on: tuple[str, ...] = ("CREATE", "UPDATE", "DELETE", "CONNECT")
    """Of `operations`, those for which `admit` and `validate` have anything to do."""
    changes_objects: bool = True
    """False: `admit` only refuses, so that what a component hands over need not be copied for it."""
    per_object: bool = True
    """False: the outcome depends only on the spec, the namespace and the objects of `depends_on`, so for pods made from one
    template it is computed once and the result shared (registry/admitted_specs.py)."""
    judges_spec_alone: bool = False
    """True: of an update that changes neither spec nor annotations there is nothing to say that was not said of the stored object."""
    shares_admission: bool = True
    """False: what `admit` makes of an object may differ from object to object, so nothing is shared while it wants to see them."""
    depends_on: tuple[tuple[str, str], ...] = ()
    """(group, plural) of the objects whose change may change the outcome."""

    def bind(self, server: Server) -> AdmissionPlugin:
        """The plugin for one server: itself where it keeps nothing and writes nothing."""
        return self

    def admit(self, context: Context, obj: Object, old: Object | None, operation: Operation) -> Awaitable[None] | None:
        """Change `obj` (private) in place, or refuse. For DELETE it is the stored object, which may only be refused. None when that is
        done; a plugin that must wait for somebody (a webhook, a new namespace's account) returns what to await, and only then does the
        request wait."""
        return None

    def validate(self, context: Context, obj: Object, old: Object | None, operation: Operation) -> Awaitable[None] | None:
        """Refuse; change nothing. For DELETE `obj` is the stored object. What it returns is as for `admit`."""
        return None

    def validate_like(self, context: Context, obj: Object, operation: Operation) -> Awaitable[None] | None:
        """`validate` of an object whose spec is that of one which passed `admit` and `validate` before; asked only where `per_object`."""
        return self.validate(context, obj, None, operation)

    def metric_lines(self) -> Iterator[str]:
        """Of /metrics."""
        return iter(())

    async def close(self) -> None:
        """Give back what is open (connections); the server stops."""

    def wants(self, operation: Operation) -> bool:
        """Of the resources that chain.py names for it."""
        return operation.operation in self.operations and operation.subresource in self.subresources


def newest(defaults: Sequence[Object]) -> Object:
    """Of several objects marked as default (there is at least one): the newest, and of those made in one second the first by name."""
    latest = max(str(each["metadata"].get("creationTimestamp") or "") for each in defaults)
    return min(
        (each for each in defaults if (each["metadata"].get("creationTimestamp") or "") == latest),
        key=lambda each: str(each["metadata"]["name"]),
    )
