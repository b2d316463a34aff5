"""A cluster's files: private, removed only where kctl made them, and named where they are damaged."""

from __future__ import annotations

import fcntl
import os
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.clusters import clusters_of, environment_of, folder_of, start
from tests.e2e.differential import ROOT
from tests.e2e.live import kctl

pytestmark = pytest.mark.process


def _open_to_others(home: Path) -> list[str]:
    data = home / "data" / "kctl"
    return [str(one) for one in (data, *data.rglob("*")) if stat.S_IMODE(one.lstat().st_mode) & 0o077]


def test_nobody_else_can_read_a_clusters_files_whatever_the_umask(home: Path) -> None:
    command = [sys.executable, "-m", "kctl", "run-cluster", "--detach", "--nodes", "1", "--port", "0"]
    done = subprocess.run(command, cwd=ROOT, env=environment_of(home, {}), capture_output=True, text=True, umask=0)
    assert done.returncode == 0, done.stderr
    assert _open_to_others(home) == []
    assert kctl(home, "cluster", "stop").returncode == 0
    for one in (home / "data" / "kctl").rglob("*"):
        one.chmod(0o777 if one.is_dir() else 0o666)
    (home / "data" / "kctl").chmod(0o755)
    assert start(home, "kctl").returncode == 0
    assert _open_to_others(home) == []
    for one in (home / "data" / "kctl").rglob("*"):
        one.chmod(0o777 if one.is_dir() else 0o666)
    assert kctl(home, "cluster", "stop").returncode == 0
    assert kctl(home, "get", "pods").returncode == 0
    assert _open_to_others(home) == []


def _add_file(folder: Path) -> str:
    (folder / "notes.txt").write_text("mine")
    return "notes.txt"


def _add_to_pki(folder: Path) -> str:
    (folder / "pki" / "my.key").write_text("mine")
    return "pki/my.key"


def _link_a_file(folder: Path) -> str:
    victim = folder.parent.parent.parent / "victim"
    victim.write_text("mine")
    (folder / "kubeconfig").unlink()
    (folder / "kubeconfig").symlink_to(victim)
    return "kubeconfig"


def _link_a_folder(folder: Path) -> str:
    logs = folder / "logs"
    logs.rename(folder.parent.parent.parent / "victim")
    logs.symlink_to(folder.parent.parent.parent / "victim")
    return "logs"


def _make_a_folder(folder: Path) -> str:
    (folder / "state.db-wal").unlink(missing_ok=True)
    (folder / "state.db-wal").mkdir()
    return "state.db-wal"


@pytest.mark.parametrize("spoil", [_add_file, _add_to_pki, _link_a_file, _link_a_folder, _make_a_folder])
def test_deletion_removes_nothing_where_something_is_not_kctls(solo: Path, spoil: Callable[[Path], str]) -> None:
    folder = folder_of(solo, "solo")
    foreign = spoil(folder)
    before = sorted(solo.rglob("*"))
    done = kctl(solo, "cluster", "delete", "solo")
    assert done.returncode == 1 and f"{folder}/{foreign}; move it away first. Nothing was deleted" in done.stderr
    assert sorted(solo.rglob("*")) == before


def test_a_linked_cluster_folder_is_not_deleted(solo: Path) -> None:
    folder_of(solo, "solo").rename(solo / "victim")
    folder_of(solo, "solo").symlink_to(solo / "victim")
    before = sorted((solo / "victim").rglob("*"))
    done = kctl(solo, "cluster", "delete", "solo")
    assert done.returncode == 1 and str(folder_of(solo, "solo")) in done.stderr
    assert sorted((solo / "victim").rglob("*")) == before


def test_a_deleted_cluster_leaves_nothing(solo: Path) -> None:
    assert start(solo, "solo").returncode == 0
    assert kctl(solo, "cluster", "delete").stdout == 'cluster "solo" deleted\n'
    assert list((solo / "data" / "kctl").iterdir()) == []


