"""Which cluster a command talks to, and how: the only file of the CLI beside run_cluster.py and cluster.py that may reach the daemon.

Order: --kubeconfig, $KUBECONFIG, else the local cluster of kctl ($KCTL_CLUSTER, or --cluster where no kubeconfig is in use,
default `kctl`). ~/.kube/config is not read unless named. A local cluster whose daemon is up is reached over HTTPS as any
other; with no daemon its store is opened in this process and served by the same API server code (embedded).
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kctl.apimachinery.kubernetes_version import KUBERNETES_VERSION
from kctl.apimachinery.times import parse_duration
from kctl.cli.errors import CommandError
from kctl.client.kubeconfig import (
    Kubeconfig,
    Overrides,
    UnreadableConfig,
    environment_paths,
    load,
    load_all,
)

if TYPE_CHECKING:
    from kctl.cli.session import Session
    from kctl.client.transport import Transport

_CLUSTER_FLAGS = {
    "certificate_authority": "certificate-authority",
    "insecure_skip_tls_verify": "insecure-skip-tls-verify",
    "tls_server_name": "tls-server-name",
    "proxy_url": "proxy-url",
}
_USER_FLAGS = {
    "client_certificate": "client-certificate",
    "client_key": "client-key",
    "token": "token",
    "username": "username",
    "password": "password",
}
_STARTING_SECONDS = 15.0
_POLL_SECONDS = 0.02


def local_cluster(flags: Mapping[str, Any]) -> str:
    """The local cluster's name; '' when the flags or the environment name a kubeconfig or a server."""
    if flags.get("kubeconfig") or environment_paths() or flags.get("server"):
        return ""
    return str(flags.get("cluster") or os.environ.get("KCTL_CLUSTER") or "kctl")


def load_kubeconfig(flags: Mapping[str, Any]) -> Kubeconfig:
    try:
        if flags.get("kubeconfig"):
            return load(Path(flags["kubeconfig"]))
        if environment_paths():
            return load_all(environment_paths())
        return load_all([local_kubeconfig(flags)]) if local_cluster(flags) else Kubeconfig()
    except UnreadableConfig as error:
        raise CommandError(str(error)) from None


def local_kubeconfig(flags: Mapping[str, Any]) -> Path:
    """The file `kctl run-cluster` writes: what kctl reads and `kctl config` changes where no other is named."""
    return _directory(local_cluster(flags) or "kctl") / "kubeconfig"


def _directory(cluster: str) -> Path:
    base = os.environ.get("XDG_DATA_HOME") or os.path.join(os.path.expanduser("~"), ".local", "share")
    return Path(base) / "kctl" / cluster


def overrides(flags: Mapping[str, Any]) -> Overrides:
    cluster_fields = {field: flags[name] for name, field in _CLUSTER_FLAGS.items() if flags.get(name)}
    if flags.get("insecure_skip_tls_verify"):
        cluster_fields |= {"certificate-authority": "", "certificate-authority-data": ""}
    elif flags.get("certificate_authority"):
        cluster_fields["certificate-authority-data"] = ""
    return Overrides(
        context=flags.get("context", ""),
        cluster="" if local_cluster(flags) else flags.get("cluster", ""),
        user=flags.get("user", ""),
        namespace=flags.get("namespace", ""),
        server=flags.get("server", ""),
        cluster_fields=cluster_fields,
        user_fields={field: flags[name] for name, field in _USER_FLAGS.items() if flags.get(name)},
    )


def is_embedded(flags: Mapping[str, Any]) -> bool:
    """Whether the API server has to run in this process: the local cluster's daemon is not up (or not yet)."""
    name = local_cluster(flags)
    if not name:
        return False
    from kctl.daemon.lock import holder

    found = holder(_directory(name) / "run.pid")
    return found is None or not found.server


