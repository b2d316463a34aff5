"""The strategies of this API group, by group resource."""

from __future__ import annotations

from kctl.kube_apiserver.registry.autoscaling.horizontal_pod_autoscaler import HorizontalPodAutoscalerStrategy
from kctl.kube_apiserver.registry.strategy import Strategy

STRATEGIES: dict[str, Strategy] = {"horizontalpodautoscalers.autoscaling": HorizontalPodAutoscalerStrategy()}
