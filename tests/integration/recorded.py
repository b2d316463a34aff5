"""Recorded conversations with a real cluster (controllers, scheduler and simulated nodes among it), replayed against ours in simulated
time.

The recorder of ../shared/oracle is synchronous and waits by sleeping. It runs in a thread of its own whose requests and sleeps are
handed over one by one: while it thinks, the loop stands still, and while the loop works, it waits.
"""

from __future__ import annotations

import asyncio
import importlib.util
import queue
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any
from urllib.parse import urlencode

import aiohttp

from controllers.kubelet.node_config import NodeConfig
from kctl.apimachinery.clock import VirtualClock
from kctl.apimachinery.user import User
from kctl.daemon.component import ComponentMaker
from kctl.daemon.components import WHOLE_CLUSTER
from kctl.daemon.control_plane import WITHOUT_AUTHORITY, ControlPlane
from kctl.kube_apiserver.config import ApiServerConfig
from store.memory import MemoryStore

_FOLDERS = [Path(__file__).parents[up] / "shared" / "oracle" for up in (3, 4)]
ORACLE = next((folder for folder in _FOLDERS if folder.is_dir()), _FOLDERS[0])
TOKEN = "recorder"
_ADMIN = User("admin", ("system:masters", "system:authenticated"), "admin")


def load_recorder() -> ModuleType:
    spec = importlib.util.spec_from_file_location("oracle_record", ORACLE / "record.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@asynccontextmanager
async def recorded_cluster(components: Sequence[ComponentMaker] = WHOLE_CLUSTER) -> AsyncIterator[tuple[ControlPlane, str]]:
    """A whole cluster of three nodes, named as the recorded ones, and its URL."""
    config = ApiServerConfig(tokens={TOKEN: _ADMIN}, cluster_ca=WITHOUT_AUTHORITY)
    nodes = [NodeConfig(f"hollow-{number}") for number in range(3)]
    plane = ControlPlane(MemoryStore(), VirtualClock(), 1, nodes, components, config=config)
    async with plane:
        port = await plane.server.serve("127.0.0.1", 0, None)
        clock = plane.clock
        assert isinstance(clock, VirtualClock)
        await clock.step(5)
        yield plane, f"http://127.0.0.1:{port}"


class _Handover:
    """Calls of the recorder's thread, made on the event loop."""

    def __init__(self) -> None:
        self._calls: queue.Queue[tuple[Callable[[], Any], queue.Queue[Any]] | None] = queue.Queue()

    def call(self, work: Callable[[], Any]) -> Any:
        """From the thread: `work` gives a coroutine."""
        answer: queue.Queue[Any] = queue.Queue()
        self._calls.put((work, answer))
        result = answer.get()
        if isinstance(result, BaseException):
            raise result
        return result

    def end(self) -> None:
        self._calls.put(None)

    async def serve(self) -> None:
        """Blocks the loop while the thread thinks, so that no time passes."""
        while (asked := self._calls.get()) is not None:
            work, answer = asked
            try:
                answer.put(await work())
            except Exception as error:
                answer.put(error)


async def replay(plane: ControlPlane, url: str, recorder: ModuleType, scenario: dict[str, Any]) -> list[Any]:
    """The answers, normalized as the recorded ones are."""
    clock = plane.clock
    assert isinstance(clock, VirtualClock)
    handover = _Handover()
    recorder.time = SimpleNamespace(  # type: ignore[attr-defined]
        sleep=lambda seconds: handover.call(lambda: clock.step(seconds)),
        time=lambda: clock_now[0],
        strftime=lambda form, _: "",
        gmtime=lambda: None,
    )
    clock_now = [clock.now().timestamp()]
    outcome: list[Any] = []

    async with aiohttp.ClientSession(auto_decompress=True) as session:

        async def request(method: str, path: str, headers: list[tuple[str, str]], body: Any) -> tuple[int, list[tuple[str, str]], bytes]:
            async with session.request(method, url + path, headers=headers, data=body) as response:
                raw = await response.read()
                clock_now[0] = clock.now().timestamp()
                return response.status, list(response.headers.items()), raw

        class InLoop:
            def request(
                self, method: str, path: str, query: Any = None, headers: Any = None, body: Any = None, auth: str = "default", **_: Any
            ) -> Any:
                sent = [("Accept", "application/json"), ("Authorization", f"Bearer {TOKEN}"), ("User-Agent", "oracle/1.0")]
                for name, value in headers or ():
                    sent = [(n, v) for n, v in sent if n.lower() != name.lower() or name.lower().startswith("impersonate")]
                    sent.append((name, value))
                target = path + (f"?{urlencode(query, doseq=True)}" if query else "")
                data = body.encode() if isinstance(body, str) else body
                return handover.call(lambda: request(method, target, sent, data))

        runner = recorder.Runner(url, TOKEN)
        runner.c = InLoop()
        runner.teardown = lambda _: None

        def run() -> None:
            try:
                outcome.extend(runner.run(scenario))
            finally:
                handover.end()

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        await handover.serve()
        await asyncio.sleep(0)
        thread.join(10)
    return outcome
