"""Validation of containers: regular, init (and sidecars), ephemeral."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kctl.apimachinery import field_errors as fe
from kctl.apimachinery import names
from kctl.apimachinery.field_errors import FieldError
from kctl.apimachinery.schema import enums
from kctl.kube_apiserver.registry.core.pod_env_validation import validate_env, validate_env_from
from kctl.kube_apiserver.registry.core.pod_mount_validation import validate_devices, validate_mounts
from kctl.kube_apiserver.registry.core.pod_probe_validation import validate_lifecycle, validate_probes
from kctl.kube_apiserver.registry.core.pod_resources_validation import validate_container_resources
from kctl.kube_apiserver.registry.core.pod_security_validation import validate_container_context
from kctl.kube_apiserver.registry.field_checks import required_enum

Container = Mapping[str, Any]
_INIT_ONLY = "may not be set for init containers without restartPolicy=Always"
_EPHEMERAL_ONLY = "cannot be set for an Ephemeral Container"
_NOT_EPHEMERAL = (
    "ports",
    "resources",
    "resizePolicy",
    "restartPolicy",
    "restartPolicyRules",
    "livenessProbe",
    "readinessProbe",
    "startupProbe",
    "lifecycle",
)
_PULL_POLICIES = enums.of("Container.imagePullPolicy")
_MESSAGE_POLICIES = ("File", "FallbackToLogsOnError")
_RESTART_POLICIES = ("Always", "Never", "OnFailure")


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the rules of a container need to know of its pod."""

    volumes: Mapping[str, Any]
    claims: frozenset[str]
    grace: int | None
    restart_policy: str
    host_users: bool
    os_name: str


