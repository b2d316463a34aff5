"""dig, nslookup, host, getent, nc and ping, against names of a table and servers of other pods."""

from __future__ import annotations

import pytest

from tests.controllers.kubelet.commands.container import Container
from tests.controllers.kubelet.commands.test_simulated_network import AGNHOST, Cluster, netexec

BUSYBOX = "busybox:1.37"
WEB = "web.default.svc.cluster.local"


class Names(Cluster):
    def __init__(self) -> None:
        super().__init__()
        self.answers: dict[tuple[str, str], list[str]] = {
            (WEB, "A"): ["10.96.0.7"],
            (f"_http._tcp.{WEB}", "SRV"): [f"0 100 80 {WEB}."],
            ("7.0.96.10.in-addr.arpa", "PTR"): [f"{WEB}."],
            ("alias.default.svc.cluster.local", "CNAME"): [f"{WEB}."],
            ("round.default.svc.cluster.local", "CNAME"): ["round.default.svc.cluster.local."],
        }
        self.table.resolve = lambda name, type: self.answers.get((name, type), [])  # type: ignore[method-assign]


@pytest.fixture
def cluster() -> Names:
    return Names()


@pytest.fixture
def pod(cluster: Names) -> Container:
    return cluster.pod("client", "10.244.0.3")


@pytest.mark.parametrize(
    ("words", "output"),
    [
        (f"+short {WEB}", "10.96.0.7\n"),
        ("+short +search web", "10.96.0.7\n"),
        ("+short web", ""),
        ("+noall +answer +search web A", f"{WEB}.\t30\tIN\tA\t10.96.0.7\n"),
        (f"+noall +answer _http._tcp.{WEB} SRV", f"_http._tcp.{WEB}. 30 IN SRV\t0 100 80 {WEB}.\n"),
        (f"@10.96.0.10 {WEB} +short", "10.96.0.7\n"),
        ("+short -x 10.96.0.7", f"{WEB}.\n"),
        ("+short alias.default.svc.cluster.local", f"{WEB}.\n10.96.0.7\n"),
        ("+short alias.default.svc.cluster.local CNAME", f"{WEB}.\n"),
        ("+noall +answer nobody.example", ""),
    ],
)
def test_dig(pod: Container, words: str, output: str) -> None:
    done = pod.run("dig", *words.split())
    assert (" ".join(done.out.split()), done.code) == (" ".join(output.split()), 0)


def test_dig_tells_of_missing_names_and_of_aliases_in_circles(pod: Container) -> None:
    assert "status: NXDOMAIN" in pod.run("dig", "nobody.example").out
    assert "status: NOERROR" in pod.run("dig", WEB, "AAAA").out
    assert len(pod.run("dig", "+short", "round.default.svc.cluster.local").out.splitlines()) < 20


def test_a_name_server_that_is_none_does_not_answer(cluster: Names, pod: Container) -> None:
    running = pod.start(["dig", "@192.0.2.1", WEB])
    cluster.clock.advance(60)
    assert running.result.code == 9
    assert running.result.out.endswith(";; no servers could be reached\n")


@pytest.mark.parametrize(
    ("image", "words", "output", "code"),
    [
        (AGNHOST, "web", f"Server:\t\t10.96.0.10\nAddress:\t10.96.0.10#53\n\nName:\t{WEB}\nAddress: 10.96.0.7\n\n", 0),
        (BUSYBOX, WEB, f"Server:\t\t10.96.0.10\nAddress:\t10.96.0.10:53\n\nName:\t{WEB}\nAddress: 10.96.0.7\n\n", 0),
        (AGNHOST, "nobody", "Server:\t\t10.96.0.10\nAddress:\t10.96.0.10#53\n\n** server can't find nobody: NXDOMAIN\n\n", 1),
        (AGNHOST, f"-type=SRV _http._tcp.{WEB}", f"_http._tcp.{WEB}\tservice = 0 100 80 {WEB}.\n\n", 0),
    ],
)
def test_nslookup(cluster: Names, image: str, words: str, output: str, code: int) -> None:
    done = cluster.pod("asking", "10.244.0.9", image).run("nslookup", *words.split())
    assert done.out.endswith(output)
    assert done.code == code


def test_host_and_getent(pod: Container) -> None:
    assert pod.run("host", "web").out == f"{WEB} has address 10.96.0.7\n"
    assert pod.run("host", "10.96.0.7").out == f"7.0.96.10.in-addr.arpa domain name pointer {WEB}.\n"
    assert pod.run("host", "nobody").out == "Host nobody not found: 3(NXDOMAIN)\n"
    assert pod.run("getent", "hosts", "web").out == f"10.96.0.7       {WEB}\n"
    assert pod.run("getent", "hosts", "client").out == "10.244.0.3      client\n"
    assert pod.run("getent", "ahostsv4", "web").out.splitlines()[0] == "10.96.0.7       STREAM web"
    assert pod.run("getent", "hosts", "nobody").code == 2


def test_nc(cluster: Names, pod: Container) -> None:
    netexec(cluster)
    assert pod.run("nc", "-zv", "-w", "1", "10.244.0.2", "8080").error == "Connection to 10.244.0.2 8080 port [tcp/*] succeeded!\n"
    refused = pod.run("nc", "-zv", "10.244.0.2", "81")
    assert (refused.code, refused.error) == (1, "nc: connect to 10.244.0.2 port 81 (tcp) failed: Connection refused\n")
    datagram = pod.start(["sh", "-c", "echo hostname | nc -u -w 1 10.244.0.2 8081"])
    cluster.clock.advance(2)
    assert (datagram.result.code, datagram.result.out) == (0, "server")
    answered = pod.run("sh", "-c", "printf 'GET /hostname HTTP/1.0\\r\\n\\r\\n' | nc 10.244.0.2 8080").out
    assert answered.endswith("\r\n\r\nserver")
    assert pod.run("sh", "-c", "echo hostName | nc -w 2 10.244.0.2 8080").out.startswith("HTTP/1.1 400 Bad Request")
    assert pod.run("nc", "nobody", "80").error == 'nc: getaddrinfo for host "nobody" port 80: Name does not resolve\n'


def test_nc_listens(cluster: Names, pod: Container) -> None:
    server = cluster.pod("listener", "10.244.0.5", BUSYBOX)
    once = server.start(["sh", "-c", "echo from the server | nc -l -p 9000"])
    assert pod.run("sh", "-c", "echo to the server | nc 10.244.0.5 9000").out == "from the server\n"
    cluster.clock.advance(1)
    assert (once.result.code, once.result.out) == (0, "to the server\n")
    server.start(["nc", "-lk", "-p", "9001", "-e", "cat"])
    for text in ("one", "two"):
        assert pod.run("sh", "-c", f"echo {text} | nc 10.244.0.5 9001").out == f"{text}\n"


def test_ping(cluster: Names, pod: Container) -> None:
    netexec(cluster)
    answered = pod.run("ping", "-c", "1", "10.244.0.2")
    assert answered.code == 0
    assert "1 packets transmitted, 1 packets received, 0% packet loss" in answered.out
    running = pod.start(["ping", "-c", "1", "10.244.9.9"])
    cluster.clock.advance(11)
    assert running.result.code == 1
