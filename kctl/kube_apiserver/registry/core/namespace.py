"""Namespaces: phase, the `kubernetes` finalizer in spec.finalizers, the name label, termination."""

from __future__ import annotations

from kctl.apimachinery import field_errors, names, objects
from kctl.apimachinery.field_errors import FieldError
from kctl.apimachinery.objects import Object
from kctl.kube_apiserver.registry.strategy import Context, Strategy

NAME_LABEL = "kubernetes.io/metadata.name"
FINALIZER = "kubernetes"
STANDARD_FINALIZERS = frozenset({FINALIZER, "orphan", "foregroundDeletion"})


def _name_label(obj: Object) -> None:
    name = objects.name(obj)
    meta = obj["metadata"]
    if name and (meta.get("labels") or {}).get(NAME_LABEL) != name:
        meta["labels"] = {**(meta.get("labels") or {}), NAME_LABEL: name}


class NamespaceStrategy(Strategy):
    has_generation = False
    name_validator = "label"
    returns_deleted_object = True
    selectable_fields = {"status.phase": lambda obj: str(objects.status(obj).get("phase") or ""), "name": objects.name}

    def default(self, context: Context, obj: Object) -> None:
        _name_label(obj)

    def prepare_for_create(self, context: Context, obj: Object) -> None:
        _name_label(obj)
        obj["status"] = {"phase": "Active"}
        finalizers = list((obj.get("spec") or {}).get("finalizers") or ())
        if FINALIZER not in finalizers:
            finalizers.append(FINALIZER)
        obj["spec"] = {"finalizers": finalizers}

    def prepare_for_update(self, context: Context, obj: Object, old: Object) -> None:
        """spec.finalizers changes through /finalize only, status through /status only."""
        if context.subresource != "finalize":
            obj["spec"] = old.get("spec") or {}
        if context.subresource != "status":
            obj["status"] = old.get("status") or {}

    def holds_deletion(self, obj: Object) -> bool:
        """Until the namespace controller has emptied it."""
        return bool(objects.spec(obj).get("finalizers"))

    def mark_deletion(self, context: Context, obj: Object) -> None:
        obj["status"] = {**objects.status(obj), "phase": "Terminating"}

    def validate(self, context: Context, obj: Object) -> list[FieldError]:
        finalizers = objects.spec(obj).get("finalizers") or ()
        return [error for name in finalizers for error in finalizer_errors("spec.finalizers", name)]

    def validate_update(self, context: Context, obj: Object, old: Object) -> list[FieldError]:
        if context.subresource != "finalize":
            return []
        finalizers = enumerate(objects.spec(obj).get("finalizers") or ())
        return [error for index, name in finalizers for error in finalizer_errors(f"spec.finalizers[{index}]", name)]

    def validate_status_update(self, context: Context, obj: Object, old: Object) -> list[FieldError]:
        phase = objects.status(obj).get("phase")
        if not objects.deletion_timestamp(obj):
            if phase != "Active":
                return [field_errors.invalid("status.Phase", phase or "", "may only be 'Active' if `deletionTimestamp` is empty")]
        elif phase != "Terminating":
            why = "may only be 'Terminating' if `deletionTimestamp` is not empty"
            return [field_errors.invalid("status.Phase", phase or "", why)]
        return []


def finalizer_errors(path: str, finalizer: str) -> list[FieldError]:
    errors = names.errors(path, finalizer, names.qualified_name)
    if "/" not in finalizer and finalizer not in STANDARD_FINALIZERS:
        why = "name is neither a standard finalizer name nor is it fully qualified"
        errors.append(field_errors.invalid(path, finalizer, why))
    return errors


STRATEGY = NamespaceStrategy()
