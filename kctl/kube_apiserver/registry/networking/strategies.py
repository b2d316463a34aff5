"""The strategies of networking.k8s.io, by group resource."""

from __future__ import annotations

from kctl.kube_apiserver.registry.networking import addresses, ingress, network_policy
from kctl.kube_apiserver.registry.strategy import Strategy

STRATEGIES: dict[str, Strategy] = {
    "networkpolicies.networking.k8s.io": network_policy.STRATEGY,
    "ingresses.networking.k8s.io": ingress.INGRESS,
    "ingressclasses.networking.k8s.io": ingress.INGRESS_CLASS,
    "servicecidrs.networking.k8s.io": addresses.SERVICE_CIDR,
    "ipaddresses.networking.k8s.io": addresses.IP_ADDRESS,
}
