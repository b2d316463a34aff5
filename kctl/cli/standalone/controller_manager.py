"""kctl controller-manager."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kctl.cli.errors import CommandError
from kctl.cli.flags import flag
from kctl.cli.standalone.component import Component, content

if TYPE_CHECKING:
    import asyncio
    import random

    from kctl.apimachinery.clock import Clock
    from kctl.daemon.standalone.clients import Clients

_MASKS = range(1, 33)


class ControllerManager(Component):
    """Run kube-controller-manager in this process, for the cluster that the kubeconfig names.

    Several may run for one cluster: one acts, and another one follows when it is gone. `kctl run-cluster
    --components='*,-kube-controller-manager'` starts a cluster without one, and writes a kubeconfig for it.
    """

    name = "controller-manager"
    component = "kube-controller-manager"
    examples = """
  # The controllers of a cluster that was started without any, each with its own service account
  kctl run-cluster --detach --components='*,-kube-controller-manager'
  kctl controller-manager --use-service-account-credentials --kubeconfig=$HOME/.local/share/kctl/kctl/kube-controller-manager.kubeconfig

  # All controllers but one
  kctl controller-manager --controllers='*,-cronjob-controller'
"""

    accounts: bool = flag(
        "--use-service-account-credentials",
        kind="bool",
        help="Each controller writes as its own service account in kube-system, with a token it asks for.",
    )
    controllers: tuple[str, ...] = flag(
        "--controllers",
        kind="slice",
        default=("*",),
        help="Controllers that run: '*' is all, 'foo' the one of that name, '-foo' all but that one.",
    )
    cluster_cidr: str = flag("--cluster-cidr", help="Range of the pods' addresses, of which every node gets a part.")
    node_cidr_mask: int = flag("--node-cidr-mask-size", kind="int", default=24, help="How large the part of a node is.")
    root_ca_file: str = flag(
        "--root-ca-file",
        help="Certificate authority (PEM) that pods are to trust, for the ConfigMap kube-root-ca.crt; without it that of the kubeconfig.",
    )
    signing_key_file: str = flag(
        "--cluster-signing-key-file", help="Key (PEM) of the certificate authority in --root-ca-file, to sign certificates with."
    )

    def validate(self) -> None:
        super().validate()
        from kctl.daemon.components import unknown_controller

        if unknown := unknown_controller(self.controllers):
            raise CommandError(f'invalid --controllers: "{unknown}" is not in the list of known controllers')
        if self.cluster_cidr:
            import ipaddress

            try:
                network = ipaddress.ip_network(self.cluster_cidr)
            except ValueError:
                raise CommandError(f"invalid --cluster-cidr: invalid CIDR address: {self.cluster_cidr}") from None
            if network.version != 4:
                raise CommandError(f"invalid --cluster-cidr: {self.cluster_cidr}: only IPv4 is supported")
            if self.node_cidr_mask < network.prefixlen:
                raise CommandError("invalid --node-cidr-mask-size: the range of a node must lie within --cluster-cidr")
        if self.node_cidr_mask not in _MASKS:
            raise CommandError(f"invalid --node-cidr-mask-size: {self.node_cidr_mask} is not between 1 and 32")
        self._root_ca = self._authority()
        self._signing_key = content(self.signing_key_file, "--cluster-signing-key-file") if self.signing_key_file else b""

    def _authority(self) -> str:
        from kctl.client.tls import TlsError, authority

        if self.root_ca_file:
            return content(self.root_ca_file, "--root-ca-file").decode(errors="replace")
        try:
            return authority(self.session.configuration)
        except TlsError as error:
            raise CommandError(str(error)) from None

    async def act(self, clients: Clients, clock: Clock, randomness: random.Random, stop: asyncio.Event) -> None:
        from kctl.daemon.standalone.process import controller_manager

        await controller_manager(
            clients,
            clock,
            randomness,
            self.controllers,
            self.cluster_cidr,
            self.node_cidr_mask,
            self._root_ca,
            self._signing_key,
            stop,
        )
