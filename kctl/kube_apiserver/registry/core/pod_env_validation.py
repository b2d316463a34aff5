"""Validation of a container's env and envFrom, and of the downward API references that volumes share with them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

from kctl.apimachinery import field_errors as fe
from kctl.apimachinery import names, quantity
from kctl.apimachinery.field_errors import FieldError
from kctl.kube_apiserver.registry.core.pod_paths import local_descending_path

ENV_FIELDS = (
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
    "spec.nodeName",
    "spec.serviceAccountName",
    "status.hostIP",
    "status.hostIPs",
    "status.podIP",
    "status.podIPs",
)
VOLUME_FIELDS = ("metadata.annotations", "metadata.labels", "metadata.name", "metadata.namespace", "metadata.uid")
_CONVERTIBLE = frozenset(
    (
        "metadata.annotations",
        "metadata.labels",
        "metadata.name",
        "metadata.namespace",
        "metadata.uid",
        "spec.nodeName",
        "spec.restartPolicy",
        "spec.serviceAccountName",
        "spec.schedulerName",
        "spec.hostNetwork",
        "status.phase",
        "status.hostIP",
        "status.hostIPs",
        "status.podIP",
        "status.podIPs",
    )
)
_RESOURCES = ("limits.cpu", "limits.ephemeral-storage", "limits.memory", "requests.cpu", "requests.ephemeral-storage", "requests.memory")
_SIZE_DIVISORS = frozenset(("1", "1k", "1M", "1G", "1T", "1P", "1E", "1Ki", "1Mi", "1Gi", "1Ti", "1Pi", "1Ei"))
_SIZES = "only divisor's values 1, 1k, 1M, 1G, 1T, 1P, 1E, 1Ki, 1Mi, 1Gi, 1Ti, 1Pi, 1Ei are supported with the {} resource"
_SUBSCRIPT = re.compile(r"(.*)\['(.*)'\]", re.DOTALL)


def validate_env(variables: Sequence[dict[str, Any]], path: str, volumes: frozenset[str]) -> list[FieldError]:
    """`volumes` are the names of the pod's volumes, for fileKeyRef."""
    errors: list[FieldError] = []
    for index, variable in enumerate(variables):
        here = f"{path}[{index}]"
        name = variable.get("name") or ""
        if not name:
            errors.append(fe.required(f"{here}.name"))
        else:
            errors += names.errors(f"{here}.name", name, names.relaxed_env_var_name)
        if variable.get("valueFrom") is not None:
            errors += _value_from(variable, f"{here}.valueFrom", volumes)
    return errors


def _value_from(variable: dict[str, Any], path: str, volumes: frozenset[str]) -> list[FieldError]:
    source = variable["valueFrom"]
    errors: list[FieldError] = []
    count = 0
    if source.get("fieldRef") is not None:
        count += 1
        errors += validate_field_ref(source["fieldRef"], ENV_FIELDS, f"{path}.fieldRef")
    if source.get("resourceFieldRef") is not None:
        count += 1
        errors += validate_resource_field_ref(source["resourceFieldRef"], f"{path}.resourceFieldRef", False)
    for field in ("configMapKeyRef", "secretKeyRef"):
        if source.get(field) is not None:
            count += 1
            errors += _key_selector(source[field], f"{path}.{field}")
    if source.get("fileKeyRef") is not None:
        count += 1
        errors += _file_key(source["fileKeyRef"], f"{path}.fileKeyRef", volumes)
    if count == 0:
        choices = "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`"
        errors.append(fe.invalid(path, "", choices))
    elif variable.get("value"):
        errors.append(fe.invalid(path, "", "may not be specified when `value` is not empty"))
    elif count > 1:
        errors.append(fe.invalid(path, "", "may not have more than one field specified at a time"))
    return errors


def _key_selector(selector: dict[str, Any], path: str) -> list[FieldError]:
    errors = names.errors(f"{path}.name", selector.get("name") or "", names.dns1123_subdomain)
    key = selector.get("key") or ""
    if not key:
        errors.append(fe.required(f"{path}.key"))
    else:
        errors += names.errors(f"{path}.key", key, names.config_map_key)
    return errors


