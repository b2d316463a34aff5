"""The strategies of the core group, by resource."""

from __future__ import annotations

from kctl.kube_apiserver.registry.core import (
    config_map,
    endpoints,
    limit_range,
    namespace,
    node,
    persistent_volume,
    persistent_volume_claim,
    pod,
    pod_template,
    replication_controller,
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
    "pods": pod.STRATEGY,
    "podtemplates": pod_template.STRATEGY,
    "replicationcontrollers": replication_controller.STRATEGY,
    "resourcequotas": resource_quota.STRATEGY,
    "secrets": secret.STRATEGY,
    "serviceaccounts": service_account.STRATEGY,
    "services": service.STRATEGY,
}
