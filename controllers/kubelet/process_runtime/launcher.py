"""The process that starts shims: small, with one thread, so that it can fork. One for all kubelets of a daemon; it ends with it, the shims
it has started do not. Standard library only.

It is asked over a socket with one message for each container: the folder of the container, and beside it the descriptor over which the
shim talks to the kubelet. The first message is the isolation that is wanted ("any": the best that the machine allows) and a folder
for trying that out; it answers with what it is.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import sys
from pathlib import Path

from controllers.kubelet.process_runtime import rootfs, syscalls
from controllers.kubelet.process_runtime.reaping import remove
from controllers.kubelet.process_runtime.shim import Shim

_LONGEST = 8192


def main(descriptor: int) -> None:
    """`descriptor`: of a SOCK_SEQPACKET socket."""
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGPIPE):
        signal.signal(number, signal.SIG_IGN)
    with contextlib.suppress(OSError):
        syscalls.name_process("kctl-launcher")
    control = socket.socket(fileno=descriptor)
    isolation = _probe(control)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # shims are nobody's to wait for
    while True:
        try:
            message, descriptors, _, _ = socket.recv_fds(control, _LONGEST, 1)
        except OSError:
            return
        if not message:
            return
        if os.fork() == 0:
            _become_shim(control, message.decode(), descriptors[0], isolation)
        for each in descriptors:
            os.close(each)


def _probe(control: socket.socket) -> str:
    wanted, _, folder = control.recv(_LONGEST).decode().partition(" ")
    isolation = rootfs.probe(folder) if wanted == "any" else wanted
    remove(Path(folder))
    with contextlib.suppress(OSError):
        control.send(isolation.encode())
    return isolation


def _become_shim(control: socket.socket, folder: str, descriptor: int, isolation: str) -> None:
    code = 1
    try:
        control.close()
        os.setsid()
        Shim(folder, socket.socket(fileno=descriptor), isolation).run()
        code = 0
    except BaseException:
        import traceback

        with contextlib.suppress(OSError), open(os.path.join(folder, "shim.error"), "w") as file:
            traceback.print_exc(file=file)
    finally:
        os._exit(code)


if __name__ == "__main__":
    main(int(sys.argv[1]))
