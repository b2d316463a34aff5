"""NetworkPolicies: which pods may connect to which, as networking.k8s.io/v1 says it and network plugins act on it.

Looked up at each connection, over caches; without any policy in the cluster nothing is looked at. Pods on a node's network are the node:
no policy is theirs, and it always reaches the pods on it.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple, Protocol

from controllers.kubelet.commands.network import DNS_HOST, Host
from controllers.kubelet.references import NAMESPACE, NETWORK_POLICY
from kctl.apimachinery import labels, objects
from kctl.apimachinery.objects import Object

_DNS_NAMESPACE, _DNS_LABELS = "kube-system", {"k8s-app": "kube-dns"}
"""Cluster DNS is no pod here; policies that let pods ask it know it by these."""


class PolicySources(Protocol):
    def all(self, kind: str, namespace: str = "") -> Iterable[Object]: ...

    def get(self, kind: str, key: str) -> Object | None: ...


class _End(NamedTuple):
    """One end of a connection; `namespace` '' for what is no pod."""

    namespace: str
    labels: Mapping[str, str]
    addresses: Sequence[str]
    pod: Object


class NetworkPolicies:
    """`pod_of` gives the pod whose network a host is, None for a node's."""

    def __init__(self, sources: PolicySources, pod_of: Callable[[Host], Object | None]) -> None:
        self._sources = sources
        self._pod_of = pod_of

    def allows(self, source: Host | None, target: Host, port: int, protocol: str) -> bool:
        """`port` is the target's own. What comes from outside the nodes (`source` None: kubelets, kube-apiserver) is let through."""
        if source is None or not any(True for _ in self._sources.all(NETWORK_POLICY)):
            return True
        near, far = self._end(source), self._end(target)
        if near.namespace and not self._passes(near, far, "Egress", port, protocol):
            return False
        if not far.namespace or far.pod is _NO_POD or (not near.namespace and source.node == target.node):
            return True
        return self._passes(far, near, "Ingress", port, protocol)

    def _end(self, host: Host) -> _End:
        if host is DNS_HOST:
            return _End(_DNS_NAMESPACE, _DNS_LABELS, host.addresses, _NO_POD)
        pod = None if host.on_node else self._pod_of(host)
        if pod is None:
            return _End("", {}, host.addresses, _NO_POD)
        return _End(objects.namespace(pod), objects.labels(pod), host.addresses, pod)

    def _passes(self, end: _End, other: _End, direction: str, port: int, protocol: str) -> bool:
        """Whether the policies of `end` let it through: all do where none is its own."""
        rules, peers = ("ingress", "from") if direction == "Ingress" else ("egress", "to")
        target = (end if direction == "Ingress" else other).pod
        isolated = False
        for policy in self._sources.all(NETWORK_POLICY, end.namespace):
            spec = objects.spec(policy)
            if direction not in policy_types(spec) or not labels.from_label_selector(spec.get("podSelector") or {}).matches(end.labels):
                continue
            isolated = True
            for rule in spec.get(rules) or ():
                if self._fits_ports(rule.get("ports"), target, port, protocol) and self._fits_peers(rule.get(peers), end, other):
                    return True
        return not isolated

    @staticmethod
    def _fits_ports(ports: Sequence[Object] | None, target: Object, port: int, protocol: str) -> bool:
        if not ports:
            return True
        for each in ports:
            if (each.get("protocol") or "TCP") != protocol:
                continue
            wanted = each.get("port")
            if wanted is None or wanted == port:
                return True
            if isinstance(wanted, int):
                if each.get("endPort") is not None and wanted <= port <= int(each["endPort"]):
                    return True
            elif port in _named_ports(target, str(wanted), protocol):
                return True
        return False

    def _fits_peers(self, peers: Sequence[Object] | None, own: _End, other: _End) -> bool:
        return not peers or any(self._fits_peer(peer, own, other) for peer in peers)

    def _fits_peer(self, peer: Object, own: _End, other: _End) -> bool:
        block = peer.get("ipBlock")
        if block is not None:
            return any(_in_block(address, block) for address in other.addresses)
        if not other.namespace:
            return False
        if peer.get("namespaceSelector") is None:
            if other.namespace != own.namespace:
                return False
        else:
            namespace = self._sources.get(NAMESPACE, other.namespace) or {"metadata": {}}
            if not labels.from_label_selector(peer["namespaceSelector"]).matches(objects.labels(namespace)):
                return False
        return peer.get("podSelector") is None or labels.from_label_selector(peer["podSelector"]).matches(other.labels)


_NO_POD: Object = {}


def policy_types(spec: Object) -> Sequence[str]:
    given = spec.get("policyTypes")
    if given:
        return [str(each) for each in given]
    return ["Ingress", "Egress"] if spec.get("egress") else ["Ingress"]


def _named_ports(pod: Object, name: str, protocol: str) -> list[int]:
    spec = objects.spec(pod) if pod else {}
    return [
        int(port["containerPort"])
        for container in (*(spec.get("initContainers") or ()), *(spec.get("containers") or ()))
        for port in container.get("ports") or ()
        if port.get("name") == name and (port.get("protocol") or "TCP") == protocol
    ]


def _in_block(address: str, block: Object) -> bool:
    return _inside(address, str(block.get("cidr"))) and not any(_inside(address, str(each)) for each in block.get("except") or ())


def _inside(address: str, cidr: str) -> bool:
    try:
        return ipaddress.ip_address(address) in ipaddress.ip_network(cidr, strict=False)
    except ValueError:
        return False
