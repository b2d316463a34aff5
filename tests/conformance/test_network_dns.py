"""[sig-network] DNS: names that programs in pods can look up, with dig and getent of two images; what they found is read from a web server
of the pod."""

from __future__ import annotations

import ipaddress
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest

from kctl.apimachinery.objects import Object
from kctl.apimachinery.user import ADMIN
from tests.conformance.execution import execute
from tests.conformance.suite import CORE, NAMESPACE, PODS, Suite, container, is_ready, suite

pytestmark = pytest.mark.virtual_time

JESSIE = "registry.k8s.io/e2e-test-images/jessie-dnsutils:1.7"
SERVICES = f"{CORE}/services"
HOST, SERVICE = "dns-querier-1", "dns-test-service"
DOMAIN = f"{NAMESPACE}.svc.cluster.local"


@pytest.fixture
async def e2e() -> AsyncIterator[Suite]:
    async with suite(1) as made:
        yield made


def probes(names: Sequence[str], prefix: str, hosts: Sequence[str] = (), address: str = "") -> tuple[str, list[str]]:
    """(a script that looks all of them up again and again, the files that it makes of those it found)"""
    asked = [(each, f"{each} {'SRV' if each.startswith('_') else 'A'}") for each in names]
    if address:
        asked.append(("PTR", f"{ipaddress.ip_address(address).reverse_pointer}. PTR"))
    script, files = "for i in `seq 1 600`; do ", []
    for name, words in asked:
        for option, kind in (("+notcp", "udp"), ("+tcp", "tcp")):
            files.append(f"{address if name == 'PTR' else prefix}_{kind}@{name}")
            script += f'check="$$(dig {option} +noall +answer +search {words})" && test -n "$$check" && echo OK > /results/{files[-1]};'
    for name in hosts:
        files.append(f"{prefix}_hosts@{name}")
        script += f'test -n "$$(getent hosts {name})" && echo OK > /results/{files[-1]};'
    return f"{script}sleep 1; done", files


def record(name: str, kind: str, prefix: str) -> tuple[str, list[str]]:
    """(a script that writes the records of a name again and again, its file)"""
    file = f"{prefix}_udp@{name}"
    return f"for i in `seq 1 30`; do dig +short {name} {kind} > /results/{file}; sleep 1; done", [file]


async def found(e2e: Suite, scripts: Sequence[tuple[str, list[str]]], contents: str = "OK", name: str = "dns-test", **more: Any) -> None:
    """A pod that runs the scripts, one in each image, and a web server of what they found: all files are there, with those contents."""
    mounts = [{"name": "results", "mountPath": "/results"}]
    (first, _), (second, _) = scripts
    containers = [
        container("webserver", args=["test-webserver"], volumeMounts=mounts),
        container("agnhost-querier", command=["sh", "-c", first], volumeMounts=mounts),
        container("jessie-querier", JESSIE, command=["sh", "-c", second], volumeMounts=mounts),
    ]
    labels = more.pop("labels", {})
    spec = {"containers": containers, "volumes": [{"name": "results", "emptyDir": {}}], "hostname": HOST, "subdomain": SERVICE, **more}
    await e2e.create(PODS, {"metadata": {"name": name, "labels": labels}, "spec": spec})
    await e2e.until(f"{PODS}/{name}", lambda pod: (pod.get("status") or {}).get("phase") == "Running")
    for file in [each for _, files in scripts for each in files]:
        for _ in range(30):
            got = await e2e.server.handle_raw("GET", f"{PODS}/{name}/proxy/results/{file}", {}, None, {}, ADMIN)
            if (got.status, got.body) == (200, f"{contents}\n".encode()):
                break
            await e2e.settle(5)
        else:
            raise AssertionError(f"{file}: {got}")
    await e2e.delete(f"{PODS}/{name}", gracePeriodSeconds=0)


async def look_up(
    e2e: Suite, names: Sequence[str] = (), hosts: Sequence[str] = (), address: str = "", labels: Object | None = None, **more: Any
) -> None:
    """From both images."""
    await found(e2e, [probes(names, prefix, hosts, address) for prefix in ("agnhost", "jessie")], labels=labels or {}, **more)


async def two_services(e2e: Suite) -> tuple[Object, str]:
    """A headless service and another one; (their selector, the other one's address)"""
    selector = {"dns-test": "true"}
    ports = [{"port": 80, "name": "http", "protocol": "TCP"}]
    await e2e.create(SERVICES, {"metadata": {"name": SERVICE}, "spec": {"ports": ports, "selector": selector, "clusterIP": "None"}})
    made = await e2e.create(SERVICES, {"metadata": {"name": "test-service-2"}, "spec": {"ports": ports, "selector": selector}})
    return selector, made["spec"]["clusterIP"]


