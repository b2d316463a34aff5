"""authentication.k8s.io: who am I (SelfSubjectReview), whose token is this (TokenReview). Answered, never stored."""

from __future__ import annotations

from typing import Any

from kctl.apimachinery import objects, times
from kctl.apimachinery.objects import Object
from kctl.apimachinery.status import BadRequest
from kctl.apimachinery.user import User
from kctl.kube_apiserver.handlers import body, off_loop, options
from kctl.kube_apiserver.registry.registry import Registry
from kctl.kube_apiserver.request import ResourceRequest
from kctl.kube_apiserver.response import ObjectAnswer, Response
from kctl.kube_apiserver.virtual_resources import ownership


async def handle(registry: Registry, request: ResourceRequest) -> Response:
    endpoint = request.endpoint
    options.check_write(request, "CreateOptions")
    review: Object = await off_loop.run(request, body.decode, request, endpoint)
    meta = {**objects.metadata(review), "creationTimestamp": times.rfc3339(registry.clock.now())}
    if request.resource.kind == "SelfSubjectReview":
        answer = {**review, "metadata": meta, "status": {"userInfo": user_info(request.user)}}
    else:
        if not objects.spec(review).get("token"):
            raise BadRequest("token is required for TokenReview in authentication")
        answer = {
            **review,
            "metadata": ownership.metadata(registry, request, request.resource, review),
            "status": _token_status(registry, objects.spec(review)),
        }
    return ObjectAnswer(answer, 201, endpoint)


def user_info(user: User) -> dict[str, Any]:
    info: dict[str, Any] = {"username": user.name}
    if user.uid:
        info["uid"] = user.uid
    if user.groups:
        info["groups"] = list(user.groups)
    if user.extra:
        info["extra"] = {key: list(values) for key, values in user.extra.items()}
    return info


def _token_status(registry: Registry, spec: dict[str, Any]) -> dict[str, Any]:
    tokens = registry.parts.service_account_tokens
    token, audiences = spec.get("token") or "", spec.get("audiences") or []
    user = registry.parts.authenticator.by_token(token) if not audiences else None
    if user is None:
        user = tokens.verify(token, audiences)
    if user is None:
        return {"user": {}, "error": "invalid bearer token"}
    return {"authenticated": True, "user": user_info(user), "audiences": audiences or tokens.default_audiences}
