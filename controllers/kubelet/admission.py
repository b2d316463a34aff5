"""Whether a node takes a pod that was bound to it (the kubelet's own admission): resources, ports, selector. Pure.

The scheduler has already looked; this catches pods bound by hand (spec.nodeName) and races.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from controllers.kubelet.by_template import ByTemplate
from controllers.runtime.host_ports import HostPort, host_ports, is_free
from controllers.runtime.node_affinity import matches_node
from kctl.apimachinery import objects, quantity
from kctl.apimachinery.objects import Object

Requests = dict[str, int]
"""Millicores for cpu, whole units for everything else."""


def amount(resource: str, value: Any) -> int:
    return quantity.milli(value) if resource == "cpu" else quantity.whole(value)


def pod_requests(spec: Object) -> Requests:
    """What the pod counts for: containers and sidecars together, or the largest init container; plus overhead."""
    total: Requests = {}
    for container in spec.get("containers") or ():
        _add(total, container)
    peak: Requests = {}
    beside: Requests = {}
    for container in spec.get("initContainers") or ():
        if container.get("restartPolicy") == "Always":
            _add(beside, container)
            step = dict(beside)
        else:
            step = dict(beside)
            _add(step, container)
        for name, value in step.items():
            peak[name] = max(peak.get(name, 0), value)
    for name, value in beside.items():
        total[name] = total.get(name, 0) + value
    for name, value in peak.items():
        total[name] = max(total.get(name, 0), value)
    for name, text in ((spec.get("resources") or {}).get("requests") or {}).items():
        total[name] = amount(name, text)
    for name, text in (spec.get("overhead") or {}).items():
        total[name] = total.get(name, 0) + amount(name, text)
    return total


def _add(total: Requests, container: Object) -> None:
    resources = container.get("resources")
    if not resources:
        return
    for name, text in (resources.get("requests") or {}).items():
        total[name] = total.get(name, 0) + amount(name, text)


class Demand(NamedTuple):
    """What a pod takes from its node. A value: pods of one template have the same one."""

    requests: Requests
    ports: tuple[HostPort, ...]


_PARTS = ("containers", "initContainers", "resources", "overhead", "hostNetwork")


def demand(spec: Object) -> Demand:
    return _demand(*map(spec.get, _PARTS))


@ByTemplate
def _demand(*parts: Any) -> Demand:
    spec = dict(zip(_PARTS, parts, strict=True))
    return Demand(pod_requests(spec), host_ports(spec))


@dataclass(slots=True)
class NodeUsage:
    """What the pods of one node take, kept up to date as they come and go."""

    allocatable: Requests
    pods: int = 0
    used: Requests = field(default_factory=dict)
    ports: Counter[HostPort] = field(default_factory=Counter)

    def add(self, spec: Object) -> None:
        requests, ports = demand(spec)
        self.pods += 1
        for name, value in requests.items():
            self.used[name] = self.used.get(name, 0) + value
        if ports:
            self.ports.update(ports)

    def remove(self, spec: Object) -> None:
        requests, ports = demand(spec)
        self.pods -= 1
        for name, value in requests.items():
            self.used[name] = self.used.get(name, 0) - value
        if ports:
            self.ports -= Counter(ports)


def problem(pod: Object, node_labels: Mapping[str, str], node_name: str, usage: NodeUsage) -> tuple[str, str] | None:
    """(reason, message) why the node refuses the pod, None where it takes it."""
    spec = objects.spec(pod)
    sysctls = (spec.get("securityContext") or {}).get("sysctls")
    if sysctls and (forbidden := forbidden_sysctl(spec, sysctls)):
        return ("SysctlForbidden", f"forbidden sysctl: {forbidden}")
    capacity = usage.allocatable.get("pods", 110)
    if usage.pods + 1 > capacity:
        return _out_of("pods", 1, usage.pods, capacity)
    requests, ports = demand(spec)
    for name, value in requests.items():
        used, free = usage.used.get(name, 0), usage.allocatable.get(name, 0)
        if value and used + value > free:
            return _out_of(name, value, used, free)
    if not matches_node(spec, node_labels, node_name):
        return ("NodeAffinity", "Predicate NodeAffinity failed: node(s) didn't match Pod's node affinity/selector")
    if ports and not all(is_free(port, usage.ports) for port in ports):
        return ("NodePorts", "Predicate NodePorts failed: node(s) didn't have free ports for the requested pod ports")
    return None


def _out_of(resource: str, requested: int, used: int, capacity: int) -> tuple[str, str]:
    figures = f"requested: {requested}, used: {used}, capacity: {capacity}"
    return (f"OutOf{resource}", f"Node didn't have enough resource: {resource}, {figures}")


_SAFE_SYSCTLS = frozenset(
    {
        "kernel.shm_rmid_forced",
        "net.ipv4.ip_local_port_range",
        "net.ipv4.tcp_syncookies",
        "net.ipv4.ping_group_range",
        "net.ipv4.ip_unprivileged_port_start",
        "net.ipv4.ip_local_reserved_ports",
        "net.ipv4.tcp_keepalive_time",
        "net.ipv4.tcp_fin_timeout",
        "net.ipv4.tcp_keepalive_intvl",
        "net.ipv4.tcp_keepalive_probes",
        "net.ipv4.tcp_rmem",
        "net.ipv4.tcp_wmem",
    }
)
"""Those a kubelet allows without --allowed-unsafe-sysctls (pkg/kubelet/sysctl/safe_sysctls.go)."""


def forbidden_sysctl(spec: Object, sysctls: Sequence[Object]) -> str:
    """Why the first of them that a kubelet does not take is not taken; ''."""
    for each in sysctls:
        name = str(each.get("name")).replace("/", ".")
        if name not in _SAFE_SYSCTLS:
            return f'"{name}" not allowlisted'
        shared = "hostNetwork" if name.startswith("net.") else "hostIPC"
        if spec.get(shared):
            return f'"{name}" not allowed with host {"net" if shared == "hostNetwork" else "IPC"} enabled'
    return ""
