"""The environment of a container: for its processes, and to expand subPathExpr of volume mounts. Pure."""

from __future__ import annotations

import base64
import errno
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

from controllers.kubelet.by_template import ByTemplate
from controllers.kubelet.references import CONFIG_MAP, SECRET, Lookup
from kctl.apimachinery import objects, quantity
from kctl.apimachinery.objects import Object

_REFERENCE = re.compile(r"\$\$|\$\(([^)]*)\)")
LONGEST_STRING = 128 * 1024
"""Of one variable or argument, as Linux has it (MAX_ARG_STRLEN): what refers to itself in turn would double without end."""
LARGEST = 2 * 1024 * 1024
"""Of all variables of a process: a quarter of the default stack."""
_KEYED = re.compile(r"metadata\.(labels|annotations)\['(.*)'\]")


def expand(text: str, values: Mapping[str, str]) -> tuple[str, list[str]]:
    """$(NAME) by its value, $$ by $; references without a value are left as they are and listed. Raises OSError E2BIG."""
    missing: list[str] = []
    size = len(text)

    def value(reference: re.Match[str]) -> str:
        nonlocal size
        name = reference.group(1)
        if name is None:
            return "$"
        if not values.get(name):
            missing.append(name)
        found = values.get(name, reference.group(0))
        size += len(found) - len(reference.group(0))
        if size > LONGEST_STRING and found:
            raise _too_long(name)
        return found

    return _REFERENCE.sub(value, text), missing


def _too_long(name: str) -> OSError:
    return OSError(errno.E2BIG, os.strerror(errno.E2BIG), f"$({name})")


def config_problem(pod: Object, container: Object, lookup: Lookup, pod_ip: str) -> str:
    """Why a container cannot be configured, in the kubelet's words; '' where it can."""
    problem = mount_problem(pod, container, lookup, pod_ip)
    contexts = (container.get("securityContext"), objects.spec(pod).get("securityContext"))
    if problem or not any(context and "runAsNonRoot" in context for context in contexts):
        return problem
    from controllers.kubelet.non_root import root_problem

    return root_problem(pod, container)


def mount_problem(pod: Object, container: Object, lookup: Lookup, pod_ip: str) -> str:
    """Why a mount's subPathExpr cannot be used, in the kubelet's words; '' where all can."""
    mounts = _expanded(container.get("volumeMounts"))
    if not mounts:
        return ""
    try:
        values = environment(pod, container, lookup, pod_ip)
        paths = [expand(str(mount["subPathExpr"]), values) for mount in mounts]
    except OSError as error:
        return f"{error.strerror}: {error.filename}"
    for path, missing in paths:
        if missing:
            return f"missing value for {', '.join(sorted(set(missing)))}"
        if path.startswith("/"):
            return f"error SubPath `{path}` must not be an absolute path"
        if ".." in PurePosixPath(path).parts:
            return f"unable to provision SubPath `{path}`: must not contain '..'"
    return ""


@ByTemplate
def _expanded(mounts: Sequence[Object] | None) -> list[Object]:
    return [mount for mount in mounts or () if mount.get("subPathExpr")]


def environment(
    pod: Object,
    container: Object,
    lookup: Lookup,
    pod_ip: str,
    before: Mapping[str, str] | None = None,
    allocatable: Mapping[str, Any] | None = None,
) -> dict[str, str]:
    """`before` (variables of services), envFrom, then env in order; later ones see and replace earlier ones. Raises OSError E2BIG where
    they are more than a process can be given."""
    variables: dict[str, str] = dict(before or {})
    for source in container.get("envFrom") or ():
        prefix = str(source.get("prefix") or "")
        kind, reference = (CONFIG_MAP, source["configMapRef"]) if "configMapRef" in source else (SECRET, source.get("secretRef") or {})
        obj = lookup(kind, f"{objects.namespace(pod)}/{reference.get('name')}") or {}
        variables.update({prefix + key: _plain(kind, value) for key, value in (obj.get("data") or {}).items()})
    size = sum(map(len, variables.values()))
    if size > LARGEST:
        raise _too_long("envFrom")
    for variable in container.get("env") or ():
        source = variable.get("valueFrom")
        value = (
            _from(source, pod, container, lookup, pod_ip, allocatable) if source else expand(str(variable.get("value") or ""), variables)[0]
        )
        if value is not None:
            variables[str(variable["name"])] = value
            size += len(value)
            if size > LARGEST:
                raise _too_long(str(variable["name"]))
    return variables


def _plain(kind: str, value: Any) -> str:
    return base64.b64decode(value).decode(errors="replace") if kind == SECRET else str(value)


def _from(source: Object, pod: Object, container: Object, lookup: Lookup, pod_ip: str, allocatable: Mapping[str, Any] | None) -> str | None:
    if "fieldRef" in source:
        return field_value(pod, str(source["fieldRef"].get("fieldPath") or ""), pod_ip)
    if "resourceFieldRef" in source:
        return resource_value(pod, container, source["resourceFieldRef"], allocatable)
    for field, kind in (("configMapKeyRef", CONFIG_MAP), ("secretKeyRef", SECRET)):
        if field in source:
            obj = lookup(kind, f"{objects.namespace(pod)}/{source[field].get('name')}") or {}
            value = (obj.get("data") or {}).get(source[field].get("key"))
            return None if value is None else _plain(kind, value)
    return None


def field_value(pod: Object, path: str, pod_ip: str) -> str:
    """A field of the downward API."""
    keyed = _KEYED.fullmatch(path)
    if keyed:
        return str((objects.metadata(pod).get(keyed.group(1)) or {}).get(keyed.group(2)) or "")
    if path in ("status.podIP", "status.podIPs"):
        return pod_ip
    if path == "status.hostIPs":
        return ",".join(address["ip"] for address in objects.status(pod).get("hostIPs") or ())
    value: Any = pod
    for part in path.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return "" if value is None else str(value)


def resource_value(pod: Object, container: Object, reference: Object, allocatable: Mapping[str, Any] | None = None) -> str | None:
    """A limit or request in units of the divisor, rounded up. A limit of cpu, memory or storage that is not set is what the node has
    to give (`allocatable`); None where that is not known."""
    name = reference.get("containerName") or container["name"]
    spec = objects.spec(pod)
    every = [*(spec.get("initContainers") or ()), *(spec.get("containers") or ())]
    meant: Object = next((each for each in every if each["name"] == name), {})
    which, _, resource = str(reference.get("resource") or "").partition(".")
    resources = meant.get("resources") or {}
    amount = (resources.get(which) or {}).get(resource)
    if amount is None and which == "limits":
        amount = (allocatable or {}).get(resource)
    if amount is None:
        return "0" if which == "requests" else None
    divisor = str(reference.get("divisor") or "1")
    if divisor == "0":
        divisor = "1"
    return str(-(-quantity.milli(amount) // quantity.milli(divisor)))


@ByTemplate
def mount_statuses(mounts: Sequence[Object]) -> list[Object]:
    """What a container's status shows of its volumeMounts."""
    return [_mount_status(mount) for mount in mounts]


def _mount_status(mount: Object) -> Object:
    shown: Object = {"name": mount["name"], "mountPath": mount.get("mountPath", "")}
    if mount.get("readOnly"):
        shown |= {"readOnly": True, "recursiveReadOnly": "Disabled"}
    return shown
