"""exec and attach to real processes: streams, exit codes, terminals and their size; logs with all their options."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from controllers.kubelet.process_runtime import process_tree
from kctl.client.kubelet import CannotRun, TerminalSize
from tests.controllers.kubelet.process_runtime.cluster import TestTerminal, container, eventually, process_cluster

pytestmark = [pytest.mark.real_time, pytest.mark.process]


async def test_exec(tmp_path: Path) -> None:
    async with process_cluster(tmp_path) as cluster:
        await cluster.create(container("exec sleep 1000", env=[{"name": "A", "value": "1"}], workingDir="/usr"))
        await cluster.running()
        assert await cluster.exec("sh", "-c", "echo $A; pwd; echo err >&2; exit 5") == (5, "1\n/usr\n", "err\n")
        assert await cluster.exec("cat", terminal=TestTerminal([b"one\n", b"two"])) == (0, "one\ntwo", "")
        many = await cluster.exec("sh", "-c", "head -c 3000000 /dev/zero")
        assert (many[0], len(many[1])) == (0, 3_000_000)
        with pytest.raises(CannotRun, match=r'exec: "nope": executable file not found in \$PATH'):
            await cluster.exec("nope")


async def test_what_exec_leaves_running_does_not_hold_it_up(tmp_path: Path) -> None:
    async with process_cluster(tmp_path) as cluster:
        await cluster.create(container("exec sleep 1000"))
        await cluster.running()
        assert await cluster.exec("sh", "-c", "sleep 1000 & echo done") == (0, "done\n", "")


async def test_exec_with_a_terminal(tmp_path: Path) -> None:
    async with process_cluster(tmp_path) as cluster:
        await cluster.create(container("exec sleep 1000"))
        await cluster.running()
        terminal = TestTerminal([b"stty size\rexit 4\r"], tty=True, size=TerminalSize(97, 31))
        code, shown, _ = await cluster.exec("sh", terminal=terminal)
        assert code == 4
        assert "31 97\r\n" in shown


async def test_a_terminal_follows_its_client(tmp_path: Path) -> None:
    async with process_cluster(tmp_path) as cluster:
        await cluster.create(container("exec sleep 1000"))
        await cluster.running()
        terminal = TestTerminal(tty=True, size=TerminalSize(80, 24), keeps_open=True)
        script = "stty size; while test \"$(stty size)\" = '24 80'; do sleep 0.02; done; stty size"

        async def resize() -> None:
            await eventually(lambda: b"24 80" in terminal.output)
            terminal._size = TerminalSize(132, 50)

        (code, shown, _), _ = await asyncio.gather(cluster.exec("sh", "-c", script, terminal=terminal), resize())
        assert (code, shown.replace("\r", "").split()) == (0, ["24", "80", "50", "132"])


async def test_exec_ends_with_its_client(tmp_path: Path) -> None:
    async with process_cluster(tmp_path) as cluster:
        await cluster.create(container("exec sleep 1000"))
        await cluster.running()
        terminal = TestTerminal()
        task = asyncio.ensure_future(cluster.exec("sh", "-c", "echo $$; exec sleep 1000", terminal=terminal))
        await eventually(lambda: bool(terminal.output))
        pid = int(terminal.output)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await eventually(lambda: process_tree.process(pid) is None)


async def test_attach_gets_what_is_written_and_feeds_what_is_read(tmp_path: Path) -> None:
    async with process_cluster(tmp_path) as cluster:
        await cluster.create(container("echo ready; while read -r line; do echo got $line; done; echo over", stdin=True, stdinOnce=True))
        await cluster.logged("ready")
        terminal = TestTerminal([b"one\n", b"two\n"])
        run = await cluster.kubelet.attach("n1", "default", "p", "c")
        await run(terminal)
        assert terminal.output == b"got one\ngot two\nover\n"
        await cluster.ended()


async def test_attach_to_a_terminal(tmp_path: Path) -> None:
    async with process_cluster(tmp_path) as cluster:
        script = "tty; while test \"$(stty size)\" != '20 70'; do sleep 0.02; done; read -r line; echo got $line"
        await cluster.create(container(script, stdin=True, tty=True))
        await cluster.logged("/dev/pts/")
        terminal = TestTerminal([b"word\r"], tty=True, size=TerminalSize(70, 20), keeps_open=True)
        await (await cluster.kubelet.attach("n1", "default", "p", "c"))(terminal)
        assert terminal.output == b"word\r\ngot word\r\n"
        await cluster.ended()


async def test_logs(tmp_path: Path) -> None:
    async with process_cluster(tmp_path) as cluster:
        await cluster.create(container("for i in 1 2 3 4 5; do echo line $i; done; printf end"))
        await cluster.ended()
        assert await cluster.logs() == "line 1\nline 2\nline 3\nline 4\nline 5\nend"
        assert await cluster.logs(tailLines="2") == "line 5\nend"
        assert await cluster.logs(tailLines="0") == ""
        assert await cluster.logs(limitBytes="8") == "line 1\nl"
        assert await cluster.logs(sinceTime="2100-01-01T00:00:00Z") == ""
        assert await cluster.logs(sinceSeconds="3600", tailLines="1") == "end"
        first = (await cluster.logs(timestamps="true")).splitlines()[0]
        assert first.endswith("Z line 1") and len(first.split()[0]) == len("2026-01-01T00:00:00.000000000Z")


async def test_logs_are_followed_to_the_end(tmp_path: Path) -> None:
    async with process_cluster(tmp_path) as cluster:
        await cluster.create(container("echo ready; while ! test -e /tmp/go; do sleep 0.01; done; echo gone"))
        await cluster.logged("ready")
        following = asyncio.ensure_future(cluster.logs(follow="true"))
        await cluster.exec("touch", "/tmp/go")
        assert await following == "ready\ngone\n"
