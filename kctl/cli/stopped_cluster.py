"""Serving a command from the store of a stopped local cluster: the API server in this process."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kctl.cli.errors import CommandError
from kctl.cli.invocation import Invocation
from kctl.cli.local_cluster import as_command_errors, is_encoded, running
from kctl.client.transport import Transport
from kctl.daemon.lock import AlreadyServed
from kctl.daemon.paths import ClusterPaths

if TYPE_CHECKING:
    from kctl.daemon.embedded import EmbeddedTransport

_STARTING_SECONDS = 15.0
_POLL_SECONDS = 0.02
_IDENTITY_FLAGS = ("as", "as_group", "as_uid", "as_user_extra", "token", "username", "client_certificate")
_NEED_A_RUNNING_ONE = ("wait", "logs", "cluster-info", "rollout status", "exec", "attach", "port-forward", "cp", "top", "proxy", "debug")


async def open_stopped(session: Invocation, paths: ClusterPaths) -> Transport | None:
    """The API server in this process, working on the stopped cluster; None while a daemon serves it. Raises CommandError."""
    import asyncio

    waited = 0.0
    while running(paths) is None:
        _refuse_without_daemon(session, paths)
        try:
            with as_command_errors(paths):
                opened = await _open(paths)
        except AlreadyServed as error:
            if waited >= _STARTING_SECONDS:
                raise CommandError(f'cluster "{paths.name}" is in use by process {error.holder.process_id or "?"}') from None
            await asyncio.sleep(_POLL_SECONDS)
            waited += _POLL_SECONDS
            continue
        session.embedded = True
        session.use_time(opened.clock.now)
        session.error(
            f'Note: cluster "{paths.name}" is stopped; this works on its stored state. To start it: kctl run-cluster --name {paths.name}'
        )
        return opened
    return None


async def _open(paths: ClusterPaths) -> EmbeddedTransport:
    from kctl.daemon.embedded import open_embedded

    return await open_embedded(paths.directory)


def _refuse_without_daemon(session: Invocation, paths: ClusterPaths) -> None:
    """What an API server alone cannot do, and whom it cannot authenticate: it acts as the cluster's administrator."""
    start = f"start it with: kctl run-cluster --name {paths.name}"
    command = session.program.partition(" ")[2]
    if command in _NEED_A_RUNNING_ONE or (command == "get" and {"watch", "watch_only"} & session.changed):
        what = f"{session.program} --watch" if command == "get" else session.program
        raise CommandError(f'cluster "{paths.name}" is not running, and "{what}" needs a running one; {start}')
    for name in _IDENTITY_FLAGS:
        if session.flags.get(name):
            raise CommandError(f'--{name.replace("_", "-")} needs a running cluster, and "{paths.name}" is stopped; {start}')
    user = session.configuration.user
    if user and not is_encoded(paths.pki / "admin.crt", user.get("client-certificate-data")):
        raise CommandError(f'cluster "{paths.name}" is stopped, and only its administrator can work on it then; {start}')
