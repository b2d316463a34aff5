"""`kctl cluster snapshot`: copies of whole clusters, made while they run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from kctl.cli.named_cluster import cluster_paths, fail

if TYPE_CHECKING:
    pass

_cluster = click.option("--of", "cluster", metavar="CLUSTER", help="The cluster; without it, the current one.")
_name = click.argument("name")


@click.group("snapshot", short_help="Save, restore and fork whole clusters")
def snapshot() -> None:
    """Copies of whole clusters: saved while they run, put back, or made into clusters of their own.

    \b
    kctl cluster snapshot save before-upgrade
    kctl cluster stop && kctl cluster snapshot restore before-upgrade && kctl run-cluster --detach
    kctl cluster snapshot fork before-upgrade experiment && kctl run-cluster --detach --name experiment
    """


@snapshot.command("save", short_help="Save the state of a cluster, running or not")
@_name
@_cluster
def save(name: str, cluster: str | None) -> None:
    """Save all objects, revisions and settings of a cluster. It goes on running; nothing waits for it but for some milliseconds."""
    from kctl.daemon import snapshots
    from kctl.daemon.damage import DamagedFile

    paths = cluster_paths(cluster)
    try:
        made = snapshots.save(paths, name)
        click.echo(f'snapshot "{name}" of cluster "{paths.name}" saved (revision {made.revision}, {_size(made.size)})')
    except (snapshots.SnapshotError, DamagedFile) as error:
        fail(str(error))
    except OSError as error:
        fail(f"{error.filename or paths.directory}: {(error.strerror or str(error)).lower()}")


@snapshot.command("restore", short_help="Put a stopped cluster back to a snapshot")
@_name
@_cluster
def restore(name: str, cluster: str | None) -> None:
    """Put a cluster back to what it was. It has to be stopped: kctl cluster stop. What has happened since is lost, so save it first if you may
    want it. A cluster that has been deleted is made anew."""
    from kctl.daemon import snapshots
    from kctl.daemon.damage import DamagedFile
    from kctl.daemon.lock import AlreadyServed

    paths = cluster_paths(cluster, deleted=True)
    try:
        found = snapshots.restore(paths, name)
        click.echo(f'cluster "{paths.name}" restored to snapshot "{name}" (revision {found.revision})')
    except (snapshots.SnapshotError, AlreadyServed, DamagedFile) as error:
        fail(str(error))
    except OSError as error:
        fail(f"{error.filename or paths.directory}: {(error.strerror or str(error)).lower()}")


@snapshot.command("fork", short_help="Make a new cluster of a snapshot")
@_name
@click.argument("new_cluster")
@_cluster
def fork(name: str, new_cluster: str, cluster: str | None) -> None:
    """Make a cluster of its own that begins as the snapshot: with the same nodes and objects, but other keys and another port."""
    from kctl.daemon import snapshots
    from kctl.daemon.damage import DamagedFile
    from kctl.daemon.lock import AlreadyServed

    paths, other = cluster_paths(cluster, deleted=True), cluster_paths(new_cluster, deleted=True)
    try:
        snapshots.fork(paths, name, other)
    except (snapshots.SnapshotError, AlreadyServed, DamagedFile) as error:
        fail(str(error))
    except OSError as error:
        fail(f"{error.filename or other.directory}: {(error.strerror or str(error)).lower()}")
    click.echo(f'cluster "{other.name}" made of snapshot "{name}" of "{paths.name}"; start it with: kctl run-cluster --name {other.name}')


@snapshot.command("list", short_help="List the snapshots of all clusters")
@click.option("-o", "--output", type=click.Choice(["table", "name"]), default="table", show_default=True, help="Output format.")
def list_snapshots(output: str) -> None:
    """List the snapshots of all clusters, also of deleted ones."""
    from kctl.daemon import snapshots
    from kctl.daemon.paths import data_home

    found = list(snapshots.all_snapshots(data_home()))
    if output == "name":
        for one in found:
            click.echo(f"{one.cluster}/{one.name}")
        return
    if not found:
        click.echo("No snapshots. Make one with `kctl cluster snapshot save NAME`.", err=True)
        return
    from tabulate import tabulate

    rows = [[one.cluster, one.name, one.made.strftime("%Y-%m-%d %H:%M:%S"), _size(one.size)] for one in found]
    click.echo(tabulate(rows, headers=["CLUSTER", "NAME", "SAVED", "SIZE"], tablefmt="plain"))


@snapshot.command("delete", short_help="Delete a snapshot")
@_name
@_cluster
def delete(name: str, cluster: str | None) -> None:
    """Delete a snapshot. The cluster stays as it is."""
    from kctl.daemon import snapshots

    paths = cluster_paths(cluster, deleted=True)
    try:
        snapshots.delete(paths, name)
    except snapshots.SnapshotError as error:
        fail(str(error))
    click.echo(f'snapshot "{name}" of cluster "{paths.name}" deleted')


def snapshot_names() -> list[str]:
    """Of all clusters, for completion."""
    from kctl.daemon import snapshots
    from kctl.daemon.paths import data_home

    return sorted({one.name for one in snapshots.all_snapshots(data_home())})


def _size(size: int) -> str:
    return f"{size / 1024 / 1024:.1f} MiB" if size >= 1024 * 1024 else f"{size / 1024:.0f} KiB"
