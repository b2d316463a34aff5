"""The audit log's file: JSON lines, for its owner alone; put aside at a size, as by upstream's log backend (lumberjack)."""

from __future__ import annotations

import asyncio
import gzip
import logging
import os
import sys
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from kctl.apimachinery.clock import Clock

_LOG = logging.getLogger(__name__)
_MEGABYTE = 1024 * 1024
_FORM = "%Y-%m-%dT%H-%M-%S.%f"


@dataclass(frozen=True, slots=True)
class Rotation:
    """`--audit-log-maxsize` in megabytes, 0 is 100; `--audit-log-maxbackup` and `--audit-log-maxage` in days, 0 is no limit;
    `--audit-log-compress`."""

    megabytes: int = 0
    backups: int = 0
    days: int = 0
    compress: bool = False

    @property
    def maximum_bytes(self) -> int:
        return (self.megabytes or 100) * _MEGABYTE


class AuditLog:
    """`path` '-' is standard output. What one turn of the event loop logs is written at once."""

    def __init__(self, path: str, clock: Clock, rotation: Rotation | None = None, maximum_bytes: int = 0) -> None:
        self._path = path
        self._clock = clock
        self._rotation = rotation or Rotation()
        self._maximum = maximum_bytes or self._rotation.maximum_bytes
        self._file = -1
        self._size = 0
        self._waiting: list[bytes] = []
        self._tidying: asyncio.Future[None] | None = None

    def open(self) -> None:
        """Raises OSError."""
        if self._path == "-":
            self._file = sys.stdout.fileno()
            return
        self._file = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._size = os.fstat(self._file).st_size

    def write(self, line: bytes) -> None:
        if not self._waiting:
            asyncio.get_running_loop().call_soon(self.flush)
        self._waiting.append(line)

    def flush(self) -> None:
        """A disk that is full must not stop the server: what cannot be written is lost, and the server's own log says so."""
        data, self._waiting = b"".join(self._waiting), []
        if not data or self._file < 0:
            return
        try:
            if self._path != "-" and self._size and self._size + len(data) > self._maximum:
                self._put_aside()
            while data:
                written = os.write(self._file, data)
                self._size += written
                data = data[written:]
        except OSError as error:
            _LOG.error("audit events are lost: %s: %s", self._path, error.strerror)

    def _put_aside(self) -> None:
        path = Path(self._path)
        path.rename(path.with_name(f"{path.stem}-{self._clock.now().strftime(_FORM)[:-3]}{path.suffix}"))
        self.close()
        self.open()
        rotation = self._rotation
        if (rotation.backups or rotation.days or rotation.compress) and (self._tidying is None or self._tidying.done()):
            self._tidying = asyncio.ensure_future(self._clock.beside(lambda: self.tidy(self._clock.now())))

    def tidy(self, now: datetime) -> None:
        """Delete what was put aside and is too old or too many, compress the rest where that is wanted; for a thread."""
        path, rotation = Path(self._path), self._rotation
        kept = sorted(_put_aside_before(path), reverse=True)
        if rotation.backups:
            moments = list(dict.fromkeys(moment for moment, _ in kept))[: rotation.backups]
            kept = _without(kept, [file for file in kept if file[0] not in moments])
        if rotation.days:
            kept = _without(kept, [file for file in kept if file[0] < now - timedelta(days=rotation.days)])
        if rotation.compress:
            for _, file in kept:
                if file.suffix != ".gz":
                    _compress(file)

    def close(self) -> None:
        if self._file >= 0 and self._path != "-":
            os.close(self._file)
        self._file = -1


_Aside = tuple[datetime, Path]


def _without(files: list[_Aside], unwanted: list[_Aside]) -> list[_Aside]:
    for _, file in unwanted:
        try:
            file.unlink(missing_ok=True)
        except OSError as error:
            _LOG.error("%s cannot be deleted: %s", file, error.strerror)
    return [file for file in files if file not in unwanted]


def _put_aside_before(path: Path) -> list[_Aside]:
    """By the time in their names; other files are nobody's business here."""
    files: list[_Aside] = []
    for file in path.parent.glob(f"{path.stem}-*{path.suffix}*"):
        text = file.name.removesuffix(".gz").removeprefix(f"{path.stem}-")
        if path.suffix and not text.endswith(path.suffix):
            continue
        try:
            files.append((datetime.strptime(text.removesuffix(path.suffix), _FORM).replace(tzinfo=UTC), file))
        except ValueError:
            continue
    return files


def _compress(file: Path) -> None:
    target = file.with_name(f"{file.name}.gz")
    try:
        with (
            open(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), "wb") as out,
            gzip.open(out, "wb") as packed,
            file.open("rb") as plain,
        ):
            while data := plain.read(_MEGABYTE):
                packed.write(data)
        file.unlink()
    except OSError as error:
        _LOG.error("%s cannot be compressed: %s", file, error.strerror)
