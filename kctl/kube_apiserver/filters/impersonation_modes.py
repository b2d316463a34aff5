"""The ways to be permitted to act as somebody else, tried in turn (upstream's constrained impersonation).

Each constrained mode takes two permissions: to do what is asked while impersonating (`impersonate-on:MODE:VERB` on the resource), and to
be that user (`impersonate:MODE`). The old way takes `impersonate` for every part of the user, whatever is then asked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import NamedTuple

from kctl.apimachinery import names
from kctl.apimachinery.field_errors import aggregate
from kctl.apimachinery.go_text import quote
from kctl.apimachinery.status import Forbidden
from kctl.apimachinery.user import (
    SYSTEM_AUTHENTICATED,
    SYSTEM_MASTERS,
    SYSTEM_NODES,
    SYSTEM_SERVICEACCOUNTS,
    SYSTEM_UNAUTHENTICATED,
    User,
)
from kctl.kube_apiserver.authorization.attributes import Attributes
from kctl.kube_apiserver.authorization.authorization import Authorization

_ACCOUNT, _NODE = "system:serviceaccount:", "system:node:"
_AUTHENTICATION = "authentication.k8s.io"
_ASSOCIATED_NODE = "associated-node"
_KEYS_OF_ASSOCIATED_NODE = "authentication.kubernetes.io/associated-node-keys"
_NODE_NAME = "authentication.kubernetes.io/node-name"
_MANY = 4
"""Of so many groups or extra values it is asked first whether all may be had."""
MOST_REMEMBERED = 10_000


class Impersonated(NamedTuple):
    """`constraint`: the verb of the constrained mode that permitted it, '' for the old way."""

    user: User
    constraint: str


class Impersonation:
    def __init__(self, authorization: Authorization) -> None:
        self._authorization = authorization
        self._last: dict[str, _Mode] = {}
        """Which mode was the last to permit it, by who asked: it is tried first, and its refusal is the one that is told."""

    def permitted(self, wanted: User, asked: Attributes) -> Impersonated:
        """`wanted` as the headers say, `asked` what the request wants and who sends it. Raises Forbidden."""
        first: Forbidden | None = None
        requester = asked.user.name
        for mode in self._modes(requester):
            if not mode.is_for(wanted, asked.user):
                continue
            try:
                impersonated = self._by(mode, wanted, asked)
            except Forbidden as refused:
                first = first or refused
                continue
            self._remember(requester, mode)
            return impersonated
        assert first is not None  # the old way is for everybody
        raise first

    def _modes(self, requester: str) -> Iterator[_Mode]:
        last = self._last.get(requester)
        if last is not None:
            yield last
        yield from (mode for mode in _MODES if mode is not last)

    def _remember(self, requester: str, mode: _Mode) -> None:
        if len(self._last) >= MOST_REMEMBERED and requester not in self._last:
            self._last.clear()
        self._last[requester] = mode

    def _by(self, mode: _Mode, wanted: User, asked: Attributes) -> Impersonated:
        if mode.name == _ASSOCIATED_NODE:
            asked = replace(asked, user=_associated(asked.user))
        if mode.name:
            self._check(replace(asked, verb=f"impersonate-on:{mode.name}:{asked.verb}"))
        self._check_parts(mode, wanted, asked.user)
        return Impersonated(_whole(mode, wanted), mode.verb if mode.name else "")

    def _check(self, asked: Attributes) -> None:
        verdict = self._authorization.authorize(asked)
        if not verdict.allowed:
            raise _refusal(asked, verdict.reason)

    def _check_parts(self, mode: _Mode, wanted: User, who: User) -> None:
        group = _AUTHENTICATION if mode.name else ""
        self._check(_of_name(mode, wanted.name, who, group))
        if wanted.uid:
            self._check(Attributes(who, mode.verb, _AUTHENTICATION, "v1", "uids", "", "", wanted.uid))
        if wanted.groups:
            self._check_groups(mode, wanted.groups, Attributes(who, mode.verb, group, "v1", "groups"))
        if wanted.extra:
            self._check_extra(mode, wanted.extra, Attributes(who, mode.verb, _AUTHENTICATION, "v1", "userextras"))

    def _check_groups(self, mode: _Mode, groups: tuple[str, ...], asked: Attributes) -> None:
        if mode.name:
            if "" in groups:
                raise _refusal(asked, "impersonating the empty string group is not allowed")
            if SYSTEM_MASTERS in groups:
                raise _refusal(replace(asked, name=SYSTEM_MASTERS), "impersonating the system:masters group is not allowed")
            if len(groups) >= _MANY and self._authorization.allows(replace(asked, name="*")):
                return
        for group in groups:
            self._check(replace(asked, name=group))

    def _check_extra(self, mode: _Mode, extra: Mapping[str, tuple[str, ...]], asked: Attributes) -> None:
        if mode.name:
            problem = _extra_problem(extra)
            if problem:
                raise _refusal(asked, problem)
            number = max(len(extra), sum(map(len, extra.values())))
            if number >= _MANY and self._authorization.allows(replace(asked, subresource="*", name="*")):
                return
        for key, values in extra.items():
            for value in values:
                self._check(replace(asked, subresource=key, name=value))


class _Mode(NamedTuple):
    name: str
    is_for: Callable[[User, User], bool]
    """Asked for the wanted user and the one who asks."""

    @property
    def verb(self) -> str:
        return f"impersonate:{self.name}" if self.name else "impersonate"


def account_of(name: str) -> tuple[str, str] | None:
    """Namespace and name of the service account that a user name stands for."""
    space, _, account = name.removeprefix(_ACCOUNT).partition(":")
    if not name.startswith(_ACCOUNT) or names.dns1123_label(space) or names.dns1123_subdomain(account):
        return None
    return space, account


def node_of(name: str) -> str:
    """The name of the node that a user name stands for; '' for none."""
    node = name.removeprefix(_NODE)
    return "" if not name.startswith(_NODE) or names.dns1123_subdomain(node) else node


def _is_name_alone(wanted: User) -> bool:
    return not (wanted.uid or wanted.groups or wanted.extra)


def _is_own_node(wanted: User, who: User) -> bool:
    node = node_of(wanted.name)
    return bool(node) and _is_name_alone(wanted) and account_of(who.name) is not None and who.extra.get(_NODE_NAME) == (node,)


_MODES = (
    _Mode(_ASSOCIATED_NODE, _is_own_node),
    _Mode("arbitrary-node", lambda wanted, _: _is_name_alone(wanted) and bool(node_of(wanted.name))),
    _Mode("serviceaccount", lambda wanted, _: _is_name_alone(wanted) and account_of(wanted.name) is not None),
    _Mode("user-info", lambda wanted, _: not node_of(wanted.name) and account_of(wanted.name) is None),
    _Mode("", lambda *_: True),
)


def _associated(who: User) -> User:
    """The account as authorizers see it in this mode: not which node it is on, only that they are told of one."""
    return User(who.name, who.groups, who.uid, {_KEYS_OF_ASSOCIATED_NODE: tuple(sorted(who.extra))})


def _of_name(mode: _Mode, name: str, who: User, group: str) -> Attributes:
    node, account = node_of(name), account_of(name)
    if mode.name and node:
        return Attributes(who, mode.verb, group, "v1", "nodes", "", "", "*" if mode.name == _ASSOCIATED_NODE else node)
    if account is not None:
        return Attributes(who, mode.verb, group, "v1", "serviceaccounts", "", *account)
    return Attributes(who, mode.verb, group, "v1", "users", "", "", name)


def _extra_problem(extra: Mapping[str, tuple[str, ...]]) -> str:
    for key, values in extra.items():
        if not key:
            return "impersonating the empty string key in extra is not allowed"
        problems = names.domain_prefixed_path("extra.key", key)
        if problems:
            return f"impersonating an invalid key in extra is not allowed: {aggregate(problems)}"
        if key != key.lower():
            return f"impersonating a non-lowercase key in extra is not allowed: {quote(key)}"
        if not all(values):
            return "impersonating the empty string value in extra is not allowed"
    return ""


def _whole(mode: _Mode, wanted: User) -> User:
    """With the groups that everybody of that kind has."""
    groups, account = wanted.groups, account_of(wanted.name)
    if mode.name and node_of(wanted.name):
        groups = (SYSTEM_NODES,)
    elif account is not None and not groups:
        groups = (SYSTEM_SERVICEACCOUNTS, f"{SYSTEM_SERVICEACCOUNTS}:{account[0]}")
    if wanted.name == "system:anonymous":
        also = SYSTEM_UNAUTHENTICATED
    elif SYSTEM_UNAUTHENTICATED in groups:
        return User(wanted.name, groups, wanted.uid, wanted.extra)
    else:
        also = SYSTEM_AUTHENTICATED
    return User(wanted.name, groups if also in groups else (*groups, also), wanted.uid, wanted.extra)


def _refusal(asked: Attributes, reason: str) -> Forbidden:
    from kctl.kube_apiserver.authorization.forbidden import refusal

    return refusal(asked, reason)
