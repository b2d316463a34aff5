"""Leases and LeaseCandidates."""

from __future__ import annotations

import re
from typing import Any

from kctl.apimachinery import field_errors, go_numbers, names, objects
from kctl.apimachinery.field_errors import FieldError
from kctl.apimachinery.objects import Object
from kctl.kube_apiserver.registry import field_checks
from kctl.kube_apiserver.registry.strategy import Context, Strategy


class LeaseStrategy(Strategy):
    allow_create_on_update = True
    allow_unconditional_update = False
    has_generation = False

    def validate(self, context: Context, obj: Object) -> list[FieldError]:
        spec = objects.spec(obj)
        errors: list[FieldError] = []
        seconds = spec.get("leaseDurationSeconds")
        if seconds is not None and seconds <= 0:
            errors.append(field_errors.invalid("spec.leaseDurationSeconds", seconds, "must be greater than 0"))
        errors += field_checks.non_negative("spec.leaseTransitions", spec.get("leaseTransitions"))
        if spec.get("strategy") is not None:
            errors += _strategy("spec.strategy", spec["strategy"])
        if spec.get("preferredHolder") and not spec.get("strategy"):
            why = "may only be specified if `strategy` is defined"
            errors.append(field_errors.forbidden("spec.preferredHolder", why))
        return errors


_OLDEST = "OldestEmulationVersion"
_SEMVER = re.compile(
    r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)"
    r"(?:-((?:0|[1-9]\d*|\d*[A-Za-z-][0-9A-Za-z-]*)(?:\.(?:0|[1-9]\d*|\d*[A-Za-z-][0-9A-Za-z-]*))*))?(?:\+[0-9A-Za-z.-]+)?"
)
Version = tuple[int, int, int, bool, list[tuple[bool, int, str]]]


def _strategy(path: str, value: str) -> list[FieldError]:
    """Upstream names the field twice."""
    here = f"{path}.strategy"
    return names.errors(here, value, names.qualified_name) if "/" in value else field_checks.enum(here, value, (_OLDEST,))


def _semver(text: str) -> Version | None:
    """In the order of semantic versions: a release after its pre-releases, numbers before words."""
    match = _SEMVER.fullmatch(text)
    if match is None:
        return None
    parts = (match[4] or "").split(".") if match[4] else []
    words = [(not part.isdigit(), go_numbers.saturated(part) or 0, part) for part in parts]
    first, second, third = (go_numbers.saturated(number) or 0 for number in match.group(1, 2, 3))
    return first, second, third, not parts, words


def _versions(spec: dict[str, Any], path: str) -> list[FieldError]:
    emulated, binary = spec.get("emulationVersion") or "", spec.get("binaryVersion") or ""
    errors: list[FieldError] = []
    if emulated and _semver(emulated) is None:
        errors.append(field_errors.invalid(f"{path}.emulationVersion", emulated, "must be a valid semantic version"))
    if not binary:
        return [*errors, field_errors.required(f"{path}.binaryVersion")]
    if _semver(binary) is None:
        errors.append(field_errors.invalid(f"{path}.binaryVersion", binary, "must be a valid semantic version"))
    zero: Version = (0, 0, 0, True, [])
    if emulated and (_semver(binary) or zero) < (_semver(emulated) or zero):
        why = "must be greater than or equal to `emulationVersion`"
        errors.append(field_errors.invalid(f"{path}.binaryVersion", binary, why))
    return errors


class LeaseCandidateStrategy(Strategy):
    allow_create_on_update = True
    allow_unconditional_update = False
    has_generation = False
    name_validator = "config_map_key"

    def validate(self, context: Context, obj: Object) -> list[FieldError]:
        spec = objects.spec(obj)
        errors = field_checks.required("spec.leaseName", spec.get("leaseName")) + _versions(spec, "spec")
        if not spec.get("strategy"):
            return [*errors, field_errors.required("spec.strategy")]
        if spec["strategy"] == _OLDEST and _semver(spec.get("emulationVersion") or "0.0.0") in (None, _semver("0.0.0")):
            why = f"must be specified when `strategy` is '{_OLDEST}'"
            errors.append(field_errors.required("spec.emulationVersion", why))
        return errors + _strategy("spec.strategy", spec["strategy"])

    def validate_update(self, context: Context, obj: Object, old: Object) -> list[FieldError]:
        new, before = objects.spec(obj).get("leaseName") or "", objects.spec(old).get("leaseName") or ""
        return self.validate(context, obj) + field_checks.immutable("spec.leaseName", new, before)


LEASE = LeaseStrategy()
LEASE_CANDIDATE = LeaseCandidateStrategy()
