"""The strategies of the core group, by resource: in which module each is."""

from __future__ import annotations

STRATEGIES: dict[str, str] = {
    "configmaps": "config_map:STRATEGY",
    "endpoints": "endpoints:STRATEGY",
    "events": ".events.event:STRATEGY",
    "limitranges": "limit_range:STRATEGY",
    "namespaces": "namespace:STRATEGY",
    "nodes": "node:STRATEGY",
    "persistentvolumeclaims": "persistent_volume_claim:STRATEGY",
    "persistentvolumes": "persistent_volume:STRATEGY",
    "pods": "pod:STRATEGY",
    "podtemplates": "pod_template:STRATEGY",
    "replicationcontrollers": "replication_controller:STRATEGY",
    "resourcequotas": "resource_quota:STRATEGY",
    "secrets": "secret:STRATEGY",
    "serviceaccounts": "service_account:STRATEGY",
    "services": "service:STRATEGY",
}