def _file_key(selector: dict[str, Any], path: str, volumes: frozenset[str]) -> list[FieldError]:
    errors: list[FieldError] = []
    key = selector.get("key") or ""
    if not key:
        errors.append(fe.required(f"{path}.key"))
    else:
        errors += names.errors(f"{path}.key", key, names.relaxed_env_var_name)
    volume = selector.get("volumeName") or ""
    if not volume:
        errors.append(fe.required(f"{path}.volumeName"))
    elif volume not in volumes:
        errors.append(fe.not_found(f"{path}.volumeName", volume))
    file_path = selector.get("path") or ""
    if not file_path:
        errors.append(fe.required(f"{path}.path"))
    else:
        errors += local_descending_path(file_path, f"{path}.path")
    return errors


def validate_field_ref(selector: dict[str, Any], allowed: Iterable[str], path: str) -> list[FieldError]:
    version, field = selector.get("apiVersion") or "", selector.get("fieldPath") or ""
    if not version:
        return [fe.required(f"{path}.apiVersion")]
    if not field:
        return [fe.required(f"{path}.fieldPath")]
    if version != "v1":
        why = f"error converting fieldPath: unsupported pod version: {version}"
        return [fe.invalid(f"{path}.fieldPath", field, why)]
    subscripted = _SUBSCRIPT.fullmatch(field)
    name = subscripted.group(1) if subscripted else field
    if (subscripted and name not in ("metadata.annotations", "metadata.labels")) or name not in _CONVERTIBLE:
        why = f"error converting fieldPath: field label not supported: {field}"
        if subscripted and name in _CONVERTIBLE:
            why = "error converting fieldPath: field label does not support subscript: " + field
        return [fe.invalid(f"{path}.fieldPath", field, why)]
    if subscripted:
        key = subscripted.group(2)
        return names.errors(path, key.lower() if name == "metadata.annotations" else key, names.qualified_name)
    if name not in allowed:
        return [fe.unsupported(f"{path}.fieldPath", name, sorted(allowed))]
    return []


def validate_resource_field_ref(selector: dict[str, Any], path: str, in_volume: bool) -> list[FieldError]:
    errors: list[FieldError] = []
    resource = selector.get("resource") or ""
    if in_volume and not selector.get("containerName"):
        errors.append(fe.required(f"{path}.containerName"))
    elif not resource:
        errors.append(fe.required(f"{path}.resource"))
    elif resource not in _RESOURCES and not resource.startswith(("limits.hugepages-", "requests.hugepages-")):
        errors.append(fe.unsupported(f"{path}.resource", resource, _RESOURCES))
    divisor = str(selector.get("divisor") or "0")
    why = _divisor_problem(resource, divisor)
    return [*errors, fe.invalid(f"{path}.divisor", resource, why)] if why else errors


def _divisor_problem(resource: str, divisor: str) -> str:
    if quantity.parse(divisor) == 0:
        return ""
    divisor = quantity.canonical(divisor)
    _, _, what = resource.partition(".")
    if what == "cpu":
        return "" if divisor in ("1m", "1") else "only divisor's values 1m and 1 are supported with the cpu resource"
    if divisor in _SIZE_DIVISORS:
        return ""
    if what == "memory":
        return _SIZES.format("memory")
    if what == "ephemeral-storage":
        return _SIZES.format("local ephemeral storage")
    return _SIZES.format("hugepages") if what.startswith("hugepages-") else ""


def validate_env_from(sources: Sequence[dict[str, Any]], path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    for index, source in enumerate(sources):
        here = f"{path}[{index}]"
        if source.get("prefix"):
            errors += names.errors(f"{here}.prefix", source["prefix"], names.relaxed_env_var_name)
        count = 0
        for field in ("configMapRef", "secretRef"):
            if source.get(field) is not None:
                count += 1
                errors += _reference_name(source[field].get("name") or "", f"{here}.{field}.name")
        if count == 0:
            errors.append(fe.invalid(path, "", "must specify one of: `configMapRef` or `secretRef`"))
        elif count > 1:
            errors.append(fe.invalid(path, "", "may not have more than one field specified at a time"))
    return errors


def _reference_name(name: str, path: str) -> list[FieldError]:
    if not name:
        return [fe.required(path)]
    masked = name[:-2] + "a" if len(name) > 1 and name.endswith("-") else name
    return [fe.invalid(path, name, problem) for problem in names.dns1123_subdomain(masked)]
