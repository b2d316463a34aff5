"""The kubeconfig of a cluster's administrator: self-contained, so that it can be copied anywhere."""

from __future__ import annotations

import base64
import os
from pathlib import Path

from kctl.daemon.pki import Pki

_TEMPLATE = """\
apiVersion: v1
kind: Config
clusters:
- name: {name}
  cluster:
    certificate-authority-data: {authority}
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
    def encoded(name: str) -> str:
        return base64.b64encode(pki[name].read_bytes()).decode()

    return _TEMPLATE.format(
        name=context_name(cluster),
        server=server,
        authority=encoded("ca.crt"),
        certificate=encoded("admin.crt"),
        key=encoded("admin.key"),
    )


def write(path: Path, cluster: str, server: str, pki: Pki) -> None:
    """Only the owner may read it. The file is replaced at once, never half-written."""
    temporary = path.with_suffix(".tmp")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text(cluster, server, pki))
    temporary.replace(path)
