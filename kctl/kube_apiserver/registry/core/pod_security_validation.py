"""Validation of security contexts: ids, sysctls, seccomp, AppArmor, Windows options, what an OS forbids."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from kctl.apimachinery import field_errors as fe
from kctl.apimachinery import names
from kctl.apimachinery.field_errors import FieldError
from kctl.apimachinery.schema import enums
from kctl.apimachinery.schema.go_form import go_form
from kctl.kube_apiserver.registry.core.pod_paths import local_descending_path

Object = Mapping[str, Any]

_SYSCTL_TEXT = r"^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$"
_SYSCTL = re.compile(_SYSCTL_TEXT)
_IPC_SYSCTLS = ("kernel.shm", "kernel.msg", "fs.mqueue.")
_PROFILE_TYPES = enums.of("SeccompProfile.type")
_POLICIES = {
    "fsGroupChangePolicy": enums.of("PodSecurityContext.fsGroupChangePolicy"),
    "supplementalGroupsPolicy": enums.of("PodSecurityContext.supplementalGroupsPolicy"),
    "seLinuxChangePolicy": ("MountOption", "Recursive"),
}
_USER_CHARACTERS = re.compile(r"[\"/\\:;|=,+*?<>@\[\]]")
_NETBIOS = re.compile(r"[^\\/:*?\"<>|.][^\\/:*?\"<>|]{0,14}")
_DOMAIN = re.compile(r"[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?)*")


def containers_of(spec: Object, path: str) -> Iterator[tuple[Object, str]]:
    """All containers with their paths: init, regular, ephemeral (VisitContainersWithPath)."""
    for field in ("initContainers", "containers", "ephemeralContainers"):
        for index, container in enumerate(spec.get(field) or ()):
            yield container, f"{path}.{field}[{index}]"


def validate_container_context(context: Object | None, path: str, host_users: bool) -> list[FieldError]:
    if not context:
        return []
    errors = _ids(context, path, ("runAsUser", "runAsGroup"))
    mount = context.get("procMount")
    if mount is not None:
        if mount not in ("Default", "Unmasked"):
            errors.append(fe.unsupported(f"{path}.procMount", mount, ("Default", "Unmasked")))
        if host_users and mount == "Unmasked":
            why = "`hostUsers` must be false to use `Unmasked`"
            errors.append(fe.invalid(f"{path}.procMount", mount, why))
    errors += _seccomp(context.get("seccompProfile"), f"{path}.seccompProfile")
    if context.get("allowPrivilegeEscalation") is False:
        if context.get("privileged"):
            why = "cannot set `allowPrivilegeEscalation` to false and `privileged` to true"
            errors.append(fe.invalid(path, go_form("core.v1.SecurityContext", context), why))
        for capability in (context.get("capabilities") or {}).get("add") or ():
            if capability == "CAP_SYS_ADMIN":
                why = "cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` CAP_SYS_ADMIN"
                errors.append(fe.invalid(path, go_form("core.v1.SecurityContext", context), why))
    errors += _windows_options(context.get("windowsOptions"), f"{path}.windowsOptions")
    return errors + _app_armor(context.get("appArmorProfile"), f"{path}.appArmorProfile")


def validate_pod_context(spec: Object, path: str) -> list[FieldError]:
    """spec.securityContext; `path` is the spec's."""
    context = spec.get("securityContext")
    if not context:
        return []
    here = f"{path}.securityContext"
    errors = _ids(context, here, ("fsGroup", "runAsUser", "runAsGroup"))
    for index, group in enumerate(context.get("supplementalGroups") or ()):
        errors += names.errors(f"{here}.supplementalGroups[{index}]", group, names.user_id)
    errors += _sysctls(spec, context.get("sysctls") or (), f"{here}.sysctls")
    errors += _policy(context, "fsGroupChangePolicy", here)
    errors += _seccomp(context.get("seccompProfile"), f"{here}.seccompProfile")
    errors += _windows_options(context.get("windowsOptions"), f"{here}.windowsOptions")
    errors += _app_armor(context.get("appArmorProfile"), f"{here}.appArmorProfile")
    errors += _policy(context, "supplementalGroupsPolicy", here)
    return errors + _policy(context, "seLinuxChangePolicy", here)


def validate_share_process_namespace(spec: Object, path: str) -> list[FieldError]:
    if spec.get("shareProcessNamespace") and spec.get("hostPID"):
        why = "ShareProcessNamespace and HostPID cannot both be enabled"
        return [fe.invalid(f"{path}.securityContext.shareProcessNamespace", True, why)]
    return []


def _ids(context: Object, path: str, fields: tuple[str, ...]) -> list[FieldError]:
    errors: list[FieldError] = []
    for field in fields:
        if context.get(field) is not None:
            errors += names.errors(f"{path}.{field}", context[field], names.user_id)
    return errors


