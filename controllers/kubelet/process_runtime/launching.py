"""The kubelet's side of the launcher: started with the first container, asked for shims, ended with the kubelet."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

_LONGEST = 8192
_PROGRAM = """\
import sys
sys.path.insert(0, sys.argv[2])
from controllers.kubelet.process_runtime.launcher import main
main(int(sys.argv[1]))
"""
_CODE = Path(__file__).parents[3]


class Launcher:
    """`folder` is where it may try things out. `wanted`: the isolation that containers get, "any" for the best there is; `told` gets
    what it is."""

    def __init__(self, folder: Path, wanted: str, told: Callable[[str], None]) -> None:
        self._folder = folder
        self._wanted = wanted
        self._told = told
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None

    def start_shim(self, folder: Path) -> socket.socket:
        """For the container in that folder: the socket over which its shim talks. Raises OSError."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        ours.setblocking(False)
        try:
            for attempt in range(2):
                try:
                    socket.send_fds(self._connection(), [str(folder).encode()], [theirs.fileno()])
                    return ours
                except OSError:
                    self.close()
                    if attempt:
                        raise
            raise AssertionError("unreachable")
        except OSError:
            ours.close()
            raise
        finally:
            theirs.close()

    def _connection(self) -> socket.socket:
        if self._control is not None:
            return self._control
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        descriptor = theirs.fileno()
        with theirs, open(self._folder / "launcher.out", "ab") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", "-c", _PROGRAM, str(descriptor), str(_CODE)],
                pass_fds=[descriptor],
                start_new_session=True,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd="/",
                env={"PATH": os.environ.get("PATH", os.defpath)},
            )
        self._control = ours
        ours.send(f"{self._wanted} {self._folder / 'probe'}".encode())
        self._watch(ours)
        return ours

    def _watch(self, control: socket.socket) -> None:
        import asyncio

        loop = asyncio.get_running_loop()

        def readable() -> None:
            data = b""
            with contextlib.suppress(OSError):
                data = control.recv(_LONGEST, socket.MSG_DONTWAIT)
            if data:
                self._told(data.decode())
            elif self._control is control:
                self.close()

        loop.add_reader(control.fileno(), readable)

    def close(self) -> None:
        """It ends by itself when nobody is at the other end."""
        import asyncio

        control, self._control = self._control, None
        if control is not None:
            asyncio.get_running_loop().remove_reader(control.fileno())
            control.close()
        process, self._process = self._process, None
        if process is not None:
            process.wait()
