"""The strategies of flowcontrol.apiserver.k8s.io, by group resource."""

from __future__ import annotations

from kctl.kube_apiserver.registry.flowcontrol import flow_schema, priority_level
from kctl.kube_apiserver.registry.strategy import Strategy

STRATEGIES: dict[str, Strategy] = {
    "flowschemas.flowcontrol.apiserver.k8s.io": flow_schema.STRATEGY,
    "prioritylevelconfigurations.flowcontrol.apiserver.k8s.io": priority_level.STRATEGY,
}
