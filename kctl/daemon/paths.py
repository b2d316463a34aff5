"""Where a cluster keeps its files: $XDG_DATA_HOME/kctl/<cluster>/ (default ~/.local/share/kctl/<cluster>/).

A cluster's name becomes a folder's name, so every name passes `ClusterPaths.of`, whoever gave it: a flag, the environment, a
kubeconfig or the file that says which cluster is the current one.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

DEFAULT_CLUSTER = "kctl"
CURRENT_CLUSTER_FILE = "current_cluster"
"""Beside the clusters' folders; no cluster can be called that, for '_' is not allowed in a label."""
_NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")


class InvalidClusterName(Exception):
    def __init__(self, name: str, source: str = "") -> None:
        super().__init__(
            f"invalid cluster name {name!r}{source}: a lowercase RFC 1123 label is needed (letters, digits and '-', 63 at most)"
        )


def data_home(environment: Mapping[str, str] = os.environ) -> Path:
    """The folder that holds one folder for each cluster."""
    base = environment.get("XDG_DATA_HOME") or str(Path(environment.get("HOME") or "~").expanduser() / ".local" / "share")
    return Path(base) / "kctl"


def valid_cluster_name(name: str) -> bool:
    """A cluster's name is a DNS-1123 label: node names are made from it."""
    return _NAME.fullmatch(name) is not None


class ClusterPaths(NamedTuple):
    directory: Path

    @classmethod
    def of(cls, name: str, environment: Mapping[str, str] = os.environ) -> ClusterPaths:
        """Raises InvalidClusterName."""
        if not valid_cluster_name(name):
            raise InvalidClusterName(name)
        return cls(data_home(environment) / name)

    @property
    def name(self) -> str:
        return self.directory.name

    @property
    def state(self) -> Path:
        """The SQLite database of `store.sqlite`."""
        return self.directory / "state.db"

    @property
    def pki(self) -> Path:
        return self.directory / "pki"

    @property
    def kubeconfig(self) -> Path:
        return self.directory / "kubeconfig"

    def component_kubeconfig(self, component: str) -> Path:
        """For a component that runs as a process of its own."""
        return self.directory / f"{component}.kubeconfig"

    @property
    def logs(self) -> Path:
        return self.directory / "logs"

    @property
    def processes(self) -> Path:
        """What the kubelets know of pods that are processes: their volumes, logs, layers."""
        return self.directory / "processes"

    @property
    def process_id(self) -> Path:
        """run.pid: JSON of the running daemon's process id and server URL; absent or stale when stopped."""
        return self.directory / "run.pid"

    @property
    def settings(self) -> Path:
        """cluster.json: what the cluster was started with, so that a restart needs no flags."""
        return self.directory / "cluster.json"

    @property
    def clock(self) -> Path:
        """clock.json: how far the cluster's time is from the machine's, once it has been steered."""
        return self.directory / "clock.json"

    @property
    def exist(self) -> bool:
        """Whether there is such a cluster: settings, or a store that commands made with nothing running."""
        return os.path.lexists(self.settings) or os.path.lexists(self.state)


def clusters(environment: Mapping[str, str] = os.environ) -> list[ClusterPaths]:
    """Every cluster on this machine, by name."""
    return _in(data_home(environment))


def siblings(paths: ClusterPaths) -> list[ClusterPaths]:
    """The other clusters beside this one."""
    return [other for other in _in(paths.directory.parent) if other != paths]


def _in(home: Path) -> list[ClusterPaths]:
    if not home.is_dir():
        return []
    named = [ClusterPaths(folder) for folder in sorted(home.iterdir()) if valid_cluster_name(folder.name)]
    return [paths for paths in named if paths.exist]
