"""How custom resources behave: upstream's customResourceStrategy and its status strategy, in one for each version."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from kctl.apimachinery import field_errors, objects
from kctl.apimachinery.field_errors import FieldError
from kctl.apimachinery.objects import Object
from kctl.kube_apiserver.custom_resources import embedded_resources, list_types, validation
from kctl.kube_apiserver.custom_resources.replicas import ScalePaths
from kctl.kube_apiserver.custom_resources.schema import CustomSchema, Rules
from kctl.kube_apiserver.registry.strategy import Context, Strategy

_BLOCKING = frozenset({"Unsupported value", "Required value", "Too long", "Too many", "Invalid type"})
_NOT_CHECKED = "some validation rules were not checked because the object was invalid; correct the existing errors to complete validation"
_STANDARD_FINALIZERS = frozenset({"kubernetes", "foregroundDeletion", "orphan"})
_PREFER = "prefer a domain-qualified finalizer name including a path (/) to avoid accidental conflicts with other finalizer writers"


class CustomResourceStrategy(Strategy):
    allow_unconditional_update = False
    generation_fields = ()

    def __init__(
        self,
        schema: CustomSchema,
        rules: Rules | None,
        scale: ScalePaths | None,
        selectable_fields: Mapping[str, Callable[[Object], str]],
        *,
        has_status: bool,
    ) -> None:
        self._schema = schema
        self._rules = rules
        self._scale = scale
        self.selectable_fields = selectable_fields
        self.status_fields = ("status",) if has_status else ()
        self._status_schema: dict[str, Any] | None = (schema.openapi.get("properties") or {}).get("status")

    def prepare_for_update(self, context: Context, obj: Object, old: Object) -> None:
        """Everything but metadata counts for the generation."""
        if context.subresource == "status":
            meta, before = obj["metadata"], old["metadata"]
            kept = {key: value for key, value in before.items() if key not in ("managedFields", "resourceVersion")}
            if "managedFields" in meta:
                kept["managedFields"] = meta["managedFields"]
            obj["metadata"] = kept
        elif _content(obj) != _content(old):
            obj["metadata"]["generation"] = (old["metadata"].get("generation") or 0) + 1

    def create_errors(self, context: Context, obj: Object, before: list[FieldError]) -> list[FieldError]:
        """`before`: what is wrong with the metadata."""
        found = before + validation.validate(self._schema.openapi, obj)
        if self._scale is not None:
            found += self._scale.spec_errors(obj) + self._scale.status_errors(obj)
        if self._schema.has_embedded:
            found += embedded_resources.errors(obj, self._schema.structural)
        found += list_types.errors(obj, self._schema.structural)
        return found + self._rule_errors(context, obj, None, found)

    def update_errors(self, context: Context, obj: Object, old: Object, before: list[FieldError]) -> list[FieldError]:
        found = before + validation.validate(self._schema.openapi, obj, old=old)
        if self._scale is not None:
            found += self._scale.spec_errors(obj) + self._scale.status_errors(obj)
        if self._schema.has_embedded:
            found += embedded_resources.errors(obj, self._schema.structural)
        found += self._list_errors(obj, old)
        return found + self._rule_errors(context, obj, old, found)

    def status_errors(self, context: Context, obj: Object, old: Object, before: list[FieldError]) -> list[FieldError]:
        found = list(before)
        if self._status_schema is not None and "status" in obj:
            was = old.get("status", validation.NEW)
            found += validation.validate(self._status_schema, obj["status"], old=was, below="status")
        if self._scale is not None:
            found += self._scale.status_errors(obj)
        found += self._list_errors(obj, old)
        return found + self._rule_errors(context, obj, old, found)

    def _list_errors(self, obj: Object, old: Object) -> list[FieldError]:
        """Who had duplicates may keep them."""
        found = list_types.errors(obj, self._schema.structural)
        return [] if found and list_types.errors(old, self._schema.structural) else found

    def _rule_errors(self, context: Context, obj: Object, old: Object | None, found: list[FieldError]) -> list[FieldError]:
        if self._rules is None:
            return []
        if any(error.kind in _BLOCKING for error in found):
            return [field_errors.invalid(validation.NOWHERE, None, _NOT_CHECKED)]
        return self._rules(obj, old, context.beside_loop)

    def warnings_on_create(self, context: Context, obj: Object) -> list[str]:
        return _finalizer_warnings(objects.finalizers(obj))

    def warnings_on_update(self, context: Context, obj: Object, old: Object) -> list[str]:
        if context.subresource == "status":
            return []
        present = set(objects.finalizers(old))
        return _finalizer_warnings([name for name in objects.finalizers(obj) if name not in present])


def _content(obj: Object) -> Object:
    return {key: value for key, value in obj.items() if key != "metadata" and key != "apiVersion"}


def _finalizer_warnings(added: list[str]) -> list[str]:
    return [
        f'metadata.finalizers: "{name}": {_PREFER}' for name in sorted(set(added)) if "/" not in name and name not in _STANDARD_FINALIZERS
    ]
