"""A kubelet that does as a test says, and pods on its node."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence

from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import PODS, SERVICE_ACCOUNTS, built_in
from kctl.apimachinery.status import InternalError
from kctl.apimachinery.user import ADMIN
from kctl.client.client import Client
from kctl.client.kubelet import ByteStream, CannotRun, Forward, Process, ProxiedAnswer, ProxiedRequest, Terminal
from kctl.kube_apiserver.server import ApiServer

POD_PATH = "/api/v1/namespaces/default/pods/web"


class ScriptedKubelet:
    """`processes` by the first word of a command; every port but 80 is closed, port 80 says back what it hears."""

    def __init__(self, processes: Mapping[str, Callable[[Terminal], Awaitable[int]]]) -> None:
        self.processes = processes
        self.asked: list[tuple[str, ...]] = []
        self.ended: list[str] = []

    async def logs(self, node: str, namespace: str, pod: str, container: str, options: Mapping[str, str]) -> AsyncIterator[bytes]:
        async def lines() -> AsyncIterator[bytes]:
            yield b"a line\n"

        return lines()

    async def exec(self, node: str, namespace: str, pod: str, container: str, command: Sequence[str]) -> Process:
        self.asked.append((node, namespace, pod, container, *command))
        if container == "stopped":
            raise InternalError('container not found ("stopped")')

        async def run(terminal: Terminal) -> int:
            process = self.processes.get(command[0])
            if process is None:
                raise CannotRun(f'exec: "{command[0]}": executable file not found in $PATH')
            try:
                return await process(terminal)
            finally:
                self.ended.append(command[0])

        return run

    async def attach(self, node: str, namespace: str, pod: str, container: str) -> Process:
        return await self.exec(node, namespace, pod, container, ("attached",))

    async def port_forward(self, node: str, namespace: str, pod: str) -> Forward:
        async def forward(port: int, stream: ByteStream) -> None:
            if port != 80:
                raise CannotRun("connection refused")
            while data := await stream.read():
                await stream.write(data.upper())

        return forward

    async def proxy(self, node: str, request: ProxiedRequest) -> ProxiedAnswer:
        return ProxiedAnswer(200, {"Content-Type": "text/plain"}, f"{node} {request.method} {request.target}".encode())


async def hello(terminal: Terminal) -> int:
    await terminal.write(b"hello\n")
    await terminal.write_error(b"oh\n")
    return 0


async def three(terminal: Terminal) -> int:
    return 3


async def shout(terminal: Terminal) -> int:
    """Says in capitals what comes, until there is no more."""
    while data := await terminal.read():
        await terminal.write(data.upper())
    size = terminal.size()
    await terminal.write(f"{size.width}x{size.height}".encode() if size else b"end")
    return 0


def pod(name: str = "web", node: str = "n1", containers: Sequence[str] = ("main",)) -> Object:
    spec: Object = {"containers": [{"name": each, "image": "i"} for each in containers]}
    if node:
        spec["nodeName"] = node
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": "default"}, "spec": spec}


async def with_pods(server: ApiServer, *pods: Object) -> ScriptedKubelet:
    """In the namespace `default`, which is made for them."""
    client = Client(server.transport(ADMIN))
    await client.create(built_in("v1", "Namespace"), {"metadata": {"name": "default"}})
    account = {"metadata": {"name": "default", "namespace": "default"}, "automountServiceAccountToken": False}
    await client.create(SERVICE_ACCOUNTS, account)
    for each in pods:
        await client.create(PODS, each)
    kubelet = ScriptedKubelet({"hello": hello, "three": three, "shout": shout, "attached": hello})
    server.kubelet_connector = kubelet
    return kubelet