async def test_the_cluster(e2e: Suite) -> None:
    """[sig-network] DNS should provide DNS for the cluster [Conformance]"""
    await look_up(e2e, ["kubernetes.default.svc.cluster.local"])


async def test_hosts_entries(e2e: Suite) -> None:
    """[sig-network] DNS should provide /etc/hosts entries for the cluster [Conformance]"""
    await look_up(e2e, hosts=[f"{HOST}.{SERVICE}.{DOMAIN}", HOST])


async def test_services(e2e: Suite) -> None:
    """[sig-network] DNS should provide DNS for services [Conformance]"""
    selector, address = await two_services(e2e)
    names = [f"{SERVICE}.{DOMAIN}", f"_http._tcp.{SERVICE}.{DOMAIN}", f"_http._tcp.test-service-2.{DOMAIN}"]
    await look_up(e2e, names, address=address, labels=selector)


async def test_partial_qualified_names(e2e: Suite) -> None:
    """[sig-network] DNS should resolve DNS of partial qualified names for services [LinuxOnly] [Conformance]"""
    selector, address = await two_services(e2e)
    names = [SERVICE, f"{SERVICE}.{NAMESPACE}", f"{SERVICE}.{NAMESPACE}.svc"]
    names += [f"_http._tcp.{each}.{NAMESPACE}.svc" for each in (SERVICE, "test-service-2")]
    await look_up(e2e, names, address=address, labels=selector)


async def headless_of_a_host(e2e: Suite) -> tuple[Object, Object]:
    """(the labels of its pod, what the pod's spec says)"""
    labels = {"dns-test-hostname-attribute": "true"}
    spec = {"ports": [{"port": 80, "name": "http", "protocol": "TCP"}], "selector": labels, "clusterIP": "None"}
    await e2e.create(SERVICES, {"metadata": {"name": "dns-test-service-2"}, "spec": spec})
    return labels, {"hostname": "dns-querier-2", "subdomain": "dns-test-service-2"}


async def test_pods_by_host_name(e2e: Suite) -> None:
    """[sig-network] DNS should provide DNS for pods for Hostname [Conformance]"""
    labels, named = await headless_of_a_host(e2e)
    await look_up(e2e, hosts=[f"dns-querier-2.dns-test-service-2.{DOMAIN}", "dns-querier-2"], labels=labels, **named)


async def test_pods_by_subdomain(e2e: Suite) -> None:
    """[sig-network] DNS should provide DNS for pods for Subdomain [Conformance]"""
    labels, named = await headless_of_a_host(e2e)
    names = [f"dns-querier-2.dns-test-service-2.{DOMAIN}", f"dns-test-service-2.{DOMAIN}"]
    await look_up(e2e, names, labels=labels, **named)


async def test_external_names(e2e: Suite) -> None:
    """[sig-network] DNS should provide DNS for ExternalName services [Conformance]"""
    path, name = f"{SERVICES}/dns-test-service-3", f"dns-test-service-3.{DOMAIN}"
    spec = {"type": "ExternalName", "externalName": "foo.example.com"}
    await e2e.create(SERVICES, {"metadata": {"name": "dns-test-service-3"}, "spec": spec})

    async def shows(kind: str, value: str, pod: str) -> None:
        await found(e2e, [record(name, kind, prefix) for prefix in ("agnhost", "jessie")], value, pod)

    await shows("CNAME", "foo.example.com.", "dns-1")
    await e2e.patch(path, {"spec": {"externalName": "bar.example.com"}})
    await shows("CNAME", "bar.example.com.", "dns-2")
    ports = [{"port": 80, "name": "http", "protocol": "TCP"}]
    changed = await e2e.patch(path, {"spec": {"type": "ClusterIP", "externalName": None, "ports": ports}})
    await shows("A", changed["spec"]["clusterIP"], "dns-3")


async def test_configurable_name_servers(e2e: Suite) -> None:
    """[sig-network] DNS should support configurable pod DNS nameservers [Conformance]"""
    config = {"nameservers": ["1.1.1.1"], "searches": ["resolv.conf.local"]}
    spec = {"containers": [container("agnhost-container", args=["pause"])], "dnsPolicy": "None", "dnsConfig": config}
    path = f"{PODS}/test-dns-nameservers"
    await e2e.create(PODS, {"metadata": {"name": "test-dns-nameservers"}, "spec": spec})
    await e2e.until(path, is_ready)
    for argument, expected in (("dns-suffix", "resolv.conf.local"), ("dns-server-list", "1.1.1.1")):
        done = await execute(e2e, path, ["/agnhost", argument], "agnhost-container")
        assert done.code == 0, done
        assert expected in done.output
