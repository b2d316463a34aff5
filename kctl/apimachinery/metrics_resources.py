"""metrics.k8s.io/v1beta1, which a metrics server adds to a cluster: what nodes and pods use just now. Read only, never stored."""

from __future__ import annotations

from typing import Final

from kctl.apimachinery.resources import CLUSTER, NAMESPACED, ResourceType

GROUP, VERSION = "metrics.k8s.io", "v1beta1"
_VERBS = ("get", "list")
NODE_METRICS: Final = ResourceType(GROUP, VERSION, "NodeMetrics", "nodes", CLUSTER, "", _VERBS)
POD_METRICS: Final = ResourceType(GROUP, VERSION, "PodMetrics", "pods", NAMESPACED, "", _VERBS)
