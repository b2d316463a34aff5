"""Nodes: status through /status, taints, pod CIDRs and provider ID that are set once."""

from __future__ import annotations

from typing import Any

from kctl.apimachinery import field_errors, names, objects
from kctl.apimachinery.field_errors import FieldError
from kctl.apimachinery.objects import Object
from kctl.apimachinery.schema.go_form import go_form
from kctl.kube_apiserver.registry import field_checks
from kctl.kube_apiserver.registry.label_selector_validation import validate_label_name
from kctl.kube_apiserver.registry.rules.language import field, optional, struct
from kctl.kube_apiserver.registry.strategy import Context, Strategy

EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")


class NodeStrategy(Strategy):
    has_generation = False
    reset_status_on_create = False
    selectable_fields = {"spec.unschedulable": lambda obj: "true" if objects.spec(obj).get("unschedulable") else "false"}

    def default(self, context: Context, obj: Object) -> None:
        spec = obj.setdefault("spec", {})
        if spec.get("podCIDR") and not spec.get("podCIDRs"):
            spec["podCIDRs"] = [spec["podCIDR"]]
        elif spec.get("podCIDRs") and not spec.get("podCIDR"):
            spec["podCIDR"] = spec["podCIDRs"][0]
        status = obj.get("status") or {}
        if status.get("capacity") and not status.get("allocatable"):
            status["allocatable"] = dict(status["capacity"])

    def prepare_for_update(self, context: Context, obj: Object, old: Object) -> None:
        kept = "spec" if context.subresource == "status" else "status"
        if kept in old:
            obj[kept] = old[kept]
        else:
            obj.pop(kept, None)

    def validate(self, context: Context, obj: Object) -> list[FieldError]:
        spec = objects.spec(obj)
        errors = taint_errors(spec.get("taints") or [], "metadata.taints")
        errors += _resources(objects.status(obj))
        cidrs = spec.get("podCIDRs") or []
        for index, value in enumerate(cidrs):
            errors += names.errors(f"spec.podCIDRs[{index}]", value, names.cidr)
        if len(cidrs) > 2 or (len(cidrs) == 2 and len({":" in value for value in cidrs}) < 2):
            why = "may specify no more than one CIDR for each IP family"
            errors.append(field_errors.invalid("spec.podCIDRs", cidrs, why))
        return errors

    def validate_update(self, context: Context, obj: Object, old: Object) -> list[FieldError]:
        spec, before = objects.spec(obj), objects.spec(old)
        errors = _resources(objects.status(obj)) + _addresses(obj)
        errors += _changed_cidrs(spec.get("podCIDRs") or [], before.get("podCIDRs") or [])
        if before.get("providerID") and before["providerID"] != spec.get("providerID"):
            why = 'node updates may not change providerID except from "" to valid'
            errors.append(field_errors.forbidden("spec.providerID", why))
        errors += taint_errors(spec.get("taints") or [], "metadata.taints")
        if (spec.get("externalID") or "") != (before.get("externalID") or ""):
            errors.append(field_errors.forbidden("spec.externalID", "may not be updated"))
        return errors

    def warnings_on_create(self, context: Context, obj: Object) -> list[str]:
        warnings: list[str] = []
        if objects.spec(obj).get("configSource") is not None:
            warnings.append("spec.configSource: the feature is removed")
        if objects.spec(obj).get("externalID"):
            warnings.append("spec.externalID: this field is deprecated, and is unused by Kubernetes")
        return warnings

    def warnings_on_update(self, context: Context, obj: Object, old: Object) -> list[str]:
        return self.warnings_on_create(context, obj)

    def validate_status_update(self, context: Context, obj: Object, old: Object) -> list[FieldError]:
        return _resources(objects.status(obj)) + _addresses(obj)


def _resources(status: dict[str, Any]) -> list[FieldError]:
    return [
        error
        for name in ("capacity", "allocatable")
        for key, value in sorted((status.get(name) or {}).items())
        for error in field_checks.resource_value(f"status.{name}.{key}", key, value)
    ]


def _changed_cidrs(new: list[str], old: list[str]) -> list[FieldError]:
    """They are set once: one finding for a list of another length, else one for each that differs."""
    if not old:
        return []
    changes = 1 if len(new) != len(old) else sum(left != right for left, right in zip(new, old, strict=True))
    why = 'node updates may not change podCIDR except from "" to valid'
    return [field_errors.forbidden("spec.podCIDRs", why)] * changes


def _addresses(obj: Object) -> list[FieldError]:
    addresses = objects.status(obj).get("addresses") or []
    return [
        field_errors.duplicate(f"status.addresses[{index}]", address)
        for index, (address, again) in enumerate(zip(addresses, field_checks.repeated(addresses), strict=True))
        if again
    ]


def taint_errors(taints: list[dict[str, Any]], path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    seen: set[tuple[str, str]] = set()
    for index, taint in enumerate(taints):
        here, pair = f"{path}[{index}]", (taint.get("key") or "", taint.get("effect") or "")
        errors += _TAINT.errors_at(taint, here)
        if pair in seen:
            shown = field_errors.go_value(go_form("core.v1.Taint", taint))
            errors.append(FieldError("Duplicate value", here, f"Duplicate value: {shown}: taints must be unique by key and effect pair"))
        seen.add(pair)
    return errors


def _taint_value(value: str) -> list[str]:
    problems = names.label_value(value)
    return [";".join(problems)] if problems else []


_TAINT = struct(field("key", validate_label_name), optional("value", _taint_value), field("effect", required=True, enum=EFFECTS))

STRATEGY = NodeStrategy()
