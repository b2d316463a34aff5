"""PriorityClasses."""

from __future__ import annotations

from kctl.apimachinery import field_errors as fe
from kctl.apimachinery.field_errors import FieldError
from kctl.apimachinery.objects import Object
from kctl.kube_apiserver.registry.strategy import Context, Strategy

HIGHEST_USER_PRIORITY = 1_000_000_000
SYSTEM_CLASSES = {
    "system-node-critical": 2 * HIGHEST_USER_PRIORITY + 1000,
    "system-cluster-critical": 2 * HIGHEST_USER_PRIORITY,
}
_POLICIES = ("PreemptLowerPriority", "Never")


class PriorityClassStrategy(Strategy):
    generation_fields = ()

    def default(self, context: Context, obj: Object) -> None:
        if obj.get("preemptionPolicy") is None:
            obj["preemptionPolicy"] = "PreemptLowerPriority"

    def validate(self, context: Context, obj: Object) -> list[FieldError]:
        name, value = obj["metadata"].get("name") or "", obj.get("value") or 0
        errors: list[FieldError] = []
        if name.startswith("system-"):
            why = _system_problem(name, value, bool(obj.get("globalDefault")))
            if why:
                reserved = "priority class names with 'system-' prefix are reserved for system use only. error: "
                errors.append(fe.forbidden("metadata.name", reserved + why))
        elif value > HIGHEST_USER_PRIORITY:
            limit = f"maximum allowed value of a user defined priority is {HIGHEST_USER_PRIORITY}"
            errors.append(fe.forbidden("value", limit))
        policy = obj.get("preemptionPolicy")
        if policy is not None and policy not in _POLICIES:
            errors.append(fe.unsupported("preemptionPolicy", policy, _POLICIES) if policy else fe.required("preemptionPolicy"))
        return errors

    def validate_update(self, context: Context, obj: Object, old: Object) -> list[FieldError]:
        errors: list[FieldError] = []
        if (obj.get("value") or 0) != (old.get("value") or 0):
            errors.append(fe.forbidden("value", "may not be changed in an update."))
        if obj.get("preemptionPolicy") != old.get("preemptionPolicy"):
            errors.append(fe.invalid("preemptionPolicy", obj.get("preemptionPolicy"), "field is immutable"))
        return errors


def _system_problem(name: str, value: int, is_default: bool) -> str:
    expected = SYSTEM_CLASSES.get(name)
    if expected is None:
        return f"{name} is not a known system priority class"
    if value != expected:
        return f"value of {name} PriorityClass must be {expected}"
    return f"globalDefault of {name} PriorityClass must be false" if is_default else ""
