"""pods/exec and pods/attach over WebSocket, and everything that is refused before the connection is upgraded."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from kctl.apimachinery.resources import built_in
from kctl.kube_apiserver import http_protocol
from kctl.kube_apiserver.streaming import connection
from tests.kctl.kube_apiserver.served import Served, served, until
from tests.kctl.kube_apiserver.streaming.kubelets import POD_PATH, ScriptedKubelet, pod, with_pods

EXEC = POD_PATH + "/exec"


class Api:
    def __init__(self, made: Served, kubelet: ScriptedKubelet, session: aiohttp.ClientSession) -> None:
        self.served = made
        self.kubelet = kubelet
        self._session = session

    def socket(self, target: str, *protocols: str) -> Any:
        return self._session.ws_connect(
            f"http://127.0.0.1:{self.served.port}{target}", protocols=protocols, headers={"Authorization": "Bearer admin"}
        )


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    async with served() as made, aiohttp.ClientSession() as session:
        kubelet = await with_pods(
            made.server, pod(), pod("two", containers=("a", "b")), pod("pending", node=""), pod("ended", containers=("stopped",))
        )
        yield Api(made, kubelet, session)


async def _messages(socket: Any) -> list[bytes]:
    return [bytes(message.data, "ascii") if isinstance(message.data, str) else message.data async for message in socket]


STATUS = {"metadata": {}, "status": "Success"}


@pytest.mark.parametrize("protocol", ["v5.channel.k8s.io", "v4.channel.k8s.io"])
async def test_output_comes_on_its_channels_and_the_status_on_the_third(api: Api, protocol: str) -> None:
    """[sig-node] Pods should support remote command execution over websockets [NodeConformance] [Conformance]"""
    async with api.socket(f"{EXEC}?stdout=1&stderr=1&command=hello&command=a+b", protocol) as socket:
        assert socket.protocol == protocol
        first, *more, status = await _messages(socket)
    assert (first, more) == (b"\x01", [b"\x01hello\n", b"\x02oh\n"])
    assert (status[0], json.loads(status[1:])) == (3, STATUS)
    assert api.kubelet.asked == [("n1", "default", "web", "main", "hello", "a b")]


async def test_base64_channels_are_text(api: Api) -> None:
    async with api.socket(f"{EXEC}?stdout=true&command=hello", "base64.channel.k8s.io") as socket:
        kinds = [(message.type, message.data) async for message in socket]
    assert kinds == [(aiohttp.WSMsgType.TEXT, "1"), (aiohttp.WSMsgType.TEXT, "1" + base64.b64encode(b"hello\n").decode())]


@pytest.mark.parametrize(("protocol", "nested"), [("v5.channel.k8s.io", 2), ("v4.channel.k8s.io", 1)])
async def test_exit_codes_and_failures(api: Api, protocol: str, nested: int) -> None:
    async with api.socket(f"{EXEC}?stdout=1&command=three", protocol) as socket:
        status = json.loads((await _messages(socket))[-1][1:])
    assert status["reason"] == "NonZeroExitCode"
    assert status["message"] == "command terminated with non-zero exit code: command terminated with exit code 3"
    assert status["details"] == {"causes": [{"reason": "ExitCode", "message": "3"}]}
    async with api.socket(f"{EXEC}?stdout=1&command=nope", protocol) as socket:
        status = json.loads((await _messages(socket))[-1][1:])
    text = 'error executing command in container: exec: "nope": executable file not found in $PATH'
    assert (status["code"], status["message"]) == (500, "Internal error occurred: " * nested + text)


async def test_the_fifth_version_can_end_the_input_alone(api: Api) -> None:
    async with api.socket(f"{EXEC}?stdin=1&stdout=1&command=shout", "v5.channel.k8s.io") as socket:
        await socket.send_bytes(b"\0some ")
        await socket.send_bytes(b'\4{"Width":80,"Hei')
        await socket.send_bytes(b'\4ght":24}')
        await socket.send_bytes(b"\0words")
        await socket.send_bytes(b"\xff\0")
        said = b"".join(message[1:] for message in await _messages(socket) if message[0] == 1)
    assert said == b"SOME WORDS80x24"


async def test_a_command_ends_with_its_client(api: Api) -> None:
    async with api.socket(f"{EXEC}?stdin=1&stdout=1&command=shout", "v4.channel.k8s.io") as socket:
        await socket.send_bytes(b"\0a")
        assert (await socket.receive()).data == b"\x01"
        assert (await socket.receive()).data == b"\x01A"
    await until(lambda: api.kubelet.ended == ["shout"], "the command ended")


async def test_attach(api: Api) -> None:
    async with api.socket(f"{POD_PATH}/attach?stdout=1", "v5.channel.k8s.io") as socket:
        assert b"\x01hello\n" in await _messages(socket)


@pytest.mark.parametrize(
    ("target", "status", "text"),
    [
        (f"{EXEC}?stdout=1&command=hello", 400, "Upgrade request required"),
        (f"{EXEC}?stdout=1&command=hello&container=x", 400, "container x is not valid for pod web"),
        (
            "/api/v1/namespaces/default/pods/two/exec?stdout=1&command=hello",
            400,
            "a container name must be specified for pod two, choose one of: [a b]",
        ),
        ("/api/v1/namespaces/default/pods/pending/exec?stdout=1&command=a", 400, "pod pending does not have a host assigned"),
        ("/api/v1/namespaces/default/pods/nope/exec?stdout=1&command=a", 404, 'pods "nope" not found'),
        (f"{POD_PATH}/portforward", 400, "Upgrade request required"),
    ],
)
async def test_what_is_refused_without_an_upgrade(api: Api, target: str, status: int, text: str) -> None:
    answer = await (await api.served.connect()).ask(target)
    assert (answer.status, answer.json()["message"]) == (status, text)


@pytest.mark.parametrize(
    ("target", "headers", "status", "text"),
    [
        (
            f"{EXEC}?command=hello",
            {"Sec_WebSocket_Protocol": "v4.channel.k8s.io"},
            400,
            "you must specify at least 1 of stdin, stdout, stderr\n",
        ),
        (f"{EXEC}?command=hello&stdout=1", {"Sec_WebSocket_Protocol": "v9.channel.k8s.io"}, 403, ""),
        (
            "/api/v1/namespaces/default/pods/ended/exec?stdout=1&command=a",
            {"Sec_WebSocket_Protocol": "v4.channel.k8s.io"},
            500,
            'container not found ("stopped")\n',
        ),
        (
            f"{EXEC}?command=hello&stdout=1",
            {"Upgrade": "SPDY/3.1", "X_Stream_Protocol_Version": "v9.channel.k8s.io"},
            403,
            "unable to upgrade: unable to negotiate protocol: client supports [v9.channel.k8s.io], "
            "server accepts [v4.channel.k8s.io v3.channel.k8s.io v2.channel.k8s.io channel.k8s.io]\n",
        ),
    ],
    ids=["no streams", "no such version", "not running", "no SPDY version"],
)
async def test_what_is_refused_with_one(api: Api, target: str, headers: dict[str, str], status: int, text: str) -> None:
    given = {
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec_WebSocket_Version": "13",
        "Sec_WebSocket_Key": "AAAAAAAAAAAAAAAAAAAAAA==",
    }
    answer = await (await api.served.connect()).ask(target, **given | headers)
    assert (answer.status, answer.body.decode()) == (status, text)


@pytest.mark.parametrize(("verbs", "status"), [(["get"], 403), (["get", "create"], 101), (["create"], 403)])
async def test_a_websocket_needs_the_permission_to_create_too(verbs: list[str], status: int) -> None:
    """GET is `get` to RBAC; AuthorizePodWebsocketUpgradeCreatePermission asks for `create` as well."""
    async with served(authorization_modes=("RBAC",)) as made:
        await with_pods(made.server, pod())
        role = {"metadata": {"name": "exec"}, "rules": [{"apiGroups": [""], "resources": ["pods/exec"], "verbs": verbs}]}
        binding = {
            "metadata": {"name": "exec"},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "exec"},
            "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "jane"}],
        }
        await made.client.create(built_in("rbac.authorization.k8s.io/v1", "ClusterRole"), role)
        await made.client.create(built_in("rbac.authorization.k8s.io/v1", "ClusterRoleBinding"), binding)
        client = await made.connect()
        given = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec_WebSocket_Version": "13"}
        given |= {"Sec_WebSocket_Key": "AAAAAAAAAAAAAAAAAAAAAA==", "Sec_WebSocket_Protocol": "v5.channel.k8s.io"}
        client.send(f"{EXEC}?stdout=1&command=hello", token="jane", **given)
        assert (await client.head()).status == status


async def test_upgraded_connections_are_counted(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "MOST_CONNECTIONS", 1)
    target = f"{EXEC}?stdin=1&stdout=1&command=shout"
    async with api.socket(target, "v5.channel.k8s.io") as socket:
        await socket.receive()
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            async with api.socket(target, "v5.channel.k8s.io"):
                pass
        assert refused.value.status == 429
        await socket.send_bytes(b"\xff\0")
        await _messages(socket)
    await until(lambda: api.kubelet.ended == ["shout"], "the first ended")


async def test_a_command_that_writes_waits_for_a_client_that_does_not_read(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """And is ended with it; nothing is gathered meanwhile."""
    monkeypatch.setattr(http_protocol, "UPGRADED_STALL_SECONDS", 0.3)
    written = 0

    async def flood(terminal: Any) -> int:
        nonlocal written
        while True:
            await terminal.write(b"x" * 32_000)
            written += 32_000

    api.kubelet.processes = {"flood": flood}
    client = await api.served.connect(limit=1024)
    given = {
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec_WebSocket_Version": "13",
        "Sec_WebSocket_Key": "AAAAAAAAAAAAAAAAAAAAAA==",
    }
    client.send(f"{EXEC}?stdout=1&command=flood", **given, Sec_WebSocket_Protocol="v4.channel.k8s.io")
    assert (await client.head()).status == 101
    await until(lambda: api.kubelet.ended == ["flood"], "the command was ended")
    assert written < 64 << 20
    await asyncio.sleep(0)
