"""Puts the simulated network together: pods, kube-proxy's routes, cluster DNS, policies. Imported with the first pod that needs it."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from controllers.kubelet.network.cluster_names import ClusterNames
from controllers.kubelet.network.pod_networks import PodNetworks
from controllers.kubelet.network.policies import NetworkPolicies
from controllers.kubelet.network.service_routes import ServiceRoutes
from controllers.kubelet.network.sources import NetworkSources
from controllers.runtime.informer import Informer
from kctl.apimachinery.clock import Clock

if TYPE_CHECKING:
    from controllers.kubelet.kubelet import Kubelet
    from controllers.kubelet.network.api_server import ApiForPods


class _Routes(ServiceRoutes):
    """With the names."""

    def __init__(self, clock: Clock, sources: NetworkSources, randomness: random.Random) -> None:
        super().__init__(clock, sources, randomness)
        self.resolve = ClusterNames(sources).resolve


def network_of(
    clock: Clock,
    cache_of: Callable[[str], Informer | None],
    kubelets: Mapping[str, Kubelet],
    randomness: random.Random,
    api: Callable[[], ApiForPods] | None,
) -> PodNetworks:
    """The caches fill when a pod needs them; `kubelets` by their nodes' names."""
    sources = NetworkSources(cache_of, kubelets)
    routes = _Routes(clock, sources, random.Random(randomness.getrandbits(64)))
    policies = NetworkPolicies(sources, lambda host: made.pod_of(host))
    made = PodNetworks(clock, sources, routes, policies.allows, api)
    return made
