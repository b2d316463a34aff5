"""Starting clusters in a home of the test's own, and where their files are."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.e2e.differential import ROOT
from tests.e2e.live import kctl


def start(home: Path, name: str, *more: str) -> subprocess.CompletedProcess[str]:
    return kctl(home, "run-cluster", "--detach", "--nodes", "1", "--name", name, *more)


def environment_of(home: Path, variables: dict[str, str]) -> dict[str, str]:
    base = {**os.environ, "HOME": str(home), "XDG_DATA_HOME": str(home / "data"), "PYTHONPATH": str(ROOT)}
    base.pop("KUBECONFIG", None)
    return base | variables


def with_environment(home: Path, variables: dict[str, str], *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "kctl", *words]
    return subprocess.run(command, cwd=ROOT, env=environment_of(home, variables), capture_output=True, text=True, timeout=60)


def folder_of(home: Path, name: str) -> Path:
    return home / "data" / "kctl" / name


def clusters_of(home: Path) -> list[str]:
    data = home / "data" / "kctl"
    return sorted(one.name for one in data.iterdir() if one.is_dir()) if data.exists() else []
