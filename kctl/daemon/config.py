"""What a cluster is started with, kept in its folder so that the next start needs no flags."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from kctl.apimachinery import quantity
from kctl.apimachinery.times import FASTEST_SPEED, SLOWEST_SPEED
from kctl.daemon import private_files
from kctl.daemon.damage import DamagedFile, json_object, read_small

DEFAULT_PORT_OR_FREE = -1
MAXIMUM_NODES = 20000
RUNTIMES = ("simulated", "process", "simulated-only")
COMPONENTS = ("kube-controller-manager", "kube-scheduler", "kubelet")
"""Those a cluster can do without, because they run as processes of their own or not at all."""
AUTHORIZATION_MODES = ("AlwaysAllow", "AlwaysDeny", "Node", "RBAC")
ADVICE = "correct it, or write {{}} into it and give the settings once more: kctl run-cluster --name {name} --nodes ..."


@dataclass(frozen=True, slots=True)
class ClusterConfig:
    """`node_*` are quantities for every simulated node. `port` 0 = any free port, -1 = 6443 where free, else any; `served_port` is
    the one it had last, kept so that a kubeconfig stays right. `starts` counts the daemon's starts; the mirror pods show it as
    restarts."""

    name: str
    nodes: int = 3
    host: str = "127.0.0.1"
    port: int = DEFAULT_PORT_OR_FREE
    node_cpu: str = "32"
    node_memory: str = "256Gi"
    node_pods: int = 110
    control_plane_taint: bool = False
    controllers: str = "*"
    """As kube-controller-manager's flag of that name: names joined by commas, `*` for all, `-name` for all but that one."""
    components: str = "*"
    """Which of COMPONENTS run in the cluster's process, in the words of `controllers`."""
    speed: float = 1.0
    """So many seconds of the cluster's time pass in one of the machine's."""
    authorization_mode: str = "Node,RBAC"
    """As kube-apiserver's flag of that name."""
    audit_policy_file: str = ""
    audit_log_path: str = ""
    """As kube-apiserver's flags; '' is none, '-' standard output."""
    audit_log_maxsize: int = 0
    audit_log_maxbackup: int = 0
    audit_log_maxage: int = 0
    audit_log_compress: bool = False
    runtime: str = "simulated"
    """What pods without a runtimeClassName are: simulated, or process; with simulated-only no pod can be a process."""
    images: dict[str, str] = field(default_factory=dict)
    """Full name of an image > the folder that is its root, or "host", for pods that are processes."""
    store: str = ""
    """etcd://..., or '' for a file in the cluster's folder."""
    etcd_cafile: str = ""
    etcd_certfile: str = ""
    etcd_keyfile: str = ""
    """As kube-apiserver's flags."""
    node_prefix: str = ""
    """What the names of the nodes begin with; '' for the cluster's name. A cluster made of another one's snapshot keeps its nodes."""
    starts: int = 0
    served_port: int = 0

    @classmethod
    def load(cls, path: Path) -> ClusterConfig | None:
        """None where there is no such cluster yet. Unknown fields (of a newer kctl) are dropped. Raises DamagedFile."""
        advice = ADVICE.format(name=path.parent.name)
        data = read_small(path, advice)
        if data is None:
            return None
        stored = {"name": path.parent.name} | json_object(path, data, advice)
        known = {setting.name for setting in fields(cls)}
        config = cls(**{key: value for key, value in stored.items() if key in known})
        wrong = [name for name, valid in _VALID.items() if not valid(getattr(config, name))]
        if wrong:
            values = ", ".join(f"{name} {getattr(config, name)!r:.40}" for name in wrong)
            raise DamagedFile(path, f"has invalid values: {values}", advice)
        if config.name != path.parent.name:
            raise DamagedFile(
                path,
                f"is of the cluster {config.name!r:.80}",
                f"rename its folder back to that, or correct the name in it to {path.parent.name!r}",
            )
        return config

    def save(self, path: Path) -> None:
        private_files.make_folder(path.parent)
        private_files.write(path, (json.dumps(asdict(self), indent=2) + "\n").encode(), durable=True)


def _whole(minimum: int, maximum: int) -> Callable[[Any], bool]:
    return lambda value: type(value) is int and minimum <= value <= maximum


def _text(value: Any) -> bool:
    return isinstance(value, str) and 0 < len(value) < 256


def _path(value: Any) -> bool:
    return isinstance(value, str) and 0 < len(value) < 4096


def authorization_modes_valid(value: Any) -> bool:
    """Modes joined by commas, each once."""
    modes = value.split(",") if _text(value) else []
    return bool(modes) and len(set(modes)) == len(modes) and set(modes) <= set(AUTHORIZATION_MODES)


def components_of(value: str) -> tuple[str, ...]:
    """Those of COMPONENTS that run. Raises ValueError with a name that none has."""
    wanted = value.split(",")
    for name in wanted:
        if name != "*" and name.removeprefix("-") not in COMPONENTS:
            raise ValueError(name.removeprefix("-"))
    return tuple(name for name in COMPONENTS if f"-{name}" not in wanted and ("*" in wanted or name in wanted))


def _components_valid(value: Any) -> bool:
    try:
        components_of(value if _text(value) else "?")
    except ValueError:
        return False
    return True


def speed_valid(value: float) -> bool:
    return SLOWEST_SPEED <= value <= FASTEST_SPEED


def _quantity(value: Any) -> bool:
    return _text(value) and quantity.valid(value)


_VALID: dict[str, Callable[[Any], bool]] = {
    "name": _text,
    "nodes": _whole(1, MAXIMUM_NODES),
    "host": _text,
    "port": _whole(DEFAULT_PORT_OR_FREE, 65535),
    "node_cpu": _quantity,
    "node_memory": _quantity,
    "node_pods": _whole(1, 2**31 - 1),
    "control_plane_taint": lambda value: isinstance(value, bool),
    "controllers": lambda value: isinstance(value, str) and len(value) < 4096,
    "components": _components_valid,
    "speed": lambda value: type(value) in (int, float) and speed_valid(value),
    "authorization_mode": authorization_modes_valid,
    "audit_policy_file": lambda value: isinstance(value, str),
    "audit_log_path": lambda value: isinstance(value, str),
    "audit_log_maxsize": _whole(0, 2**31 - 1),
    "audit_log_maxbackup": _whole(0, 2**31 - 1),
    "audit_log_maxage": _whole(0, 36_500),
    "audit_log_compress": lambda value: isinstance(value, bool),
    "runtime": lambda value: value in RUNTIMES,
    "images": lambda value: isinstance(value, dict) and all(_path(each) for pair in value.items() for each in pair),
    "store": lambda value: isinstance(value, str),
    "etcd_cafile": lambda value: isinstance(value, str),
    "etcd_certfile": lambda value: isinstance(value, str),
    "etcd_keyfile": lambda value: isinstance(value, str),
    "node_prefix": lambda value: isinstance(value, str) and len(value) < 64,
    "starts": _whole(0, 2**53),
    "served_port": _whole(0, 65535),
}
