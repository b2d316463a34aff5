"""Processes as /proc shows them: who descends from whom, what they use, and ends that hit the right one. Standard library only.

A process is named by its id and its start time (clock ticks since boot), for an id alone may be another process by now.
"""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator
from typing import NamedTuple

MARK = "KCTL_CONTAINER_ID"
"""The variable that every process of a container has, unless a program took it away."""
_PAGE = os.sysconf("SC_PAGE_SIZE")
_TICKS = os.sysconf("SC_CLK_TCK")


class Process(NamedTuple):
    pid: int
    state: str
    """A letter: R, S, Z, ..."""
    parent: int
    session: int
    started: int
    """Clock ticks since boot."""
    cpu_seconds: float
    """Its own and that of the children it has waited for."""
    memory_bytes: int
    """Resident."""


def process(pid: int) -> Process | None:
    """None where there is none."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            text = file.read()
    except OSError:
        return None
    words = text[text.rindex(b")") + 2 :].split()
    ticks = sum(int(word) for word in words[11:15])
    return Process(pid, words[0].decode(), int(words[1]), int(words[3]), int(words[19]), ticks / _TICKS, int(words[21]) * _PAGE)


def waited_for_seconds(pid: int) -> float:
    """CPU time of the children that it has waited for, and of theirs."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            text = file.read()
    except OSError:
        return 0.0
    words = text[text.rindex(b")") + 2 :].split()
    return (int(words[13]) + int(words[14])) / _TICKS


def all_processes() -> Iterator[Process]:
    for name in os.listdir("/proc"):
        if name.isdigit():
            found = process(int(name))
            if found is not None:
                yield found


def is_alive(pid: int, started: int) -> bool:
    found = process(pid)
    return found is not None and found.started == started and found.state != "Z"


def descendants(pid: int) -> list[Process]:
    """Children first, then theirs. By the kernel's lists of children where it keeps them, else by looking at every process."""
    if os.path.exists(f"/proc/self/task/{os.getpid()}/children"):
        return list(_by_lists(pid))
    children: dict[int, list[Process]] = {}
    for each in all_processes():
        children.setdefault(each.parent, []).append(each)
    found, waiting = [], [pid]
    while waiting:
        below = children.get(waiting.pop(0), [])
        found += below
        waiting += [each.pid for each in below]
    return found


def _by_lists(pid: int) -> Iterator[Process]:
    waiting = [pid]
    while waiting:
        for child in _children(waiting.pop(0)):
            found = process(child)
            if found is not None:
                yield found
                waiting.append(child)


def _children(pid: int) -> list[int]:
    found: list[int] = []
    with contextlib.suppress(OSError):
        for task in os.listdir(f"/proc/{pid}/task"):
            with contextlib.suppress(OSError), open(f"/proc/{pid}/task/{task}/children", "rb") as file:
                found += [int(word) for word in file.read().split()]
    return found


def kill(pid: int, started: int, number: int = signal.SIGKILL) -> bool:
    """Only that very process. False where it is gone."""
    try:
        descriptor = os.pidfd_open(pid)
    except OSError:
        return False
    try:
        if not is_alive(pid, started):
            return False
        signal.pidfd_send_signal(descriptor, number)
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return True


def kill_marked(container_id: str, session: int = 0) -> int:
    """SIGKILL for what is left of a container whose shim is gone: by its mark, or in its session. How many there were."""
    mark = f"{MARK}={container_id}".encode()
    killed = 0
    for each in all_processes():
        if each.pid != os.getpid() and each.state != "Z" and (_is_marked(each.pid, mark) or (session and each.session == session)):
            killed += kill(each.pid, each.started)
    return killed


def _is_marked(pid: int, mark: bytes) -> bool:
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            return mark in file.read(1 << 20).split(b"\0")
    except OSError:
        return False
