"""The strategies of rbac.authorization.k8s.io, by group resource."""

from __future__ import annotations

from kctl.kube_apiserver.registry.rbac import bindings, roles
from kctl.kube_apiserver.registry.strategy import Strategy

STRATEGIES: dict[str, Strategy] = {
    "roles.rbac.authorization.k8s.io": roles.ROLE,
    "clusterroles.rbac.authorization.k8s.io": roles.CLUSTER_ROLE,
    "rolebindings.rbac.authorization.k8s.io": bindings.ROLE_BINDING,
    "clusterrolebindings.rbac.authorization.k8s.io": bindings.CLUSTER_ROLE_BINDING,
}
