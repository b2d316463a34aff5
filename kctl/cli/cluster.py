"""`kctl cluster`: the local clusters as such - which there are, where they run, stopping and deleting them."""

from __future__ import annotations

import os
import signal
import sys
import time
from typing import TYPE_CHECKING, NoReturn

import click

if TYPE_CHECKING:
    from kctl.daemon.paths import ClusterPaths

STOP_SECONDS = 30.0
_POLL_SECONDS = 0.02


@click.group("cluster", short_help="List, stop and delete local clusters")
def cluster() -> None:
    """Manage the clusters that `kctl run-cluster` made on this machine."""


def _fail(message: str) -> NoReturn:
    click.echo(f"error: {message}", err=True)
    sys.exit(1)


def _paths(name: str | None) -> ClusterPaths:
    """Of an existing cluster; the default one where no name is given."""
    from kctl.daemon.paths import DEFAULT_CLUSTER, ClusterPaths

    paths = ClusterPaths.of(name or os.environ.get("KCTL_CLUSTER") or DEFAULT_CLUSTER)
    if not paths.settings.is_file():
        _fail(f'cluster "{paths.name}" does not exist; start it with `kctl run-cluster --name {paths.name}`')
    return paths


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
    """List the clusters of this machine and whether they run."""
    from kctl.daemon.config import ClusterConfig
    from kctl.daemon.lock import holder
    from kctl.daemon.paths import clusters

    rows = []
    for paths in clusters():
        config = ClusterConfig.load(paths.settings)
        running = holder(paths.process_id)
        rows.append(
            {
                "name": paths.name,
                "status": "Running" if running else "Stopped",
                "nodes": config.nodes if config else 0,
                "server": running.server if running else "",
                "pid": running.process_id if running else None,
            }
        )
    if output == "json":
        import json

        click.echo(json.dumps(rows, indent=2))
    elif output == "name":
        for row in rows:
            click.echo(row["name"])
    elif not rows:
        click.echo("No clusters. Start one with `kctl run-cluster`.", err=True)
    else:
        from tabulate import tabulate

        cells = [[r["name"], r["status"], r["nodes"], r["server"] or "<none>", r["pid"] or "<none>"] for r in rows]
        click.echo(tabulate(cells, headers=["NAME", "STATUS", "NODES", "SERVER", "PID"], tablefmt="plain"))


@cluster.command("status", short_help="Tell whether a cluster runs, and where")
@click.argument("name", required=False)
def status(name: str | None) -> None:
    """Tell how a cluster is doing. Exit code 0 when it runs, 3 when it is stopped."""
    from kctl.daemon.config import ClusterConfig
    from kctl.daemon.lock import holder

    paths = _paths(name)
    config = ClusterConfig.load(paths.settings)
    running = holder(paths.process_id)
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
    paths = _paths(name)
    if not _stop(paths):
        click.echo(f'cluster "{paths.name}" is not running')
        return
    click.echo(f'cluster "{paths.name}" stopped')


def _stop(paths: ClusterPaths) -> bool:
    """False where nothing ran. Fails after STOP_SECONDS."""
    from kctl.daemon.lock import holder

    running = holder(paths.process_id)
    if running is None:
        return False
    os.kill(running.process_id, signal.SIGTERM)
    deadline = time.monotonic() + STOP_SECONDS
    while holder(paths.process_id) is not None:
        if time.monotonic() > deadline:
            _fail(f'cluster "{paths.name}" (process {running.process_id}) did not stop within {STOP_SECONDS:.0f} s')
        time.sleep(_POLL_SECONDS)
    return True


@cluster.command("delete", short_help="Stop a cluster and delete everything in it")
@click.argument("name", required=False)
def delete(name: str | None) -> None:
    """Stop a cluster and remove its state, keys and logs."""
    from kctl.daemon.cluster import delete_files

    paths = _paths(name)
    _stop(paths)
    delete_files(paths.directory)
    click.echo(f'cluster "{paths.name}" deleted')


@cluster.command("kubeconfig", short_help="Print the kubeconfig of a cluster")
@click.argument("name", required=False)
@click.option("--path", "path_only", is_flag=True, help="Print the file's path instead of its content.")
def kubeconfig(name: str | None, path_only: bool) -> None:
    """Print the administrator's kubeconfig of a cluster."""
    paths = _paths(name)
    if not paths.kubeconfig.is_file():
        _fail(f'cluster "{paths.name}" was never started; its kubeconfig is written at the first start')
    click.echo(paths.kubeconfig if path_only else paths.kubeconfig.read_text(), nl=path_only)


def cluster_names() -> list[str]:
    """Of every cluster on this machine, for completion."""
    from kctl.daemon.paths import clusters

    return [paths.name for paths in clusters()]
