"""Impersonate-User, -Group, -Uid, -Extra-*: act as somebody else (`kubectl --as`). impersonation_modes.py says who may."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from urllib.parse import unquote

from kctl.apimachinery.go_text import quote
from kctl.apimachinery.status import BadRequest
from kctl.apimachinery.user import User
from kctl.kube_apiserver.authorization.authorization import Authorization
from kctl.kube_apiserver.filters.impersonation_modes import Impersonation
from kctl.kube_apiserver.filters.request_attributes import attributes_of
from kctl.kube_apiserver.request import Handler, Request
from kctl.kube_apiserver.response import Response

_EXTRA = "impersonate-extra-"


def with_impersonation(handler: Handler, authorization: Authorization) -> Handler:
    """Raises BadRequest where no user is named, Forbidden."""
    impersonation = Impersonation(authorization)

    def impersonate(request: Request) -> Awaitable[Response]:
        headers = request.headers
        if any(key.startswith("impersonate-") for key in headers):
            wanted = _wanted(headers)
            if not wanted.name:
                if not (wanted.groups or wanted.uid or wanted.extra):
                    return handler(request)
                raise BadRequest(f"requested {_go_form(wanted)} without impersonating a user name")
            request.user, request.constraint = impersonation.permitted(wanted, attributes_of(request))
        return handler(request)

    return impersonate


def _wanted(headers: Mapping[str, str]) -> User:
    """As the headers say. Those given several times arrive joined by newlines."""
    groups = tuple(headers["impersonate-group"].split("\n")) if "impersonate-group" in headers else ()
    extra = {unquote(key[len(_EXTRA) :]).lower(): tuple(value.split("\n")) for key, value in headers.items() if key.startswith(_EXTRA)}
    return User(headers.get("impersonate-user", ""), groups, headers.get("impersonate-uid", ""), extra)


def _go_form(wanted: User) -> str:
    """The user as upstream's message prints it, which is as Go prints the structure."""
    groups = f"[]string{{{', '.join(map(quote, wanted.groups))}}}" if wanted.groups else "[]string(nil)"
    entries = ", ".join(f"{quote(key)}:[]string{{{', '.join(map(quote, wanted.extra[key]))}}}" for key in sorted(wanted.extra))
    extra = f"map[string][]string{{{entries}}}" if wanted.extra else "map[string][]string(nil)"
    return f"&user.DefaultInfo{{Name:{quote(wanted.name)}, UID:{quote(wanted.uid)}, Groups:{groups}, Extra:{extra}}}"
