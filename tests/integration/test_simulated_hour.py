"""Same seed, same writes: a simulated hour of a churning cluster gives the same log twice, byte for byte, whatever strings hash to."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PLAYED_AT_LEAST = {
    "core/pods": 1000,
    "apps/deployments": 300,
    "apps/replicasets": 300,
    "batch/jobs": 50,
    "core/nodes": 50,
    "core/configmaps": 5,
    "core/persistentvolumes": 1,
    "core/endpoints": 20,
    "core/events": 1000,
}


def _start(hash_seed: int, seed: str, store: str, seconds: int, output: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "tests.integration.simulated_hour", seed, store, str(seconds)]
    with output.open("wb") as file:
        return subprocess.Popen(command, cwd=ROOT, env={**os.environ, "PYTHONHASHSEED": str(hash_seed)}, stdout=file)


def _twice(seed: str, stores: tuple[str, str], seconds: int, folder: Path) -> list[bytes]:
    outputs = [folder / f"{number}.log" for number in (1, 2)]
    runs = [_start(number, seed, store, seconds, output) for number, (store, output) in enumerate(zip(stores, outputs, strict=True), 1)]
    assert [run.wait(600) for run in runs] == [0, 0]
    return [output.read_bytes() for output in outputs]


def _first_difference(one: bytes, other: bytes) -> tuple[bytes, bytes] | None:
    """Of two long logs; pytest would compare them for minutes."""
    lines = zip(one.splitlines(), other.splitlines(), strict=False)
    return next((pair for pair in lines if pair[0] != pair[1]), None)


@pytest.mark.process
def test_an_hour_twice(tmp_path: Path) -> None:
    one, other = _twice("7", ("memory", "memory"), 3600, tmp_path)
    assert _first_difference(one, other) is None
    same = one == other
    assert same
    assert b"red" in one and b"echo.default.svc.cluster.local" in one and b"10.96.0.10" in one  # what programs found, in their pods' status
    writes = Counter("/".join(line.split(b" ", 3)[2].decode().split("/")[2:4]) for line in one.splitlines())
    assert not {kind: writes[kind] for kind, least in PLAYED_AT_LEAST.items() if writes[kind] < least}


@pytest.mark.process
def test_ten_minutes_twice_on_sqlite(tmp_path: Path) -> None:
    one, other = _twice("8", (str(tmp_path / "one.db"), str(tmp_path / "other.db")), 600, tmp_path)
    assert _first_difference(one, other) is None
    same = one == other
    assert same and one.count(b"\n") > 1000


@pytest.mark.process
def test_another_seed_is_another_cluster(tmp_path: Path) -> None:
    runs = [_start(1, seed, "memory", 60, tmp_path / seed) for seed in ("7", "8")]
    assert [run.wait(600) for run in runs] == [0, 0]
    differs = (tmp_path / "7").read_bytes() != (tmp_path / "8").read_bytes()
    assert differs
