"""ControllerRevisions: immutable snapshots of a template."""

from __future__ import annotations

from kctl.apimachinery import field_errors as fe
from kctl.apimachinery.field_errors import FieldError
from kctl.apimachinery.objects import Object
from kctl.kube_apiserver.registry.strategy import Context, Strategy


class ControllerRevisionStrategy(Strategy):
    has_generation = False

    def validate(self, context: Context, obj: Object) -> list[FieldError]:
        errors = [fe.required("data", "data is mandatory")] if obj.get("data") is None else []
        revision = obj.get("revision") or 0
        if revision < 0:
            errors.append(fe.invalid("revision", revision, "must be greater than or equal to 0"))
        return errors

    def validate_patch(self, obj: Object) -> list[FieldError]:
        """Upstream compares the patched data with the stored data in two representations, which are never equal."""
        return [fe.invalid("data", obj.get("data"), "field is immutable")]

    def validate_update(self, context: Context, obj: Object, old: Object) -> list[FieldError]:
        errors = self.validate(context, obj)
        if obj.get("data") != old.get("data"):
            errors.append(fe.invalid("data", obj.get("data"), "field is immutable"))
        return errors
