"""metadata.managedFields of what is answered and never stored: the fields that whoever sent a review said something in."""

from __future__ import annotations

from kctl.apimachinery import objects, times
from kctl.apimachinery.field_ownership.managed_fields import FIELD
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import ResourceType
from kctl.kube_apiserver.registry import kind_form
from kctl.kube_apiserver.registry.registry import Registry
from kctl.kube_apiserver.request import ResourceRequest


def metadata(registry: Registry, request: ResourceRequest, resource: ResourceType, review: Object) -> Object:
    """The review's metadata with them. `resource`: in whose kind and version the review is."""
    tracker = kind_form.tracker(resource, request.subresource, False, lambda: _zero(request, resource))
    now = times.rfc3339(registry.clock.now())
    meta = {key: value for key, value in objects.metadata(review).items() if key != FIELD}
    owned = tracker.created({**review, "metadata": meta}, request.caller().manager, now)
    return meta if owned is None else {**meta, FIELD: owned}


def _zero(request: ResourceRequest, resource: ResourceType) -> Object:
    """The kind's empty object: what Go writes even where nothing is set."""
    empty = {"apiVersion": resource.api_version, "kind": resource.kind, "metadata": {}}
    return request.endpoint.schema(request.subresource).decode(empty).object
