"""Leases and LeaseCandidates."""

from __future__ import annotations

from kctl.apimachinery import field_errors, names, objects
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
        if spec.get("strategy"):
            errors += _strategy("spec.strategy", spec["strategy"])
        if spec.get("preferredHolder") and not spec.get("strategy"):
            why = "may only be specified if `strategy` is defined"
            errors.append(field_errors.forbidden("spec.preferredHolder", why))
        return errors


def _strategy(path: str, value: str) -> list[FieldError]:
    if "/" in value:
        return names.errors(path, value, names.qualified_name)
    return field_checks.enum(path, value, ("OldestEmulationVersion",))


class LeaseCandidateStrategy(Strategy):
    allow_create_on_update = True
    allow_unconditional_update = False
    has_generation = False

    def validate(self, context: Context, obj: Object) -> list[FieldError]:
        spec = objects.spec(obj)
        errors = field_checks.required_name("spec.leaseName", spec.get("leaseName"), names.dns1123_subdomain)
        errors += field_checks.required("spec.binaryVersion", spec.get("binaryVersion"))
        if not spec.get("strategy"):
            return [*errors, field_errors.required("spec.strategy")]
        return errors + _strategy("spec.strategy", spec["strategy"])


LEASE = LeaseStrategy()
LEASE_CANDIDATE = LeaseCandidateStrategy()
