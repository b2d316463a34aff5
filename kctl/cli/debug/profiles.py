"""The debugging profiles: what a debug container may do, and what a copy of a pod keeps. Pure: pods in, pods out.

A pod is debugged in one of three ways: an ephemeral container in it, a copy of it, or a pod on a node.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Literal

from kctl.apimachinery.objects import Object

Way = Literal["ephemeral", "copy", "node"]
LEGACY: Final = "legacy"
_LISTS: Final = ("initContainers", "containers", "ephemeralContainers")
_PROBES: Final = {"livenessProbe": "liveness", "readinessProbe": "readiness", "startupProbe": "startup"}


@dataclass(frozen=True)
class Keep:
    """What a copy keeps of the pod (--keep-labels and its sisters)."""

    labels: bool = False
    annotations: bool = False
    liveness: bool = False
    readiness: bool = False
    startup: bool = False
    init_containers: bool = True


Changed = Callable[[Object], Object]


def changed_container(pod: Object, name: str, change: Changed) -> Object:
    """The pod with one of its containers changed, of whichever sort."""
    spec = dict(pod["spec"])
    for field in _LISTS:
        if field in spec:
            spec[field] = [change(each) if each["name"] == name else each for each in spec[field]]
    return {**pod, "spec": spec}


def with_security(**more: Any) -> Changed:
    return lambda container: {**container, "securityContext": {**(container.get("securityContext") or {}), **more}}


def without_security(container: Object) -> Object:
    return {key: value for key, value in container.items() if key != "securityContext"}


def with_capabilities(*names: str) -> Changed:
    def change(container: Object) -> Object:
        context = container.get("securityContext") or {}
        capabilities = context.get("capabilities") or {}
        added = [*(capabilities.get("add") or ()), *names]
        return {**container, "securityContext": {**context, "capabilities": {**capabilities, "add": added}}}

    return change


def _restricted(container: Object) -> Object:
    return {
        **container,
        "securityContext": {
            "runAsNonRoot": True,
            "capabilities": {"drop": ["ALL"]},
            "allowPrivilegeEscalation": False,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
    }


def with_host_root(pod: Object, name: str) -> Object:
    """The node's file system at /host."""
    spec = pod["spec"]
    volumes = [*(spec.get("volumes") or ()), {"name": "host-root", "hostPath": {"path": "/"}}]

    def mounted(container: Object) -> Object:
        return {**container, "volumeMounts": [*(container.get("volumeMounts") or ()), {"mountPath": "/host", "name": "host-root"}]}

    return changed_container({**pod, "spec": {**spec, "volumes": volumes}}, name, mounted)


def with_host_namespaces(pod: Object) -> Object:
    return {**pod, "spec": {**pod["spec"], "hostNetwork": True, "hostPID": True, "hostIPC": True}}


def sharing_processes(pod: Object) -> Object:
    spec = pod["spec"]
    return pod if spec.get("shareProcessNamespace") is not None else {**pod, "spec": {**spec, "shareProcessNamespace": True}}


def stripped(pod: Object, keep: Keep) -> Object:
    """A copy without what would make it a part of the application: labels, annotations, probes."""
    gone = {name for name, kept in (("labels", keep.labels), ("annotations", keep.annotations)) if not kept}
    meta = {key: value for key, value in pod["metadata"].items() if key not in gone}
    probes = {field for field, kept in _PROBES.items() if not getattr(keep, kept)}
    spec = dict(pod["spec"])
    spec["containers"] = [{key: value for key, value in each.items() if key not in probes} for each in spec["containers"]]
    if not keep.init_containers:
        spec.pop("initContainers", None)
    return {**pod, "metadata": meta, "spec": spec}


def _legacy(pod: Object, name: str, way: Way, keep: Keep) -> Object:
    if way == "node":
        return with_host_namespaces(with_host_root(pod, name))
    return stripped(pod, Keep(False, True, True, True, True, True)) if way == "copy" else pod


def _general(pod: Object, name: str, way: Way, keep: Keep) -> Object:
    if way == "node":
        return with_host_namespaces(changed_container(with_host_root(pod, name), name, without_security))
    if way == "copy":
        pod = sharing_processes(stripped(pod, keep))
    return changed_container(pod, name, with_capabilities("SYS_PTRACE"))


def _baseline(pod: Object, name: str, way: Way, keep: Keep) -> Object:
    pod = changed_container(pod, name, without_security)
    return sharing_processes(stripped(pod, keep)) if way == "copy" else pod


def _restricted_pod(pod: Object, name: str, way: Way, keep: Keep) -> Object:
    pod = changed_container(pod, name, _restricted)
    return sharing_processes(stripped(pod, keep)) if way == "copy" else pod


def _netadmin(pod: Object, name: str, way: Way, keep: Keep) -> Object:
    pod = changed_container(pod, name, with_capabilities("NET_ADMIN", "NET_RAW"))
    if way == "node":
        return with_host_namespaces(pod)
    return sharing_processes(stripped(pod, keep)) if way == "copy" else pod


def _sysadmin(pod: Object, name: str, way: Way, keep: Keep) -> Object:
    pod = changed_container(pod, name, with_security(privileged=True))
    if way == "node":
        return with_host_root(with_host_namespaces(pod), name)
    return sharing_processes(stripped(pod, keep)) if way == "copy" else pod


Profile = Callable[[Object, str, Way, Keep], Object]
"""(pod, name of its debug container, way, what a copy keeps) > pod."""

PROFILES: Final[dict[str, Profile]] = {
    LEGACY: _legacy,
    "general": _general,
    "baseline": _baseline,
    "restricted": _restricted_pod,
    "netadmin": _netadmin,
    "sysadmin": _sysadmin,
}
