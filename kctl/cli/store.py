"""`kctl store`: what a stopped local cluster keeps its state in - looking it over, putting it in order, copying and moving it."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from kctl.cli.named_cluster import cluster_paths, fail
from kctl.cli.terminal import Progress

if TYPE_CHECKING:
    from kctl.daemon.paths import ClusterPaths

_name = click.option("--name", default="", help="Name of the cluster. [default: the current cluster]")


@click.group("store", short_help="Check, compact, copy and move the state of a local cluster")
def store() -> None:
    """Work on what a local cluster keeps its state in: a SQLite file, or an etcd cluster (run-cluster --store).

    The cluster has to be stopped, but for `snapshot`.
    """


@contextmanager
def _failures(paths: ClusterPaths) -> Iterator[None]:
    from kctl.daemon.damage import DamagedFile
    from kctl.daemon.lock import AlreadyServed
    from kctl.daemon.store_tools import NotWithThisStore
    from store.errors import StoreError

    try:
        yield
    except AlreadyServed as error:
        fail(f'cluster "{paths.name}" is running (process {error.holder.process_id or "?"}); stop it first: kctl cluster stop {paths.name}')
    except (NotWithThisStore, StoreError, DamagedFile) as error:
        fail(str(error))


@store.command("check", short_help="Look the state over")
@_name
def check(name: str) -> None:
    """Check every page of the file, every revision and every stored object. Exit code 1 where something is wrong; nothing is changed.

    \b
    kctl store check
    kctl store check --name dev
    """
    from kctl.daemon import store_tools

    paths = cluster_paths(name)
    with _failures(paths):
        report = store_tools.check(paths)
    click.echo(f"objects:           {report.keys}")
    click.echo(f"revision:          {report.revision}")
    click.echo(f"compacted to:      {report.compact_revision}")
    click.echo(f"revisions kept:    {report.rows}")
    click.echo(f"bytes:             {report.bytes} ({report.free_bytes} free)")
    for problem in report.problems:
        click.echo(f"error: {problem}", err=True)
    if report.problems:
        click.echo(f"Restore {paths.state} from a copy (kctl store snapshot makes them), or give up the objects that are named.", err=True)
    sys.exit(1 if report.problems else 0)


@store.command("compact", short_help="Forget the history of all objects")
@_name
def compact(name: str) -> None:
    """Forget every revision but the present one. A running cluster does this by itself, keeping five minutes."""
    from kctl.daemon import store_tools

    paths = cluster_paths(name)
    with _failures(paths):
        before, now = asyncio.run(store_tools.compact(paths))
    click.echo(f"compacted to revision {now} (before: {before})")


@store.command("defrag", short_help="Give free space back to the file system")
@_name
def defrag(name: str) -> None:
    """Write the file anew without the space that compactions have left in it."""
    from kctl.daemon import store_tools

    paths = cluster_paths(name)
    with _failures(paths):
        saved = store_tools.defragment(paths)
    click.echo(f"{paths.state} is {saved} bytes smaller" if saved > 0 else f"{paths.state} has nothing to give back")


@store.command("snapshot", short_help="Copy the state to a file")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@_name
def snapshot(file: Path, name: str) -> None:
    """Copy the state to FILE, also while the cluster runs. Put in the place of a stopped cluster's state.db it brings that state back.

    \b
    kctl store snapshot before-upgrade.db
    """
    from kctl.daemon import store_tools

    paths = cluster_paths(name)
    with _failures(paths):
        store_tools.snapshot(paths, file)
    click.echo(f'{file} holds the state of cluster "{paths.name}"')


@store.command("migrate", short_help="Move the state between a SQLite file and etcd")
@click.argument("source", metavar="FROM")
@click.argument("target", metavar="TO")
@_name
@click.option("--etcd-cafile", default="", help="Certificate authorities (PEM) that etcd's members are signed by.")
@click.option("--etcd-certfile", default="", help="Client certificate (PEM) for etcd.")
@click.option("--etcd-keyfile", default="", help="Key (PEM) of the client certificate for etcd.")
def migrate(source: str, target: str, name: str, etcd_cafile: str, etcd_certfile: str, etcd_keyfile: str) -> None:
    """Move a stopped cluster's state: FROM is where it is, TO where it shall be, each `sqlite` or etcd://HOST:PORT,...

    Everything is copied and read again before the cluster is switched over, and where that was broken off it goes on. Objects keep
    everything but their resourceVersions, which never become lower. On etcd nothing else may lie under /registry/.

    \b
    kctl store migrate sqlite etcd://127.0.0.1:2379
    kctl store migrate etcd://127.0.0.1:2379 sqlite
    """
    from kctl.daemon import store_tools

    paths = cluster_paths(name)
    files = {"etcd_cafile": etcd_cafile, "etcd_certfile": etcd_certfile, "etcd_keyfile": etcd_keyfile}
    given = {setting: str(Path(value).absolute()) for setting, value in files.items() if value}
    with _failures(paths), Progress(sys.stderr, f'Moving cluster "{paths.name}"') as progress:
        moved = asyncio.run(
            store_tools.migrate(paths, source, target, given, lambda what, done, of: progress.show(f"{what} {done} of {of}"))
        )
    click.echo(f'cluster "{paths.name}" keeps its state in {target} now: {moved.keys} objects, revision {moved.revision}')
