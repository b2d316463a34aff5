"""POST serviceaccounts/token: a token of the account, as `kubectl create token` and kubelets ask for it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from kctl.apimachinery import objects, times
from kctl.apimachinery.field_errors import FieldError, invalid
from kctl.apimachinery.go_text import quote
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import NODES, PODS, SECRETS
from kctl.apimachinery.status import BadRequest, conflict, not_found
from kctl.apimachinery.status import invalid as invalid_status
from kctl.kube_apiserver.handlers import body, off_loop, options
from kctl.kube_apiserver.registry.registry import Registry
from kctl.kube_apiserver.request import ResourceRequest
from kctl.kube_apiserver.response import ObjectAnswer, Response
from kctl.kube_apiserver.virtual_resources import ownership

_OF_PODS = 3607
"""Seconds that kubelets ask for: such a token lives for a year, so that programs that never read it again go on working for a while."""
_EXTENDED = 365 * 24 * 3600
_BINDABLE = {("v1", "Pod"): ("pod", PODS), ("v1", "Secret"): ("secret", SECRETS), ("v1", "Node"): ("node", NODES)}


async def handle(registry: Registry, request: ResourceRequest) -> Response:
    endpoint = request.endpoint
    options.check_write(request, "CreateOptions")
    review: Object = await off_loop.run(request, body.decode, request, endpoint, "token")
    account = endpoint.get(request.namespace, request.name).object
    _check_names(request, review)
    _check(review)
    spec = objects.spec(review)
    seconds = spec.get("expirationSeconds") or 3600
    tokens = registry.parts.service_account_tokens
    bound = _bound(registry, request, spec.get("boundObjectRef"))
    audiences = spec.get("audiences") or tokens.default_audiences
    for_servers = any(audience in tokens.default_audiences for audience in audiences)
    if bound and bound[0][0] == "pod" and seconds == _OF_PODS and for_servers:
        token = tokens.sign(account, audiences, _EXTENDED, bound, warn_after=seconds)
    else:
        token = tokens.sign(account, audiences, seconds, bound)
    now = registry.clock.now()
    kind = request.resource._replace(group="authentication.k8s.io", version="v1", kind="TokenRequest")
    defaulted = {**review, "spec": {**spec, "expirationSeconds": seconds}}
    meta = {
        "name": request.name,
        "namespace": request.namespace,
        "uid": objects.uid(account),
        "creationTimestamp": times.rfc3339(now),
    }
    answer = {
        "kind": "TokenRequest",
        "apiVersion": "authentication.k8s.io/v1",
        "metadata": {**ownership.metadata(registry, request, kind, defaulted), **meta},
        "spec": {"audiences": audiences, "expirationSeconds": seconds, "boundObjectRef": spec.get("boundObjectRef")},
        "status": {"token": token, "expirationTimestamp": times.rfc3339(now + timedelta(seconds=seconds))},
    }
    return ObjectAnswer(answer, 201)


def _check_names(request: ResourceRequest, review: Object) -> None:
    if objects.name(review) and objects.name(review) != request.name:
        raise BadRequest(f"the name of the object ({objects.name(review)}) does not match the name on the URL ({request.name})")


def _check(review: Object) -> None:
    seconds = objects.spec(review).get("expirationSeconds")
    errors: list[FieldError] = []
    if seconds is not None and seconds < 600:
        errors.append(invalid("spec.expirationSeconds", seconds, "may not specify a duration less than 10 minutes"))
    if seconds is not None and seconds > 1 << 32:
        errors.append(invalid("spec.expirationSeconds", seconds, "may not specify a duration larger than 2^32 seconds"))
    if errors:
        raise invalid_status("authentication.k8s.io", "TokenRequest", objects.name(review), errors)


def _bound(registry: Registry, request: ResourceRequest, reference: Any) -> list[tuple[str, Object]]:
    """What the token ends with; for a pod also the node it runs on, of which the token tells."""
    if not reference:
        return []
    kind = (reference.get("apiVersion") or "", reference.get("kind") or "")
    bindable = _BINDABLE.get(kind)
    if bindable is None:
        raise BadRequest(f"cannot bind token to object of type {kind[0]}, Kind={kind[1]}")
    what, resource = bindable
    name = reference.get("name") or ""
    obj = registry.get_cached(resource, request.namespace if resource.namespaced else "", name)
    if obj is None:
        raise not_found(resource.group, resource.plural, name)
    if reference.get("uid") and reference["uid"] != objects.uid(obj):
        why = (
            f"the UID in the bound object reference ({reference['uid']}) does not match the UID in record. "
            "The object might have been deleted and then recreated"
        )
        raise conflict(resource.group, resource.plural, name, why)
    if what != "pod":
        return [(what, obj)]
    account = objects.spec(obj).get("serviceAccountName") or ""
    if account != request.name:
        raise BadRequest(f"cannot bind token for serviceaccount {quote(request.name)} to pod running with different serviceaccount name.")
    node = registry.get_cached(NODES, "", objects.spec(obj).get("nodeName") or "")
    return [(what, obj), ("node", node)] if node is not None else [(what, obj)]
