"""`kctl cluster`: the local clusters as such - which there are, where they run, stopping and deleting them."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from typing import TYPE_CHECKING, Any

import click

from kctl.cli.cluster_clock import clock
from kctl.cli.cluster_node import node
from kctl.cli.cluster_record import record, replay
from kctl.cli.cluster_snapshot import snapshot
from kctl.cli.named_cluster import cluster_paths, fail
from kctl.cli.terminal import Colour, Progress, coloured

if TYPE_CHECKING:
    from kctl.daemon.lock import Holder
    from kctl.daemon.paths import ClusterPaths

STOP_SECONDS = 30.0
_POLL_SECONDS = 0.02


@click.group("cluster", short_help="List, stop and delete local clusters")
def cluster() -> None:
    """Manage the clusters that `kctl run-cluster` made on this machine."""


def _holder(paths: ClusterPaths) -> Holder | None:
    from kctl.daemon.damage import DamagedFile
    from kctl.daemon.lock import holder

    try:
        return holder(paths.process_id)
    except DamagedFile as error:
        fail(f'cluster "{paths.name}" is damaged: {error}')


@cluster.command("use", short_help="Choose the cluster that kctl works with")
@click.argument("name")
def use(name: str) -> None:
    """Make a cluster the current one: kctl works with it where no other is named (--cluster, $KCTL_CLUSTER, a kubeconfig)."""
    from kctl.daemon import current_cluster
    from kctl.daemon.damage import DamagedFile

    paths = cluster_paths(name)
    try:
        current_cluster.use(paths)
    except DamagedFile as error:
        fail(str(error))
    click.echo(f'Switched to cluster "{paths.name}".')
    for variable in (current_cluster.VARIABLE, "KUBECONFIG"):
        if os.environ.get(variable):
            click.echo(f"Warning: {variable} is set, and goes before the current cluster", err=True)


@cluster.command("list", short_help="List local clusters")
@click.option(
    "-o",
    "--output",
    type=click.Choice(["table", "name", "json"]),
    default="table",
    show_default=True,
    help="Output format.",
)
def list_clusters(output: str) -> None:
    """List the clusters of this machine and whether they run; the current one is marked."""
    from kctl.daemon import current_cluster
    from kctl.daemon.damage import DamagedFile
    from kctl.daemon.paths import clusters

    problems: list[str] = []
    rows = [_row(paths, problems) for paths in clusters()]
    try:
        current_cluster.recorded()
    except DamagedFile as error:
        problems.append(str(error))
    if output == "json":
        import json

        click.echo(json.dumps(rows, indent=2))
    elif output == "name":
        for row in rows:
            click.echo(row["name"])
    elif rows:
        _print_table(rows)
    elif not problems:
        click.echo("No clusters. Start one with `kctl run-cluster`.", err=True)
    for problem in problems:
        click.echo(f"error: {problem}", err=True)
    sys.exit(1 if problems else 0)


def _row(paths: ClusterPaths, problems: list[str]) -> dict[str, Any]:
    """What is wrong with one cluster goes to `problems` and says nothing about the others."""
    from kctl.daemon import current_cluster
    from kctl.daemon.config import ClusterConfig
    from kctl.daemon.damage import DamagedFile
    from kctl.daemon.lock import holder

    running, config = None, None
    known = len(problems)
    try:
        running = holder(paths.process_id)
        config = ClusterConfig.load(paths.settings)
    except DamagedFile as error:
        problems.append(f'cluster "{paths.name}" is damaged: {error}')
    return {
        "name": paths.name,
        "current": current_cluster.is_current(paths),
        "status": "Running" if running else "Damaged" if len(problems) > known else "Stopped",
        "nodes": config.nodes if config else 0,
        "server": running.server if running else "",
        "pid": running.process_id if running else None,
    }


def _print_table(rows: list[dict[str, Any]]) -> None:
    from tabulate import tabulate

    colours: dict[str, Colour] = {"Running": "green", "Stopped": "yellow", "Damaged": "red"}
    lines = [
        [
            "*" if row["current"] else "",
            row["name"],
            coloured(sys.stdout, row["status"], colours[row["status"]]),
            row["nodes"],
            row["server"] or "<none>",
            row["pid"] or "<none>",
        ]
        for row in rows
    ]
    click.echo(tabulate(lines, headers=["CURRENT", "NAME", "STATUS", "NODES", "SERVER", "PID"], tablefmt="plain"))


@cluster.command("status", short_help="Tell whether a cluster runs, and where")
@click.argument("name", required=False)
def status(name: str | None) -> None:
    """Tell how a cluster is doing. Exit code 0 when it runs, 3 when it is stopped."""
    from kctl.daemon.config import ClusterConfig
    from kctl.daemon.damage import DamagedFile

    paths = cluster_paths(name)
    running = _holder(paths)
    try:
        config = ClusterConfig.load(paths.settings)
    except DamagedFile as error:
        fail(f'cluster "{paths.name}" is damaged: {error}')
    click.echo(f"name:        {paths.name}")
    click.echo(f"status:      {'Running' if running else 'Stopped'}")
    if config is not None:
        click.echo(f"nodes:       {config.nodes} ({config.node_cpu} CPU, {config.node_memory}, {config.node_pods} pods each)")
    if running is not None:
        click.echo(f"server:      {running.server or 'starting'}")
        click.echo(f"process:     {running.process_id}")
        if running.started_at:
            click.echo(f"started:     {running.started_at}")
    click.echo(f"kubeconfig:  {paths.kubeconfig}")
    click.echo(f"data:        {paths.directory}")
    sys.exit(0 if running else 3)


@cluster.command("stop", short_help="Stop a running cluster")
@click.argument("name", required=False)
def stop(name: str | None) -> None:
    """Stop a cluster. Its state stays; `kctl run-cluster` goes on with it."""
    paths = cluster_paths(name)
    if not _stop(paths):
        click.echo(f'cluster "{paths.name}" is not running')
        return
    click.echo(f'cluster "{paths.name}" stopped')


def _stop(paths: ClusterPaths) -> bool:
    """False where nothing ran. Fails after STOP_SECONDS."""
    if _holder(paths) is None:
        return False
    deadline = time.monotonic() + STOP_SECONDS
    told = 0
    with Progress(sys.stderr, f'Stopping cluster "{paths.name}"') as progress:
        while (running := _holder(paths)) is not None:
            if running.process_id not in (0, told):  # 0: it has only just begun and has not said yet
                told = running.process_id
                _tell_to_stop(paths, told)
            if time.monotonic() > deadline:
                progress.end()
                fail(f'cluster "{paths.name}" (process {told or "unknown"}) did not stop within {STOP_SECONDS:.0f} s')
            time.sleep(_POLL_SECONDS)
            progress.show()
    return True


def _tell_to_stop(paths: ClusterPaths, process_id: int) -> None:
    try:
        os.kill(process_id, signal.SIGTERM)
    except ProcessLookupError:
        pass
    except PermissionError:
        fail(f'cluster "{paths.name}" is run by process {process_id} of another user')


@cluster.command("delete", short_help="Stop a cluster and delete everything in it")
@click.argument("name", required=False)
def delete(name: str | None) -> None:
    """Stop a cluster and remove its state, keys and logs. Only files that kctl made are removed."""
    from kctl.daemon import cluster_files, current_cluster
    from kctl.daemon.damage import DamagedFile
    from kctl.daemon.lock import AlreadyServed

    paths = cluster_paths(name)
    _check_deletable(paths)
    _stop(paths)
    with Progress(sys.stderr, f'Deleting cluster "{paths.name}"'):
        try:
            cluster_files.delete(paths)
        except (cluster_files.ForeignFiles, AlreadyServed) as error:
            fail(str(error))
        except OSError as error:
            fail(
                f'cluster "{paths.name}" could not be deleted: {error.filename or paths.directory}: {(error.strerror or str(error)).lower()}'
            )
    with contextlib.suppress(DamagedFile):
        current_cluster.forget(paths)
    click.echo(f'cluster "{paths.name}" deleted')


def _check_deletable(paths: ClusterPaths) -> None:
    """Before the cluster is stopped."""
    from kctl.daemon import cluster_files

    try:
        cluster_files.check_deletable(paths)
    except cluster_files.ForeignFiles as error:
        fail(str(error))


@cluster.command("kubeconfig", short_help="Print the kubeconfig of a cluster")
@click.argument("name", required=False)
@click.option("--path", "path_only", is_flag=True, help="Print the file's path instead of its content.")
def kubeconfig(name: str | None, path_only: bool) -> None:
    """Print the administrator's kubeconfig of a cluster."""
    paths = cluster_paths(name)
    if not paths.kubeconfig.is_file():
        fail(f'cluster "{paths.name}" has no kubeconfig; it is written when the cluster starts: kctl run-cluster --name {paths.name}')
    click.echo(paths.kubeconfig if path_only else paths.kubeconfig.read_text(), nl=path_only)


def cluster_names() -> list[str]:
    """Of every cluster on this machine, for completion."""
    from kctl.daemon.paths import clusters

    return [paths.name for paths in clusters()]


cluster.add_command(clock)
cluster.add_command(node)
cluster.add_command(record)
cluster.add_command(replay)
cluster.add_command(snapshot)
