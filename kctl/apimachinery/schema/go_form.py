"""How Go prints a value of an API type in a message: kube-apiserver validates its internal types, whose JSON has Go's names.

`{"Attacher":"d.io","Source":{"PersistentVolumeName":"pv","InlineVolumeSpec":null},"NodeName":"n"}`: every field, in Go's order, null for
pointers, lists and maps that are absent. Fields and order come from the types bundle; the tables below say where an internal type
differs from its published version. Types of apimachinery have no internal twin: they print as in JSON, empty fields left out.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from kctl.apimachinery import quantity
from kctl.apimachinery.schema import bundle
from kctl.apimachinery.schema.go_types import pairs, table

Make = Callable[[Any], Any]
Form = dict[str, Any]

_INITIALISMS = frozenset(
    [
        "api",
        "aws",
        "cel",
        "cidrs",
        "csi",
        "dns",
        "fc",
        "fs",
        "gce",
        "gmsa",
        "grpc",
        "http",
        "ip",
        "iqn",
        "iscsi",
        "nfs",
        "os",
        "pd",
        "rbd",
        "se",
        "ssl",
        "tcp",
        "tty",
        "uid",
    ]
)
"""First words of field names that Go writes in capitals."""
_GO_NAMES = pairs("""
PersistentVolumeSpec cephfs:CephFS storageos:StorageOS | Volume cephfs:CephFS storageos:StorageOS
| ServiceCIDRSpec cidrs:CIDRs
| AzureDiskVolumeSource diskURI:DataDiskURI | FCVolumeSource wwids:WWIDs | PhotonPersistentDiskVolumeSource pdID:PdID
| ISCSIVolumeSource chapAuthDiscovery:DiscoveryCHAPAuth chapAuthSession:SessionCHAPAuth
| ISCSIPersistentVolumeSource chapAuthDiscovery:DiscoveryCHAPAuth chapAuthSession:SessionCHAPAuth
| RBDVolumeSource monitors:CephMonitors image:RBDImage pool:RBDPool user:RadosUser
| RBDPersistentVolumeSource monitors:CephMonitors image:RBDImage pool:RBDPool user:RadosUser
| GlusterfsVolumeSource endpoints:EndpointsName | GlusterfsPersistentVolumeSource endpoints:EndpointsName
| DeviceAttribute int:IntValue bool:BoolValue string:StringValue version:VersionValue ints:IntValues bools:BoolValues
  strings:StringValues versions:VersionValues
""")
_POINTERS = table("""
ScaleIOVolumeSource secretRef | ScaleIOPersistentVolumeSource secretRef | SuccessPolicyRule succeededIndexes
| PodFailurePolicyOnPodConditionsPattern status | PodSchedulingGroup podGroupName | EmptyDirVolumeSource sizeLimit
| DeviceConstraint matchAttribute distinctAttribute | HPAScalingRules tolerance
""")
_VALUES = table("""
PodSpec securityContext | ServiceAccountTokenProjection expirationSeconds | RollingUpdateStatefulSetStrategy partition
| RollingUpdateDeployment maxUnavailable maxSurge | RollingUpdateDaemonSet maxUnavailable maxSurge
| ServicePort targetPort | ResourceFieldSelector divisor
""")
_ABSENT = table("PodSpec serviceAccount")
_MOVED = {"PodSpec": ("securityContext", ("hostNetwork", "hostPID", "hostIPC", "shareProcessNamespace", "hostUsers"))}
"""Fields that the internal type keeps in the structure named, before the structure's own."""
_ORDER = {
    "PersistentVolumeSpec": "rbd quobyte iscsi flexVolume cinder",
    "Volume": "rbd quobyte | photonPersistentDisk projected",
    "ISCSIVolumeSource": "chapAuthDiscovery chapAuthSession",
    "ISCSIPersistentVolumeSource": "chapAuthDiscovery chapAuthSession",
    "VolumeMount": "readOnly recursiveReadOnly",
    "PodSpec": "subdomain setHostnameAsFQDN | priority preemptionPolicy | runtimeClassName overhead",
    "PodSecurityContext": "seLinuxOptions windowsOptions runAsUser runAsGroup runAsNonRoot supplementalGroups supplementalGroupsPolicy "
    "fsGroup fsGroupChangePolicy sysctls",
    "ServicePort": "protocol appProtocol",
    "SecurityContext": "seLinuxOptions windowsOptions runAsUser runAsGroup",
    "ClusterTrustBundleProjection": "labelSelector optional",
}
"""Fields that follow one another in the internal type, and not in the published one."""

_META = "io.k8s.apimachinery.pkg.apis.meta.v1."
_ZERO: dict[str, Any] = {"s": "", "i32": 0, "i64": 0, "n": 0, "b": False, "q": "0", "x": 0}


