"""Impersonate-User, -Group, -Uid, -Extra-*: act as somebody else (`kubectl --as`). Whoever does needs the permission to impersonate
each of them: users, groups and serviceaccounts, and in authentication.k8s.io uids and userextras/KEY."""

from __future__ import annotations

from collections.abc import Awaitable, Iterator, Mapping
from urllib.parse import unquote

from kctl.apimachinery.go_text import quote
from kctl.apimachinery.status import BadRequest
from kctl.apimachinery.user import SYSTEM_AUTHENTICATED, SYSTEM_SERVICEACCOUNTS, SYSTEM_UNAUTHENTICATED, User
from kctl.kube_apiserver.authorization.attributes import Attributes
from kctl.kube_apiserver.authorization.authorization import Authorization
from kctl.kube_apiserver.request import Handler, Request
from kctl.kube_apiserver.response import Response

_EXTRA = "impersonate-extra-"
_ACCOUNT = "system:serviceaccount:"
_AUTHENTICATION = "authentication.k8s.io"


def with_impersonation(handler: Handler, authorization: Authorization) -> Handler:
    """Raises BadRequest where no user is named, Forbidden."""

    def impersonate(request: Request) -> Awaitable[Response]:
        headers = request.headers
        if any(key.startswith("impersonate-") for key in headers):
            wanted = _wanted(headers)
            if not wanted.name:
                if not (wanted.groups or wanted.uid or wanted.extra):
                    return handler(request)
                raise BadRequest(f"requested {_go_form(wanted)} without impersonating a user name")
            for asked in _permissions(request.user, wanted):
                verdict = authorization.authorize(asked)
                if not verdict.allowed:
                    from kctl.kube_apiserver.authorization.forbidden import refusal

                    raise refusal(asked, verdict.reason)
            request.user = _whole(wanted)
        return handler(request)

    return impersonate


def _wanted(headers: Mapping[str, str]) -> User:
    """As the headers say. Those given several times arrive joined by newlines."""
    groups = tuple(group for group in headers.get("impersonate-group", "").split("\n") if group)
    extra = {unquote(key[len(_EXTRA) :]).lower(): tuple(value.split("\n")) for key, value in headers.items() if key.startswith(_EXTRA)}
    return User(headers.get("impersonate-user", ""), groups, headers.get("impersonate-uid", ""), extra)


def account_of(name: str) -> tuple[str, str] | None:
    """Namespace and name of the service account that a user name stands for."""
    parts = name.split(":")
    return (parts[2], parts[3]) if name.startswith(_ACCOUNT) and len(parts) == 4 and parts[2] and parts[3] else None


def _permissions(who: User, wanted: User) -> Iterator[Attributes]:
    account = account_of(wanted.name)
    if account is not None:
        yield Attributes(who, "impersonate", "", "v1", "serviceaccounts", "", *account)
    else:
        yield Attributes(who, "impersonate", "", "v1", "users", "", "", wanted.name)
    for group in wanted.groups:
        yield Attributes(who, "impersonate", "", "v1", "groups", "", "", group)
    for key, values in wanted.extra.items():
        for value in values:
            yield Attributes(who, "impersonate", _AUTHENTICATION, "v1", "userextras", key, "", value)
    if wanted.uid:
        yield Attributes(who, "impersonate", _AUTHENTICATION, "v1", "uids", "", "", wanted.uid)


def _whole(wanted: User) -> User:
    """With the groups that everybody of that kind has."""
    groups, account = wanted.groups, account_of(wanted.name)
    if account is not None and not groups:
        groups = (SYSTEM_SERVICEACCOUNTS, f"{SYSTEM_SERVICEACCOUNTS}:{account[0]}")
    if wanted.name == "system:anonymous":
        if SYSTEM_UNAUTHENTICATED not in groups:
            groups = (*groups, SYSTEM_UNAUTHENTICATED)
    elif SYSTEM_AUTHENTICATED not in groups and SYSTEM_UNAUTHENTICATED not in groups:
        groups = (*groups, SYSTEM_AUTHENTICATED)
    return User(wanted.name, groups, wanted.uid, wanted.extra)


def _go_form(wanted: User) -> str:
    """The user as upstream's message prints it, which is as Go prints the structure."""
    groups = f"[]string{{{', '.join(map(quote, wanted.groups))}}}" if wanted.groups else "[]string(nil)"
    entries = ", ".join(f"{quote(key)}:[]string{{{', '.join(map(quote, wanted.extra[key]))}}}" for key in sorted(wanted.extra))
    extra = f"map[string][]string{{{entries}}}" if wanted.extra else "map[string][]string(nil)"
    return f"&user.DefaultInfo{{Name:{quote(wanted.name)}, UID:{quote(wanted.uid)}, Groups:{groups}, Extra:{extra}}}"
