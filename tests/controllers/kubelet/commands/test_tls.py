"""TLS between simulated pods: servers with a certificate of their own, clients that trust it or not."""

from __future__ import annotations

import pytest

from controllers.kubelet.commands import tls
from controllers.kubelet.commands.network import pair
from tests.controllers.kubelet.commands.container import Container
from tests.controllers.kubelet.commands.test_simulated_network import Cluster, netexec

CERTIFICATE_FILES = ("--tls-cert-file=/localhost.crt", "--tls-private-key-file=/localhost.key")


@pytest.fixture
def cluster() -> Cluster:
    made = Cluster()
    secure = made.pod("secure", "10.244.0.5")
    secure.start(["/agnhost", "netexec", "--http-port=443", "--udp-port=-1", *CERTIFICATE_FILES])
    return made


@pytest.fixture
def client(cluster: Cluster) -> Container:
    return cluster.pod("client", "10.244.0.3")


def test_curl_over_tls(client: Container) -> None:
    assert client.run("curl", "-sk", "https://10.244.0.5/hostname").out == "secure"
    assert client.run("curl", "-sk", "https://10.244.0.5/echo?msg=" + "x" * 40_000).out == "x" * 40_000
    untrusted = client.run("curl", "-sS", "https://10.244.0.5/hostname")
    assert (untrusted.code, untrusted.error) == (60, "curl: (60) SSL certificate problem: self-signed certificate\n")
    assert client.run("wget", "-q", "-O", "-", "https://10.244.0.5/hostname").out == "secure"


def test_who_speaks_the_other_language_is_told(cluster: Cluster, client: Container) -> None:
    plain = client.run("curl", "-s", "http://10.244.0.5:443/hostname")
    assert plain.out == "Client sent an HTTP request to an HTTPS server.\n"
    netexec(cluster)
    wrong = client.run("curl", "-skS", "https://10.244.0.2:8080/hostname")
    assert (wrong.code, wrong.error) == (35, "curl: (35) TLS connect error: error:0A00010B:SSL routines::wrong version number\n")


def test_porter_serves_over_tls(cluster: Cluster, client: Container) -> None:
    porter = cluster.pod("porter", "10.244.0.6", env={"SERVE_TLS_PORT_460": "tls baz", "SERVE_PORT_160": "foo"})
    porter.start(["/agnhost", "porter"])
    assert client.run("curl", "-sk", "https://10.244.0.6:460/").out == "tls baz"
    assert client.run("curl", "-sk", "http://10.244.0.6:160/").out == "foo"


def test_what_is_no_tls_ends_the_handshake(cluster: Cluster) -> None:
    near, far = pair(cluster.network, lambda: None, lambda: None, "a:1", "b:2", "TCP")
    server = tls.TlsSide(far, tls.self_signed(), server=True).handshake()
    near.write(b"\x00\x01garbage that is no record at all")
    with pytest.raises(tls.TlsFailed):
        next(server)
    near, far = pair(cluster.network, lambda: None, lambda: None, "a:1", "b:2", "TCP")
    server = tls.TlsSide(far, tls.self_signed(), server=True).handshake()
    assert next(server) is None
    near.close()
    with pytest.raises(tls.TlsFailed, match="EOF"):
        next(server)
