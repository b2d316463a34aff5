"""Who makes a request: what authentication finds out and authorization and audit use."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

SYSTEM_MASTERS = "system:masters"
SYSTEM_AUTHENTICATED = "system:authenticated"
SYSTEM_UNAUTHENTICATED = "system:unauthenticated"
SYSTEM_NODES = "system:nodes"
SYSTEM_SERVICEACCOUNTS = "system:serviceaccounts"


@dataclass(frozen=True, slots=True)
class User:
    """`extra` as in authentication.k8s.io/v1 UserInfo: name to values."""

    name: str
    groups: tuple[str, ...] = ()
    uid: str = ""
    extra: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def component(name: str) -> User:
    """A control-plane component's own identity, e.g. component("kube-scheduler") is system:kube-scheduler."""
    return User(f"system:{name}", (SYSTEM_AUTHENTICATED,))


def node(name: str) -> User:
    return User(f"system:node:{name}", (SYSTEM_NODES, SYSTEM_AUTHENTICATED))


def service_account(namespace: str, name: str, uid: str = "") -> User:
    return User(
        f"system:serviceaccount:{namespace}:{name}",
        (SYSTEM_SERVICEACCOUNTS, f"{SYSTEM_SERVICEACCOUNTS}:{namespace}", SYSTEM_AUTHENTICATED),
        uid,
    )


SIMULATED_NODES = User("kctl:simulated-nodes", (SYSTEM_AUTHENTICATED,))
"""Fills the caches that the kubelets of simulated nodes share; what they write they write as their nodes."""
ADMIN = User("kubernetes-admin", (SYSTEM_MASTERS, SYSTEM_AUTHENTICATED))
APISERVER = User("system:apiserver", (SYSTEM_MASTERS, SYSTEM_AUTHENTICATED))
ANONYMOUS = User("system:anonymous", (SYSTEM_UNAUTHENTICATED,))
