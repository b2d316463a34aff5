"""From a Service to an endpoint, as kube-proxy's rules choose it."""

from __future__ import annotations

import errno
import random
from typing import Any

import pytest

from controllers.kubelet.commands.network import Host
from controllers.kubelet.network.service_routes import ServiceRoutes
from kctl.apimachinery.clock import FakeClock
from kctl.apimachinery.objects import Object
from tests.controllers.kubelet.network.objects_at_hand import Sources, endpoint, endpoint_slice, host, service

ZONE = "topology.kubernetes.io/zone"
NODES = {"n1": ("10.0.0.2", {ZONE: "a"}), "n2": ("10.0.0.3", {ZONE: "b"})}
E1, E2 = endpoint("10.244.0.2", "n1"), endpoint("10.244.1.2", "n2")
REFUSED, DROPPED = errno.ECONNREFUSED, errno.ETIMEDOUT


def reached(
    sources: Sources, address: str = "10.96.0.7", port: int = 80, protocol: str = "TCP", source: Host | None = None
) -> set[str] | int:
    """The endpoints of 40 connections, or the error of all of them."""
    routes = ServiceRoutes(FakeClock(), sources, random.Random(1))
    found: set[str] = set()
    try:
        for _ in range(40):
            behind = routes.service(address, port, protocol, source)
            found.add("nothing" if behind is None else f"{behind[0]}:{behind[1]}")
    except OSError as error:
        return int(error.errno or 0)
    return found


BOTH = {"10.244.0.2:8080", "10.244.1.2:8080"}


def conditions(**given: bool) -> Any:
    return {"conditions": given}


@pytest.mark.parametrize(
    ("endpoints", "expected"),
    [
        pytest.param([E1, E2], BOTH, id="all-ready-ones"),
        pytest.param([E1, E1], {"10.244.0.2:8080"}, id="each-once"),
        pytest.param([E1, endpoint("10.244.1.2", **conditions(ready=False))], {"10.244.0.2:8080"}, id="not-ready"),
        pytest.param([endpoint("10.244.1.2", conditions={})], {"10.244.1.2:8080"}, id="unknown-is-ready"),
        pytest.param([], REFUSED, id="none"),
        pytest.param([endpoint("10.244.1.2", **conditions(ready=False))], REFUSED, id="none-ready"),
        pytest.param(
            [endpoint("10.244.1.2", **conditions(ready=False, serving=True, terminating=True))], {"10.244.1.2:8080"}, id="ends-and-serves"
        ),
        pytest.param([endpoint("10.244.1.2", **conditions(ready=False, serving=False, terminating=True))], REFUSED, id="ends"),
        pytest.param(
            [E1, endpoint("10.244.1.2", **conditions(ready=False, serving=True, terminating=True))],
            {"10.244.0.2:8080"},
            id="ready-ones-first",
        ),
    ],
)
def test_which_endpoints(endpoints: list[Object], expected: set[str] | int) -> None:
    assert reached(Sources(service(), slices=[endpoint_slice(*endpoints)])) == expected


def test_several_slices_and_ports() -> None:
    ports = [{"name": "a", "port": 80, "protocol": "TCP"}, {"name": "b", "port": 80, "protocol": "UDP"}, {"name": "c", "port": 81}]
    slices = [
        endpoint_slice(E1, port=1, port_name="a"),
        endpoint_slice(E2, port=2, port_name="b", protocol="UDP"),
        endpoint_slice(E1, port=3, port_name="c"),
        endpoint_slice(E2, port=3, port_name="c"),
    ]
    sources = Sources(service(ports=ports), slices=slices)
    assert reached(sources) == {"10.244.0.2:1"}
    assert reached(sources, protocol="UDP") == {"10.244.1.2:2"}
    assert reached(sources, port=81) == {"10.244.0.2:3", "10.244.1.2:3"}
    assert reached(sources, port=82) == REFUSED
    assert reached(sources, "10.96.0.8") == {"nothing"}


@pytest.mark.parametrize(
    ("spec", "source", "expected"),
    [
        ({"internalTrafficPolicy": "Local"}, host(node="n1"), {"10.244.0.2:8080"}),
        ({"internalTrafficPolicy": "Local"}, host(node="n2"), {"10.244.1.2:8080"}),
        ({"internalTrafficPolicy": "Local"}, host(node="n3"), DROPPED),
        ({"internalTrafficPolicy": "Cluster"}, host(node="n3"), BOTH),
    ],
)
def test_internal_traffic_policy(spec: Object, source: Host, expected: set[str] | int) -> None:
    assert reached(Sources(service(**spec), slices=[endpoint_slice(E1, E2)], nodes=NODES), source=source) == expected


NODE_PORT = {"type": "NodePort", "ports": [{"name": "http", "port": 80, "protocol": "TCP", "nodePort": 30080}]}
LOCAL = {**NODE_PORT, "externalTrafficPolicy": "Local"}
ONLY_SECOND = [endpoint_slice(E2)]