def _cut(name: str) -> Callable[[Path], None]:
    def spoil(folder: Path) -> None:
        data = (folder / name).read_bytes()
        (folder / name).write_bytes(data[: len(data) * 2 // 3])

    return spoil


def _write(path: Path, text: str) -> None:
    path.write_text(text)


def _folder(name: str) -> Callable[[Path], None]:
    def spoil(folder: Path) -> None:
        (folder / name).unlink(missing_ok=True)
        (folder / name).mkdir()

    return spoil


DAMAGE: list[tuple[str, Callable[[Path], None], str]] = [
    ("cluster.json", _cut("cluster.json"), "is not JSON"),
    ("cluster.json", lambda folder: (folder / "cluster.json").unlink(), "is missing although the cluster has been started before"),
    ("pki/ca.key", lambda folder: (folder / "pki" / "ca.key").unlink(), "is missing"),
    ("pki/apiserver.crt", _cut("pki/apiserver.crt"), "is not a PEM certificate"),
    ("kubeconfig", lambda folder: _write(folder / "kubeconfig", "clusters: {"), "is not a kubeconfig"),
    ("run.pid", _folder("run.pid"), "cannot be opened (is a directory)"),
]


@pytest.mark.parametrize(("file", "spoil", "why"), DAMAGE, ids=[f"{file} {why}" for file, _, why in DAMAGE])
def test_a_damaged_file_is_named_and_nothing_is_written_over_it(solo: Path, file: str, spoil: Callable[[Path], None], why: str) -> None:
    folder = folder_of(solo, "solo")
    spoil(folder)
    before = {str(one): one.read_bytes() for one in folder.rglob("*") if one.is_file() and "logs" not in one.parts}
    done = kctl(solo, "run-cluster", "--detach", "--name", "solo", timeout=20)
    assert done.returncode == 1 and done.stdout == ""
    assert done.stderr.startswith(f'error: cluster "solo" is damaged: {folder}/{file} {why}') and "; " in done.stderr, done.stderr
    after = {str(one): one.read_bytes() for one in folder.rglob("*") if one.is_file() and "logs" not in one.parts}
    assert {name: after.get(name) for name in before if not name.endswith("run.pid")} == {
        name: data for name, data in before.items() if not name.endswith("run.pid")
    }


def test_a_damaged_cluster_leaves_the_others_alone(solo: Path) -> None:
    assert start(solo, "well").returncode == 0
    (folder_of(solo, "solo") / "cluster.json").write_text("{")
    listed = kctl(solo, "cluster", "list")
    lines = [line.split() for line in listed.stdout.splitlines()]
    assert listed.returncode == 1 and lines[1][:2] == ["solo", "Damaged"] and lines[2][:3] == ["*", "well", "Running"]
    assert listed.stderr.startswith(f'error: cluster "solo" is damaged: {folder_of(solo, "solo")}/cluster.json is not JSON; correct it')
    assert kctl(solo, "get", "nodes").returncode == 0
    assert kctl(solo, "cluster", "status").returncode == 0
    assert kctl(solo, "cluster", "status", "solo").returncode == 1
    assert kctl(solo, "cluster", "delete", "solo").returncode == 0
    assert clusters_of(solo) == ["well"]


def test_commands_on_a_damaged_stopped_cluster_name_the_file(solo: Path) -> None:
    (folder_of(solo, "solo") / "pki" / "sa.key").unlink()
    done = kctl(solo, "get", "pods")
    assert done.returncode == 1 and f"{folder_of(solo, 'solo')}/pki/sa.key is missing; " in done.stderr


def test_a_damaged_current_cluster_file_is_named(solo: Path) -> None:
    text = "../../victim\n"
    path = solo / "data" / "kctl" / "current_cluster"
    path.write_text(text)
    for words in (["get", "pods"], ["run-cluster", "--detach"], ["cluster", "list"], ["cluster", "stop"], ["cluster", "delete"]):
        done = kctl(solo, *words)
        assert done.returncode == 1 and f"{path} " in done.stderr and "kctl cluster use NAME" in done.stderr, (words, done.stderr)
    assert path.read_text() == text
    assert kctl(solo, "cluster", "use", "solo").returncode == 0
    assert kctl(solo, "get", "pods").returncode == 0


def test_a_current_cluster_that_is_gone_is_named(solo: Path) -> None:
    folder_of(solo, "solo").rename(solo / "moved")
    done = kctl(solo, "get", "pods")
    assert done.returncode == 1 and 'cluster "solo" does not exist; start it with: kctl run-cluster --name solo' in done.stderr


def test_a_lock_that_does_not_say_by_whom_it_is_held_is_named_and_nobody_is_killed(solo: Path) -> None:
    path = folder_of(solo, "solo") / "run.pid"
    path.write_text('{"pid": 0}')
    descriptor = os.open(path, os.O_RDWR)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        for words in (["get", "pods"], ["cluster", "stop"], ["run-cluster", "--detach"], ["cluster", "list"]):
            done = kctl(solo, *words, timeout=20)
            assert done.returncode == 1 and f"{path} is locked by a process but does not say by which" in done.stderr, words
    finally:
        os.close(descriptor)
    assert kctl(solo, "get", "pods").returncode == 0


def test_new_keys_are_made_where_all_were_moved_away_and_that_is_said(solo: Path) -> None:
    (folder_of(solo, "solo") / "pki").rename(solo / "pki")
    started = start(solo, "solo")
    assert started.returncode == 0 and "there are new keys now" in started.stderr
    assert kctl(solo, "get", "nodes").returncode == 0