def _policy(context: Object, field: str, path: str) -> list[FieldError]:
    value = context.get(field)
    if value is None or value in _POLICIES[field]:
        return []
    return [fe.unsupported(f"{path}.{field}", value, _POLICIES[field])]


def _sysctls(spec: Object, sysctls: Any, path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    seen: set[str] = set()
    for index, sysctl in enumerate(sysctls):
        here, name = f"{path}[{index}].name", sysctl.get("name") or ""
        if not name:
            errors.append(fe.required(here))
        elif len(name) > 253 or not _SYSCTL.fullmatch(name):
            errors.append(fe.invalid(here, name, f"must have at most 253 characters and match regex {_SYSCTL_TEXT}"))
        elif name in seen:
            errors.append(fe.duplicate(here, name))
        dotted = name.replace("/", ".")
        if spec.get("hostNetwork") and dotted.startswith("net."):
            errors.append(fe.invalid(here, name, "may not be specified when 'hostNetwork' is true"))
        elif spec.get("hostIPC") and (dotted.startswith(_IPC_SYSCTLS) or dotted == "kernel.sem"):
            errors.append(fe.invalid(here, name, "may not be specified when 'hostIPC' is true"))
        seen.add(name)
    return errors


def _seccomp(profile: Object | None, path: str) -> list[FieldError]:
    if profile is None:
        return []
    kind, local = profile.get("type") or "", profile.get("localhostProfile")
    errors: list[FieldError] = []
    if not kind:
        errors.append(fe.required(f"{path}.type", "type is required when seccompProfile is set"))
    elif kind not in _PROFILE_TYPES:
        errors.append(fe.unsupported(f"{path}.type", kind, _PROFILE_TYPES))
    if kind == "Localhost":
        if local is None:
            why = "must be set when seccomp type is Localhost"
            errors.append(fe.required(f"{path}.localhostProfile", why))
        else:
            errors += local_descending_path(local, f"{path}.localhostProfile")
    elif local is not None:
        why = "can only be set when seccomp type is Localhost"
        value = go_form("core.v1.SeccompProfile", profile)
        errors.append(fe.invalid(f"{path}.localhostProfile", value, why))
    return errors


def _app_armor(profile: Object | None, path: str) -> list[FieldError]:
    if profile is None:
        return []
    kind, local = profile.get("type") or "", profile.get("localhostProfile")
    here = f"{path}.localhostProfile"
    if kind == "Localhost":
        if not (local or "").strip() and (local or "").strip() == (local or ""):
            return [fe.required(here, "must be set when AppArmor type is Localhost")]
        assert local is not None
        errors = [] if local == local.strip() else [fe.invalid(here, local, "must not be padded with whitespace")]
        return [*errors, fe.too_long(here, 4095)] if len(local) > 4095 else errors
    if kind in ("RuntimeDefault", "Unconfined"):
        return [] if local is None else [fe.invalid(here, local, "can only be set when AppArmor type is Localhost")]
    if not kind:
        return [fe.required(f"{path}.type", "type is required when appArmorProfile is set")]
    return [fe.unsupported(f"{path}.type", kind, _PROFILE_TYPES)]


def _windows_options(options: Object | None, path: str) -> list[FieldError]:
    if not options:
        return []
    errors: list[FieldError] = []
    if options.get("gmsaCredentialSpecName") is not None:
        value = options["gmsaCredentialSpecName"]
        errors += names.errors(f"{path}.gmsaCredentialSpecName", value, names.dns1123_subdomain)
    content = options.get("gmsaCredentialSpec")
    if content == "":
        why = "gmsaCredentialSpec cannot be an empty string"
        errors.append(fe.invalid(f"{path}.gmsaCredentialSpec", content, why))
    elif content is not None and len(content) > 64 * 1024:
        errors.append(fe.invalid(f"{path}.gmsaCredentialSpec", content, "gmsaCredentialSpec size must be under 64 KiB"))
    user = options.get("runAsUserName")
    if user is not None:
        errors += [fe.invalid(f"{path}.runAsUserName", user, f"runAsUserName{why}") for why in _user_problems(user)]
    return errors


def _user_problems(name: str) -> list[str]:
    if not name:
        return [" cannot be an empty string"]
    if re.search(r"[\x00-\x1f\x7f]", name):
        return [" cannot contain control characters"]
    parts = name.split("\\")
    if len(parts) > 2:
        return [" cannot contain more than one backslash"]
    domain, user = (parts[0], parts[1]) if len(parts) == 2 else ("", parts[0])
    problems: list[str] = []
    if len(domain) >= 256:
        problems.append("'s Domain length must be under 256 characters")
    if len(parts) == 2 and not (_NETBIOS.fullmatch(domain) or _DOMAIN.fullmatch(domain)):
        problems.append("'s Domain doesn't match the NetBios nor the DNS format")
    if not user:
        problems.append("'s User cannot be empty")
    elif len(user) > 104:
        problems.append("'s User length must not be longer than 104 characters")
    if re.fullmatch(r"[. ]+", user):
        problems.append("'s User cannot contain only periods or spaces")
    if _USER_CHARACTERS.search(user):
        problems.append("'s User cannot contain the following characters: \"/\\:;|=,+*?<>@[]")
    return problems


def validate_host_process(spec: Object, path: str) -> list[FieldError]:
    """HostProcess containers of Windows pods: all or none, and only with hostNetwork."""
    pod_value = ((spec.get("securityContext") or {}).get("windowsOptions") or {}).get("hostProcess")
    errors: list[FieldError] = []
    total = count = 0
    for container, here in containers_of(spec, path):
        total += 1
        own = ((container.get("securityContext") or {}).get("windowsOptions") or {}).get("hostProcess")
        if pod_value is not None and own is not None and pod_value != own:
            why = f"pod hostProcess value must be identical if both are specified, was {str(pod_value).lower()}"
            errors.append(fe.invalid(f"{here}.securityContext.windowsOptions.hostProcess", own, why))
        count += bool(pod_value if own is None else own)
    if count:
        if count != total:
            why = "If pod contains any hostProcess containers then all containers must be HostProcess containers"
            errors.append(fe.invalid(path, "", why))
        if not spec.get("hostNetwork"):
            why = "hostNetwork must be true if pod contains any hostProcess containers"
            errors.append(fe.invalid(f"{path}.hostNetwork", False, why))
    return errors


def validate_host_users(spec: Object, path: str) -> list[FieldError]:
    if spec.get("hostUsers") is not False:
        return []
    why = "when `pod.Spec.HostUsers` is false"
    shown = {"hostNetwork": "hostNetwork", "hostPID": "HostPID", "hostIPC": "HostIPC"}
    return [fe.forbidden(f"{path}.{name}", why) for field, name in shown.items() if spec.get(field)]


_POD_NOT_WINDOWS = ("appArmorProfile", "seLinuxOptions")
_POD_NOT_WINDOWS_SPEC = ("hostUsers", "hostPID", "hostIPC")
_POD_NOT_WINDOWS_LATER = (
    "seccompProfile",
    "fsGroup",
    "fsGroupChangePolicy",
    "sysctls",
    "shareProcessNamespace",
    "runAsUser",
    "runAsGroup",
    "supplementalGroups",
    "supplementalGroupsPolicy",
    "seLinuxChangePolicy",
)
_CONTAINER_NOT_WINDOWS = (
    "appArmorProfile",
    "seLinuxOptions",
    "seccompProfile",
    "capabilities",
    "readOnlyRootFilesystem",
    "privileged",
    "allowPrivilegeEscalation",
    "procMount",
    "runAsUser",
    "runAsGroup",
)


def validate_os(spec: Object, path: str) -> list[FieldError]:
    """spec.os and what may not be set for that operating system."""
    system = spec.get("os")
    if system is None:
        return []
    name = system.get("name") or ""
    if not name:
        return [fe.required(f"{path}.os.name", "cannot be empty")]
    if name not in ("linux", "windows"):
        return [fe.unsupported(f"{path}.os", name, ("linux", "windows"))]
    return _linux(spec, path) if name == "linux" else _windows(spec, path)


def _linux(spec: Object, path: str) -> list[FieldError]:
    why = "windows options cannot be set for a linux pod"
    errors: list[FieldError] = []
    if (spec.get("securityContext") or {}).get("windowsOptions") is not None:
        errors.append(fe.forbidden(f"{path}.securityContext.windowsOptions", why))
    for container, here in containers_of(spec, path):
        if (container.get("securityContext") or {}).get("windowsOptions") is not None:
            errors.append(fe.forbidden(f"{here}.securityContext.windowsOptions", why))
    return errors


def _windows(spec: Object, path: str) -> list[FieldError]:
    why = "cannot be set for a windows pod"
    context = spec.get("securityContext") or {}
    fields = [f"securityContext.{field}" for field in _POD_NOT_WINDOWS if context.get(field) is not None]
    fields += [field for field in _POD_NOT_WINDOWS_SPEC if spec.get(field) not in ((None,) if field == "hostUsers" else (None, False))]
    for field in _POD_NOT_WINDOWS_LATER:
        if field == "shareProcessNamespace":
            fields += [field] if spec.get(field) is not None else []
        elif context.get(field) is not None and context.get(field) != []:
            fields.append(f"securityContext.{field}")
    errors = [fe.forbidden(f"{path}.{field}", why) for field in fields]
    for container, here in containers_of(spec, path):
        own = container.get("securityContext") or {}
        errors += [fe.forbidden(f"{here}.securityContext.{field}", why) for field in _CONTAINER_NOT_WINDOWS if own.get(field) is not None]
    return errors
