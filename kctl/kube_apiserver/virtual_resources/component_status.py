"""componentstatuses: the old health list of the control plane, computed, never stored."""

from __future__ import annotations

from kctl.apimachinery.objects import Object
from kctl.apimachinery.status import not_found
from kctl.kube_apiserver.registry.registry import Registry
from kctl.kube_apiserver.request import ResourceRequest
from kctl.kube_apiserver.response import ListAnswer, ObjectAnswer, Response
from kctl.kube_apiserver.watch_cache import Entry

_COMPONENTS = ("scheduler", "controller-manager", "etcd-0")


def _status(name: str) -> Object:
    healthy = {"type": "Healthy", "status": "True", "message": "ok"}
    return {"kind": "ComponentStatus", "apiVersion": "v1", "metadata": {"name": name}, "conditions": [healthy]}


async def handle(registry: Registry, request: ResourceRequest) -> Response:
    endpoint = request.endpoint
    if request.name:
        if request.name not in _COMPONENTS:
            raise not_found("", "componentstatuses", request.name)
        return ObjectAnswer(_status(request.name), endpoint=endpoint)
    entries = [Entry(_status(name), 0) for name in _COMPONENTS]
    return ListAnswer(endpoint, entries, registry.storage.revision)