async def connect(session: Session) -> Transport:
    """The transport of the cluster in use. Warnings of the server go to stderr as they arrive."""
    name = local_cluster(session.flags)
    if name and not session.blocking:
        _refuse_identity(session.flags)
        embedded = await _embedded(name)
        if embedded is not None:
            from kctl.cli.reporting import ReportingTransport

            session.embedded = True
            return ReportingTransport(embedded, session.warn)
    return _https(session)


def _refuse_identity(flags: Mapping[str, Any]) -> None:
    """Without a daemon nobody is authenticated: the command acts as the cluster's administrator."""
    for name in ("as", "as_group", "as_uid", "as_user_extra", "token", "username", "client_certificate"):
        if flags.get(name) and is_embedded(flags):
            raise CommandError(f"--{name.replace('_', '-')} needs a running cluster; start it with kctl run-cluster")


def _https(session: Session) -> Transport:
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
    }
    if session.blocking:
        from kctl.client.blocking_transport import BlockingTransport

        return BlockingTransport(config.server, context, **more)
    from kctl.client.https_transport import HttpsTransport

    return HttpsTransport(config.server, context, **more)


def _headers(session: Session) -> dict[str, str | list[str]]:
    from kctl.client.credentials import CredentialError, authorization

    flags = session.flags
    headers: dict[str, str | list[str]] = {"User-Agent": f"kctl/{KUBERNETES_VERSION} (linux/python) kubernetes"}
    try:
        value = authorization(session.configuration.user)
    except CredentialError as error:
        raise CommandError(str(error)) from None
    if value:
        headers["Authorization"] = value
    user = session.configuration.user
    if flags.get("as") or user.get("as"):
        headers["Impersonate-User"] = str(flags.get("as") or user["as"])
    groups = flags.get("as_group") or user.get("as-groups")
    if groups:
        headers["Impersonate-Group"] = list(groups)
    if flags.get("as_uid") or user.get("as-uid"):
        headers["Impersonate-Uid"] = str(flags.get("as_uid") or user["as-uid"])
    for pair in flags.get("as_user_extra") or ():
        key, _, extra = pair.partition("=")
        values = headers.setdefault(f"Impersonate-Extra-{key}", [])
        assert isinstance(values, list)
        values.append(extra)
    return headers


def _timeout(session: Session) -> float:
    text = str(session.flags.get("request_timeout") or "0")
    try:
        return float(text) if text.isdigit() else parse_duration(text)
    except ValueError:
        raise CommandError(
            "Invalid timeout value. Timeout must be a single integer in seconds, or an integer followed by a "
            "corresponding time unit (e.g. 1s | 2m | 3h)"
        ) from None


def _logger(session: Session) -> Any:
    if session.verbosity < 6:
        return None
    from kctl.client.request_log import RequestLog

    return RequestLog(session.verbosity, session.streams.err)


async def _embedded(name: str) -> Transport | None:
    """The API server in this process, or None while a daemon serves the cluster."""
    import asyncio

    from kctl.daemon.lock import AlreadyServed, holder

    directory = _directory(name)
    waited = 0.0
    while True:
        found = holder(directory / "run.pid")
        if found is not None and found.server:
            return None
        if found is None:
            from kctl.daemon.embedded import open_embedded

            try:
                return await open_embedded(directory)
            except AlreadyServed:
                pass
        if waited >= _STARTING_SECONDS:
            raise CommandError(f'cluster "{name}" is in use by process {found.process_id if found else "?"}')
        await asyncio.sleep(_POLL_SECONDS)
        waited += _POLL_SECONDS


def discovery_cache(session: Session) -> Path | None:
    """Where discovery of this server is kept, as kubectl's --cache-dir; None for an embedded server."""
    if session.embedded:
        return None
    base = session.flags.get("cache_dir") or os.path.join(
        os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache"), "kctl"
    )
    host = session.configuration.server.split("://", 1)[-1]
    return Path(base) / "discovery" / "".join(letter if letter.isalnum() or letter in ".-" else "_" for letter in host)
