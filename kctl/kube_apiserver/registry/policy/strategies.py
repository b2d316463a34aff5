"""The strategies of this API group, by group resource."""

from __future__ import annotations

from kctl.kube_apiserver.registry.policy.pod_disruption_budget import PodDisruptionBudgetStrategy
from kctl.kube_apiserver.registry.strategy import Strategy

STRATEGIES: dict[str, Strategy] = {"poddisruptionbudgets.policy": PodDisruptionBudgetStrategy()}