def go_form(type_name: str, value: Mapping[str, Any] | None, *, only: frozenset[str] | None = None) -> Form:
    """`value` as the internal type prints: core.v1.PodSpec. `only`: the fields of an embedded structure alone, by their JSON names."""
    shown: Form = {}
    for go_name, name, make in _fields(_full_name(type_name)):
        if only is None or name in only:
            item = make(value or {})
            shown.update(item if name == "metadata" else {go_name: item})
    return shown


def json_form(type_name: str, value: Mapping[str, Any]) -> Form:
    """`value` as a type of apimachinery prints: LabelSelector."""
    return _published(_META + type_name)(value)  # type: ignore[no-any-return]


def _full_name(name: str) -> str:
    return name if name.startswith("io.k8s.") else f"io.k8s.api.{name}"


@cache
def _fields(type_name: str) -> tuple[tuple[str, str, Make], ...]:
    """(Go's name, JSON name, what makes the field of the whole value) in Go's order."""
    short = type_name.rpartition(".")[2]
    rows = {row[0]: row for row in bundle.types().entry(type_name) if f"{short}.{row[0]}" not in _ABSENT}
    holder, moved = _MOVED.get(short, ("", ()))
    made = []
    for name in _ordered(list(rows), _ORDER.get(short, "")):
        _, code, flags, *_ = rows[name]
        if name in moved:
            continue
        if name == holder:
            make = _with_moved(name, code, [rows[field] for field in moved])
        else:
            make = _field(name, _maker(code, _by_pointer(short, name, code, flags)))
        made.append((_go_name(short, name), name, make))
    return tuple(made)


def _ordered(names: list[str], chains: str) -> list[str]:
    for chain in chains.split("|"):
        first, *others = chain.split() or [""]
        for name in others:
            names.remove(name)
            names.insert(names.index(first) + 1, name)
            first = name
    return names


def _go_name(owner: str, name: str) -> str:
    if exception := _GO_NAMES.get(f"{owner}.{name}"):
        return exception
    name = name.removeprefix("$").replace("x-kubernetes-", "x-")
    name = re.sub("-(.)", lambda after_dash: after_dash.group(1).upper(), name)
    word = re.match(r"[a-z]+", name)
    length = word.end() if word and word.group() in _INITIALISMS else 1
    return name[:length].upper() + name[length:]


def _by_pointer(owner: str, name: str, code: str, flags: str) -> bool:
    key = f"{owner}.{name}"
    if key in _POINTERS or key in _VALUES:
        return key in _POINTERS
    return "a" not in flags if code[0] == "@" or code == "x" else "p" in flags


def _field(name: str, make: Make) -> Make:
    return lambda value: make(value.get(name))


def _with_moved(name: str, code: str, rows: list[list[Any]]) -> Make:
    """A structure that begins with fields of the one around it."""
    first = [(_go_name("", row[0]), row[0], _maker(row[1], "p" in row[2])) for row in rows]
    rest = _maker(code, False)
    return lambda value: {**{go: make(value.get(field)) for go, field, make in first}, **rest(value.get(name))}


def _maker(code: str, pointer: bool) -> Make:
    if code == "q":
        return lambda value: (None if pointer else "0") if value is None else quantity.canonical(value)
    if code in _ZERO:
        zero = None if pointer else _ZERO[code]
        return lambda value: zero if value is None else value
    if code.startswith("["):
        inner = _maker(code[1:], False)
        return lambda value: [inner(item) for item in value] if value else None
    if code.startswith("{"):
        inner = _maker(code[1:], False)
        return lambda value: {key: inner(value[key]) for key in sorted(value)} if value else None
    if not code.startswith("@"):
        return lambda value: value
    name = code[1:]
    form = _published(name) if name.startswith(_META) else lambda value: go_form(name, value)
    return lambda value: (None if pointer else form({})) if value is None else form(value)


@cache
def _published(type_name: str) -> Make:
    """JSON with the fields' tags: in order, empty ones left out unless always written."""
    rows = [(row[0], "a" in row[2], _inner(row[1])) for row in bundle.types().entry(type_name)]

    def form(value: Mapping[str, Any]) -> Form:
        shown = ((name, always, make(value.get(name))) for name, always, make in rows)
        return {name: item for name, always, item in shown if always or (item is not None and item != "")}

    return form


def _inner(code: str) -> Make:
    name = code.lstrip("[{@")
    if "@" not in code or not name.startswith(_META):
        return _maker(code, code not in ("s", "b"))
    if code.startswith("["):
        return lambda value: [_published(name)(item) for item in value] if value else None
    return lambda value: None if value is None else _published(name)(value)
