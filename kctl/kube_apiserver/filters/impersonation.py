"""Impersonate-User, -Group, -Uid, -Extra-*: act as somebody else (`kubectl --as`). Everybody authenticated may, for now."""

from __future__ import annotations

from urllib.parse import unquote

from kctl.apimachinery.status import BadRequest
from kctl.apimachinery.user import SYSTEM_AUTHENTICATED, SYSTEM_UNAUTHENTICATED, User
from kctl.kube_apiserver.request import Handler, Request
from kctl.kube_apiserver.response import Response

_EXTRA = "impersonate-extra-"


def with_impersonation(handler: Handler) -> Handler:
    async def impersonate(request: Request) -> Response:
        headers = request.headers
        if "impersonate-user" in headers:
            request.user = _impersonated(request)
        elif any(key.startswith("impersonate-") for key in headers):
            raise BadRequest("requested impersonation without impersonating a user")
        return await handler(request)

    return impersonate


def _impersonated(request: Request) -> User:
    """Headers given several times arrive joined by newlines."""
    headers = request.headers
    name = headers["impersonate-user"]
    groups = tuple(group for group in headers.get("impersonate-group", "").split("\n") if group)
    if name.startswith("system:serviceaccount:") and not groups:
        space = name.split(":")[2]
        groups = ("system:serviceaccounts", f"system:serviceaccounts:{space}")
    wanted = SYSTEM_UNAUTHENTICATED if name == "system:anonymous" else SYSTEM_AUTHENTICATED
    if wanted not in groups:
        groups = (*groups, wanted)
    extra = {unquote(key[len(_EXTRA) :]): tuple(value.split("\n")) for key, value in headers.items() if key.startswith(_EXTRA)}
    return User(name, groups, headers.get("impersonate-uid", ""), extra)
