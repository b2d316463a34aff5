"""An API server in this process, and kctl's command line in front of it: what a command prints and its exit code, without kubectl.

The server listens on loopback in a thread of its own; its clock stands still and its randomness is seeded, so that a transcript
is the same every time.
"""

from __future__ import annotations

import asyncio
import io
import os
import random
import re
import shlex
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from kctl.apimachinery.clock import FakeClock
from kctl.apimachinery.user import SYSTEM_AUTHENTICATED, SYSTEM_MASTERS, User
from kctl.cli.main import run
from kctl.cli.session import Session, Streams
from kctl.kube_apiserver.config import ApiServerConfig
from kctl.kube_apiserver.server import ApiServer
from kctl.kube_apiserver.storage import memory_store

ROOT = Path(__file__).resolve().parents[3]
_ADMIN = User("admin", (SYSTEM_MASTERS, SYSTEM_AUTHENTICATED), "admin")
_KUBECONFIG = """\
apiVersion: v1
kind: Config
clusters:
- cluster:
    server: {server}
  name: test
contexts:
- context:
    cluster: test
    user: test
  name: test
current-context: test
users:
- name: test
  user:
    token: secret
"""

_ACCIDENTAL = (
    (re.compile(r"\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b"), "UID"),
    (re.compile(r'(resourceVersion: ")\d+'), r"\1N"),
    (re.compile(r"python\d+\.\d+\.\d+|(linux|darwin)/\w+"), "PYTHON"),
)


class Outcome(NamedTuple):
    code: int
    out: str
    err: str


class Terminal(io.StringIO):
    """What a command takes for a terminal."""

    def isatty(self) -> bool:
        return True


class Console:
    """`server` is the URL that transcripts show as https://server; `loop` is the server's."""

    def __init__(self, home: Path, server: str, clock: FakeClock, loop: asyncio.AbstractEventLoop) -> None:
        self.home = home
        self.server = server
        self.clock = clock
        self._loop = loop
        self.kubeconfig = home / "config"
        self.kubeconfig.write_text(_KUBECONFIG.format(server=server))

    def kctl(self, *words: str, stdin: str = "", terminal: bool = False) -> Outcome:
        """`terminal`: its output and its errors go to one."""
        kind = Terminal if terminal else io.StringIO
        streams = Streams(kind(), kind(), io.StringIO(stdin))
        with self._environment():
            code = run(list(words), Session(streams, now=self.clock.now))
        assert isinstance(streams.out, io.StringIO) and isinstance(streams.err, io.StringIO)
        return Outcome(code, *(self._plain(text.getvalue()) for text in (streams.out, streams.err)))

    def later(self, seconds: float) -> None:
        """Move the server's clock; what is due runs on its loop."""

        async def advance() -> None:
            self.clock.advance(seconds)

        asyncio.run_coroutine_threadsafe(advance(), self._loop).result(30)

    def _plain(self, text: str) -> str:
        return text.replace(self.server, "http://server").replace(str(self.home), "/home")

    @contextmanager
    def _environment(self) -> Iterator[None]:
        saved, folder = dict(os.environ), Path.cwd()
        os.environ.clear()
        os.environ.update(PATH=saved.get("PATH", ""), HOME=str(self.home), KUBECONFIG=str(self.kubeconfig))
        os.chdir(ROOT)
        try:
            yield
        finally:
            os.chdir(folder)
            os.environ.clear()
            os.environ.update(saved)


@contextmanager
def console(home: Path) -> Iterator[Console]:
    """A fresh server; it ends with the block."""
    ready, clock = threading.Event(), FakeClock()
    found: dict[str, object] = {}

    async def serve() -> None:
        store = memory_store()
        await store.start()
        server = ApiServer(store, clock=clock, randomness=random.Random(1), config=ApiServerConfig(tokens={"secret": _ADMIN}))
        await server.start()
        found["server"] = f"http://127.0.0.1:{await server.serve('127.0.0.1', 0, None)}"
        found["loop"], stop = asyncio.get_running_loop(), asyncio.Event()
        found["stop"] = stop
        ready.set()
        await stop.wait()
        await server.stop()
        await store.close()

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    try:
        assert ready.wait(30), "the API server did not start"
        serving = found["loop"]
        assert isinstance(serving, asyncio.AbstractEventLoop)
        yield Console(home, str(found["server"]), clock, serving)
    finally:
        loop, stop = found["loop"], found["stop"]
        assert isinstance(loop, asyncio.AbstractEventLoop) and isinstance(stop, asyncio.Event)
        loop.call_soon_threadsafe(stop.set)
        thread.join(30)


def replay(text: str, prompt: Console) -> str:
    """A transcript run again. `$ ` starts a command line (`<<FILE` at its end is its input), `! ` stands before each line of stderr,
    `[n]` is an exit code other than 0, `# ` a remark."""
    lines: list[str] = []
    for line in text.splitlines():
        if line.startswith("# "):
            lines += [*([""] if lines and lines[-1] else []), line]
        if not line.startswith("$ kctl"):
            continue
        words = shlex.split(line[2:])[1:]
        stdin = (ROOT / words.pop()[2:]).read_text() if words and words[-1].startswith("<<") else ""
        code, out, err = prompt.kctl(*words, stdin=stdin)
        lines.append(line)
        lines += [*out.splitlines(), *(f"! {one}" for one in err.splitlines()), *([f"[{code}]"] if code else [])]
    text = re.sub(r"[ \t]+(?=\n)", "", "\n".join(lines) + "\n")
    for pattern, shown in _ACCIDENTAL:
        text = pattern.sub(shown, text)
    return text
