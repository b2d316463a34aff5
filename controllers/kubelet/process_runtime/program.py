"""Starting one program of a container: its streams, identity and limits, then exec. Runs in a shim; standard library only."""

from __future__ import annotations

import contextlib
import fcntl
import os
import resource
import signal
import stat
import sys
import termios
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NoReturn

from controllers.kubelet.process_runtime import syscalls

_REPORT = 4096


@dataclass(frozen=True, slots=True)
class Program:
    """`root` '' is the host's. `uid`, `gid` -1 are left as they are, `groups` too where it is None. `open_files` 0 is no limit of its
    own. `cgroup`: the folder to join, '' for none."""

    argv: Sequence[str]
    env: Mapping[str, str]
    cwd: str
    root: str = ""
    uid: int = -1
    gid: int = -1
    groups: Sequence[int] | None = None
    no_new_privileges: bool = False
    cgroup: str = ""


class CannotStart(Exception):
    """In the words of a container runtime."""


def start(program: Program, streams: tuple[int, int, int], *, controlling_terminal: bool) -> int:
    """Its process id, once it has been started: leader of a session of its own, killed when its shim is. Raises CannotStart."""
    telling, told = os.pipe2(os.O_CLOEXEC)
    child = os.fork()
    if child == 0:
        _begin(program, streams, told, controlling_terminal)
    os.close(told)
    try:
        problem = b""
        while piece := os.read(telling, _REPORT):
            problem += piece
    finally:
        os.close(telling)
    if problem:
        with contextlib.suppress(ChildProcessError):
            os.waitpid(child, 0)
        raise CannotStart(problem.decode(errors="replace"))
    return child


def _begin(program: Program, streams: tuple[int, int, int], told: int, controlling_terminal: bool) -> NoReturn:
    """In the child: nothing here returns."""
    problem = "the container's process could not be set up"
    try:
        os.setsid()
        if program.cgroup:
            with open(os.path.join(program.cgroup, "cgroup.procs"), "w") as file:
                file.write("0")
        _connect(streams)
        if controlling_terminal:
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)
        _reset_signals()
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        problem = f"chroot {program.root}"
        if program.root:
            os.chroot(program.root)
            os.chdir("/")
        problem = "cannot take on the user and groups of its securityContext"
        _become(program)
        problem = f'chdir to cwd ("{program.cwd}") set in config.json failed'
        os.chdir(program.cwd)
        syscalls.die_with_parent(signal.SIGKILL)
        problem = ""
        _exec(program)
    except OSError as error:
        os.write(told, f"{problem}: {(error.strerror or str(error)).lower()}".encode()[:_REPORT])
    except CannotStart as error:
        os.write(told, str(error).encode()[:_REPORT])
    except BaseException as error:
        os.write(told, f"{problem}: {error}".encode()[:_REPORT])
    os._exit(127)


def _connect(streams: tuple[int, int, int]) -> None:
    """All other descriptors close with the exec: Python makes them so."""
    high = [fcntl.fcntl(stream, fcntl.F_DUPFD_CLOEXEC, 10) for stream in streams]
    for number, stream in enumerate(high):
        os.dup2(stream, number, inheritable=True)


def _reset_signals() -> None:
    for number in (signal.SIGCHLD, signal.SIGPIPE, signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGXFSZ):
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def _become(program: Program) -> None:
    if program.groups is not None:
        os.setgroups(list(program.groups))
    if program.gid >= 0 and program.gid != os.getegid():
        os.setresgid(program.gid, program.gid, program.gid)
    if program.uid >= 0 and program.uid != os.geteuid():
        os.setresuid(program.uid, program.uid, program.uid)
    if program.no_new_privileges:
        syscalls.forbid_new_privileges()


def _exec(program: Program) -> NoReturn:
    sys.stdout.flush()
    word = program.argv[0]
    env = dict(program.env)
    if "/" in word:
        try:
            os.execve(word, list(program.argv), env)
        except FileNotFoundError:
            why = "no such file or directory"
        except OSError as error:
            raise CannotStart(f'exec: "{word}": {(error.strerror or str(error)).lower()}') from None
        raise CannotStart(f'exec: "{word}": stat {word}: {why}' if not os.path.exists(word) else f"exec {word}: {why}")
    denied = False
    for folder in env.get("PATH", os.defpath).split(":"):
        path = os.path.join(folder or ".", word)
        if not is_program(path):
            denied = denied or os.path.isfile(path)
            continue
        try:
            os.execve(path, list(program.argv), env)
        except OSError as error:
            raise CannotStart(f'exec: "{word}": {(error.strerror or str(error)).lower()}') from None
    raise CannotStart(f'exec: "{word}": {"permission denied" if denied else "executable file not found in $PATH"}')


def is_program(path: str) -> bool:
    try:
        found = os.stat(path)
    except OSError:
        return False
    return stat.S_ISREG(found.st_mode) and os.access(path, os.X_OK)
