"""Where a cluster keeps its files: $XDG_DATA_HOME/kctl/<cluster>/ (default ~/.local/share/kctl/<cluster>/)."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

DEFAULT_CLUSTER = "kctl"
_NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")


def data_home(environment: Mapping[str, str] = os.environ) -> Path:
    """The folder that holds one folder for each cluster."""
    base = environment.get("XDG_DATA_HOME") or str(Path(environment.get("HOME") or "~").expanduser() / ".local" / "share")
    return Path(base) / "kctl"


def valid_cluster_name(name: str) -> bool:
    """A cluster's name is a DNS-1123 label: node names are made from it."""
    return _NAME.fullmatch(name) is not None


@dataclass(frozen=True, slots=True)
class ClusterPaths:
    directory: Path

    @classmethod
    def of(cls, name: str, environment: Mapping[str, str] = os.environ) -> ClusterPaths:
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

    @property
    def logs(self) -> Path:
        return self.directory / "logs"

    @property
    def process_id(self) -> Path:
        """run.pid: JSON of the running daemon's process id and server URL; absent or stale when stopped."""
        return self.directory / "run.pid"

    @property
    def settings(self) -> Path:
        """cluster.json: what the cluster was started with, so that a restart needs no flags."""
        return self.directory / "cluster.json"


def clusters(environment: Mapping[str, str] = os.environ) -> list[ClusterPaths]:
    """Every cluster that has settings on this machine, by name."""
    home = data_home(environment)
    if not home.is_dir():
        return []
    return [ClusterPaths(folder) for folder in sorted(home.iterdir()) if (folder / "cluster.json").is_file()]
