"""The local cluster that `kctl apiserver` and `kctl kubelet` belong to: its keys and settings are on this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kctl.cli.command import Command
from kctl.cli.errors import CommandError
from kctl.cli.flags import flag

if TYPE_CHECKING:
    from kctl.daemon.config import ClusterConfig
    from kctl.daemon.paths import ClusterPaths


class OfLocalCluster(Command):
    cluster_name: str = flag("--cluster-name", help="Name of the local cluster; without it the current one.")

    def validate(self) -> None:
        if self.arguments:
            raise CommandError(f"{self.session.program} takes no arguments, but some were given: {' '.join(self.arguments)}")

    def settings(self) -> tuple[ClusterPaths, ClusterConfig]:
        """Raises CommandError, also where the cluster's time is another one than the machine's: only its own process knows it."""
        from kctl.daemon import current_cluster
        from kctl.daemon.config import ClusterConfig
        from kctl.daemon.damage import DamagedFile
        from kctl.daemon.paths import InvalidClusterName

        try:
            paths = current_cluster.find(self.cluster_name)
            config = ClusterConfig.load(paths.settings)
        except (current_cluster.NoCluster, InvalidClusterName, DamagedFile) as error:
            raise CommandError(str(error)) from None
        if config is None or not config.starts:
            raise CommandError(f'cluster "{paths.name}" has not been started yet: kctl run-cluster --name {paths.name}')
        if config.speed != 1.0:
            raise CommandError(f'the time of cluster "{paths.name}" is not the machine\'s (--speed {config.speed:g}), so it is one process')
        return paths, config
