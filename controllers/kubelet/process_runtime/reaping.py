"""Ending containers by what their folders say, without a kubelet: when a cluster stops, is deleted, or left processes behind. Standard
library only."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from controllers.kubelet.process_runtime import process_tree

_LOOK_SECONDS = 0.005
_KILL_SECONDS = 5.0
_BEGIN_SECONDS = 1.0
"""How long a shim that was asked for may take to say who it is."""


def as_found(path: Path) -> dict[str, Any]:
    """A JSON file of a shim; {} where it is not there or not whole."""
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def runs_below(folder: Path) -> list[Path]:
    """Of all pods of a runtime's folder."""
    return sorted(folder.glob("pods/*/containers/*/*"))


def reap(run: Path) -> None:
    """SIGKILL for all of one container. Returns when it is gone."""
    stop_all([run], 0.0)


def stop_all(runs: Sequence[Path], seconds: float) -> None:
    """SIGTERM for the first process of each, SIGKILL for whatever is left after `seconds`. Returns when all are gone."""
    _wait_for_beginning(runs)
    alive = [run for run in runs if _alive(run)]
    if seconds > 0:
        for run in alive:
            state = as_found(run / "state.json")
            process_tree.kill(int(state.get("pid") or 0), int(state.get("pid_started") or 0), signal.SIGTERM)
        _wait(alive, seconds)
    for run in alive:
        if _alive(run):
            _kill(run)
    _wait(alive, _KILL_SECONDS)
    for run in runs:
        kill_lost(run)


def _wait_for_beginning(runs: Sequence[Path]) -> None:
    deadline = time.monotonic() + _BEGIN_SECONDS
    while time.monotonic() < deadline:
        if all((run / "state.json").exists() or not _just_asked_for(run) for run in runs):
            return
        time.sleep(_LOOK_SECONDS)


def _just_asked_for(run: Path) -> bool:
    with contextlib.suppress(OSError):
        return time.time_ns() / 1e9 - (run / "config.json").stat().st_mtime < _BEGIN_SECONDS
    return False


def _alive(run: Path) -> bool:
    state = as_found(run / "state.json")
    return process_tree.is_alive(int(state.get("shim") or 0), int(state.get("shim_started") or 0))


def _wait(runs: Sequence[Path], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while any(_alive(run) for run in runs) and time.monotonic() < deadline:
        time.sleep(_LOOK_SECONDS)


def _kill(run: Path) -> None:
    """All but the shim, which ends with them and says how."""
    shim = int(as_found(run / "state.json").get("shim") or 0)
    for each in process_tree.descendants(shim):
        process_tree.kill(each.pid, each.started)


def kill_lost(run: Path) -> None:
    """What a shim that is gone could not end."""
    if not (run / "config.json").exists() or as_found(run / "exit.json"):
        return
    state = as_found(run / "state.json")
    process_tree.kill(int(state.get("shim") or 0), int(state.get("shim_started") or 0))
    container_id = str(as_found(run / "config.json").get("id") or "")
    if container_id:
        process_tree.kill_marked(container_id, _session(state))


def _session(state: dict[str, object]) -> int:
    """Of its first process, if that is still the same one."""
    pid, started = int(str(state.get("pid") or 0)), int(str(state.get("pid_started") or 0))
    return pid if process_tree.is_alive(pid, started) else 0


def remove(path: Path) -> None:
    """A folder with all below it, the work folders of layers too, which nobody may enter."""
    if not path.exists():
        return
    shutil.rmtree(path, ignore_errors=True)
    if path.exists():
        for folder, names, _ in os.walk(path):
            for name in names:
                with contextlib.suppress(OSError):
                    os.chmod(os.path.join(folder, name), 0o700)
        shutil.rmtree(path, ignore_errors=True)
