"""Recordings: written and read back whole, without Secrets' values, refused by name where the file is not what it should be, played back
with the revisions they had and by a component in a control plane."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest

from kctl.apimachinery.clock import FakeClock
from kctl.apimachinery.resources import PODS
from kctl.daemon.components import EtcdComponent, KubeApiserverComponent
from kctl.daemon.config import ClusterConfig
from kctl.daemon.control_plane import ControlPlane
from kctl.daemon.paths import ClusterPaths
from kctl.daemon.recordings import replay
from kctl.daemon.recordings.format import BrokenRecording, Header, Record, RecordingReader, RecordingWriter
from kctl.daemon.recordings.record import NotRecordable, Recorder, without_values
from store.memory import MemoryStore
from store.rows import Log, Row, write_log

HEADER = Header("old", True, 0, {"nodes": 2, "node_prefix": "old"})


def pod(name: str, **status: Any) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "default", "uid": name, "creationTimestamp": "2026-01-01T00:00:00Z"},
        "spec": {"containers": [{"name": "c", "image": "i"}]},
        "status": status,
    }


def put(revision: int, obj: dict[str, Any], created: int = 0, time: str = "2026-01-01T00:00:00Z") -> Record:
    key = f"/registry/core/pods/default/{obj['metadata']['name']}"
    return Record(revision, key, created or revision, 1 if not created else 2, time, ("kubectl",), obj)


def gone(record: Record, revision: int) -> Record:
    return record._replace(revision=revision, object=None, writers=())


FIRST = put(3, pod("a"))
RECORDS = [
    FIRST,
    put(4, pod("a", phase="Running"), created=3, time="2026-01-01T00:00:10Z"),
    put(5, pod("b"), time="2026-01-01T00:00:20Z"),
    gone(FIRST, 6),
]


def written(path: Path, records: list[Record] = RECORDS, header: Header = HEADER) -> Path:
    with RecordingWriter(path, header) as writer:
        for one in records:
            writer.write(one)
    return path


def lines_of(path: Path) -> list[bytes]:
    return gzip.decompress(path.read_bytes()).splitlines(keepends=True)


def test_what_is_written_is_read(tmp_path: Path) -> None:
    path = written(tmp_path / "r")
    assert path.stat().st_mode & 0o777 == 0o600
    with RecordingReader(path) as reader:
        assert reader.header == HEADER and list(reader.records()) == RECORDS
    with pytest.raises(FileExistsError):
        RecordingWriter(path, HEADER)


def test_a_failure_leaves_no_file(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), RecordingWriter(tmp_path / "r", HEADER):
        raise ZeroDivisionError
    assert not (tmp_path / "r").exists()


def _line(**changes: Any) -> bytes:
    whole = {"revision": 9, "type": "PUT", "key": "/registry/core/pods/d/x", "createRevision": 9, "version": 1, "time": "", "writers": []}
    return orjson.dumps(whole | {"object": {}} | changes) + b"\n"


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"hello", "is no recording of a cluster"),
        (gzip.compress(b"hello\n"), "is damaged: line 1: no JSON"),
        (gzip.compress(b"[]\n"), "is damaged: line 1: no JSON object"),
        (gzip.compress(b"{}\n"), "is no recording of a cluster"),
        (gzip.compress(b'{"recording": 7}\n'), "is of another kctl: format 7, and this one knows 1"),
        (gzip.compress(b'{"recording": 1, "cluster": 5}\n'), "is damaged: line 1: the head is not as it should be"),
        (b"", "is no recording of a cluster"),
    ],
    ids=["text", "no JSON", "a list", "no head", "newer", "wrong head", "empty"],
)
def test_files_that_are_no_recordings(tmp_path: Path, content: bytes, why: str) -> None:
    path = tmp_path / "r"
    path.write_bytes(content)
    with pytest.raises(BrokenRecording, match=why):
        RecordingReader(path)


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (b"nonsense\n", "line 6: no JSON"),
        (_line(revision=2, createRevision=2), "line 6: revision 2 after 6"),
        (_line(revision="9"), "line 6: its revisions are none"),
        (_line(revision=True), "line 6: its revisions are none"),
        (_line(createRevision=10), "line 6: its revisions are none"),
        (_line(key="../../etc/passwd"), "line 6: no key of an object"),
        (_line(key="/registry/core/pods"), "line 6: no key of an object"),
        (_line(key="/registry/core/pods/" + "x" * 5000), "line 6: no key of an object"),
        (_line(object=None), "line 6: neither an object nor its deletion"),
        (_line(type="DELETE"), "line 6: neither an object nor its deletion"),
        (_line(type="POST"), "line 6: neither an object nor its deletion"),
        (_line(writers=[1]), "line 6: its time or writers are none"),
        (_line(time=3), "line 6: its time or writers are none"),
        (b'{"end": true, "records": 7, "revision": 6}\n', "line 6: it tells of 7 records, and there are 4"),
        (b"", "is cut off after revision 6: --to-revision 6 plays back what there is"),
    ],
)
def test_lines_that_are_not_as_they_should_be(tmp_path: Path, line: bytes, why: str) -> None:
    path = written(tmp_path / "r")
    path.write_bytes(gzip.compress(b"".join(lines_of(path)[:-1]) + line))
    with RecordingReader(path) as reader, pytest.raises(BrokenRecording, match=why):
        list(reader.records())
    with RecordingReader(path) as reader:  # up to what is whole it can be used
        assert list(replay.up_to(reader, 6)) == RECORDS


@pytest.mark.parametrize("cut", [1, 8, 40])
def test_a_file_that_is_cut_off_or_has_a_wrong_byte(tmp_path: Path, cut: int) -> None:
    path = written(tmp_path / "r")
    whole = path.read_bytes()
    for damaged in (whole[:-cut], whole[:-cut] + bytes([whole[-cut] ^ 255]) + whole[len(whole) - cut + 1 :]):
        path.write_bytes(damaged)
        with pytest.raises(BrokenRecording), RecordingReader(path) as reader:
            list(reader.records())


def test_a_line_has_a_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path / "r", [put(3, pod("x" * 2000))])
    monkeypatch.setattr("kctl.daemon.recordings.format.MAX_LINE", 1000)
    with RecordingReader(path) as reader, pytest.raises(BrokenRecording, match="is too large"):
        list(reader.records())


def test_settings_that_are_none_are_refused(tmp_path: Path) -> None:
    assert replay.settings_for(HEADER, "new", tmp_path).nodes == 2
    with pytest.raises(BrokenRecording, match="invalid settings: nodes -3"):
        replay.settings_for(HEADER._replace(settings={"nodes": -3, "nonsense": 1}), "new", tmp_path)


def test_secrets_lose_their_values() -> None:
    annotations = {"kubectl.kubernetes.io/last-applied-configuration": '{"data":{"a":"c2VjcmV0"}}', "note": "x"}
    secret = {"kind": "Secret", "metadata": {"name": "s", "annotations": annotations}, "data": {"a": "c2VjcmV0"}, "stringData": {"b": "z"}}
    assert without_values(secret) == {
        "kind": "Secret",
        "metadata": {"name": "s", "annotations": {"note": "x"}},
        "data": {"a": "aGlkZGVu"},
    }
    assert secret["data"] == {"a": "c2VjcmV0"}


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[ClusterPaths]:
    """A stopped one with a secret and a pod that was deleted."""
    paths = ClusterPaths(tmp_path / "old")
    ClusterConfig("old").save(paths.settings)
    secret = {"kind": "Secret", "apiVersion": "v1", "metadata": {"name": "s"}, "data": {"a": "c2VjcmV0"}}
    rows = [
        Row(1, "/registry/core/secrets/default/s", 1, 1, False, orjson.dumps(secret)),
        Row(2, "/registry/core/pods/default/a", 2, 1, False, orjson.dumps(pod("a"))),
        Row(3, "/registry/core/pods/default/a", 2, 1, True, b""),
    ]
    write_log(paths.state, rows, 0)
    yield paths


def _told(obj: Any, previous: Any) -> tuple[str, tuple[str, ...]]:
    return "2026-01-01T00:00:00Z", () if obj is None else ("me",)


@pytest.mark.parametrize("with_secrets", [False, True])
def test_a_cluster_is_recorded_and_played_back(tmp_path: Path, cluster: ClusterPaths, with_secrets: bool) -> None:
    recorder = Recorder(cluster, _told, with_secrets=with_secrets)
    with recorder.write_to(tmp_path / "r") as writer:
        for one in recorder.more():
            writer.write(one)
        assert list(recorder.more()) == []
    recorder.close()
    assert (b"c2VjcmV0" in b"".join(lines_of(tmp_path / "r"))) is with_secrets

    new = ClusterPaths(tmp_path / "new")
    clock = FakeClock()
    with RecordingReader(tmp_path / "r") as reader:
        config = replay.settings_for(reader.header, "new", tmp_path)
        assert config.node_prefix == "old"
        assert replay.make(new, config, replay.up_to(reader, 2), reader.header, clock) == (2, "2026-01-01T00:00:00Z")
    log = Log(new.state)
    rows = list(log.after(0))
    log.close()
    assert [(row.revision, row.deleted) for row in rows] == [(1, False), (2, False)]
    assert orjson.loads(rows[1].value) == pod("a")
    with pytest.raises(replay.NotReplayable, match="cluster 'new' exists already"):
        replay.make(new, config, [], HEADER, clock)


def test_what_cannot_be_recorded(tmp_path: Path, cluster: ClusterPaths) -> None:
    with pytest.raises(NotRecordable, match="has no state yet"):
        Recorder(ClusterPaths(tmp_path / "nothing"), _told)
    ClusterConfig("old", store="etcd://127.0.0.1:2379").save(cluster.settings)
    with pytest.raises(NotRecordable, match="only a state in a file can be recorded"):
        Recorder(cluster, _told)


def test_what_was_before_the_recording_is_not_played_back() -> None:
    header = HEADER._replace(compact_revision=4)
    with pytest.raises(replay.NotReplayable, match="knows nothing before revision 4"):
        replay.check_revision(header, 3)
    before, then = replay.split_at_beginning(iter(RECORDS), 4)
    assert before == RECORDS[:2] and list(then) == RECORDS[2:]


@pytest.mark.real_time
async def test_what_happened_happens_again_at_its_time() -> None:
    """Nothing but the clock moves it on."""
    clock = FakeClock()
    start = clock.now()
    records = [one._replace(time=_at(start, seconds)) for one, seconds in zip(RECORDS, (0, 10, 20, 20), strict=True)]
    told: asyncio.Queue[int] = asyncio.Queue()
    ended = asyncio.Event()

    def maker(context: Any) -> replay.Replay:
        return replay.Replay(context, iter(records), lambda one: told.put_nowait(one.revision), ended.set)

    plane = ControlPlane(MemoryStore(), clock, 1, (), (EtcdComponent, KubeApiserverComponent, maker))
    async with plane:
        client = plane.client()
        assert await asyncio.wait_for(told.get(), 30) == 3
        assert (await client.get(PODS, "a", "default"))["metadata"]["uid"] == "a" and told.empty()
        clock.advance(10)
        assert await asyncio.wait_for(told.get(), 30) == 4
        assert (await client.get(PODS, "a", "default"))["status"] == {"phase": "Running"}
        clock.advance(10)
        await asyncio.wait_for(ended.wait(), 30)
        assert [item["metadata"]["name"] for item in (await client.list(PODS, "default"))["items"]] == ["b"]


def _at(start: Any, seconds: float) -> str:
    from kctl.apimachinery import times

    return times.rfc3339(start + timedelta(seconds=seconds))
