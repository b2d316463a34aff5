"""A control plane in memory whose pods are real processes, in real time: a test waits for what it expects."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from controllers.kubelet.node_config import NodeConfig
from controllers.kubelet.process_runtime import process_tree, reaping
from kctl.apimachinery import objects
from kctl.apimachinery.clock import RealClock
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import CONFIG_MAPS, EVENTS, PODS, SECRETS, SERVICE_ACCOUNTS
from kctl.apimachinery.status import ApiError, NotFound
from kctl.client.kubelet import TerminalSize
from kctl.daemon.components import API_SERVER_ALONE, KubeletComponent, Processes
from kctl.daemon.control_plane import ControlPlane
from store.memory import MemoryStore

DEADLINE_SECONDS = 60.0
_MARK = "KCTL_TEST"


class ProcessCluster:
    """Pods without a RuntimeClass are processes."""

    def __init__(self, folder: Path, images: Mapping[str, str] | None = None, default: str = "process", isolation: str = "any") -> None:
        self.folder = folder
        self.store = MemoryStore()
        processes = Processes(folder, images or {}, default, isolation)
        self.plane = ControlPlane(
            self.store,
            RealClock(),
            None,
            [NodeConfig("n1", pod_cidr="10.244.0.0/24")],
            (*API_SERVER_ALONE, partial(KubeletComponent, processes=processes)),
        )
        self.client = self.plane.client()

    @property
    def kubelet(self) -> Any:
        return self.plane.component(KubeletComponent).fleet

    async def __aenter__(self) -> ProcessCluster:
        await self.plane.start()
        account: Object = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default", "namespace": "default"}}
        await self.client.create(SERVICE_ACCOUNTS, {**account, "automountServiceAccountToken": False})
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.plane.stop()
        await eventually(lambda: not processes_left(self.folder))  # a shim has still to end after it has said that its container did

    async def create(self, *containers: Object, name: str = "p", **spec: Any) -> None:
        marked = [{**each, "env": [*(each.get("env") or ()), {"name": _MARK, "value": str(self.folder)}]} for each in containers]
        body: Object = {"nodeName": "n1", "restartPolicy": "Never", "containers": marked, **spec}
        await self.client.create(
            PODS, {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": "default"}, "spec": body}
        )

    async def config_map(self, name: str, data: Mapping[str, str]) -> None:
        made = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": "default"}, "data": dict(data)}
        await self.client.create(CONFIG_MAPS, made)

    async def secret(self, name: str, data: Mapping[str, str]) -> None:
        made = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "namespace": "default"}, "stringData": dict(data)}
        await self.client.create(SECRETS, made)

    async def pod(self, name: str = "p") -> Object:
        return await self.client.get(PODS, name, "default")

    async def until(self, holds: Callable[[Object], bool], name: str = "p") -> Object:
        """The pod, once it is so."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + DEADLINE_SECONDS
        while True:
            found = await self.pod(name)
            if holds(found):
                return found
            assert loop.time() < deadline, objects.status(found)
            await asyncio.sleep(0.01)

    async def ended(self, name: str = "p") -> Object:
        return await self.until(lambda pod: objects.status(pod).get("phase") in ("Succeeded", "Failed"), name)

    async def running(self, name: str = "p") -> Object:
        return await self.until(is_ready, name)

    async def gone(self, name: str = "p") -> None:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + DEADLINE_SECONDS
        with contextlib.suppress(NotFound):
            while True:
                assert loop.time() < deadline, objects.status(await self.pod(name))
                await self.pod(name)
                await asyncio.sleep(0.01)

    async def logs(self, container: str = "c", name: str = "p", **options: str) -> str:
        chunks = await self.kubelet.logs("n1", "default", name, container, options)
        return b"".join([chunk async for chunk in chunks]).decode()

    async def logged(self, text: str, container: str = "c", name: str = "p") -> str:
        """The log, once it has that."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + DEADLINE_SECONDS
        while True:
            found = ""
            with contextlib.suppress(ApiError):
                found = await self.logs(container, name)
            if text in found:
                return found
            assert loop.time() < deadline, (found, objects.status(await self.pod(name)))
            await asyncio.sleep(0.01)

    async def exec(
        self, *command: str, container: str = "c", name: str = "p", terminal: TestTerminal | None = None
    ) -> tuple[int, str, str]:
        """(exit code, output, errors)"""
        made = terminal or TestTerminal()
        run = await self.kubelet.exec("n1", "default", name, container, command)
        code = await run(made)
        return code, made.output.decode(), made.errors.decode()

    async def events(self, name: str = "p") -> list[tuple[str, str]]:
        assert self.kubelet._recorder is not None
        await self.kubelet._recorder.sink.flush()
        found = (await self.client.list(EVENTS))["items"]
        return [(event["reason"], event["message"]) for event in found if event["involvedObject"]["name"] == name]


class TestTerminal:
    """What a client of exec or attach sends and gets. With `keeps_open` its input does not end by itself."""

    __test__ = False

    def __init__(
        self, data: Sequence[bytes] = (), *, tty: bool = False, size: TerminalSize | None = None, keeps_open: bool = False
    ) -> None:
        self.tty = tty
        self.has_input = bool(data) or keeps_open
        self.output = b""
        self.errors = b""
        self._data = list(data)
        self._size = size
        self._keeps_open = keeps_open

    async def read(self) -> bytes:
        if not self._data and self._keeps_open:
            await asyncio.Event().wait()
        return self._data.pop(0) if self._data else b""

    async def write(self, data: bytes) -> None:
        self.output += data

    async def write_error(self, data: bytes) -> None:
        self.errors += data

    def size(self) -> TerminalSize | None:
        return self._size


def container(script: str = "", name: str = "c", **more: Any) -> Object:
    made: Object = {"name": name, "image": "busybox", **more}
    return {**made, "command": ["sh", "-c", script]} if script else made


def is_ready(pod: Object) -> bool:
    return objects.is_condition_true(pod, "Ready")


def state(pod: Object, name: str = "c") -> Object:
    status = objects.status(pod)
    for field in ("initContainerStatuses", "containerStatuses", "ephemeralContainerStatuses"):
        for entry in status.get(field) or ():
            if entry["name"] == name:
                return dict(entry["state"])
    return {}


def processes_left(folder: Path) -> list[int]:
    """Of containers whose folder is below that one, and their shims."""
    states = [reaping.as_found(path) for path in folder.glob("pods/*/containers/*/*/state.json")]
    shims = [state["shim"] for state in states if process_tree.is_alive(state["shim"], state["shim_started"])]
    return shims + [each.pid for each in process_tree.all_processes() if each.state != "Z" and _is_marked(each.pid, folder)]


def _is_marked(pid: int, folder: Path) -> bool:
    try:
        return f"{_MARK}={folder}".encode() in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return False


async def eventually(holds: Callable[[], bool]) -> None:
    loop = asyncio.get_running_loop()
    deadline = loop.time() + DEADLINE_SECONDS
    while True:
        if holds():
            return
        assert loop.time() < deadline
        await asyncio.sleep(0.01)


@contextlib.asynccontextmanager
async def process_cluster(folder: Path, **more: Any) -> AsyncIterator[ProcessCluster]:
    async with ProcessCluster(folder, **more) as made:
        yield made
