"""Which local cluster is meant: the one that is named, else $KCTL_CLUSTER, else the current one.

The current cluster is the one started last or chosen with `kctl cluster use`; its name is in $XDG_DATA_HOME/kctl/current_cluster.
Where nothing says, a single cluster is the current one.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from kctl.daemon.damage import DamagedFile, read_small
from kctl.daemon.paths import (
    CURRENT_CLUSTER_FILE,
    DEFAULT_CLUSTER,
    ClusterPaths,
    InvalidClusterName,
    clusters,
    data_home,
    valid_cluster_name,
)
from kctl.daemon.private_files import make_folder, write

VARIABLE = "KCTL_CLUSTER"
_ADVICE = "choose a cluster with: kctl cluster use NAME"


class NoCluster(Exception):
    """There is no such cluster, or none that could be meant; the message says how to get one."""


def file_path(environment: Mapping[str, str] = os.environ) -> Path:
    return data_home(environment) / CURRENT_CLUSTER_FILE


def find(name: str = "", environment: Mapping[str, str] = os.environ) -> ClusterPaths:
    """An existing cluster. `name` '': the current one. Raises NoCluster, InvalidClusterName, DamagedFile."""
    name = name or _from_environment(environment) or recorded(environment)
    if name:
        return _existing(name, environment)
    present = clusters(environment)
    if not present:
        raise NoCluster("no cluster has been made on this machine yet; start one with: kctl run-cluster")
    if len(present) > 1:
        names = ", ".join(paths.name for paths in present)
        raise NoCluster(f"none of the clusters is the current one ({names}); choose one with: kctl cluster use NAME")
    return present[0]


def to_start(name: str = "", environment: Mapping[str, str] = os.environ) -> ClusterPaths:
    """The cluster that `run-cluster` means, made or not. Raises NoCluster (several, none of them current), InvalidClusterName,
    DamagedFile."""
    name = name or _from_environment(environment) or recorded(environment)
    if not name and clusters(environment):
        return find("", environment)
    return ClusterPaths.of(name or DEFAULT_CLUSTER, environment)


def is_current(paths: ClusterPaths, environment: Mapping[str, str] = os.environ) -> bool:
    try:
        return find("", environment) == paths
    except (NoCluster, InvalidClusterName, DamagedFile):
        return False


def check_writable(environment: Mapping[str, str] = os.environ) -> None:
    """Raises DamagedFile where something else than a file is in its place."""
    path = file_path(environment)
    if path.is_dir():
        raise DamagedFile(path, "is a directory", "move it away")


def use(paths: ClusterPaths, environment: Mapping[str, str] = os.environ) -> None:
    """Make it the current cluster."""
    path = file_path(environment)
    make_folder(path.parent)
    try:
        write(path, f"{paths.name}\n".encode())
    except OSError as error:
        raise DamagedFile(path, f"cannot be written ({(error.strerror or str(error)).lower()})", "move it away") from None


def forget(paths: ClusterPaths, environment: Mapping[str, str] = os.environ) -> None:
    """It is deleted: if it was the current cluster, none is."""
    if recorded(environment) == paths.name:
        file_path(environment).unlink(missing_ok=True)


def recorded(environment: Mapping[str, str] = os.environ) -> str:
    """The name in the file, '' without one. Raises DamagedFile."""
    path = file_path(environment)
    data = read_small(path, _ADVICE)
    if data is None:
        return ""
    name = data.decode("ascii", "replace").strip()
    if not valid_cluster_name(name):
        raise DamagedFile(path, "does not hold a cluster's name", _ADVICE)
    return name


def _from_environment(environment: Mapping[str, str]) -> str:
    name = environment.get(VARIABLE) or ""
    if name and not valid_cluster_name(name):
        raise InvalidClusterName(name, f" in ${VARIABLE}")
    return name


def _existing(name: str, environment: Mapping[str, str]) -> ClusterPaths:
    paths = ClusterPaths.of(name, environment)
    if not paths.exist:
        others = ", ".join(cluster.name for cluster in clusters(environment))
        there_are = f" (there are: {others})" if others else ""
        raise NoCluster(f'cluster "{name}" does not exist{there_are}; start it with: kctl run-cluster --name {name}')
    return paths
