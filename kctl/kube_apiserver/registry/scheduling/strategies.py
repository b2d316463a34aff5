"""The strategies of this API group, by group resource."""

from __future__ import annotations

from kctl.kube_apiserver.registry.scheduling.priority_class import PriorityClassStrategy
from kctl.kube_apiserver.registry.strategy import Strategy

STRATEGIES: dict[str, Strategy] = {"priorityclasses.scheduling.k8s.io": PriorityClassStrategy()}
