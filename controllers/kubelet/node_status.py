"""The Node object as a kubelet registers and reports it. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

from controllers.kubelet.admission import Requests, amount
from controllers.kubelet.node_config import KUBELET_PORT, NodeConfig
from controllers.kubelet.runtime import ContainerRuntime
from kctl.apimachinery import objects, quantity
from kctl.apimachinery.kubernetes_version import KUBERNETES_VERSION
from kctl.apimachinery.objects import Object

CONTROL_PLANE_LABEL = "node-role.kubernetes.io/control-plane"
_RESERVED_MEMORY = 100 * 1024 * 1024
"""The default hard eviction threshold memory.available, which is not allocatable."""

CONDITIONS = (
    ("MemoryPressure", "False", "KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
    ("DiskPressure", "False", "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
    ("PIDPressure", "False", "KubeletHasSufficientPID", "kubelet has sufficient PID available"),
    ("Ready", "True", "KubeletReady", "kubelet is posting ready status"),
)

PRESSURES = {
    "memory": ("MemoryPressure", "True", "KubeletHasInsufficientMemory", "kubelet has insufficient memory available"),
    "disk": ("DiskPressure", "True", "KubeletHasDiskPressure", "kubelet has disk pressure"),
    "pid": ("PIDPressure", "True", "KubeletHasInsufficientPID", "kubelet has insufficient PID available"),
}
"""What a kubelet reports where something runs out."""

NOT_READY = ("Ready", "False", "KubeletNotReady", "[container runtime is down]")
"""What a kubelet reports whose runtime does not answer."""

START_EVENTS = (
    ("Starting", "Starting kubelet."),
    ("NodeHasSufficientMemory", "Node {node} status is now: NodeHasSufficientMemory"),
    ("NodeHasNoDiskPressure", "Node {node} status is now: NodeHasNoDiskPressure"),
    ("NodeHasSufficientPID", "Node {node} status is now: NodeHasSufficientPID"),
    ("NodeAllocatableEnforced", "Updated Node Allocatable limit across pods"),
    ("NodeReady", "Node {node} status is now: NodeReady"),
)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _uuid(text: str) -> str:
    digest = _digest(text)
    return f"{digest[:8]}-{digest[8:12]}-{digest[12:16]}-{digest[16:20]}-{digest[20:32]}"


def capacity(config: NodeConfig) -> dict[str, str]:
    amounts = {
        "cpu": quantity.canonical(config.cpu),
        "ephemeral-storage": quantity.canonical(config.ephemeral_storage),
        "hugepages-1Gi": "0",
        "hugepages-2Mi": "0",
        "memory": quantity.canonical(config.memory),
        "pods": str(config.pods),
    }
    return amounts | {name: quantity.canonical(value) for name, value in config.extended_resources.items()}


def allocatable(config: NodeConfig) -> dict[str, str]:
    """Memory less the eviction threshold, as a kubelet with default settings."""
    total = quantity.whole(config.memory)
    left = total - _RESERVED_MEMORY if total > 4 * _RESERVED_MEMORY else total
    return capacity(config) | {"memory": quantity.format_quantity(left // 1024 * 1024, "BinarySI")}


def amounts(resources: dict[str, Any]) -> Requests:
    """status.allocatable as numbers for admission."""
    return {name: amount(name, value) for name, value in resources.items()}


def labels(config: NodeConfig) -> dict[str, str]:
    made = {
        "beta.kubernetes.io/arch": "amd64",
        "beta.kubernetes.io/os": "linux",
        "kubernetes.io/arch": "amd64",
        "kubernetes.io/hostname": config.name,
        "kubernetes.io/os": "linux",
    }
    if config.control_plane:
        made |= {CONTROL_PLANE_LABEL: "", "node.kubernetes.io/exclude-from-external-load-balancers": ""}
    return made | dict(config.labels)


def node_info(config: NodeConfig, runtime: ContainerRuntime) -> Object:
    return {
        "architecture": "amd64",
        "bootID": _uuid(f"boot/{config.name}"),
        "containerRuntimeVersion": f"{runtime.name}://{runtime.version}",
        "kernelVersion": "6.12.0-kctl",
        "kubeProxyVersion": "",
        "kubeletVersion": KUBERNETES_VERSION,
        "machineID": _digest(f"machine/{config.name}")[:32],
        "operatingSystem": "linux",
        "osImage": "kctl simulated node",
        "systemUUID": _uuid(f"system/{config.name}"),
    }


_TIMES = {"lastHeartbeatTime": None, "lastTransitionTime": None}


def status(
    config: NodeConfig, address: str, runtime: ContainerRuntime, now: str, old: Object, *, ready: bool = True, pressures: Sequence[str] = ()
) -> Object:
    """The whole status; `old` is the present one, {} at registration. What capacity somebody patched in for extended resources
    (example.com/gpu) stays, and is allocatable."""
    conditions = list(old.get("conditions") or ())
    wanted = {each[0]: each for each in (*CONDITIONS, *(PRESSURES[kind] for kind in pressures), *(() if ready else (NOT_READY,)))}
    for kind, value, reason, message in wanted.values():
        said = {"type": kind, "status": value, "lastHeartbeatTime": now, "lastTransitionTime": now, "reason": reason, "message": message}
        conditions = objects.with_condition(conditions, said)
    extended = {name: value for name, value in (old.get("capacity") or {}).items() if "/" in name}
    kept = {field: value for field, value in old.items() if field in ("volumesInUse", "volumesAttached", "images", "config")}
    return {
        **kept,
        "addresses": [{"type": "InternalIP", "address": address}, {"type": "Hostname", "address": config.name}],
        "allocatable": extended | allocatable(config),
        "capacity": extended | capacity(config),
        "conditions": conditions,
        "daemonEndpoints": {"kubeletEndpoint": {"Port": KUBELET_PORT}},
        "nodeInfo": node_info(config, runtime),
        "runtimeHandlers": [{"name": "", "features": {"recursiveReadOnlyMounts": False, "userNamespaces": False}}],
    }


def says_more(new: Object, old: Object) -> bool:
    """Whether a report would change anything but the times of its heartbeats."""
    return any(old.get(field) != value for field, value in new.items() if field != "conditions") or any(
        {**condition, **_TIMES} != {**(objects.find_condition(old.get("conditions") or (), condition["type"]) or {}), **_TIMES}
        for condition in new["conditions"]
    )


def node(config: NodeConfig, address: str, runtime: ContainerRuntime, now: str) -> Object:
    """What registration posts."""
    meta: Object = {
        "name": config.name,
        "labels": labels(config),
        "annotations": {
            "node.alpha.kubernetes.io/ttl": "0",
            "volumes.kubernetes.io/controller-managed-attach-detach": "true",
            **config.annotations,
        },
    }
    spec: Object = {}
    if config.taints:
        spec["taints"] = [dict(taint) for taint in config.taints]
    if config.pod_cidr:
        spec |= {"podCIDR": config.pod_cidr, "podCIDRs": [config.pod_cidr]}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": meta,
        "spec": spec,
        "status": status(config, address, runtime, now, {}),
    }


def reconciled_labels(present: Object, config: NodeConfig) -> Object | None:
    """The node with the labels that a kubelet insists on; None where they are all there."""
    wanted = labels(config)
    current = objects.labels(present)
    if wanted.items() <= current.items():
        return None
    return objects.with_metadata(present, labels={**current, **wanted})


def config_of(present: Object) -> NodeConfig:
    """The configuration of a simulated node that somebody created as an object (annotation kctl.dev/simulated: "true")."""
    given = objects.status(present).get("capacity") or {}
    base = NodeConfig(objects.name(present))
    extended = {name: str(value) for name, value in given.items() if "/" in name}
    return NodeConfig(
        base.name,
        cpu=str(given.get("cpu") or base.cpu),
        memory=str(given.get("memory") or base.memory),
        pods=int(quantity.whole(given.get("pods") or base.pods)),
        ephemeral_storage=str(given.get("ephemeral-storage") or base.ephemeral_storage),
        extended_resources=extended,
    )


def event_reference(name: str) -> Object:
    """The kubelet's own quirk: the uid in events about its node is the node's name."""
    return {"kind": "Node", "name": name, "uid": name}
