"""Kubeconfigs for components that the cluster's own process leaves to others: each with a certificate for the component's own user, anew at
every start, and none for what runs in the cluster itself."""

from __future__ import annotations

import contextlib
from collections.abc import Collection
from datetime import datetime

from kctl.daemon import private_files
from kctl.daemon.admin_kubeconfig import text_for
from kctl.daemon.paths import ClusterPaths
from kctl.daemon.pki import Pki, client_certificate

WITH_KUBECONFIG = ("kube-controller-manager", "kube-scheduler")
"""The kubelets of nodes have certificates of their own."""


def write(paths: ClusterPaths, server: str, pki: Pki, running: Collection[str], now: datetime) -> list[str]:
    """The names of those written."""
    left = [name for name in WITH_KUBECONFIG if name not in running]
    for name in WITH_KUBECONFIG:
        path = paths.component_kubeconfig(name)
        if name in left:
            certificate, key = client_certificate(pki, f"system:{name}", now)
            private_files.write(path, text_for(paths.name, server, pki, certificate, key).encode())
        else:
            with contextlib.suppress(FileNotFoundError):
                path.unlink()
    return left
