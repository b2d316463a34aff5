"""authorization.k8s.io: may I (SelfSubjectAccessReview), may they (SubjectAccessReview, LocalSubjectAccessReview), what may I
(SelfSubjectRulesReview). Answered by the authorizers, never stored."""

from __future__ import annotations

from typing import Any

from kctl.apimachinery import objects
from kctl.apimachinery.field_errors import FieldError, aggregate, invalid
from kctl.apimachinery.objects import Object
from kctl.apimachinery.schema.go_form import go_form
from kctl.apimachinery.status import BadRequest, Invalid
from kctl.apimachinery.user import User
from kctl.kube_apiserver.authorization.attributes import Attributes
from kctl.kube_apiserver.authorization.authorizer import Decision
from kctl.kube_apiserver.handlers import body, off_loop, options
from kctl.kube_apiserver.registry.registry import Registry
from kctl.kube_apiserver.request import ResourceRequest
from kctl.kube_apiserver.response import ObjectAnswer, Response
from kctl.kube_apiserver.virtual_resources import ownership

GROUP = "authorization.k8s.io"
_SELF, _LOCAL = "SelfSubjectAccessReview", "LocalSubjectAccessReview"
_META = "metadata"
_PARTS = ("verb", "group", "version", "resource", "subresource", "namespace", "name")


async def handle(registry: Registry, request: ResourceRequest) -> Response:
    endpoint = request.endpoint
    options.check_write(request, "CreateOptions")
    review: Object = await off_loop.run(request, body.decode, request, endpoint)
    kind = request.resource.kind
    if kind == "SelfSubjectRulesReview":
        return ObjectAnswer(_rules_review(registry, request, review), 201, endpoint)
    if kind == _LOCAL:
        review = {**review, _META: {**objects.metadata(review), "namespace": request.namespace}}
    _check(request, kind, review)
    verdict = registry.parts.authorization.authorize(_asked(request, kind, objects.spec(review)))
    status: dict[str, Any] = {"allowed": verdict.allowed}
    if verdict.decision is Decision.DENY:
        status["denied"] = True
    if verdict.reason:
        status["reason"] = verdict.reason
    meta = ownership.metadata(registry, request, request.resource, review)
    return ObjectAnswer({**review, _META: meta, "status": status}, 201, endpoint)


def _rules_review(registry: Registry, request: ResourceRequest, review: Object) -> Object:
    namespace = objects.spec(review).get("namespace")
    if not namespace:
        raise BadRequest("no namespace on request")
    known = registry.parts.authorization.rules_for(request.user, namespace)
    status: dict[str, Any] = {
        "resourceRules": known.resource_rules,
        "nonResourceRules": known.url_rules,
        "incomplete": known.incomplete,
    }
    if known.error:
        status["evaluationError"] = known.error
    return {"kind": review["kind"], "apiVersion": review["apiVersion"], _META: {}, "spec": {}, "status": status}


def _asked(request: ResourceRequest, kind: str, spec: dict[str, Any]) -> Attributes:
    user = request.user if kind == _SELF else _user(spec)
    resource = spec.get("resourceAttributes")
    if resource is None:
        other = spec["nonResourceAttributes"]
        return Attributes(user, other.get("verb") or "", path=other.get("path") or "/")
    verb, group, version, plural, subresource, namespace, name = (resource.get(part) or "" for part in _PARTS)
    selected = _requirements(resource.get("fieldSelector") or {})
    return Attributes(user, verb, group, version, plural, subresource, namespace, name, "", selected)


def _user(spec: dict[str, Any]) -> User:
    extra = {key: tuple(values or ()) for key, values in (spec.get("extra") or {}).items()}
    return User(spec.get("user") or "", tuple(spec.get("groups") or ()), spec.get("uid") or "", extra)


def _requirements(selector: dict[str, Any]) -> dict[str, str]:
    """Of a selector given as requirements, those that say one value; what else it says restricts nothing for an authorizer."""
    return {
        need.get("key") or "": need["values"][0]
        for need in selector.get("requirements") or ()
        if need.get("operator") == "In" and len(need.get("values") or ()) == 1
    }


def _check(request: ResourceRequest, kind: str, review: Object) -> None:
    spec = objects.spec(review)
    resource, other = spec.get("resourceAttributes"), spec.get("nonResourceAttributes")
    errors: list[FieldError] = []
    if resource is not None and other is not None:
        why = "cannot be specified in combination with resourceAttributes"
        errors.append(invalid("spec.nonResourceAttributes", go_form("authorization.v1.NonResourceAttributes", other), why))
    if resource is None and other is None:
        why = "exactly one of nonResourceAttributes or resourceAttributes must be specified"
        errors.append(invalid("spec.resourceAttributes", None, why))
    if kind != _SELF and not spec.get("user") and not spec.get("groups"):
        errors.append(invalid("spec.user", "", "at least one of user or group must be specified"))
    if kind == _LOCAL:
        if resource is not None and (resource.get("namespace") or "") != request.namespace:
            why = "must match metadata.namespace"
            errors.append(invalid("spec.resourceAttributes.namespace", resource.get("namespace") or "", why))
        if other is not None:
            shown = go_form("authorization.v1.NonResourceAttributes", other)
            errors.append(invalid("spec.nonResourceAttributes", shown, "disallowed on this kind of request"))
    if errors:
        raise _refused(errors)


def _refused(errors: list[FieldError]) -> Invalid:
    """Upstream names no kind: the object it looks at is the internal one."""
    causes = [error.cause() for error in errors]
    return Invalid(f'.{GROUP} "" is invalid: {aggregate(errors)}', details={"group": GROUP, "causes": causes})
