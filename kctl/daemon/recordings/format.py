"""The file of a recording: lines of JSON, compressed with gzip.

    {"recording": 1, "cluster": "kctl", "secrets": "hidden", "compactRevision": 0, "settings": {"nodes": 3, ...}, ...}
    {"revision": 2, "type": "PUT", "key": "/registry/core/namespaces/default", "createRevision": 2, "version": 1,
     "time": "2026-11-28T07:00:00Z", "writers": ["kube-apiserver"], "object": {...}}
    {"revision": 9, "type": "DELETE", "key": ..., ...}
    {"end": true, "records": 2, "revision": 9}

Such a file comes from other people: everything in it is bounded and checked before it is used.
"""

from __future__ import annotations

import gzip
import os
import zlib
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Final, NamedTuple

import orjson

from kctl.apimachinery.json_reading import read_json
from kctl.apimachinery.objects import Object
from kctl.daemon import private_files

FORMAT: Final = 1
MAX_LINE: Final = 12 << 20
"""Bytes of a line: an object has 4 MiB at most, and JSON may write a letter in six."""
MAX_BYTES: Final = 4 << 30
"""Of a whole recording, unpacked."""
MAX_RECORDS: Final = 5_000_000
_MAX_KEY: Final = 4096
_MAX_REVISION: Final = 2**62


class BrokenRecording(Exception):
    """Why a file cannot be played back, as a user reads it."""

    def __init__(self, path: Path, why: str) -> None:
        super().__init__(f"{path} {why}")


class Header(NamedTuple):
    """`hides_secrets`: the values of Secrets are not in it. Before `compact_revision` only the last state of each object is known.
    `settings` are the cluster's, as far as they matter."""

    cluster: str
    hides_secrets: bool
    compact_revision: int
    settings: dict[str, Any]


class Record(NamedTuple):
    """A write: `object` None for a deletion. `time` is RFC 3339 or '' where nothing tells it; `writers` are field managers."""

    revision: int
    key: str
    create_revision: int
    version: int
    time: str
    writers: tuple[str, ...]
    object: Object | None


class RecordingWriter:
    """A new file, private to its owner. Nothing is left of it where something fails but an interruption: that ends it properly."""

    def __init__(self, path: Path, header: Header) -> None:
        """Raises OSError (FileExistsError too: recordings are never overwritten)."""
        self._path = path
        descriptor = private_files.open_file(path, os.O_WRONLY | os.O_EXCL)
        self._file = gzip.GzipFile(fileobj=os.fdopen(descriptor, "wb"), mode="wb", compresslevel=6, mtime=0)
        self.records = 0
        self.revision = 0
        self._line(
            {
                "recording": FORMAT,
                "cluster": header.cluster,
                "secrets": "hidden" if header.hides_secrets else "included",
                "compactRevision": header.compact_revision,
                "settings": header.settings,
            }
        )

    def write(self, record: Record) -> None:
        line: dict[str, Any] = {
            "revision": record.revision,
            "type": "DELETE" if record.object is None else "PUT",
            "key": record.key,
            "createRevision": record.create_revision,
            "version": record.version,
            "time": record.time,
            "writers": record.writers,
        }
        self._line(line if record.object is None else line | {"object": record.object})
        self.records += 1
        self.revision = record.revision

    def _line(self, value: dict[str, Any]) -> None:
        self._file.write(orjson.dumps(value) + b"\n")

    def flush(self) -> None:
        """To the disk, so that a crash loses nothing before it."""
        self._file.flush()

    def __enter__(self) -> RecordingWriter:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        whole = kind is None or issubclass(kind, KeyboardInterrupt)
        if whole:
            self._line({"end": True, "records": self.records, "revision": self.revision})
        below: Any = self._file.fileobj
        self._file.close()
        below.close()
        if not whole:
            self._path.unlink(missing_ok=True)


