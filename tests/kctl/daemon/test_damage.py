"""Damaged files of a cluster: what is wrong is named with the file, and a file that is whole is taken."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from kctl.daemon import cluster_files, current_cluster, pki
from kctl.daemon.config import ClusterConfig
from kctl.daemon.damage import DamagedFile
from kctl.daemon.lock import AlreadyServed, ClusterLock, Holder, holder
from kctl.daemon.paths import ClusterPaths
from kctl.daemon.pki import FILES, Pki

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "is empty"),
        ("{", "is not JSON"),
        ("[1]", "is not a JSON object"),
        ("[" * 10_000, "is not JSON"),
        (" " * 70_000, "has more than"),
        ('{"nodes": "many", "port": 70000}', "has invalid values: nodes 'many', port 70000"),
        ('{"node_cpu": "x", "control_plane_taint": 1}', "has invalid values: node_cpu 'x', control_plane_taint 1"),
        ('{"nodes": true, "host": ""}', "has invalid values: nodes True, host ''"),
        ('{"name": "other"}', "is of the cluster 'other'"),
    ],
)
def test_settings_that_are_damaged(tmp_path: Path, text: str, why: str) -> None:
    path = tmp_path / "dev" / "cluster.json"
    path.parent.mkdir()
    path.write_text(text)
    with pytest.raises(DamagedFile) as caught:
        ClusterConfig.load(path)
    assert str(caught.value).startswith(f"{path} {why}") and "; " in str(caught.value)
    path.write_text("{}")
    assert ClusterConfig.load(path) == ClusterConfig("dev")


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    made = pki.ensure(tmp_path_factory.mktemp("keys") / "pki", now=NOW, hosts=[])
    return {name: made[name].read_bytes() for name in FILES}


@pytest.fixture
def copy(keys: dict[str, bytes], tmp_path: Path) -> Pki:
    (tmp_path / "pki").mkdir()
    for name, data in keys.items():
        (tmp_path / "pki" / name).write_bytes(data)
    return Pki(tmp_path / "pki")


SPOILT: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda data: b"",
    "blank": lambda data: b"\n" * len(data),
    "cut": lambda data: data[: len(data) // 2],
    "a line lost": lambda data: b"\n".join([line for number, line in enumerate(data.split(b"\n")) if number != 1]),
    "zeros": lambda data: bytes(len(data)),
    "no base64": lambda data: data.replace(b"M", b"\xff"),
}


@pytest.mark.parametrize("name", FILES)
def test_keys_that_are_missing_or_broken(copy: Pki, keys: dict[str, bytes], name: str) -> None:
    copy.check()
    for spoil in SPOILT.values():
        copy[name].write_bytes(spoil(keys[name]))
        with pytest.raises(DamagedFile) as caught:
            pki.ensure(copy.directory, now=NOW, hosts=[])
        assert str(copy[name]) in str(caught.value)
    copy[name].unlink()
    with pytest.raises(DamagedFile, match="is missing; restore it from a copy"):
        pki.ensure(copy.directory, now=NOW, hosts=[])
    assert not copy[name].exists()


@pytest.mark.parametrize("pair", ["ca", "apiserver", "admin"])
def test_keys_that_do_not_belong_to_their_certificates(copy: Pki, keys: dict[str, bytes], pair: str) -> None:
    copy[f"{pair}.key"].write_bytes(keys["sa.key"])
    with pytest.raises(DamagedFile, match=f"{pair}.crt and {pair}.key do not belong together"):
        copy.check()


def test_keys_that_were_half_made_are_made_again(tmp_path: Path) -> None:
    unfinished = tmp_path / pki.UNFINISHED
    unfinished.mkdir()
    (unfinished / "ca.key").write_text("half")
    pki.ensure(tmp_path / "pki", now=NOW, hosts=[]).check()
    assert not unfinished.exists()


@pytest.mark.parametrize(
    "text", ["junk", '{"pid": 0}', '{"pid": -1, "server": "x", "startedAt": ""}', '{"pid": "5", "server": "x", "startedAt": ""}', "[" * 600]
)
def test_a_lock_that_does_not_say_by_whom_it_is_held(tmp_path: Path, text: str) -> None:
    path = tmp_path / "run.pid"
    path.write_text(text)
    assert holder(path) is None
    descriptor = os.open(path, os.O_RDWR)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        for ask in (lambda: holder(path), ClusterLock(path).acquire):
            with pytest.raises(DamagedFile, match="is locked by a process but does not say by which"):
                ask()
        os.ftruncate(descriptor, 0)
        starting = holder(path)
        assert starting is not None and (starting.process_id, starting.server) == (0, "")
    finally:
        os.close(descriptor)


def test_the_first_process_of_a_container_may_hold_the_lock(tmp_path: Path) -> None:
    path = tmp_path / "run.pid"
    path.write_text('{"pid": 1, "server": "https://x", "startedAt": ""}')
    descriptor = os.open(path, os.O_RDWR)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        assert holder(path) == Holder(1, "https://x", "")
    finally:
        os.close(descriptor)


def test_a_cluster_in_use_is_not_deleted(tmp_path: Path) -> None:
    paths = ClusterPaths(tmp_path / "dev")
    ClusterConfig("dev").save(paths.settings)
    with ClusterLock(paths.process_id), pytest.raises(AlreadyServed):
        cluster_files.delete(paths)
    assert paths.settings.exists()
    cluster_files.delete(paths)
    assert not paths.directory.exists()


def test_a_lock_file_that_is_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "victim").write_text("mine")
    (tmp_path / "run.pid").symlink_to(tmp_path / "victim")
    with pytest.raises(DamagedFile, match="is a symbolic link"):
        ClusterLock(tmp_path / "run.pid").acquire()
    assert (tmp_path / "victim").read_text() == "mine"


@pytest.mark.parametrize("text", ["", "../../victim\n", "\0\xff", "a b", "UPPER", "x" * 100_000])
def test_a_current_cluster_file_that_names_none(tmp_path: Path, text: str) -> None:
    environment = {"XDG_DATA_HOME": str(tmp_path)}
    path = current_cluster.file_path(environment)
    path.parent.mkdir()
    path.write_text(text)
    with pytest.raises(DamagedFile, match="choose a cluster with: kctl cluster use NAME"):
        current_cluster.find("", environment)
    with pytest.raises(DamagedFile):
        current_cluster.to_start("", environment)
    assert current_cluster.to_start("dev", environment) == ClusterPaths.of("dev", environment)


def test_a_folder_in_place_of_the_current_cluster_file_is_noticed_before_a_cluster_starts(tmp_path: Path) -> None:
    environment = {"XDG_DATA_HOME": str(tmp_path)}
    current_cluster.check_writable(environment)
    current_cluster.file_path(environment).mkdir(parents=True)
    with pytest.raises(DamagedFile, match="is a directory; move it away"):
        current_cluster.check_writable(environment)
