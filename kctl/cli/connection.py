"""How a command reaches its cluster.

A local cluster whose daemon is up is reached over HTTPS as any other; a stopped one's store is opened in this process and served by
the same API server code (embedded), also where a kubeconfig of kctl's led to it.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kctl.apimachinery.kubernetes_version import KUBERNETES_VERSION
from kctl.apimachinery.times import parse_duration
from kctl.cli.configuration import refuse_gone, unknown_cluster, uses_local_cluster
from kctl.cli.errors import CommandError, NoLocalCluster
from kctl.cli.invocation import Invocation
from kctl.client.kubeconfig import at_server, environment_paths
from kctl.client.kubeconfig import local_cluster as local_cluster_of

if TYPE_CHECKING:
    from kctl.cli.local_cluster import LocalCluster
    from kctl.client.kubeconfig import ResolvedConfig
    from kctl.client.transport import Transport


def needs_event_loop(session: Invocation) -> bool:
    """Whether the API server has to run in this process: the local cluster's daemon is not up (or not yet). What is wrong with the
    configuration is said when the command connects, if it does."""
    try:
        paths = _local_cluster(session)
        if paths is None:
            return False
        from kctl.cli.local_cluster import running

        return running(paths) is None
    except CommandError:
        return True


def _local_cluster(session: Invocation) -> LocalCluster | None:
    """The local cluster the command is about. Raises CommandError."""
    if session.flags.get("server"):
        return None
    if uses_local_cluster(session.flags):
        from kctl.cli.local_cluster import by_flags

        try:
            return by_flags(session.flags)
        except NoLocalCluster as error:
            raise NoLocalCluster(unknown_cluster(session.program, error.message)) from None
    if session.kubeconfig.empty:
        refuse_gone([Path(session.flags["kubeconfig"])] if session.flags.get("kubeconfig") else environment_paths())
    if not local_cluster_of(session.configuration.cluster):
        return None
    from kctl.cli.local_cluster import by_kubeconfig

    return by_kubeconfig(session.configuration)


_OF_HEADER_NAMES = frozenset("!#$&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")


async def connect(session: Invocation) -> Transport:
    """The transport of the cluster in use. Warnings of the server go to stderr as they arrive."""
    paths = _local_cluster(session)
    configuration = session.configuration
    if paths is not None:
        from kctl.cli.local_cluster import running

        if not session.blocking:
            from kctl.cli.stopped_cluster import open_stopped

            embedded = await open_stopped(session, paths)
            if embedded is not None:
                from kctl.cli.reporting import ReportingTransport

                return ReportingTransport(embedded, session.warn)
        daemon = running(paths)
        if daemon is not None and configuration.server != daemon.server:
            session.configuration = at_server(configuration, daemon.server)
    return _https(session)


def running_configuration(session: Invocation) -> ResolvedConfig:
    """For who stays connected: the server and the credentials of the cluster in use, which must be up if it is a local one. Raises
    CommandError."""
    paths, configuration = _local_cluster(session), session.configuration
    if paths is None:
        return configuration
    from kctl.cli.local_cluster import running

    daemon = running(paths)
    if daemon is None or not daemon.server:
        raise CommandError(f'cluster "{paths.name}" is not running: start it with kctl run-cluster')
    return at_server(configuration, daemon.server)


def _https(session: Invocation) -> Transport:
    from kctl.client.tls import TlsError, context_for

    config = session.configuration
    if config.cluster.get("proxy-url"):
        raise CommandError("proxy-url is not supported: kctl connects to the API server directly")
    try:
        context = context_for(config) if config.server.startswith("https://") else None
    except TlsError as error:
        raise CommandError(str(error)) from None
    more: dict[str, Any] = {
        "headers": _headers(session),
        "server_name": str(config.cluster.get("tls-server-name") or ""),
        "timeout": _timeout(session),
        "on_warning": session.warn,
        "log": _logger(session),
        "on_date": session.heard_date,
    }
    if session.blocking:
        from kctl.client.blocking_transport import BlockingTransport

        return BlockingTransport(config.server, context, **more)
    from kctl.client.https_transport import HttpsTransport

    return HttpsTransport(config.server, context, **more)


def _headers(session: Invocation) -> dict[str, str | list[str]]:
    from kctl.client.credentials import CredentialError, authorization

    headers: dict[str, str | list[str]] = {"User-Agent": f"kctl/{KUBERNETES_VERSION} (linux/python) kubernetes"}
    plugin = str((session.configuration.user.get("exec") or {}).get("command") or "")
    if plugin and not session.may_run_plugin(plugin):
        raise CommandError(
            f'getting credentials: plugin "{plugin}" not allowed: the credential plugin policy of the kuberc file forbids it'
        )
    try:
        value = authorization(session.configuration.user)
    except CredentialError as error:
        raise CommandError(str(error)) from None
    if value:
        headers["Authorization"] = value
    return headers | _impersonation(session)


def _impersonation(session: Invocation) -> dict[str, str | list[str]]:
    flags, user = session.flags, session.configuration.user
    name, uid = flags.get("as") or user.get("as"), flags.get("as_uid") or user.get("as-uid")
    groups = flags.get("as_group") or user.get("as-groups")
    extra: dict[str, list[str]] = {}
    for pair in flags.get("as_user_extra") or ():
        key, _, value = pair.partition("=")
        extra.setdefault(key, []).append(value)
    extra = extra or user.get("as-user-extra") or {}
    if not name:
        if uid or groups or extra:
            who = session.configuration.user_name
            raise CommandError(f"requesting uid, groups or user-extra for {who} without impersonating a user")
        return {}
    headers: dict[str, str | list[str]] = {"Impersonate-User": str(name)}
    if groups:
        headers["Impersonate-Group"] = list(groups)
    if uid:
        headers["Impersonate-Uid"] = str(uid)
    return headers | {f"Impersonate-Extra-{_escaped(key)}": list(values) for key, values in extra.items()}


def _escaped(key: str) -> str:
    """What cannot stand in a header's name as %XX, as client-go."""
    return "".join(chr(byte) if chr(byte) in _OF_HEADER_NAMES else f"%{byte:02X}" for byte in key.encode())


def _timeout(session: Invocation) -> float:
    text = str(session.flags.get("request_timeout") or "0")
    try:
        return float(text) if text.isdigit() else parse_duration(text)
    except ValueError:
        raise CommandError(
            "Invalid timeout value. Timeout must be a single integer in seconds, or an integer followed by a "
            "corresponding time unit (e.g. 1s | 2m | 3h)"
        ) from None


def _logger(session: Invocation) -> Any:
    if session.verbosity < 6:
        return None
    from kctl.client.request_log import RequestLog

    return RequestLog(session.verbosity, session.streams.err)


def discovery_cache(session: Invocation) -> Path | None:
    """Where discovery of this server is kept, as kubectl's --cache-dir; None for an embedded server."""
    if session.embedded:
        return None
    base = session.flags.get("cache_dir") or os.path.join(
        os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache"), "kctl"
    )
    host = session.configuration.server.split("://", 1)[-1]
    return Path(base) / "discovery" / "".join(letter if letter.isalnum() or letter in ".-" else "_" for letter in host)
