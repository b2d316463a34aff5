"""`kctl cluster record` and `replay`: what happened in a cluster as one file, for bug reports, and a new cluster in which it happens again."""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from kctl.cli.named_cluster import cluster_paths, fail
from kctl.cli.terminal import Progress

if TYPE_CHECKING:
    from kctl.apimachinery.objects import Object
    from kctl.cli.run_cluster_report import Start
    from kctl.daemon.cluster import Cluster
    from kctl.daemon.recordings.format import Record, RecordingReader
    from kctl.daemon.recordings.record import Recorder

_POLL_SECONDS = 0.2
_SHOWN = 500
"""After so many records the progress is shown again."""


@contextlib.contextmanager
def _failures(path: Path) -> Iterator[None]:
    """Any of what can go wrong with files, stores and recordings, as one line."""
    from kctl.daemon.damage import DamagedFile
    from kctl.daemon.lock import AlreadyServed
    from kctl.daemon.recordings.format import BrokenRecording
    from kctl.daemon.recordings.record import NotRecordable
    from kctl.daemon.recordings.replay import NotReplayable
    from store.errors import StoreError

    try:
        yield
    except (BrokenRecording, NotRecordable, NotReplayable, DamagedFile, AlreadyServed, StoreError) as error:
        fail(str(error))
    except FileExistsError:
        fail(f"{path} is there already; recordings are never overwritten")
    except OSError as error:
        fail(f"{error.filename or path}: {(error.strerror or str(error)).lower()}")


@click.command("record", short_help="Record what happened in a cluster, for a bug report")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--of", "name", metavar="CLUSTER", help="The cluster; without it, the current one.")
@click.option("--watch", "-w", is_flag=True, help="Go on recording until interrupted (Ctrl-C).")
@click.option("--with-secrets", is_flag=True, help="Record the values of Secrets too. Then the file is as confidential as the cluster.")
def record(file: Path, name: str | None, watch: bool, with_secrets: bool) -> None:
    """Write every change of every object that the cluster still knows of into FILE: when it was made, by whom, and what became of the object.
    The cluster may run or not; it is only read. Without --with-secrets no value of a Secret is in the file.

    \b
    kctl cluster record bug.recording
    kctl cluster record bug.recording --watch          # until Ctrl-C
    """
    from kctl.daemon.recordings.record import Recorder

    paths = cluster_paths(name)
    with _failures(file):
        recorder = Recorder(paths, _Describer(), with_secrets=with_secrets)
        with (
            contextlib.closing(recorder),
            recorder.write_to(file) as writer,
            Progress(sys.stderr, f'Recording cluster "{paths.name}"') as progress,
        ):
            for one in _records(recorder, _interrupted() if watch else None):
                if one is not None:
                    writer.write(one)
                    if writer.records % _SHOWN == 0:
                        progress.show(f"{writer.records} writes")
                    continue
                writer.flush()
                progress.show(f"{writer.records} writes")
        secrets = "with the values of Secrets" if with_secrets else "without the values of Secrets"
        click.echo(f"{writer.records} writes up to revision {writer.revision} recorded in {file}, {secrets}")


def _interrupted() -> threading.Event:
    """Set when the user has had enough: a signal must not tear a line in two."""
    over = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: over.set())
    return over


class _Describer:
    """When and by whom, as far as objects tell. Time does not go back: who leaves no time behind wrote after what was written before."""

    def __init__(self) -> None:
        self._latest = ""

    def __call__(self, obj: Object | None, previous: Object | None) -> tuple[str, tuple[str, ...]]:
        from kctl.apimachinery import objects, times
        from kctl.cli.past.revisions import written
        from kctl.cli.past.writers import writers_of

        if obj is None:
            return self._latest, ()
        moment = written(obj)
        told = [times.rfc3339(moment)] if moment is not None else []
        renewed = objects.spec(obj).get("renewTime") if obj.get("kind") == "Lease" else None
        told += [str(renewed)[:19] + "Z"] if renewed else []
        self._latest = max([self._latest, *told])
        return self._latest, tuple(str(one) for one in writers_of(obj, previous))


def _records(recorder: Recorder, over: threading.Event | None) -> Iterator[Record | None]:
    """None whenever all has been told for now. Without `over` that is the end."""
    while True:
        last = over is None or over.is_set()
        yield from recorder.more()
        yield None
        if last or over is None:
            return
        over.wait(_POLL_SECONDS)


