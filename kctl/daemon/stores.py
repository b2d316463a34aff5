"""Which implementation of the store a cluster has: a file of its own, or an etcd cluster."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from kctl.apimachinery.clock import Clock
from kctl.daemon.config import ClusterConfig
from kctl.daemon.paths import ClusterPaths

if TYPE_CHECKING:
    from store.etcd import Etcd


def store_of(config: ClusterConfig, paths: ClusterPaths, clock: Clock) -> Etcd:
    """Not started yet. Raises StoreError where what an etcd cluster needs is not installed."""
    if not config.store:
        from store.sqlite import SqliteStore

        return SqliteStore(paths.state, clock)
    from kctl.kube_apiserver.etcd_layout import KubernetesLayout
    from store.errors import StoreError
    from store.etcd_cluster.address import Address

    try:
        from store.etcd_cluster.store import EtcdClusterStore
    except ImportError as error:
        raise StoreError(f"{error}: a cluster on etcd needs grpcio and protobuf: pip install 'kctl[etcd]'") from error
    address = Address.parse(config.store, ca_file=config.etcd_cafile, certificate_file=config.etcd_certfile, key_file=config.etcd_keyfile)
    identity = f"cluster {config.name} on {socket.gethostname()} ({paths.directory})"
    if config.store_shared:
        return EtcdClusterStore(address, layout=KubernetesLayout(), sharing=identity)
    return EtcdClusterStore(address, layout=KubernetesLayout(), owner=identity)  # whose lock this process has


def wrong_store(config: ClusterConfig) -> str:
    """What is wrong with a configuration's store; '' if nothing is."""
    from store.etcd_cluster.address import Address, WrongAddress

    files = {"--etcd-cafile": config.etcd_cafile, "--etcd-certfile": config.etcd_certfile, "--etcd-keyfile": config.etcd_keyfile}
    if not config.store:
        given = [flag for flag, value in files.items() if value]
        given += ["--store-shared"] if config.store_shared else []
        return f"{given[0]} needs --store etcd://HOST:PORT" if given else ""
    try:
        Address.parse(config.store, ca_file=config.etcd_cafile, certificate_file=config.etcd_certfile, key_file=config.etcd_keyfile)
    except WrongAddress as error:
        return str(error)
    return ""