@pytest.mark.parametrize(
    ("spec", "slices", "address", "source", "expected"),
    [
        pytest.param(NODE_PORT, [endpoint_slice(E1, E2)], "10.0.0.2", None, BOTH, id="from-outside"),
        pytest.param(NODE_PORT, [endpoint_slice(E1, E2)], "10.0.0.3", host(), BOTH, id="from-a-pod"),
        pytest.param(LOCAL, [endpoint_slice(E1, E2)], "10.0.0.3", None, {"10.244.1.2:8080"}, id="local"),
        pytest.param(LOCAL, ONLY_SECOND, "10.0.0.2", None, DROPPED, id="local-without"),
        pytest.param(LOCAL, ONLY_SECOND, "10.0.0.2", host(node="n1"), {"10.244.1.2:8080"}, id="local-from-a-pod"),
        pytest.param(LOCAL, ONLY_SECOND, "10.0.0.2", host("10.0.0.3", "n2", on_node=True), DROPPED, id="local-from-another-node"),
        pytest.param(LOCAL, ONLY_SECOND, "10.0.0.2", host("10.0.0.2", "n1", on_node=True), {"10.244.1.2:8080"}, id="local-from-itself"),
        pytest.param(NODE_PORT, [], "10.0.0.2", None, REFUSED, id="no-endpoints"),
        pytest.param(NODE_PORT, [endpoint_slice(E1)], "10.0.0.9", None, {"nothing"}, id="no-node"),
    ],
)
def test_node_ports(spec: Object, slices: list[Object], address: str, source: Host | None, expected: set[str] | int) -> None:
    assert reached(Sources(service(**spec), slices=slices, nodes=NODES), address, 30080, source=source) == expected


def balanced(**more: Any) -> Object:
    status = {"loadBalancer": {"ingress": [{"ip": "203.0.113.5"}, {"ip": "203.0.113.6", "ipMode": "Proxy"}, {"hostname": "lb"}]}}
    return service(status=status, type="LoadBalancer", externalIPs=["198.51.100.1"], **more)


def test_external_and_balancer_addresses() -> None:
    sources = Sources(balanced(), slices=[endpoint_slice(E1, E2)], nodes=NODES)
    assert reached(sources, "198.51.100.1") == BOTH
    assert reached(sources, "203.0.113.5") == BOTH
    assert reached(sources, "203.0.113.6") == {"nothing"}  # which the balancer itself takes
    limited = Sources(balanced(loadBalancerSourceRanges=["10.244.0.0/24"]), slices=[endpoint_slice(E1, E2)], nodes=NODES)
    assert reached(limited, "203.0.113.5", source=host("10.244.0.9")) == BOTH
    assert reached(limited, "203.0.113.5", source=host("10.244.1.9")) == DROPPED
    assert reached(limited, source=host("10.244.1.9")) == BOTH


def hinted(address: str, **hints: list[str]) -> Object:
    return endpoint(address, hints={name: [{"name": each} for each in values] for name, values in hints.items()})


@pytest.mark.parametrize(
    ("endpoints", "expected"),
    [
        ([hinted("10.244.0.2", forZones=["a"]), hinted("10.244.1.2", forZones=["b"])], {"10.244.0.2:8080"}),
        ([hinted("10.244.0.2", forZones=["a"]), E2], BOTH),
        ([hinted("10.244.0.2", forZones=["c"]), hinted("10.244.1.2", forZones=["b"])], BOTH),
        ([hinted("10.244.0.2", forNodes=["n2"]), hinted("10.244.1.2", forNodes=["n1"])], {"10.244.1.2:8080"}),
    ],
)
def test_hints(endpoints: list[Object], expected: set[str]) -> None:
    assert reached(Sources(service(), slices=[endpoint_slice(*endpoints)], nodes=NODES), source=host(node="n1")) == expected


def test_session_affinity_lasts_its_time() -> None:
    clock = FakeClock()
    sources = Sources(
        service(sessionAffinity="ClientIP", sessionAffinityConfig={"clientIP": {"timeoutSeconds": 100}}),
        slices=[endpoint_slice(*(endpoint(f"10.244.0.{number}") for number in range(2, 12)))],
    )
    routes = ServiceRoutes(clock, sources, random.Random(1))

    def asked(client: str) -> Any:
        return routes.service("10.96.0.7", 80, "TCP", host(client))

    first = asked("10.244.0.99")
    for _ in range(20):
        clock.advance(90)
        assert asked("10.244.0.99") == first
    assert len({asked(f"10.244.1.{number}") for number in range(30)}) > 1
    seen = set()
    for _ in range(10):
        clock.advance(101)
        seen.add(asked("10.244.0.99"))
    assert len(seen) > 1
    sources.slices = [endpoint_slice(endpoint("10.244.5.5"))]
    assert asked("10.244.0.99") == ("10.244.5.5", 8080)


@pytest.mark.parametrize("label", ["service.kubernetes.io/service-proxy-name", "service.kubernetes.io/headless"])
def test_services_of_another_proxy(label: str) -> None:
    other = service()
    other["metadata"]["labels"] = {label: "x"}
    assert reached(Sources(other, slices=[endpoint_slice(E1)])) == {"nothing"}


def test_the_same_randomness_chooses_the_same() -> None:
    sources = Sources(service(), slices=[endpoint_slice(E1, E2)])

    def chosen() -> list[Any]:
        routes = ServiceRoutes(FakeClock(), sources, random.Random(7))
        return [routes.service("10.96.0.7", 80, "TCP", None) for _ in range(20)]

    assert chosen() == chosen()
