"""What a cluster is started with, kept in its folder so that the next start needs no flags."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path

DEFAULT_PORT_OR_FREE = -1


@dataclass(frozen=True, slots=True)
class ClusterConfig:
    """`node_*` are quantities for every simulated node. `port` 0 = any free port, -1 = 6443 where free, else any. `starts` counts
    the daemon's starts; the mirror pods show it as restarts."""

    name: str
    nodes: int = 3
    host: str = "127.0.0.1"
    port: int = DEFAULT_PORT_OR_FREE
    node_cpu: str = "32"
    node_memory: str = "256Gi"
    node_pods: int = 110
    control_plane_taint: bool = False
    starts: int = 0

    @classmethod
    def load(cls, path: Path) -> ClusterConfig | None:
        """None where there is no such cluster yet. Unknown fields (of a newer kctl) are dropped."""
        try:
            stored = json.loads(path.read_text())
        except FileNotFoundError:
            return None
        known = {entry.name for entry in fields(cls)}
        return cls(**{key: value for key, value in stored.items() if key in known})

    def save(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_suffix(".tmp")
        temporary.write_text(json.dumps(asdict(self), indent=2) + "\n")
        temporary.replace(path)
