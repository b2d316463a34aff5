"""kctl apiserver."""

from __future__ import annotations

from kctl.cli.errors import CommandError
from kctl.cli.flags import flag
from kctl.cli.standalone.local import OfLocalCluster

_HIGHEST_PORT = 65535


class ApiServer(OfLocalCluster):
    """Run one more kube-apiserver for a local cluster whose state is on an etcd cluster that it shares.

    It has the cluster's keys and settings, and serves until it gets a signal. Whatever one of a cluster's API servers has answered can be
    read at once with every other; each goes on when another one is gone.
    """

    name = "apiserver"
    examples = """
  # A cluster on etcd with two API servers
  kctl run-cluster --detach --store=etcd://127.0.0.1:2379 --store-shared
  kctl apiserver --secure-port=6444 &
  export KUBECONFIG="$(kctl cluster kubeconfig --path)"
  kctl get pods --server=https://127.0.0.1:6444
"""

    bind_address: str = flag("--bind-address", help="The address to serve at; without it the cluster's.")
    secure_port: int = flag("--secure-port", kind="int", help="The port to serve at; 0 chooses a free one.")

    def validate(self) -> None:
        super().validate()
        if not 0 <= self.secure_port <= _HIGHEST_PORT:
            raise CommandError(f"invalid --secure-port {self.secure_port}: it must be between 0 and {_HIGHEST_PORT}")

    async def run(self) -> None:
        from kctl.apimachinery.clock import RealClock
        from kctl.daemon import process_tuning
        from kctl.daemon.damage import DamagedFile
        from kctl.daemon.standalone import process
        from kctl.daemon.supervisor import ComponentCrashed

        paths, config = self.settings()
        if not config.store_shared:
            raise CommandError(
                f'cluster "{paths.name}" does not share its store: start it with kctl run-cluster --store=etcd://... --store-shared'
            )
        process.log_to_stderr(verbose=self.session.verbosity >= 4)
        process_tuning.tune()

        def ready(url: str) -> None:
            self.session.print(f'Serving cluster "{paths.name}" at {url}')
            self.session.streams.out.flush()

        try:
            await process.until_signalled(
                lambda stop: process.api_server(paths, config, RealClock(), self.bind_address or config.host, self.secure_port, ready, stop)
            )
        except (ComponentCrashed, DamagedFile) as error:
            raise CommandError(str(error)) from None
