"""The strategies of discovery.k8s.io, by group resource."""

from __future__ import annotations

from kctl.kube_apiserver.registry.discovery import endpoint_slice
from kctl.kube_apiserver.registry.strategy import Strategy

STRATEGIES: dict[str, Strategy] = {"endpointslices.discovery.k8s.io": endpoint_slice.STRATEGY}
