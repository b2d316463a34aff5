"""Simulated pods on their cluster's network: probes and hooks that ask what listens, connections from outside."""

from __future__ import annotations

import asyncio
import errno
from typing import Any

import pytest

from controllers.kubelet.network.connections import PodConnection
from kctl.apimachinery import objects
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import built_in
from kctl.client.kubelet import CannotRun
from tests.controllers.kubelet.cluster import Cluster, conditions, container, pod, state

AGNHOST = "registry.k8s.io/e2e-test-images/agnhost:2.59"


def netexec(name: str = "c", port: int = 8080, *words: str, **more: Any) -> Object:
    args = ["netexec", f"--http-port={port}", f"--udp-port={port}", *words]
    return container(name, image=AGNHOST, args=args, **more)


def probe(**more: Any) -> Object:
    return {"periodSeconds": 10, "failureThreshold": 1, "timeoutSeconds": 2, "successThreshold": 1, **more}


async def address(cluster: Cluster, name: str = "p") -> str:
    return str(objects.status(await cluster.pod(name))["podIP"])


async def ask(cluster: Cluster, host: str, port: int, path: str) -> str:
    """What a GET of it brings, head and all."""
    assert cluster.fleet is not None
    connection = await cluster.fleet.dial(host, port)
    await connection.write(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
    taken = b""
    while piece := await connection.read(100):
        taken += piece
    connection.close()
    return taken.decode()


@pytest.mark.parametrize(
    ("action", "message"),
    [
        pytest.param({"httpGet": {"path": "/healthz", "port": 8080}}, "", id="http"),
        pytest.param({"httpGet": {"path": "/echo?msg=x&code=404", "port": 8080}}, "HTTP probe failed with statuscode: 404", id="http-404"),
        pytest.param({"httpGet": {"path": "/", "port": "web"}}, "", id="named"),
        pytest.param(
            {"httpGet": {"path": "/x", "port": 81}},
            'Get "http://{ip}:81/x": dial tcp {ip}:81: connect: connection refused',
            id="refused",
        ),
        pytest.param(
            {"httpGet": {"path": "/", "port": 8080, "scheme": "HTTPS"}},
            'Get "https://{ip}:8080/": http: server gave HTTP response to HTTPS client',
            id="https",
        ),
        pytest.param({"httpGet": {"path": "/", "port": 443, "scheme": "HTTPS"}}, "", id="tls"),
        pytest.param({"httpGet": {"path": "/", "port": 443}}, "HTTP probe failed with statuscode: 400", id="plain-to-tls"),
        pytest.param({"httpGet": {"path": "/redirect?location=/healthz", "port": 8080}}, "", id="redirect"),
        pytest.param(
            {"httpGet": {"path": "/redirect?location=/echo?code=500", "port": 8080}},
            "HTTP probe failed with statuscode: 500",
            id="redirect-500",
        ),
        pytest.param(
            {"httpGet": {"path": "/shell?shellCommand=sleep+30", "port": 8080}},
            'Get "http://{ip}:8080/shell?shellCommand=sleep+30": context deadline exceeded '
            "(Client.Timeout exceeded while awaiting headers)",
            id="slow",
        ),
        pytest.param({"tcpSocket": {"port": 8080}}, "", id="tcp"),
        pytest.param({"tcpSocket": {"port": 82}}, "dial tcp {ip}:82: connect: connection refused", id="tcp-refused"),
        pytest.param({"tcpSocket": {"port": 82, "host": "192.0.2.7"}}, "dial tcp 192.0.2.7:82: i/o timeout", id="tcp-nobody"),
        pytest.param(
            {"grpc": {"port": 8080}},
            'timeout: failed to connect service "{ip}:8080" within 2s: context deadline exceeded',
            id="grpc",
        ),
    ],
)
async def test_a_readiness_probe_asks_what_listens_in_the_pod(cluster: Cluster, action: Object, message: str) -> None:
    served = netexec(readinessProbe=probe(**action), ports=[{"name": "web", "containerPort": 8080}])
    secure = container("tls", image=AGNHOST, args=["porter"], env=[{"name": "SERVE_TLS_PORT_443", "value": "secret"}])
    await cluster.create(pod(containers=[served, secure]))
    await cluster.step(3)
    found = await cluster.pod()
    said = [text for reason, text in await cluster.events() if reason == "Unhealthy"]
    wanted = message.format(ip=await address(cluster))
    assert said == ([f"Readiness probe failed: {wanted}"] if message else [])
    assert conditions(found)["Ready"].startswith("False" if message else "True")


async def test_a_liveness_probe_restarts_a_server_that_fails(cluster: Cluster) -> None:
    args = ["liveness"]
    live = container(image=AGNHOST, args=args, livenessProbe=probe(httpGet={"path": "/healthz", "port": 8080}, periodSeconds=3))
    await cluster.create(pod(containers=[live]))
    await cluster.step(9)
    assert objects.status(await cluster.pod())["containerStatuses"][0]["restartCount"] == 0
    await cluster.step(10)
    assert objects.status(await cluster.pod())["containerStatuses"][0]["restartCount"] == 1
    assert ("Unhealthy", "Liveness probe failed: HTTP probe failed with statuscode: 500") in await cluster.events()


async def test_annotations_win_over_what_listens(cluster: Cluster) -> None:
    refused = netexec(readinessProbe=probe(httpGet={"path": "/", "port": 81}))
    await cluster.create(pod(annotations={"readiness-delay": "5s"}, containers=[refused]))
    await cluster.step(15)
    assert conditions(await cluster.pod())["Ready"] == "True"


@pytest.mark.parametrize("hook", ["postStart", "preStop"])
@pytest.mark.parametrize("interpreted", [True, False])
async def test_a_hook_asks_another_pod(cluster: Cluster, hook: str, interpreted: bool) -> None:
    await cluster.create(pod("handler", containers=[netexec()]))
    action = {"httpGet": {"path": f"/echo?msg={hook}", "host": await address(cluster, "handler"), "port": 8080}}
    hooked = {"lifecycle": {hook: action}}
    await cluster.create(pod(containers=[netexec(**hooked) if interpreted else container(**hooked)]))
    await cluster.step(1)
    await cluster.delete(grace=5)
    await cluster.step(10)
    assert await cluster.gone()
    log = b"".join([piece async for piece in await cluster.fleet.logs("n1", "default", "handler", "c", {})])  # type: ignore[union-attr]
    assert f"GET /echo?msg={hook}&code=" in log.decode()


async def test_a_post_start_hook_that_nobody_answers_ends_the_container(cluster: Cluster) -> None:
    refused = {"httpGet": {"path": "/", "port": 99}}
    await cluster.create(pod(containers=[netexec(lifecycle={"postStart": refused})]))
    await cluster.step(3)
    assert "FailedPostStartHook" in [reason for reason, _ in await cluster.events()]


async def test_connections_from_outside(cluster: Cluster) -> None:
    await cluster.create(pod(containers=[netexec()]))
    host = await address(cluster)
    assert (await ask(cluster, host, 8080, "/hostname")).endswith("\r\n\r\np")
    assert "10.0.0.1:" in await ask(cluster, host, 8080, "/clientip")
    for port, code in ((8081, errno.ECONNREFUSED), (8080, 0)):
        if code:
            with pytest.raises(OSError) as failed:
                await ask(cluster, host, port, "/")
            assert failed.value.errno == code
    with pytest.raises(OSError) as failed:
        await ask(cluster, "10.244.77.1", 80, "/")
    assert failed.value.errno == errno.ETIMEDOUT


async def test_what_an_image_serves_of_itself_begins_with_the_first_connection(cluster: Cluster) -> None:
    await cluster.create(pod(containers=[container()]))
    assert cluster.fleet is not None and cluster.fleet._networks is None
    host = await address(cluster)
    assert "Welcome to nginx!" in await ask(cluster, host, 80, "/")
    assert "Welcome to nginx!" in await ask(cluster, host, 80, "/")
    with pytest.raises(ConnectionRefusedError):
        await ask(cluster, host, 81, "/")
    await cluster.delete(grace=0)
    with pytest.raises(TimeoutError):
        await ask(cluster, host, 80, "/")


async def test_a_pod_of_unknown_images_refuses(cluster: Cluster) -> None:
    await cluster.create(pod(containers=[container(image="example.com/app:1")]))
    with pytest.raises(ConnectionRefusedError):
        await ask(cluster, await address(cluster), 80, "/")


async def test_pods_on_the_network_of_their_node_and_host_ports(cluster: Cluster) -> None:
    await cluster.create(pod(containers=[netexec(port=9000)], hostNetwork=True))
    ports = [{"containerPort": 8080, "hostPort": 7000, "protocol": "TCP"}]
    await cluster.create(pod("mapped", containers=[netexec(ports=ports)]))
    await cluster.create(pod("nginx", containers=[container(ports=[{"containerPort": 80, "hostPort": 7001, "protocol": "TCP"}])]))
    node = str(objects.status(await cluster.pod())["hostIP"])
    assert (await ask(cluster, node, 9000, "/hostname")).endswith("n1")
    assert (await ask(cluster, node, 7000, "/hostname")).endswith("mapped")
    assert "Welcome to nginx!" in await ask(cluster, node, 7001, "/")
    with pytest.raises(ConnectionRefusedError):
        await ask(cluster, node, 1, "/")


async def test_pods_ask_one_another(cluster: Cluster) -> None:
    await cluster.create(pod("server", containers=[netexec()]))
    host = await address(cluster, "server")
    script = f"wget -q -O - http://{host}:8080/clientip; wget -q -O - http://{host}:1 || echo failed"
    client = container(image="busybox:1.37", command=["sh", "-c", script])
    await cluster.create(pod(containers=[client], restartPolicy="Never"))
    own = await address(cluster)
    await cluster.step(3)
    assert state(await cluster.pod()) == "terminated Completed 0"
    log = b"".join([piece async for piece in await cluster.fleet.logs("n1", "default", "p", "c", {})]).decode()  # type: ignore[union-attr]
    assert log.startswith(f"{own}:")
    assert log.endswith("Connection refused\nfailed\n")


async def test_policies_hold_what_they_do_not_allow(cluster: Cluster) -> None:
    resource = built_in("networking.k8s.io/v1", "NetworkPolicy")
    await cluster.create(pod("server", containers=[netexec()]))
    url = f"http://{await address(cluster, 'server')}:8080/hostname"
    script = f"while true; do wget -q -T 2 -O - {url} || echo no; echo; sleep 8; done"
    await cluster.create(pod(containers=[container(image="busybox:1.37", command=["sh", "-c", script])]))
    meta = {"name": "deny", "namespace": "default"}
    body: Object = {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": meta, "spec": {"podSelector": {}}}
    await cluster.client.create(resource, body)
    await cluster.step(13)
    await cluster.client.delete(resource, "deny", "default")
    await cluster.step(10)
    log = b"".join([piece async for piece in await cluster.fleet.logs("n1", "default", "p", "c", {})]).decode()  # type: ignore[union-attr]
    assert [line for line in log.splitlines() if line] == ["server", "wget: download timed out", "no", "server"]
    assert conditions(await cluster.pod("server"))["Ready"] == "True"


class _Stream:
    """kctl.client.kubelet.ByteStream: what a client of port-forward sends and gets."""

    def __init__(self, sent: bytes) -> None:
        self._sent = [sent]
        self.got = b""

    async def read(self) -> bytes:
        if self._sent:
            return self._sent.pop()
        await asyncio.Event().wait()
        return b""

    async def write(self, data: bytes) -> None:
        self.got += data


@pytest.mark.parametrize("served", [netexec(port=80), container()], ids=["interpreted", "image"])
async def test_port_forward_reaches_what_listens(cluster: Cluster, served: Object) -> None:
    await cluster.create(pod(containers=[served]))
    assert cluster.fleet is not None
    forward = await cluster.fleet.port_forward("n1", "default", "p")
    stream = _Stream(b"GET / HTTP/1.0\r\n\r\n")
    await forward(80, stream)
    assert stream.got.startswith(b"HTTP/1.")
    with pytest.raises(
        CannotRun, match=r"error forwarding port 81 to pod p_default, uid .* tcp4 127.0.0.1:81: connect: connection refused"
    ):
        await forward(81, _Stream(b"x"))


async def test_a_writer_waits_for_who_reads_slowly(cluster: Cluster) -> None:
    """Buffers are bounded in both directions."""
    await cluster.create(pod(containers=[netexec()]))
    assert cluster.fleet is not None
    network = cluster.fleet.networks.cluster
    host = await address(cluster)
    taken: list[Any] = []
    worker = cluster.fleet._kubelets["n1"].worker(objects.uid(await cluster.pod()))
    assert worker is not None
    joined = cluster.fleet.networks.join(worker, lambda: None)
    joined.listen(5, "TCP", taken.append)
    connection = PodConnection(lambda wake: network.open(host, 5, wake=wake))
    writing = asyncio.get_running_loop().create_task(connection.write(b"x" * 20_000_000))
    await cluster.settle()
    assert not writing.done()
    received = len(taken[0].stdin.take())
    assert received < 10_000_000
    while not writing.done() or not taken[0].stdin.closed:
        await cluster.settle()
        received += len(taken[0].stdin.take())
        if writing.done():
            connection.close()
    assert received == 20_000_000
