"""exec runs shells and programs in any simulated container that runs, with its files; a terminal shows what is typed."""

from __future__ import annotations

import asyncio

import pytest

from kctl.client.kubelet import CannotRun, TerminalSize
from tests.controllers.kubelet.cluster import Cluster, pod


class Typed:
    """A client that sends `given` and keeps what it is shown."""

    def __init__(self, *given: bytes, tty: bool = False) -> None:
        self._given = list(given)
        self.tty = tty
        self.has_input = bool(given)
        self.shown = self.errors = b""

    async def read(self) -> bytes:
        await asyncio.sleep(0)
        return self._given.pop(0) if self._given else b""

    async def write(self, data: bytes) -> None:
        self.shown += data

    async def write_error(self, data: bytes) -> None:
        self.errors += data

    def size(self) -> TerminalSize | None:
        return None


async def run(cluster: Cluster, terminal: Typed, *command: str) -> int:
    assert cluster.fleet is not None
    return await (await cluster.fleet.exec("n1", "default", "p", "c", command))(terminal)


async def test_commands_see_the_container(cluster: Cluster) -> None:
    await cluster.create(pod(hostname="web"))
    terminal = Typed()
    assert await run(cluster, terminal, "sh", "-c", "hostname; echo gone >&2; echo kept > /tmp/f; exit 5") == 5
    assert (terminal.shown, terminal.errors) == (b"web\n", b"gone\n")
    again = Typed()
    assert await run(cluster, again, "cat", "/tmp/f") == 0
    assert again.shown == b"kept\n"


async def test_a_shell_reads_its_standard_input(cluster: Cluster) -> None:
    await cluster.create(pod())
    terminal = Typed(b"cd /tmp\npw", b"d\nexit 3\n")
    assert await run(cluster, terminal, "sh") == 3
    assert terminal.shown == b"/tmp\n"


async def test_a_terminal_echoes_and_edits(cluster: Cluster) -> None:
    await cluster.create(pod())
    terminal = Typed(b"echo hx\x7fi\r", b"exit 4\r", tty=True)
    assert await run(cluster, terminal, "sh") == 4
    assert terminal.shown == b"/ # echo hx\b \bi\r\nhi\r\n/ # exit 4\r\n"


async def test_an_unknown_program_is_refused_by_name(cluster: Cluster) -> None:
    await cluster.create(pod())
    with pytest.raises(CannotRun, match='exec: "frobnicate": this container is simulated and does not know the command'):
        await run(cluster, Typed(), "frobnicate")