@click.command("replay", short_help="Play a recording back into a new cluster")
@click.argument("file", type=click.Path(path_type=Path))
@click.argument("new_cluster", required=False)
@click.option("--to-revision", type=click.IntRange(1), default=None, help="Stop after this revision. [default: the last one]")
@click.option("--speed", type=float, default=None, help="Let it happen again while the cluster is served, so many times as fast as it did.")
@click.option("--list", "list_only", is_flag=True, help="Only print what is in the recording: when, who, what. No cluster is made.")
def replay(file: Path, new_cluster: str | None, to_revision: int | None, speed: float | None, list_only: bool) -> None:
    """Make a cluster of what `kctl cluster record` wrote. It holds the same objects, with the same revisions and history; the time in it goes
    on from where the recording ends. It is stopped: look at it with `kctl get`, `history`, `story`, or let it go on with `kctl run-cluster`.

    With --speed the cluster is served at once, without controllers, scheduler and kubelets, and what was recorded happens in it again, for
    kubectl and any other client to watch; `kctl cluster clock pause|step|speed` steer it.

    \b
    kctl cluster replay bug.recording bug && kctl get pods --cluster bug
    kctl cluster replay bug.recording bug --to-revision 4711
    kctl cluster replay bug.recording bug --speed 10
    kctl cluster replay bug.recording --list
    """
    from kctl.apimachinery.clock import RealClock
    from kctl.daemon.recordings import replay as playing
    from kctl.daemon.recordings.format import RecordingReader

    if bool(new_cluster) is list_only:
        fail("the name of the new cluster is needed" if not list_only else "--list makes no cluster: leave its name away")
    if speed is not None:
        _check_speed(speed)
    revision = to_revision or 0
    with _failures(file), RecordingReader(file) as reader:
        playing.check_revision(reader.header, revision)
        if list_only:
            for one in playing.up_to(reader, revision):
                click.echo(_line(one))
            return
        paths = cluster_paths(new_cluster, deleted=True)
        config = playing.settings_for(reader.header, paths.name, file)
        if speed is not None:
            _play(file, reader, paths.name, revision, speed)
        newest, _ = playing.make(paths, config, playing.up_to(reader, revision), reader.header, RealClock())
    click.echo(
        f'cluster "{paths.name}" made of the recording of "{reader.header.cluster}" up to revision {newest}; look at it with '
        f"--cluster {paths.name}, or start it with: kctl run-cluster --name {paths.name}"
    )


def _check_speed(speed: float) -> None:
    from kctl.apimachinery.times import FASTEST_SPEED, SLOWEST_SPEED
    from kctl.daemon.config import speed_valid

    if not speed_valid(speed):
        fail(f"invalid --speed {speed:g}: must be between {SLOWEST_SPEED:g} and {FASTEST_SPEED:g}")


def _line(one: Record) -> str:
    """7:00:01  deployment-controller  created apps/replicasets default/web-7d9f"""
    _, _, group, plural, name = one.key.split("/", 4)
    verb = "deleted" if one.object is None else "created" if one.create_revision == one.revision else "updated"
    kind = plural if group == "core" else f"{plural}.{group}"
    return f"{one.revision}\t{one.time or '-'}\t{verb}\t{kind}\t{name}\t{', '.join(one.writers) or '-'}"


def _play(file: Path, reader: RecordingReader, name: str, revision: int, speed: float) -> None:
    """Until it is interrupted; ends the program."""
    from dataclasses import replace

    from kctl.apimachinery.clock import RealClock
    from kctl.cli.run_cluster import serve_on_terminal
    from kctl.cli.run_cluster_report import Start
    from kctl.daemon.recordings import replay as playing

    paths = cluster_paths(name, deleted=True)
    config = replace(playing.settings_for(reader.header, name, file), speed=speed)
    records = playing.up_to(reader, revision)
    before, then = playing.split_at_beginning(records, reader.header.compact_revision)
    first = next(then, None)
    playing.make(paths, config, before, reader.header, RealClock())
    if first is not None:
        playing.set_time(paths.clock, first.time, RealClock())
    progress = Progress(sys.stderr, f"Replaying {file}")

    def shown(one: Record) -> None:
        progress.show(_line(one).replace("\t", "  "))

    def ended() -> None:
        progress.end()
        click.echo(f"{file} has been replayed; the cluster stays until Ctrl-C", err=True)

    def make(start: Start) -> Cluster:
        rest = then if first is None else _again(first, then)
        return playing.ReplayedCluster(start.paths, start.config, RealClock()).replays(rest, shown, ended)

    sys.exit(serve_on_terminal(Start(paths, config, False, existed=True), make))


def _again(first: Record, rest: Iterator[Record]) -> Iterator[Record]:
    yield first
    yield from rest