class RecordingReader:
    """A recording's header, and its records one after the other. Raises BrokenRecording; OSError where there is no such file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = gzip.open(path, "rb")  # noqa: SIM115 - closed by __exit__
        self._number = 0
        self._last = 0
        self._bytes = 0
        try:
            self.header = self._header()
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> RecordingReader:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._file.close()

    def _broken(self, why: str) -> BrokenRecording:
        return BrokenRecording(self._path, f"is damaged: line {self._number}: {why}")

    def _cut_off(self) -> BrokenRecording:
        advice = f" after revision {self._last}: --to-revision {self._last} plays back what there is" if self._last else ""
        return BrokenRecording(self._path, f"is cut off{advice}")

    def _next(self) -> dict[str, Any] | None:
        """None at the end of the file."""
        self._number += 1
        try:
            line = self._file.readline(MAX_LINE + 1)
        except EOFError:
            raise self._cut_off() from None
        except gzip.BadGzipFile as error:
            if self._number == 1:
                raise BrokenRecording(self._path, "is no recording of a cluster (kctl cluster record makes one)") from None
            raise self._broken(str(error)) from None
        except zlib.error as error:
            raise self._broken(str(error)) from None
        if not line:
            return None
        self._bytes += len(line)
        if len(line) > MAX_LINE or self._bytes > MAX_BYTES:
            raise BrokenRecording(self._path, f"is too large: a line may have {MAX_LINE >> 20} MiB, a recording {MAX_BYTES >> 30} GiB")
        try:
            value = read_json(line)
        except ValueError as error:
            raise self._broken(f"no JSON: {error}") from None
        if not isinstance(value, dict):
            raise self._broken("no JSON object")
        return value

    def _header(self) -> Header:
        line = self._next() or {}
        version = line.get("recording")
        if not isinstance(version, int):
            raise BrokenRecording(self._path, "is no recording of a cluster (kctl cluster record makes one)")
        if version != FORMAT:
            raise BrokenRecording(self._path, f"is of another kctl: format {version}, and this one knows {FORMAT}")
        cluster, settings, compact = line.get("cluster"), line.get("settings"), line.get("compactRevision")
        if not isinstance(cluster, str) or not isinstance(settings, dict) or not _whole(compact):
            raise self._broken("the head is not as it should be")
        return Header(cluster, line.get("secrets") != "included", int(compact or 0), settings)

    def records(self) -> Iterator[Record]:
        """By revision. The end of the file is checked too, so what is cut off is noticed."""
        count, last = 0, 0
        while True:
            line = self._next()
            if line is None:
                raise self._cut_off()
            if line.get("end"):
                if line.get("records") != count or line.get("revision") != last:
                    raise self._broken(f"it tells of {line.get('records')!r:.20} records, and there are {count}")
                if self._next() is not None:  # which checks the file's checksum, too
                    raise self._broken("it goes on after its end")
                return
            record = self._record(line)
            if record.revision <= last:
                raise self._broken(f"revision {record.revision} after {last}")
            count, last = count + 1, record.revision
            self._last = last
            if count > MAX_RECORDS:
                raise BrokenRecording(self._path, f"is too large: at most {MAX_RECORDS} records")
            yield record

    def _record(self, line: dict[str, Any]) -> Record:
        key, obj, time, writers = line.get("key"), line.get("object"), line.get("time"), line.get("writers")
        revision, created, version = line.get("revision"), line.get("createRevision"), line.get("version")
        if not (_whole(revision) and _whole(created) and _whole(version)) or not 0 < created <= revision:  # type: ignore[operator]
            raise self._broken("its revisions are none")
        if not isinstance(key, str) or len(key) > _MAX_KEY or not key.startswith("/registry/") or len(key.split("/", 4)) < 5:
            raise self._broken(f"no key of an object: {key!r:.80}")
        if line.get("type") not in ("PUT", "DELETE") or isinstance(obj, dict) is not (line["type"] == "PUT"):
            raise self._broken("neither an object nor its deletion")
        if not isinstance(time, str) or not isinstance(writers, list) or not all(isinstance(one, str) for one in writers):
            raise self._broken("its time or writers are none")
        return Record(int(revision or 0), key, int(created or 0), int(version or 0), time, tuple(writers), obj)


def _whole(value: object) -> bool:
    return type(value) is int and 0 <= value < _MAX_REVISION
