"""[sig-network] Proxy: every port of a pod and of its Service through the API server, in plain and over TLS."""

from __future__ import annotations

import pytest

from kctl.apimachinery import objects
from kctl.apimachinery.user import ADMIN
from tests.conformance.suite import CORE, PODS, container, suite
from tests.conformance.traffic import CONTROLLERS, SERVICES

pytestmark = pytest.mark.virtual_time
ATTEMPTS = 20
LINK = '<a href="{0}/rewriteme">test</a>'
SERVED = {
    "SERVE_PORT_80": LINK.format(""),
    "SERVE_PORT_1080": LINK.format(""),
    "SERVE_PORT_160": "foo",
    "SERVE_PORT_162": "bar",
    "SERVE_TLS_PORT_443": '<a href="/tlsrewriteme">test</a>',
    "SERVE_TLS_PORT_460": "tls baz",
    "SERVE_TLS_PORT_462": "tls qux",
}
PORTS = {"dest1": 160, "dest2": 162, "tlsdest1": 460, "tlsdest2": 462}


async def test_a_service_and_a_pod() -> None:
    """[sig-network] Proxy version v1 should proxy through a service and a pod [Conformance]"""
    labels = {"proxy-service-target": "true"}
    ports = [
        {"name": "portname1", "port": 80, "targetPort": "dest1"},
        {"name": "portname2", "port": 81, "targetPort": 162},
        {"name": "tlsportname1", "port": 443, "targetPort": "tlsdest1"},
        {"name": "tlsportname2", "port": 444, "targetPort": 462},
    ]
    async with suite(1) as e2e:
        made = await e2e.create(SERVICES, {"metadata": {"generateName": "proxy-service-"}, "spec": {"selector": labels, "ports": ports}})
        service = objects.name(made)
        probe = {"httpGet": {"port": 80}, "initialDelaySeconds": 1, "timeoutSeconds": 5, "periodSeconds": 10}
        served = container(
            service,
            command=["/agnhost", "porter"],
            env=[{"name": name, "value": value} for name, value in SERVED.items()],
            ports=[{"containerPort": 80}, *({"name": name, "containerPort": port} for name, port in PORTS.items())],
            readinessProbe=probe,
        )
        template = {"metadata": {"labels": labels}, "spec": {"containers": [served]}}
        spec = {"replicas": 1, "selector": labels, "template": template}
        await e2e.create(CONTROLLERS, {"metadata": {"name": service}, "spec": spec})
        (pod,) = await e2e.running("proxy-service-target=true", 1)
        await e2e.until(f"{CORE}/endpoints/{service}", lambda found: (found.get("subsets") or [{}])[0].get("addresses"))

        def of_service(scheme: str, port: str) -> str:
            return f"{SERVICES}/{f'{scheme}:' if scheme else ''}{service}:{port}/proxy"

        def of_pod(scheme: str, port: str) -> str:
            named = f"{scheme}:{objects.name(pod)}:{port}" if scheme else f"{objects.name(pod)}:{port}" if port else objects.name(pod)
            return f"{PODS}/{named}/proxy"

        expected = {
            of_service(scheme, port): text for scheme in ("", "http") for port, text in (("portname1", "foo"), ("portname2", "bar"))
        }
        expected |= {of_service("https", port): text for port, text in (("tlsportname1", "tls baz"), ("tlsportname2", "tls qux"))}
        for scheme, port in (("", ""), ("", "1080"), ("http", "1080")):
            expected[of_pod(scheme, port)] = LINK.format(of_pod(scheme, port))
        for scheme in ("", "http"):
            expected |= {of_pod(scheme, "160"): "foo", of_pod(scheme, "162"): "bar"}
        expected[of_pod("https", "443")] = f'<a href="{of_pod("https", "443")}/tlsrewriteme">test</a>'
        expected |= {of_pod("https", "460"): "tls baz", of_pod("https", "462"): "tls qux"}
        for _ in range(ATTEMPTS):
            for path, text in expected.items():
                answer = await e2e.server.handle_raw("GET", f"{path}/", {}, None, {}, ADMIN)
                assert (answer.status, answer.body.decode()) == (200, text), path
