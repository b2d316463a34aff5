"""PodSecurity: the Pod Security Standards, as a namespace's labels enforce them, warn of them and have them audited.

Only pods are refused; who writes a workload is warned of what its pods would be refused for. A namespace without such labels has the
level `privileged`, at which nothing is checked: its pods pay for a look at the labels. The checks are in pod_security_standards.py.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from kctl.apimachinery import field_errors, objects
from kctl.apimachinery.field_errors import FieldError
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import NAMESPACES, PODS
from kctl.apimachinery.status import forbidden, invalid
from kctl.kube_apiserver.admission.plugin import AdmissionPlugin, Operation
from kctl.kube_apiserver.registry.strategy import Context

PREFIX = "pod-security.kubernetes.io/"
_LEVELS = ("privileged", "baseline", "restricted")
_VERSION = re.compile(r"v1\.([0-9]|[1-9][0-9]*)", re.ASCII)
_MOST_DIGITS = 18
_MOST_PODS = 3000
"""Existing pods that a new level is tried on."""


class LevelVersion(NamedTuple):
    level: str = "privileged"
    version: str = "latest"

    def __str__(self) -> str:
        return f"{self.level}:{self.version}"

    @property
    def minor(self) -> int:
        from kctl.kube_apiserver.admission.pod_security_standards import LATEST

        return LATEST if self.version == "latest" else int(self.version.removeprefix("v1."))


_NOTHING = LevelVersion()


@dataclass(frozen=True, slots=True)
class Policy:
    enforce: LevelVersion = _NOTHING
    audit: LevelVersion = _NOTHING
    warn: LevelVersion = _NOTHING


@dataclass(frozen=True, slots=True)
class Exemptions:
    usernames: tuple[str, ...] = ()
    runtime_classes: tuple[str, ...] = ()
    namespaces: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PodSecurityConfiguration:
    """pod-security.admission.config.k8s.io: what holds where a namespace says nothing, and for whom nothing holds."""

    defaults: Policy = field(default_factory=Policy)
    exemptions: Exemptions = field(default_factory=Exemptions)


def policy_of(labels: Mapping[str, str], defaults: Policy) -> tuple[Policy, list[FieldError]]:
    """Always a policy: what cannot be read is enforced as the strictest, and neither warned of nor audited."""
    policy, errors = defaults, list[FieldError]()
    for mode in ("enforce", "audit", "warn"):
        found: LevelVersion = getattr(policy, mode)
        level, version = labels.get(f"{PREFIX}{mode}"), labels.get(f"{PREFIX}{mode}-version")
        if level is not None:
            known = level in _LEVELS
            found = found._replace(level=level if known else "restricted" if mode == "enforce" else "privileged")
            if not known:
                errors.append(_wrong(mode, level, f"must be one of {', '.join(_LEVELS)}"))
        if version is not None:
            known = version == "latest" or (_VERSION.fullmatch(version) is not None and len(version) < _MOST_DIGITS)
            found = found._replace(version=version if known else "latest")
            if not known:
                errors.append(_wrong(f"{mode}-version", version, 'must be "latest" or "v1.x"'))
        policy = replace(policy, **{mode: found})
    return policy, errors


def _wrong(label: str, value: str, why: str) -> FieldError:
    return field_errors.invalid(f"metadata.labels[{PREFIX}{label}]", value, why)


class PodSecurity(AdmissionPlugin):
    name = "PodSecurity"
    subresources = frozenset({"", "ephemeralcontainers", "resize"})
    per_object = False
    judges_spec_alone = True
    depends_on = (("", "namespaces"),)

    def __init__(self, configuration: PodSecurityConfiguration | None = None) -> None:
        self._configuration = configuration or PodSecurityConfiguration()

    def validate(self, context: Context, obj: Object, old: Object | None, operation: Operation) -> None:
        plural = operation.resource.plural
        if plural == "namespaces":
            if not operation.subresource:
                self._validate_namespace(context, obj, old)
        elif plural == "pods":
            if old is None or _matters(obj, old):
                self._validate_pod(context, obj, operation)
        elif not operation.subresource:
            self._validate_workload(context, obj, operation)

    def _policy(self, context: Context, operation: Operation) -> Policy:
        """Privileged for whom everything is allowed."""
        exemptions = self._configuration.exemptions
        if operation.namespace in exemptions.namespaces or context.user.name in exemptions.usernames:
            return Policy()
        namespace = context.get(NAMESPACES, "", operation.namespace)
        labels = (namespace or {"metadata": {}})["metadata"].get("labels") or {}
        defaults = self._configuration.defaults
        return policy_of(labels, defaults)[0] if _says_something(labels) else defaults

    def _validate_pod(self, context: Context, pod: Object, operation: Operation) -> None:
        policy = self._policy(context, operation)
        if policy == _PRIVILEGED or self._is_exempt(pod["spec"]):
            return
        failures = _failures(policy.enforce, pod)
        if failures:
            why = f'violates PodSecurity "{policy.enforce}": {failures}'
            raise forbidden("", "pods", operation.name, why)
        self._note(context, policy, pod)

    def _validate_workload(self, context: Context, obj: Object, operation: Operation) -> None:
        policy = self._policy(context, operation)
        template = _template(obj)
        if policy == _PRIVILEGED or template is None or self._is_exempt(template.get("spec") or {}):
            return
        self._note(context, policy, template)

    def _note(self, context: Context, policy: Policy, pod: Object) -> None:
        warned = _failures(policy.warn, pod)
        if warned:
            context.warnings.append(f'would violate PodSecurity "{policy.warn}": {warned}')

    def _is_exempt(self, spec: Object) -> bool:
        return spec.get("runtimeClassName") in self._configuration.exemptions.runtime_classes

    def _validate_namespace(self, context: Context, namespace: Object, old: Object | None) -> None:
        labels = objects.labels(namespace)
        before = objects.labels(old) if old is not None else {}
        if labels == before or not (_says_something(labels) or _says_something(before)):
            return
        defaults = self._configuration.defaults
        policy, errors = policy_of(labels, defaults)
        former, former_errors = policy_of(before, defaults)
        if errors and (old is None or errors != former_errors):
            raise invalid("", "Namespace", objects.name(namespace), errors)
        if old is None or objects.name(namespace) in self._configuration.exemptions.namespaces:
            return
        if _is_stricter(policy.enforce, former.enforce):
            context.warnings.extend(self._of_existing(context, objects.name(namespace), policy.enforce))

    def _of_existing(self, context: Context, namespace: str, enforce: LevelVersion) -> list[str]:
        """What existing pods would be refused for now: one of those that a controller made from one template stands for all."""
        pods = [pod for pod in context.list(PODS, namespace) if not self._is_exempt(pod["spec"])]
        checked = _first_of_each(pods)[:_MOST_PODS]
        names: dict[str, list[str]] = {}
        for pod in checked:
            reasons = _failures(enforce, pod, details=False)
            if reasons:
                names.setdefault(reasons, []).append(objects.name(pod))
        warnings: list[str] = []
        if len(checked) < len(pods):
            number, whole = len(checked), len(pods)
            warnings.append(f"new PodSecurity enforce level only checked against the first {number} of {whole} existing pods")
        if names:
            warnings.append(f'existing pods in namespace "{namespace}" violate the new PodSecurity enforce level "{enforce}"')
        return warnings + sorted(f"{_and_others(who)}: {reasons}" for reasons, who in names.items())


_PRIVILEGED = Policy()


def _says_something(labels: Mapping[str, str]) -> bool:
    return any(label.startswith(PREFIX) for label in labels)


def _is_stricter(new: LevelVersion, old: LevelVersion) -> bool:
    if new == old or new.level == "privileged":
        return False
    return new.version != old.version or _LEVELS.index(new.level) > _LEVELS.index(old.level)


def _and_others(names: Sequence[str]) -> str:
    others = len(names) - 1
    return min(names) if not others else f"{min(names)} (and {others} other pod{'s' if others > 1 else ''})"


def _first_of_each(pods: Sequence[Object]) -> list[Object]:
    """One pod of each controller before all others."""
    seen: set[str] = set()
    first: list[Object] = []
    others: list[Object] = []
    for pod in pods:
        owner = objects.controller_of(pod)
        uid = owner["uid"] if owner else ""
        (others if uid and uid in seen else first).append(pod)
        seen.add(uid)
    return first + others


def _failures(policy: LevelVersion, pod: Object, *, details: bool = True) -> str:
    if policy.level == "privileged":
        return ""
    from kctl.kube_apiserver.admission.pod_security_standards import evaluate

    annotations = (pod.get("metadata") or {}).get("annotations") or {}
    failures = evaluate(policy.level, policy.minor, annotations, pod.get("spec") or {})
    return ", ".join(str(failure) if details else failure.reason for failure in failures)


def _matters(pod: Object, old: Object) -> bool:
    """Whether an update changes what could be changed and is checked: images, seccomp annotations, added ephemeral containers."""
    for field_name in ("containers", "initContainers", "ephemeralContainers"):
        present = {each["name"]: each.get("image") for each in pod["spec"].get(field_name) or ()}
        before = {each["name"]: each.get("image") for each in old["spec"].get(field_name) or ()}
        if present != before:
            return True
    annotations = (objects.annotations(each) for each in (pod, old))
    first, second = ({key: value for key, value in each.items() if "seccomp.security.alpha.kubernetes.io/" in key} for each in annotations)
    return first != second


def _template(obj: Object) -> Object | None:
    """The pod template of a workload or PodTemplate; None where it has none."""
    spec = objects.spec(obj)
    if obj.get("kind") == "CronJob":
        spec = (spec.get("jobTemplate") or {}).get("spec") or {}
    found: Object | None = obj.get("template") if obj.get("kind") == "PodTemplate" else spec.get("template")
    return found


PLUGIN = PodSecurity()
