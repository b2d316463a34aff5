"""The resource types of rbac.authorization.k8s.io, and its other names."""

from __future__ import annotations

from typing import Final

from kctl.apimachinery.resources import built_in

GROUP: Final = "rbac.authorization.k8s.io"
ROLES: Final = built_in(f"{GROUP}/v1", "Role")
CLUSTER_ROLES: Final = built_in(f"{GROUP}/v1", "ClusterRole")
ROLE_BINDINGS: Final = built_in(f"{GROUP}/v1", "RoleBinding")
CLUSTER_ROLE_BINDINGS: Final = built_in(f"{GROUP}/v1", "ClusterRoleBinding")
AUTOUPDATE: Final = "rbac.authorization.kubernetes.io/autoupdate"
"""Annotation: "false" keeps the API server and `kubectl auth reconcile` from changing the object."""
BOOTSTRAPPING: Final = "kubernetes.io/bootstrapping"
AGGREGATE_TO: Final = "rbac.authorization.k8s.io/aggregate-to-"
