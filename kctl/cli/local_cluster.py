"""The cluster of this machine that a command is about.

kctl.cli.configuration and kctl.cli.connection ask it where no server is named. A kubeconfig that `kctl run-cluster` wrote says which local cluster it is of, so an exported one is as good as none.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kctl.cli.errors import CommandError, NoLocalCluster
from kctl.client import kubeconfig
from kctl.daemon import current_cluster
from kctl.daemon.current_cluster import NoCluster
from kctl.daemon.damage import DamagedFile
from kctl.daemon.lock import Holder, holder
from kctl.daemon.paths import DEFAULT_CLUSTER, ClusterPaths, InvalidClusterName, data_home, valid_cluster_name

if TYPE_CHECKING:
    from kctl.client.kubeconfig import ResolvedConfig

_PROBE_SECONDS = 1.0

LocalCluster = ClusterPaths


def by_flags(flags: Mapping[str, Any]) -> ClusterPaths:
    """Where no kubeconfig is named: --cluster, a --context of kctl's own, $KCTL_CLUSTER, the current cluster. Raises CommandError."""
    with as_command_errors():
        name = str(flags.get("cluster") or "")
        if name:
            if not valid_cluster_name(name) or not ClusterPaths.of(name).exist:
                raise NoLocalCluster(f'no server found for cluster "{name}"')
            return ClusterPaths.of(name)
        return current_cluster.find(_of_context(str(flags.get("context") or "")))


def _of_context(context: str) -> str:
    """The cluster whose context run-cluster calls that, where there is such a cluster; else ''."""
    prefix = f"{DEFAULT_CLUSTER}-"
    name = context if context == DEFAULT_CLUSTER else context.removeprefix(prefix) if context.startswith(prefix) else ""
    return name if valid_cluster_name(name) and ClusterPaths.of(name).exist else ""


def by_kubeconfig(configuration: ResolvedConfig) -> ClusterPaths | None:
    """The local cluster that a kubeconfig's entry is of. None where it is of another machine's. Raises CommandError where the
    cluster is gone."""
    name = kubeconfig.local_cluster(configuration.cluster)
    if not valid_cluster_name(name):
        return None
    paths = ClusterPaths.of(name)
    if paths.exist:
        return paths if is_encoded(paths.pki / "ca.crt", configuration.cluster.get("certificate-authority-data")) else None
    if not _answers(configuration.server):
        raise CommandError(_gone(name, f"context {configuration.context!r}"))
    return None


def refuse_gone(paths: Sequence[Path]) -> None:
    """Kubeconfig files that do not exist: if one was a local cluster's, say which cluster is gone. Raises CommandError."""
    for path in paths:
        name = path.parent.name
        if path.name == "kubeconfig" and path.parent.parent == data_home() and valid_cluster_name(name) and not ClusterPaths.of(name).exist:
            raise CommandError(_gone(name, str(path)))


def _gone(name: str, where: str) -> str:
    return f'cluster "{name}" of {where} does not exist any more; make it anew with: kctl run-cluster --name {name}'


def is_encoded(path: Path, data: Any) -> bool:
    from binascii import b2a_base64

    try:
        return bool(b2a_base64(path.read_bytes(), newline=False).decode() == data)
    except OSError:
        return False


def _answers(server: str) -> bool:
    """A server on another machine, or behind a tunnel, is not ours to judge."""
    import socket
    from urllib.parse import urlsplit

    parts = urlsplit(server)
    if parts.hostname not in ("127.0.0.1", "localhost", "::1"):
        return True
    try:
        socket.create_connection((parts.hostname, parts.port or 443), _PROBE_SECONDS).close()
    except OSError:
        return False
    return True


def running(paths: ClusterPaths) -> Holder | None:
    """The daemon that serves it and has said where. Raises CommandError."""
    with as_command_errors(paths):
        running_holder = holder(paths.process_id)
    return running_holder if running_holder is not None and running_holder.server else None


@contextmanager
def as_command_errors(paths: ClusterPaths | None = None) -> Iterator[None]:
    """What is wrong with a local cluster's files, as the command says it."""
    try:
        yield
    except DamagedFile as error:
        of = f'cluster "{paths.name}" is damaged: ' if paths is not None else ""
        raise CommandError(f"{of}{error}") from None
    except NoCluster as error:
        raise NoLocalCluster(str(error)) from None
    except InvalidClusterName as error:
        raise CommandError(str(error)) from None
    except OSError as error:
        if paths is None:
            raise
        raise CommandError(
            f'cluster "{paths.name}" cannot be opened: {error.filename or paths.directory}: {os.strerror(error.errno or 0).lower()}'
        ) from None
