"""What commands about local clusters share: the cluster that is meant, and how a failure ends them."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, NoReturn

import click

if TYPE_CHECKING:
    from kctl.daemon.paths import ClusterPaths


def fail(message: str) -> NoReturn:
    click.echo(f"error: {message}", err=True)
    sys.exit(1)


def cluster_paths(name: str | None, *, deleted: bool = False) -> ClusterPaths:
    """Of the cluster named, or of the current one; `deleted`: it need not exist any more."""
    from kctl.daemon import current_cluster
    from kctl.daemon.damage import DamagedFile
    from kctl.daemon.paths import ClusterPaths, InvalidClusterName

    try:
        if deleted and name:
            return ClusterPaths.of(name)
        return current_cluster.find(name or "")
    except (current_cluster.NoCluster, InvalidClusterName, DamagedFile) as error:
        fail(str(error))
