"""How the server writes the status of a definition: as the API server's own update of it."""

from __future__ import annotations

from collections.abc import Callable

from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import CUSTOM_RESOURCE_DEFINITIONS
from kctl.apimachinery.user import APISERVER
from kctl.kube_apiserver.caller import CANONICAL, Caller
from kctl.kube_apiserver.registry import ownership
from kctl.kube_apiserver.registry.registry import Registry

CALLER = Caller(APISERVER, body=CANONICAL, manager="kube-apiserver")


async def write(registry: Registry, name: str, change: Callable[[Object], Object]) -> Object:
    """The definition as it is stored. Raises ApiError."""
    endpoint = registry.endpoint(CUSTOM_RESOURCE_DEFINITIONS)

    def owned(old: Object) -> Object:
        changed = change(old)
        new = {**changed, "metadata": dict(changed["metadata"])}
        ownership.own_update(endpoint, new, old, CALLER, "status", endpoint.stamp())
        return new

    return await endpoint.write_directly("", name, owned, CALLER)
