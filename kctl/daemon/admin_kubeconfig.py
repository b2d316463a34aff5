"""The kubeconfig of a cluster's administrator: self-contained, so that it can be copied anywhere.

An extension of the cluster's entry says which local cluster it is, so that kctl finds its store when nothing runs, in a copy too.
What users added with `kctl config` (contexts, a namespace) stays when the cluster starts again.
"""

from __future__ import annotations

import base64
from typing import Any

from kctl.client import kubeconfig
from kctl.client.kubeconfig import Kubeconfig, UnreadableConfig
from kctl.daemon import private_files
from kctl.daemon.damage import DamagedFile
from kctl.daemon.paths import ClusterPaths
from kctl.daemon.pki import Pki

_TEMPLATE = """\
apiVersion: v1
kind: Config
clusters:
- name: {name}
  cluster:
    certificate-authority-data: {authority}
    extensions:
    - extension:
        cluster: "{cluster}"
      name: {extension}
    server: {server}
contexts:
- name: {name}
  context:
    cluster: {name}
    user: {name}
current-context: {name}
preferences: {{}}
users:
- name: {name}
  user:
    client-certificate-data: {certificate}
    client-key-data: {key}
"""


def context_name(cluster: str) -> str:
    """kctl for the default cluster, kctl-<name> for others."""
    return cluster if cluster == "kctl" else f"kctl-{cluster}"


def text(cluster: str, server: str, pki: Pki) -> str:
    return text_for(cluster, server, pki, pki["admin.crt"].read_bytes(), pki["admin.key"].read_bytes())


def text_for(cluster: str, server: str, pki: Pki, certificate: bytes, key: bytes) -> str:
    """For whoever has that client certificate."""

    def encoded(data: bytes) -> str:
        return base64.b64encode(data).decode()

    return _TEMPLATE.format(
        cluster=cluster,
        extension=kubeconfig.LOCAL_CLUSTER_EXTENSION,
        name=context_name(cluster),
        server=server,
        authority=encoded(pki["ca.crt"].read_bytes()),
        certificate=encoded(certificate),
        key=encoded(key),
    )


def check(paths: ClusterPaths) -> None:
    """Raises DamagedFile where a kubeconfig is there that cannot be read: it may hold contexts of the user's."""
    _existing(paths)


def write(paths: ClusterPaths, server: str, pki: Pki) -> None:
    """Replaced at once, never half-written."""
    ours = text(paths.name, server, pki)
    existing = _existing(paths)
    if existing is not None and not existing.empty:
        ours = _merged(existing, kubeconfig.parse(ours.encode(), paths.kubeconfig)) or ours
    private_files.write(paths.kubeconfig, ours.encode())


def _existing(paths: ClusterPaths) -> Kubeconfig | None:
    try:
        return kubeconfig.load_all([paths.kubeconfig])
    except UnreadableConfig as error:
        raise DamagedFile(
            paths.kubeconfig, f"is not a kubeconfig ({error})", "correct it, or delete it: the next start writes it anew"
        ) from None


def _merged(existing: Kubeconfig, ours: Kubeconfig) -> str | None:
    """None where the user added nothing."""
    name = ours.current_context
    mine = existing.contexts.pop(name, {})
    existing.clusters.pop(name, None)
    existing.users.pop(name, None)
    added = mine.get("namespace") or mine.get("extensions") or existing.current_context not in ("", name)
    if not (added or existing.clusters or existing.users or existing.contexts):
        return None
    from kctl.apimachinery.yaml import dump

    existing.contexts[name] = {**mine, **ours.contexts[name]}
    existing.clusters[name] = ours.clusters[name]
    existing.users[name] = ours.users[name]
    existing.current_context = existing.current_context or name
    merged: dict[str, Any] = existing.as_object()
    return dump(merged)
