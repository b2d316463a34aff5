"""What mutating webhooks and policies have in common: the object in the version they see it in, and what they made of it written back."""

from __future__ import annotations

from typing import Any

from kctl.apimachinery.field_ownership import managed_fields
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import ResourceType
from kctl.kube_apiserver.admission.plugin import Operation, Server
from kctl.kube_apiserver.registry.strategy import Context, Reinvocation


def is_whole(operation: Operation) -> bool:
    """Whether it is about objects as they are stored, not about a form of their own (a Scale, a Binding)."""
    return not operation.subresource or operation.subresource == "status"


def shown(server: Server, operation: Operation, seen_as: ResourceType, obj: Object) -> Object:
    """Plain data, which is a value."""
    converted: Object = server.endpoint(seen_as).from_storage(obj) if is_whole(operation) else obj
    return managed_fields.plain(converted)


async def seen(server: Server, operation: Operation, seen_as: ResourceType, obj: Object) -> Object:
    """`shown`, not made plain, with whatever conversion takes. Raises ApiError where a webhook that converts fails."""
    if not is_whole(operation):
        return obj
    endpoint = server.endpoint(seen_as)
    made: Object = await endpoint.served_form(obj) if endpoint.custom else endpoint.from_storage(obj)
    return made


async def write_back_from(
    server: Server, context: Context, operation: Operation, seen_as: ResourceType, obj: Object, patched: Object
) -> bool:
    """`write_back`, of a custom resource in the version of the request. Raises ValueError, ApiError."""
    if is_whole(operation) and server.endpoint(seen_as).custom and seen_as != operation.resource:
        decoded = server.endpoint(seen_as).schema().decode(patched).object
        patched = await server.endpoint(operation.resource).served_form(decoded)
        seen_as = operation.resource
    return write_back(server, context, operation, seen_as, obj, patched)


def write_back(server: Server, context: Context, operation: Operation, seen_as: ResourceType, obj: Object, patched: Object) -> bool:
    """Make `obj` (private, as it is stored) what it was patched to; whether that made a difference. Raises ValueError for what is no
    such object any more."""
    if is_whole(operation):
        endpoint = server.endpoint(seen_as)
        patched = endpoint.to_storage(endpoint.schema().decode(patched).object)
        _keep_identity(patched, obj)
        if patched == obj:
            return False
        endpoint.strategy.default(context, patched)
    if patched == obj:
        return False
    obj.clear()
    obj.update(patched)
    return True


def _keep_identity(patched: Object, obj: Object) -> None:
    """What the server has set and nobody may change."""
    meta = patched["metadata"] = dict(patched.get("metadata") or {})
    for name in ("uid", "namespace", "creationTimestamp", "generation", managed_fields.FIELD):
        if name in obj["metadata"]:
            meta[name] = obj["metadata"][name]
        else:
            meta.pop(name, None)


def reinvocation(context: Context) -> Reinvocation:
    if context.reinvocation is None:
        context.reinvocation = Reinvocation()
    return context.reinvocation


class Invoked:
    """What a plugin keeps from the first round of a request for the second: keys that tell apart what it calls."""

    def __init__(self) -> None:
        self.may_be_called_again: set[Any] = set()
        """Called, and to be called again once something changes."""
        self.to_call_again: set[Any] = set()
        self.output: Object | None = None
        """What the round left."""

    def changed(self) -> None:
        self.to_call_again |= self.may_be_called_again
        self.may_be_called_again = set()
