"""Validation of pod specs and pod templates (ValidatePodSpec), in upstream's order of checks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from kctl.apimachinery import field_errors as fe
from kctl.apimachinery import names
from kctl.apimachinery.field_errors import FieldError
from kctl.apimachinery.schema.go_form import go_form
from kctl.kube_apiserver.registry.core import pod_security_validation as security
from kctl.kube_apiserver.registry.core.pod_annotations import validate_annotations, validate_pod_annotations
from kctl.kube_apiserver.registry.core.pod_container_validation import (
    Surroundings,
    image_whitespace,
    validate_containers,
    validate_ephemeral_containers,
    validate_init_containers,
)
from kctl.kube_apiserver.registry.core.pod_resources_validation import validate_overhead, validate_pod_level
from kctl.kube_apiserver.registry.core.pod_scheduling_validation import validate_affinity, validate_spread, validate_tolerations
from kctl.kube_apiserver.registry.core.pod_volume_validation import validate_volumes
from kctl.kube_apiserver.registry.label_selector_validation import validate_labels

Spec = Mapping[str, Any]
MAX_INT32 = 2**31 - 1
_RESTART_POLICIES = ("Always", "OnFailure", "Never")
_DNS_POLICIES = ("ClusterFirstWithHostNet", "ClusterFirst", "Default", "None")


def validate_pod_template(template: Spec | None, path: str) -> list[FieldError]:
    """A PodTemplateSpec: labels, annotations, spec, no ephemeral containers (ValidatePodTemplateSpec)."""
    template = template or {}
    meta, spec = template.get("metadata") or {}, template.get("spec") or {}
    errors = validate_labels(meta.get("labels"), f"{path}.labels")
    errors += validate_annotations(meta.get("annotations"), f"{path}.annotations")
    errors += validate_pod_annotations(meta.get("annotations"), spec, f"{path}.annotations")
    errors += validate_pod_spec(spec, f"{path}.spec")
    if spec.get("ephemeralContainers"):
        why = "ephemeral containers not allowed in pod template"
        errors.append(fe.forbidden(f"{path}.spec.ephemeralContainers", why))
    return errors


def validate_pod_spec(spec: Spec, path: str, pod_name: str = "", *, is_pod: bool = False) -> list[FieldError]:
    """`pod_name` is only known for pods; it names the claims of generic ephemeral volumes."""
    grace = spec.get("terminationGracePeriodSeconds")
    errors = [fe.required(f"{path}.terminationGracePeriodSeconds")] if grace is None else []
    volumes, problems = validate_volumes(spec.get("volumes") or (), pod_name, f"{path}.volumes", is_pod)
    errors += problems
    claims = frozenset(claim["name"] for claim in spec.get("resourceClaims") or () if claim.get("name"))
    errors += _resource_claims(spec.get("resourceClaims") or (), f"{path}.resourceClaims")
    pod = Surroundings(
        volumes,
        claims,
        grace,
        spec.get("restartPolicy") or "",
        spec.get("hostUsers") is not False,
        (spec.get("os") or {}).get("name") or "",
    )
    containers, init = spec.get("containers") or (), spec.get("initContainers") or ()
    errors += validate_containers(containers, pod, f"{path}.containers")
    errors += validate_init_containers(init, containers, pod, f"{path}.initContainers")
    if spec.get("ephemeralContainers"):
        others = (*containers, *init)
        errors += validate_ephemeral_containers(spec["ephemeralContainers"], others, pod, f"{path}.ephemeralContainers")
    errors += validate_pod_level(spec, claims, f"{path}.resources")
    errors += _host_network(spec, containers, f"{path}.containers", is_pod)
    errors += _one_of(spec.get("restartPolicy") or "", _RESTART_POLICIES, f"{path}.restartPolicy")
    errors += _one_of(spec.get("dnsPolicy") or "", _DNS_POLICIES, f"{path}.dnsPolicy")
    errors += validate_labels(spec.get("nodeSelector"), f"{path}.nodeSelector")
    errors += security.validate_share_process_namespace(spec, path)
    errors += security.validate_pod_context(spec, path)
    errors += validate_affinity(spec.get("affinity"), f"{path}.affinity")
    errors += _dns_config(spec, f"{path}.dnsConfig")
    for index, gate in enumerate(spec.get("readinessGates") or ()):
        here = f"{path}.readinessGates[{index}].conditionType"
        errors += names.errors(here, gate.get("conditionType") or "", names.qualified_name)
    errors += _scheduling_gates(spec.get("schedulingGates") or (), f"{path}.schedulingGates")
    errors += validate_spread(spec.get("topologySpreadConstraints") or (), f"{path}.topologySpreadConstraints")
    errors += security.validate_host_process(spec, path)
    errors += security.validate_host_users(spec, path)
    errors += _names_and_numbers(spec, path)
    return errors + security.validate_os(spec, path)


def _one_of(value: str, choices: Sequence[str], path: str) -> list[FieldError]:
    if value in choices:
        return []
    return [fe.unsupported(path, value, choices)] if value else [fe.required(path)]


def _names_and_numbers(spec: Spec, path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    for field in ("serviceAccountName", "nodeName"):
        if spec.get(field):
            errors += names.errors(f"{path}.{field}", spec[field], names.dns1123_subdomain)
    deadline = spec.get("activeDeadlineSeconds")
    if deadline is not None and not 1 <= deadline <= MAX_INT32:
        errors.append(fe.invalid(f"{path}.activeDeadlineSeconds", deadline, names.in_range(1, MAX_INT32)))
    for field in ("hostname", "subdomain"):
        if spec.get(field):
            errors += names.errors(f"{path}.{field}", spec[field], names.dns1123_label)
    if spec.get("hostnameOverride") is not None:
        errors += _hostname_override(spec, path)
    errors += validate_tolerations(spec.get("tolerations") or (), f"{path}.tolerations")
    for index, alias in enumerate(spec.get("hostAliases") or ()):
        here = f"{path}.hostAliases[{index}]"
        errors += names.errors(f"{here}.ip", alias.get("ip") or "", names.ip_address)
        for number, hostname in enumerate(alias.get("hostnames") or ()):
            errors += names.errors(f"{here}.hostnames[{number}]", hostname, names.dns1123_subdomain)
    if spec.get("priorityClassName"):
        errors += names.errors(f"{path}.priorityClassName", spec["priorityClassName"], names.dns1123_subdomain)
    if spec.get("runtimeClassName") is not None:
        errors += names.errors(f"{path}.runtimeClassName", spec["runtimeClassName"], names.dns1123_subdomain)
    if spec.get("preemptionPolicy") is not None:
        choices = ("PreemptLowerPriority", "Never")
        errors += _one_of(spec["preemptionPolicy"], choices, f"{path}.preemptionPolicy")
    if spec.get("overhead"):
        errors += validate_overhead(spec["overhead"], f"{path}.overhead")
    return errors


def _hostname_override(spec: Spec, path: str) -> list[FieldError]:
    here, value = f"{path}.hostnameOverride", spec["hostnameOverride"]
    errors = names.errors(here, value, names.dns1123_subdomain)
    if len(value) > 64:
        errors.append(fe.too_long(here, 64))
    if spec.get("setHostnameAsFQDN"):
        errors.append(fe.forbidden(f"{path}.setHostnameAsFQDN", "cannot be true when `hostnameOverride` is set"))
    if spec.get("hostNetwork"):
        errors.append(fe.forbidden(here, "cannot be set when `hostNetwork` is true"))
    return errors


def _resource_claims(claims: Sequence[Mapping[str, Any]], path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    seen: set[str] = set()
    for index, claim in enumerate(claims):
        here, name = f"{path}[{index}]", claim.get("name") or ""
        if not name:
            errors.append(fe.required(f"{here}.name"))
        elif name in seen:
            errors.append(fe.duplicate(f"{here}.name", name))
        else:
            errors += names.errors(f"{here}.name", name, names.dns1123_label)
            seen.add(name)
        given = [f for f in ("resourceClaimName", "resourceClaimTemplateName") if claim.get(f) is not None]
        if len(given) == 2:
            why = "at most one of `resourceClaimName` or `resourceClaimTemplateName` may be specified"
            errors.append(fe.invalid(here, go_form("core.v1.PodResourceClaim", claim), why))
        if not given:
            why = "must specify one of: `resourceClaimName`, `resourceClaimTemplateName`"
            errors.append(fe.invalid(here, go_form("core.v1.PodResourceClaim", claim), why))
        for field in given:
            errors += names.errors(f"{here}.{field}", claim[field], names.dns1123_subdomain)
    return errors


def _host_network(spec: Spec, containers: Sequence[Mapping[str, Any]], path: str, is_pod: bool) -> list[FieldError]:
    if not spec.get("hostNetwork"):
        return []
    errors: list[FieldError] = []
    why = "must match `containerPort` when `hostNetwork` is true"
    for number, container in enumerate(containers):
        for index, port in enumerate(container.get("ports") or ()):
            host = port.get("hostPort") or 0
            if (is_pod or host) and host != (port.get("containerPort") or 0):
                errors.append(fe.invalid(f"{path}[{number}].ports[{index}].hostPort", host, why))
    return errors


def _dns_config(spec: Spec, path: str) -> list[FieldError]:
    config = spec.get("dnsConfig")
    if spec.get("dnsPolicy") == "None":
        if config is None:
            return [fe.required(path, "must provide `dnsConfig` when `dnsPolicy` is None")]
        if not config.get("nameservers"):
            why = "must provide at least one DNS nameserver when `dnsPolicy` is None"
            return [fe.required(f"{path}.nameservers", why)]
    if config is None:
        return []
    errors: list[FieldError] = []
    servers, searches = config.get("nameservers") or [], config.get("searches") or []
    if len(servers) > 3:
        errors.append(fe.invalid(f"{path}.nameservers", servers, "must not have more than 3 nameservers"))
    for index, server in enumerate(servers):
        errors += names.errors(f"{path}.nameservers[{index}]", server, names.ip_address)
    if len(searches) > 32:
        errors.append(fe.invalid(f"{path}.searches", searches, "must not have more than 32 search paths"))
    if len(" ".join(searches)) > 2048:
        why = "must not have more than 2048 characters (including spaces) in the search list"
        errors.append(fe.invalid(f"{path}.searches", searches, why))
    for index, search in enumerate(searches):
        if search != ".":
            here = f"{path}.searches[{index}]"
            errors += names.errors(here, search.removesuffix("."), names.dns1123_subdomain_with_underscore)
    for index, option in enumerate(config.get("options") or ()):
        if not option.get("name"):
            errors.append(fe.required(f"{path}.options[{index}]", "must not be empty"))
    return errors


def _scheduling_gates(gates: Sequence[Mapping[str, Any]], path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    seen: set[str] = set()
    for index, gate in enumerate(gates):
        name = gate.get("name") or ""
        errors += names.errors(f"{path}[{index}]", name, names.qualified_name)
        if name in seen:
            errors.append(fe.duplicate(f"{path}[{index}]", name))
        seen.add(name)
    return errors


def validate_only_for_pods(spec: Spec, path: str) -> list[FieldError]:
    """What templates are spared, for compatibility: token volumes without an account, spaces around images."""
    errors: list[FieldError] = []
    if not spec.get("serviceAccountName"):
        for index, volume in enumerate(spec.get("volumes") or ()):
            for number, source in enumerate((volume.get("projected") or {}).get("sources") or ()):
                if source.get("serviceAccountToken") is not None:
                    here = f"{path}.volumes[{index}].projected.sources[{number}].serviceAccountToken"
                    errors.append(fe.forbidden(here, "must not be specified when serviceAccountName is not set"))
    for field in ("containers", "initContainers"):
        for index, container in enumerate(spec.get(field) or ()):
            errors += image_whitespace(container, f"{path}.{field}[{index}]")
    return errors
