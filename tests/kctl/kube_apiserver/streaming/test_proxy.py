"""pods/proxy and services/proxy over real HTTP on both sides: what is passed on and back, how targets are named, how they are refused."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import quote

import aiohttp
import orjson
import pytest

from kctl.apimachinery.resources import ENDPOINT_SLICES, PODS, SERVICES
from kctl.client.client import Client
from kctl.kube_apiserver.audit import policy
from tests.kctl.kube_apiserver.admission.webhook_server import tls
from tests.kctl.kube_apiserver.served import ADMIN, Answer, Served, served
from tests.kctl.kube_apiserver.streaming.backends import POD_IP, Loopback, Steps, backend, slice_of, with_pod
from tests.kctl.kube_apiserver.streaming.kubelets import pod, with_pods

SPACE = "/api/v1/namespaces/default"
POD, SERVICE = f"{SPACE}/pods/web/proxy", f"{SPACE}/services/svc:http/proxy"


class Proxied:
    def __init__(self, api: Served, dialer: Loopback, steps: Steps) -> None:
        self.api = api
        self.dialer = dialer
        self.steps = steps

    async def ask(self, path: str, method: str = "GET", body: bytes = b"", **headers: str) -> Answer:
        connection = await self.api.connect()
        connection.send(path, method, body, **headers)
        return await connection.head() if method == "HEAD" else await connection.answer()

    async def message(self, path: str, status: int) -> str:
        answer = await self.ask(path)
        assert answer.status == status, answer
        assert answer.json()["kind"] == "Status"
        return str(answer.json()["message"])


@pytest.fixture
async def proxied() -> AsyncIterator[Proxied]:
    steps, dialer = Steps(), Loopback()
    async with served() as api, backend(steps) as port:
        await with_pods(api.server)
        await with_pod(api.server, dialer, port)
        api.server.dialer = dialer
        yield Proxied(api, dialer, steps)
        api.disconnect()


@pytest.mark.parametrize("root", [POD, SERVICE], ids=["pod", "service"])
@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
async def test_every_verb_is_passed_on(proxied: Proxied, root: str, method: str) -> None:
    body = b"given" if method in ("POST", "PUT", "PATCH") else b""
    answer = await proxied.ask(f"{root}/some/path?a=b%20c&a=d", method, body)
    seen = answer.json()
    assert (answer.status, seen["method"], seen["path"], seen["body"]) == (200, method, "/some/path?a=b%20c&a=d", body.decode())


async def test_head_has_no_body(proxied: Proxied) -> None:
    answer = await proxied.ask(f"{POD}/x", "HEAD")
    assert answer.status == 200 and answer.headers["x-seen"] == "yes"


async def test_a_method_of_no_proxy_is_not_allowed(proxied: Proxied) -> None:
    assert (await proxied.ask(f"{POD}/x", "PROPFIND")).status == 405


@pytest.mark.parametrize(
    ("named", "dialed"),
    [
        ("pods/web", (POD_IP, 80)),
        ("pods/web:1080", (POD_IP, 1080)),
        ("pods/http:web:1080", (POD_IP, 1080)),
        ("pods/http:web:", (POD_IP, 80)),
        ("services/svc:http", (POD_IP, 80)),
        ("services/svc:80", (POD_IP, 80)),
        ("services/svc:81", (POD_IP, 1080)),
        ("services/http:svc:other", (POD_IP, 1080)),
    ],
)
async def test_how_a_target_is_named(proxied: Proxied, named: str, dialed: tuple[str, int]) -> None:
    assert (await proxied.ask(f"{SPACE}/{named}/proxy/")).status == 200
    assert proxied.dialer.dialed == [dialed]


@pytest.mark.parametrize(
    ("named", "status", "message"),
    [
        ("pods/none", 404, 'pods "none" not found'),
        ("pods/ftp:web:80", 400, 'invalid pod request "ftp:web:80"'),
        ("services/a:b:c:d", 400, 'invalid service request "a:b:c:d"'),
        ("services/none:80", 404, 'services "none" not found'),
        ("services/svc:82", 503, 'no service port 82 found for service "svc"'),
        ("services/svc", 503, 'no endpoints available for service "svc"'),
        ("services/svc:name", 503, 'no endpoints available for service "svc:name"'),
        ("pods/web:81", 503, f"error trying to reach service: dial tcp {POD_IP}:81: connect: connection refused"),
    ],
)
async def test_what_cannot_be_reached(proxied: Proxied, named: str, status: int, message: str) -> None:
    assert await proxied.message(f"{SPACE}/{named}/proxy/", status) == message


async def test_a_pod_without_an_address(proxied: Proxied) -> None:
    await with_pods_named(proxied, "young")
    assert await proxied.message(f"{SPACE}/pods/young/proxy/", 400) == "address not allowed"


async def with_pods_named(proxied: Proxied, name: str) -> None:
    await Client(proxied.api.server.transport(ADMIN)).create(PODS, pod(name))


@pytest.mark.parametrize("where", ["ready", "address", "pod"])
async def test_only_ready_endpoints_that_are_pods(proxied: Proxied, where: str) -> None:
    client = Client(proxied.api.server.transport(ADMIN))
    await client.create(SERVICES, {"metadata": {"name": "other"}, "spec": {"ports": [{"name": "http", "port": 80}]}}, "default")
    part = slice_of("other", POD_IP if where != "address" else "10.1.1.1", "web" if where != "pod" else "none", ready=where != "ready")
    await client.create(ENDPOINT_SLICES, part, "default")
    asked = "other" if where == "ready" else "other:http"
    assert await proxied.message(f"{SPACE}/services/other:http/proxy/", 503) == f'no endpoints available for service "{asked}"'
    assert proxied.dialer.dialed == []


async def test_headers_of_one_connection_and_of_this_server_are_not_passed_on(proxied: Proxied) -> None:
    given = {"Connection": "X-Own", "X-Own": "1", "X-Two": "a", "Keep_Alive": "5", "TE": "trailers", "X_Forwarded_For": "1.2.3.4"}
    seen = (await proxied.ask(f"{POD}/h", **given)).json()["headers"]
    headers = {name.lower(): value for name, value in seen}
    assert headers["x-two"] == "a" and headers["te"] == "trailers" and headers["host"] == "x"
    assert headers["x-forwarded-for"] == "1.2.3.4, 127.0.0.1"
    assert headers["x-forwarded-uri"] == f"{POD}/h"
    assert not {"authorization", "x-own", "keep-alive", "connection"} & set(headers)


async def test_headers_of_the_answer(proxied: Proxied) -> None:
    async with aiohttp.ClientSession() as session:
        url = f"http://127.0.0.1:{proxied.api.port}{POD}/h"
        async with session.get(url, headers={"Authorization": "Bearer admin"}) as answer:
            assert answer.headers.getall("Set-Cookie") == ["a=1", "b=2"]
            assert answer.headers["X-Seen"] == "yes"
            assert not {"Keep-Alive", "Access-Control-Allow-Origin"} & set(answer.headers)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_the_root_without_its_slash_is_redirected(proxied: Proxied, method: str) -> None:
    answer = await proxied.ask(f"{POD}?method={method}", method)
    assert (answer.status, answer.headers["location"]) == (301, f"{POD}/?method={method}".lower())
    assert proxied.dialer.dialed == []


async def test_other_verbs_need_no_slash(proxied: Proxied) -> None:
    assert (await proxied.ask(f"{POD}?method=POST", "POST")).json()["path"] == "/?method=POST"


async def test_a_path_as_a_parameter(proxied: Proxied) -> None:
    assert (await proxied.ask(f"{POD}?path=/there", "POST")).json()["path"] == "/there?path=/there"


@pytest.mark.parametrize(
    ("path", "passed"),
    [("a%20b/", "/a%20b/"), ("a%2Fb", "/a/b"), ("a//b/../c", "/a/c"), ("x/%E2%82%AC!", "/x/%E2%82%AC%21"), ("../../up", "/../../up")],
)
async def test_paths_are_cleaned_and_escaped_anew(proxied: Proxied, path: str, passed: str) -> None:
    assert (await proxied.ask(f"{POD}/{path}")).json()["path"] == passed


@pytest.mark.parametrize(
    ("to", "location"),
    [
        ("/there/", f"{POD}/there/"),
        ("there", "there"),
        (f"http://{POD_IP}:80/there?a=b", f"{POD}/there?a=b"),
        ("http://elsewhere/there", "http://elsewhere/there"),
        (f"{POD}/known", f"{POD}/known"),
        (POD.replace("proxy", "%70roxy") + "/known", POD.replace("proxy", "%70roxy") + "/known"),
    ],
)
async def test_redirects_lead_through_the_proxy(proxied: Proxied, to: str, location: str) -> None:
    answer = await proxied.ask(f"{POD}/redirect?to={quote(to, safe='')}")
    assert (answer.status, answer.headers["location"]) == (302, location.lower())


@pytest.mark.parametrize("encoding", ["", "gzip"])
async def test_links_of_a_page_lead_through_the_proxy(proxied: Proxied, encoding: str) -> None:
    answer = await proxied.ask(f"{POD}/page?{encoding}", **({"Accept_Encoding": encoding} if encoding else {}))
    page = gzip.decompress(answer.body) if encoding else answer.body
    assert page.decode() == (
        f'<a href="{POD}/next?a=1&amp;b=2">n</A><img src="pic.png"><!-- <a href="/no"> --><script>"<a href=\'/no\'>"</script>'
    )


async def test_an_answer_is_passed_back_as_it_comes(proxied: Proxied) -> None:
    connection = await proxied.api.connect()
    connection.send(f"{POD}/steps")
    assert (await connection.head()).headers["transfer-encoding"] == "chunked"
    assert await connection.reader.readuntil(b"first\r\n")
    proxied.steps.go.set()
    assert (await connection.reader.readuntil(b"0\r\n\r\n")).endswith(b"second\r\n0\r\n\r\n")


async def test_a_body_larger_than_an_object_may_be_is_passed_on_in_pieces(proxied: Proxied) -> None:
    async with aiohttp.ClientSession() as session:
        url = f"http://127.0.0.1:{proxied.api.port}{POD}/count"

        async def pieces() -> AsyncIterator[bytes]:
            for _ in range(80):
                yield bytes(100_000)

        async with session.post(url, data=pieces(), headers={"Authorization": "Bearer admin"}) as answer:
            assert await answer.text() == "8000000"


async def test_a_client_that_waits_is_told_to_go_on(proxied: Proxied) -> None:
    connection = await proxied.api.connect()
    connection.send(f"{POD}/count", "POST", Expect="100-continue", Content_Length="5")
    assert (await connection.head()).status == 100
    connection.writer.write(b"hello")
    assert (await connection.answer()).body == b"5"


async def test_a_websocket_is_passed_through(proxied: Proxied) -> None:
    async with aiohttp.ClientSession() as session:
        url = f"http://127.0.0.1:{proxied.api.port}{SERVICE}/socket"
        async with session.ws_connect(url, headers={"Authorization": "Bearer admin"}) as socket:
            await socket.send_str("hello")
            assert await socket.receive_str() == "hello!"
            await socket.send_str("again")
            assert await socket.receive_str() == "again!"


async def test_an_upgrade_that_is_refused(proxied: Proxied) -> None:
    given = {"Connection": "Upgrade", "Upgrade": "other"}
    answer = await proxied.ask(f"{POD}/x", **given)
    assert (answer.status, answer.json()["message"]) == (500, "invalid upgrade response: status code 200")
    answer = await proxied.ask(f"{SPACE}/pods/web:81/proxy/x", **given)
    assert answer.json()["message"] == f"error dialing backend: dial tcp {POD_IP}:81: connect: connection refused"


async def test_https_is_not_asked_who_it_is(proxied: Proxied) -> None:
    context, _ = tls("elsewhere")
    async with backend(context=context) as port:
        proxied.dialer.ports[POD_IP, 443] = port
        answer = await proxied.ask(f"{SPACE}/pods/https:web:443/proxy/secret")
    assert answer.json()["path"] == "/secret"
    assert await proxied.message(f"{SPACE}/pods/https:web:80/proxy/", 503) == (
        "error trying to reach service: http: server gave HTTP response to HTTPS client"
    )


async def test_the_target_hangs_up(proxied: Proxied) -> None:
    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        writer.close()

    server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
    async with server:
        proxied.dialer.ports[POD_IP, 99] = server.sockets[0].getsockname()[1]
        assert (await proxied.message(f"{SPACE}/pods/web:99/proxy/", 503)).startswith("error trying to reach service: ")


async def test_who_may_only_read_pods_may_not_write_through_them() -> None:
    async with served(authorization_modes=("RBAC",), bootstrap=True) as api:
        connection = await api.connect()
        answer = await connection.ask(f"{POD}/x", "POST", token="jane")
    assert answer.status == 403
    assert 'cannot create resource "pods/proxy" in API group "" in the namespace "default"' in answer.json()["message"]


async def test_the_audit_log_knows_what_is_proxied(tmp_path: Path) -> None:
    log, dialer = tmp_path / "audit.log", Loopback()
    rules = {"apiVersion": "audit.k8s.io/v1", "kind": "Policy", "rules": [{"level": "Metadata"}]}
    async with served(audit_policy=policy.parse(rules), audit_log_path=str(log)) as api, backend() as port:
        await with_pods(api.server)
        await with_pod(api.server, dialer, port)
        api.server.dialer = dialer
        connection = await api.connect()
        answer = await connection.ask(f"{POD}/x", "PUT", b"secret")
        identifier = answer.headers["audit-id"]
        assert (await connection.ask("/version")).status == 200  # what was to be done after the answer is done
        api.disconnect()
    events = [event for line in log.read_text().splitlines() if (event := orjson.loads(line))["auditID"] == identifier]
    assert [event["stage"] for event in events] == ["RequestReceived", "ResponseStarted", "ResponseComplete"]
    assert events[0]["verb"] == "update"
    assert events[0]["objectRef"] == {"resource": "pods", "namespace": "default", "name": "web", "apiVersion": "v1", "subresource": "proxy"}
