"""NetworkPolicies: who may connect to whom."""

from __future__ import annotations

from typing import Any

import pytest

from controllers.kubelet.commands.network import DNS_HOST, Host
from controllers.kubelet.network.policies import NetworkPolicies
from controllers.kubelet.references import NAMESPACE, NETWORK_POLICY
from kctl.apimachinery.objects import Object
from tests.controllers.kubelet.network.objects_at_hand import Sources, host

PORTS = [{"name": "web", "containerPort": 8080, "protocol": "TCP"}]
PODS = {
    "10.244.0.2": ("shop", {"app": "web"}),
    "10.244.0.3": ("shop", {"app": "client"}),
    "10.244.1.4": ("bank", {"app": "client"}),
}
WEB, CLIENT, OTHER = (host(address, "n1" if "244.0" in address else "n2") for address in PODS)
NODE_1, NODE_2 = host("10.0.0.2", "n1", on_node=True), host("10.0.0.3", "n2", on_node=True)


def pod_of(of: Host) -> Object | None:
    found = PODS.get(of.addresses[0])
    if found is None:
        return None
    return {"metadata": {"namespace": found[0], "labels": found[1]}, "spec": {"containers": [{"ports": PORTS}]}}


def policies(*specs: Object, namespace: str = "shop") -> NetworkPolicies:
    sources = Sources()
    sources.kinds[NETWORK_POLICY] = [{"metadata": {"namespace": namespace, "name": str(at)}, "spec": spec} for at, spec in enumerate(specs)]
    sources.kinds[NAMESPACE] = [{"metadata": {"name": name, "labels": {"team": name}}} for name in ("shop", "bank")]
    return NetworkPolicies(sources, pod_of)


def selected(**spec: Any) -> Object:
    """For the web pod."""
    return {"podSelector": {"matchLabels": {"app": "web"}}, **spec}


def from_(*peers: Object, ports: list[Object] | None = None) -> Object:
    return selected(policyTypes=["Ingress"], ingress=[{**({"from": list(peers)} if peers else {}), **({"ports": ports} if ports else {})}])


CLIENTS = {"podSelector": {"matchLabels": {"app": "client"}}}
BANK = {"namespaceSelector": {"matchLabels": {"team": "bank"}}}


@pytest.mark.parametrize(
    ("policy", "allowed"),
    [
        pytest.param([], {"client", "other", "node"}, id="without"),
        pytest.param(
            [{"podSelector": {"matchLabels": {"app": "none"}}, "policyTypes": ["Ingress"]}], {"client", "other", "node"}, id="others"
        ),
        pytest.param([selected(policyTypes=["Ingress"])], set(), id="deny-all"),
        pytest.param([{"podSelector": {}}], set(), id="everybody-and-ingress-by-itself"),
        pytest.param([selected(policyTypes=["Egress"])], {"client", "other", "node"}, id="egress-only"),
        pytest.param([from_()], {"client", "other", "node"}, id="from-anywhere"),
        pytest.param([from_(CLIENTS)], {"client"}, id="pods-of-the-namespace"),
        pytest.param([from_(BANK)], {"other"}, id="namespace"),
        pytest.param([from_({**BANK, **CLIENTS})], {"other"}, id="pods-of-another-namespace"),
        pytest.param([from_({**BANK, "podSelector": {"matchLabels": {"app": "x"}}})], set(), id="no-such-pods"),
        pytest.param([from_({"namespaceSelector": {}})], {"client", "other"}, id="all-namespaces"),
        pytest.param([from_(CLIENTS), from_(BANK)], {"client", "other"}, id="one-of-several"),
        pytest.param([from_(CLIENTS, BANK)], {"client", "other"}, id="one-of-two-peers"),
        pytest.param([from_({"ipBlock": {"cidr": "10.244.0.0/16"}})], {"client", "other"}, id="block"),
        pytest.param([from_({"ipBlock": {"cidr": "10.244.0.0/16", "except": ["10.244.1.0/24"]}})], {"client"}, id="block-except"),
        pytest.param([from_({"ipBlock": {"cidr": "10.0.0.0/24"}})], {"node"}, id="block-of-nodes"),
        pytest.param([from_(CLIENTS, ports=[{"port": 8080}])], {"client"}, id="port"),
        pytest.param([from_(CLIENTS, ports=[{"port": "web"}])], {"client"}, id="named-port"),
        pytest.param([from_(CLIENTS, ports=[{"port": 81}])], set(), id="other-port"),
        pytest.param([from_(CLIENTS, ports=[{"port": 8000, "endPort": 8100}])], {"client"}, id="range"),
        pytest.param([from_(CLIENTS, ports=[{"port": 8000, "endPort": 8079}])], set(), id="other-range"),
        pytest.param([from_(CLIENTS, ports=[{"port": 8080, "protocol": "UDP"}])], set(), id="other-protocol"),
        pytest.param([from_(CLIENTS, ports=[{"protocol": "TCP"}])], {"client"}, id="all-ports-of-a-protocol"),
    ],
)
def test_ingress(policy: list[Object], allowed: set[str]) -> None:
    made = policies(*policy)
    asking = {"client": CLIENT, "other": OTHER, "node": NODE_2}
    assert {name for name, source in asking.items() if made.allows(source, WEB, 8080, "TCP")} == allowed
    assert made.allows(NODE_1, WEB, 8080, "TCP")  # its own node
    assert made.allows(None, WEB, 8080, "TCP")  # a kubelet, kube-apiserver


@pytest.mark.parametrize(
    ("policy", "allowed"),
    [
        pytest.param(selected(policyTypes=["Egress"]), set(), id="deny-all"),
        pytest.param(selected(egress=[{"to": [CLIENTS]}]), {"client"}, id="egress-by-itself"),
        pytest.param(selected(policyTypes=["Egress"], egress=[{}]), {"client", "other", "node", "names"}, id="anything"),
        pytest.param(selected(policyTypes=["Egress"], egress=[{"to": [BANK]}]), {"other"}, id="namespace"),
        pytest.param(selected(policyTypes=["Egress"], egress=[{"ports": [{"port": 53, "protocol": "UDP"}]}]), {"names"}, id="names"),
        pytest.param(
            selected(
                policyTypes=["Egress"],
                egress=[{"to": [{"namespaceSelector": {}, "podSelector": {"matchLabels": {"k8s-app": "kube-dns"}}}]}],
            ),
            {"names"},
            id="dns-pods",
        ),
    ],
)
def test_egress(policy: Object, allowed: set[str]) -> None:
    made = policies(policy)
    found = {name for name, target in (("client", CLIENT), ("other", OTHER), ("node", NODE_2)) if made.allows(WEB, target, 8080, "TCP")}
    if made.allows(WEB, DNS_HOST, 53, "UDP"):
        found.add("names")
    assert found == allowed


def test_both_ends_must_agree() -> None:
    """What may leave may still not enter."""
    made = policies({"podSelector": {"matchLabels": {"app": "client"}}, "policyTypes": ["Ingress"]})
    assert not made.allows(WEB, CLIENT, 8080, "TCP")
    assert made.allows(CLIENT, WEB, 8080, "TCP")


def test_no_policy_is_a_node_s() -> None:
    made = policies({"podSelector": {}, "policyTypes": ["Ingress", "Egress"]})
    assert made.allows(NODE_1, NODE_2, 22, "TCP")
    assert made.allows(OTHER, NODE_1, 22, "TCP")
