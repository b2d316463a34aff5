"""Warnings about pods and pod templates: deprecated fields and likely mistakes (pkg/api/pod/warnings.go)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from kctl.apimachinery import quantity
from kctl.kube_apiserver.registry.core.pod_annotations import APP_ARMOR_PREFIX, SECCOMP_POD, SECCOMP_PREFIX
from kctl.kube_apiserver.registry.core.pod_security_validation import containers_of

Spec = Mapping[str, Any]
_LABELS = {
    "beta.kubernetes.io/arch": ("1.14", "kubernetes.io/arch"),
    "beta.kubernetes.io/os": ("1.14", "kubernetes.io/os"),
    "failure-domain.beta.kubernetes.io/region": ("1.17", "topology.kubernetes.io/region"),
    "failure-domain.beta.kubernetes.io/zone": ("1.17", "topology.kubernetes.io/zone"),
    "beta.kubernetes.io/instance-type": ("1.17", "node.kubernetes.io/instance-type"),
}
_VOLUMES = {
    "photonPersistentDisk": "deprecated in v1.11, non-functional in v1.16+",
    "gitRepo": "deprecated in v1.11, and disabled by default in v1.33+",
    "scaleIO": "deprecated in v1.16, non-functional in v1.22+",
    "flocker": "deprecated in v1.22, non-functional in v1.25+",
    "storageos": "deprecated in v1.22, non-functional in v1.25+",
    "quobyte": "deprecated in v1.22, non-functional in v1.25+",
    "glusterfs": "deprecated in v1.25, non-functional in v1.26+",
    "cephfs": "deprecated in v1.28, non-functional in v1.31+",
    "rbd": "deprecated in v1.28, non-functional in v1.31+",
}
_CRITICAL = "scheduler.alpha.kubernetes.io/critical-pod"
_NULL_SELECTOR = "a null labelSelector results in matching no pod"
_REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
_PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"


def _join(path: str, rest: str) -> str:
    return f"{path}.{rest}" if path else rest


def pod_warnings(meta: Spec, spec: Spec, path: str = "") -> list[str]:
    """`path` is that of the template, '' for a pod."""
    here = _join(path, "spec")
    texts = list(_placement(spec, here))
    texts += _annotations(meta.get("annotations") or {}, spec, _join(path, "metadata.annotations"))
    for index, volume in enumerate(spec.get("volumes") or ()):
        texts += _volume(volume, f"{here}.volumes[{index}]")
    texts += _host_aliases(spec.get("hostAliases") or (), f"{here}.hostAliases")
    for index, secret in enumerate(spec.get("imagePullSecrets") or ()):
        if not secret.get("name"):
            texts.append(f'{here}.imagePullSecrets[{index}].name: invalid empty name ""')
    texts += resource_warnings(spec.get("overhead") or {}, f"{here}.overhead")
    for container, at in containers_of(spec, here):
        texts += _container(container, at)
    texts += _port_names(spec, here)
    grace = spec.get("terminationGracePeriodSeconds")
    if grace is not None and grace < 0:
        at = f"{here}.terminationGracePeriodSeconds"
        texts.append(f"{at}: must be >= 0; negative values are invalid and will be treated as 1")
    return texts


def template_warnings(template: Spec | None, path: str) -> list[str]:
    template = template or {}
    return pod_warnings(template.get("metadata") or {}, template.get("spec") or {}, path)


def _placement(spec: Spec, path: str) -> Iterator[str]:
    for key in sorted(spec.get("nodeSelector") or ()):
        if key in _LABELS:
            yield f"{path}.nodeSelector[{key}]: {_deprecated(key)}"
    affinity = spec.get("affinity") or {}
    node = affinity.get("nodeAffinity") or {}
    at = f"{path}.affinity.nodeAffinity"
    terms = (node.get(_REQUIRED) or {}).get("nodeSelectorTerms") or ()
    for index, term in enumerate(terms):
        yield from node_term_warnings(term, f"{at}.{_REQUIRED}.nodeSelectorTerms[{index}]")
    for index, term in enumerate(node.get(_PREFERRED) or ()):
        yield from node_term_warnings(term.get("preference") or {}, f"{at}.{_PREFERRED}[{index}].preference")
    for index, constraint in enumerate(spec.get("topologySpreadConstraints") or ()):
        here, key = f"{path}.topologySpreadConstraints[{index}]", constraint.get("topologyKey") or ""
        if key in _LABELS:
            yield f"{here}.topologyKey: {key} is {_deprecated(key)}"
        if constraint.get("labelSelector") is None:
            yield f"{here}.labelSelector: {_NULL_SELECTOR}"
    for field in ("podAffinity", "podAntiAffinity"):
        rules, here = affinity.get(field) or {}, f"{path}.affinity.{field}"
        for index, term in enumerate(rules.get(_REQUIRED) or ()):
            if term.get("labelSelector") is None:
                yield f"{here}.{_REQUIRED}[{index}].labelSelector: {_NULL_SELECTOR}"
        for index, term in enumerate(rules.get(_PREFERRED) or ()):
            if (term.get("podAffinityTerm") or {}).get("labelSelector") is None:
                yield f"{here}.{_PREFERRED}[{index}].podAffinityTerm.labelSelector: {_NULL_SELECTOR}"


def _deprecated(key: str) -> str:
    version, instead = _LABELS[key]
    return f'deprecated since v{version}; use "{instead}" instead'


def node_term_warnings(term: Spec, path: str) -> Iterator[str]:
    for index, expression in enumerate(term.get("matchExpressions") or ()):
        key = expression.get("key") or ""
        if key in _LABELS:
            yield f"{path}.matchExpressions[{index}].key: {key} is {_deprecated(key)}"


def _annotations(annotations: Mapping[str, str], spec: Spec, path: str) -> Iterator[str]:
    seccomp = 'non-functional in v1.27+; use the "seccompProfile" field instead'
    armor = 'deprecated since v1.30; use the "appArmorProfile" field instead'
    if SECCOMP_POD in annotations:
        yield f"{path}[{SECCOMP_POD}]: {seccomp}"
    if _CRITICAL in annotations:
        yield f'{path}[{_CRITICAL}]: non-functional in v1.16+; use the "priorityClassName" field instead'
    for container, _ in containers_of(spec, ""):
        context = container.get("securityContext") or {}
        for prefix, field, text in ((SECCOMP_PREFIX, "seccompProfile", seccomp), (APP_ARMOR_PREFIX, "appArmorProfile", armor)):
            key = f"{prefix}{container.get('name')}"
            if key in annotations and context.get(field) is None:
                yield f"{path}[{key}]: {text}"


def source_warnings(volume: Spec, path: str) -> Iterator[str]:
    """Of a volume of a pod or a PersistentVolume: sources that are going or gone."""
    for field, text in _VOLUMES.items():
        if volume.get(field) is not None:
            yield f"{path}.{'storageOS' if field == 'storageos' else field}: {text}"


def _volume(volume: Spec, path: str) -> Iterator[str]:
    yield from source_warnings(volume, path)
    claim = (volume.get("ephemeral") or {}).get("volumeClaimTemplate") or {}
    requests = ((claim.get("spec") or {}).get("resources") or {}).get("requests") or {}
    yield from resource_warnings(requests, f"{path}.ephemeral.volumeClaimTemplate.spec.resources.requests")


def _host_aliases(aliases: Sequence[Spec], path: str) -> Iterator[str]:
    first: dict[str, int] = {}
    for index, alias in enumerate(aliases):
        address = alias.get("ip") or ""
        if address in first:
            yield f"{path}[{index}].ip: duplicates ip of {path}[{first[address]}]"
        first.setdefault(address, index)


def resource_warnings(resources: Mapping[str, Any], path: str) -> Iterator[str]:
    for name in ("memory", "ephemeral-storage", "storage"):
        value = resources.get(name)
        if value is not None and quantity.parse(value).denominator != 1:
            text = quantity.canonical(value)
            yield f'{path}[{name}]: fractional byte value "{text}" is invalid, must be an integer'


def _container(container: Spec, path: str) -> Iterator[str]:
    resources = container.get("resources") or {}
    for field in ("limits", "requests"):
        if resources.get(field):
            yield from resource_warnings(resources[field], f"{path}.resources.{field}")
    environment = container.get("env") or ()
    if len(environment) > 1:
        seen: set[str] = set()
        for index, variable in enumerate(environment):
            name = variable.get("name") or ""
            if name in seen:
                yield f'{path}.env[{index}]: hides previous definition of "{name}", which may be dropped when using apply'
            seen.add(name)
    ports = container.get("ports") or ()
    if len(ports) > 1:
        yield from _duplicate_ports(ports, f"{path}.ports")


def _duplicate_ports(ports: Sequence[Spec], path: str) -> Iterator[str]:
    first: dict[tuple[Any, ...], int] = {}
    for index, port in enumerate(ports):
        key = (port.get("protocol") or "", port.get("containerPort") or 0, port.get("hostPort") or 0, port.get("hostIP") or "")
        if key in first:
            yield f"{path}[{index}]: duplicate port definition with {path}[{first[key]}]"
        first.setdefault(key, index)


def _port_names(spec: Spec, path: str) -> Iterator[str]:
    """The same port name in two containers: services pick the first."""
    first: dict[str, tuple[str, str]] = {}
    for container, at in containers_of(spec, path):
        if ".ephemeralContainers[" in at:
            continue
        for index, port in enumerate(container.get("ports") or ()):
            name, here = port.get("name") or "", f"{at}.ports[{index}]"
            if not name:
                continue
            if name in first and first[name][0] != at:
                other = first[name][1]
                yield (f'{here}: duplicate port name "{name}" with {other}, services and probes that select ports by name will use {other}')
            first.setdefault(name, (at, here))
