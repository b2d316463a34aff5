"""Which cluster a command talks to, and how.

Order: --kubeconfig, $KUBECONFIG, else a local cluster of kctl: --cluster, $KCTL_CLUSTER, or the current one (kctl.cli.local_cluster).
~/.kube/config is not read unless named. A local cluster whose daemon is up is reached over HTTPS as any other; a stopped one's store
is opened in this process and served by the same API server code (embedded), also where a kubeconfig of kctl's led to it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kctl.apimachinery.kubernetes_version import KUBERNETES_VERSION
from kctl.apimachinery.times import parse_duration
from kctl.cli.errors import CommandError, ConfigurationError, NoLocalCluster
from kctl.client.kubeconfig import (
    InvalidConfig,
    Kubeconfig,
    Overrides,
    ResolvedConfig,
    UnreadableConfig,
    at_server,
    environment_paths,
    load,
    load_all,
    resolve,
)
from kctl.client.kubeconfig import local_cluster as local_cluster_of

if TYPE_CHECKING:
    from kctl.cli.local_cluster import LocalCluster
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
_CONTEXT_FIRST = frozenset(
    [
        "api-resources",
        "api-versions",
        "apply",
        "auth",
        "autoscale",
        "certificate",
        "cluster-info",
        "cordon",
        "create",
        "diff",
        "drain",
        "explain",
        "expose",
        "proxy",
        "replace",
        "run",
        "uncordon",
        "version",
        "wait",
    ]
)
"""Commands that look up context and cluster before anything checks the configuration as a whole; kubectl's words differ."""


def uses_local_cluster(flags: Mapping[str, Any]) -> bool:
    """Neither the flags nor the environment name a kubeconfig or a server."""
    return not (flags.get("kubeconfig") or environment_paths() or flags.get("server"))


def load_kubeconfig(flags: Mapping[str, Any]) -> Kubeconfig:
    """Empty where no local cluster is meant or made; `connect` then says so."""
    try:
        if flags.get("kubeconfig"):
            return _load_explicit(Path(flags["kubeconfig"]))
        if environment_paths():
            return load_all(environment_paths())
        return load_all([local_kubeconfig(flags)]) if uses_local_cluster(flags) else Kubeconfig()
    except UnreadableConfig as error:
        raise CommandError(str(error)) from None
    except NoLocalCluster:
        return Kubeconfig()


def _load_explicit(path: Path) -> Kubeconfig:
    if not path.exists():
        _refuse_gone([path])
    return load(path)


def local_kubeconfig(flags: Mapping[str, Any]) -> Path:
    """The file `kctl run-cluster` writes: what kctl reads and `kctl config` changes where no other is named. Raises NoLocalCluster
    (a CommandError)."""
    from kctl.cli.local_cluster import by_flags

    return by_flags(flags).kubeconfig


def resolve_configuration(session: Session) -> ResolvedConfig:
    """Raises CommandError in kubectl's words."""
    flags = session.flags
    try:
        return resolve(session.kubeconfig, overrides(flags))
    except InvalidConfig as error:
        if _looks_up_first(session):
            raise CommandError(f'context "{flags.get("context")}" does not exist') from None
        raise ConfigurationError(str(error)) from None
    except UnreadableConfig as error:
        raise CommandError(unknown_cluster(session, str(error))) from None


def unknown_cluster(session: Session, message: str) -> str:
    """`no server found for cluster "x"`, or `cluster "x" does not exist` from commands that look it up first."""
    return (
        f"{message.removeprefix('no server found for ')} does not exist" if _looks_up_first(session) and "no server" in message else message
    )


def _looks_up_first(session: Session) -> bool:
    words = session.program.split(" ")
    return len(words) > 1 and words[1] in _CONTEXT_FIRST and words[-1] != "token"


def overrides(flags: Mapping[str, Any]) -> Overrides:
    cluster_fields = {field: flags[name] for name, field in _CLUSTER_FLAGS.items() if flags.get(name)}
    if flags.get("insecure_skip_tls_verify"):
        cluster_fields |= {"certificate-authority": "", "certificate-authority-data": ""}
    elif flags.get("certificate_authority"):
        cluster_fields["certificate-authority-data"] = ""
    return Overrides(
        context=flags.get("context", ""),
        cluster="" if uses_local_cluster(flags) else flags.get("cluster", ""),
        user=flags.get("user", ""),
        namespace=flags.get("namespace", ""),
        server=flags.get("server", ""),
        cluster_fields=cluster_fields,
        user_fields={field: flags[name] for name, field in _USER_FLAGS.items() if flags.get(name)},
    )


def needs_event_loop(session: Session) -> bool:
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


def _local_cluster(session: Session) -> LocalCluster | None:
    """The local cluster the command is about. Raises CommandError."""
    if session.flags.get("server"):
        return None
    if uses_local_cluster(session.flags):
        from kctl.cli.local_cluster import by_flags

        try:
            return by_flags(session.flags)
        except NoLocalCluster as error:
            raise NoLocalCluster(unknown_cluster(session, error.message)) from None
    if session.kubeconfig.empty:
        _refuse_gone([Path(session.flags["kubeconfig"])] if session.flags.get("kubeconfig") else environment_paths())
    if not local_cluster_of(session.configuration.cluster):
        return None
    from kctl.cli.local_cluster import by_kubeconfig

    return by_kubeconfig(session.configuration)


def _refuse_gone(paths: list[Path]) -> None:
    """Files of a local cluster that was deleted: the message names it."""
    if any(path.name == "kubeconfig" for path in paths):
        from kctl.cli.local_cluster import refuse_gone

        refuse_gone(paths)


async def connect(session: Session) -> Transport:
    """The transport of the cluster in use. Warnings of the server go to stderr as they arrive."""
    paths = _local_cluster(session)
    configuration = session.configuration
    if paths is not None:
        from kctl.cli.local_cluster import open_stopped, running

        if not session.blocking:
            embedded = await open_stopped(session, paths)
            if embedded is not None:
                from kctl.cli.reporting import ReportingTransport

                return ReportingTransport(embedded, session.warn)
        daemon = running(paths)
        if daemon is not None and configuration.server != daemon.server:
            session.configuration = at_server(configuration, daemon.server)
    return _https(session)


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


def discovery_cache(session: Session) -> Path | None:
    """Where discovery of this server is kept, as kubectl's --cache-dir; None for an embedded server."""
    if session.embedded:
        return None
    base = session.flags.get("cache_dir") or os.path.join(
        os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache"), "kctl"
    )
    host = session.configuration.server.split("://", 1)[-1]
    return Path(base) / "discovery" / "".join(letter if letter.isalnum() or letter in ".-" else "_" for letter in host)
