"""Simulated pods reach one another: servers, clients, Services by a table, time limits."""

from __future__ import annotations

import errno
import json

import pytest

from controllers.kubelet.commands.network import ClusterNetwork, Host, PodNetwork
from controllers.kubelet.commands.process import SIGTERM
from kctl.apimachinery.clock import FakeClock
from tests.controllers.kubelet.commands.container import Container, Running

AGNHOST = "registry.k8s.io/e2e-test-images/agnhost:2.57"


class Table:
    """Services by address and port, names by full name."""

    def __init__(self) -> None:
        self.services: dict[tuple[str, int], tuple[str, int]] = {}
        self.names: dict[str, list[str]] = {}

    def service(self, address: str, port: int, protocol: str, source: Host | None) -> tuple[str, int] | None:
        return self.services.get((address, port))

    def resolve(self, name: str, type: str) -> list[str]:
        return self.names.get(name, []) if type == "A" else []


class Cluster:
    def __init__(self) -> None:
        self.clock = FakeClock()
        self.table = Table()
        self.network = ClusterNetwork(self.clock, self.table)
        self.wakes: dict[str, Container] = {}

    def pod(self, name: str, address: str, image: str = AGNHOST, **extra: object) -> Container:
        def wake() -> None:
            self.wakes[name].wake()

        network = self.network.join(f"default/{name}", [address], "node-1", wake)
        resolver = "search default.svc.cluster.local svc.cluster.local cluster.local\nnameserver 10.96.0.10\noptions ndots:5\n"
        files = {"/etc/hosts": f"127.0.0.1\tlocalhost\n{address}\t{name}\n", "/etc/resolv.conf": resolver}
        container = self.wakes[name] = Container(image, files, clock=self.clock, network=network, hostname=name, **extra)  # type: ignore[arg-type]
        return container


@pytest.fixture
def cluster() -> Cluster:
    return Cluster()


def netexec(cluster: Cluster, name: str = "server", address: str = "10.244.0.2") -> tuple[Container, Running]:
    container = cluster.pod(name, address)
    return container, container.start(["/agnhost", "netexec", "--http-port=8080"])


def test_curl_asks_a_server_in_another_pod(cluster: Cluster) -> None:
    _, running = netexec(cluster)
    client = cluster.pod("client", "10.244.0.3")
    assert client.run("curl", "-q", "-s", "http://10.244.0.2:8080/hostname").out == "server"
    assert client.run("curl", "-s", "http://10.244.0.2:8080/clientip").out.startswith("10.244.0.3:")
    assert client.run("curl", "-s", "http://10.244.0.2:8080/echo?msg=a%20b").out == "a b"
    assert "GET /hostname" in running.result.error


def test_dial_goes_on_to_others_over_http_and_udp(cluster: Cluster) -> None:
    netexec(cluster)
    netexec(cluster, "other", "10.244.0.4")
    client = cluster.pod("client", "10.244.0.3")
    base = "http://10.244.0.2:8080/dial?request=hostname&host=10.244.0.4&tries=2"
    assert json.loads(client.run("curl", "-s", f"{base}&protocol=http&port=8080").out) == {"responses": ["other", "other"]}
    assert json.loads(client.run("curl", "-s", f"{base}&protocol=udp&port=8081").out) == {"responses": ["other", "other"]}
    refused = json.loads(client.run("curl", "-s", f"{base}&protocol=http&port=9999").out)
    assert "connection refused" in refused["errors"][0]


def test_a_server_dials_itself(cluster: Cluster) -> None:
    """The request that it serves waits for one that it has yet to serve."""
    server, _ = netexec(cluster)
    answer = server.run("curl", "-s", "http://localhost:8080/dial?request=hostname&protocol=http&host=10.244.0.2&port=8080&tries=1")
    assert json.loads(answer.out) == {"responses": ["server"]}


def test_commands_run_in_the_server(cluster: Cluster) -> None:
    server, _ = netexec(cluster)
    client = cluster.pod("client", "10.244.0.3")
    server.files.write("/etc/motd", b"hi & bye\n")
    assert client.run("curl", "-s", "http://10.244.0.2:8080/shell?cmd=cat%20/etc/motd").out == '{"output":"hi \\u0026 bye\\n"}'
    assert json.loads(client.run("curl", "-s", "http://10.244.0.2:8080/shell?cmd=exit%203").out) == {"error": "exit status 3"}


