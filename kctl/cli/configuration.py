"""The configuration a command works with: kubeconfig and flags, resolved in kubectl's order and refused in its words.

Order: --kubeconfig, $KUBECONFIG, else a local cluster of kctl: --cluster, $KCTL_CLUSTER, or the current one (kctl.cli.local_cluster).
~/.kube/config is not read unless named.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kctl.cli.errors import CommandError, ConfigurationError, NoLocalCluster
from kctl.client.kubeconfig import (
    InvalidConfig,
    Kubeconfig,
    Overrides,
    ResolvedConfig,
    UnreadableConfig,
    environment_paths,
    load,
    load_all,
    resolve,
)

if TYPE_CHECKING:
    pass

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
        refuse_gone([path])
    return load(path)


def local_kubeconfig(flags: Mapping[str, Any]) -> Path:
    """The file `kctl run-cluster` writes: what kctl reads and `kctl config` changes where no other is named. Raises NoLocalCluster
    (a CommandError)."""
    from kctl.cli.local_cluster import by_flags

    return by_flags(flags).kubeconfig


def resolve_configuration(kubeconfig: Kubeconfig, flags: Mapping[str, Any], program: str) -> ResolvedConfig:
    """Raises CommandError in kubectl's words."""
    try:
        return resolve(kubeconfig, overrides(flags))
    except InvalidConfig as error:
        if _looks_up_first(program):
            raise CommandError(f'context "{flags.get("context")}" does not exist') from None
        raise ConfigurationError(str(error)) from None
    except UnreadableConfig as error:
        raise CommandError(unknown_cluster(program, str(error))) from None


def unknown_cluster(program: str, message: str) -> str:
    """`no server found for cluster "x"`, or `cluster "x" does not exist` from commands that look it up first."""
    return (
        f"{message.removeprefix('no server found for ')} does not exist" if _looks_up_first(program) and "no server" in message else message
    )


def _looks_up_first(program: str) -> bool:
    words = program.split(" ")
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


def refuse_gone(paths: list[Path]) -> None:
    """Files of a local cluster that was deleted: the message names it."""
    if any(path.name == "kubeconfig" for path in paths):
        from kctl.cli import local_cluster

        local_cluster.refuse_gone(paths)
