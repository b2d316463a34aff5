"""What cluster DNS answers."""

from __future__ import annotations

import pytest

from controllers.kubelet.network.cluster_names import ClusterNames
from tests.controllers.kubelet.network.objects_at_hand import Sources, endpoint, endpoint_slice, service

HEADLESS = service("db", "None", ports=[{"name": "sql", "port": 5432, "protocol": "TCP"}])
NAMES = ClusterNames(
    Sources(
        service(),
        HEADLESS,
        service("out", "", type="ExternalName", externalName="Example.com", ports=[]),
        slices=[
            endpoint_slice(endpoint("10.244.0.2")),
            endpoint_slice(
                endpoint("10.244.0.3", hostname="db-0"),
                endpoint("10.244.1.3", hostname="db-1"),
                endpoint("10.244.1.4", hostname="db-2", conditions={"ready": False}),
                endpoint("10.244.1.5"),
                name="db",
                port=5432,
                port_name="sql",
            ),
        ],
    )
)
SVC = "default.svc.cluster.local"


@pytest.mark.parametrize(
    ("name", "type", "expected"),
    [
        (f"web.{SVC}", "A", ["10.96.0.7"]),
        (f"WEB.{SVC}.", "A", ["10.96.0.7"]),
        (f"web.{SVC}", "AAAA", []),
        (f"web.{SVC}", "SRV", [f"0 100 80 web.{SVC}."]),
        (f"_http._tcp.web.{SVC}", "SRV", [f"0 100 80 web.{SVC}."]),
        (f"_http._udp.web.{SVC}", "SRV", []),
        (f"x.web.{SVC}", "A", []),
        ("web.other.svc.cluster.local", "A", []),
        (f"db.{SVC}", "A", ["10.244.0.3", "10.244.1.3", "10.244.1.5"]),
        (f"db-1.db.{SVC}", "A", ["10.244.1.3"]),
        (f"db-2.db.{SVC}", "A", []),
        (f"10-244-1-5.db.{SVC}", "A", ["10.244.1.5"]),
        (
            f"_sql._tcp.db.{SVC}",
            "SRV",
            [f"0 33 5432 db-0.db.{SVC}.", f"0 33 5432 db-1.db.{SVC}.", f"0 33 5432 10-244-1-5.db.{SVC}."],
        ),
        (f"out.{SVC}", "A", []),
        (f"out.{SVC}", "CNAME", ["Example.com."]),
        ("10-244-7-7.default.pod.cluster.local", "A", ["10.244.7.7"]),
        ("10-244-7.default.pod.cluster.local", "A", []),
        ("7.0.96.10.in-addr.arpa.", "PTR", [f"web.{SVC}."]),
        ("3.1.244.10.in-addr.arpa", "PTR", [f"db-1.db.{SVC}."]),
        ("4.1.244.10.in-addr.arpa", "PTR", []),
        ("9.9.9.in-addr.arpa", "PTR", []),
        ("dns-version.cluster.local", "TXT", ['"1.1.0"']),
        ("example.com", "A", []),
        ("svc.cluster.local", "A", []),
        ("", "A", []),
    ],
)
def test_answers(name: str, type: str, expected: list[str]) -> None:
    assert NAMES.resolve(name, type) == expected