def test_a_slow_answer_is_waited_for_beside_others(cluster: Cluster) -> None:
    netexec(cluster)
    client = cluster.pod("client", "10.244.0.3")
    slow = client.start(["curl", "-s", "http://10.244.0.2:8080/shell?cmd=sleep%205;echo%20late"])
    assert slow.code is None
    assert client.run("curl", "-s", "http://10.244.0.2:8080/hostname").out == "server"
    cluster.clock.advance(5)
    assert slow.result.out == '{"output":"late\\n"}'


def test_a_client_gives_up_after_its_time_limit(cluster: Cluster) -> None:
    netexec(cluster)
    client = cluster.pod("client", "10.244.0.3")
    slow = client.start(["curl", "-sS", "-m", "2", "http://10.244.0.2:8080/shell?cmd=sleep%205"])
    cluster.clock.advance(2)
    assert (slow.code, slow.result.error) == (28, "curl: (28) Operation timed out after 2000 milliseconds with 0 bytes received\n")
    lost = client.start(["curl", "-sS", "--connect-timeout", "1", "http://10.1.2.3:80/"])
    assert lost.code is None
    cluster.clock.advance(1)
    assert (lost.code, lost.result.error) == (28, "curl: (28) Failed to connect to 10.1.2.3 port 80 after 1000 ms: Timeout was reached\n")


def test_nobody_listens(cluster: Cluster) -> None:
    client = cluster.pod("client", "10.244.0.3")
    cluster.pod("quiet", "10.244.0.4")
    assert client.run("curl", "-s", "http://10.244.0.4/").code == 7
    assert client.run("curl", "-s", "http://nowhere/").code == 6
    assert client.run("/agnhost", "connect", "10.244.0.4:80").error == "REFUSED\n"
    timed = client.start(["/agnhost", "connect", "--timeout=3s", "10.1.2.3:80"])
    cluster.clock.advance(3)
    assert (timed.code, timed.result.error) == (1, "TIMEOUT\n")
    assert client.run("/agnhost", "connect", "nowhere:80").error.startswith("DNS: ")


def test_names_lead_to_services_and_services_to_pods(cluster: Cluster) -> None:
    netexec(cluster)
    cluster.table.names["web.default.svc.cluster.local"] = ["10.96.0.7"]
    cluster.table.services["10.96.0.7", 80] = ("10.244.0.2", 8080)
    client = cluster.pod("client", "10.244.0.3", "busybox")
    assert client.run("wget", "-q", "-O", "-", "http://web/hostname").out == "server"
    assert client.run("wget", "-qO-", "http://web.default:80/hostname").out == "server"
    assert client.run("wget", "-q", "-O-", "http://none/").error == "wget: bad address 'none'\n"


def test_a_server_ends_when_told_to(cluster: Cluster) -> None:
    server, running = netexec(cluster)
    client = cluster.pod("client", "10.244.0.3")
    client.run("curl", "-s", "http://10.244.0.2:8080/exit?code=7&timeout=1s")
    assert running.code == 7
    assert client.run("curl", "-s", "http://10.244.0.2:8080/hostname").code == 7
    network = server.world.network
    assert isinstance(network, PodNetwork)
    assert network.host.connections == 0


def test_a_port_is_taken_once(cluster: Cluster) -> None:
    server, _ = netexec(cluster)
    second = server.run("/agnhost", "netexec", "--http-port=8080")
    assert second.code == 1
    assert "bind: address already in use" in second.error


def test_serve_hostname_goes_on_for_a_minute_after_its_signal(cluster: Cluster) -> None:
    container = cluster.pod("server", "10.244.0.2")
    running = container.start(["/agnhost", "serve-hostname"])
    client = cluster.pod("client", "10.244.0.3")
    assert client.run("curl", "-s", "10.244.0.2:9376").out == "server"
    assert container.world.traps.signal(SIGTERM)
    container.wake()
    assert client.run("curl", "-s", "10.244.0.2:9376").out == "server"
    cluster.clock.advance(60)
    assert running.code == 0


def test_liveness_fails_after_ten_seconds(cluster: Cluster) -> None:
    container = cluster.pod("server", "10.244.0.2")
    container.start(["/agnhost", "liveness"])
    assert container.run("curl", "-s", "-w", " %{http_code}", "localhost:8080/healthz").out == "ok 200"
    cluster.clock.advance(11)
    assert container.run("curl", "-s", "-w", " %{http_code}", "localhost:8080/healthz").out == "error: 11.0 500"


