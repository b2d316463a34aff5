"""The authorization of one API server: its authorizers in the order of --authorization-mode, and what was decided before.

Most requests ask what was asked a moment ago by the same user. What is allowed whatever the object's name is remembered as a key in
`permitted`, where the filter looks first; any change of a role or binding empties it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from kctl.apimachinery.rbac.names import GROUP
from kctl.apimachinery.user import SYSTEM_NODES, User
from kctl.kube_apiserver.authorization.attributes import Attributes
from kctl.kube_apiserver.authorization.authorizer import Always, Authorizer, KnownRules, PrivilegedGroup, Union, Verdict
from kctl.kube_apiserver.authorization.rbac.authorizer import RbacAuthorizer
from kctl.kube_apiserver.caller import Body
from kctl.kube_apiserver.storage import Storage

MODES = ("AlwaysAllow", "AlwaysDeny", "Node", "RBAC")
MOST_KEYS = 50_000
_LEASES_GROUP = "coordination.k8s.io"
Key = tuple[str, tuple[str, ...], str, str, str, str, str]
"""User, groups, verb, API group, resource, subresource, namespace."""
Settle = Callable[[str, Body], Awaitable[None] | None]
"""Has the rest stored; what a request of that verb and form is to wait for, None where it need not."""


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
        self.permitted_names: set[tuple[Key, str]] = set()
        """What is allowed for an object of that name: nodes' own leases, which they renew all the time."""
        self._explained: dict[tuple[Key, str, str], Verdict] = {}
        self.unsettled: dict[str, Settle] = {}
        """API groups of which not everything is stored yet that the server makes itself."""

    def start(self, *, with_defaults: bool) -> None:
        """Once the caches are filled; `with_defaults`: a new cluster is about to get the default roles."""
        self._union.on_change(self.permitted.clear)
        self._union.on_change(self.permitted_names.clear)
        self._union.on_change(self._explained.clear)
        self.rbac.start(with_defaults=with_defaults)

    def authorize(self, asked: Attributes) -> Verdict:
        return self._union.authorize(asked)

    def remember(self, asked: Attributes) -> None:
        """That it was allowed, where that hangs on nothing but what was asked."""
        user = asked.user
        if asked.group != _LEASES_GROUP or SYSTEM_NODES not in user.groups or asked.fields or self.unsettled is not None:
            return
        if len(self.permitted_names) >= MOST_KEYS:
            self.permitted_names.clear()
        self.permitted_names.add(
            ((user.name, user.groups, asked.verb, asked.group, asked.resource, asked.subresource, asked.namespace), asked.name)
        )

    def explained(self, asked: Attributes) -> Verdict:
        """As `authorize`, for those who ask for the reason of what was decided a moment ago: what roles allowed is remembered."""
        user = asked.user
        of_all = (user.name, user.groups, asked.verb, asked.group, asked.resource, asked.subresource, asked.namespace)
        key = of_all, asked.name, asked.path
        verdict = self._explained.get(key)
        if verdict is None:
            verdict = self._union.authorize(asked)
            if verdict.allowed and GROUP not in self.unsettled and not asked.fields and SYSTEM_NODES not in user.groups:
                if len(self._explained) >= MOST_KEYS:
                    self._explained.clear()
                self._explained[key] = verdict
        return verdict

    def allows(self, asked: Attributes) -> bool:
        return self._union.authorize(asked).allowed

    def rules_for(self, user: User, namespace: str) -> KnownRules:
        return self._union.rules_for(user, namespace)

    def permits(self, user: User, verb: str, group: str, resource: str, subresource: str, namespace: str) -> bool:
        """Whether this is allowed whatever the object's name is; remembered where it is."""
        if not self._union.permits(user, verb, group, resource, subresource, namespace):
            return False
        if len(self.permitted) >= MOST_KEYS:
            self.permitted.clear()
        if group not in self.unsettled:
            self.permitted.add((user.name, user.groups, verb, group, resource, subresource, namespace))
        return True


def _node_authorizer(storage: Storage) -> Authorizer:
    from kctl.kube_apiserver.authorization.node.authorizer import NodeAuthorizer

    return NodeAuthorizer(storage)
