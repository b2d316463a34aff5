"""The order in which objects are printed: what others need first (namespaces, definitions, accounts, ...), webhooks last; or as they came."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from kctl.cli.errors import CommandError
from kctl.cli.kustomize.resource import Resource, ResourceMap

_FIRST: Final = [
    "Namespace",
    "ResourceQuota",
    "StorageClass",
    "CustomResourceDefinition",
    "ServiceAccount",
    "PodSecurityPolicy",
    "Role",
    "ClusterRole",
    "RoleBinding",
    "ClusterRoleBinding",
    "ConfigMap",
    "Secret",
    "Endpoints",
    "Service",
    "LimitRange",
    "PriorityClass",
    "PersistentVolume",
    "PersistentVolumeClaim",
    "Deployment",
    "StatefulSet",
    "CronJob",
    "PodDisruptionBudget",
]
_LAST: Final = ["MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"]


def sort(resources: ResourceMap, options: Mapping[str, Any] | None) -> None:
    """`options` are sortOptions. Raises CommandError for an order that does not exist."""
    order = str((options or {}).get("order") or "") if options is not None else "legacy"
    custom = (options or {}).get("legacySortOptions")
    if order not in ("legacy", "fifo"):
        raise CommandError("the field 'sortOptions.order' must be one of [fifo, legacy]")
    if order == "fifo":
        if custom is not None:
            raise CommandError("the field 'sortOptions.legacySortOptions' is set but the selected sort order is 'fifo', not 'legacy'")
        return
    first = [str(kind) for kind in (_FIRST if custom is None else custom.get("orderFirst") or ())]
    last = [str(kind) for kind in (_LAST if custom is None else custom.get("orderLast") or ())]
    ranks = {kind: i - len(first) for i, kind in enumerate(first)} | {kind: i + 1 for i, kind in enumerate(last)}

    def key(one: Resource) -> tuple[int, str, str]:
        group, version, kind = one.gvk
        by_kind = f"{group or '~G'}_{version or '~V'}_{kind or '~K'}"
        return ranks.get(kind, 0), by_kind, f"{one.gvk}|{one.namespace or '~X'}|{one.name or '~N'}"

    resources.resources.sort(key=key)