def test_pages_of_a_web_server(cluster: Cluster) -> None:
    server = cluster.pod("server", "10.244.0.2", "nginx:1.27")
    running = server.start(["nginx", "-g", "daemon off;"])
    client = cluster.pod("client", "10.244.0.3")
    assert "<h1>Welcome to nginx!</h1>" in client.run("curl", "-s", "10.244.0.2").out
    server.files.make_directory("/usr/share/nginx/html", parents=True)
    server.files.write("/usr/share/nginx/html/index.html", b"mine\n")
    assert client.run("curl", "-s", "10.244.0.2").out == "mine\n"
    missing = client.run("curl", "-s", "-i", "10.244.0.2/none")
    assert missing.out.startswith("HTTP/1.1 404 Not Found\r\n")
    assert '"GET /none HTTP/1.1" 404' in running.result.out


def test_the_guestbook_keeps_replicas_up_to_date(cluster: Cluster) -> None:
    for name, address in (("agnhost-primary", "10.244.0.10"), ("agnhost-replica", "10.244.0.11")):
        cluster.table.names[f"{name}.default.svc.cluster.local"] = [address]
    primary = cluster.pod("primary", "10.244.0.10")
    primary.start(["/agnhost", "guestbook", "--http-port", "6379"])
    replica = cluster.pod("replica", "10.244.0.11")
    replica.start(["/agnhost", "guestbook", "--replicaof", "agnhost-primary", "--http-port", "6379"])
    front = cluster.pod("front", "10.244.0.12")
    front.start(["/agnhost", "guestbook", "--backend-port", "6379"])
    assert front.run("curl", "-s", "localhost/guestbook?cmd=get&key=messages").out == '{"data":""}'
    assert front.run("curl", "-s", "localhost/guestbook?cmd=set&key=messages&value=TestEntry").out == '{"message":"Updated"}'
    assert front.run("curl", "-s", "localhost/guestbook?cmd=get&key=messages").out == '{"data":"TestEntry"}'


def test_from_outside_the_pods(cluster: Cluster) -> None:
    netexec(cluster)
    woken: list[int] = []
    side = cluster.network.open("10.244.0.2", 8080, wake=lambda: woken.append(1))
    side.write(b"GET /hostname HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert side.stdin.take().endswith(b"\r\n\r\nserver")
    assert woken and side.stdin.closed
    inside = cluster.network.open_pod("default/server", 8080)
    inside.write(b"GET /hostname HTTP/1.0\r\n\r\n")
    assert inside.stdin.take().endswith(b"server")
    with pytest.raises(OSError) as refused:
        cluster.network.open_pod("default/server", 1)
    assert refused.value.errno == errno.ECONNREFUSED


@pytest.mark.parametrize(
    "sent",
    [b"\x00\x01\x02\r\n\r\n", b"GET /\r\n\r\n", b"GET / HTTP/1.1\r\nBad header\r\n\r\n", b"GET / HTTP/1.1\r\nContent-Length: -5\r\n\r\n"],
)
def test_what_is_not_http_is_refused(sent: bytes, cluster: Cluster) -> None:
    netexec(cluster)
    side = cluster.network.open("10.244.0.2", 8080)
    side.write(sent)
    assert side.stdin.take().startswith(b"HTTP/1.1 400 Bad Request")
    assert side.stdin.closed


def test_headers_without_end_are_bounded(cluster: Cluster) -> None:
    netexec(cluster)
    side = cluster.network.open("10.244.0.2", 8080)
    side.write(b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 20_000)
    assert side.stdin.take().startswith(b"HTTP/1.1 400 Bad Request")


def test_a_pod_that_leaves_is_not_reached(cluster: Cluster) -> None:
    netexec(cluster)
    cluster.network.leave("default/server")
    with pytest.raises(OSError) as lost:
        cluster.network.open("10.244.0.2", 8080)
    assert lost.value.errno == errno.ETIMEDOUT


def test_a_host_port_leads_to_its_container(cluster: Cluster) -> None:
    netexec(cluster)
    cluster.network.join("node/node-1", ["192.168.0.1"], "node-1", lambda: None)
    cluster.network.map_host_port("192.168.0.1", "", 30080, "TCP", "default/server", 8080)
    client = cluster.pod("client", "10.244.0.3")
    assert client.run("curl", "-s", "192.168.0.1:30080/hostname").out == "server"
