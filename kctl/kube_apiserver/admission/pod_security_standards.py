"""The Pod Security Standards: every check of the levels baseline and restricted, by version, with what it says of a pod that fails it.

A check is a function of a pod's annotations and spec; it returns what is wrong, or None. `CHECKS` says of which level it is and from which
minor version of Kubernetes on it stands in which form. The order is that of upstream's check IDs, baseline first, since messages list
the failures in it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

Spec = Mapping[str, Any]
Annotations = Mapping[str, str]
LATEST = 10**6
"""The minor version of `latest`."""


class Failure(NamedTuple):
    reason: str
    detail: str
    """'' where the reason says it all."""

    def __str__(self) -> str:
        return f"{self.reason} ({self.detail})" if self.detail else self.reason


Check = Callable[[Annotations, Spec], Failure | None]


def evaluate(level: str, minor: int, annotations: Annotations, spec: Spec) -> list[Failure]:
    """What a pod fails of a level at a version, in the order messages list it."""
    if level == "privileged":
        return []
    chosen = [check for check in CHECKS if check.level == "baseline" or level == "restricted"]
    forms = [(check, form) for check in chosen if (form := check.at(minor)) is not None]
    replaced = {name for check, _ in forms for name in check.replaces}
    failures = (form(annotations, spec) for check, form in forms if check.name not in replaced)
    return [failure for failure in failures if failure is not None]


# ---- words


def _quoted(items: Iterable[str]) -> str:
    return ", ".join(f'"{item}"' for item in items)


def _plural(word: str, number: int) -> str:
    return word if number == 1 else f"{word}s"


def _named(what: str, names: Sequence[str]) -> str:
    return f"{_plural(what, len(names))} {_quoted(names)}"


def _setters(pod: bool, containers: Sequence[str]) -> str:
    """`pod and containers "a", "b"`"""
    return " and ".join([*(["pod"] if pod else []), *([_named("container", containers)] if containers else [])])


def _containers(spec: Spec) -> Iterator[Spec]:
    for field in ("initContainers", "containers", "ephemeralContainers"):
        yield from spec.get(field) or ()


def _context(holder: Spec) -> Spec:
    found: Spec = holder.get("securityContext") or {}
    return found


def _has_own_users(spec: Spec) -> bool:
    return spec.get("hostUsers") is False


def _is_windows(spec: Spec) -> bool:
    return (spec.get("os") or {}).get("name") == "windows"


# ---- baseline


def _app_armor(annotations: Annotations, spec: Spec) -> Failure | None:
    def bad(holder: Spec) -> str:
        profile = _context(holder).get("appArmorProfile")
        kind = "" if profile is None else str(profile.get("type") or "")
        return kind if profile is not None and kind not in ("RuntimeDefault", "Localhost") else ""

    pod = bad(spec)
    containers = {container["name"]: value for container in _containers(spec) if (value := bad(container))}
    marked = sorted(
        f'{key}="{value}"'
        for key, value in annotations.items()
        if key.startswith("container.apparmor.security.beta.kubernetes.io/")
        and value not in ("", "runtime/default")
        and not value.startswith("localhost/")
    )
    values = [*sorted({*([pod] if pod else []), *containers.values()}), *marked]
    if not values:
        return None
    setters = [part for part in (_setters(bool(pod), list(containers)), _plural("annotation", len(marked)) if marked else "") if part]
    detail = f"{' and '.join(setters)} must not set AppArmor profile type to {_quoted(values)}"
    return Failure(_plural("forbidden AppArmor profile", len(values)), detail)


_DEFAULT_CAPABILITIES = frozenset(
    {
        *("AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD", "NET_BIND_SERVICE", "SETFCAP", "SETGID"),
        *("SETPCAP", "SETUID", "SYS_CHROOT"),
    }
)


def _added_capabilities(spec: Spec, allowed: frozenset[str]) -> tuple[list[str], list[str]]:
    """Who adds what is not allowed, and what that is."""
    containers: list[str] = []
    capabilities: set[str] = set()
    for container in _containers(spec):
        bad = {name for name in (_context(container).get("capabilities") or {}).get("add") or () if name not in allowed}
        if bad:
            containers.append(container["name"])
            capabilities |= bad
    return containers, sorted(capabilities)


def _must_not_add(containers: Sequence[str], capabilities: Sequence[str]) -> str:
    return f"{_named('container', containers)} must not include {_quoted(capabilities)} in securityContext.capabilities.add"


def _capabilities_baseline(annotations: Annotations, spec: Spec) -> Failure | None:
    containers, capabilities = _added_capabilities(spec, _DEFAULT_CAPABILITIES)
    return Failure("non-default capabilities", _must_not_add(containers, capabilities)) if containers else None


def _host_namespaces(annotations: Annotations, spec: Spec) -> Failure | None:
    shared = [f"{field}=true" for field in ("hostNetwork", "hostPID", "hostIPC") if spec.get(field)]
    return Failure("host namespaces", ", ".join(shared)) if shared else None


def _host_path_volumes(annotations: Annotations, spec: Spec) -> Failure | None:
    volumes = [volume["name"] for volume in spec.get("volumes") or () if volume.get("hostPath") is not None]
    return Failure("hostPath volumes", _named("volume", volumes)) if volumes else None


def _host_ports(annotations: Annotations, spec: Spec) -> Failure | None:
    ports: set[str] = set()
    containers: list[str] = []
    for container in _containers(spec):
        own = {str(port["hostPort"]) for port in container.get("ports") or () if port.get("hostPort")}
        if own:
            containers.append(container["name"])
            ports |= own
    if not containers:
        return None
    uses = "uses" if len(containers) == 1 else "use"
    detail = f"{_named('container', containers)} {uses} {_plural('hostPort', len(ports))} {', '.join(sorted(ports))}"
    return Failure("hostPort", detail)


def _host_probes(annotations: Annotations, spec: Spec) -> Failure | None:
    hosts: set[str] = set()
    containers: set[str] = set()
    for container in _containers(spec):
        lifecycle = container.get("lifecycle") or {}
        handlers = [container.get(field) for field in ("livenessProbe", "readinessProbe", "startupProbe")]
        handlers += [lifecycle.get(field) for field in ("postStart", "preStop")]
        own = {str(host) for each in handlers if each for kind in ("httpGet", "tcpSocket") if (host := (each.get(kind) or {}).get("host"))}
        if own:
            containers.add(container["name"])
            hosts |= own
    if not containers:
        return None
    uses = "uses" if len(containers) == 1 else "use"
    what = _plural("probe or lifecycle host", len(hosts))
    return Failure("probe or lifecycle host", f"{_named('container', sorted(containers))} {uses} {what} {_quoted(sorted(hosts))}")


def _privileged(annotations: Annotations, spec: Spec) -> Failure | None:
    containers = [container["name"] for container in _containers(spec) if _context(container).get("privileged")]
    return Failure("privileged", f"{_named('container', containers)} must not set securityContext.privileged=true") if containers else None


def _proc_mount(annotations: Annotations, spec: Spec) -> Failure | None:
    bad = {
        container["name"]: str(mount)
        for container in _containers(spec)
        if (mount := _context(container).get("procMount") or "Default") != "Default"
    }
    if not bad:
        return None
    detail = f"{_named('container', list(bad))} must not set securityContext.procMount to {_quoted(sorted(set(bad.values())))}"
    return Failure("procMount", detail)


def _proc_mount_without_own_users(annotations: Annotations, spec: Spec) -> Failure | None:
    return None if _has_own_users(spec) else _proc_mount(annotations, spec)


def _selinux(allowed: frozenset[str]) -> Check:
    def check(annotations: Annotations, spec: Spec) -> Failure | None:
        def bad(holder: Spec) -> bool:
            options = _context(holder).get("seLinuxOptions") or {}
            return (options.get("type") or "") not in allowed or bool(options.get("user") or options.get("role"))

        holders = [holder for holder in (spec, *_containers(spec)) if bad(holder)]
        if not holders:
            return None
        options = [_context(holder)["seLinuxOptions"] for holder in holders]
        types = sorted({str(each["type"]) for each in options if (each.get("type") or "") not in allowed})
        data = [_named("type", types)] if types else []
        data += [f"{field} may not be set" for field in ("user", "role") if any(each.get(field) for each in options)]
        setters = _setters(holders[0] is spec, [holder["name"] for holder in holders if holder is not spec])
        return Failure("seLinuxOptions", f"{setters} set forbidden securityContext.seLinuxOptions: {'; '.join(data)}")

    return check


def _seccomp_annotations(annotations: Annotations, spec: Spec) -> Failure | None:
    keys = ["seccomp.security.alpha.kubernetes.io/pod"]
    keys += [f"container.seccomp.security.alpha.kubernetes.io/{container['name']}" for container in _containers(spec)]
    bad = sorted(
        f'{key}="{annotations[key]}"'
        for key in set(keys)
        if key in annotations
        and annotations[key] not in ("runtime/default", "docker/default")
        and not annotations[key].startswith("localhost/")
    )
    return Failure("seccompProfile", f"forbidden {_plural('annotation', len(bad))} {', '.join(bad)}") if bad else None


def _seccomp_kind(holder: Spec) -> str | None:
    profile = _context(holder).get("seccompProfile")
    return None if profile is None else str(profile.get("type") or "")


def _seccomp_baseline(annotations: Annotations, spec: Spec) -> Failure | None:
    def bad(holder: Spec) -> bool:
        return _seccomp_kind(holder) not in (None, "Localhost", "RuntimeDefault")

    containers = [container for container in _containers(spec) if bad(container)]
    if not containers and not bad(spec):
        return None
    values = sorted({str(_seccomp_kind(holder)) for holder in (*([spec] if bad(spec) else []), *containers)})
    setters = _setters(bad(spec), [container["name"] for container in containers])
    return Failure("seccompProfile", f"{setters} must not set securityContext.seccompProfile.type to {_quoted(values)}")


_SYSCTLS = (
    (0, "kernel.shm_rmid_forced net.ipv4.ip_local_port_range net.ipv4.tcp_syncookies net.ipv4.ping_group_range"),
    (0, "net.ipv4.ip_unprivileged_port_start"),
    (27, "net.ipv4.ip_local_reserved_ports"),
    (29, "net.ipv4.tcp_keepalive_time net.ipv4.tcp_fin_timeout net.ipv4.tcp_keepalive_intvl net.ipv4.tcp_keepalive_probes"),
    (32, "net.ipv4.tcp_rmem net.ipv4.tcp_wmem"),
)


def _sysctls(minor: int) -> Check:
    allowed = {name for since, names in _SYSCTLS if since <= minor for name in names.split()}

    def check(annotations: Annotations, spec: Spec) -> Failure | None:
        names = [str(each.get("name") or "") for each in _context(spec).get("sysctls") or ()]
        bad = [name for name in names if name not in allowed]
        return Failure("forbidden sysctls", ", ".join(bad)) if bad else None

    return check


def _windows_host_process(annotations: Annotations, spec: Spec) -> Failure | None:
    def bad(holder: Spec) -> bool:
        return bool((_context(holder).get("windowsOptions") or {}).get("hostProcess"))

    containers = [container["name"] for container in _containers(spec) if bad(container)]
    if not containers and not bad(spec):
        return None
    return Failure("hostProcess", f"{_setters(bad(spec), containers)} must not set securityContext.windowsOptions.hostProcess=true")


# ---- restricted


def _privilege_escalation(annotations: Annotations, spec: Spec) -> Failure | None:
    containers = [container["name"] for container in _containers(spec) if _context(container).get("allowPrivilegeEscalation") is not False]
    if not containers:
        return None
    detail = f"{_named('container', containers)} must set securityContext.allowPrivilegeEscalation=false"
    return Failure("allowPrivilegeEscalation != false", detail)


def _capabilities_restricted(annotations: Annotations, spec: Spec) -> Failure | None:
    keeping = [
        container["name"]
        for container in _containers(spec)
        if "ALL" not in ((_context(container).get("capabilities") or {}).get("drop") or ())
    ]
    details = [f'{_named("container", keeping)} must set securityContext.capabilities.drop=["ALL"]'] if keeping else []
    adding, capabilities = _added_capabilities(spec, frozenset({"NET_BIND_SERVICE"}))
    if adding:
        details.append(_must_not_add(adding, capabilities))
    return Failure("unrestricted capabilities", "; ".join(details)) if details else None


_VOLUMES = frozenset(["configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret"])
_RESTRICTED_VOLUMES = (
    *("hostPath", "gcePersistentDisk", "awsElasticBlockStore", "gitRepo", "nfs", "iscsi", "glusterfs", "rbd", "flexVolume", "cinder"),
    *("cephfs", "flocker", "fc", "azureFile", "vsphereVolume", "quobyte", "azureDisk", "photonPersistentDisk", "portworxVolume"),
    *("scaleIO", "storageos"),
)


def _restricted_volumes(annotations: Annotations, spec: Spec) -> Failure | None:
    names: list[str] = []
    kinds: set[str] = set()
    for volume in spec.get("volumes") or ():
        if any(volume.get(kind) is not None for kind in _VOLUMES):
            continue
        names.append(volume["name"])
        kinds.add(next((kind for kind in _RESTRICTED_VOLUMES if volume.get(kind) is not None), "unknown"))
    if not names:
        return None
    uses = "uses" if len(names) == 1 else "use"
    what = _plural("restricted volume type", len(kinds))
    return Failure("restricted volume types", f"{_named('volume', names)} {uses} {what} {_quoted(sorted(kinds))}")


def _run_as_non_root(annotations: Annotations, spec: Spec) -> Failure | None:
    if _has_own_users(spec):
        return None
    pod = _context(spec).get("runAsNonRoot")
    own = {container["name"]: _context(container).get("runAsNonRoot") for container in _containers(spec)}
    against = [name for name, value in own.items() if value is False]
    if pod is False or against:
        return Failure("runAsNonRoot != true", f"{_setters(pod is False, against)} must not set securityContext.runAsNonRoot=false")
    silent = [name for name, value in own.items() if value is None] if pod is None else []
    if not silent:
        return None
    return Failure("runAsNonRoot != true", f"pod or {_named('container', silent)} must set securityContext.runAsNonRoot=true")


def _run_as_user(annotations: Annotations, spec: Spec) -> Failure | None:
    if _has_own_users(spec):
        return None
    pod = _context(spec).get("runAsUser") == 0
    containers = [container["name"] for container in _containers(spec) if _context(container).get("runAsUser") == 0]
    return Failure("runAsUser=0", f"{_setters(pod, containers)} must not set runAsUser=0") if pod or containers else None


def _seccomp_restricted(annotations: Annotations, spec: Spec) -> Failure | None:
    failure = _seccomp_baseline(annotations, spec)
    if failure is not None or _seccomp_kind(spec) is not None:
        return failure
    silent = [container["name"] for container in _containers(spec) if _seccomp_kind(container) is None]
    if not silent:
        return None
    detail = f'pod or {_named("container", silent)} must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost"'
    return Failure("seccompProfile", detail)


def _not_on_windows(check: Check) -> Check:
    return lambda annotations, spec: None if _is_windows(spec) else check(annotations, spec)


# ---- all of them


class VersionedCheck(NamedTuple):
    name: str
    level: str
    forms: tuple[tuple[int, Check], ...]
    """Each from which minor version on, the oldest first."""
    replaces: tuple[str, ...] = ()
    """Checks that need not be made where this one is."""

    def at(self, minor: int) -> Check | None:
        return next((form for since, form in reversed(self.forms) if since <= minor), None)


_SELINUX = frozenset({"", "container_t", "container_init_t", "container_kvm_t"})

CHECKS = (
    VersionedCheck("appArmorProfile", "baseline", ((0, _app_armor),)),
    VersionedCheck("capabilities_baseline", "baseline", ((0, _capabilities_baseline),)),
    VersionedCheck("hostNamespaces", "baseline", ((0, _host_namespaces),)),
    VersionedCheck("hostPathVolumes", "baseline", ((0, _host_path_volumes),)),
    VersionedCheck("hostPorts", "baseline", ((0, _host_ports),)),
    VersionedCheck("hostProbesAndHostLifecycle", "baseline", ((34, _host_probes),)),
    VersionedCheck("privileged", "baseline", ((0, _privileged),)),
    VersionedCheck("procMount", "baseline", ((0, _proc_mount), (35, _proc_mount_without_own_users))),
    VersionedCheck("seLinuxOptions", "baseline", ((0, _selinux(_SELINUX)), (31, _selinux(_SELINUX | {"container_engine_t"})))),
    VersionedCheck("seccompProfile_baseline", "baseline", ((0, _seccomp_annotations), (19, _seccomp_baseline))),
    VersionedCheck("sysctls", "baseline", tuple((since, _sysctls(since)) for since in (0, 27, 29, 32))),
    VersionedCheck("windowsHostProcess", "baseline", ((0, _windows_host_process),)),
    VersionedCheck("allowPrivilegeEscalation", "restricted", ((8, _privilege_escalation), (25, _not_on_windows(_privilege_escalation)))),
    VersionedCheck(
        "capabilities_restricted",
        "restricted",
        ((22, _capabilities_restricted), (25, _not_on_windows(_capabilities_restricted))),
        ("capabilities_baseline",),
    ),
    VersionedCheck("procMount_restricted", "restricted", ((35, _proc_mount),), ("procMount",)),
    VersionedCheck("restrictedVolumes", "restricted", ((0, _restricted_volumes),), ("hostPathVolumes",)),
    VersionedCheck("runAsNonRoot", "restricted", ((0, _run_as_non_root),)),
    VersionedCheck("runAsUser", "restricted", ((23, _run_as_user),)),
    VersionedCheck(
        "seccompProfile_restricted",
        "restricted",
        ((19, _seccomp_restricted), (25, _not_on_windows(_seccomp_restricted))),
        ("seccompProfile_baseline",),
    ),
)