def _common(container: Container, pod: Surroundings, path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    name = container.get("name") or ""
    if not name:
        errors.append(fe.required(f"{path}.name"))
    else:
        errors += names.errors(f"{path}.name", name, names.dns1123_label)
    if not container.get("image"):
        errors.append(fe.required(f"{path}.image"))
    policy = container.get("terminationMessagePolicy") or ""
    if not policy:
        errors.append(fe.required(f"{path}.terminationMessagePolicy"))
    elif policy not in _MESSAGE_POLICIES:
        errors.append(fe.unsupported(f"{path}.terminationMessagePolicy", policy, _MESSAGE_POLICIES))
    if container.get("ports"):
        errors += _ports(container["ports"], f"{path}.ports")
    if container.get("env"):
        errors += validate_env(container["env"], f"{path}.env", frozenset(pod.volumes))
    if container.get("envFrom"):
        errors += validate_env_from(container["envFrom"], f"{path}.envFrom")
    if container.get("volumeMounts"):
        errors += validate_mounts(container, pod.volumes, f"{path}.volumeMounts")
    if container.get("volumeDevices"):
        errors += validate_devices(container, pod.volumes, f"{path}.volumeDevices")
    errors += required_enum(f"{path}.imagePullPolicy", container.get("imagePullPolicy") or "", _PULL_POLICIES)
    errors += validate_container_resources(container.get("resources"), pod.claims, f"{path}.resources")
    if container.get("resizePolicy"):
        errors += _resize_policy(container["resizePolicy"], pod.restart_policy, f"{path}.resizePolicy")
    return errors + validate_container_context(container.get("securityContext"), f"{path}.securityContext", pod.host_users)


def _ports(ports: Sequence[Mapping[str, Any]], path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    seen: set[str] = set()
    for index, port in enumerate(ports):
        here = f"{path}[{index}]"
        name = port.get("name") or ""
        if name:
            problems = names.port_name(name)
            if problems:
                errors += [fe.invalid(f"{here}.name", name, problem) for problem in problems]
            elif name in seen:
                errors.append(fe.duplicate(f"{here}.name", name))
            else:
                seen.add(name)
        number = port.get("containerPort") or 0
        if number == 0:
            errors.append(fe.required(f"{here}.containerPort"))
        else:
            errors += names.errors(f"{here}.containerPort", number, names.port_number)
        if port.get("hostPort"):
            errors += names.errors(f"{here}.hostPort", port["hostPort"], names.port_number)
        protocol = port.get("protocol") or ""
        if not protocol:
            errors.append(fe.required(f"{here}.protocol"))
        elif protocol not in ("SCTP", "TCP", "UDP"):
            errors.append(fe.unsupported(f"{here}.protocol", protocol, ("SCTP", "TCP", "UDP")))
    return errors


def _resize_policy(policies: Sequence[Mapping[str, Any]], restart_policy: str, path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    seen: set[str] = set()
    for index, resize in enumerate(policies):
        resource, policy = resize.get("resourceName") or "", resize.get("restartPolicy") or ""
        if resource in seen:
            errors.append(fe.duplicate(f"{path}[{index}]", resource))
        seen.add(resource)
        for value, allowed in ((resource, ("cpu", "memory")), (policy, ("NotRequired", "RestartContainer"))):
            if not value:
                errors.append(fe.required(path))
            elif value not in allowed:
                errors.append(fe.unsupported(path, value, allowed))
        if restart_policy == "Never" and policy != "NotRequired":
            why = "must be 'NotRequired' when `restartPolicy` is 'Never'"
            errors.append(fe.invalid(path, policy, why))
    return errors


def _host_ports(containers: Sequence[Container], path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    seen: set[str] = set()
    for number, container in enumerate(containers):
        for index, port in enumerate(container.get("ports") or ()):
            if not port.get("hostPort"):
                continue
            key = f"{port.get('protocol') or ''}/{port.get('hostIP') or ''}/{port['hostPort']}"
            if key in seen:
                errors.append(fe.duplicate(f"{path}[{number}].ports[{index}].hostPort", key))
            seen.add(key)
    return errors


def validate_containers(containers: Sequence[Container], pod: Surroundings, path: str) -> list[FieldError]:
    if not containers:
        return [fe.required(path)]
    errors: list[FieldError] = []
    seen: set[str] = set()
    for index, container in enumerate(containers):
        here = f"{path}[{index}]"
        errors += _common(container, pod, here)
        name = container.get("name") or ""
        if name in seen:
            errors.append(fe.duplicate(f"{here}.name", name))
        seen.add(name)
        errors += _lifecycle_and_probes(container, pod, here)
        errors += _restart_policy(container, here)
    return errors + _host_ports(containers, path)


def _lifecycle_and_probes(container: Container, pod: Surroundings, path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    if container.get("lifecycle") is not None:
        errors += validate_lifecycle(container["lifecycle"], pod.grace, pod.os_name, f"{path}.lifecycle")
    return errors + validate_probes(container, pod.grace, path)


def _restart_policy(container: Container, path: str) -> list[FieldError]:
    policy, rules = container.get("restartPolicy"), container.get("restartPolicyRules") or ()
    if policy is None:
        why = "must specify restartPolicy when restart rules are used"
        return [fe.required(f"{path}.restartPolicy", why)] if rules else []
    errors: list[FieldError] = []
    if policy not in _RESTART_POLICIES:
        errors.append(fe.unsupported(f"{path}.restartPolicy", policy, _RESTART_POLICIES))
    if len(rules) > 20:
        errors.append(fe.too_many(f"{path}.restartPolicyRules", len(rules), 20))
    for index, rule in enumerate(rules):
        errors += _restart_rule(rule, f"{path}.restartPolicyRules[{index}]")
    return errors


def _restart_rule(rule: Mapping[str, Any], path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    action = rule.get("action") or ""
    if action not in ("Restart", "RestartAllContainers"):
        errors.append(fe.unsupported(f"{path}.action", action, ("Restart", "RestartAllContainers")))
    codes = rule.get("exitCodes")
    if codes is None:
        return [*errors, fe.required(f"{path}.exitCodes", "must be specified")]
    operator, values = codes.get("operator") or "", codes.get("values") or ()
    if operator not in ("In", "NotIn"):
        errors.append(fe.unsupported(f"{path}.exitCodes.operator", operator, ("In", "NotIn")))
    if len(values) > 255:
        errors.append(fe.too_many(f"{path}.exitCodes.values", len(values), 255))
    return errors


def validate_init_containers(
    containers: Sequence[Container], regular: Sequence[Container], pod: Surroundings, path: str
) -> list[FieldError]:
    errors: list[FieldError] = []
    taken = {container.get("name") or "" for container in regular}
    for index, container in enumerate(containers):
        here = f"{path}[{index}]"
        errors += _common(container, pod, here)
        errors += _restart_policy(container, here)
        name = container.get("name") or ""
        if name in taken:
            errors.append(fe.duplicate(f"{here}.name", name))
        elif name:
            taken.add(name)
        errors += _host_ports((container,), path)
        if container.get("restartPolicy") == "Always":
            errors += _lifecycle_and_probes(container, pod, here)
        else:
            for field in ("lifecycle", "livenessProbe", "readinessProbe", "startupProbe"):
                if container.get(field) is not None:
                    errors.append(fe.forbidden(f"{here}.{field}", _INIT_ONLY))
            if container.get("resizePolicy"):
                why = "must not be set for init containers"
                errors.append(fe.invalid(f"{here}.resizePolicy", container["resizePolicy"], why))
    return errors


def validate_ephemeral_containers(
    containers: Sequence[Container], others: Sequence[Container], pod: Surroundings, path: str
) -> list[FieldError]:
    """`others` are the regular and init containers."""
    errors: list[FieldError] = []
    targets = {container.get("name") or "" for container in others}
    taken = set(targets)
    for index, container in enumerate(containers):
        here = f"{path}[{index}]"
        errors += _common(container, pod, here)
        errors += image_whitespace(container, here)
        name = container.get("name") or ""
        if name in taken:
            errors.append(fe.duplicate(f"{here}.name", name))
        taken.add(name)
        target = container.get("targetContainerName") or ""
        if target and target not in targets:
            errors.append(fe.not_found(f"{here}.targetContainerName", target))
        for field in _NOT_EPHEMERAL:
            if container.get(field):
                errors.append(fe.forbidden(f"{here}.{field}", _EPHEMERAL_ONLY))
        for number, mount in enumerate(container.get("volumeMounts") or ()):
            for field in ("subPath", "subPathExpr"):
                if mount.get(field):
                    errors.append(fe.forbidden(f"{here}.volumeMounts[{number}].{field}", _EPHEMERAL_ONLY))
    return errors


def image_whitespace(container: Container, path: str) -> list[FieldError]:
    """Only checked in pods, not in templates (old templates may hold a placeholder)."""
    image = container.get("image") or ""
    if image == image.strip():
        return []
    return [fe.invalid(f"{path}.image", image, "must not have leading or trailing whitespace")]
