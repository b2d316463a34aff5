"""One admission plugin: may change an object on its way in (`admit`), then may refuse it (`validate`).

Plugins run in the order of chain.py, all `admit` first (on a private copy, after defaulting), all `validate` after the kind's own
validation. They refuse by raising an ApiError, usually status.forbidden(...).
"""

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Any

from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import ResourceType
from kctl.kube_apiserver.registry.strategy import Context


@dataclass(frozen=True, slots=True)
class Operation:
    """What is being done. `name` and `operation` (CREATE, UPDATE, DELETE, CONNECT) as admission reviews have them.
    `subresource` is '' for the object itself. `options` are the request's DeleteOptions for DELETE."""

    operation: str
    resource: ResourceType
    namespace: str
    name: str
    subresource: str = ""
    options: Any = None


class AdmissionPlugin:
    """Subclass, override what applies, and list the instance's module in chain.py."""

    name: str = ""
    """Upstream's registered name, e.g. ServiceAccount."""
    operations: tuple[str, ...] = ("CREATE", "UPDATE")
    resources: frozenset[tuple[str, str]] | None = None
    """(group, plural) it wants to see; None = all. Subresource requests only come where `subresources` says so."""
    subresources: frozenset[str] = frozenset({""})
    per_object: bool = True
    """False: the outcome depends only on the spec, the namespace and the objects of `depends_on`, so for pods made from one
    template it is computed once and the result shared (registry/admitted_specs.py)."""
    depends_on: tuple[tuple[str, str], ...] = ()
    """(group, plural) of the objects whose change may change the outcome."""

    def admit(self, context: Context, obj: Object, old: Object | None, operation: Operation) -> Awaitable[None] | None:
        """Change `obj` (private) in place, or refuse. None when that is done; a plugin that must wait for somebody (a webhook, a new
        namespace's account) returns what to await, and only then does the request wait."""
        return None

    def validate(self, context: Context, obj: Object, old: Object | None, operation: Operation) -> Awaitable[None] | None:
        """Refuse; change nothing. For DELETE `obj` is the stored object. What it returns is as for `admit`."""
        return None

    def wants(self, operation: Operation) -> bool:
        if operation.operation not in self.operations or operation.subresource not in self.subresources:
            return False
        return self.resources is None or (operation.resource.group, operation.resource.plural) in self.resources
