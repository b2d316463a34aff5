"""Services: defaults, what is refused, what allocation takes and gives back when the type changes."""

from __future__ import annotations

from typing import Any

import pytest

from tests.kctl.kube_apiserver.registry.harness import Harness, Pool


@pytest.fixture
def services() -> Harness:
    return Harness("v1", "Service", cluster_ips=Pool("10.96.0.10", "10.96.0.11"), node_ports=Pool(30001, 30002, 30003))


def held(services: Harness) -> tuple[list[Any], list[Any]]:
    """The addresses and the node ports that are taken."""
    assert services.allocators is not None
    addresses, ports = services.allocators.cluster_ips, services.allocators.node_ports
    assert isinstance(addresses, Pool) and isinstance(ports, Pool)
    return addresses.taken, ports.taken


def spec(**fields: Any) -> dict[str, Any]:
    return {"spec": {"ports": [{"port": 80}], **fields}}


def test_a_minimal_service_gets_its_defaults(services: Harness) -> None:
    assert services.create(spec())["spec"] == {
        "ports": [{"port": 80, "protocol": "TCP", "targetPort": 80}],
        "sessionAffinity": "None",
        "type": "ClusterIP",
        "internalTrafficPolicy": "Cluster",
        "ipFamilyPolicy": "SingleStack",
        "ipFamilies": ["IPv4"],
        "clusterIP": "10.96.0.10",
        "clusterIPs": ["10.96.0.10"],
    }


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        (spec(ports=[]), "spec.ports: Required value"),
        (spec(type="X"), 'spec.type: Unsupported value: "X": supported values: "ClusterIP", "ExternalName", "LoadBalancer", "NodePort"'),
        (spec(type="ExternalName"), "spec.externalName: Required value"),
        (
            spec(clusterIP="None", type="NodePort"),
            "spec.clusterIPs[0]: Invalid value: \"None\": may not be set to 'None' for NodePort services",
        ),
        (
            spec(ipFamilyPolicy="RequireDualStack"),
            'spec.ipFamilyPolicy: Invalid value: "RequireDualStack": this cluster is not configured for dual-stack services',
        ),
        (
            spec(externalTrafficPolicy="Local"),
            'spec.externalTrafficPolicy: Invalid value: "Local": may only be set for externally-accessible services',
        ),
        (spec(loadBalancerClass="a/b"), "spec.loadBalancerClass: Forbidden: may only be used when `type` is 'LoadBalancer'"),
        (
            spec(externalIPs=["169.254.1.1"]),
            'spec.externalIPs[0]: Invalid value: "169.254.1.1": may not be in the link-local range (169.254.0.0/16, fe80::/10)',
        ),
        (
            spec(sessionAffinity="ClientIP", sessionAffinityConfig={"clientIP": {"timeoutSeconds": 0}}),
            "spec.sessionAffinityConfig.clientIP.timeoutSeconds: Invalid value: 0: must be greater than 0 and less than 86400",
        ),
    ],
)
def test_refused(services: Harness, given: dict[str, Any], problem: str) -> None:
    assert services.problems(given) == [problem]


def test_tcp_and_udp_of_one_number_share_a_node_port(services: Harness) -> None:
    ports = [{"name": "a", "port": 53}, {"name": "b", "port": 53, "protocol": "UDP"}, {"name": "c", "port": 80}]
    made = services.create(spec(type="NodePort", ports=ports))
    assert [port["nodePort"] for port in made["spec"]["ports"]] == [30001, 30001, 30002]


def test_a_node_port_asked_for_twice_is_refused_and_nothing_is_kept(services: Harness) -> None:
    ports = [{"name": "a", "port": 80, "nodePort": 30001}, {"name": "b", "port": 81, "nodePort": 30001}]
    found = services.problems(spec(type="NodePort", ports=ports))
    assert found == ["spec.ports[1].nodePort: Invalid value: 30001: provided port is already allocated"]
    assert held(services) == ([], [])


def test_a_dry_run_keeps_nothing(services: Harness) -> None:
    services.create(spec(type="NodePort"), dry_run=True)
    assert held(services) == ([], [])


def test_an_update_that_leaves_out_allocated_values_keeps_them(services: Harness) -> None:
    old = services.create(spec(type="NodePort"))
    made, problems = services.update(old, spec={"type": "NodePort", "ports": [{"port": 80}]})
    assert problems == []
    assert made["spec"]["clusterIP"] == old["spec"]["clusterIP"]
    assert made["spec"]["ports"][0]["nodePort"] == 30001
    assert held(services)[1] == [30001]


def test_changing_to_cluster_ip_gives_the_node_port_back(services: Harness) -> None:
    old = services.create(spec(type="NodePort"))
    made, problems = services.update(old, spec={**old["spec"], "type": "ClusterIP"})
    assert problems == []
    assert "nodePort" not in made["spec"]["ports"][0]
    assert "externalTrafficPolicy" not in made["spec"]
    services.strategy.after_update(services.context(), made, old)
    assert held(services)[1] == []
    assert held(services)[0] == ["10.96.0.10"]


def test_changing_to_external_name_gives_everything_back(services: Harness) -> None:
    old = services.create(spec())
    made, problems = services.update(old, spec={**old["spec"], "type": "ExternalName", "externalName": "a.b"})
    assert problems == []
    assert not {"clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy", "internalTrafficPolicy"} & set(made["spec"])
    services.strategy.after_update(services.context(), made, old)
    assert held(services)[0] == []


def test_a_cluster_ip_never_changes(services: Harness) -> None:
    old = services.create(spec())
    changed = {**old["spec"], "clusterIP": "10.96.0.99", "clusterIPs": ["10.96.0.99"]}
    assert services.update(old, spec=changed)[1] == ['spec.clusterIPs[0]: Invalid value: ["10.96.0.99"]: may not change once set']


def test_headless_without_selector_is_dual_stack(services: Harness) -> None:
    made = services.create(spec(clusterIP="None"))["spec"]
    assert (made["ipFamilyPolicy"], made["ipFamilies"]) == ("RequireDualStack", ["IPv4", "IPv6"])


def test_only_load_balancers_have_ingress(services: Harness) -> None:
    old = services.create(spec())
    _, problems = services.update(old, "status", status={"loadBalancer": {"ingress": [{"ip": "1.2.3.4"}]}})
    assert problems == ["status.loadBalancer.ingress: Forbidden: may only be used when `spec.type` is 'LoadBalancer'"]


@pytest.mark.parametrize(
    ("given", "warning"),
    [
        (
            {"externalIPs": ["1.2.3.4"]},
            "spec.externalIPs is deprecated and may no longer be implemented in some clusters",
        ),
        ({"externalName": "a.b"}, 'spec.externalName is ignored when spec.type is not "ExternalName"'),
        ({"clusterIP": "None", "sessionAffinity": "ClientIP"}, "spec.SessionAffinity is ignored for headless services"),
    ],
)
def test_warnings(services: Harness, given: dict[str, Any], warning: str) -> None:
    made = services.create(spec(**given))
    assert services.strategy.warnings_on_create(services.context(), made) == [warning]
    assert services.strategy.warnings_on_update(services.context(), made, made) == []
