"""Subresources that are the object itself with one part writable: which part a request to each may change.

Status is not here: the generic registry keeps it apart (Strategy.status_fields). Nor is an approval: it may change the metadata too,
and the strategy of CertificateSigningRequests says what else.
"""

from __future__ import annotations

from typing import Any

from kctl.apimachinery import objects
from kctl.apimachinery.objects import Object
from kctl.kube_apiserver.caller import CANONICAL, Caller
from kctl.kube_apiserver.registry import ownership
from kctl.kube_apiserver.registry.endpoint import Endpoint


def take(subresource: str, new: Object, old: Object) -> Object:
    """`old` with the part of `new` that the subresource owns; `new` itself where it owns everything (or is unknown)."""
    part = _PARTS.get(subresource)
    if part is None:
        return new
    meta = {**objects.metadata(old)}
    revision = objects.resource_version(new)
    if revision:
        meta["resourceVersion"] = revision
    else:
        meta.pop("resourceVersion", None)
    if owners := objects.metadata(new).get("managedFields"):
        meta["managedFields"] = owners
    if uid := objects.uid(new):
        meta["uid"] = uid
    return part({**objects.deep_copy(old), "metadata": meta}, new)


def take_owned(endpoint: Endpoint, caller: Caller, subresource: str, new: Object, old: Object) -> Object:
    """As `take`, with the owners of all that was sent: as upstream, also of what this subresource then puts back."""
    if subresource not in _PARTS:
        return new
    if caller.body is CANONICAL:
        return take(subresource, new, old)
    sent = {**new, "metadata": dict(objects.metadata(new))}
    endpoint.strategy.default(endpoint.context(objects.namespace(old), caller, subresource), sent)
    ownership.own_update(endpoint, sent, old, caller, subresource, endpoint.stamp())
    caller.applies = True
    return take(subresource, sent, old)


def _ephemeral_containers(obj: Object, new: Object) -> Object:
    given = objects.spec(new).get("ephemeralContainers")
    spec = {**objects.spec(obj)}
    spec.pop("ephemeralContainers", None)
    if given:
        spec["ephemeralContainers"] = given
    return {**obj, "spec": spec}


def _resize(obj: Object, new: Object) -> Object:
    spec = {**objects.spec(obj)}
    for field in ("containers", "initContainers"):
        wanted = {entry.get("name"): entry for entry in objects.spec(new).get(field) or ()}
        if field in spec:
            spec[field] = [_resized(entry, wanted.get(entry.get("name"))) for entry in spec[field]]
    if "resources" in objects.spec(new):
        spec["resources"] = objects.spec(new)["resources"]
    return {**obj, "spec": spec}


def _resized(container: dict[str, Any], wanted: dict[str, Any] | None) -> dict[str, Any]:
    if wanted is None:
        return container
    changed: dict[str, Any] = {key: wanted[key] for key in ("resources", "resizePolicy") if key in wanted}
    return {**container, **changed}


def _finalize(obj: Object, new: Object) -> Object:
    """Namespaces: spec.finalizers."""
    spec = {**objects.spec(obj)}
    spec.pop("finalizers", None)
    if finalizers := objects.spec(new).get("finalizers"):
        spec["finalizers"] = finalizers
    return {**obj, "spec": spec}


_PARTS = {
    "ephemeralcontainers": _ephemeral_containers,
    "resize": _resize,
    "finalize": _finalize,
}
