"""Homes for clusters of a test's own, and a stopped cluster that each test may copy and spoil."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.clusters import start
from tests.e2e.live import kctl, stop_all


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path
    stop_all(tmp_path)


@pytest.fixture(scope="session")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with one stopped cluster, `solo`, that has a node and a pod on it."""
    home = tmp_path_factory.mktemp("stopped")
    try:
        assert start(home, "solo", "--port", "0").returncode == 0
        assert kctl(home, "create", "deployment", "web", "--image=nginx").returncode == 0
        assert kctl(home, "rollout", "status", "deployment/web").returncode == 0
        assert kctl(home, "cluster", "stop").returncode == 0
    finally:
        stop_all(home)
    return home


@pytest.fixture
def solo(stopped: Path, tmp_path: Path) -> Iterator[Path]:
    """A copy of it, to be spoilt."""
    shutil.copytree(stopped / "data", tmp_path / "data")
    yield tmp_path
    stop_all(tmp_path)
