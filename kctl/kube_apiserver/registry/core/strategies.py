"""The strategies of the core group, by resource."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec

from kctl.kube_apiserver.registry.core import (
    config_map,
    endpoints,
    limit_range,
    namespace,
    node,
    persistent_volume,
    persistent_volume_claim,
    resource_quota,
    secret,
    service,
    service_account,
)
from kctl.kube_apiserver.registry.events import event
from kctl.kube_apiserver.registry.strategy import Strategy

STRATEGIES: dict[str, Strategy] = {
    "configmaps": config_map.STRATEGY,
    "endpoints": endpoints.STRATEGY,
    "events": event.STRATEGY,
    "limitranges": limit_range.STRATEGY,
    "namespaces": namespace.STRATEGY,
    "nodes": node.STRATEGY,
    "persistentvolumeclaims": persistent_volume_claim.STRATEGY,
    "persistentvolumes": persistent_volume.STRATEGY,
    "resourcequotas": resource_quota.STRATEGY,
    "secrets": secret.STRATEGY,
    "serviceaccounts": service_account.STRATEGY,
    "services": service.STRATEGY,
}

for _plural, _module in (
    ("pods", "pod"),
    ("replicationcontrollers", "replication_controller"),
    ("podtemplates", "pod_template"),
):
    if find_spec(f"{__package__}.{_module}") is not None:
        STRATEGIES[_plural] = import_module(f"{__package__}.{_module}").STRATEGY
