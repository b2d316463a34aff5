"""The strategies of networking.k8s.io, by group resource: in which module each is."""

from __future__ import annotations

STRATEGIES: dict[str, str] = {
    "networkpolicies.networking.k8s.io": "network_policy:STRATEGY",
    "ingresses.networking.k8s.io": "ingress:INGRESS",
    "ingressclasses.networking.k8s.io": "ingress:INGRESS_CLASS",
    "servicecidrs.networking.k8s.io": "addresses:SERVICE_CIDR",
    "ipaddresses.networking.k8s.io": "addresses:IP_ADDRESS",
}
