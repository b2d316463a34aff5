"""metrics.k8s.io: what pods and nodes use just now, measured when somebody asks, as metrics-server answers."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator

from kctl.apimachinery import objects
from kctl.apimachinery.metrics_resources import GROUP, NODE_METRICS, POD_METRICS, VERSION
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import NODES, PODS, built_in
from kctl.apimachinery.status import AlreadyExists, ApiError, NotFound, not_found
from kctl.apimachinery.times import rfc3339
from kctl.apimachinery.user import APISERVER
from kctl.client.kubelet import UsageSource
from kctl.kube_apiserver.caller import Caller
from kctl.kube_apiserver.registry import list_options
from kctl.kube_apiserver.registry.registry import Registry
from kctl.kube_apiserver.request import ResourceRequest
from kctl.kube_apiserver.response import ListAnswer, ObjectAnswer, Response
from kctl.kube_apiserver.watch_cache import Entry

log = logging.getLogger(__name__)

_API_SERVICES = built_in("apiregistration.k8s.io/v1", "APIService")
_API_SERVICE: Object = {
    "apiVersion": "apiregistration.k8s.io/v1",
    "kind": "APIService",
    "metadata": {"name": f"{VERSION}.{GROUP}"},
    "spec": {"group": GROUP, "version": VERSION, "groupPriorityMinimum": 100, "versionPriority": 100},
}


def serve(registry: Registry, source: UsageSource) -> None:
    """From now on the API is there, as in a cluster with a metrics server, and in a moment its APIService."""
    kubelets = registry.parts.kubelets
    kubelets.usage = source
    for resource in (NODE_METRICS, POD_METRICS):
        registry.table.add(resource)
    kubelets.registering = asyncio.get_running_loop().create_task(_register(registry), name="metrics.k8s.io")


async def _register(registry: Registry) -> None:
    try:
        await _create(registry)
    except ApiError as error:
        log.warning("APIService of %s: %s", GROUP, error)


async def _create(registry: Registry) -> None:
    name = objects.name(_API_SERVICE)
    if registry.get_cached(_API_SERVICES, "", name) is not None:
        return
    endpoint = registry.endpoint(_API_SERVICES)
    caller = Caller(APISERVER, validates=False)
    try:
        await endpoint.create("", endpoint.schema().decode(_API_SERVICE).object, caller)
    except AlreadyExists:
        return
    condition = {
        "type": "Available",
        "status": "True",
        "lastTransitionTime": rfc3339(registry.clock.now()),
        "reason": "Local",
        "message": "Local APIServices are always available",
    }
    await endpoint.update("", name, lambda present: objects.with_status(present, conditions=[condition]), caller, subresource="status")


async def handle(registry: Registry, request: ResourceRequest) -> Response:
    source = registry.parts.kubelets.usage
    if source is None:
        raise NotFound("the server could not find the requested resource")
    endpoint = request.endpoint
    of_pods = endpoint.resource.kind == POD_METRICS.kind
    measured = registry.endpoint(PODS if of_pods else NODES)
    if request.name:
        present = registry.get_cached(measured.resource, request.namespace, request.name)
        found = _measure(source, present, of_pods=of_pods) if present is not None else None
        if found is None:
            full = f"{request.namespace}/{request.name}" if of_pods else request.name
            raise not_found(GROUP, "podmetrics" if of_pods else "nodemetrics", full)
        return ObjectAnswer(found, endpoint=endpoint)
    options = await list_options.parse_beside(registry.clock, request.query, watch=False)
    listed = await measured.list(request.namespace, options)
    entries = list(_entries(source, listed.entries, of_pods=of_pods))
    return ListAnswer(endpoint, entries, listed.revision, listed.continue_token, listed.remaining)


def _entries(source: UsageSource, entries: object, *, of_pods: bool) -> Iterator[Entry]:
    assert isinstance(entries, list | tuple)
    for entry in entries:
        found = _measure(source, entry.object, of_pods=of_pods)
        if found is not None:
            yield Entry(found, 0)


def _measure(source: UsageSource, obj: Object, *, of_pods: bool) -> Object | None:
    return _pod(source, obj) if of_pods else _node(source, obj)


def _usage(nanocores: int, memory: int) -> Object:
    return {"cpu": f"{nanocores}n" if nanocores else "0", "memory": f"{memory // 1024}Ki"}


def _pod(source: UsageSource, pod: Object) -> Object | None:
    found = source.usage(pod)
    if found is None:
        return None
    containers = [{"name": each.name, "usage": _usage(each.cpu_nanocores, each.memory_bytes)} for each in found.containers]
    head = _head(POD_METRICS.kind, pod, rfc3339(found.timestamp), found.window_seconds)
    return {**head, "containers": containers}


def _node(source: UsageSource, node: Object) -> Object | None:
    found = source.node_usage(objects.name(node))
    if found is None:
        return None
    head = _head(NODE_METRICS.kind, node, rfc3339(found.timestamp), found.window_seconds)
    return {**head, "usage": _usage(found.cpu_nanocores, found.memory_bytes)}


def _head(kind: str, obj: Object, stamp: str, window_seconds: int) -> Object:
    meta = {key: obj["metadata"][key] for key in ("name", "namespace", "labels") if obj["metadata"].get(key)}
    head = {"kind": kind, "apiVersion": f"{GROUP}/{VERSION}", "metadata": {**meta, "creationTimestamp": stamp}}
    return {**head, "timestamp": stamp, "window": f"{window_seconds}s"}
