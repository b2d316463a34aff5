"""RuntimeClass: a pod's runtime class must exist; its overhead and scheduling become the pod's."""

from __future__ import annotations

from typing import Any

from kctl.apimachinery import quantity
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import BUILT_IN
from kctl.apimachinery.status import forbidden
from kctl.kube_apiserver.admission.plugin import AdmissionPlugin, Operation
from kctl.kube_apiserver.registry.strategy import Context

_CLASSES = next(r for r in BUILT_IN if r.plural == "runtimeclasses")


class RuntimeClass(AdmissionPlugin):
    name = "RuntimeClass"
    operations = ("CREATE",)
    per_object = False
    judges_spec_alone = True
    depends_on = (("node.k8s.io", "runtimeclasses"),)

    def admit(self, context: Context, obj: Object, old: Object | None, operation: Operation) -> None:
        spec = obj["spec"]
        name = spec.get("runtimeClassName")
        runtime = context.get(_CLASSES, "", name) if name else None
        if name and runtime is None:
            raise self._refuse(operation, f'pod rejected: RuntimeClass "{name}" not found')
        fixed = ((runtime or {}).get("overhead") or {}).get("podFixed") or {}
        self._overhead(spec, fixed, name is not None, operation)
        if runtime is not None and runtime.get("scheduling"):
            self._schedule(spec, runtime["scheduling"], operation)

    def _overhead(self, spec: dict[str, Any], fixed: dict[str, str], has_class: bool, operation: Operation) -> None:
        given = spec.get("overhead") or {}
        if not given:
            if fixed:
                spec["overhead"] = dict(fixed)
            return
        same = given.keys() == fixed.keys() and all(quantity.parse(given[k]) == quantity.parse(v) for k, v in fixed.items())
        if not has_class:
            raise self._refuse(operation, "pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead")
        if not same:
            raise self._refuse(operation, "pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead")

    def _schedule(self, spec: dict[str, Any], scheduling: dict[str, Any], operation: Operation) -> None:
        selector = dict(spec.get("nodeSelector") or {})
        for key, value in (scheduling.get("nodeSelector") or {}).items():
            if selector.setdefault(key, value) != value:
                own = f"pod.spec.nodeSelector[{key}] = {selector[key]}"
                why = f"conflict: runtimeClass.scheduling.nodeSelector[{key}] = {value}; {own}"
                raise self._refuse(operation, why)
        if selector:
            spec["nodeSelector"] = selector
        present = spec.get("tolerations") or []
        added = [toleration for toleration in scheduling.get("tolerations") or () if toleration not in present]
        if added:
            spec["tolerations"] = [*present, *added]

    def _refuse(self, operation: Operation, why: str) -> Exception:
        return forbidden("", "pods", operation.name, why)


PLUGIN = RuntimeClass()
