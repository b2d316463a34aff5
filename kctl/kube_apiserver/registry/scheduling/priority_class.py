"""PriorityClasses."""

from __future__ import annotations

from typing import Any

from kctl.apimachinery import field_errors as fe
from kctl.apimachinery.field_errors import FieldError
from kctl.apimachinery.objects import Object
from kctl.kube_apiserver.registry.rules.language import pointer, struct
from kctl.kube_apiserver.registry.rules.strategy import RuledStrategy
from kctl.kube_apiserver.registry.strategy import Context

HIGHEST_USER_PRIORITY = 1_000_000_000
SYSTEM_CLASSES = {"system-node-critical": 2 * HIGHEST_USER_PRIORITY + 1000, "system-cluster-critical": 2 * HIGHEST_USER_PRIORITY}
_RESERVED = "priority class names with 'system-' prefix are reserved for system use only. error: "


def _value(obj: Any, path: str) -> list[FieldError]:
    name, value = obj["metadata"].get("name") or "", obj.get("value") or 0
    if name.startswith("system-"):
        why = _system_problem(name, value, bool(obj.get("globalDefault")))
        return [fe.forbidden("metadata.name", _RESERVED + why)] if why else []
    if value <= HIGHEST_USER_PRIORITY:
        return []
    return [fe.forbidden("value", f"maximum allowed value of a user defined priority is {HIGHEST_USER_PRIORITY}")]


def _system_problem(name: str, value: int, is_default: bool) -> str:
    expected = SYSTEM_CLASSES.get(name)
    if expected is None:
        return f"{name} is not a known system priority class"
    if value != expected:
        return f"value of {name} PriorityClass must be {expected}"
    return f"globalDefault of {name} PriorityClass must be false" if is_default else ""


def _policy(policy: str, path: str) -> list[FieldError]:
    choices = ("PreemptLowerPriority", "Never")
    return [] if policy in choices else [fe.unsupported(path, policy, choices) if policy else fe.required(path)]


class PriorityClassStrategy(RuledStrategy):
    generation_fields = ()
    rules = struct(_value, pointer("preemptionPolicy", _policy, default="PreemptLowerPriority", immutable=True))

    def validate_update(self, context: Context, obj: Object, old: Object) -> list[FieldError]:
        changed = (obj.get("value") or 0) != (old.get("value") or 0)
        errors = [fe.forbidden("value", "may not be changed in an update.")] if changed else []
        return errors + self.rules.changes(obj, old)
