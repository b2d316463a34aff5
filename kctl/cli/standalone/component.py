"""What `kctl controller-manager` and `kctl scheduler` share: whom they serve, and the flags of leader election as the real programs have
them."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, ClassVar

from kctl.cli.command import Command
from kctl.cli.connection import running_configuration
from kctl.cli.errors import CommandError
from kctl.cli.flags import flag

if TYPE_CHECKING:
    import asyncio

    from kctl.apimachinery.clock import Clock
    from kctl.daemon.standalone.clients import Clients
    from kctl.daemon.standalone.process import Election


class Component(Command):
    """A component: a client of the API server that the kubeconfig names."""

    component: ClassVar[str] = ""
    leader_elect: bool = flag(
        "--leader-elect",
        kind="bool",
        default=True,
        help="Hold a Lease while acting, so that one of several replicas acts at a time.",
    )
    lease_duration: float = flag(
        "--leader-elect-lease-duration",
        kind="duration",
        default=15.0,
        help="How long others wait after the leader's last renewal before one of them takes over.",
    )
    renew_deadline: float = flag(
        "--leader-elect-renew-deadline",
        kind="duration",
        default=10.0,
        help="How long the leader tries to renew before it stops acting; shorter than the lease duration.",
    )
    retry_period: float = flag(
        "--leader-elect-retry-period", kind="duration", default=2.0, help="How often the leader renews, and others look at the Lease."
    )
    resource_name: str = flag("--leader-elect-resource-name", help="The name of the Lease; without it that of the component.")
    resource_namespace: str = flag("--leader-elect-resource-namespace", default="kube-system", help="The namespace of the Lease.")
    accounts = False

    def validate(self) -> None:
        if self.arguments:
            raise CommandError(f"{self.session.program} takes no arguments, but some were given: {' '.join(self.arguments)}")

    async def act(self, clients: Clients, clock: Clock, randomness: random.Random, stop: asyncio.Event) -> None:
        """Be the component until `stop`."""
        raise NotImplementedError

    async def run(self) -> None:
        from kctl.apimachinery.clock import RealClock
        from kctl.daemon.standalone import process

        election = self._election()
        process.log_to_stderr(verbose=self.session.verbosity >= 4)
        clock, randomness = RealClock(), random.Random()
        clients = self._clients(clock)

        async def until(stop: asyncio.Event) -> None:
            async def act(over: asyncio.Event) -> None:
                await self.act(clients, clock, randomness, over)

            await process.act_alone(act, election, clients, clock, randomness, stop)

        try:
            await process.until_signalled(until)
        except process.LeaseLost:
            raise CommandError("leaderelection lost") from None
        finally:
            await clients.close()

    def _election(self) -> Election:
        from controllers.runtime.leader_election import ElectionTimes
        from kctl.daemon.standalone.process import Election

        try:
            times = ElectionTimes(self.lease_duration, self.renew_deadline, self.retry_period)
        except ValueError as error:
            if self.leader_elect:
                raise CommandError(str(error)) from None
            times = ElectionTimes()
        return Election(self.resource_name or self.component, self.leader_elect, self.resource_namespace, times)

    def _clients(self, clock: Clock) -> Clients:
        from kctl.client.credentials import CredentialError
        from kctl.client.tls import TlsError
        from kctl.daemon.standalone.clients import Clients

        try:
            return Clients(running_configuration(self.session), clock, self.component, accounts=self.accounts)
        except (CredentialError, TlsError) as error:
            raise CommandError(str(error)) from None


def content(path: str, what: str) -> bytes:
    """Of a small file that a flag names. Raises CommandError."""
    from pathlib import Path

    try:
        with Path(path).open("rb") as file:
            data = file.read(_LARGEST_FILE + 1)
    except OSError as error:
        raise CommandError(f"{what}: open {path}: {(error.strerror or '').lower()}") from None
    if len(data) > _LARGEST_FILE:
        raise CommandError(f"{what}: {path} is larger than 1 MiB")
    return data


_LARGEST_FILE = 1 << 20
