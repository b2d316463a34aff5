"""kctl kubelet."""

from __future__ import annotations

from kctl.cli.errors import CommandError
from kctl.cli.standalone.local import OfLocalCluster


class Kubelet(OfLocalCluster):
    """Run the kubelets of a local cluster's simulated nodes in this process.

    The cluster is one that was started with `kctl run-cluster --components='*,-kubelet'`. Each node writes as its own user. The API server
    does not reach kubelets in another process, so there are no logs, no exec and no metrics of their pods, and no pods that are processes.
    """

    name = "kubelet"
    examples = """
  # The nodes of a cluster that was started without any
  kctl run-cluster --detach --components='*,-kubelet'
  kctl kubelet

  # The same by way of another API server of the cluster
  kctl kubelet --server=https://127.0.0.1:6444
"""

    async def run(self) -> None:
        import random

        from kctl.apimachinery.clock import RealClock
        from kctl.cli.local_cluster import running
        from kctl.daemon.config import components_of
        from kctl.daemon.damage import DamagedFile
        from kctl.daemon.pki import Pki
        from kctl.daemon.standalone import process
        from kctl.daemon.standalone.kubelets import kubelets

        paths, config = self.settings()
        if self.name in components_of(config.components):
            raise CommandError(
                f"cluster \"{paths.name}\" runs its kubelets itself: start it with kctl run-cluster --components='*,-kubelet'"
            )
        server = str(self.session.flags.get("server") or "")
        if not server:
            daemon = running(paths)
            if daemon is None or not daemon.server:
                raise CommandError(
                    f'cluster "{paths.name}" is not running: start it with kctl run-cluster, or name an API server with --server'
                )
            server = daemon.server
        process.log_to_stderr(verbose=self.session.verbosity >= 4)
        keys = Pki(paths.pki)
        try:
            keys.check()
            await process.until_signalled(
                lambda stop: kubelets(
                    server, keys, config, RealClock(), random.Random(), lambda: self.session.print(f"{config.nodes} kubelets act"), stop
                )
            )
        except DamagedFile as error:
            raise CommandError(str(error)) from None
