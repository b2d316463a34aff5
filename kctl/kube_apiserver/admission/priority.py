"""Priority: a pod's priorityClassName becomes its priority and preemption policy; only one class may be the default."""

from __future__ import annotations

from typing import Any

from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import BUILT_IN
from kctl.apimachinery.status import forbidden
from kctl.kube_apiserver.admission.plugin import AdmissionPlugin, Operation
from kctl.kube_apiserver.registry.strategy import Context

_CLASSES = next(r for r in BUILT_IN if r.plural == "priorityclasses" and r.group == "scheduling.k8s.io")
_SYSTEM = {"system-cluster-critical": 2_000_000_000, "system-node-critical": 2_000_001_000}


class Priority(AdmissionPlugin):
    name = "Priority"
    per_object = False
    judges_spec_alone = True
    depends_on = (("scheduling.k8s.io", "priorityclasses"),)

    def admit(self, context: Context, obj: Object, old: Object | None, operation: Operation) -> None:
        if operation.resource.plural != "pods":
            return
        spec = obj["spec"]
        if old is not None:
            self._keep(spec, old["spec"])
            return
        priority, policy = self._of(context, obj, operation)
        if spec.get("priority") not in (None, priority):
            raise self._refuse(
                operation,
                f"the integer value of priority ({spec['priority']}) must not be provided in pod spec; priority admission "
                f"controller computed {priority} from the given PriorityClass name",
            )
        spec["priority"] = priority
        if spec.get("preemptionPolicy") not in (None, policy):
            raise self._refuse(
                operation,
                f"the string value of PreemptionPolicy ({spec['preemptionPolicy']}) must not be provided in pod spec; "
                f"priority admission controller computed {policy} from the given PriorityClass name",
            )
        spec["preemptionPolicy"] = policy

    def validate(self, context: Context, obj: Object, old: Object | None, operation: Operation) -> None:
        if operation.resource.plural != "priorityclasses" or not obj.get("globalDefault"):
            return
        name = obj["metadata"].get("name")
        for other in context.list(_CLASSES, ""):
            if other.get("globalDefault") and other["metadata"]["name"] != name:
                present = other["metadata"]["name"]
                raise forbidden(
                    _CLASSES.group,
                    _CLASSES.plural,
                    str(name or ""),
                    f"PriorityClass {present} is already marked as default. Only one default can exist",
                )

    def _keep(self, spec: dict[str, Any], old: dict[str, Any]) -> None:
        """An update that leaves them out keeps what was admitted."""
        for field in ("priority", "preemptionPolicy"):
            if spec.get(field) is None and old.get(field) is not None:
                spec[field] = old[field]

    def _of(self, context: Context, obj: Object, operation: Operation) -> tuple[int, str]:
        spec = obj["spec"]
        name = spec.get("priorityClassName") or ""
        if not name:
            chosen = self._default_class(context)
            if chosen is None:
                return 0, "PreemptLowerPriority"
            spec["priorityClassName"] = chosen["metadata"]["name"]
        else:
            chosen = context.get(_CLASSES, "", name)
            if chosen is None:
                if name in _SYSTEM:
                    return _SYSTEM[name], "PreemptLowerPriority"
                raise self._refuse(operation, f"no PriorityClass with name {name} was found")
        return int(chosen.get("value") or 0), str(chosen.get("preemptionPolicy") or "PreemptLowerPriority")

    def _default_class(self, context: Context) -> Object | None:
        """The lowest of the classes marked as default."""
        defaults = [priority for priority in context.list(_CLASSES, "") if priority.get("globalDefault")]
        return min(defaults, key=lambda priority: int(priority.get("value") or 0)) if defaults else None

    def _refuse(self, operation: Operation, why: str) -> Exception:
        return forbidden("", "pods", operation.name, why)


PLUGIN = Priority()
