"""The authorization of one API server: its authorizers in the order of --authorization-mode, and what was decided before.

Most requests ask what was asked a moment ago by the same user. What is allowed whatever the object's name is remembered as a key in
`permitted`, where the filter looks first; any change of a role or binding empties it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING

from kctl.apimachinery.rbac.names import GROUP
from kctl.apimachinery.user import User
from kctl.kube_apiserver.authorization.attributes import Attributes
from kctl.kube_apiserver.authorization.authorizer import Always, Authorizer, KnownRules, PrivilegedGroup, Union, Verdict
from kctl.kube_apiserver.authorization.rbac.authorizer import RbacAuthorizer
from kctl.kube_apiserver.storage import Storage

if TYPE_CHECKING:
    from kctl.kube_apiserver.request import Request

MODES = ("AlwaysAllow", "AlwaysDeny", "Node", "RBAC")
MOST_KEYS = 50_000
Key = tuple[str, tuple[str, ...], str, str, str, str, str]
"""User, groups, verb, API group, resource, subresource, namespace."""


class Authorization:
    """Raises ValueError for a mode there is none of."""

    def __init__(self, modes: Sequence[str], storage: Storage) -> None:
        for mode in modes:
            if mode not in MODES:
                raise ValueError(f'"{mode}" is not a valid mode')
        self.rbac = RbacAuthorizer(storage)
        self.is_rbac = "RBAC" in modes
        self.allows_everything = "AlwaysAllow" in modes
        made: dict[str, Callable[[], Authorizer]] = {
            "AlwaysAllow": lambda: Always(True),
            "AlwaysDeny": lambda: Always(False),
            "Node": lambda: _node_authorizer(storage),
            "RBAC": lambda: self.rbac,
        }
        self._union = Union([PrivilegedGroup(), *(made[mode]() for mode in modes)])
        self.permitted: set[Key] = set()
        self.unsettled: Callable[[], Awaitable[None]] | None = None
        """While the default roles are not all stored: call it to have them stored, and await that."""

    def start(self, *, with_defaults: bool) -> None:
        """Once the caches are filled; `with_defaults`: a new cluster is about to get the default roles."""
        self._union.on_change(self.permitted.clear)
        self.rbac.start(with_defaults=with_defaults)

    def authorize(self, asked: Attributes) -> Verdict:
        return self._union.authorize(asked)

    def allows(self, asked: Attributes) -> bool:
        return self._union.authorize(asked).allowed

    def rules_for(self, user: User, namespace: str) -> KnownRules:
        return self._union.rules_for(user, namespace)

    def must_settle(self, request: Request) -> Callable[[], Awaitable[None]] | None:
        """What to await before a request about roles is answered. Watches need not wait: they see them come."""
        resource = request.resource
        return self.unsettled if resource is not None and resource.group == GROUP and request.verb != "watch" else None

    def check(self, request: Request) -> None:
        """Raises Forbidden."""
        user, verb, resource = request.user, request.verb, request.resource
        if resource is not None and verb != "connect":
            group, plural, subresource, namespace = resource.group, resource.plural, request.subresource, request.namespace
            if self._union.permits(user, verb, group, plural, subresource, namespace):
                if len(self.permitted) >= MOST_KEYS:
                    self.permitted.clear()
                if self.unsettled is None or group != GROUP:
                    self.permitted.add((user.name, user.groups, verb, group, plural, subresource, namespace))
                return
        from kctl.kube_apiserver.authorization.request_attributes import attributes_of

        asked = attributes_of(request)
        verdict = self._union.authorize(asked)
        if not verdict.allowed:
            from kctl.kube_apiserver.authorization.forbidden import refusal

            raise refusal(asked, verdict.reason)


def _node_authorizer(storage: Storage) -> Authorizer:
    from kctl.kube_apiserver.authorization.node.authorizer import NodeAuthorizer

    return NodeAuthorizer(storage)
